# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's own relay, and notifications on the desktop when the user's mail fails or is stuck."""

import os
import re
import subprocess
import time

import pytest

from busclient import Client, SystemBus
from doubles import Desktop
from receiver import PATIENCE_SECONDS
from relay import BUILD, POSTERN, POSTERND, SENDMAIL, Lines, Notifications, environment, for_everybody

NOTIFY = BUILD / "cli" / "postern-notify"


@pytest.fixture
def desktop(cleanup, bus):
    return cleanup.enter_context(Desktop(bus))


@pytest.fixture
def start_notify(cleanup, bus):
    """start_notify("--stuck=…", system=ADDRESS) runs postern-notify on the desktop of the private bus."""

    def start(*arguments, system="unix:path=/nonexistent"):
        process = subprocess.Popen(
            [NOTIFY, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=environment(DBUS_SESSION_BUS_ADDRESS=bus, DBUS_SYSTEM_BUS_ADDRESS=system))
        log = Lines(process.stderr)

        def stop():
            process.terminate()
            assert process.wait(PATIENCE_SECONDS) == 0, log.text()
            log.thread.join(PATIENCE_SECONDS)
            process.stderr.close()
            assert log.text() == ""

        cleanup.callback(stop)

    return start


def wait_subscribed(address):
    """Until the relay has a subscriber."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with Client(address) as client:
        while client.call("GetStatistics")["subscribers"] == 0:
            assert time.monotonic() < deadline, "nobody subscribed"


def test_a_refused_recipient_is_told(relay, receiver, desktop, start_notify, bus):
    receiver.on("RCPT", "550 5.1.1 no such user <b>here</b>", match="nobody@")
    start_notify()
    wait_subscribed(bus)
    relay.sendmail("good@example.net", "nobody@example.net")
    summary, body, urgency = desktop.wait("refused")
    assert summary == "Mail was refused: nobody@example.net" and urgency == 2
    assert "nobody@example.net: 550 5.1.1 no such user &lt;b&gt;here&lt;/b&gt;" in body
    assert len(desktop.shown) == 1


def test_many_failures_are_one_notification(relay, receiver, desktop, start_notify, bus):
    receiver.on("RCPT", "550 5.1.1 no such user")
    start_notify()
    wait_subscribed(bus)
    relay.sendmail(*[f"u{number}@example.net" for number in range(40)])
    summary, body, _ = desktop.wait("refused")
    assert re.fullmatch(r"Mail was refused: \d+ recipients", summary)
    assert len(body.splitlines()) <= 5 and re.search(r"and \d+ more", body)


def test_mail_that_is_stuck_is_told_once(make_relay, make_receiver, desktop, start_notify, bus):
    relay = make_relay(make_receiver(up=False))
    relay.sendmail("first@example.net")
    start_notify("--stuck=1s")
    summary, _, urgency = desktop.wait("has not gone out yet")
    assert summary == "Mail has not gone out yet: first@example.net" and urgency == 1
    relay.sendmail("second@example.net")
    desktop.wait("second@example.net")
    assert len([n for n in desktop.shown if "first@" in n[0] + n[1]]) == 1


def test_a_relay_that_comes_later_and_again(make_relay, make_receiver, desktop, start_notify, bus):
    receiver = make_receiver()
    receiver.on("RCPT", "550 5.1.1 no such user")
    start_notify()
    relay = make_relay(receiver)
    wait_subscribed(bus)
    relay.sendmail("one@example.net")
    desktop.wait("one@example.net")
    relay.restart()
    wait_subscribed(bus)
    relay.sendmail("two@example.net")
    desktop.wait("two@example.net")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be several users")
def test_other_users_mail_is_not_told(make_relay, receiver, desktop, start_notify, cleanup):
    """Root may hear of everyone's mail; on root's desktop only root's is shown."""
    receiver.on("RCPT", "550 5.1.1 no such user")
    system = cleanup.enter_context(SystemBus())
    relay = make_relay(receiver, bus="system", variables=system.variables)
    relay.folder.chmod(0o755)
    relay.socket.chmod(0o777)
    start_notify(system=system.address)
    wait_subscribed(system.address)
    subprocess.run([for_everybody(SENDMAIL), "theirs@example.net"], input=b"Subject: x\n\nx\n", user="nobody",
                   group="nogroup", extra_groups=[], check=True, env=environment(HOME="/", POSTERN_SOCKET=relay.socket))
    relay.wait_line("theirs@example.net.*bounced")
    relay.sendmail("ours@example.net")
    desktop.wait("ours@example.net")
    assert not [n for n in desktop.shown if "theirs@" in n[0] + n[1]]


def test_a_users_own_relay_keeps_to_the_users_folders(bus, tmp_path, cleanup):
    """posternd --bus=session as the user unit runs it: no configuration is needed, and nothing of the system's used."""
    runtime = tmp_path / "run"
    (runtime / "postern").mkdir(parents=True)
    socket = runtime / "postern" / "submit"
    notifications = Notifications(tmp_path / "notify")
    cleanup.callback(notifications.close)
    variables = environment(DBUS_SESSION_BUS_ADDRESS=bus, XDG_CONFIG_HOME=tmp_path / "config", HOME=tmp_path,
                            XDG_STATE_HOME=tmp_path / "state", NOTIFY_SOCKET=tmp_path / "notify",
                            POSTERN_SOCKET=socket, POSTERN_BUS="session")
    daemon = subprocess.Popen([POSTERND, "--bus=session", f"--listen=local:{socket}"], env=variables,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = Lines(daemon.stderr)
    assert notifications.wait("READY=1", alive=lambda: daemon.poll() is None), log.text()
    subprocess.run([SENDMAIL, "you@example.net"], input=b"Subject: x\n\nx\n", check=True, env=variables)
    listed = subprocess.run([POSTERN, "list"], check=True, env=variables, capture_output=True, text=True).stdout
    assert "you@example.net" in listed
    assert str(tmp_path / "config" / "postern" / "postern.conf") in listed, "the advice names another file"
    assert list((tmp_path / "state" / "postern" / "queue").iterdir())
    assert (tmp_path / "state" / "postern").stat().st_mode & 0o077 == 0
    daemon.terminate()
    assert daemon.wait(PATIENCE_SECONDS) == 0, log.text()
    log.thread.join(PATIENCE_SECONDS)
    daemon.stderr.close()
