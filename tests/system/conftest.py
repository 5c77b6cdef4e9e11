# SPDX-License-Identifier: GPL-3.0-or-later
"""What the system tests are made of; see ../README.md."""

import json
import os
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from certificates import Certificates
from gate import Gate
from machine import Machine
from network import WORLD_ADDRESS, WORLD_NAME, WorldReceiver

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("POSTERN_BUILD", TOP / "build")).resolve()


@pytest.fixture(scope="session")
def scratch():
    with tempfile.TemporaryDirectory(prefix="postern-system-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def certificates(scratch):
    folder = scratch / "certificates"
    folder.mkdir()
    made = Certificates(folder)
    made.world = made.make_server("world", WORLD_NAME, f"DNS:{WORLD_NAME},IP:{WORLD_ADDRESS}")
    return made


@pytest.fixture(scope="session")
def installed(scratch):
    """A folder with the files that `meson install` installs."""
    options = json.loads((BUILD / "meson-info" / "intro-buildoptions.json").read_text(encoding="utf-8"))
    prefix = next(o["value"] for o in options if o["name"] == "prefix")
    assert prefix == "/usr", f"{BUILD} is set up for {prefix}; meson configure -Dprefix=/usr {BUILD}"
    folder = scratch / "installed"
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(folder)})
    return folder


@pytest.fixture(scope="session")
def machine(installed):
    """A booted machine with Postern set up as README.md says: its socket listens, the relay sleeps."""
    with Machine([installed]) as booted:
        booted.shell("systemd-sysusers && systemd-tmpfiles --create postern.conf && systemctl daemon-reload")
        booted.run("systemctl", "enable", "--now", "postern.socket")
        booted.run("journalctl", "--update-catalog")
        yield booted


@pytest.fixture
def figure(record_property):
    """figure(text) tells a measured figure; tests/run prints it."""
    return lambda text: record_property("figure", text)


@pytest.fixture
def cleanup():
    """What a test started, ended in the reverse order when it is over."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def gate(machine):
    """The machine with an empty queue, no smarthost, its sockets listening, and the relay asleep."""
    gate = Gate(machine)
    gate.reset()
    return gate


@pytest.fixture
def make_receiver(machine, cleanup):
    """make_receiver(up=True, ...) makes a receiver in the world; see receiver.Receiver for what it can be told."""

    def make(up=True, **options):
        receiver = WorldReceiver(machine.network, **options)
        cleanup.callback(receiver.close)
        return receiver.start() if up else receiver

    return make


@pytest.fixture
def receiver(make_receiver):
    """A receiver that takes everything, without TLS."""
    return make_receiver()
