# SPDX-License-Identifier: GPL-3.0-or-later
"""8-bit content goes as it is where the server offers 8BITMIME; where it does not, it arrives as MIME says it in 7-bit."""

import email
import email.policy
import hashlib
import random
from email.message import EmailMessage

import pytest

import mail
from relay import is_sanitized

SEVEN_BIT = ("PIPELINING", "SMTPUTF8", "ENHANCEDSTATUSCODES")


def binary(size):
    """Bytes of all values but those that make lines."""
    values = bytes(b for b in range(256) if b not in b"\r\n\0")
    return bytes(random.Random(7).choices(values, k=size))


def rich_message(attachment):
    """Text, HTML, an attachment and a forwarded message, all 8-bit, with CRLF line ends."""
    inner = EmailMessage(email.policy.SMTP.clone(cte_type="8bit"))
    inner["Subject"] = "inner"
    inner.set_content("Weitergeleitet: Größe\n", cte="8bit")
    message = EmailMessage(email.policy.SMTP.clone(cte_type="8bit"))
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.net", "rich"
    message["Date"], message["Message-ID"] = "Sun, 22 Nov 2026 02:42:01 +0000", "<1@example.org>"
    message.set_content("Grüße \n-- \nname\nFrom here\n.\n..dots\n", cte="8bit")
    message.add_alternative("<p>Grüße</p>\n", subtype="html", cte="8bit")
    message.add_attachment(attachment, "application", "octet-stream", filename="all bytes.bin", cte="8bit")
    message.add_attachment(inner)
    return message.as_bytes()


def leaves(content):
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert not message.defects
    return [(part.get_content_type(), part.get_filename(), hashlib.sha256(part.get_payload(decode=True)).hexdigest())
            for part in message.walk() if not part.is_multipart()]


@pytest.mark.parametrize("extensions", [SEVEN_BIT, (*SEVEN_BIT, "CHUNKING"), ()], ids=["data", "bdat", "bare"])
@pytest.mark.parametrize("size", [1000, 3000000], ids=["small", "large"])
def test_content_arrives_in_seven_bits(make_relay, make_receiver, extensions, size):
    receiver = make_receiver(extensions=extensions)
    relay = make_relay(receiver)
    message = rich_message(binary(size))
    relay.send(message=message, options=["BODY=8BITMIME"])
    got = receiver.wait_messages(1)[0]
    assert got.content.isascii()
    assert max(map(len, got.content.split(b"\r\n"))) <= 78
    assert leaves(got.content) == leaves(message)
    assert not [o for o in got.mail_options if o.startswith(("BODY", "SIZE"))]


def test_content_arrives_as_it_is_where_that_is_offered(make_relay, make_receiver):
    receiver = make_receiver(extensions=("PIPELINING", "8BITMIME"))
    relay = make_relay(receiver)
    message = rich_message(binary(900))
    relay.send(message=message)  # without saying that it is 8-bit
    got = receiver.wait_messages(1)[0]
    assert got.content.split(b"\r\n\r\n", 1)[1] == message.split(b"\r\n\r\n", 1)[1]
    assert "BODY=8BITMIME" in got.mail_options


def test_text_of_a_script_gets_what_mime_needs(make_relay, make_receiver):
    receiver = make_receiver(extensions=SEVEN_BIT)
    relay = make_relay(receiver)
    relay.sendmail("b@example.net", message="Subject: Grüße von cron\n\nDie Platte ist zu 97 % voll – bitte räumen!\n")
    got = receiver.wait_messages(1)[0]
    message = mail.parse(got)
    assert got.content.isascii()
    assert message["Subject"] == "Grüße von cron" and message["MIME-Version"] == "1.0"
    assert message.get_content() == "Die Platte ist zu 97 % voll – bitte räumen!\r\n"


def test_long_stream_is_8bit_though_its_start_is_not(make_relay, make_receiver):
    receiver = make_receiver(extensions=SEVEN_BIT)
    relay = make_relay(receiver)
    text = "plain line\n" * 50000 + "zuletzt: ü\n"
    relay.sendmail("b@example.net", message="Subject: x\n\n" + text)
    got = receiver.wait_messages(1)[0]
    assert got.content.isascii()
    assert mail.parse(got).get_content().replace("\r\n", "\n") == text


def test_seven_bit_content_is_not_touched_whatever_was_declared(make_relay, make_receiver):
    receiver = make_receiver(extensions=SEVEN_BIT)
    relay = make_relay(receiver)
    body = "Content-Transfer-Encoding: 8bit\r\n\r\nplain = text \r\n"
    relay.send(message="Subject: x\r\n" + body, options=["BODY=8BITMIME"])
    assert receiver.wait_messages(1)[0].content.endswith(b"\r\n\r\nplain = text \r\n")


def test_signed_content_bounces_rather_than_break(make_relay, make_receiver):
    receiver = make_receiver(extensions=SEVEN_BIT)
    relay = make_relay(receiver)
    relay.send(message="Subject: signed\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nGrüße\r\n--b\r\n"
               "Content-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n".encode())
    notice = mail.Notice(receiver.wait_messages(1)[0])
    fields = notice.recipient("recipient@example.net")
    assert fields["Status"] == "5.6.2" and fields["Action"] == "failed"
    assert "signed or encrypted" in notice.text
    assert notice.returned_type == "text/rfc822-headers"


def test_notice_about_8bit_mail_reaches_a_seven_bit_server(make_relay, make_receiver):
    receiver = make_receiver(extensions=SEVEN_BIT)
    receiver.on("RCPT", "550 5.1.1 no such user", match="recipient@")
    relay = make_relay(receiver)
    relay.send(message="Subject: Grüße\r\n\r\nGrüße\r\n".encode())
    got = receiver.wait_messages(1)[0]
    assert got.content.isascii()
    notice = mail.Notice(got)
    assert notice.recipient("recipient@example.net")["Status"] == "5.1.1"
    assert notice.returned["Subject"] == "Grüße"
    assert notice.returned.get_payload(decode=True) == "Grüße\r\n".encode()


def test_conversion_takes_little_memory(make_relay, make_receiver, figure):
    receiver = make_receiver(extensions=SEVEN_BIT)
    relay = make_relay(receiver)
    relay.send(message=rich_message(binary(1000)))
    receiver.wait_messages(1)
    before = relay.memory_kib()
    message = rich_message(binary(2000000 if is_sanitized() else 12000000))
    relay.send(message=message)
    got = receiver.wait_messages(2)[1]
    assert leaves(got.content) == leaves(message)
    more_kib = relay.memory_kib() - before
    figure(f"conversion: {len(message) >> 20} MiB to 7-bit through {more_kib / 1024:.1f} MiB more memory")
    if not is_sanitized():
        assert more_kib < 8 * 1024
