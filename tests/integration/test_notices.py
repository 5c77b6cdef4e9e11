# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivery status notifications, read by Python's email package; and what DSN asks for on the way out."""

import json

import pytest

import mail

DSN_EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN")
NO_SUCH_USER = "550 5.1.1 <recipient@example.net>: no such user here"


def test_a_bounce_tells_all(relay, receiver):
    receiver.on("RCPT", NO_SUCH_USER, match="recipient@")
    relay.send(message=mail.text("a question", body="What is it?\n", Message_ID="<original@example.org>"))
    received = receiver.wait_messages(1)[0]
    assert received.recipients == ["sender@example.org"]
    notice = mail.Notice(received)
    assert notice.message["To"].addresses[0].addr_spec == "sender@example.org"
    assert "MAILER-DAEMON@example.org" in notice.message["From"]
    assert notice.report["Reporting-MTA"] == "dns; relay.example.org"
    assert notice.report["Arrival-Date"]
    fields = notice.recipient("recipient@example.net")
    assert fields["Action"] == "failed"
    assert fields["Status"] == "5.1.1"
    assert fields["Diagnostic-Code"].startswith("smtp; 550 5.1.1")
    assert "127.0.0.1" in fields["Remote-MTA"]
    words = " ".join(notice.text.split())
    assert "recipient@example.net" in words and "no such user here" in words
    assert notice.returned["Message-ID"] == "<original@example.org>"
    assert notice.returned_type == "message/rfc822"
    relay.wait_line("bounced.*POSTERN_STATUS=5.1.1")


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA", "END"])
def test_a_permanent_refusal_at_any_moment_bounces(relay, receiver, moment):
    receiver.on(moment, "554 5.7.0 not wanted", times=1)
    relay.send()
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.recipient("recipient@example.net")["Status"] == "5.7.0"


def test_the_sender_chooses_what_comes_back(relay, receiver):
    receiver.on("RCPT", NO_SUCH_USER, match="recipient@")
    relay.send(message=mail.text(body="the body\n"), options=["RET=HDRS", "ENVID=envelope+2B1"],
               recipient_options=["ORCPT=rfc822;first+2Baddress@example.net"])
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.returned_type == "text/rfc822-headers"
    assert b"the body" not in receiver.messages[0].content
    assert notice.report["Original-Envelope-Id"] == "envelope+1"
    assert notice.recipient("recipient@example.net")["Original-Recipient"] == "rfc822;first+address@example.net"


def test_a_large_message_comes_back_as_its_header(relay, receiver):
    receiver.on("RCPT", NO_SUCH_USER, match="recipient@")
    relay.send(message=mail.text("large", body=("x" * 70 + "\n") * 5000))
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.returned_type == "text/rfc822-headers"
    assert notice.returned["Subject"] == "large"
    assert len(receiver.messages[0].content) < 20_000


def test_nobody_is_told_who_asked_not_to_be(relay, receiver):
    receiver.on("RCPT", NO_SUCH_USER, match="recipient@")
    relay.send(recipient_options=["NOTIFY=NEVER"])
    relay.wait_line("bounced")
    relay.send(recipients="other@example.net", message=mail.text("after"))
    assert mail.subjects(receiver.wait_messages(1)) == ["after"]
    relay.wait_line("delivered to <other@example.net>")
    assert not relay.queue()


def test_mail_without_a_sender_is_never_notified(relay, receiver):
    receiver.on("RCPT", NO_SUCH_USER, match="recipient@")
    relay.send(sender="", message=mail.text("a notice of somebody else"))
    relay.wait_line("held")
    held = json.loads(relay.postern("list", "--state=held", "--json"))
    assert len(held) == 1
    assert not receiver.messages


