# SPDX-License-Identifier: GPL-3.0-or-later
"""With nothing to do there is no process, and whoever comes while it ends is served all the same."""

import time

import pytest

import mail
from gate import CALLER
from machine import UNIT_STARTED, UNIT_SUCCEEDED
from receiver import PATIENCE_SECONDS
from relay import Lines

ASLEEP = "8e8cfff0e71e4873b255923390c70c72"

# Long enough that half of it more is no matter of a busy machine.
IDLE_SECONDS = 3

# Sends messages one after the other, over the local socket and over TCP in turn, each by a connection of its own.
# Prints "sent SUBJECT" once it was accepted; an error ends it.
CLIENT = """
import random, smtplib, socket, sys, time
name, count, longest_pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
chance = random.Random(name)
class Local(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        made = socket.socket(socket.AF_UNIX); made.settimeout(50); made.connect("/run/postern/submit"); return made
for number in range(count):
    subject = f"{name}-{number}"
    with (Local("local", timeout=50) if number % 2 else smtplib.SMTP("127.0.0.1", 25, timeout=50)) as session:
        session.sendmail("a@example.org", ["b@example.net"], f"Subject: {subject}\\r\\n\\r\\nhello\\r\\n")
    print(f"sent {subject}", flush=True)
    time.sleep(chance.random() * longest_pause)
"""


def run_all(*processes):
    """Waits for programs inside, as long as one of them prints something now and then; returns the lines that they printed,
    and fails with the errors of those that failed."""
    outputs, errors = [[Lines(stream) for stream in streams] for streams in
                       ([p.stdout for p in processes], [p.stderr for p in processes])]
    for output in outputs:
        while not output.ended:
            before = [other.mark() for other in outputs]
            output.wait_changed()
            assert output.ended or [other.mark() for other in outputs] != before, "nothing is printed any more"
    for process, error in zip(processes, errors):
        error.thread.join(PATIENCE_SECONDS)
        assert process.wait(PATIENCE_SECONDS) == 0, error.text()
        process.stdout.close()
        process.stderr.close()
    return [line for output in outputs for line in output.lines]


def start(gate, script, *arguments):
    return gate.machine.popen("python3", "-c", script, *arguments, stdout=-1, stderr=-1)


def test_it_ends_when_nothing_was_to_be_done_for_a_while(gate, receiver, figure):
    gate.send_to(receiver, Relay={"IdleExit": "500ms"})
    gate.sendmail()
    receiver.wait_messages(1)
    gate.wait(MESSAGE_ID=ASLEEP)
    gate.wait_unit(UNIT_SUCCEEDED)
    assert gate.state == "inactive"
    assert gate.machine.run("pgrep", "-u", "postern", check=False).stdout == ""
    assert gate.machine.show("postern.service", "NRestarts") == "0"
    figure("asleep, the relay has 0 processes and 0 bytes of memory")
    gate.sendmail()
    receiver.wait_messages(2)


def test_a_call_wakes_it(gate):
    gate.configure({"Relay": {"IdleExit": "300ms"}})
    for _ in range(3):
        since = gate.machine.journal.mark()
        assert gate.queue() == []
        gate.wait(MESSAGE_ID=ASLEEP, since=since)
        gate.wait_unit(UNIT_SUCCEEDED, since=since)


@pytest.mark.parametrize("commands", [["list"], ["check"], ["check --offline", "list"], ["remotes", "status"]], ids=" ".join)
def test_it_falls_asleep_when_its_time_has_passed_since_the_last_call(gate, receiver, commands):
    gate.send_to(receiver, Relay={"IdleExit": f"{IDLE_SECONDS}s"})
    gate.queue()
    since = gate.machine.journal.mark()
    for command in commands:
        began = time.monotonic()
        gate.postern(*command.split())
    ended = time.monotonic()
    asleep = int(gate.wait(MESSAGE_ID=ASLEEP, since=since)["__MONOTONIC_TIMESTAMP"]) / 1e6
    assert asleep >= began + IDLE_SECONDS
    assert asleep < ended + 1.5 * IDLE_SECONDS


