# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other units do, and what units/README.md says can be done with them."""

import mail

PASSWORD = "a password that nobody guesses"


def test_an_encrypted_password_is_handed_over(gate, make_receiver):
    receiver = make_receiver(users={"me@example.org": PASSWORD})
    gate.machine.run("systemd-creds", "encrypt", "--name=smarthost", "-", "/etc/postern/smarthost.cred", input=PASSWORD)
    assert PASSWORD not in gate.machine.shell("cat /etc/postern/smarthost.cred")
    gate.drop_in("[Service]\nLoadCredentialEncrypted=smarthost:/etc/postern/smarthost.cred\n")
    gate.send_to(receiver, Smarthost={"User": "me@example.org", "PasswordCredential": "smarthost", "AuthWithoutTLS": "yes"})
    gate.sendmail()
    assert receiver.wait_messages(1)[0].user == "me@example.org"
    gate.machine.run("rm", "/etc/postern/smarthost.cred")


def test_the_failure_of_a_unit_is_mailed_to_root(gate, receiver):
    gate.send_to(receiver, Relay={"AdminAddress": "admin@example.net"})
    gate.machine.write("/run/systemd/system/backup.service", """
[Unit]
Description=A backup that fails
OnFailure=postern-failure@%n.service
[Service]
Type=oneshot
ExecStart=sh -c 'echo the tape is full; exit 3'
""")
    gate.machine.run("systemctl", "daemon-reload")
    assert gate.machine.run("systemctl", "start", "backup.service", check=False).returncode != 0
    received = receiver.wait_messages(1)[0]
    assert received.recipients == ["admin@example.net"]
    message = mail.parse(received)
    text = message.get_content()
    assert "backup.service has failed" in message["Subject"]
    assert "A backup that fails" in text and "the tape is full" in text and "status=3" in text


def test_submission_from_the_network_is_for_those_who_want_it(gate):
    gate.machine.run("systemctl", "stop", "postern.service")
    assert ":587" not in gate.machine.run("ss", "-Hlnt").stdout
    gate.machine.run("systemctl", "enable", "--now", "postern-submission.socket")
    try:
        listening = gate.machine.run("ss", "-Hlnt").stdout
        assert ":587 " in listening and ":465 " in listening
        greeting = gate.machine.run("python3", "-c", """
import socket
s = socket.create_connection(("127.0.0.1", 587)); s.settimeout(50); print(s.recv(3).decode())""").stdout
        assert greeting == "220\n"
    finally:
        gate.machine.run("systemctl", "disable", "--now", "postern-submission.socket")


def test_presets(gate):
    gate.machine.run("systemctl", "preset", "postern.socket", "postern-submission.socket")
    enabled = gate.machine.run("systemctl", "is-enabled", "postern.socket", "postern-submission.socket", check=False)
    assert enabled.stdout.split() == ["enabled", "disabled"]


def test_no_unit_has_a_line_that_systemd_does_not_understand(gate):
    units = [f"/usr/lib/systemd/system/{name}" for name in
             ("postern.service", "postern.socket", "postern-submission.socket", "postern-failure@.service",
              "postern-wake.service", "postern-end.service")]
    checked = gate.machine.run("systemd-analyze", "verify", "--man=no", *units, check=False)
    assert [line for line in checked.stderr.splitlines() if "postern" in line] == []
