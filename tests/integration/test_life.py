# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's life: start, bad configuration, reload, stop, crash, and systemd's sockets."""

import os
import pwd
import random
import re
import signal
import smtplib
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

import mail
from receiver import PATIENCE_SECONDS, reserve
from relay import LocalSMTP, POSTERND, environment, for_everybody

NOBODY = pwd.getpwnam("nobody").pw_uid


# ---- starting ----


def test_version_and_help():
    version = subprocess.run([POSTERND, "--version"], capture_output=True, text=True, env=environment(), check=True)
    assert "posternd 0." in version.stdout
    usage = subprocess.run([POSTERND, "--help"], capture_output=True, text=True, env=environment(), check=True)
    for option in ("--config", "--state-directory", "--bus", "--listen"):
        assert option in usage.stdout
    wrong = subprocess.run([POSTERND, "--nonsense"], capture_output=True, text=True, env=environment(), check=False)
    assert wrong.returncode != 0
    assert "--nonsense" in wrong.stderr


@pytest.mark.parametrize("text, words", [
    ("[Relay]\nHostname=a.example.org\n", ["[Relay]", "Hostname", "HostName"]),
    ("[Rely]\nHostName=a.example.org\n", ["[Rely]"]),
    ("[Relay]\nHostName=not a name\n", ["[Relay]", "HostName", "expected"]),
    ("[Server]\nMaxRecipients=many\n", ["[Server]", "MaxRecipients=many", "expected", "number"]),
    ("[Server]\nMaxMessageSize=12X\n", ["[Server]", "MaxMessageSize=12X", "expected", "64M"]),
    ("[Server]\nIdleTimeout=soon\n", ["[Server]", "IdleTimeout=soon", "expected", "5min"]),
    ("[Server]\nTrustedNetworks=10.0.0.0/33\n", ["[Server]", "TrustedNetworks", "10.0.0.0/33"]),
    ("[Server]\nTLSCertificate=/nowhere.pem\nTLSKey=/nowhere.key\n", ["TLSCertificate", "/nowhere.pem"]),
    ("[Smarthost]\nHost=h.example.org\nTLS=yes\n", ["[Smarthost]", "TLS=yes", "starttls"]),
    ("[Smarthost]\nHost=h.example.org\nVerify=perhaps\n", ["[Smarthost]", "Verify=perhaps", "yes or no"]),
    ("[Smarthost]\nHost=h.example.org\nPort=70000\n", ["[Smarthost]", "Port=70000"]),
    ("[Smarthost]\nTLS=none\n", ["[Smarthost]", "Host"]),
    ("[Smarthost]\nHost=h.example.org\nUser=u\nPasswordFile=/nowhere\n", ["[Smarthost]", "PasswordFile", "No such file"]),
    ("[Smarthost]\nHost=h.example.org\nUser=u\nPasswordCredential=none\n", ["[Smarthost]", "PasswordCredential"]),
    ("no key file at all\n", ["postern.conf"]),
])
def test_a_bad_configuration_at_the_start_is_told_in_words(make_relay, text, words):
    relay = make_relay(configuration=text, bus="none")
    told = relay.log_text()
    for word in [str(relay.configuration_file), *words]:
        assert word in told, told


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
@pytest.mark.parametrize("place", ["", "queue", "queue/lock"])
def test_a_state_directory_of_somebody_elses_is_told_with_what_to_do(cleanup, place):
    folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="postern-test-")))
    folder.chmod(0o755)
    (folder / "postern.conf").touch()
    (folder / "postern.conf").chmod(0o644)
    state = folder / "state"
    (state / "queue").mkdir(parents=True)
    (state / "queue" / "lock").touch()
    subprocess.run(["chown", "-R", "nobody", state], check=True)
    theirs = state / place
    os.chown(theirs, 0, 0)
    theirs.chmod(0o700 if theirs.is_dir() else 0o600)
    done = subprocess.run([for_everybody(POSTERND), f"--config={folder}/postern.conf",
                           f"--state-directory={state}", "--bus=none"],
                          user="nobody", group="nogroup", extra_groups=[], capture_output=True, text=True,
                          env=environment(HOME="/"), check=False)
    assert done.returncode == 1
    assert f"{theirs} is not for this process to use: it belongs to user 0" in done.stderr
    assert f"chown -R {NOBODY} {theirs}" in done.stderr


