#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command where there is no network: island.py QUERIES HOSTS -- COMMAND...

The command has the loopback interface alone, an /etc/hosts with the lines HOSTS, and a name server that never answers; what
that is asked, a name a line, goes to the file QUERIES. The command takes this process's place.
"""

import ctypes
import os
import signal
import socket
import sys
import tempfile

from dns import CLONE_NEWNET, CLONE_NEWNS, MS_BIND, MS_PRIVATE, MS_REC, check, raise_loopback

PR_SET_PDEATHSIG = 1


def name_of(query):
    """The first name that is asked for."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(labels)


def listen_in_silence(libc, server, path):
    if os.fork():
        return
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with open(path, "a", encoding="ascii", buffering=1) as queries:
        while True:
            print(name_of(server.recv(4096)), file=queries)


def main():
    path, hosts, dashes, *command = sys.argv[1:]
    assert dashes == "--"
    libc = ctypes.CDLL(None, use_errno=True)
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "no network of its own")
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "no mounts of its own")
    for file, text in {"/etc/resolv.conf": "nameserver 127.0.0.1\n", "/etc/hosts": hosts + "\n"}.items():
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as own:
            own.write(text)
            own.flush()
            os.chmod(own.name, 0o644)
            check(libc.mount(own.name.encode(), file.encode(), None, MS_BIND, None), f"no {file} of its own")
    raise_loopback()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    listen_in_silence(libc, server, path)
    server.close()
    os.execvp(command[0], command)


main()
