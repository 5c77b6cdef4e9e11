# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own relay, in the user's own service manager."""

import json

import pytest

from network import WORLD_ADDRESS
from relay import configuration_text

UID = 1001

# As Debian's dbus-user-session has them.
BUS_SOCKET = """[Socket]
ListenStream=%t/bus
ExecStartPost=-systemctl --user set-environment DBUS_SESSION_BUS_ADDRESS=unix:path=%t/bus
"""
BUS_SERVICE = """[Unit]
Requires=dbus.socket
[Service]
Type=notify
NotifyAccess=main
ExecStart=dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only
"""


@pytest.fixture
def alice(machine, cleanup):
    """Runs a command in a session of alice's."""
    machine.write("/etc/systemd/user/dbus.socket", BUS_SOCKET)
    machine.write("/etc/systemd/user/dbus.service", BUS_SERVICE)
    machine.run("loginctl", "enable-linger", "alice")
    cleanup.callback(machine.run, "loginctl", "disable-linger", "alice")
    machine.run("systemctl", "start", f"user@{UID}.service")
    variables = {"XDG_RUNTIME_DIR": f"/run/user/{UID}", "POSTERN_BUS": "session",
                 "DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{UID}/bus",
                 "POSTERN_SOCKET": f"/run/user/{UID}/postern/submit"}

    def run(*command, **options):
        return machine.run(*command, user="alice", environment=variables, **options)

    run("systemctl", "--user", "start", "dbus.socket")

    def forget():
        run("systemctl", "--user", "disable", "--now", "postern.socket", "postern.service", check=False)
        machine.run("rm", "-rf", "/home/alice/.config/postern", "/home/alice/.local/state/postern")

    cleanup.callback(forget)
    return run


def test_a_user_without_root_has_a_queue(gate, alice, make_receiver):
    receiver = make_receiver(users={"me": "of alice"})
    configuration = configuration_text({"Smarthost": {
        "Host": WORLD_ADDRESS, "Port": receiver.port, "TLS": "none", "User": "me", "PasswordCredential": "smarthost",
        "AuthWithoutTLS": "yes"}})
    alice("mkdir", "-p", "-m", "0700", "/home/alice/.config/postern/credentials")
    alice("sh", "-c", "cat >~/.config/postern/postern.conf", input=configuration)
    alice("sh", "-c", "umask 077; cat >~/.config/postern/credentials/smarthost", input="of alice\n")

    alice("systemctl", "--user", "enable", "--now", "postern.socket")
    alice("sendmail", "you@example.net", input="Subject: test\n\nhello\n")
    (message,) = receiver.wait_messages(1)
    assert message.user == "me" and message.sender.startswith("alice@")
    assert gate.state == "inactive", "the machine's relay had a part in it"
    assert alice("systemctl", "--user", "is-active", "postern.service").stdout == "active\n"
    assert alice("stat", "-c", "%a", "/home/alice/.local/state/postern").stdout == "700\n"


def test_the_own_queue_is_steered_and_survives(alice):
    alice("systemctl", "--user", "enable", "--now", "postern.socket")
    alice("sendmail", "you@example.net", input="Subject: test\n\nhello\n")
    (message,) = json.loads(alice("postern", "list", "--json").stdout)
    assert "/home/alice/.config/postern/postern.conf" in message["reason"]
    alice("systemctl", "--user", "stop", "postern.service")
    # A call on the bus wakes it.
    assert [m["id"] for m in json.loads(alice("postern", "list", "--json").stdout)] == [message["id"]]
    alice("postern", "delete", message["id"])
    assert json.loads(alice("postern", "list", "--json").stdout) == []


def test_a_story_comes_from_the_users_own_journal(gate, alice):
    alice("systemctl", "--user", "enable", "--now", "postern.socket")
    alice("sendmail", "you@example.net", input="Subject: test\n\nhello\n")
    (message,) = json.loads(alice("postern", "list", "--json").stdout)
    gate.machine.journal.wait("queued mail of", POSTERN_QUEUE_ID=message["id"])
    gate.machine.run("journalctl", "--flush", "--sync")
    assert "queued mail of <alice@" in alice("postern", "log", message["id"]).stdout
    assert message["id"] in alice("postern", "trace", "you@example.net").stdout


def test_no_notifications_without_a_desktop(alice):
    alice("systemctl", "--user", "start", "postern-notify.service")
    shown = alice("systemctl", "--user", "show", "-P", "ConditionResult", "-P", "ActiveState", "postern-notify.service")
    assert shown.stdout.split() == ["inactive", "no"] or shown.stdout.split() == ["no", "inactive"]
