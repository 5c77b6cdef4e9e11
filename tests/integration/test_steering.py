# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that somebody gives up or sends elsewhere: postern bounce and redirect, and their calls on the bus."""

import os
import subprocess
import threading

import pytest

import mail
from busclient import BusError, Client, SystemBus
from doubles import Polkit
from receiver import PATIENCE_SECONDS
from relay import POSTERN, environment, for_everybody

USAGE, NOT_FOUND = 2, 3


@pytest.fixture
def waiting(make_relay, receiver):
    """A relay that sends nothing until it is told to."""
    relay = make_relay(receiver)
    relay.postern("pause")
    return relay


def ids(relay):
    return [row["id"] for row in relay.queue()]


# ---- giving up ----


def test_a_bounced_message_goes_back_to_its_sender(waiting, receiver):
    waiting.send(message=mail.text("unwanted", Message_ID="<one@example.org>"))
    assert waiting.postern("bounce", *ids(waiting)) == "Bounced 1 message.\n"
    waiting.wait_line("mail for <recipient@example.net> bounced: the people who run the mail relay decided not to deliver it")
    waiting.postern("resume")
    notice = mail.Notice(receiver.wait_messages(1)[0])
    fields = notice.recipient("recipient@example.net")
    assert (fields["Action"], fields["Status"]) == ("failed", "5.3.0")
    assert notice.returned["Message-ID"] == "<one@example.org>"
    assert "the people who run the mail relay decided not to deliver it" in " ".join(notice.text.split())
    waiting.wait_line("delivered to <sender@example.org>")
    assert not waiting.queue()


REASON = 'We have moved: write to "new@example.com", please.'


def bounce_by_command(relay, reason):
    assert relay.postern("bounce", f"--reason={reason}", *ids(relay)) == "Bounced 1 message.\n"


def bounce_by_bus(relay, reason):
    with Client(relay.bus) as client:
        assert client.call("BounceWithReason", "(a{sv}s)", {}, reason) == 1


def bounce_by_object(relay, reason):
    with Client(relay.bus) as client:
        path = client.call("GetMessage", "(s)", ids(relay)[0])
        client.call("BounceWithReason", "(s)", reason, path=path, interface="Message")


@pytest.mark.parametrize("bounce", [bounce_by_command, bounce_by_bus, bounce_by_object])
@pytest.mark.parametrize("held", [False, True])
def test_the_sender_is_told_the_reason(waiting, receiver, bounce, held):
    waiting.send()
    if held:
        waiting.postern("hold", "--all")
    bounce(waiting, REASON)
    waiting.wait_line("decided not to deliver it, and wrote: ")
    waiting.postern("resume")
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert f'decided not to deliver it, and wrote: "{REASON}"' in " ".join(notice.text.split())


def test_a_reason_survives_the_end_of_the_daemon(make_relay, make_receiver):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver)
    relay.send()
    relay.wait_line("has to wait")
    relay.postern("bounce", "--all", f"--reason={REASON}")
    relay.kill9()
    receiver.start()
    relay.start()
    relay.postern("retry", "--all")
    notices = receiver.wait_for(lambda r: [m for m in r.messages if m.sender == ""])
    assert f'wrote: "{REASON}"' in " ".join(mail.Notice(notices[0]).text.split())


@pytest.mark.parametrize("reason, words", [("", "is empty"), ("  ", "is empty"), ("one\ntwo", "control characters"),
                                           ("\x1b[31m", "control characters"), ("x" * 501, "501 bytes, at most 500")])
def test_a_reason_that_cannot_be_told(waiting, reason, words):
    waiting.send()
    assert words in waiting.postern("bounce", "--all", f"--reason={reason}", status=USAGE).stderr
    assert len(waiting.queue()) == 1


def test_no_reason_pretends_to_be_a_field_of_the_notice(waiting, receiver):
    reason = "x" * 300 + " \u202eFinal-Recipient: rfc822;other@example.net " + "ü" * 50
    waiting.send()
    bounce_by_command(waiting, reason)
    waiting.wait_line("wrote: ")
    waiting.postern("resume")
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert "\u202e" not in notice.text and len(notice.recipients) == 1


