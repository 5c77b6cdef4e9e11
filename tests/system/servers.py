#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers of mail servers: those that Debian packages, and the one that comes from the registry of Node.js's packages.

Debian's exclude each other as packages. They are unpacked side by side with what they need, and never set up: mailservers.py
does that, and runs them in a chroot(8).

Run as a program it makes the layers, for those who will want them soon.
"""

import os
import shutil
import subprocess
from pathlib import Path

from layers import apt, kept_layer, root_above
from root import Unable

PACKAGES = ["postfix", "exim4-daemon-light", "opensmtpd", "chasquid", "nodejs"]
USERS = ["postfix", "Debian-exim", "opensmtpd", "opensmtpq", "chasquid", "vmail"]
GROUPS = ["postdrop"]

NODE_PACKAGE = "smtp-server@3.21.6"
NODE_FOLDER = "srv/node"


def _fill(upper, scratch, log):
    with root_above(upper, scratch) as root:
        for package in PACKAGES:
            apt(root, log, "install", "--download-only", package)
            for archive in (root / "var/cache/apt/archives").glob("*.deb"):
                subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, stdout=(scratch / "tar").open("wb"))
                # tar follows the links of /lib and /sbin into /usr, as dpkg does.
                subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", root, "-f", scratch / "tar"], check=True,
                               stdout=log, stderr=log)
                archive.unlink()
        for name in USERS:
            subprocess.run(["chroot", root, "useradd", "--system", "--user-group", name], check=True, stdout=log, stderr=log)
        for name in GROUPS:
            subprocess.run(["chroot", root, "groupadd", "--system", name], check=True, stdout=log, stderr=log)
        shutil.rmtree(root / "var/cache/apt/archives")


def servers_layer():
    """The folder of the layer with Debian's servers."""
    return kept_layer("servers", [*PACKAGES, Path(__file__).read_text(encoding="utf-8")], _fill)


def _fill_node(upper, scratch, log):
    folder = upper / NODE_FOLDER
    folder.mkdir(parents=True)
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", f"--prefix={folder}",
                               f"--cache={scratch}/npm", NODE_PACKAGE], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
                              env={**os.environ, "HOME": str(scratch)})
    except FileNotFoundError as error:
        raise Unable("npm is not installed") from error
    if done.returncode != 0:
        raise Unable(f"npm cannot install {NODE_PACKAGE}:\n" + Path(log.name).read_text("utf-8")[-2000:])


def node_layer():
    """The folder of the layer with the server in JavaScript."""
    return kept_layer("node", [NODE_PACKAGE, Path(__file__).read_text(encoding="utf-8")], _fill_node)


if __name__ == "__main__":
    servers_layer()
    node_layer()