def test_all_errors_of_a_configuration_are_told_at_once(make_relay):
    relay = make_relay(configuration="[Relay]\nDomian=x\n[Queue]\nLifetime=long\n", start=False)
    drop_ins = relay.folder / "postern.conf.d"
    drop_ins.mkdir()
    (drop_ins / "10-more.conf").write_text("[Delivery]\nConnectTimeout=-1\n", encoding="utf-8")
    relay.start()
    told = relay.log_text()
    assert f"{relay.configuration_file}:2: [Relay] Domian=" in told
    assert f"{relay.configuration_file}:4: [Queue] Lifetime=long" in told
    assert f"{drop_ins}/10-more.conf:2: [Delivery] ConnectTimeout=-1" in told


def test_systemctl_status_shows_in_a_line_what_is_wrong(make_relay):
    relay = make_relay(configuration="[Relay]\nDomian=x\n[Queue]\nLifetime=long\n")
    (status,) = [line for line in relay.notifications.lines if line.startswith("STATUS=")]
    assert status.startswith(f"STATUS=bad configuration: {relay.configuration_file}:2: [Relay] Domian")
    assert "and 1 more" in status and "mail is taken in and waits" in status and "systemctl reload postern" in status

    relay.configure("")
    relay.restart()
    second = make_relay(start=False, state=relay.state)
    second.spawn()
    assert second.wait_exit() == 1
    (status,) = [line for line in second.notifications.lines if line.startswith("STATUS=")]
    assert str(relay.state) in status and "systemctl restart postern" in status


def test_a_configuration_that_cannot_be_read(make_relay):
    relay = make_relay(start=False)
    relay.configuration_file.unlink()
    relay.start()
    assert f"{relay.configuration_file}: cannot be read" in relay.log_text()


def test_drop_ins_override_in_the_order_of_their_names(make_relay):
    relay = make_relay(start=False)
    drop_ins = relay.folder / "postern.conf.d"
    drop_ins.mkdir()
    (drop_ins / "20-b.conf").write_text("[Relay]\nHostName=twenty.example.org\n", encoding="utf-8")
    (drop_ins / "10-a.conf").write_text("[Relay]\nHostName=ten.example.org\n", encoding="utf-8")
    (drop_ins / "30-c.conf.bak").write_text("[Relay]\nHostName=thirty.example.org\n", encoding="utf-8")
    relay.start()
    with relay.raw() as session:
        assert session.greeting.startswith("220 twenty.example.org ")


def test_a_second_daemon_on_the_same_queue_says_so(make_relay, relay):
    second = make_relay(start=False, bus="none")
    second.arguments = [a.replace(str(second.state), str(relay.state)) for a in second.arguments]
    second.spawn()
    assert second.wait_exit() == 1
    assert str(relay.state) in second.log_text()
    assert "another" in second.log_text()
    relay.send()


def test_an_address_that_is_taken(make_relay, relay):
    second = make_relay(start=False, smtp=("{}:{}".format(*relay.address),))
    second.spawn()
    assert second.wait_exit() == 1
    assert "{}:{}".format(*relay.address) in second.log_text()


def test_mail_goes_on_without_a_bus(make_relay, receiver):
    relay = make_relay(receiver, bus="unix:path=/nowhere/bus")
    relay.wait_line("warning: .*/nowhere/bus")
    relay.send()
    receiver.wait_messages(1)
    assert relay.postern("status", status=5).returncode == 5


# ---- reloading ----


def test_a_reload_takes_the_new_configuration(make_relay, make_receiver):
    first, second = make_receiver(), make_receiver()
    relay = make_relay(first)
    relay.send(message=mail.text("one"))
    first.wait_messages(1)
    with relay.raw() as session:
        relay.configure(f"[Relay]\nHostName=new.example.org\n[Smarthost]\nHost=127.0.0.1\nPort={second.port}\nTLS=none\n")
        relay.reload()
        assert session.ask("NOOP").startswith("250"), "a reload keeps sessions"
    relay.send(message=mail.text("two"))
    assert mail.subjects(second.wait_messages(1)) == ["two"]
    with relay.raw() as session:
        assert session.greeting.startswith("220 new.example.org ")


def test_a_bad_configuration_changes_nothing_in_a_running_daemon(relay, receiver):
    good = relay.configuration_file.read_text(encoding="utf-8")
    relay.configure(good + "\n[Queue]\nLifetme=5d\n")
    relay.reload()
    relay.wait_line(r"postern\.conf.*\[Queue\].*Lifetme")
    relay.send()
    receiver.wait_messages(1)
    told = relay.postern("reload", status=None)
    assert told.returncode != 0
    assert "Lifetme" in told.stderr
    relay.configure(good)
    relay.postern("reload")


