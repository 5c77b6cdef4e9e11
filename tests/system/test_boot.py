# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail of the first moments after a boot, and of the last ones before a shutdown."""

import pytest

import mail
from gate import SOCKET

# Ordered before most of a boot, as the unit of mdadm is.
EARLY = """
[Unit]
DefaultDependencies=no
After=postern.socket
Before=basic.target
[Service]
Type=exec
ExecStart=sh -c 'printf "Subject: early\\n\\nhello\\n" | exec sendmail you@example.net'
RemainAfterExit=yes
[Install]
WantedBy=sysinit.target
"""

# As services do that tell of their end, or fail at it.
LAST = """
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=true
ExecStop=sh -c 'printf "Subject: last\\n\\nhello\\n" | exec sendmail you@example.net'
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture
def services(gate):
    """The gate with the two services; they and what they leave are gone at the end."""
    for name, text in ("early", EARLY), ("last", LAST):
        gate.machine.write(f"/etc/systemd/system/{name}.service", text)
    gate.machine.run("systemctl", "daemon-reload")
    gate.machine.run("systemctl", "enable", "early.service")
    gate.machine.run("systemctl", "enable", "--now", "last.service")
    yield gate
    gate.machine.shell("systemctl disable early.service last.service; "
                       "rm /etc/systemd/system/early.service /etc/systemd/system/last.service; systemctl daemon-reload")


def moment(gate, unit, name):
    """When something happened to a unit, microseconds since the boot."""
    return int(gate.machine.show(unit, f"{name}TimestampMonotonic"))


@pytest.mark.parametrize("state", ["inactive", "active"])
def test_no_mail_of_a_boot_or_a_shutdown_is_refused(services, make_receiver, state):
    gate, machine = services, services.machine
    receiver = make_receiver(up=False)
    gate.send_to(receiver, Relay={"IdleExit": "100ms" if state == "inactive" else "0"},
                 Queue={"RetryFirst": "1s", "RetryLongest": "1s"})
    gate.postern("status")
    if state == "inactive":
        gate.wait_until_asleep()
    assert gate.state == state
    machine.shut_down()
    receiver.start()
    machine.boot()
    assert sorted(mail.subjects(receiver.wait_messages(2))) == ["early", "last"]
    assert machine.show("early.service", "Result") == "success"
    assert moment(gate, SOCKET, "ActiveEnter") <= moment(gate, "early.service", "ExecMainStart")
    assert moment(gate, "early.service", "ExecMainStart") < moment(gate, "basic.target", "ActiveEnter")
    told = machine.run("journalctl", "--boot=-1", "--unit=postern.service", "--output=cat").stdout
    assert "queued mail of <root@" in told and "Deactivated successfully" in told


def test_mail_that_waits_goes_out_after_a_boot_by_itself(gate, make_receiver):
    receiver = make_receiver(up=False)
    gate.send_to(receiver)
    gate.sendmail(text="Subject: waiting\n\nhello\n")
    gate.wait("deferred")
    gate.machine.shut_down()
    receiver.start()
    gate.machine.boot()
    assert mail.subjects(receiver.wait_messages(1)) == ["waiting"]
    assert gate.machine.state("postern-wake.service") == "active"
