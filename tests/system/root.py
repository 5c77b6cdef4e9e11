# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian root that machines are booted from: made once with debootstrap, from the mirror that apt uses here.

It is kept in ${XDG_CACHE_HOME:-/var/cache}/postern-tests, under a name made of all that went into it, so that a change of
the list below makes a new one. Nobody ever writes to it: a machine has an overlay above.
"""

import fcntl
import hashlib
import inspect
import os
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

SUITE = "bookworm"

# What Postern needs, what it is to be seen with, and what the tests use inside.
PACKAGES = [
    "systemd", "systemd-sysv", "dbus", "polkitd", "libpam-systemd", "init-system-helpers", "adduser",
    "libglib2.0-0", "libgdbm6", "libgsasl18", "libgnutls30", "libidn2-0", "libjson-glib-1.0-0", "libpolkit-gobject-1-0",
    "libxxhash0", "iproute2", "procps", "openssl", "python3", "python3-gi", "gir1.2-glib-2.0",
]

# Several branches may be tested in turn, each with a root of its own.
KEPT_SECONDS = 30 * 24 * 3600

# The users of every machine; their passwords are their names.
USERS = {"alice": 1001, "bob": 1002}


class Unable(Exception):
    """This machine cannot do what the system tests need; the text says what is missing."""


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base if base and base.startswith("/") else "/var/cache") / "postern-tests"


def _mounts_below(folder):
    """Where something is mounted below a folder, the innermost first."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    places = [re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]) for line in mounts.splitlines()]
    return [place for place in reversed(places) if place.startswith(f"{folder}/")]


def _remove(folder):
    """Removes a folder and what is mounted below it, but nothing of a file system that cannot be unmounted."""
    for place in _mounts_below(folder):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
    if not _mounts_below(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _lock(folder, how):
    """Returns a descriptor of the folder, which keeps it locked until it is closed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_forgotten(cache):
    """Removes the folders of runs that were broken off: nobody has locked them."""
    for folder in cache.glob("scratch-*-*"):
        try:
            descriptor = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        _remove(folder)
        os.close(descriptor)


@contextmanager
def scratch_folder(name):
    """A folder in the cache, beside what may be laid over it or be made of it. It is gone at the end; if the run is broken
    off, when the next one makes such a folder."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "scratch-lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_forgotten(cache)
        folder = Path(tempfile.mkdtemp(prefix=f"scratch-{name}-", dir=cache))
        descriptor = _lock(folder, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(descriptor)


def _mirror():
    """The address of the suite's mirror, as apt knows it."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)",
                             "Created-By: Packages"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        address, suite, component = line.split()
        if (suite, component) == (SUITE, "main"):
            return address
    raise Unable(f"apt knows no mirror of Debian's {SUITE}")


def _configure(root):
    """What makes the root a machine of its own."""
    for name, uid in USERS.items():
        subprocess.run(["chroot", root, "useradd", "--create-home", f"--uid={uid}", "--shell=/bin/bash", name],
                       check=True, capture_output=True)
    passwords = "".join(f"{name}:{name}\n" for name in [*USERS, "root"])
    subprocess.run(["chroot", root, "chpasswd", "-c", "SHA256"], input=passwords, text=True, check=True,
                   capture_output=True)
    (root / "etc/hostname").write_text("gate\n", encoding="ascii")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 gate.example.org gate\n",
                                    encoding="ascii")
    # The host gives the network; the journal is the tests' to read, and forgets nothing.
    (root / "etc/systemd/journald.conf.d").mkdir(exist_ok=True)
    (root / "etc/systemd/journald.conf.d/tests.conf").write_text(
        "[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nForwardToConsole=no\n", encoding="ascii")
    for unit in ("systemd-networkd.service", "systemd-timesyncd.service", "apt-daily.timer", "apt-daily-upgrade.timer",
                 "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "motd-news.timer", "getty.target"):
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")


def _make(root, log):
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, root, _mirror()]
    try:
        with open(log, "w", encoding="utf-8") as file:
            subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=True)
    except FileNotFoundError as error:
        raise Unable("debootstrap is not installed") from error
    except subprocess.CalledProcessError as error:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
        raise Unable("debootstrap cannot make a Debian root:\n" + text[-2000:]) from error
    _configure(root)
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)


def _recipe():
    """A short name for all that goes into a root."""
    inputs = [SUITE, *PACKAGES, *map(str, USERS.items()), inspect.getsource(_configure)]
    return hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:16]


def debian_root():
    """The root's folder, made if it is missing; whoever comes second waits for the first."""
    if os.geteuid() != 0:
        raise Unable("only root can boot a machine")
    cache = cache_folder()
    folder = cache / f"root-{_recipe()}"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{folder.name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _make_in(cache, folder)
        os.utime(folder)
    return folder


def _make_in(cache, folder):
    """Makes the root; roots that nobody has used for long go."""
    for old in cache.glob("root-????????????????"):
        if old.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    with scratch_folder("root") as made:
        made.chmod(0o755)
        _make(made, cache / f"{folder.name}.log")
        made.rename(folder)
