# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries over a metered connection, as NetworkManager tells of it."""

import json
import time

import pytest

import mail
from busclient import NAME, Client
from doubles import NetworkManager
from receiver import PATIENCE_SECONDS

PAUSE = {"Delivery": {"PauseOnMetered": "yes"}}
REASON = "the network connection is metered (PauseOnMetered=yes)"


@pytest.fixture
def client(cleanup, bus):
    return cleanup.enter_context(Client(bus))


@pytest.fixture
def manager(cleanup, bus):
    """NetworkManager, which says that the connection is metered."""
    return cleanup.enter_context(NetworkManager(bus, "yes"))


def test_mail_waits_on_a_metered_connection_and_says_why(make_relay, receiver, manager):
    relay = make_relay(receiver, PAUSE)
    relay.sendmail("one@example.net")
    (message,) = relay.queue()
    assert message["state"] == "deferred" and message["attempts"] == 0
    assert message["reason"].startswith(REASON) and "postern retry" in message["reason"]
    assert REASON in relay.postern("list")
    status = relay.postern("status")
    assert "Metered:    mail waits for a connection that is not metered" in status
    assert json.loads(relay.postern("status", "--json"))["metered"] is True
    assert not receiver.messages
    manager.become("no")
    receiver.wait_messages(1)
    assert "Metered" not in relay.postern("status")


def test_what_a_person_retries_goes_and_nothing_else(make_relay, receiver, manager):
    relay = make_relay(receiver, PAUSE)
    for name in ("first", "second", "third"):
        relay.sendmail("you@example.net", message=f"Subject: {name}\n\nhello\n")
    first, second, third = (message["id"] for message in relay.queue())
    relay.postern("retry", second)
    assert mail.subjects(receiver.wait_messages(1)) == ["second"]
    # It takes the session that is there, if it takes it.
    relay.postern("retry", third)
    receiver.wait_messages(2)
    assert [(m["id"], m["reason"].startswith(REASON)) for m in relay.queue()] == [(first, True)]
    manager.become("guess-no")
    assert mail.subjects(receiver.wait_messages(3)) == ["first", "second", "third"]


def test_a_connection_becomes_metered(make_relay, receiver, manager, client):
    manager.metered = "no"
    relay = make_relay(receiver, PAUSE)
    relay.sendmail("you@example.net")
    receiver.wait_messages(1)
    client.gather("org.freedesktop.DBus.Properties")
    manager.become("guess-yes")
    client.wait_signal(lambda name, arguments, path: arguments[0] == f"{NAME}.Manager" and arguments[1].get("Metered"),
                       "Metered")
    relay.sendmail("you@example.net")
    assert [m["reason"].startswith(REASON) for m in relay.queue()] == [True]


def test_it_is_nobodys_business_unless_it_is_configured(make_relay, receiver, manager):
    relay = make_relay(receiver)
    configuration = relay.configuration_file.read_text(encoding="utf-8")
    relay.sendmail("you@example.net")
    receiver.wait_messages(1)
    relay.configure(configuration + "\n[Delivery]\nPauseOnMetered=yes\n")
    relay.reload()
    relay.sendmail("you@example.net")
    assert [m["state"] for m in relay.queue()] == ["deferred"]
    relay.configure(configuration)
    relay.reload()
    receiver.wait_messages(2)


def test_without_networkmanager_no_connection_is_metered(make_relay, receiver):
    relay = make_relay(receiver, PAUSE)
    relay.sendmail("you@example.net")
    receiver.wait_messages(1)


def test_a_networkmanager_that_starts_anew_leaves_its_answer(make_relay, receiver, bus, client, cleanup):
    with NetworkManager(bus, "yes"):
        relay = make_relay(receiver, PAUSE)
        relay.sendmail("you@example.net")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not client.properties()["Metered"]:  # its answer is on the way
            assert time.monotonic() < deadline
    assert client.properties()["Metered"] is True
    assert [m["state"] for m in relay.queue()] == ["deferred"]
    cleanup.enter_context(NetworkManager(bus, "no"))
    receiver.wait_messages(1)
