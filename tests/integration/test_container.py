# SPDX-License-Identifier: GPL-3.0-or-later
"""A container or a chroot has mail by one bind mount: that of the local socket."""

import os
import re
import shlex
import shutil
import socket
import subprocess

import pytest

import mail
from receiver import PATIENCE_SECONDS
from relay import SENDMAIL, is_sanitized

pytestmark = pytest.mark.skipif(is_sanitized(), reason="a sanitizer wants /proc, which is not there")

MESSAGE = b"Subject: from within\n\nhello\n"


@pytest.fixture
def root(tmp_path):
    """A root folder with sendmail, the libraries that it needs, and nothing else: no /etc, no /proc, no /dev."""
    root = tmp_path / "root"
    libraries = subprocess.run(["ldd", SENDMAIL], capture_output=True, text=True, check=True).stdout
    for source in [str(SENDMAIL), *re.findall(r"(/\S+) \(0x", libraries)]:
        target = root / ("usr/sbin/sendmail" if source == str(SENDMAIL) else source.lstrip("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (root / "run/postern").mkdir(parents=True)
    return root


def may_unshare(*options):
    """Whether the kernel lets us have such name spaces: within a chroot there is none for users."""
    return subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode == 0


def within(root, relay, command, unshare=()):
    """Runs a command in the root folder, with the folder of the relay's socket mounted, in name spaces of its own."""
    folder = relay.folder / "run"
    script = f"mount --bind {folder} {root}/run/postern && exec chroot {shlex.quote(str(root))} {command}"
    environment = {"PATH": os.environ["PATH"]}
    return subprocess.run(["unshare", "--mount", *unshare, "sh", "-c", script], input=MESSAGE, capture_output=True,
                          check=False, timeout=PATIENCE_SECONDS, env=environment)


@pytest.fixture
def mounted(make_relay, receiver):
    """A relay whose socket is in a folder of its own, as /run/postern is."""
    relay = make_relay(receiver, {"Relay": {"AdminAddress": "admin@example.net"}}, start=False)
    (relay.folder / "run").mkdir()
    relay.arguments = [a.replace(f"local:{relay.socket}", f"local:{relay.folder}/run/submit") for a in relay.arguments]
    return relay.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("unshare", [(), ("--user", "--map-root-user"), ("--pid", "--fork", "--net", "--ipc", "--uts")],
                         ids=["chroot", "user-namespace", "container"])
def test_chroot_with_nothing_but_the_socket_sends_mail(mounted, receiver, root, unshare):
    if not may_unshare(*unshare):
        pytest.skip("no such name spaces are to be had here")
    result = within(root, mounted, "/usr/sbin/sendmail x@example.net root", unshare)
    assert result.returncode == 0, result.stderr
    got = receiver.wait_messages(1)[0]
    assert got.recipients == ["x@example.net", "admin@example.net"]
    assert mail.parse(got)["Subject"] == "from within"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_chroot_survives_a_restart_of_the_relay(mounted, receiver, root):
    """The folder is mounted, so that a socket that is made anew is seen."""
    mounted.restart()
    assert within(root, mounted, "/usr/sbin/sendmail x@example.net").returncode == 0
    receiver.wait_messages(1)


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_container_without_the_mount_is_told_what_is_missing(root):
    result = subprocess.run(["chroot", root, "/usr/sbin/sendmail", "x@example.net"], input=MESSAGE, capture_output=True,
                            check=False, timeout=PATIENCE_SECONDS)
    assert result.returncode == 75 and b"/run/postern/submit" in result.stderr


def test_programs_of_a_container_may_speak_smtp_over_the_socket(mounted, receiver):
    """Without sendmail, any library that can connect to a UNIX socket will do."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(str(mounted.folder / "run/submit"))
        connection.sendall(b"EHLO x\r\nMAIL FROM:<root>\r\nRCPT TO:<x@example.net>\r\nDATA\r\n")
        connection.sendall(b"Subject: smtp\r\n\r\nx\r\n.\r\nQUIT\r\n")
        while connection.recv(4096):
            pass
    assert mail.subjects(receiver.wait_messages(1)) == ["smtp"]
