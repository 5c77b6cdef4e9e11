# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail that could not leave does so at once when the network is back, or the machine awake."""

import pytest

import mail

# So long that no retry comes by itself while a test runs.
PATIENT = {"Queue": {"RetryFirst": "1h", "RetryLongest": "1h"}}


@pytest.fixture
def network(gate):
    """The machine's network; it is there again at the end."""
    yield gate.machine.network
    gate.machine.network.up()


def test_mail_leaves_when_the_network_is_back(gate, receiver, network):
    gate.send_to(receiver, **PATIENT)
    gate.postern("status")
    network.down()
    gate.sendmail(text="Subject: from the train\n\nhello\n")
    assert [m["sender"] for m in gate.queue()] == ["root@gate.example.org"]
    assert not receiver.messages
    network.up()
    assert mail.subjects(receiver.wait_messages(1)) == ["from the train"]


def test_mail_of_a_relay_that_started_without_a_network_leaves_too(gate, receiver, network):
    gate.send_to(receiver, **PATIENT)
    network.down()
    gate.sendmail(text="Subject: early\n\nhello\n")
    assert len(gate.queue()) == 1
    network.up()
    assert mail.subjects(receiver.wait_messages(1)) == ["early"]


# Says what logind says when the machine wakes; root may have logind's name, as long as that does not run.
WAKE_UP = """
from gi.repository import Gio, GLib
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
              GLib.Variant("(su)", ("org.freedesktop.login1", 4)), None, 0, -1)
for asleep in True, False:
    bus.emit_signal(None, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForSleep",
                    GLib.Variant("(b)", (asleep,)))
bus.flush_sync()
"""


def test_mail_leaves_when_the_machine_wakes_up(gate, make_receiver):
    receiver = make_receiver(up=False)
    gate.send_to(receiver, **PATIENT)
    gate.sendmail(text="Subject: after a nap\n\nhello\n")
    gate.wait("cannot be used")
    receiver.start()
    gate.machine.shell("systemctl mask --runtime --now systemd-logind.service dbus-org.freedesktop.login1.service")
    try:
        gate.machine.run("python3", "-c", WAKE_UP)
        assert mail.subjects(receiver.wait_messages(1)) == ["after a nap"]
    finally:
        gate.machine.shell("systemctl unmask --runtime systemd-logind.service dbus-org.freedesktop.login1.service; "
                           "systemctl start systemd-logind.service")
