# SPDX-License-Identifier: GPL-3.0-or-later
"""A message goes to each server in a form that this server takes, and says there what it said before."""

import email
import email.header
import email.policy
import email.utils
import json

import pytest

import mail

PLAIN = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")  # takes 8-bit content, but no SMTPUTF8
BARE = ()
ABLE = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
KINDS = pytest.mark.parametrize("extensions", [PLAIN, (*PLAIN, "CHUNKING"), BARE, ABLE], ids=["data", "bdat", "bare", "able"])
NARROW = pytest.mark.parametrize("extensions", [PLAIN, BARE], ids=["8bit", "7bit"])

RICH = """\
From: Käthe Müller <kaethe@example.org>
To: "Groß, Jürgen" <recipient@example.net>, a@example.net (Bäcker)
Cc: Köche: anna@example.net, Öko <oeko@example.net>;
Subject: Grüße, \U0001f600 und ein sehr langer Betreff, der über mehrere Zeilen geht: äöüß äöüß äöüß äöüß äöüß äöüß äöüß
Comments: straße
X-Script: =?utf-8?q?=C3=A4?= ö
Date: Sun, 22 Nov 2026 02:42:01 +0000 (Größe)
Message-ID: <1@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Grüße
--b
Content-Type: application/pdf; name="Bücher liste.pdf"
Content-Disposition: attachment; filename="Bücher liste.pdf"
Content-Description: Größe
Content-Transfer-Encoding: base64

UERG
--b
Content-Type: message/rfc822

Subject: inner Größe

inner
--b--
"""

DKIM = ("DKIM-Signature: v=1; a=rsa-sha256; c={}; d=example.org; s=s;\r\n h=From:To : Subject; bh=eA==;\r\n b=eA==\r\n")


def text_of(value):
    return " ".join(str(email.header.make_header(email.header.decode_header(value))).split())


def is_fit(content):
    """Headers are ASCII, in lines that RFC 2047 allows."""
    head, _, body = content.partition(b"\r\n\r\n")
    assert head.isascii()
    for line in head.split(b"\r\n"):
        assert len(line) <= 76 or b"=?" not in line, line
    return body


def options_of(message):
    return [o for o in message.mail_options if o in ("SMTPUTF8", "BODY=8BITMIME")]


@KINDS
def test_utf8_in_a_header_needs_no_smtputf8(make_relay, make_receiver, extensions):
    receiver = make_receiver(extensions=extensions)
    relay = make_relay(receiver)
    relay.send(message=RICH.replace("\n", "\r\n").encode())
    got = receiver.wait_messages(1)[0]
    is_fit(got.content)
    message = mail.parse(got)
    assert message["Subject"] == RICH.split("Subject: ")[1].split("\n")[0]
    assert text_of(message["X-Script"]) == "äö" or text_of(message["X-Script"]) == "ä ö"
    assert message["From"].addresses[0].display_name == "Käthe Müller"
    assert [(a.display_name, a.addr_spec) for a in message["To"].addresses] == [
        ("Groß, Jürgen", "recipient@example.net"), ("", "a@example.net")]
    assert [a.addr_spec for a in message["Cc"].addresses] == ["anna@example.net", "oeko@example.net"]
    text, attachment, inner = message.iter_parts()
    assert text.get_content() == "Grüße"
    assert attachment.get_filename() == "Bücher liste.pdf" and attachment.get_content() == b"PDF"
    assert text_of(attachment["Content-Description"]) == "Größe"
    assert inner.get_payload(0)["Subject"] == "inner Größe"
    assert b"filename*=" in got.content and b"inner =?UTF-8?Q?" in got.content
    assert options_of(got) == (["BODY=8BITMIME"] if "8BITMIME" in extensions else [])


