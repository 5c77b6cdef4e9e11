# SPDX-License-Identifier: GPL-3.0-or-later
"""What the relay can reach, and what it cannot. That everything works in there is what the other tests show."""

import json

BEST_SCORE = 1.2


def test_the_score(gate, figure):
    answer = gate.machine.run("systemd-analyze", "security", "--no-pager", "postern.service").stdout
    score = float(answer.strip().splitlines()[-1].split("postern.service:")[1].split()[0])
    figure(f"systemd-analyze security postern.service: {score}")
    assert score <= BEST_SCORE


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
