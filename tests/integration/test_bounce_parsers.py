# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's notices as programs read them that others wrote: Mailman's flufl.bounce, and Perl's
Mail::DeliveryStatus::BounceParser."""

import email
import json
import subprocess

import pytest
from flufl.bounce import all_failures

import mail
from receiver import PATIENCE_SECONDS

BOUNCE_PARSER = r"""
use strict;
use JSON::PP;
use Mail::DeliveryStatus::BounceParser;
my $bounce = Mail::DeliveryStatus::BounceParser->new(\*STDIN);
my @reports = map { { address => $_->get("email"), reason => $_->get("std_reason"), action => $_->get("action"),
                      status => $_->get("status") } } $bounce->reports;
print encode_json({ is_bounce => $bounce->is_bounce ? 1 : 0, message_id => $bounce->orig_message_id,
                    reports => \@reports });
"""


def perl(content):
    """What the Perl module says of a message, as it lies in a mailbox."""
    result = subprocess.run(["perl", "-e", BOUNCE_PARSER], input=content.replace(b"\r\n", b"\n"), capture_output=True, check=True,
                            timeout=PATIENCE_SECONDS)
    return json.loads(result.stdout)


def mailman(content):
    """(temporary failures, permanent failures) as Mailman's detectors say."""
    return tuple(set(addresses) for addresses in all_failures(email.message_from_bytes(content)))


@pytest.mark.parametrize("options, body", [
    ([], "hello\n"),
    (["RET=HDRS", "ENVID=id+2B1"], "hello\n"),
    ([], ("x" * 70 + "\n") * 2000),
], ids=["whole", "header-asked-for", "header-of-a-large-one"])
def test_a_failure_is_read(relay, receiver, options, body):
    receiver.on("RCPT", "550 5.1.1 no such user here", match="recipient@")
    relay.send(message=mail.text("a question", body=body, Message_ID="<one@example.org>"), options=options)
    content = receiver.wait_messages(1)[0].content
    assert mailman(content) == (set(), {b"recipient@example.net"})
    read = perl(content)
    assert read["is_bounce"] == 1
    assert read["message_id"] == "<one@example.org>"
    assert read["reports"] == [{"address": "recipient@example.net", "reason": "user_unknown", "action": "failed",
                                "status": "5.1.1"}]


def test_a_failure_of_several_recipients_is_read(relay, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user here", match="one@")
    receiver.on("RCPT", "552 5.2.2 mailbox full", match="two@")
    relay.send(recipients=["one@example.net", "two@example.net", "good@example.net"])
    messages = receiver.wait_messages(2)
    content = next(m.content for m in messages if m.sender == "")
    assert mailman(content) == (set(), {b"one@example.net", b"two@example.net"})
    assert {(r["address"], r["reason"]) for r in perl(content)["reports"]} == {
        ("one@example.net", "user_unknown"), ("two@example.net", "over_quota")}


def test_what_expired_is_read_as_a_failure(make_relay, receiver):
    receiver.on("RCPT", "451 4.2.1 busy for ever", match="recipient@")
    relay = make_relay(receiver, {"Queue": {"Lifetime": "2s", "DelayNotice": "0", "RetryFirst": "1s",
                                            "RetryLongest": "1s"}})
    relay.send()
    content = receiver.wait_messages(1)[0].content
    assert mailman(content) == (set(), {b"recipient@example.net"})


def test_a_delay_is_read_as_no_failure(make_relay, receiver):
    receiver.on("RCPT", "451 4.2.1 busy", match="recipient@")
    relay = make_relay(receiver, {"Queue": {"DelayNotice": "1s", "RetryFirst": "1s", "RetryLongest": "1s"}})
    relay.send()
    content = receiver.wait_messages(1)[0].content
    assert mailman(content) == ({b"recipient@example.net"}, set())
    receiver.forgive()


def test_a_success_is_read_as_no_failure(relay, receiver):
    relay.send(recipient_options=["NOTIFY=SUCCESS"])
    content = next(m.content for m in receiver.wait_messages(2) if m.sender == "")
    assert mailman(content) == (set(), set())
    assert [r["action"] for r in perl(content)["reports"]] in ([], ["relayed"])


def test_a_bounce_given_by_hand_is_read(make_relay, receiver):
    relay = make_relay(receiver)
    relay.postern("pause")
    relay.send()
    relay.postern("bounce", "--all")
    relay.postern("resume")
    assert mailman(receiver.wait_messages(1)[0].content) == (set(), {b"recipient@example.net"})


def test_a_failure_of_a_utf8_address_is_read(relay, receiver):
    """RFC 6533: the address type utf-8, in its ASCII form for a sender in ASCII."""
    receiver.on("RCPT", "550 5.1.1 no such user", match="用户")
    with relay.smtp() as session:
        session.ehlo()
        session.sendmail("sender@example.org", ["用户@example.net"], "Subject: x\r\n\r\nx\r\n".encode(), ["SMTPUTF8"])
    notice = mail.Notice(receiver.wait_messages(1)[0])
    (fields,) = notice.recipients
    assert fields["Final-Recipient"] == r"utf-8; \x{7528}\x{6237}@example.net"
    assert fields["Action"] == "failed"


def test_a_utf8_sender_gets_the_global_form(relay, receiver):
    """RFC 6533 3: message/global-delivery-status, sent with SMTPUTF8."""
    receiver.on("RCPT", "550 5.1.1 no such user", match="用户")
    with relay.smtp() as session:
        session.ehlo()
        session.sendmail("отправитель@example.org", ["用户@example.net"], "Subject: x\r\n\r\nx\r\n".encode(),
                         ["SMTPUTF8"])
    received = receiver.wait_messages(1)[0]
    assert received.recipients == ["отправитель@example.org"] and "SMTPUTF8" in received.mail_options
    parts = list(email.message_from_bytes(received.content).walk())
    types = [part.get_content_type() for part in parts]
    assert "message/global-delivery-status" in types
    assert "Final-Recipient: utf-8; 用户@example.net".encode() in received.content


# ---- what keeps notices from going round ----


def test_a_message_that_goes_round_is_refused(relay):
    trace = "".join(f"Received: from a{i}.example by b{i}.example; Mon, 1 Jan 2024 00:00:00 +0000\r\n" for i in range(101))
    with relay.raw() as session:
        session.ask("EHLO here")
        session.ask("MAIL FROM:<a@example.org>")
        session.ask("RCPT TO:<b@example.net>")
        session.ask("DATA")
        reply = session.ask(trace + "Subject: round\r\n\r\nx\r\n.")
    assert reply.startswith("554 5.4.6 "), reply


def test_a_notice_says_that_no_program_should_answer(relay, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user", match="recipient@")
    relay.send()
    received = receiver.wait_messages(1)[0]
    assert received.sender == ""
    assert mail.parse(received)["Auto-Submitted"] == "auto-replied"
    if received.recipient_options[received.recipients[0]]:
        assert received.recipient_options[received.recipients[0]] == ["NOTIFY=NEVER"]
