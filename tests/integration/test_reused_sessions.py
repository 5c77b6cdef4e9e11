# SPDX-License-Identifier: GPL-3.0-or-later
"""A server counts over a session, and ends it at a message that has done nothing for it."""

import pytest

from receiver import DROP

EXTENSIONS = {"stepwise": (), "pipelined": ("PIPELINING", "ENHANCEDSTATUSCODES"),
              "chunks": ("PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING")}
LATER = {"Queue": {"RetryFirst": "1h", "RetryLongest": "1h"}, "Smarthost": {"MaxConnections": "1"}}


def count_errors(receiver, most, end):
    """The receiver refuses "nobody", and answers each RCPT with the end once a session had so many errors."""

    def judge(session, text):
        errors = [line for line in session.connection.commands if "nobody" in line]
        if len(errors) > most:
            return end
        return "550 5.1.1 no such user" if "nobody" in text else None

    receiver.on("RCPT", judge)


@pytest.mark.parametrize("extensions", EXTENSIONS)
def test_errors_of_others_cost_a_message_no_time(make_relay, make_receiver, extensions):
    """As chasquid, Postfix (smtpd_hard_error_limit) and Exim (smtp_max_unknown_commands) count."""
    receiver = make_receiver(extensions=EXTENSIONS[extensions])
    count_errors(receiver, 2, "421 4.5.0 Too many errors")
    relay = make_relay(receiver, LATER)
    relay.send(recipients=["nobody@example.net", "nobody-else@example.net", "first@example.net"])
    relay.wait_line("delivered to <sender@example.org>")
    relay.send(recipients=["second@example.net", "nobody-there@example.net", "third@example.net"])
    relay.wait_line("delivered to <sender@example.org>", count=2)
    assert not relay.log.find("has to wait") and not relay.queue()
    assert [m.recipients for m in receiver.messages if m.sender] == [["first@example.net"],
                                                                     ["second@example.net", "third@example.net"]]
    assert len(relay.log.find("bounced.*550 5.1.1")) == 3
    assert len(receiver.connections) == 2


@pytest.mark.parametrize("extensions", EXTENSIONS)
def test_a_server_that_always_ends_is_asked_once_more(make_relay, make_receiver, extensions):
    receiver = make_receiver(extensions=EXTENSIONS[extensions])
    receiver.on("RCPT", "421 4.7.0 not you", match="unloved")
    relay = make_relay(receiver, LATER)
    relay.send(recipients=["first@example.net"])
    receiver.wait_messages(1)
    relay.wait_line("delivered to <first@example.net>")
    relay.send(recipients=["second@example.net", "unloved@example.net"])
    relay.wait_line("has to wait.*not you")
    assert len(receiver.connections) == 2
    assert len(receiver.messages) == 1


def test_a_session_that_is_closed_at_a_recipient(make_relay, make_receiver):
    receiver = make_receiver()
    receiver.on("RCPT", DROP, times=1, match="third")
    relay = make_relay(receiver, LATER)
    relay.send(recipients=["first@example.net"])
    receiver.wait_messages(1)
    relay.wait_line("delivered to <first@example.net>")
    relay.send(recipients=["second@example.net", "third@example.net"])
    relay.wait_line("delivered to <third@example.net>")
    assert not relay.log.find("has to wait")
    assert len(receiver.messages) == 2
