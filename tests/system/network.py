# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of the tests' own: a namespace for a machine, one for the world, and a cable between them.

    machine 192.0.2.1 ── lan0 ──────────── world0 ── 192.0.2.2 the world

The addresses are those for documentation; nothing leaves this host.
"""

import ctypes
import os
import subprocess
import threading

from receiver import Receiver

MACHINE_ADDRESS = "192.0.2.1"
WORLD_ADDRESS = "192.0.2.2"
WORLD_NAME = "mail.world.example"  # which the machine finds in /etc/hosts

CLONE_NEWNET = 0x40000000


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Network:
    """The two namespaces. A context manager."""

    def __init__(self, name):
        self.machine = f"{name}-machine"
        self.world = f"{name}-world"

    def __enter__(self):
        for namespace in (self.machine, self.world):
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        ip("link", "add", "lan0", "netns", self.machine, "type", "veth", "peer", "name", "world0", "netns", self.world)
        ip("-n", self.world, "address", "add", f"{WORLD_ADDRESS}/24", "dev", "world0")
        ip("-n", self.world, "link", "set", "world0", "up")
        self.up()
        return self

    def up(self):
        """Connects the machine, as a network manager would."""
        ip("-n", self.machine, "address", "replace", f"{MACHINE_ADDRESS}/24", "dev", "lan0")
        ip("-n", self.machine, "link", "set", "lan0", "up")
        ip("-n", self.machine, "route", "replace", "default", "via", WORLD_ADDRESS)

    def down(self):
        """Takes the machine off the network."""
        ip("-n", self.machine, "address", "flush", "dev", "lan0")
        ip("-n", self.machine, "link", "set", "lan0", "down")

    def __exit__(self, *_):
        for namespace in (self.machine, self.world):
            subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True)

    @property
    def path(self):
        return f"/run/netns/{self.machine}"


def in_namespace(name, function):
    """Calls a function in a network namespace; sockets that it makes stay there."""
    results = []

    def run():
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{name}", "rb") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                results.append(OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno())))
                return
        try:
            results.append(function())
        except OSError as error:
            results.append(error)

    thread = threading.Thread(target=run)  # setns is for one thread
    thread.start()
    thread.join()
    if isinstance(results[0], OSError):
        raise results[0]
    return results[0]


class WorldReceiver(Receiver):
    """The integration tests' receiver, in the world."""

    def __init__(self, network, **options):
        self.network = network
        super().__init__(host=WORLD_ADDRESS, **options)

    def _reserve(self, port):
        return in_namespace(self.network.world, lambda: super(WorldReceiver, self)._reserve(port))
