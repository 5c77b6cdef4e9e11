# SPDX-License-Identifier: GPL-3.0-or-later
"""How the relay treats smarthosts that are away, that refuse it, or that ask for patience; and a machine that sleeps."""

import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest

import busclient
import mail
from doubles import Logind
from receiver import PATIENCE_SECONDS


@pytest.fixture
def logind(cleanup, bus):
    return cleanup.enter_context(Logind(bus))


# ---- sleep ----


def seconds_to_probe(bus):
    """When the smarthost is to be tried again by itself, seconds from now."""
    with busclient.Client(bus) as client:
        path = client.call("ListRemotes")[0][1]
        return client.properties(path, "Remote")["NextProbe"] / 1e6 - time.time()


def test_a_machine_that_wakes_tries_its_smarthost_at_once(make_relay, make_receiver, bus, logind):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver)
    relay.send()
    relay.wait_line("smarthost default .* cannot be used")
    while (left := seconds_to_probe(bus)) < 2 * PATIENCE_SECONDS:  # each failure doubles it
        relay.postern("retry", "--all")
    receiver.start()
    logind.wake()
    receiver.wait_messages(1, seconds=left - 30)
    relay.wait_line("delivered to")


def test_a_machine_that_wakes_trusts_no_connection_from_before(make_relay, receiver, logind):
    relay = make_relay(receiver, {"Delivery": {"KeepConnection": "1h"}})
    relay.send(message=mail.text("before"))
    relay.wait_line("delivered to")
    logind.wake()
    receiver.wait_for(lambda r: r.commands("QUIT"))
    relay.send(message=mail.text("after"))
    assert receiver.wait_messages(2)[1].connection == 2


def test_what_was_on_its_way_when_the_machine_fell_asleep_goes_at_once(make_relay, receiver, logind):
    never = threading.Event()
    receiver.on("RCPT", never, times=1)
    relay = make_relay(receiver)
    relay.send()
    receiver.wait_for(lambda r: r.commands("RCPT"))
    logind.wake()
    assert receiver.wait_messages(1)[0].connection == 2
    never.set()


# ---- a login that is refused ----


def test_a_refused_login_is_told_once_and_is_no_storm(make_relay, make_receiver):
    receiver = make_receiver(users={"me": "right"}, mechanisms=("PLAIN",))
    relay = make_relay(receiver, {"Smarthost": {"User": "me", "PasswordCredential": "secret", "AuthWithoutTLS": "yes"}},
                       credentials={"secret": "wrong\n"})
    for number in range(20):
        relay.send(message=mail.text(f"number {number}"))
    relay.wait_line("has to wait")
    told = relay.log.find(r"smarthost default .*authentication refused: 5\d\d .*check the password of User=me")
    assert len(told) == 1, told
    assert len(receiver.logins) == 1
    assert "authentication refused" in relay.postern("status")
    assert [row["state"] for row in relay.queue()] == ["deferred"] * 20
    (relay.credentials / "secret").write_text("right\n", encoding="utf-8")
    relay.reload()
    assert len(receiver.wait_messages(20)) == 20


# ---- a smarthost that asks for patience ----


@pytest.mark.parametrize("reply", ["421 4.7.0 too many logins, come back later", "454 4.7.0 too many login attempts",
                                   "450 4.3.2 too many connections"])
def test_a_smarthost_that_has_enough_is_slowed_down_and_no_mail_fails(make_relay, make_receiver, reply):
    receiver = make_receiver()
    seen = []

    def only_one(session, text):
        seen.append(session)
        return reply if len(seen) > 1 else None

    receiver.on("CONNECT", only_one)
    relay = make_relay(receiver)
    with relay.smtp() as session:
        for number in range(100):
            session.sendmail("a@example.org", "b@example.net", mail.text(f"number {number}"))
    assert len(receiver.wait_messages(100)) == 100
    assert not relay.log.find("bounced|has to wait")
    assert len(seen) <= 3, "a smarthost that has enough must not be asked again and again"


# ---- a message that is too large ----


def test_a_message_that_is_too_large_bounces_at_once(make_relay, receiver):
    receiver.on("END", "552 5.3.4 message too big for system", times=1)
    relay = make_relay(receiver)
    relay.send()
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.recipient("recipient@example.net")["Status"] == "5.3.4"
    assert re.search(r"too\s+large", notice.text)


# ---- names that need no name server ----


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a network of its own")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.7"])
def test_a_name_that_the_machine_knows_itself_is_asked_of_nobody(make_relay, tmp_path, address):
    queries = tmp_path / "queries"
    queries.touch()
    island = [sys.executable, Path(__file__).with_name("island.py"), queries, f"{address} gate.example.org", "--"]
    relay = make_relay(configuration={"Smarthost": {"Host": "gate.example.org", "Port": 1, "TLS": "none"}},
                       command=island, smtp=())
    relay.sendmail("you@example.net")
    relay.wait_line("gate.example.org:1: there is no route to it" if address.startswith("192") else
                    "gate.example.org:1: connection refused")
    assert queries.read_text(encoding="ascii") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a network of its own")
def test_a_name_that_nobody_knows_is_asked_for_and_waits(make_relay, tmp_path):
    queries = tmp_path / "queries"
    queries.touch()
    island = [sys.executable, Path(__file__).with_name("island.py"), queries, "127.0.0.1 localhost", "--"]
    relay = make_relay(configuration={"Smarthost": {"Host": "gate.example.org", "TLS": "none"}}, command=island, smtp=())
    relay.sendmail("you@example.net")
    relay.wait_line(r"gate.example.org:\d+: (no such host|the name cannot be looked up)")
    assert "gate.example.org" in queries.read_text(encoding="ascii").split()