def test_the_history_has_what_people_did(waiting):
    waiting.send()
    for command in ("hold", "release", "hold"):
        waiting.postern(command, "--all")
    shown = waiting.postern("show", *ids(waiting))
    told = [line.split(None, 1)[1] for line in shown[shown.index("History"):].splitlines()[1:]]
    assert told == ["held by hand", "released by hand", "held by hand"]


def test_a_held_message_can_be_bounced(waiting, receiver):
    waiting.send()
    waiting.postern("hold", "--all")
    waiting.postern("bounce", "--all")
    waiting.wait_line("bounced: ")
    waiting.postern("resume")
    assert mail.Notice(receiver.wait_messages(1)[0]).recipient("recipient@example.net")


def test_what_has_no_sender_is_not_bounced(waiting):
    waiting.send(sender="")
    result = waiting.postern("bounce", *ids(waiting), status=NOT_FOUND)
    assert "it has no sender to be told" in result.stderr
    assert len(waiting.queue()) == 1


def test_a_bounce_survives_the_end_of_the_daemon(make_relay, make_receiver):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver)
    for number in range(20):
        relay.send(sender=f"s{number}@example.org")
    relay.postern("bounce", "--all")
    relay.kill9()
    receiver.start()
    relay.start()
    relay.postern("retry", "--all")
    everybody = {f"s{number}@example.org" for number in range(20)}
    receiver.wait_for(lambda r: {m.recipients[0] for m in r.messages} >= everybody)
    assert {m.sender for m in receiver.messages} == {""}
    relay.wait_line("delivered to", count=20)


def test_a_message_that_is_being_delivered_is_given_up_when_that_attempt_has_ended(make_relay, receiver):
    gate = threading.Event()
    receiver.on("RCPT", gate, match="recipient@", times=1)
    receiver.on("END", "451 4.3.0 later", times=1)
    relay = make_relay(receiver)
    relay.send()
    receiver.wait_for(lambda r: r.commands("RCPT"))
    relay.postern("bounce", "--all")
    assert not relay.log.find("bounced")
    gate.set()
    relay.wait_line("has to wait, deferred")
    relay.wait_line("mail for <recipient@example.net> bounced")
    assert mail.Notice(receiver.wait_messages(1)[0]).recipient("recipient@example.net")["Status"] == "5.3.0"


# ---- sending elsewhere ----


def test_who_just_gets_a_message_gets_it_and_the_new_address_does_not(make_relay, receiver):
    gate = threading.Event()
    receiver.on("RCPT", gate, times=1)
    relay = make_relay(receiver)
    relay.send()
    receiver.wait_for(lambda r: r.commands("RCPT"))
    relay.postern("redirect", "--all", "--to=new@example.com")
    gate.set()
    assert receiver.wait_messages(1)[0].recipients == ["recipient@example.net"]
    relay.wait_line("delivered to")
    assert not relay.queue()
    assert len(receiver.messages) == 1


def test_a_redirected_message_goes_to_the_new_address_only(waiting, receiver):
    waiting.send(recipients=["a@example.net", "b@example.net"], message=mail.text("elsewhere"))
    assert waiting.postern("redirect", *ids(waiting), "--to=c@example.com") == "Redirected 1 message.\n"
    waiting.wait_line("mail of <sender@example.org> was redirected to <c@example.com>")
    assert waiting.queue()[0]["recipient"] == "c@example.com"
    assert "redirected to c@example.com" in waiting.postern("show", *ids(waiting))
    waiting.restart()
    message = receiver.wait_messages(1)[0]
    assert message.recipients == ["c@example.com"], "an address that comes twice is named once"
    waiting.wait_line("delivered to <c@example.com>", count=2)
    assert not waiting.queue()
    assert len(receiver.messages) == 1