# ---- stopping ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_open_sessions_are_told(relay, number):
    with relay.raw() as idle, relay.raw() as within:
        assert within.ask("EHLO x").startswith("250")
        assert within.ask("MAIL FROM:<a@example.org>").startswith("250")
        relay.process.send_signal(number)
        assert idle.reply().startswith("421 4.3.2")
        assert within.reply().startswith("421 4.3.2")
        assert idle.reply() == ""
    relay.notifications.wait("STOPPING=1")
    assert relay.wait_exit() == 0
    relay.check_faults()


def test_a_delivery_under_way_is_finished(relay, receiver):
    gate = threading.Event()
    receiver.on("END", gate)
    relay.send()
    receiver.wait_for(lambda r: r.rules[0].used)
    relay.process.terminate()
    relay.notifications.wait("STOPPING=1")
    gate.set()
    assert relay.wait_exit() == 0
    assert len(receiver.messages) == 1
    relay.start()
    assert not relay.queue()
    assert len(receiver.messages) == 1


def test_a_restart_continues(make_relay, make_receiver):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver)
    relay.send(message=mail.text("deferred"))
    relay.wait_line("cannot be used")
    relay.send(message=mail.text("held"))
    relay.postern("hold", "--all")
    relay.postern("release", relay.queue()[0]["id"])
    before = {m["id"]: m["state"] for m in relay.queue()}
    assert sorted(before.values()) == ["deferred", "held"]
    relay.restart()
    relay.wait_line("going on with 2 messages")
    assert {m["id"] for m in relay.queue()} == set(before)
    receiver.start()
    relay.postern("retry", "--all")
    assert mail.subjects(receiver.wait_messages(1)) == ["deferred"]
    relay.postern("release", "--all")
    assert mail.subjects(receiver.wait_messages(2)) == ["deferred", "held"]


def test_a_queue_that_takes_a_while_to_read_is_listed_and_delivered_whole(make_relay, make_receiver):
    """More lies there than is read before the daemon is ready; what is asked of it meanwhile is answered for all of it."""
    receiver = make_receiver(up=False)
    relay = make_relay(receiver)
    for number in range(3):
        relay.send(message=mail.text(f"old {number}", body="0123456789abcde\n" * 200_000))
    before = {m["id"] for m in relay.queue()}
    relay.kill9()
    relay.start()
    assert {m["id"] for m in relay.queue()} == before
    relay.send(message=mail.text("new"))
    relay.wait_line("going on with [34] messages")
    assert len(relay.queue()) == 4
    receiver.start()
    relay.postern("retry", "--all")
    receiver.wait_for(lambda r: len(r.messages) == 4)
    assert sorted(mail.subjects(receiver.messages)) == ["new", *(f"old {number}" for number in range(3))]
    relay.wait_empty()


# ---- kill -9 ----


def send_until_told(relay, subject, acknowledged, tried):
    """Sends one message, again and again until it is acknowledged, as a mail program would."""
    pause = threading.Event()
    while True:
        tried.append(subject)
        try:
            with LocalSMTP(relay.socket) as session:
                session.sendmail("a@example.org", "b@example.net", mail.text(subject))
            acknowledged.append(subject)
            return
        except (OSError, smtplib.SMTPException):
            pause.wait(0.02)


def test_kill_9_in_the_middle_of_200_messages(make_relay, make_receiver, figure):
    receiver = make_receiver()
    relay = make_relay(receiver)
    acknowledged, tried = [], []
    numbers = iter(range(200))
    lock = threading.Lock()

    def client():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            send_until_told(relay, f"number {number:03}", acknowledged, tried)

    clients = [threading.Thread(target=client) for _ in range(8)]
    for thread in clients:
        thread.start()
    kills = 0
    chance = random.Random(2)
    while any(thread.is_alive() for thread in clients):
        target = len(acknowledged) + chance.randrange(5, 40)
        while len(acknowledged) < target and any(thread.is_alive() for thread in clients):
            clients[0].join(0.001)
        if any(thread.is_alive() for thread in clients):
            relay.kill9()
            kills += 1
            relay.start()
    assert kills >= 3
    assert len(acknowledged) == 200
    receiver.wait_for(lambda r: set(mail.subjects(r.messages)) >= set(acknowledged))
    # Whatever a crash left unsaid is tried again: wait until nothing is left.
    relay.restart()
    relay.wait_empty()
    received = mail.subjects(receiver.messages)
    duplicates = len(received) - len(set(received))
    figure(f"{kills} times kill -9 among 200 messages: 200 acknowledged, {len(set(received))} of them received, "
           f"{duplicates} twice, {len(tried)} attempts by the clients")
    for message in receiver.messages:
        assert mail.parse(message)["Subject"].startswith("number ") and message.content.endswith(b"\r\nhello\r\n")