@pytest.mark.parametrize("extensions", [PLAIN, ABLE], ids=["plain", "able"])
def test_what_is_7bit_then_is_called_so(make_relay, make_receiver, extensions):
    receiver = make_receiver(extensions=extensions)
    relay = make_relay(receiver)
    relay.sendmail("recipient@example.net", message="Subject: grüße\n\nplain\n")
    got = receiver.wait_messages(1)[0]
    assert got.content.isascii() and not options_of(got)
    assert mail.parse(got)["Subject"] == "grüße"


def test_the_queue_keeps_what_came(make_relay, make_receiver):
    receiver = make_receiver(extensions=PLAIN, up=False)
    relay = make_relay(receiver)
    relay.send(message=RICH.replace("\n", "\r\n").encode())
    shown = relay.postern("show", "--content", json.loads(relay.postern("list", "--json"))[0]["id"])
    assert "Subject: Grüße" in shown and 'filename="Bücher liste.pdf"' in shown


def test_bytes_of_unknown_meaning_stay_where_8bit_is_taken(make_relay, make_receiver):
    receiver = make_receiver(extensions=PLAIN)
    relay = make_relay(receiver)
    relay.send(message=b"Subject: Gr\xfc\xdfe\r\nComments: \xc3\xa4\r\n\r\nx\r\n")
    content = receiver.wait_messages(1)[0].content
    assert b"Subject: Gr\xfc\xdfe\r\n" in content
    assert b"Comments: =?UTF-8?Q?=C3=A4?=\r\n" in content


@NARROW
def test_a_domain_goes_by_its_a_label(make_relay, make_receiver, extensions):
    receiver = make_receiver(extensions=extensions)
    relay = make_relay(receiver)
    with relay.smtp() as session:
        session.ehlo()
        session.sendmail("a@bücher.example", ["b@straße.example", "plain@example.net", '"c d"@公司.example'],
                         "From: Bücher <a@Bücher.example>\r\nTo: b@straße.example, plain@example.net (ü)\r\n"
                         "Cc: Team: <c@公司.example>;\r\nReply-To: <@ü.example:x@ü.example>\r\n"
                         "Message-ID: <1@bücher.example>\r\nSubject: x\r\n\r\nx\r\n".encode(), ["SMTPUTF8"])
    got = receiver.wait_messages(1)[0]
    assert got.sender == "a@xn--bcher-kva.example"
    assert got.recipients == ["b@xn--strae-oqa.example", "plain@example.net", '"c d"@xn--55qx5d.example']
    assert got.content.isascii() and not options_of(got)
    message = mail.parse(got)
    assert [a.addr_spec for a in message["From"].addresses] == ["a@xn--bcher-kva.example"]
    assert message["From"].addresses[0].display_name == "Bücher"
    assert [a.addr_spec for a in message["To"].addresses] == ["b@xn--strae-oqa.example", "plain@example.net"]
    assert [a.addr_spec for a in message["Cc"].addresses] == ["c@xn--55qx5d.example"]
    assert message["Message-ID"] == "<1@xn--bcher-kva.example>"
    assert not relay.queue()


def test_an_address_goes_as_it_is_where_it_is_taken(make_relay, make_receiver):
    receiver = make_receiver(extensions=ABLE)
    relay = make_relay(receiver)
    message = "From: müller@example.org\r\nSubject: grüße\r\n\r\nx\r\n".encode()
    relay.send(message=message)
    got = receiver.wait_messages(1)[0]
    assert "SMTPUTF8" in got.mail_options
    assert "From: müller@example.org\r\nSubject: grüße\r\n".encode() in got.content


@NARROW
def test_a_local_part_cannot_be_said_otherwise(make_relay, make_receiver, extensions):
    receiver = make_receiver(extensions=extensions)
    relay = make_relay(receiver)
    with relay.smtp() as session:
        session.ehlo()
        session.sendmail("sender@example.org", ["用户@example.net", "b@bücher.example"],
                         "Subject: Привет\r\n\r\nx\r\n".encode(), ["SMTPUTF8"])
    first, second = receiver.wait_messages(2)
    assert first.recipients == ["b@xn--bcher-kva.example"], "the others get theirs"
    assert mail.parse(first)["Subject"] == "Привет"
    report = mail.parse(second)
    assert second.recipients == ["sender@example.org"] and "5.6.7" in str(report)
    relay.wait_line("bounced: not sent to .*POSTERN_DECIDED_BY=relay")


