# SPDX-License-Identifier: GPL-3.0-or-later
"""`postern setup` and `postern check` on a machine as an administrator has it: real units, bus, and credentials."""

import subprocess

import pytest

from network import WORLD_NAME

PASSWORD = "a password that nobody guesses"
AUTHORITY = "/etc/postern/authority.pem"


@pytest.fixture
def provider(gate, make_receiver, certificates):
    """A provider with TLS and a login, whose authority the machine has, and the password in root's home."""
    gate.machine.write(AUTHORITY, certificates.authority[0].read_text(encoding="ascii"))
    gate.machine.write("/root/password", PASSWORD + "\n", mode=0o600)
    return make_receiver(tls="starttls", require_tls=True, certificate=certificates.world,
                         users={"me@example.org": PASSWORD})


def set_up(gate, receiver, *arguments, **options):
    return gate.postern("setup", f"--smarthost={WORLD_NAME}:{receiver.port}", "--tls=starttls", f"--trust-file={AUTHORITY}",
                        "--user=me@example.org", "--password-file=/root/password", "--admin=me@example.org", *arguments,
                        **options)


def test_from_nothing_to_a_message_in_one_command(gate, provider):
    gate.machine.run("systemctl", "disable", "--now", "postern.socket")
    told = set_up(gate, provider, "--test=root").stdout
    message = provider.wait_messages(1)[0]
    assert message.user == "me@example.org" and message.recipients == ["me@example.org"]
    assert "It has gone out" in told
    assert gate.machine.run("systemctl", "is-enabled", "postern.socket").stdout.strip() == "enabled"
    assert gate.machine.run("stat", "-c", "%U:%G %a", "/etc/postern/credentials/smarthost").stdout == "root:root 600\n"
    assert gate.machine.run("cat", "/etc/postern/credentials/smarthost", user="postern", check=False).returncode != 0
    assert gate.machine.shell("grep -rlF 'nobody guesses' /etc/postern/postern.conf* /var/lib/postern /var/log || true") == ""


def test_a_new_password_counts_at_once(gate, provider):
    set_up(gate, provider, "--test=me@example.org")
    provider.users["me@example.org"] = "another"
    gate.machine.write("/root/password", "another\n", mode=0o600)
    assert "It has gone out" in set_up(gate, provider, "--test=me@example.org", "--force").stdout
    assert provider.logins[-1] == ("me@example.org", True)


def test_another_mail_system_on_the_port_is_told(gate, provider, cleanup):
    gate.machine.run("systemctl", "stop", "postern.socket", "postern.service")
    other = gate.machine.popen("python3", "-c", "import socket\n"
                               "s = socket.create_server(('127.0.0.1', 25)); print('up', flush=True); input()",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    cleanup.callback(other.communicate, "\n")
    assert other.stdout.readline() == "up\n"
    told = set_up(gate, provider, check=False)
    assert told.returncode == 1 and "another mail system listen on port 25" in told.stderr


def test_check_asks_the_relay_that_runs(gate, provider):
    set_up(gate, provider, "--test=me@example.org")
    assert gate.state == "active"
    assert "takes mail" in gate.postern("check").stdout
    gate.machine.run("rm", "/root/password")


def test_check_needs_no_relay_and_starts_none(gate, provider):
    set_up(gate, provider)
    gate.machine.run("systemctl", "stop", "postern.service")
    assert "takes mail" in gate.postern("check").stdout
    assert gate.state == "inactive"


def test_check_by_a_user_tells_no_secret_and_says_what_it_takes(gate, provider):
    set_up(gate, provider)
    gate.machine.run("systemctl", "stop", "postern.service")
    told = gate.postern("check", user="alice", check=False)
    assert told.returncode == 1 and "as root" in told.stderr and "no password can be read" in told.stdout
    assert not [login for login in provider.logins[1:]]


def test_check_by_a_user_asks_polkit_where_a_relay_runs(gate, provider):
    set_up(gate, provider, "--test=me@example.org")
    told = gate.postern("check", user="alice", check=False)
    assert told.returncode == 4 and "org.postern.relay1.configure" in told.stderr
