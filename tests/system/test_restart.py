# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay is restarted, crashes, and cannot start: nobody who connects is refused, and no message is lost or doubled."""

import threading

import mail
import pytest
from gate import CALLER
from machine import UNIT_RELOADED, UNIT_STARTED
from receiver import PATIENCE_SECONDS

# Sends messages one after the other, over the local socket and over TCP in turn. A session that the relay ends with
# 421, or whose connection it closes before the message was accepted, is begun anew, as mail programs do; a connection
# that is refused is an error. Prints "sent SUBJECT" or "again".
CLIENT = """
import smtplib, socket, sys
name, count = sys.argv[1], int(sys.argv[2])
class Local(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        made = socket.socket(socket.AF_UNIX); made.settimeout(50); made.connect("/run/postern/submit"); return made
def send(number, subject):
    session = Local(timeout=50) if number % 2 else smtplib.SMTP(timeout=50)
    code, _ = session.connect("local" if number % 2 else "127.0.0.1", 25)  # ConnectionRefusedError ends the program
    try:
        if code != 220:
            return False
        session.sendmail("a@example.org", ["b@example.net"], f"Subject: {subject}\\r\\n\\r\\nhello\\r\\n")
        return True
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        code = getattr(error, "smtp_code", 421)
        assert code in (421, 451), error
        return False
    finally:
        session.close()
for number in range(count):
    while not send(number, f"{name}-{number}"):
        print("again", flush=True)
    print(f"sent {name}-{number}", flush=True)
"""


class Load:
    """Clients that send while something happens to the relay."""

    def __init__(self, machine, clients, each):
        self.expected = clients * each
        self.sent, self.again, self.errors = [], 0, []
        self.changed = threading.Condition()
        self.processes = [machine.popen("python3", "-c", CLIENT, f"client{n}", each, stdout=-1, stderr=-1)
                          for n in range(clients)]
        self.threads = [threading.Thread(target=self._read, args=(process,)) for process in self.processes]
        for thread in self.threads:
            thread.start()

    def _read(self, process):
        for line in process.stdout:
            with self.changed:
                if line.startswith("sent "):
                    self.sent.append(line.split()[1])
                else:
                    self.again += 1
                self.changed.notify_all()
        errors = process.stderr.read()
        with self.changed:
            self.errors += [errors] if process.wait() else []
            self.changed.notify_all()
        process.stdout.close()
        process.stderr.close()

    def wait_sent(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: self.errors or len(self.sent) >= count, 2 * PATIENCE_SECONDS)
            assert not self.errors, self.errors[0]

    def finish(self):
        self.wait_sent(self.expected)
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)
        assert not self.errors, self.errors[0]