def test_it_stays_with_mail_in_the_queue(gate, make_receiver):
    receiver = make_receiver(up=False)
    gate.send_to(receiver, Relay={"IdleExit": "100ms"}, Queue={"RetryFirst": "2s", "RetryLongest": "2s"})
    gate.sendmail()
    gate.wait("cannot be used")
    receiver.start()
    receiver.wait_messages(1)
    gate.wait(MESSAGE_ID=ASLEEP)
    assert len(gate.machine.journal.find(since=gate.began, UNIT="postern.service", MESSAGE_ID=UNIT_STARTED)) == 1


def test_it_stays_with_a_client_and_with_a_subscriber(gate):
    gate.configure({"Relay": {"IdleExit": "100ms"}})
    since = gate.machine.journal.mark()
    session = gate.machine.popen("python3", "-c", """
import socket, sys
s = socket.create_connection(("127.0.0.1", 25))
s.recv(999); print("greeted", flush=True); sys.stdin.read()
s.sendall(b"QUIT\\r\\n"); print(s.recv(999).decode(), flush=True)
""", stdin=-1, stdout=-1)
    assert session.stdout.readline() == "greeted\n"
    monitor = gate.machine.popen("postern", "monitor", stdout=-1, stderr=-1)
    gate.wait_subscribed()
    session.stdin.close()
    assert session.stdout.readline().startswith("221 ")
    session.wait(PATIENCE_SECONDS)
    session.stdout.close()
    gate.queue()
    assert not gate.find(MESSAGE_ID=ASLEEP, since=since)
    gate.machine.run("pkill", "-x", "postern")
    monitor.communicate(timeout=PATIENCE_SECONDS)
    gate.wait(MESSAGE_ID=ASLEEP, since=since)


def test_zero_means_never(gate):
    gate.configure({"Relay": {"IdleExit": "0"}})
    gate.queue()
    started = gate.machine.show("postern.service", "MainPID")
    # A relay that would end after 100 ms does so meanwhile.
    gate.configure({"Relay": {"IdleExit": "100ms"}})
    assert not gate.find(MESSAGE_ID=ASLEEP)
    assert gate.machine.show("postern.service", "MainPID") == started
    gate.machine.run("systemctl", "reload", "postern")
    gate.wait(MESSAGE_ID=ASLEEP)


@pytest.mark.parametrize("clients, each, pause", [(4, 120, 0.15), pytest.param(8, 500, 0.3, marks=pytest.mark.long)])
def test_whoever_comes_while_it_falls_asleep_is_served(gate, receiver, figure, clients, each, pause):
    gate.send_to(receiver, Relay={"IdleExit": "10ms"}, Delivery={"KeepConnection": "0"})
    calls = each // 3
    lines = run_all(start(gate, CALLER, calls, pause),
                    *[start(gate, CLIENT, f"client{n}", each, pause) for n in range(clients)])
    assert not [line for line in lines if line.startswith("failed ")]
    sent = [line.split()[1] for line in lines if line.startswith("sent ")]
    assert len(sent) == clients * each + calls and lines.count("called") == calls
    receiver.wait_messages(len(sent))
    gate.wait_until_asleep()
    assert mail.subjects(receiver.messages) == sorted(sent)
    sleeps = len(gate.find(MESSAGE_ID=ASLEEP))
    assert sleeps > each / 20
    assert gate.machine.state("postern.socket") == "active"
    figure(f"{clients * each} connections and {2 * calls} calls while the relay fell asleep {sleeps} times: all served, "
           f"{len(receiver.messages)} messages received, none lost, none twice")


# The first byte of the greeting, after a connection to a relay that sleeps.
LATENCY = """
import socket, time
begin = time.monotonic()
s = socket.create_connection(("127.0.0.1", 25)); s.settimeout(50); s.recv(1)
print(time.monotonic() - begin)
"""


def test_how_long_the_first_client_waits(gate, figure):
    gate.configure({"Relay": {"IdleExit": "50ms"}})
    times = []
    for _ in range(10):
        since = gate.machine.journal.mark()
        times.append(float(gate.machine.run("python3", "-c", LATENCY).stdout))
        gate.wait_unit(UNIT_SUCCEEDED, since=since)
    times.sort()
    figure(f"first byte of the greeting from a sleeping relay: {times[5] * 1000:.0f} ms (median of 10, "
           f"{times[0] * 1000:.0f} to {times[-1] * 1000:.0f})")
    assert times[5] < 5
