# SPDX-License-Identifier: GPL-3.0-or-later
"""A message with more recipients than the server takes in one transaction (RFC 5321 4.5.3.1.8)."""

import pytest

import mail

EXTENSIONS = {"stepwise": (), "pipelined": ("PIPELINING", "ENHANCEDSTATUSCODES"),
              "chunks": ("PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING")}


def limit(receiver, most, reply):
    """The receiver takes so many recipients in one transaction."""
    receiver.on("RCPT", lambda session, _: reply if len(session.envelope.rcpt_tos) >= most else None)


@pytest.mark.parametrize("reply", ["452 4.5.3 too many recipients", "452 too many", "552 too many", "552 5.5.3 too many"])
@pytest.mark.parametrize("extensions", EXTENSIONS)
def test_a_thousand_recipients_go_in_ten_transactions(make_relay, make_receiver, reply, extensions):
    receiver = make_receiver(extensions=EXTENSIONS[extensions])
    limit(receiver, 100, reply)
    relay = make_relay(receiver)
    addresses = [f"user{i}@example.net" for i in range(1000)]
    relay.send(recipients=addresses)
    receiver.wait_for(lambda r: sum(len(m.recipients) for m in r.messages) == 1000)
    assert sorted(a for m in receiver.messages for a in m.recipients) == sorted(addresses)
    assert [len(m.recipients) for m in receiver.messages] == [100] * 10
    assert len(receiver.commands("MAIL")) == 10
    assert len(receiver.connections) == 1
    relay.wait_line("delivered to .* and 99 more", count=10)
    assert not relay.log.find("has to wait") and not relay.queue()


def test_a_configured_limit_is_kept_from_the_first_transaction(make_relay, receiver):
    relay = make_relay(receiver, {"Smarthost": {"MaxRecipients": "4"}})
    relay.send(recipients=[f"user{i}@example.net" for i in range(10)])
    receiver.wait_messages(3)
    assert [len(m.recipients) for m in receiver.messages] == [4, 4, 2]


def test_what_was_taken_is_on_record_before_the_next_part_goes(make_relay, make_receiver):
    """The server goes away after the first of three parts: nobody gets the message twice."""
    receiver = make_receiver()
    limit(receiver, 2, "452 4.5.3 too many")
    receiver.on("MAIL", lambda session, _: "421 4.3.2 going down" if len(receiver.messages) == 1 and
                len(receiver.connections) == 1 else None)
    relay = make_relay(receiver, {"Queue": {"RetryFirst": "1s", "RetryLongest": "1s"}})
    relay.send(recipients=[f"user{i}@example.net" for i in range(5)], message=mail.text("in parts"))
    receiver.wait_for(lambda r: sum(len(m.recipients) for m in r.messages) == 5)
    got = [a for m in receiver.messages for a in m.recipients]
    assert sorted(got) == [f"user{i}@example.net" for i in range(5)]
