# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose mail it is that comes over TCP, and what one user can take from the others: clients that run as several users."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

import mail
from receiver import PATIENCE_SECONDS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be several users")

NOBODY, DAEMON, BIN = 65534, 1, 2

# Reads what it is to be and to do, as a line of JSON: opens so many sessions as a user, and sends lines in the first one, where a
# dot waits for its answer. Prints the greetings and the replies, and holds the sessions until nobody wants them any more.
CLIENT = r"""
import json, os, socket, sys
task = json.loads(sys.stdin.readline())
os.setgroups([]); os.setgid(task["uid"]); os.setuid(task["uid"])
def connect(address):
    if isinstance(address, list):
        return socket.create_connection(address)
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    return client
clients = [connect(task["address"]) for _ in range(task["count"])]
files = [client.makefile("rw", newline="") for client in clients]
greetings = [file.readline().rstrip() for file in files]
replies = []
for line in task["lines"]:
    files[0].write(line + "\r\n")
    files[0].flush()
    replies.append(files[0].readline().rstrip())
print(json.dumps([greetings, replies]), flush=True)
sys.stdin.read()
"""


class Client:
    """A process of a user's with some sessions, which end with it."""

    def __init__(self, uid, address, count=1, subject=None):
        lines = ["HELO client", "MAIL FROM:<any@elsewhere.example>", "RCPT TO:<you@example.net>", "DATA",
                 f"Subject: {subject}\r\n\r\nhello\r\n."]
        task = {"uid": uid, "address": address, "count": count, "lines": lines if subject else []}
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        self.greetings, self.replies = json.loads(self.process.stdout.readline())

    def count(self, beginning):
        """How many greetings begin so."""
        return len([greeting for greeting in self.greetings if greeting.startswith(beginning)])

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()


@pytest.fixture
def connect(cleanup):
    def make(*arguments, **options):
        client = Client(*arguments, **options)
        cleanup.callback(client.close)
        return client

    return make


def open_to_all(relay):
    """Lets other users reach the local socket."""
    relay.folder.chmod(0o755)
    relay.socket.chmod(0o777)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_mail_over_tcp_is_its_users(make_relay, receiver, connect, address):
    relay = make_relay(receiver, smtp=(address,))
    connect(NOBODY, relay.address, subject="of nobody")
    received = receiver.wait_messages(1)[0]
    assert "(user nobody, uid 65534)" in mail.parse(received)["Received"]
    assert received.sender == "any@elsewhere.example"  # any may be given, as ever
    relay.wait_line("queued mail of <any@elsewhere.example>.*from user 65534.*POSTERN_SUBMITTER_UID=65534")


def test_a_users_limits_hold_over_tcp(make_relay, connect):
    relay = make_relay((), {"Queue": {"MaxUserMessages": 1}})
    assert connect(NOBODY, relay.address, subject="one").replies[-1].startswith("250")
    refused = connect(NOBODY, relay.address, subject="two").replies
    assert [reply for reply in refused if reply.startswith("452 4.2.2 ") and "user 65534 has 1 messages" in reply]
    relay.wait_line("refused 127.0.0.1, user 65534 ")
    assert connect(DAEMON, relay.address, subject="three").replies[-1].startswith("250")
    assert sorted(message["user"] for message in relay.queue()) == [DAEMON, NOBODY]


@pytest.mark.parametrize("limit", [{"MaxUserMessages": 100}, {"MaxUserBytes": "1M"}, {"MaxUserRate": "100/1h"}, {}],
                         ids=lambda limit: next(iter(limit), "no-limit"))
