#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A layer of programs that send mail, as Debian packages them, to lay over the root of root.py.

nullmailer's package lies in it, too, to be installed by those who want to see it replaced.

They are installed in a machine that has a mail system by name only, for Postern is laid above later.

Run as a program it makes root and layer, for those who will want them soon.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

from layers import apt, kept_layer, root_above

PACKAGES = [
    "apticron", "at", "bsd-mailx", "cron", "curl", "git", "git-email", "libemail-sender-perl", "libmime-lite-perl",
    "libphp-phpmailer", "logwatch", "mdadm", "monitoring-plugins-standard", "msmtp", "mutt", "node-nodemailer", "nodejs", "php-cli", "s-nail", "smartmontools",
    "swaks", "unattended-upgrades",
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


def _fill(upper, scratch, log):
    with root_above(upper, scratch) as root:
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.copy(_stand_in(scratch, 1), root / "stand-in.deb")
        subprocess.run(["chroot", root, "dpkg", "--install", "/stand-in.deb"], stdout=log, stderr=log, check=True)
        (root / "stand-in.deb").unlink()
        apt(root, log, "install", *PACKAGES)
        (root / "usr/sbin/policy-rc.d").unlink()
        apt(root, log, "download", "nullmailer", folder=scratch)
        shutil.rmtree(root / "var/cache/apt/archives")
        shutil.move(next(scratch.glob("nullmailer_*.deb")), root / NULLMAILER.lstrip("/"))
        _publish(_stand_in(scratch, 2), root / REPOSITORY.lstrip("/"))


def programs_layer():
    """The layer's folder."""
    return kept_layer("programs", [*PACKAGES, Path(__file__).read_text(encoding="utf-8")], _fill)


if __name__ == "__main__":
    programs_layer()