@pytest.mark.parametrize("clients, each, restarts", [(4, 200, 5), pytest.param(8, 2000, 40, marks=pytest.mark.long)])
def test_restarts_under_load_refuse_lose_and_double_nothing(gate, receiver, figure, clients, each, restarts):
    gate.send_to(receiver)
    load = Load(gate.machine, clients, each)
    for number in range(restarts):
        load.wait_sent((number + 1) * clients * each // (restarts + 2))
        gate.machine.run("systemctl", "restart", "postern.service")
    load.finish()
    receiver.wait_messages(load.expected)
    gate.wait_empty()
    assert mail.subjects(receiver.messages) == sorted(load.sent)
    assert len(gate.machine.journal.find(since=gate.began, UNIT="postern.service", MESSAGE_ID=UNIT_STARTED)) > restarts
    figure(f"{restarts} restarts while {clients} clients sent {load.expected} messages: 0 connections refused, "
           f"{load.again} sessions told to come again, {len(receiver.messages)} received, none lost, none twice")


def test_a_relay_that_crashes_again_and_again_keeps_its_sockets(gate, receiver, figure):
    gate.send_to(receiver)
    gate.drop_in("[Service]\nRestartSec=100ms\n")
    gate.sendmail()
    receiver.wait_messages(1)
    load = Load(gate.machine, 2, 60)
    kills = 12
    for number in range(kills):
        load.wait_sent(number * 5)
        since = gate.machine.journal.mark()
        gate.machine.run("systemctl", "kill", "--signal=KILL", "postern.service")
        gate.machine.journal.wait(since=since, UNIT="postern.service", MESSAGE_ID=UNIT_STARTED)
    load.finish()
    receiver.wait_for(lambda r: set(mail.subjects(r.messages)) >= set(load.sent))
    assert gate.machine.state("postern.socket") == "active"
    twice = len(receiver.messages) - len(set(mail.subjects(receiver.messages)))
    figure(f"{kills} crashes in a row: 0 connections refused, {load.expected} messages accepted, none lost, {twice} twice")


BAD = "[Relay]\nHostName=bad.example.org\n[Smarthost]\nHots=mail.example.org\n"
PROBLEM = "/etc/postern/postern.conf:4: [Smarthost] Hots="


def status_line(gate):
    status = gate.machine.run("systemctl", "status", "postern", check=False).stdout
    return next((line for line in status.splitlines() if line.lstrip().startswith("Status:")), status)


def test_with_a_bad_configuration_mail_is_taken_and_waits_for_a_good_one(gate, receiver):
    gate.configure(BAD)
    gate.sendmail(text="Subject: patient\n\nhello\n", user="alice")
    line = status_line(gate)
    assert PROBLEM in line and "mail is taken in and waits" in line and "systemctl reload postern" in line
    (message,) = gate.queue(user="alice")
    assert PROBLEM in gate.postern("show", message["id"], user="alice").stdout
    assert PROBLEM in gate.postern("status", user="alice").stdout
    gate.send_to(receiver)
    gate.machine.run("systemctl", "restart", "postern")
    assert mail.subjects(receiver.wait_messages(1)) == ["patient"]


def test_a_restart_with_a_bad_configuration_goes_by_the_last_good_one(gate, receiver):
    gate.send_to(receiver)
    gate.machine.run("systemctl", "start", "postern")
    gate.configure(BAD)
    gate.machine.run("systemctl", "restart", "postern")
    gate.sendmail(text="Subject: as before\n\nhello\n", user="alice")
    assert mail.subjects(receiver.wait_messages(1)) == ["as before"]
    line = status_line(gate)
    assert PROBLEM in line and "the last good one is in force" in line
    gate.wait("the configuration is bad; the last good one is in force")


def test_a_reload_with_a_bad_configuration_fails(gate, receiver):
    gate.send_to(receiver)
    gate.machine.run("systemctl", "start", "postern")
    gate.machine.run("systemctl", "reload", "postern")
    gate.configure(BAD)
    done = gate.machine.run("systemctl", "reload", "postern", check=False)
    assert done.returncode != 0
    assert gate.state == "active"
    line = status_line(gate)
    assert PROBLEM in line and "the last good one is in force" in line
    gate.sendmail(text="Subject: as before\n\nhello\n")
    assert mail.subjects(receiver.wait_messages(1)) == ["as before"]
    gate.send_to(receiver)
    gate.machine.run("systemctl", "reload", "postern")
    assert "bad configuration" not in status_line(gate)


def test_reload_keeps_sessions(gate, receiver):
    gate.send_to(receiver)
    session = gate.machine.popen("python3", "-c", """
import smtplib, sys
session = smtplib.SMTP("127.0.0.1", 25)
session.ehlo()
session.mail("a@example.org")
print("begun", flush=True)
sys.stdin.readline()
session.rcpt("b@example.net")
print(session.data(b"Subject: kept\\r\\n\\r\\nhello\\r\\n")[0], flush=True)
""", stdin=-1, stdout=-1)
    assert session.stdout.readline() == "begun\n"
    gate.machine.run("systemctl", "reload", "postern")
    gate.wait_unit(UNIT_RELOADED)
    session.stdin.write("go on\n")
    session.stdin.close()
    assert session.stdout.readline() == "250\n"
    session.wait(PATIENCE_SECONDS)
    session.stdout.close()
    assert mail.subjects(receiver.wait_messages(1)) == ["kept"]


def test_a_relay_that_hangs_is_started_anew(gate, receiver):
    gate.send_to(receiver)
    gate.drop_in("[Service]\nWatchdogSec=5s\nRestartSec=100ms\n")  # a busy machine is no relay that hangs
    gate.postern("status")
    gate.machine.run("systemctl", "kill", "--signal=STOP", "postern.service")
    gate.machine.journal.wait("Watchdog timeout", since=gate.began, UNIT="postern.service")
    gate.sendmail()
    receiver.wait_messages(1)


# Runs commands one after the other until its input ends; prints "done", or what a command that failed said.
COMMANDS = """
import select, subprocess, sys
while not select.select([sys.stdin], [], [], 0)[0]:
    for command in ["postern", "list", "--json"], ["postern", "status"], ["postern", "retry", "--all"]:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        print("done" if done.returncode == 0 else f"failed {done.returncode} {command}: {done.stderr.strip()}", flush=True)
"""


@pytest.mark.parametrize("calls", [25, pytest.param(150, marks=pytest.mark.long)])
def test_calls_during_restarts_are_answered(gate, receiver, figure, calls):
    gate.send_to(receiver)
    commands = gate.machine.popen("python3", "-c", COMMANDS, stdin=-1, stdout=-1, stderr=-1)
    caller = gate.machine.popen("python3", "-c", CALLER, calls, 0.02, stdout=-1, stderr=-1)
    restarts = 0
    while caller.poll() is None:
        gate.machine.run("systemctl", "restart", "postern.service")
        restarts += 1
    called, caller_errors = caller.communicate()
    commanded, commands_errors = commands.communicate("end\n", timeout=2 * PATIENCE_SECONDS)
    assert caller.returncode == 0 and commands.returncode == 0, caller_errors + commands_errors
    assert [line for line in called.splitlines() + commanded.splitlines() if line.startswith("failed")] == []
    sent = [line.split()[1] for line in called.splitlines() if line.startswith("sent ")]
    assert len(sent) == calls
    receiver.wait_messages(calls)
    assert mail.subjects(receiver.messages) == sorted(sent)
    figure(f"{restarts} restarts, one after the other: {2 * calls} calls and {len(commanded.splitlines())} commands answered, "
           f"none failed; {calls} messages submitted, none lost, none twice")