# ---- systemd ----


def activate(relay, *addresses, fdname=None):
    """Has systemd-socket-activate open the sockets: the first connection will start the daemon."""
    passed = [f"--setenv={name}" for name in ("NOTIFY_SOCKET", "G_DEBUG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS")]
    relay.command = ["systemd-socket-activate", *passed, *[f"--listen={address}" for address in addresses]]
    relay.command += [f"--fdname={fdname}"] if fdname else []
    relay.spawn()
    relay.wait_line("Listening on", count=len(addresses))


@pytest.fixture
def address(cleanup):
    """An address that nobody takes before systemd-socket-activate listens there."""
    return "{}:{}".format(*cleanup.enter_context(reserve()).getsockname())


def send_over(address):
    with smtplib.SMTP(*address.split(":")) as session:
        session.sendmail("a@example.org", "b@example.net", mail.text("tcp"))


def send_locally(relay):
    with relay.local_smtp() as session:
        session.sendmail("a@example.org", "b@example.net", mail.text("local"))


def test_the_first_connection_starts_it(make_relay, receiver, address):
    relay = make_relay(receiver, start=False, listen=False)
    activate(relay, relay.socket, address)
    assert not relay.log.find("listening for")
    send_locally(relay)
    send_over(address)
    assert mail.subjects(receiver.wait_messages(2)) == ["local", "tcp"]
    relay.wait_line("queued mail.*POSTERN_SUBMITTER_UID=")


def test_sockets_by_name(make_relay, receiver, address):
    relay = make_relay(receiver, {"Server": {"TrustedNetworks": "192.0.2.0/24"}}, start=False, listen=False)
    activate(relay, relay.socket, address, fdname="local:smtp")
    send_locally(relay)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send_over(address)
    assert mail.subjects(receiver.wait_messages(1)) == ["local"]


def test_a_unit_name_as_the_name_of_its_sockets(make_relay, receiver, address):
    relay = make_relay(receiver, start=False, listen=False)
    activate(relay, relay.socket, address, fdname="postern.socket:postern.socket")
    send_locally(relay)
    send_over(address)
    assert mail.subjects(receiver.wait_messages(2)) == ["local", "tcp"]


def test_the_service_manager_is_told(make_relay, receiver):
    relay = make_relay(receiver, variables={"WATCHDOG_USEC": 200_000})
    relay.notifications.wait("WATCHDOG=1")
    mark = relay.notifications.mark()
    relay.notifications.wait("WATCHDOG=1", mark)
    assert [line for line in relay.notifications.lines if line.startswith("STATUS=")]
    mark = relay.notifications.mark()
    relay.reload()
    told = relay.notifications.lines[mark:]
    assert told.index("RELOADING=1") < told.index("READY=1")
    assert [line for line in told if line.startswith("MONOTONIC_USEC=")]
    relay.stop()
    assert "STOPPING=1" in relay.notifications.lines


def mapped_kib(pid):
    """What the files take whose pages the process has mapped to read them, and how much of that is in its memory."""
    size = resident = 0
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if re.match("[0-9a-f]+-[0-9a-f]+$", words[0]):
            counts = words[1][1] == "-" and words[-1].startswith("/")
        elif counts and words[0] == "Size:":
            size += int(words[1])
        elif counts and words[0] == "Rss:":
            resident += int(words[1])
    return size, resident


def test_what_only_the_start_needed_is_given_back(relay, receiver, figure):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        size, resident = mapped_kib(relay.pid)
        if resident < size / 4:
            break
        assert time.monotonic() < deadline, (size, resident)
        time.sleep(0.1)
    figure(f"{resident / 1024:.1f} MiB of {size / 1024:.1f} MiB of code and tables in an idle relay's memory")
    relay.send()
    receiver.wait_messages(1)


def test_descriptors_are_not_lost(relay, receiver):
    def count():
        return len(os.listdir(f"/proc/{relay.pid}/fd"))

    relay.send()
    receiver.wait_messages(1)
    before = count()
    for _ in range(50):
        relay.send()
        with relay.raw() as session:
            session.ask("EHLO x")
    receiver.wait_messages(51)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while count() > before + 4:
        assert time.monotonic() < deadline, os.listdir(f"/proc/{relay.pid}/fd")
        time.sleep(0.01)  # nothing tells that a descriptor was closed
