# SPDX-License-Identifier: GPL-3.0-or-later
"""What the integration tests are made of; see ../README.md."""

import ctypes
import os
import socket
import tempfile
from contextlib import ExitStack

import pytest

from certificates import Certificates
from receiver import Receiver
from relay import Bus, Postern, merge
from sink import Sink


CLONE_NEWUTS = 0x04000000


def pytest_configure():
    """Gives the tests a machine with a full name, whatever this one is called: a relay without one warns of it."""
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUTS) == 0:
        socket.sethostname("gate.example.org")


@pytest.fixture(scope="session")
def certificates():
    with tempfile.TemporaryDirectory(prefix="postern-certificates-") as folder:
        yield Certificates(folder)


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
def bus(cleanup):
    """The address of a private message bus."""
    return cleanup.enter_context(Bus()).address


@pytest.fixture
def make_receiver(cleanup):
    """make_receiver(up=True, ...) makes a receiver; see receiver.Receiver for what it can be told."""

    def make(up=True, **options):
        receiver = Receiver(**options)
        cleanup.callback(receiver.close)
        return receiver.start() if up else receiver

    return make


@pytest.fixture
def receiver(make_receiver):
    """A receiver that takes everything, without TLS."""
    return make_receiver()


@pytest.fixture
def make_sink(cleanup):
    """make_sink(keep=False) starts Postfix's smtp-sink."""
    return lambda **options: cleanup.enter_context(Sink(**options))


@pytest.fixture
def make_relay(cleanup, bus):
    """make_relay(smarthosts, configuration, start=True, ...) makes a relay on the private bus.

    smarthosts: a receiver, a list of them in order of preference, or nothing; configuration adds to what that gives,
    {"Smarthost": {...}} for the first one, {"Smarthost second": {...}} and so on for the others.
    """
    ordinals = ["Smarthost", "Smarthost second", "Smarthost third", "Smarthost fourth"]

    def make(smarthosts=(), configuration=None, start=True, **options):
        if isinstance(smarthosts, Receiver):
            smarthosts = [smarthosts]
        base = {"Relay": {"HostName": "relay.example.org", "Domain": "example.org"}, "Queue": {"ReserveSpace": "1M"},
                "Aliases": {"File": "none"}}
        for group, receiver in zip(ordinals, smarthosts):
            security = {None: "none", "starttls": "starttls", "implicit": "implicit"}[receiver.tls]
            base[group] = {"Host": receiver.host, "Port": receiver.port, "TLS": security}
        if not isinstance(configuration, str):
            configuration = merge(base, configuration)
        relay = Postern(configuration, bus=options.pop("bus", bus), **options)
        cleanup.callback(relay.close)
        return relay.start() if start else relay

    return make


@pytest.fixture
def relay(make_relay, receiver):
    """A relay whose smarthost is the fixture receiver."""
    return make_relay(receiver)