@NARROW
def test_an_address_in_the_header_alone_counts_as_well(make_relay, make_receiver, extensions):
    receiver = make_receiver(extensions=extensions)
    relay = make_relay(receiver)
    relay.send(message="Cc: müller@example.org\r\nSubject: x\r\n\r\nx\r\n".encode())
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.recipient("recipient@example.net")["Status"] == "5.6.7"
    assert notice.returned_type == "message/global" and "müller@example.org" in str(notice.returned["Cc"])


@pytest.mark.parametrize("canonical", ["relaxed/relaxed", "simple"])
def test_a_signed_header_is_left_alone(make_relay, make_receiver, canonical):
    receiver = make_receiver(extensions=PLAIN, line_limit=100000)
    relay = make_relay(receiver)
    long_line = "X-Long: " + "word " * 300 + "\r\nTo: " + ", ".join(f"r{i}@example.net" for i in range(100)) + "\r\n"
    signed = "Subject: grüße\r\n" + DKIM.format(canonical) + "Comments: grüße\r\n" + long_line + "\r\nplain\r\n"
    relay.send(message=signed.encode())
    content = receiver.wait_messages(1)[0].content
    assert "Subject: grüße\r\n".encode() in content
    assert b"Comments: =?UTF-8?Q?gr=C3=BC=C3=9Fe?=\r\n" in content, "it is not signed"
    assert ("\r\n" in email.message_from_bytes(content)["To"]) == (canonical != "simple"), "folds do not count where the signature is relaxed"
    relay.wait_line("sent to .*, but UTF-8 in its header .* DKIM signature covers it")


def test_a_signed_header_goes_by_smtputf8_where_it_can(make_relay, make_receiver):
    receiver = make_receiver(extensions=ABLE)
    relay = make_relay(receiver)
    relay.send(message=("Subject: grüße\r\n" + DKIM.format("relaxed") + "\r\nplain\r\n").encode())
    got = receiver.wait_messages(1)[0]
    assert "Subject: grüße\r\n".encode() in got.content and "SMTPUTF8" in got.mail_options


def test_a_signature_that_cannot_be_kept_is_told(make_relay, make_receiver):
    receiver = make_receiver(extensions=BARE)
    relay = make_relay(receiver)
    relay.send(message=("Subject: grüße\r\n" + DKIM.format("relaxed") + "\r\ngrüße\r\n").encode())
    assert receiver.wait_messages(1)[0].content.isascii()
    relay.wait_line("sent to .*, but its DKIM signature does not hold any more")


LONG = "wort " * 300  # 1,500 bytes


def parts(content):
    message = email.message_from_bytes(content, policy=email.policy.SMTP)
    assert not message.defects
    return [(p.get_content_type(), p.get_payload(decode=True).rstrip(b"\r\n")) for p in message.walk()
            if not p.is_multipart()]


BODIES = {
    "plain": f"Subject: x\r\n\r\n{LONG}\r\nshort\r\n",
    "a line of one word": "Subject: x\r\n\r\n" + "x" * 30000 + "\r\n",
    "exactly too long": "Subject: x\r\n\r\n" + "x" * 999 + "\r\n",
    "html in 8bit": "Subject: x\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
                    f"<p>{LONG}ä</p>\r\n",
    "base64 in one line": "Subject: x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                          + "QUJD" * 1000 + "\r\n",
    "quoted in one line": "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n"
                          "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + "Gr=C3=BC=C3=9Fe " * 400 + "\r\n",
    "nested": "Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
              "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nshort\r\n--b\r\n"
              f"Content-Type: text/html\r\n\r\n{LONG}\r\n--b--\r\n--a\r\nContent-Type: application/json\r\n\r\n{LONG}\r\n"
              f"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\n{LONG}\r\n--a--\r\n",
}


