# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of any size in bounded memory."""

import hashlib

import mail
from relay import is_sanitized

MIB = 1024 * 1024

# What one session with a large message may cost beyond a daemon that has seen a small one: a few chunks on each side.
LARGE_MESSAGE_COST_KIB = 12 * 1024


def send_large(relay, size):
    """Sends a message of about that size over the local socket, never holding it; returns its body's size and hash."""
    line = b"0123456789abcdef" * 4 + b"-%08d\r\n"
    digest = hashlib.sha256()
    with relay.raw(local=True) as session:
        session.ask("EHLO client.example.org")
        session.ask("MAIL FROM:<a@example.org>")
        session.ask("RCPT TO:<b@example.net>")
        assert session.ask("DATA").startswith("354")
        session.send(mail.text("large", body=""))
        sent = 0
        while sent < size:
            block = b"".join(line % (sent + i) for i in range(1000))
            digest.update(block)
            session.send(block)
            sent += len(block)
        assert session.ask(".").startswith("250")
    return sent, digest.hexdigest()


def body_hash(path, size):
    """The hash of the body of that size in a file of smtp-sink, which has LF as line ends."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while file.readline() != b"\n":
            pass
        while size > 0:
            block = b"".join(line[:-1] + b"\r\n" for line in file.readlines(min(size, MIB)))
            assert block, "the body is too short"
            digest.update(block[:size])
            size -= len(block)
    return digest.hexdigest()


def test_a_message_of_100_mb_costs_no_memory(make_relay, make_sink, figure):
    sink = make_sink(keep=True)
    relay = make_relay(configuration={"Smarthost": {"Host": "127.0.0.1", "Port": sink.port, "TLS": "none"},
                                      "Server": {"MaxMessageSize": "200M"}})
    relay.send()
    relay.wait_line("delivered to <recipient@example.net>")
    small = relay.memory_kib()
    size, sent = send_large(relay, 100 * MIB)
    relay.wait_line("delivered to <b@example.net>", seconds=300)
    large = relay.memory_kib()
    figure(f"peak memory of the daemon: {small / 1024:.1f} MiB after a small message, {large / 1024:.1f} MiB after one "
           f"of 100 MiB{' (sanitized)' if is_sanitized() else ''}")
    kept = max(sink.files(), key=lambda path: path.stat().st_size)
    assert body_hash(kept, size) == sent
    assert is_sanitized() or large - small < LARGE_MESSAGE_COST_KIB