def test_a_notice_that_fails_is_held(relay, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user", match="recipient@|sender@")
    relay.send()
    relay.wait_line("held")
    held = json.loads(relay.postern("list", "--state=held", "--json"))
    assert len(held) == 1
    assert not receiver.messages
    assert "no such user" in relay.postern("list")
    receiver.forgive()
    relay.postern("release", "--all")
    assert mail.Notice(receiver.wait_messages(1)[0]).recipient("recipient@example.net")["Status"] == "5.1.1"


def test_dsn_goes_on_where_it_is_offered(make_relay, make_receiver):
    receiver = make_receiver(extensions=DSN_EXTENSIONS)
    relay = make_relay(receiver)
    relay.send(options=["RET=HDRS", "ENVID=id+2B1"],
               recipient_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;first@example.net"])
    received = receiver.wait_messages(1)[0]
    assert {"RET=HDRS", "ENVID=id+2B1"} <= set(received.mail_options)
    assert set(received.recipient_options["recipient@example.net"]) == {"NOTIFY=SUCCESS,DELAY",
                                                                        "ORCPT=rfc822;first@example.net"}
    relay.wait_line("delivered to <recipient@example.net>")
    assert not relay.queue(), "the receiver will tell of the success, not the relay"


def test_success_is_told_where_dsn_ends(relay, receiver):
    relay.send(recipient_options=["NOTIFY=SUCCESS"])
    messages = receiver.wait_messages(2)
    assert messages[0].recipient_options == {"recipient@example.net": []}
    notice = mail.Notice(messages[1])
    assert notice.recipient("recipient@example.net")["Action"] == "relayed"
    assert notice.recipient("recipient@example.net")["Status"].startswith("2.")


def test_a_delay_is_told_once(make_relay, make_receiver):
    receiver = make_receiver()
    receiver.on("RCPT", "450 4.2.1 busy", match="recipient@")
    relay = make_relay(receiver, {"Queue": {"DelayNotice": "1s", "RetryFirst": "1s", "RetryLongest": "1s"}})
    relay.send()
    notice = mail.Notice(receiver.wait_messages(1)[0])
    fields = notice.recipient("recipient@example.net")
    assert fields["Action"] == "delayed"
    assert fields["Status"] == "4.2.1"
    assert fields["Will-Retry-Until"]
    attempts = len(relay.log.find("deferred"))
    relay.wait_line("has to wait, deferred", count=attempts + 2)
    assert len(receiver.messages) == 1
    receiver.forgive()
    assert receiver.wait_messages(2)[1].recipients == ["recipient@example.net"]


def test_what_is_too_old_comes_back(make_relay, make_receiver):
    receiver = make_receiver()
    receiver.on("RCPT", "450 4.2.1 busy for ever", match="recipient@")
    relay = make_relay(receiver, {"Queue": {"Lifetime": "2s", "DelayNotice": "0", "RetryFirst": "1s",
                                            "RetryLongest": "1s"}})
    relay.send(message=mail.text("old"))
    notice = mail.Notice(receiver.wait_messages(1)[0])
    fields = notice.recipient("recipient@example.net")
    assert fields["Action"] == "failed"
    assert fields["Status"] in ("4.4.7", "5.4.7", "4.2.1"), fields["Status"]
    assert "busy for ever" in fields["Diagnostic-Code"]
    relay.wait_line("given up")
    assert not relay.queue()


def test_what_is_too_old_comes_back_though_its_way_was_closed_all_the_time(make_relay, make_receiver):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver, {"Queue": {"Lifetime": "4s", "RetryFirst": "1s", "RetryLongest": "1s"}})
    relay.send()
    relay.wait_line("given up")
    receiver.start()
    relay.postern("retry", "--all")
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.recipient("recipient@example.net")["Action"] == "failed"


def test_a_bounce_of_utf8_addresses_reaches_a_sender_in_ascii(relay, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user", match="用户")
    with relay.smtp() as session:
        session.ehlo()
        session.sendmail("sender@example.org", ["用户@example.net"], "Subject: Привет\r\n\r\nx\r\n".encode(),
                         ["SMTPUTF8"])
    received = receiver.wait_messages(1)[0]
    assert received.recipients == ["sender@example.org"]
    assert "SMTPUTF8" not in received.mail_options and received.content.isascii()
    assert "用户@example.net" in next(mail.parse(received).iter_parts()).get_content()


# ---- what made the message fail does not stop the notice ----

FILTERED = "554 5.7.1 a word that nobody wants to read"


def refuse_content(receiver, word, reply=FILTERED):
    """Answers so at the end of each message that has the word in it."""
    receiver.on("END", lambda session, text: reply if word in session.envelope.original_content else None)


def test_a_notice_that_a_filter_refuses_goes_with_the_header_alone(relay, receiver):
    refuse_content(receiver, b"buy now")
    relay.send(message=mail.text("offer", body="buy now\n"))
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.returned_type == "text/rfc822-headers" and notice.returned["Subject"] == "offer"
    fields = notice.recipient("recipient@example.net")
    assert fields["Status"] == "5.7.1" and fields["Diagnostic-Code"].startswith("smtp; 554 5.7.1")
    relay.wait_line("the notice is sent once more, with the header alone")
    relay.wait_empty()


def test_a_notice_that_is_refused_twice_is_held(relay, receiver):
    refuse_content(receiver, b"offer")
    relay.send(message=mail.text("offer", body="buy now\n"))
    relay.wait_line("held: .*554 5.7.1")
    held = json.loads(relay.postern("list", "--state=held", "--json"))
    assert len(held) == 1 and held[0]["sender"] == ""
    assert len(receiver.commands("DATA")) == 3, "the message, its notice, and the smaller one"
    assert not receiver.messages


def test_a_notice_to_nobody_is_not_sent_again(relay, receiver):
    receiver.on("RCPT", NO_SUCH_USER)
    relay.send()
    relay.wait_line("held")
    assert len(receiver.commands("MAIL")) == 2


def test_a_size_that_is_known_is_kept_at_once(make_relay, make_receiver):
    receiver = make_receiver(size_limit=20000)
    relay = make_relay(receiver)
    relay.send(message=mail.text("large", body=("x" * 70 + "\n") * 400))
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.returned_type == "text/rfc822-headers" and notice.returned["Subject"] == "large"
    fields = notice.recipient("recipient@example.net")
    assert fields["Status"] == "5.3.4" and fields["Remote-MTA"] is None
    assert fields["Diagnostic-Code"].startswith("x-postern; not sent to 127.0.0.1:")
    assert "20000" in fields["Diagnostic-Code"] and "The server" not in notice.text
    assert len(receiver.commands("MAIL")) == 1
    relay.wait_line("bounced: not sent to 127.0.0.1:.*POSTERN_DECIDED_BY=relay")


def test_a_size_that_nobody_told_is_found_out(relay, receiver):
    receiver.on("END", lambda session, text: "552 5.3.4 too big" if len(session.envelope.original_content) > 9000 else None)
    relay.send(message=mail.text("large", body=("x" * 70 + "\n") * 200))
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.returned_type == "text/rfc822-headers"
    assert notice.recipient("recipient@example.net")["Diagnostic-Code"].startswith("smtp; 552 5.3.4")


def test_a_notice_has_lawful_lines_though_its_message_had_none(make_relay, make_receiver):
    receiver = make_receiver()
    receiver.on("RCPT", NO_SUCH_USER, match="recipient@")
    relay = make_relay(receiver)
    signed = ("Subject: x\r\nX-Word: " + "x" * 3000 + "\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n" +
              "y" * 3000 + "\r\n--b--\r\n")
    for message in (signed, "Subject: x\r\n\r\n" + "z" * 3000 + "\r\n"):
        relay.send(message=message)
    for received in receiver.wait_messages(2):
        assert max(map(len, received.content.split(b"\r\n"))) <= 998
        assert mail.Notice(received).returned["Subject"] == "x"


# ---- whose verdict it is ----

def own_verdicts(relay, message_id):
    """Who decided about each recipient, as the bus has it."""
    return json.loads(relay.postern("show", "--json", message_id))["recipients"]


def test_a_server_is_quoted_and_the_relay_speaks_for_itself(make_relay, make_receiver):
    receiver = make_receiver(extensions=("PIPELINING", "8BITMIME"))
    receiver.on("RCPT", "450 4.2.1 busy", match="busy@")
    relay = make_relay(receiver)
    with relay.smtp() as session:
        session.ehlo()
        session.sendmail("sender@example.org", ["用户@example.net", "busy@example.net"], "Subject: x\r\n\r\nx\r\n",
                         ["SMTPUTF8"])
    received = receiver.wait_messages(1)[0]
    report = [part for part in mail.parse(received).walk() if part.get_content_type() == "message/delivery-status"][0]
    fields = report.get_payload()[1]
    assert fields["Status"] == "5.6.7" and fields["Remote-MTA"] is None
    assert fields["Diagnostic-Code"].startswith("x-postern; ")
    waiting = json.loads(relay.postern("list", "--json"))[0]["id"]
    relay.wait_line("deferred by 127.0.0.1:.*450 4.2.1")
    relay.wait_line("bounced: not sent to 127.0.0.1:")
    for recipients in (own_verdicts(relay, waiting), own_verdicts(relay.restart() or relay, waiting)):
        assert [r["decided-by"] for r in recipients] == ["relay", "remote"]
    shown = relay.postern("show", waiting)
    assert "decided here: not sent to" in shown and "answered: 450 4.2.1 busy" in shown