def test_nobody_escapes_a_limit_by_leaving_at_once(make_relay, limit):
    """Whose it was can no longer be told; clients of other machines do not pay for it."""
    relay = make_relay((), {"Queue": limit})
    relay.process.send_signal(signal.SIGSTOP)
    with socket.create_connection(relay.address) as client:
        client.sendall(b"EHLO quick\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<you@example.net>\r\nDATA\r\n"
                       b"Subject: quick\r\n\r\nhello\r\n.\r\n")
    relay.process.send_signal(signal.SIGCONT)
    if limit:
        relay.wait_line("refused 127.0.0.1: 421 4.7.0 The program was gone before ")
        assert not relay.queue()
    else:
        relay.wait_line("queued mail of <a@example.org>")


def test_a_route_is_for_a_user_over_tcp(make_relay, make_receiver, connect):
    usual, special = make_receiver(), make_receiver()
    relay = make_relay([usual, special], {"Route nobody": {"Users": "nobody", "Smarthosts": "second"}})
    connect(NOBODY, relay.address, subject="special")
    connect(DAEMON, relay.address, subject="usual")
    assert mail.subjects(special.wait_messages(1)) == ["special"]
    assert mail.subjects(usual.wait_messages(1)) == ["usual"]


@pytest.mark.parametrize("local", [True, False])
def test_one_user_does_not_take_all_sessions(make_relay, receiver, connect, local):
    relay = make_relay(receiver, {"Server": {"MaxSessions": 64}})
    open_to_all(relay)
    here, there = str(relay.socket), relay.address
    if not local:
        here, there = there, here
    flood = connect(NOBODY, here, count=80)
    assert (flood.count("220 "), flood.count("421 4.7.0 ")) == (32, 48)
    relay.wait_line("user 65534 has 32 of 64 sessions.*POSTERN_SUBMITTER_UID=65534")

    # The other door is no way round it, and nobody else is told to come again.
    assert connect(NOBODY, there).count("421 4.7.0 ") == 1
    assert connect(DAEMON, here, subject="of another").replies[-1].startswith("250")
    relay.sendmail("you@example.net", message="Subject: of root\n\nhello\n")
    assert sorted(mail.subjects(receiver.wait_messages(2))) == ["of another", "of root"]
    assert len(re.findall("sessions, which is as many", relay.log_text())) == 1

    flood.close()
    relay.sendmail("you@example.net", message="Subject: later\n\nhello\n")
    assert connect(NOBODY, here, subject="again").replies[-1].startswith("250")


def test_some_sessions_are_kept_for_those_who_have_few(make_relay, connect):
    relay = make_relay((), {"Server": {"MaxSessions": 64}})
    open_to_all(relay)
    assert connect(NOBODY, str(relay.socket), count=32).count("220 ") == 32
    many = connect(DAEMON, relay.address, count=40)
    assert 0 < many.count("220 ") < 32 and many.count("421 4.3.2 ") == 40 - many.count("220 ")
    relay.wait_line("all 64 sessions are taken")
    assert connect(BIN, relay.address).count("220 ") == 1
    assert connect(0, str(relay.socket)).count("220 ") == 1


def drip(session):
    """Sends an octet from time to time, until there is a reply."""
    session.socket.settimeout(0.1)
    while True:
        try:
            return session.reply()
        except TimeoutError:
            session.send("x")


@pytest.mark.parametrize("local", [True, False])
def test_a_command_has_to_come_to_its_end(make_relay, local):
    relay = make_relay((), {"Server": {"IdleTimeout": "2s"}})
    with relay.raw(local=local) as session:
        assert session.ask("NOOP").startswith("250")
        assert drip(session).startswith("421 4.4.2 relay.example.org The command does not come to its end")


@pytest.mark.parametrize("local", [True, False])
def test_a_message_has_to_come_at_some_speed(make_relay, local):
    relay = make_relay((), {"Server": {"IdleTimeout": "2s"}})
    with relay.raw(local=local) as session:
        for command in ("HELO x", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.net>", "DATA"):
            assert session.ask(command)[0] in "23"
        assert drip(session).startswith("421 4.4.2 relay.example.org The message comes too slowly")
    assert relay.queue() == []