def test_a_notice_about_a_redirected_message_names_the_address_that_was_meant(waiting, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user", match="c@example.com")
    waiting.send()
    waiting.postern("redirect", "--all", "--to", "c@example.com")
    waiting.postern("resume")
    fields = mail.Notice(receiver.wait_messages(1)[0]).recipient("c@example.com")
    assert fields["Original-Recipient"].replace(" ", "") == "rfc822;recipient@example.net"


def test_a_redirection_needs_an_address(waiting):
    waiting.send()
    assert "--to=ADDRESS" in waiting.postern("redirect", "--all", status=USAGE).stderr
    result = waiting.postern("redirect", "--all", "--to=nobody@", status=USAGE)
    assert "“nobody@” is not an address" in result.stderr
    assert waiting.queue()[0]["recipient"] == "recipient@example.net"


def test_a_redirected_message_takes_the_new_addresss_route(make_relay, make_receiver):
    world, house = make_receiver(), make_receiver()
    relay = make_relay([world, house], {"Route house": {"Recipients": "house.example", "Smarthosts": "second"}})
    relay.postern("pause")
    relay.send()
    relay.postern("redirect", "--all", "--to=me@house.example")
    relay.postern("resume")
    assert house.wait_messages(1)[0].recipients == ["me@house.example"]
    assert not world.messages


# ---- on the bus ----


def test_the_message_object_does_it_too(waiting, bus):
    waiting.send()
    waiting.send()
    with Client(bus) as client:
        client.gather()
        client.call("Subscribe", "(a{sv})", {})
        first, second = client.ids()
        client.call("Redirect", "(s)", "new@example.com", path=f"/org/postern/Relay1/message/{first}", interface="Message")
        told = client.wait_named("MessageRedirected")
        assert (told[0], told[2]) == (first, "new@example.com")
        assert client.message(first)["Recipients"][0][0] == "new@example.com"
        client.call("Bounce", path=f"/org/postern/Relay1/message/{second}", interface="Message")
        assert client.wait_named("MessageBounced")[0] == second


@pytest.mark.parametrize("address", ["", "bare", "a@b c", "<a@example.com", "a@example.com>x"])
def test_the_bus_takes_no_bad_address(waiting, bus, address):
    waiting.send()
    with Client(bus) as client, pytest.raises(BusError) as raised:
        client.call("Redirect", "(a{sv}s)", {}, address)
    assert raised.value.name == "InvalidArgument"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_others_mail_is_neither_bounced_nor_redirected_without_polkit(cleanup, make_relay, receiver):
    system = cleanup.enter_context(SystemBus())
    relay = make_relay(receiver, bus="system", variables=system.variables)
    cleanup.enter_context(Polkit(system.address))
    with Client(system.address) as client:
        client.call("Pause")
        relay.send()
        (other,) = client.ids()
        for command in (["bounce", "--all"], ["bounce", "--reason=so", other], ["redirect", "--to=me@example.com", other], ["bounce", other]):
            result = subprocess.run([for_everybody(POSTERN), "--bus=system", *command], user="nobody",
                                    group="nogroup", extra_groups=[],
                                    env=environment(**system.variables, HOME="/"), stdin=subprocess.DEVNULL, text=True,
                                    capture_output=True, check=False, timeout=PATIENCE_SECONDS)
            assert "1 message" not in result.stdout, result.stdout
        assert client.message(other)["Recipients"][0][0] == "recipient@example.net"


# ---- trying again ----


def test_who_lets_mail_be_tried_again_hears_what_comes_of_it(make_relay, make_receiver):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver)
    relay.send()
    relay.wait_line("smarthost default .* cannot be used")
    told = relay.postern("retry", "--all")
    assert told.startswith(f"Retrying 1 message.\nAsked 127.0.0.1:{receiver.port} again: connection refused: nothing listens")
    assert "next time in " in told and told.count("127.0.0.1") == 1

    receiver.start()
    assert f"Asked 127.0.0.1:{receiver.port} again: it takes mail.\n" in relay.postern("retry", "--all")
    receiver.wait_messages(1)


def test_nothing_is_said_of_smarthosts_that_are_up(make_relay, receiver):
    receiver.on("RCPT", "450 4.2.0 later")
    relay = make_relay(receiver)
    relay.send()
    relay.wait_line("has to wait")
    assert relay.postern("retry", "--all") == "Retrying 1 message.\n"
