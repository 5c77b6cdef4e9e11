# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses are rewritten in envelope and header alike, whichever way a message comes in, and nothing around them is touched."""

import os
import pwd
import tempfile

import pytest

import mail
from busclient import Client

FULL = "Date: Sun, 22 Nov 2026 02:42:01 +0000\nMessage-ID: <1@example.org>\n"


@pytest.fixture
def make_rewriting(make_relay, receiver, tmp_path):
    """make_rewriting(senders, recipients, **keys of [Rewrite])"""

    def make(senders="", recipients="", relay=None, **keys):
        (tmp_path / "senders").write_text(senders)
        (tmp_path / "recipients").write_text(recipients)
        tables = {"SenderTable": tmp_path / "senders", "RecipientTable": tmp_path / "recipients"}
        return make_relay(receiver, {"Rewrite": {**tables, **keys}, "Relay": relay or {}})

    return make


@pytest.mark.parametrize("way", ["sendmail", "local", "tcp"])
def test_table_of_senders(make_rewriting, receiver, way):
    relay = make_rewriting("root@host.lan boss@x.example\nwww-data web@x.example\n@host.lan @x.example\n")
    message = (FULL + "From: \"W, D\" <www-data> (the web), joe@host.lan\nSender: root@host.lan\nReply-To: ROOT@host.lan,\n"
               " x@y.example\nTo: joe@host.lan\n\nwww-data joe@host.lan\n")
    if way == "sendmail":
        relay.sendmail("-f", "www-data", "x@example.net", message=message)
    else:
        with relay.smtp() if way == "tcp" else relay.local_smtp() as session:
            session.sendmail("www-data@localhost", ["x@example.net"], message.replace("\n", "\r\n"))
    got = receiver.wait_messages(1)[0]
    assert got.sender == "web@x.example" and got.recipients == ["x@example.net"]
    assert got.content.decode().endswith(
        FULL.replace("\n", "\r\n") + "From: \"W, D\" <web@x.example> (the web), joe@x.example\r\nSender: boss@x.example\r\n"
        "Reply-To: boss@x.example,\r\n x@y.example\r\nTo: joe@host.lan\r\n\r\nwww-data joe@host.lan\r\n")


@pytest.mark.parametrize("way", ["sendmail", "local", "tcp", "bus"])
def test_short_names_of_hosts_get_their_parent(make_rewriting, receiver, way):
    relay = make_rewriting("web@host web@x.example\n", relay={"ParentDomain": "lab.example.org", "Domain": "pi.example.org",
                                                             "LocalDomains": "own.lab.example.org",
                                                             "AdminAddress": "admin@example.net"})
    header = ("From: \"W@host\" <joe@host> (the@web), web@host\nSender: joe@localhost\nTo: a@other, b@[IPv6:::1],\n"
              " c@own, d@x.example, e\n")
    message = FULL + header + "\njoe@host\n"
    recipients = ["a@other", "c@own", "d@x.example"]
    if way == "sendmail":
        relay.sendmail("-f", "joe@host", *recipients, message=message)
    elif way == "bus":
        with tempfile.TemporaryFile() as file:
            file.write(message.encode())
            file.seek(0)
            Client(relay.bus).submit(file.fileno(), "joe@host", recipients)
    else:
        with relay.smtp() if way == "tcp" else relay.local_smtp() as session:
            session.sendmail("joe@host", recipients, message.replace("\n", "\r\n"))
    got = receiver.wait_messages(1)[0]
    assert got.sender == "joe@host.lab.example.org"
    assert got.recipients == ["a@other.lab.example.org", "admin@example.net", "d@x.example"]
    assert got.content.decode().endswith(
        FULL.replace("\n", "\r\n") + "From: \"W@host\" <joe@host.lab.example.org> (the@web), web@x.example\r\n"
        "Sender: joe@pi.example.org\r\nTo: a@other.lab.example.org, b@[IPv6:::1],\r\n c@own.lab.example.org, d@x.example,"
        " e@pi.example.org\r\n\r\njoe@host\r\n")


RETURN_PATHS = [("bounces@host.lan", "bounces@x.example"), ("Bounces <bounces@y.example> (all of them)", "bounces@y.example"),
                ("bounces", "bounces@example.org"), ("<>", ""), ("b@y.example\nReturn-path:\n <c@y.example>", "c@y.example"),
                ("b@y.example\nReturn-Path: nonsense@@\nReturn-Path: a@y.example, c@y.example", "b@y.example"),
                ("größe@y.example", "größe@y.example")]


@pytest.mark.parametrize("field, sender", RETURN_PATHS)
def test_a_return_path_names_the_sender_where_that_is_wished(make_rewriting, receiver, field, sender):
    relay = make_rewriting("@host.lan @x.example\n", relay={"Domain": "example.org"}, SenderFromReturnPath="yes")
    user = pwd.getpwuid(os.getuid()).pw_name
    relay.sendmail("x@example.net", message=f"Return-Path: {field}\nSubject: x\n\nhello\n")
    got = receiver.wait_messages(1)[0]
    assert got.sender == sender and b"eturn-" not in got.content
    assert mail.parse(got)["From"].addresses[0].addr_spec == f"{user}@example.org"


