# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian package in a booted machine: installed, upgraded under load, removed, installed again, purged."""

import re
import shutil
import subprocess
import threading

import pytest

from gate import Gate
from machine import Machine
from network import WorldReceiver
from package import packages

MESSAGES_IN_AN_UPGRADE = 100


@pytest.fixture(scope="module")
def debian():
    """A booted machine of its own, without Postern, and with the packages in /root."""
    with Machine() as booted:
        for package in ("postern.deb", "later.deb"):
            shutil.copy(packages() / package, booted.path(f"/root/{package}"))
        yield booted


@pytest.fixture
def installed_gate(debian):
    """The machine with the package just installed."""
    debian.run("dpkg", "--purge", "postern")
    debian.run("dpkg", "--install", "/root/postern.deb")
    return Gate(debian)


@pytest.fixture
def far_receiver(debian, cleanup):
    receiver = WorldReceiver(debian.network)
    cleanup.callback(receiver.close)
    return receiver.start()


def is_listening(machine):
    return "127.0.0.1:25 " in machine.run("ss", "-Hlnt").stdout


def test_the_package_is_without_findings():
    found = subprocess.run(["lintian", "--tag-display-limit=0", "--fail-on=error,warning", "--allow-root",
                            packages() / "postern.deb"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_an_installed_package_listens_and_sleeps(installed_gate, far_receiver):
    machine = installed_gate.machine
    assert machine.state("postern.socket") == "active" and is_listening(machine)
    assert machine.run("systemctl", "is-enabled", "postern.socket").stdout == "enabled\n"
    assert installed_gate.state == "inactive"
    assert machine.state("postern-submission.socket") == "inactive"
    assert machine.run("systemctl", "is-enabled", "postern-submission.socket", check=False).stdout == "disabled\n"
    assert machine.run("stat", "-c", "%a %U", "/etc/postern/credentials").stdout == "700 root\n"
    assert machine.run("dpkg", "--verify", "postern").stdout == ""
    installed_gate.send_to(far_receiver)
    for program in ("/usr/sbin/sendmail", "/usr/lib/sendmail"):
        machine.run(program, "you@example.net", input="Subject: test\n\nhello\n", user="alice")
    far_receiver.wait_messages(2)
    assert "is empty" in machine.run("mailq").stdout or machine.run("mailq").returncode == 0


def test_an_upgrade_under_load_loses_and_doubles_nothing(installed_gate, far_receiver, figure):
    machine = installed_gate.machine
    installed_gate.send_to(far_receiver)
    installed_gate.sendmail("first@example.net", text="Subject: first\n\nhello\n")
    far_receiver.wait_messages(1)
    before = machine.show("postern.service", "MainPID")
    failures = []

    def send():
        for number in range(MESSAGES_IN_AN_UPGRADE):
            done = machine.run("sendmail", "you@example.net", input=f"Subject: m{number}\n\nhello\n", check=False)
            if done.returncode != 0:
                failures.append(done.stderr)

    sender = threading.Thread(target=send)
    sender.start()
    machine.run("dpkg", "--install", "/root/later.deb")
    sender.join()
    assert failures == []
    assert machine.run("dpkg-query", "-W", "-f", "${Version}", "postern").stdout.endswith("+later")
    assert machine.show("postern.service", "MainPID") != before, "the relay that runs is the old one"
    received = far_receiver.wait_messages(1 + MESSAGES_IN_AN_UPGRADE)
    subjects = [line for m in received for line in m.content.decode().splitlines() if line.startswith("Subject: m")]
    assert len(set(subjects)) == MESSAGES_IN_AN_UPGRADE
    figure(f"{MESSAGES_IN_AN_UPGRADE} messages sent during an upgrade, {len(failures)} refused, "
           f"{MESSAGES_IN_AN_UPGRADE - len(set(subjects))} lost, {len(subjects) - len(set(subjects))} doubled")
    assert len(subjects) == MESSAGES_IN_AN_UPGRADE


def test_what_an_administrator_set_survives_an_upgrade(installed_gate):
    machine = installed_gate.machine
    installed_gate.configure("# mine\n")
    machine.run("systemctl", "disable", "--now", "postern.socket")
    machine.run("systemctl", "stop", "postern.service")
    machine.run("dpkg", "--install", "/root/later.deb")  # and asks nothing
    assert machine.run("cat", "/etc/postern/postern.conf").stdout == "# mine\n"
    assert machine.run("systemctl", "is-enabled", "postern.socket", check=False).stdout == "disabled\n"


def test_a_removed_package_keeps_the_queue_and_a_new_one_goes_on_with_it(installed_gate, far_receiver):
    machine = installed_gate.machine
    installed_gate.sendmail("waits@example.net")  # there is no smarthost yet
    installed_gate.machine.write("/etc/postern/credentials/smarthost", "secret\n", mode=0o600)
    installed_gate.wait("queued mail of")
    machine.run("dpkg", "--remove", "postern")
    assert not is_listening(machine) and machine.run("pgrep", "posternd", check=False).returncode == 1
    assert machine.run("ls", "/var/lib/postern/queue").stdout != ""
    assert machine.run("cat", "/etc/postern/credentials/smarthost").stdout == "secret\n"

    machine.run("dpkg", "--install", "/root/postern.deb")
    assert is_listening(machine)
    installed_gate.send_to(far_receiver)
    machine.run("postern", "status")  # wakes it
    far_receiver.wait_messages(1)


def test_a_purge_leaves_nothing(installed_gate):
    machine = installed_gate.machine
    installed_gate.sendmail("waits@example.net")
    machine.write("/etc/postern/credentials/smarthost", "secret\n", mode=0o600)
    machine.run("dpkg", "--purge", "postern")
    left = machine.shell("find / -xdev -iname '*postern*' -not -path '/proc/*' -not -path '/root/*' -not -path '/sys/*'"
                         " -not -path '/tmp/*' -not -path '/run/systemd/*'")
    assert left == ""
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout == ""


def test_the_package_has_the_files_that_the_other_tests_install(installed, tmp_path):
    """Those use what `meson install` installs, so that they need not wait for the package."""
    subprocess.run(["dpkg-deb", "--extract", packages() / "postern.deb", tmp_path], check=True)

    def files(top):
        return {str(path.relative_to(top)): path for path in top.rglob("*") if not path.is_dir() or path.is_symlink()}

    moved = {"etc/postern/postern.conf": "usr/share/postern/postern.conf",
             "usr/share/zsh/site-functions/_postern": "usr/share/zsh/vendor-completions/_postern"}
    wanted = {moved.get(name, re.sub("^usr/lib/systemd/system/", "lib/systemd/system/", name)): path
              for name, path in files(installed).items()}
    packed = {re.sub(r"^(usr/share/man/.*)\.gz$", r"\1", name): path for name, path in files(tmp_path).items()}
    own = {name for name in packed if re.match("usr/share/(doc|lintian)/", name)} | {"usr/lib/sendmail"}
    assert set(packed) - own == set(wanted)
    compiled = {"usr/bin/postern", "usr/sbin/sendmail", "usr/libexec/posternd", "usr/libexec/postern-journal",
                "usr/libexec/postern-notify"}
    differing = {name for name in set(wanted) - compiled if not packed[name].suffix == ".gz" and
                 not packed[name].is_symlink() and packed[name].read_bytes() != wanted[name].read_bytes()}
    assert differing == set()
