#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer of programs that send mail, as Debian packages them, to lay over the root of root.py.

nullmailer's package lies in it, too, to be installed by those who want to see it replaced.

Like the root it is made once, is kept in the same cache, and is never written to. The packages come by this computer's apt,
with its sources; they are installed in a machine that has a mail system by name only, for Postern is laid above later.

Run as a program it makes root and layer, for those who will want them soon.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from root import KEPT_SECONDS, Unable, cache_folder, debian_root, scratch_folder

PACKAGES = [
    "apticron", "at", "bsd-mailx", "cron", "git", "git-email", "libemail-sender-perl", "libmime-lite-perl", "logwatch",
    "mdadm", "msmtp", "mutt", "php-cli", "s-nail", "smartmontools", "swaks", "unattended-upgrades",
]

# What the programs' packages ask for, and what there is a new version of in a repository of the machine's own.
STAND_IN = "mail-system-stand-in"
REPOSITORY = "/srv/repository"

# The package of the mail system that Postern imports when it takes its place.
NULLMAILER = "/srv/nullmailer.deb"


def _stand_in(folder, version):
    """Builds the package that provides mail-transport-agent and has nothing in it."""
    source = folder / f"stand-in-{version}"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "DEBIAN/control").write_text(
        f"Package: {STAND_IN}\nVersion: {version}\nArchitecture: all\nMaintainer: Tests <root@localhost>\n"
        "Provides: mail-transport-agent\nDescription: stands in for the mail system that is tested\n", encoding="ascii")
    package = folder / f"{STAND_IN}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", source, package], check=True, capture_output=True)
    shutil.rmtree(source)
    return package


def _publish(package, folder):
    """Makes a repository with one package, which apt trusts."""
    folder.mkdir(parents=True)
    shutil.copy(package, folder)
    control = subprocess.run(["dpkg-deb", "--field", package], capture_output=True, text=True, check=True).stdout
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    (folder / "Packages").write_text(
        f"{control.rstrip()}\nFilename: ./{package.name}\nSize: {package.stat().st_size}\nSHA256: {digest}\n", encoding="utf-8")


def _apt(root, log, *arguments, folder=None):
    """Runs this computer's apt for the packages of another root."""
    options = {"Dir::State::status": root / "var/lib/dpkg/status",
               "Dir::State::extended_states": root / "var/lib/apt/extended_states",
               "Dir::Cache::archives": root / "var/cache/apt/archives", "DPkg::Chroot-Directory": root,
               "APT::Install-Recommends": "false", "Dpkg::Options::": "--force-unsafe-io"}
    command = ["apt-get", "-q", "-y", *[f"-o{name}={value}" for name, value in options.items()], *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
                          cwd=folder, check=False).returncode == 0


def _fill(root, scratch, log):
    archives = root / "var/cache/apt/archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    shutil.copy(_stand_in(scratch, 1), root / "stand-in.deb")
    subprocess.run(["chroot", root, "dpkg", "--install", "/stand-in.deb"], stdout=log, stderr=log, check=True)
    (root / "stand-in.deb").unlink()
    if not _apt(root, log, "install", *PACKAGES):
        subprocess.run(["apt-get", "-q", "update"], stdout=log, stderr=log, check=False)  # the lists may be old, or none
        if not _apt(root, log, "install", *PACKAGES):
            raise Unable("apt-get cannot install the programs that send mail:\n" + Path(log.name).read_text("utf-8")[-2000:])
    (root / "usr/sbin/policy-rc.d").unlink()
    shutil.rmtree(archives)
    if not _apt(root, log, "download", "nullmailer", folder=scratch):
        raise Unable("apt-get cannot download nullmailer:\n" + Path(log.name).read_text("utf-8")[-2000:])
    shutil.move(next(scratch.glob("nullmailer_*.deb")), root / NULLMAILER.lstrip("/"))
    _publish(_stand_in(scratch, 2), root / REPOSITORY.lstrip("/"))


@contextmanager
def root_above(upper, scratch):
    """The Debian root as a folder to install into with chroot(8): what is written goes to the folder upper, which is a layer then."""
    with ExitStack() as stack:
        merged, work = scratch / "merged", scratch / "work"
        merged.mkdir()
        work.mkdir()
        for kind, options, place in (
                ("overlay", f"lowerdir={debian_root()},upperdir={upper},workdir={work}", merged),
                ("proc", "", merged / "proc"), ("tmpfs", "mode=755", merged / "run")):
            command = ["mount", "-t", kind, *(["-o", options] if options else []), "postern-test", place]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Unable(f"no {kind} can be mounted: {done.stderr.strip()}")
            stack.callback(subprocess.run, ["umount", "--lazy", place], check=False)
        subprocess.run(["mount", "--bind", "/dev", merged / "dev"], check=True, capture_output=True)
        stack.callback(subprocess.run, ["umount", "--lazy", merged / "dev"], check=False)
        yield merged


def programs_layer():
    """The layer's folder, made if it is missing; whoever comes second waits for the first."""
    root = debian_root()
    recipe = "\n".join([root.name, *PACKAGES, Path(__file__).read_text(encoding="utf-8")])
    cache = cache_folder()
    folder = cache / f"programs-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    with open(cache / "programs-lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            os.utime(folder)
            return folder
        for old in cache.glob("programs-????????????????"):
            if old.stat().st_mtime < time.time() - KEPT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        with scratch_folder("programs") as scratch:
            upper = scratch / "upper"
            upper.mkdir(mode=0o755)
            with open(cache / "programs.log", "w", encoding="utf-8") as log, root_above(upper, scratch) as root:
                _fill(root, scratch, log)
            upper.rename(folder)
    return folder


if __name__ == "__main__":
    programs_layer()
