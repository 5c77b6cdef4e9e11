# SPDX-License-Identifier: GPL-3.0-or-later
"""What one user does in excess, and what others notice of it: nothing."""

import pytest

from test_fields import QUEUED

HELD = "24b1af6434544061bc47a1d3160bc62d"
RELEASED = "3bfe7e9fa8ca48a4a9997dcbb400fdab"
DELETED = "3ce9f660115045bdad671aec7ff70fc9"

MESSAGES = 30000

# Hands in so many messages on the local socket, on some sessions, without waiting for each reply.
SUBMITTER = """
import socket, sys, threading
count, sessions = int(sys.argv[1]), 8
message = b"Subject: flood\\r\\n\\r\\nhello\\r\\n"
one = b"MAIL FROM:<a@example.org>\\r\\nRCPT TO:<b@example.net>\\r\\nBDAT %d LAST\\r\\n%s" % (len(message), message)
def submit(number):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/run/postern/submit")
        replies = client.makefile("rb")
        def next_code():
            while (line := replies.readline())[3:4] == b"-":
                pass
            return line[:3]
        client.sendall(b"EHLO me\\r\\n")
        assert [next_code(), next_code()] == [b"220", b"250"]
        for _ in range(0, number, 50):
            client.sendall(one * 50)
            assert [next_code() for _ in range(150)] == [b"250"] * 150
threads = [threading.Thread(target=submit, args=(count // sessions,)) for _ in range(sessions)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def count_entries(machine, message_id):
    return int(machine.shell(f"journalctl --quiet --output=cat _SYSTEMD_UNIT=postern.service MESSAGE_ID={message_id} | wc -l"))


@pytest.fixture
def strict_journal(machine, cleanup):
    """The machine with a journal that drops what comes too fast, which in the other tests it does not, and has room for the
    rest."""
    machine.write("/run/systemd/journald.conf.d/zz-strict.conf",
                  "[Journal]\nRateLimitIntervalSec=30s\nRateLimitBurst=1000\nSystemMaxUse=1G\n")
    machine.run("systemctl", "restart", "systemd-journald")
    cleanup.callback(machine.shell, "rm /run/systemd/journald.conf.d/zz-strict.conf; systemctl restart systemd-journald")
    return machine


def test_no_entry_of_a_flood_is_dropped(strict_journal, gate, figure):
    machine = strict_journal
    gate.postern("pause")
    before = {message_id: count_entries(machine, message_id) for message_id in (QUEUED, HELD, RELEASED, DELETED)}
    with machine.journal.deaf():
        machine.run("python3", "-c", SUBMITTER, MESSAGES, user="alice")
        for action in (["hold"], ["release"], ["delete", "--yes"]):
            gate.postern(*action, "--all")
        written = {message_id: count_entries(machine, message_id) - n for message_id, n in before.items()}
    figure(f"entries of a flood that the journal has: {sum(written.values())} of {4 * MESSAGES}")
    assert written == dict.fromkeys(written, MESSAGES)
