# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may see and steer which mail, on a real system bus with a real polkit."""

import pytest

# Runs a command as itself with an agent for its process, on a terminal, and answers the agent's question for a password.
# polkit knows an agent by the process that it is for, so the shell becomes the command.
WITH_AGENT = """
import os, pty, sys, termios, time
answer, command = sys.argv[1], sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execvp("bash", ["bash", "-c", 'mkfifo "$1"; pkttyagent --process $$ --notify-fd 4 4>"$1" & '
                       'read <"$1"; shift; exec "$@"', "bash", os.path.expanduser("~/agent"), *command])
seen = b""
try:
    while data := os.read(terminal, 4096):
        seen += data
        if b"assword:" in seen:
            # What is typed before the agent has turned the echo off is thrown away.
            while termios.tcgetattr(terminal)[3] & termios.ECHO:
                time.sleep(0.01)
            os.write(terminal, answer.encode() + b"\\n")
            sys.stdout.write(seen.decode())
            seen = b""
except OSError:
    pass
sys.stdout.write(seen.decode())
os.unlink(os.path.expanduser("~/agent"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture
def mailed(gate):
    """The gate with a message of each user in the queue, and their ids by user."""
    gate.configure({"Relay": {"Domain": "example.org"}})
    for user in ("alice", "bob"):
        gate.sendmail(user=user)
    gate.ids = {m["sender"].split("@")[0]: m["id"] for m in gate.queue()}
    assert set(gate.ids) == {"alice", "bob"}
    return gate


def refused(done, *words):
    assert done.returncode != 0, done.stdout
    for word in ("not authorized", *words):
        assert word in done.stderr, done.stderr


def senders(queue):
    return sorted(message["sender"] for message in queue)


def test_root_sees_all_and_a_user_the_own(mailed):
    assert senders(mailed.queue()) == ["alice@example.org", "bob@example.org"]
    for user in ("alice", "bob"):
        assert senders(mailed.queue(user=user)) == [f"{user}@example.org"]


def test_a_user_steers_the_own_mail_without_a_password(mailed):
    own = mailed.ids["alice"]
    mailed.postern("hold", own, user="alice")
    mailed.postern("release", own, user="alice")
    assert "hello" in mailed.postern("show", "--content", own, user="alice").stdout
    mailed.postern("delete", own, user="alice")
    assert senders(mailed.queue()) == ["bob@example.org"]


def test_another_users_mail_needs_a_password(mailed):
    other = mailed.ids["alice"]
    refused(mailed.postern("hold", other, user="bob", check=False), "org.postern.relay1.manage")
    refused(mailed.postern("delete", other, user="bob", check=False), "org.postern.relay1.manage")
    assert mailed.postern("show", other, user="bob", check=False).returncode != 0
    content = mailed.postern("show", "--content", other, user="bob", check=False)
    assert content.returncode != 0 and "hello" not in content.stdout
    assert senders(mailed.queue()) == ["alice@example.org", "bob@example.org"]


def test_the_relay_itself_needs_a_password(mailed):
    refused(mailed.postern("pause", user="bob", check=False), "org.postern.relay1.manage")
    refused(mailed.postern("reload", user="bob", check=False), "org.postern.relay1.configure")
    mailed.postern("reload")


def with_agent(gate, answer, *command):
    return gate.machine.run("python3", "-c", WITH_AGENT, answer, *command, user="bob", check=False)


def test_an_agent_asks_for_the_administrators_password(mailed):
    done = with_agent(mailed, "root", "postern", "hold", mailed.ids["alice"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Authentication is required to manage mail" in done.stdout
    states = {message["sender"]: message["state"] for message in mailed.queue()}
    assert states["alice@example.org"] == "held"


def test_a_wrong_password_is_refused(mailed):
    done = with_agent(mailed, "wrong", "postern", "delete", mailed.ids["alice"])
    assert done.returncode != 0 and "not authorized" in done.stdout
    assert len(mailed.queue()) == 2


def test_without_polkit_root_and_the_own_mail_remain(mailed):
    mailed.machine.shell("systemctl mask --runtime --now polkit.service")
    try:
        assert len(mailed.queue()) == 2
        assert senders(mailed.queue(user="bob")) == ["bob@example.org"]
        mailed.postern("hold", mailed.ids["bob"], user="bob")
        refused(mailed.postern("hold", mailed.ids["alice"], user="bob", check=False))
        refused(mailed.postern("pause", user="bob", check=False))
        mailed.postern("pause")
        mailed.postern("resume")
    finally:
        mailed.machine.run("systemctl", "unmask", "--runtime", "polkit.service")


def test_the_policy_is_understood_by_polkit(gate):
    listed = gate.machine.run("pkaction", "--verbose").stdout
    for action in ("inspect", "manage", "read-content", "configure"):
        assert f"org.postern.relay1.{action}:" in listed
    block = listed[listed.index("org.postern.relay1.manage:"):].split("\n\n")[0]
    assert "implicit any:      auth_admin" in block and "implicit active:   auth_admin_keep" in block


def test_nobody_else_can_take_the_name(gate):
    gate.machine.run("systemctl", "stop", "postern.service")
    taken = gate.machine.run("python3", "-c", """
from gi.repository import Gio, GLib
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
              GLib.Variant("(su)", ("org.postern.Relay1", 0)), None, 0, -1)""", user="alice", check=False)
    assert taken.returncode != 0 and "AccessDenied" in taken.stderr
