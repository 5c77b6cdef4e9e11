# SPDX-License-Identifier: GPL-3.0-or-later
"""The log as text: the same fields as in the journal, and never a secret."""

import base64
import re

import pytest

import mail

FIELD = re.compile(r' (POSTERN_[A-Z_]+)=("(?:[^"\\]|\\.)*"|\S+)')


def fields(line):
    return {name: value.strip('"') for name, value in FIELD.findall(line)}


def test_each_line_about_a_message_has_the_fields(relay, receiver):
    receiver.on("RCPT", "450 4.2.1 mailbox busy", match="busy@", times=1)
    receiver.on("RCPT", "550 5.1.1 no such user", match="nobody@")
    relay.send(recipients=["good@example.net", "busy@example.net", "nobody@example.net"])
    remote = f"127.0.0.1:{receiver.port}"
    relay.wait_line("bounced")

    queued = fields(relay.wait_line(".*queued mail of <sender@example.org>.*")[0])
    identifier = queued["POSTERN_QUEUE_ID"]
    assert queued["POSTERN_SENDER"] == "sender@example.org"
    assert queued["POSTERN_RECIPIENT"] == "nobody@example.net"  # the last one of the three fields
    assert int(queued["POSTERN_SIZE"]) > 100

    delivered = fields(relay.wait_line(".*delivered to <good@example.net>.*")[0])
    assert delivered["POSTERN_QUEUE_ID"] == identifier
    assert delivered["POSTERN_RECIPIENT"] == "good@example.net"
    assert delivered["POSTERN_REMOTE"] == remote
    assert delivered["POSTERN_STATUS"].startswith("2.")
    assert delivered["POSTERN_REPLY"].startswith("250 2.0.0 ok")
    assert int(delivered["POSTERN_DELAY_USEC"]) > 0

    deferred = fields(relay.wait_line(".*busy@example.net.*deferred.*")[0])
    assert deferred["POSTERN_STATUS"] == "4.2.1"
    assert deferred["POSTERN_REPLY"] == "450 4.2.1 mailbox busy"
    assert deferred["POSTERN_REMOTE"] == remote

    bounced = fields(relay.wait_line(".*nobody@example.net.*bounced.*")[0])
    assert bounced["POSTERN_STATUS"] == "5.1.1"
    assert bounced["POSTERN_QUEUE_ID"] == identifier

    # The notice is a message of its own.
    receiver.wait_for(lambda r: any(m.sender == "" for m in r.messages))
    notice = fields(relay.wait_line(".*queued mail of <>.*")[0])
    assert notice["POSTERN_QUEUE_ID"] != identifier


def test_what_an_administrator_does_is_logged(make_relay, make_receiver):
    relay = make_relay(make_receiver(up=False))
    relay.send()
    relay.wait_line("has to wait|cannot be used")
    relay.postern("hold", "--all")
    relay.wait_line("held.*POSTERN_QUEUE_ID=")
    relay.postern("release", "--all")
    relay.wait_line("released.*POSTERN_QUEUE_ID=")
    relay.postern("delete", relay.queue()[0]["id"])
    relay.wait_line("deleted.*POSTERN_QUEUE_ID=")


def test_a_remote_that_goes_and_comes_is_logged(make_relay, make_receiver):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver, {"Queue": {"RetryFirst": "1s", "RetryLongest": "1s"}})
    relay.send()
    down = fields(relay.wait_line(".*cannot be used.*")[0])
    assert down["POSTERN_REMOTE"] == f"127.0.0.1:{receiver.port}"
    assert "refused" in down["POSTERN_REPLY"].lower()
    receiver.start()
    relay.wait_line("takes mail.*POSTERN_REMOTE=")


def test_a_stranger_cannot_forge_the_log(relay, receiver):
    receiver.on("RCPT", '550 5.1.1 no\x1b[31m "POSTERN_QUEUE_ID=forged" POSTERN_STATUS=2.0.0', match="recipient@")
    relay.send()
    line = relay.wait_line(".*bounced.*")[0]
    assert fields(line)["POSTERN_STATUS"] == "5.1.1"
    assert fields(line)["POSTERN_QUEUE_ID"] != "forged"
    assert "\x1b" not in relay.log_text()


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
def test_no_secret_reaches_a_log(make_relay, make_receiver, certificates, accepted):
    password = "s3cret-of-the-smarthost"
    receiver = make_receiver(tls="starttls", certificate=certificates.server,
                             users={"user": password if accepted else "another"})
    relay = make_relay(receiver, {"Smarthost": {"Host": "localhost", "TrustFile": certificates.authority[0],
                                                "User": "user", "PasswordCredential": "smarthost"}},
                       credentials={"smarthost": password}, variables={"G_MESSAGES_DEBUG": "all"})
    relay.send()
    relay.wait_line("delivered to" if accepted else "535")
    relay.postern("status")
    relay.postern("list")
    relay.postern("stats")
    identifiers = [m["id"] for m in relay.queue()]
    for identifier in identifiers:
        relay.postern("show", identifier, "--content")
    everything = relay.log_text() + "".join(relay.outputs)
    for form in (password.encode(), base64.b64encode(password.encode()),
                 base64.b64encode(b"\0user\0" + password.encode())):
        assert form.decode() not in everything


def test_subjects_and_bodies_are_not_logged(relay, receiver):
    relay.send(message=mail.text("a private subject", body="a private body\n"))
    receiver.wait_messages(1)
    relay.wait_line("delivered to")
    assert "private" not in relay.log_text()
