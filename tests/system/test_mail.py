# SPDX-License-Identifier: GPL-3.0-or-later
"""A message's way from a program on the machine to a host in the world."""

import mail
from machine import UNIT_RELOADED, UNIT_STOPPED
from network import WORLD_NAME

PASSWORD = "a password that nobody guesses"


def test_sockets_listen_and_the_relay_sleeps(gate):
    listening = gate.machine.run("ss", "-Hlntx").stdout
    for place in ("/run/postern/submit", "127.0.0.1:25", "[::1]:25"):
        assert f"{place} " in listening
    assert gate.machine.state("postern.socket") == "active"
    assert gate.state == "inactive"
    assert gate.machine.state("postern-submission.socket") == "inactive"
    assert gate.machine.run("pgrep", "posternd", check=False).returncode == 1


def test_a_message_wakes_the_relay_and_leaves_with_tls_and_a_login(gate, make_receiver, certificates):
    receiver = make_receiver(tls="starttls", require_tls=True, certificate=certificates.world,
                             users={"me@example.org": PASSWORD})
    gate.machine.write("/etc/postern/authority.pem", certificates.authority[0].read_text(encoding="ascii"))
    gate.machine.write("/etc/postern/credentials/smarthost", PASSWORD + "\n", mode=0o600)
    gate.send_to(receiver, Smarthost={"Host": WORLD_NAME, "User": "me@example.org", "PasswordCredential": "smarthost",
                                      "TrustFile": "/etc/postern/authority.pem"})
    gate.sendmail("you@example.net", user="alice")
    message = receiver.wait_messages(1)[0]
    assert message.tls and message.user == "me@example.org"
    assert message.sender == "alice@gate.example.org" and message.recipients == ["you@example.net"]
    assert mail.parse(message)["Subject"] == "test"
    assert gate.state == "active"
    secrets = gate.machine.shell("grep -rlF 'nobody guesses' /var/lib/postern /var/log /run/postern || true")
    assert secrets == ""


def test_smtp_on_loopback_goes_the_same_way(gate, receiver):
    gate.send_to(receiver)
    gate.machine.run("python3", "-c", """
import smtplib
for host in "127.0.0.1", "::1":
    with smtplib.SMTP(host, 25) as session:
        session.sendmail("a@example.org", ["b@example.net"], f"Subject: by {host}\\r\\n\\r\\nhello\\r\\n")
""")
    assert sorted(mail.subjects(receiver.wait_messages(2))) == ["by 127.0.0.1", "by ::1"]


def test_reload_reads_the_configuration(gate, make_receiver):
    first, second = make_receiver(), make_receiver()
    gate.send_to(first)
    gate.sendmail()
    first.wait_messages(1)
    started = gate.machine.show("postern.service", "MainPID")
    gate.send_to(second)
    gate.machine.run("systemctl", "reload", "postern")
    gate.wait_unit(UNIT_RELOADED)
    gate.sendmail()
    second.wait_messages(1)
    assert gate.machine.show("postern.service", "MainPID") == started


def test_restart_keeps_the_queue(gate, make_receiver):
    receiver = make_receiver(up=False)
    gate.send_to(receiver)
    gate.sendmail()
    gate.wait("cannot be used")
    gate.machine.run("systemctl", "restart", "postern")
    gate.wait("going on with 1 message")
    receiver.start()
    gate.postern("retry", "--all")
    receiver.wait_messages(1)


def test_stop_ends_the_relay_and_the_next_message_wakes_it(gate, receiver):
    gate.send_to(receiver)
    gate.sendmail()
    receiver.wait_messages(1)
    gate.machine.run("systemctl", "stop", "postern.service")
    gate.wait_unit(UNIT_STOPPED)
    assert gate.state == "inactive" and gate.machine.show("postern.service", "Result") == "success"
    gate.sendmail()
    receiver.wait_messages(2)