@pytest.mark.parametrize("extensions", [PLAIN, (*PLAIN, "CHUNKING"), BARE], ids=["data", "bdat", "bare"])
@pytest.mark.parametrize("body", list(BODIES))
def test_long_lines_are_sent_encoded(make_relay, make_receiver, body, extensions):
    receiver = make_receiver(extensions=extensions)
    relay = make_relay(receiver)
    relay.send(message=BODIES[body].encode())
    content = receiver.wait_messages(1)[0].content
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert parts(content) == parts(BODIES[body].encode())


def test_lines_that_are_legal_stay(make_relay, make_receiver):
    receiver = make_receiver(extensions=PLAIN)
    relay = make_relay(receiver)
    text = "x" * 998 + "\r\n" + "y " * 400 + "\r\n.\r\n"
    relay.send(message="X-Long: " + "z " * 400 + "\r\nSubject: x\r\n\r\n" + text.replace("\r\n.", "\r\n.."))
    content = receiver.wait_messages(1)[0].content
    assert b"x" * 998 + b"\r\n" in content and b"X-Long: " + b"z " * 400 + b"\r\n" in content


HEADERS = {
    "text": ("Subject", LONG.strip()),
    "umlauts": ("Subject", ("grüße " * 300).strip()),
    "addresses": ("To", ", ".join(f"Name {i} <n{i}@example.net>" for i in range(100))),
    "addresses without blanks": ("To", ",".join(f"n{i}@example.net" for i in range(100))),
    "quoted commas": ("To", ",".join(f'"a,b {i}"<n{i}@example.net>' for i in range(100))),
    "references": ("References", " ".join(f"<{i}.abcdefgh@example.net>" for i in range(200))),
}


@pytest.mark.parametrize("extensions", [PLAIN, BARE], ids=["8bit", "7bit"])
@pytest.mark.parametrize("header", list(HEADERS))
def test_long_header_lines_are_folded(make_relay, make_receiver, header, extensions):
    name, value = HEADERS[header]
    receiver = make_receiver(extensions=extensions)
    relay = make_relay(receiver)
    relay.send(message=f"{name}: {value}\r\n\r\nx\r\n".encode())
    content = receiver.wait_messages(1)[0].content
    assert max(map(len, content.split(b"\r\n"))) <= 998 and content.isascii()
    got = email.message_from_bytes(content)[name].replace("\r\n", "")
    if name == "To":
        assert email.utils.getaddresses([got]) == email.utils.getaddresses([value])
    else:
        assert text_of(got) == value


@pytest.mark.parametrize("seal", ["signed", "encrypted", "dkim"])
def test_long_lines_that_are_signed_stay(make_relay, make_receiver, seal):
    receiver = make_receiver(extensions=PLAIN, line_limit=100000)
    relay = make_relay(receiver)
    text = f"--b\r\nContent-Type: text/plain\r\n\r\n{LONG}\r\n--b--\r\n"
    if seal == "dkim":
        message = DKIM.format("relaxed") + f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{text}"
    else:
        message = f"Subject: x\r\nContent-Type: multipart/{seal}; boundary=b\r\n\r\n{text}"
    relay.send(message=message)
    assert receiver.wait_messages(1)[0].content.endswith(text.encode())
    relay.wait_line("sent to .*, but lines of more than 998 bytes go as they are")


def test_a_restart_forgets_nothing_of_it(make_relay, make_receiver):
    receiver = make_receiver(extensions=PLAIN, up=False)
    relay = make_relay(receiver)
    relay.send(message=BODIES["plain"])
    relay.send(message="Subject: grüße\r\n\r\nx\r\n".encode())
    relay.restart()
    receiver.start()
    relay.postern("retry", "--all")
    for message in receiver.wait_messages(2):
        assert max(map(len, message.content.split(b"\r\n"))) <= 998
        assert message.content.isascii()
