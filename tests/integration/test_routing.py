# SPDX-License-Identifier: GPL-3.0-or-later
"""Which smarthost gets what: routes by recipient, sender and submitting user; discarding, holding and sharing."""

import json
import os

import pytest

import mail

QUICK = {"Queue": {"RetryFirst": "1s", "RetryLongest": "1s"}}


@pytest.fixture
def two(make_receiver):
    return make_receiver(), make_receiver()


def addresses(receiver):
    return sorted(address for message in receiver.messages for address in message.recipients)


def test_a_route_by_recipient_splits_a_message(make_relay, two):
    relay = make_relay(two, {"Route office": {"Recipients": "example.com *.example.com boss@", "Smarthosts": "second"}})
    relay.send(recipients=["a@example.net", "b@example.com", "c@mail.example.com", "Boss@example.net"])
    two[0].wait_messages(1)
    two[1].wait_messages(1)
    assert addresses(two[0]) == ["a@example.net"]
    assert addresses(two[1]) == ["Boss@example.net", "b@example.com", "c@mail.example.com"]
    relay.wait_line("delivered to", count=4)
    assert not relay.queue()


def test_a_route_by_sender(make_relay, two):
    relay = make_relay(two, {"Route work": {"Senders": "me@work.example", "Smarthosts": "second"},
                             "Route rest": {"Smarthosts": "default"}})
    relay.send(sender="me@work.example", message=mail.text("work"))
    relay.send(sender="me@home.example", message=mail.text("home"))
    assert mail.subjects(two[1].wait_messages(1)) == ["work"]
    assert mail.subjects(two[0].wait_messages(1)) == ["home"]


def test_a_route_by_submitting_user(make_relay, two):
    relay = make_relay(two, {"Route mine": {"Users": str(os.getuid()), "Smarthosts": "second"}})
    relay.sendmail("user@example.net", message="Subject: local\n\nhello\n")
    relay.send(message=mail.text("tcp"))
    assert sorted(mail.subjects(two[1].wait_messages(2))) == ["local", "tcp"]
    assert two[0].messages == []


def test_a_route_of_other_users(make_relay, two):
    relay = make_relay(two, {"Route other": {"Users": str(os.getuid() + 1), "Smarthosts": "second"}})
    relay.send(message=mail.text("tcp"))
    assert mail.subjects(two[0].wait_messages(1)) == ["tcp"]


def test_a_smarthost_of_one_route_that_is_down_holds_up_no_other(make_relay, make_receiver):
    first, second = make_receiver(), make_receiver(up=False)
    relay = make_relay([first, second], {**QUICK, "Route com": {"Recipients": "example.com", "Smarthosts": "second"}})
    relay.send(recipients=["a@example.com", "b@example.net"], message=mail.text("both"))
    for number in range(10):
        relay.send(recipients="c@example.net", message=mail.text(f"number {number}"))
    first.wait_messages(11)
    assert addresses(second) == []
    relay.wait_line("mail for <a@example.com> has to wait, deferred")
    second.start()
    relay.postern("retry", "--all")
    second.wait_messages(1)
    assert addresses(second) == ["a@example.com"]


def test_what_a_route_discards_is_logged_and_goes_nowhere(make_relay, receiver):
    relay = make_relay(receiver, {"Route test": {"Recipients": "*.invalid", "Action": "discard"}})
    relay.send(recipients=["a@box.invalid", "b@example.net"])
    relay.wait_line(r"mail for <a@box\.invalid> was not sent: discarded by \[Route test\] of the configuration")
    receiver.wait_messages(1)
    relay.wait_line("delivered to <b@example.net>")
    assert addresses(receiver) == ["b@example.net"]
    assert not relay.queue()


def test_what_a_route_holds_waits_for_a_release(make_relay, two):
    relay = make_relay(two, {"Route look": {"Senders": "web@", "Action": "hold", "Smarthosts": "second"}})
    relay.send(sender="web@example.org", message=mail.text("a form"))
    relay.wait_line(r"held: held by \[Route look\] of the configuration")
    held = json.loads(relay.postern("list", "--state=held", "--json"))
    assert len(held) == 1 and not two[0].messages and not two[1].messages
    relay.restart()
    assert len(json.loads(relay.postern("list", "--state=held", "--json"))) == 1
    relay.postern("release", "--all")
    assert mail.subjects(two[1].wait_messages(1)) == ["a form"]


def test_a_route_shares_by_weight(make_relay, two):
    relay = make_relay(two, {"Smarthost": {"Weight": "3"}, "Route all": {"Share": "yes"}})
    with relay.smtp() as session:
        for number in range(40):
            session.sendmail("a@example.org", "b@example.net", mail.text(f"number {number}"))
            relay.wait_line("delivered to", count=number + 1)
    assert abs(len(two[0].messages) - 30) <= 1
    assert abs(len(two[1].messages) - 10) <= 1


def test_a_reload_routes_queued_mail_anew(make_relay, make_receiver):
    first, second = make_receiver(up=False), make_receiver()
    relay = make_relay([first, second], {"Route com": {"Recipients": "example.com", "Smarthosts": "default"}})
    for number in range(5):
        relay.send(recipients="a@example.com", message=mail.text(f"number {number}"))
    relay.wait_line("has to wait")
    assert not second.messages
    text = relay.configuration_file.read_text(encoding="utf-8")
    relay.configure(text.replace("Smarthosts=default", "Smarthosts=second"))
    relay.reload()
    assert len(second.wait_messages(5)) == 5
    relay.configure(text.replace("[Route com]", "[Route com]\nAction=discard").replace("Smarthosts=default", ""))
    relay.reload()
    relay.send(recipients="a@example.com")
    relay.wait_line("discarded by")


def test_a_route_to_nowhere_is_refused_at_a_reload(make_relay, receiver):
    relay = make_relay(receiver)
    text = relay.configuration_file.read_text(encoding="utf-8")
    relay.configure(text + "[Route com]\nRecipients=example.com\nSmarthosts=tertiary\n")
    relay.reload()
    relay.wait_line(r"there is no \[Smarthost tertiary\]; expected names of smarthosts, of which there are: default")
    relay.send(recipients="a@example.com")
    receiver.wait_messages(1)
