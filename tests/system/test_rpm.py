# SPDX-License-Identifier: GPL-3.0-or-later
"""The RPM, built by Debian's rpmbuild and installed in a booted machine.

That is no Fedora: rpm-macros says what stands for its macros, and update-alternatives is Debian's own.
"""

import os
import re
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import BUILD, TOP
from gate import Gate
from layers import root_above
from machine import Machine
from package import source_files
from root import scratch_folder

MACROS = TOP / "tests" / "system" / "rpm-macros"
SPEC = TOP / "postern.spec"

# What the packaging itself takes from the source; the rest is built already.
PACKED = ["COPYING", "README.md", "units/postern.sysusers"]


def rpm(*arguments, root=None):
    """Runs rpm(8) for the packages of another root; this computer has none."""
    with tempfile.TemporaryDirectory(prefix="postern-rpm-") as nothing:
        place = ["--root", root, "--dbpath", "/var/lib/rpm"] if root else ["--dbpath", nothing]
        done = subprocess.run(["rpm", f"--load={MACROS}", *map(str, [*place, *arguments])], capture_output=True, text=True,
                              check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(top, files, *options):
    """Makes the RPM below the folder top, of a tarball with these files. A list of files that is not complete is an error."""
    name = "postern-" + re.search(r"^Version: +(.*)$", SPEC.read_text(encoding="utf-8"), re.M)[1]
    (top / "SOURCES").mkdir(parents=True)
    with tarfile.open(top / "SOURCES" / f"{name}.tar.gz", "w:gz") as archive:
        for path in files:
            archive.add(TOP / path, f"{name}/{path}")
    # The macro of the sysusers file looks for it in the folder that rpmbuild is started in.
    done = subprocess.run(["rpmbuild", "-bb", "--nodeps", f"--load={MACROS}", f"--define=_topdir {top}",
                           f"--define=_dbpath {top}/database", *options, SPEC],
                          cwd=TOP, env={**os.environ, "POSTERN_BUILD": str(BUILD)}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    (built,) = top.glob("RPMS/*/*.rpm")
    return built


@pytest.fixture(scope="module")
def package(scratch, installed):
    return build(scratch / "rpm", PACKED)


@contextmanager
def root_with(layer):
    """The layer above Debian's root, as a folder to install into; it does not run, as when an image is made."""
    with scratch_folder("rpm") as scratch, root_above(layer, scratch) as root:
        yield root


@pytest.fixture(scope="module")
def layer(package):
    """The RPM installed in a layer; its script finds alternatives(8) there."""
    with scratch_folder("rpm") as folder:
        folder.chmod(0o755)
        with root_with(folder) as root:
            (root / "usr/sbin/alternatives").symlink_to("../bin/update-alternatives")
            rpm("--install", "--nodeps", package, root=root)
            assert rpm("--verify", "--nodeps", "postern", root=root) == ""
        yield folder


@pytest.fixture(scope="module")
def machine(layer):
    with Machine([layer]) as booted:
        yield booted


def test_the_scripts_have_no_macro_left(package):
    scripts = rpm("--query", "--scripts", "--package", package)
    assert "systemctl --no-reload preset postern.socket" in scripts and "u postern " in scripts
    assert not re.search(r"%[a-z{]", scripts), scripts


def test_passwords_are_for_root_and_the_configuration_is_the_administrators(package):
    listed = rpm("--query", "--queryformat", "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME} %{FILEFLAGS:fflags}\n]",
                 "--package", package).splitlines()
    assert "/etc/postern/credentials drwx------ root " in listed
    assert "/etc/postern/postern.conf -rw-r--r-- root cn" in listed  # config(noreplace)
    assert not [line for line in listed if re.search(" [-d]r.s| [-d]....s", line)]


def test_a_machine_with_it_takes_mail_from_its_first_boot(machine, receiver):
    gate = Gate(machine)
    gate.send_to(receiver)
    for program in ("/usr/sbin/sendmail", "/usr/lib/sendmail"):
        machine.run(program, "you@example.net", input="Subject: test\n\nhello\n", user="alice")
    receiver.wait_messages(2)
    assert "is empty" in machine.run("mailq").stdout
    assert machine.run("systemctl", "is-enabled", "postern-submission.socket", check=False).stdout == "disabled\n"
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout == ""


def test_an_upgrade_changes_nothing_that_was_set(layer, scratch):
    later = build(scratch / "rpm-later", PACKED, "--define=dist .later")
    with root_with(layer) as root:
        (root / "etc/postern/postern.conf").write_text("# mine\n", encoding="ascii")
        (root / "etc/systemd/system/sockets.target.wants/postern.socket").unlink()
        rpm("--upgrade", "--nodeps", later, root=root)
        assert rpm("--query", "postern", root=root).count("-1.later.") == 1
        assert (root / "etc/postern/postern.conf").read_text(encoding="ascii") == "# mine\n"
        assert not (root / "etc/systemd/system/sockets.target.wants/postern.socket").is_symlink()
        assert (root / "etc/alternatives/mta").readlink() == Path("/usr/sbin/sendmail.postern")


def test_erased_it_leaves_the_queue_and_what_was_configured(layer):
    with root_with(layer) as root:
        (root / "etc/postern/postern.conf").write_text("# mine\n", encoding="ascii")
        (root / "var/lib/postern/queue").mkdir(parents=True)
        (root / "var/lib/postern/queue/mail").touch()
        rpm("--erase", "--nodeps", "postern", root=root)
        left = {str(path.relative_to(root)) for path in root.glob("[ev]*/**/*postern*")}
        left |= {str(path.relative_to(root)) for path in root.glob("usr/**/*postern*")}
        assert left == {"etc/postern", "etc/postern/postern.conf.rpmsave", "var/lib/postern"}
        assert (root / "var/lib/postern/queue/mail").exists()
        assert not [name for name in ("bin/mailq", "sbin/sendmail", "lib/sendmail") if (root / "usr" / name).is_symlink()]


@pytest.mark.long
def test_the_source_is_all_that_it_takes(scratch):
    built = build(scratch / "rpm-from-source", [path.relative_to(TOP) for path in source_files()], "--define=compile yes")
    assert "/usr/libexec/posternd" in rpm("--query", "--list", "--package", built)
