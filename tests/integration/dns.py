#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name server for one command: dns.py RECORD... -- COMMAND...

The command runs in a network of its own, in which there is nothing but this name server, and sees an /etc/resolv.conf
that names it. Needs root. A record is "NAME SRV PRIORITY WEIGHT PORT TARGET" or "NAME MX PREFERENCE HOST"; of
everything else it says that it does not exist.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

MX, SRV = 15, 33
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def encode_name(name):
    labels = [label for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def read_records(lines):
    """{(name, type): [data]}"""
    records = {}
    for line in lines:
        name, kind, *fields = line.split()
        if kind == "SRV":
            key, data = (name, SRV), struct.pack(">HHH", *map(int, fields[:3])) + encode_name(fields[3])
        else:
            key, data = (name, MX), struct.pack(">H", int(fields[0])) + encode_name(fields[1])
        records.setdefault(key, []).append(data)
    return records


def answer(query, records):
    """The answer to a query of one question."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    question = query[12:at + 5]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    found = records.get((".".join(labels), kind), [])
    flags = 0x8580 if found else 0x8583  # an authoritative answer; no such name
    head = query[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0)
    return head + question + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(d)) + d for d in found)


def serve(server, records):
    while True:
        query, peer = server.recvfrom(4096)
        server.sendto(answer(query, records), peer)


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(probe, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def check(result, what):
    if result != 0:
        sys.exit(f"dns.py: {what}: {os.strerror(ctypes.get_errno())}")


def enter_own_network(folder):
    libc = ctypes.CDLL(None, use_errno=True)
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "no network of its own")
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "no mounts of its own")
    path = os.path.join(folder, "resolv.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.1\n")
    check(libc.mount(path.encode(), b"/etc/resolv.conf", None, MS_BIND, None), "no resolv.conf of its own")
    raise_loopback()


def main():
    end = sys.argv.index("--")
    with tempfile.TemporaryDirectory() as folder:
        enter_own_network(folder)
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 53))
        threading.Thread(target=serve, args=(server, read_records(sys.argv[1:end])), daemon=True).start()
        return subprocess.run(sys.argv[end + 1:], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