@pytest.mark.parametrize("wished, arguments, header", [
    (False, [], "Return-Path: bounces@y.example\n"),
    (True, ["-f", "own"], "Return-Path: bounces@y.example\n"),
    (True, [], "Return-Path:\n"),
    (True, [], "Return-Path: two@y.example, three@y.example\n"),
    (True, [], "Return-Path: not one@@\n"),
    (True, [], "Resent-To: x@example.net\nReturn-Path: bounces@y.example\n"),
    (True, [], "Return-Path: bounces@y.example\nResent-To: x@example.net\n"),
    (True, [], "Subject: x\n\nReturn-Path: bounces@y.example\n")])
def test_a_return_path_does_not_name_the_sender(make_rewriting, receiver, wished, arguments, header):
    relay = make_rewriting(relay={"Domain": "example.org"}, SenderFromReturnPath="yes" if wished else "no")
    relay.sendmail(*arguments, "x@example.net", message=header + "\nhello\n")
    sender = "own" if arguments else pwd.getpwuid(os.getuid()).pw_name
    assert receiver.wait_messages(1)[0].sender == f"{sender}@example.org"


def test_only_sendmail_asks_the_return_path(make_rewriting, receiver):
    relay = make_rewriting(SenderFromReturnPath="yes")
    for way in (relay.smtp, relay.local_smtp):
        with way() as session:
            session.ehlo()
            assert ("xreturnpath" in session.esmtp_features) == (way == relay.local_smtp)
            session.sendmail("a@example.org", ["x@example.net"], "Return-Path: bounces@y.example\r\n\r\nhello\r\n")
    assert [got.sender for got in receiver.wait_messages(2)] == ["a@example.org"] * 2


def test_original_is_kept_if_wished(make_rewriting, receiver):
    relay = make_rewriting(Sender="me@x.example", OriginalField="X-Original-From")
    relay.sendmail("x@example.net", message="From: Jane\n <jane@y.example>\nReply-To: jane@y.example\n\nhello\n")
    message = mail.parse(receiver.wait_messages(1)[0])
    assert str(message["From"]) == "Jane <me@x.example>" and message["X-Original-From"] == "Jane <jane@y.example>"
    assert message["Reply-To"] == "jane@y.example"


def test_table_of_recipients(make_rewriting, receiver):
    relay = make_rewriting(recipients="old@example.net new@example.net\npi jane@example.net\n@gone.example root@localhost\n",
                           relay={"AdminAddress": "admin@example.net"})
    relay.sendmail("-t", message="To: Old <old@example.net>, pi\nCc: x@example.net\n\nhello\n")
    got = receiver.wait_messages(1)[0]
    assert got.recipients == ["new@example.net", "jane@example.net", "x@example.net"]
    assert b"\r\nTo: Old <new@example.net>, jane@example.net\r\nCc: x@example.net\r\n" in got.content


def test_hosts_are_hidden(make_rewriting, receiver):
    relay = make_rewriting(Masquerade="example.com", MasqueradeExcept="root")
    relay.sendmail("-f", "joe@a.b.example.com", "y@a.example.com",
                   message="From: joe@a.b.example.com\nTo: y@a.example.com\nCc: root@a.example.com\n\nhello\n")
    got = receiver.wait_messages(1)[0]
    assert got.sender == "joe@example.com" and got.recipients == ["y@a.example.com"]
    assert b"From: joe@example.com\r\nTo: y@example.com\r\nCc: root@a.example.com\r\n" in got.content


def test_null_sender_stays_and_its_from_does_not(make_rewriting, receiver):
    relay = make_rewriting(Sender="me@x.example")
    relay.sendmail("-f", "<>", "x@example.net", message="Subject: x\n\nhello\n")
    got = receiver.wait_messages(1)[0]
    assert got.sender == "" and mail.parse(got)["From"] == "me@x.example"


def test_notice_of_a_failure_goes_to_the_rewritten_sender(make_rewriting, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user", match="gone@")
    relay = make_rewriting("root boss@x.example\n")
    relay.sendmail("-f", "root", "gone@example.net")
    got = receiver.wait_messages(1)[0]
    assert got.sender == "" and got.recipients == ["boss@x.example"]


def test_bad_table_is_an_error_of_the_configuration(make_rewriting, receiver, tmp_path):
    relay = make_rewriting("root boss@x.example\n")
    (tmp_path / "senders").write_text("root other@x.example\nroot\n/^x/ y@z@\n")
    relay.reload()
    relay.wait_line(r"senders:2: “root…”: expected a pattern and its replacement")
    relay.wait_line(r"senders:3: “y@z@” is not an address")
    relay.wait_line(r"the last good one is in force")
    relay.sendmail("-f", "root", "x@example.net")
    assert receiver.wait_messages(1)[0].sender == "boss@x.example"
    (tmp_path / "senders").write_text("root other@x.example\n")
    relay.reload()
    relay.sendmail("-f", "root", "x@example.net")
    assert receiver.wait_messages(2)[1].sender == "other@x.example"
