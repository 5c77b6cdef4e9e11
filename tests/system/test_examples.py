# SPDX-License-Identifier: GPL-3.0-or-later
"""What README.md and units/README.md tell an administrator to type, typed."""

import pytest

from examples import of_markdown
from gate import CONFIGURATION
from network import WORLD_ADDRESS

PASSWORD = "a password that nobody guesses"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"  # the system's


@pytest.fixture(scope="module")
def example_certificate(certificates):
    return certificates.make_server("example", "smtp.example.org", "DNS:smtp.example.org")


@pytest.fixture
def provider(gate, make_receiver, certificates, example_certificate, cleanup):
    """The provider of the examples, smtp.example.org, on the port that providers have."""
    machine = gate.machine
    machine.write(AUTHORITIES, certificates.authority[0].read_text(encoding="ascii"))
    machine.shell(f"cp /etc/hosts /etc/hosts.before && echo {WORLD_ADDRESS} smtp.example.org >>/etc/hosts")
    cleanup.callback(machine.shell, f"cat /etc/hosts.before >/etc/hosts && rm {AUTHORITIES}")
    return make_receiver(tls="starttls", require_tls=True, certificate=example_certificate, port=587,
                         users={"me@example.org": PASSWORD})


def test_set_up_by_hand(gate, provider):
    configuration, password, send = of_markdown("README.md", "By hand")[:3]
    gate.machine.write(CONFIGURATION, configuration)
    gate.machine.shell(password, input=PASSWORD + "\n")
    gate.machine.shell(send)
    message = provider.wait_messages(1)[0]
    assert message.tls and message.user == "me@example.org"
    assert message.recipients == ["you@example.org"] and b"Subject: it works" in message.content


def test_an_encrypted_password(gate, provider, cleanup):
    encrypt, edit = of_markdown("units/README.md", "Credentials")[2].split("systemctl edit postern.service\n")
    gate.machine.write(CONFIGURATION, of_markdown("README.md", "By hand")[0])
    gate.machine.shell(encrypt, input=PASSWORD)
    cleanup.callback(gate.machine.run, "rm", "/etc/postern/smarthost.cred")
    gate.drop_in(edit.replace("    ", ""))
    gate.sendmail()
    assert provider.wait_messages(1)[0].user == "me@example.org"


def test_after_a_disk_died(gate, make_receiver, cleanup):
    (commands,) = of_markdown("README.md", "After a disk died")
    receiver = make_receiver(up=False)
    gate.send_to(receiver)
    gate.sendmail()
    gate.wait("cannot be used")
    cleanup.callback(gate.machine.run, "rm", "-rf", "/mnt/new", "/var/lib/postern.old")
    gate.machine.run("mkdir", "-p", "/mnt/new")
    gate.machine.shell(commands)
    receiver.start()
    gate.postern("status")  # wakes it
    receiver.wait_messages(1)


def test_mail_from_other_machines(gate, cleanup):
    (commands,) = of_markdown("units/README.md", "Mail from other machines")
    cleanup.callback(gate.machine.run, "systemctl", "disable", "--now", "postern-submission.socket")
    gate.machine.shell(commands)
    assert gate.machine.state("postern-submission.socket") == "active"
