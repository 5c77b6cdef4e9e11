# SPDX-License-Identifier: GPL-3.0-or-later
"""What the relay can reach, and what it cannot. That everything works in there is what the other tests show."""

import json
import re

import pytest

# The exposure that `systemd-analyze security` may give, where 10 is no protection. What is missing to 0 the units explain.
EXPOSURES = {
    "postern.service": 1.2,
    "postern-wake.service": 0.7,
    "postern-end.service": 0.5,
    "postern-journal.service": 0.4,
    "postern-failure@.service": 0.2,
    # A user's service manager has no privileges, and so can give up few.
    "user/postern.service": 6.2,
    "user/postern-notify.service": 5.9,
}


def exposure(machine, unit):
    """What systemd-analyze makes of the unit's file, as it is installed."""
    told = machine.run("systemd-analyze", "security", "--no-pager", "--offline=true", f"/usr/lib/systemd/{unit}",
                       check=False).stdout
    return float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)[1])


def path_of(unit):
    return unit if unit.startswith("user/") else f"system/{unit}"


def test_every_unit_that_runs_something_is_closed(gate, figure):
    shipped = gate.machine.shell("cd /usr/lib/systemd && ls system/postern*.service user/postern*.service").split()
    assert sorted(shipped) == sorted(map(path_of, EXPOSURES))
    found = {unit: exposure(gate.machine, path_of(unit)) for unit in EXPOSURES}
    figure("systemd-analyze security: " + ", ".join(f"{unit} {score}" for unit, score in found.items()))
    assert {unit: score for unit, score in found.items() if score > EXPOSURES[unit]} == {}


@pytest.mark.parametrize("unit", ["postern.service", "postern-wake.service", "postern-end.service"])
def test_what_runs_is_as_closed_as_what_is_installed(gate, unit):
    answer = gate.machine.run("systemd-analyze", "security", "--no-pager", unit).stdout
    assert float(re.search(rf"{unit}: ([0-9.]+)", answer)[1]) <= EXPOSURES[unit]


def status_of(gate):
    gate.postern("status")
    pid = gate.machine.show("postern.service", "MainPID")
    return dict(line.split(":\t", 1) for line in gate.machine.shell(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)


def test_no_root_no_capabilities_no_new_privileges(gate):
    status = status_of(gate)
    user = gate.machine.shell("id -u postern").strip()
    assert status["Uid"].split() == [user] * 4
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert status["Groups"].split() == [gate.machine.shell("id -g postern").strip()]


def test_of_all_files_it_sees_few_and_writes_its_own(gate):
    gate.postern("status")
    pid = gate.machine.show("postern.service", "MainPID")
    root = gate.machine.shell(f"ls /proc/{pid}/root").split()
    assert not {"home", "srv", "opt", "mnt", "media", "boot"} & set(root)
    assert gate.machine.shell(f"ls /proc/{pid}/root/var/lib").split() == ["postern"]
    writes = gate.machine.run("bash", "-c", f"""
        for place in / /etc /etc/postern /usr /run /run/postern /var /var/lib /dev /proc /sys /var/lib/postern; do
            nsenter --target {pid} --mount --setuid $(id -u postern) touch $place/new 2>/dev/null && echo $place
        done""", check=False).stdout.split()
    assert writes == ["/var/lib/postern"]


def test_secrets_are_for_root_and_systemd(gate):
    gate.machine.write("/etc/postern/credentials/smarthost", "secret\n", mode=0o600)
    refused = gate.machine.run("cat", "/etc/postern/credentials/smarthost", user="alice", check=False)
    assert refused.returncode != 0
    gate.postern("status")
    pid = gate.machine.show("postern.service", "MainPID")
    script = f"nsenter --target {pid} --mount --setuid $(id -u postern) cat {{}}"
    refused = gate.machine.run("bash", "-c", script.format("/etc/postern/credentials/smarthost"), check=False)
    assert refused.returncode != 0 and "secret" not in refused.stdout
    assert json.loads(gate.postern("status", "--json").stdout)
