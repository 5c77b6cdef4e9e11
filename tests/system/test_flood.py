# SPDX-License-Identifier: GPL-3.0-or-later
"""What one user does in excess, and what others notice of it: nothing."""

import ast
import subprocess

import pytest

import mail
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


# Holds as many sessions of the local socket and of TCP as it gets, half of each, sends an octet in each from time to time, and
# prints how many greetings were of which kind.
HOLDER = """
import collections, resource, socket, sys, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
greetings = collections.Counter()
clients = []
for number in range(int(sys.argv[1])):
    if number % 2:
        client = socket.create_connection(("127.0.0.1", 25))
    else:
        client = socket.socket(socket.AF_UNIX)
        client.connect("/run/postern/submit")
    try:
        greetings[client.recv(100)[:3].decode()] += 1
    except ConnectionError:
        greetings["reset"] += 1
    clients.append(client)
print(dict(greetings), flush=True)
pause = threading.Event()
while not pause.wait(0.5):
    for client in clients:
        try:
            client.send(b"x")
        except OSError:
            pass
"""


BY_TCP = """
import smtplib, sys
with smtplib.SMTP("127.0.0.1", 25) as relay:
    relay.sendmail("bob@example.org", ["you@example.net"], f"Subject: {sys.argv[1]}\\r\\n\\r\\nhello\\r\\n")
"""

GREETING = """
import socket
print(socket.create_connection(("::1", 25)).recv(200).decode())
"""


@pytest.fixture
def flooded(gate, receiver, cleanup):
    """The gate while alice holds all the sessions that she can get."""
    gate.send_to(receiver, Relay={"Domain": "example.org"})
    holder = gate.machine.popen("python3", "-c", HOLDER, "3000", user="alice", stdout=subprocess.PIPE)
    cleanup.callback(holder.wait)
    cleanup.callback(gate.machine.run, "pkill", "-u", "alice", "-x", "python3", check=False)
    gate.held = ast.literal_eval(holder.stdout.readline())
    return gate


def test_a_user_who_takes_all_sessions_costs_the_others_nothing(flooded, receiver, figure):
    gate, machine = flooded, flooded.machine
    figure(f"of 3000 sessions that a user opens: {gate.held}")
    assert gate.held["220"] == 1024
    taken = gate.wait("user 1001 has 1024 of 2048 sessions")
    assert taken["POSTERN_SUBMITTER_UID"] == "1001"

    for number in range(20):
        gate.sendmail(text=f"Subject: local {number}\n\nhello\n", user="bob")
        machine.run("python3", "-c", BY_TCP, f"tcp {number}", user="bob")
    gate.sendmail(text="Subject: of root\n\nhello\n")
    wanted = {f"{way} {number}" for way in ("local", "tcp") for number in range(20)} | {"of root"}
    assert set(mail.subjects(receiver.wait_messages(41))) == wanted
    assert gate.state == "active"

    # She is told why, and only she.
    refused = machine.run("python3", "-c", GREETING, user="alice")
    assert refused.stdout.startswith("421 4.7.0 ") and "too many sessions" in refused.stdout


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_mail_over_tcp_belongs_to_its_user(gate, host):
    gate.configure({"Relay": {"Domain": "example.org"}, "Queue": {"MaxUserMessages": 1}})
    program = BY_TCP.replace("127.0.0.1", host)
    gate.machine.run("python3", "-c", program, "of bob", user="bob")
    gate.machine.run("python3", "-c", BY_TCP, "of alice", user="alice")
    (own,) = gate.queue(user="bob")
    assert own["user"] == 1002 and len(gate.queue()) == 2
    refused = gate.machine.run("python3", "-c", program, "too many", user="bob", check=False)
    assert "user 1002 has 1 messages in the queue" in refused.stderr

    # What is bob's he may steer, and alice's he may not.
    other = next(message for message in gate.queue() if message["user"] == 1001)
    assert gate.postern("delete", other["id"], user="bob", check=False).returncode != 0
    gate.postern("delete", own["id"], user="bob")
    assert [message["user"] for message in gate.queue()] == [1001]
