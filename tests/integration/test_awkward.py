# SPDX-License-Identifier: GPL-3.0-or-later
"""A corpus of awkward messages, and what must come out of them at the receiver.

Each goes in by the sendmail command, over the local socket, and over TCP. What comes out is compared to the byte: the
header fields in their order, then the body. Unless a case says otherwise the message comes out as it went in, behind
a Received, with Date, Message-ID and From behind its header where it had none.
"""

import re
from dataclasses import dataclass, field

import pytest

import mail

WAYS = ("sendmail", "local", "tcp")
SENDER, RECIPIENT = "sender@example.org", "recipient@example.net"
ADDED = {"Date": rb" [A-Z][a-z]{2}, \d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
         "Message-ID": rb" <[^<>@\s]+@relay\.example\.org>",
         "From": rb" (\S+ )?(<sender@example\.org>|sender@example\.org)",
         "Sender": rb" (\S+ )?(<sender@example\.org>|sender@example\.org)"}


def crlf(text):
    text = text if isinstance(text, bytes) else text.encode()
    return re.sub(rb"\r?\n", b"\r\n", text)


def split(content):
    """The fields of a message as they stand there, and its body."""
    header, _, body = content.partition(b"\r\n\r\n")
    return re.split(rb"\r\n(?![ \t])", header), body


@dataclass
class Case:
    """header and body: what comes out, of what goes in if they are not given; both with LF, as people write."""

    name: str
    message: object
    header: object = None  # without the fields that are added
    body: object = None
    added: tuple = field(default=("From", "Date", "Message-ID"))
    ways: tuple = WAYS

    def expected(self):
        fields, body = split(crlf(self.message))
        if self.header is not None:
            fields = split(crlf(self.header) + b"\r\n\r\n")[0] if self.header else []
        return fields, body if self.body is None else crlf(self.body)


FULL = "From: Jane <jane@example.org>\nDate: Sun, 22 Nov 2026 02:42:01 +0000\nMessage-ID: <1@example.org>\n"

CASES = [
    Case("header-that-is-complete", FULL + "To: x@example.net\nSubject: test\n\nhello\n", added=()),
    Case("odd-but-right-header", FULL + "subject:no space\nTO:\tx@example.net  \nX-Y:   a   b\nX-y: c\n\nhello\n", added=()),
    Case("folded-header", FULL + "Subject: one\n two\n\tthree\n \t four\nTo: \"Doe,\n Jane\" <x@example.net>,\n\ty@example.net (a\n"
         " comment)\n\nhello\n", added=()),
    Case("folded-bare-addresses", FULL + "To: root,\n\twww-data (the\n web),\n  \"Jane\"\n <jane>\n\nhello\n",
         header=FULL + "To: root@example.org,\n\twww-data@example.org (the\n web),\n  \"Jane\"\n <jane@example.org>", added=()),
    Case("fold-that-looks-empty", FULL + "Subject: a\n \n b\n\nhello\n", added=()),
    Case("empty-fields", "Subject:\nTo: \nX-Empty:  \nFrom:\nDate: \nMessage-ID:\n\n\nhello\n", header="Subject:\nTo: \nX-Empty:  "),
    Case("space-before-the-colon", FULL + "Subject : x\nX-Y\t: z\n\nhello\n", header=FULL + "Subject: x\nX-Y: z", added=()),
    Case("fields-that-come-twice", FULL + "From: other@example.net\nTo: a@example.net\nTo: root\nSubject: 1\nSubject: 2\n\nhello\n",
         header=FULL + "From: other@example.net\nTo: a@example.net\nTo: root@example.org\nSubject: 1\nSubject: 2", added=()),
    Case("groups", FULL + "To: undisclosed-recipients:;\nCc: \"A, B\": root, x@example.net;, staff: ;, pi\nReply-To: :;\n\nhello\n",
         header=FULL + "To: undisclosed-recipients:;\nCc: \"A, B\": root@example.org, x@example.net;, staff: ;, pi@example.org\n"
         "Reply-To: :;", added=()),
    Case("quoted-everything", FULL + r'''To: "root", "a b"@example.net, "Doe, \"J\" <x@y>" <"pi">, "@" <x@example.net>
Cc: "(no comment)" <a@example.net> (a \) "comment" (b)), (only a comment)

hello
''', header=FULL + r'''To: "root"@example.org, "a b"@example.net, "Doe, \"J\" <x@y>" <"pi"@example.org>, "@" <x@example.net>
Cc: "(no comment)" <a@example.net> (a \) "comment" (b)), (only a comment)''', added=()),
    Case("encoded-words", FULL + "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?w7w=?=\nTo: =?utf-8?q?J=C3=BCrgen=2C_x?= <root>\n\nhello\n",
         header=FULL + "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?w7w=?=\nTo: =?utf-8?q?J=C3=BCrgen=2C_x?= <root@example.org>",
         added=()),
    Case("addresses-that-are-none", FULL + "To: Jane Doe, <>, a@b@c, @, root@, ,, \"unclosed\nCc: (unclosed\n\nhello\n", added=()),
    Case("source-routes-and-literals", FULL + "To: <@a.example,@b.example:x@example.net>, x@[192.0.2.1], x@[IPv6:::1]\n\nhello\n",
         added=()),
    Case("bcc-and-return-path", FULL + "Bcc: hidden@example.net,\n also@example.net\nReturn-Path: <x@example.net>\nSubject: x\nbcc:\n"
         "Resent-Bcc: hidden@example.net\nX-Bcc: stays\n\nhello\n", header=FULL + "Subject: x\nX-Bcc: stays",
         added=("Resent-From", "Resent-Date", "Resent-Message-ID")),
    Case("traces-of-others", "Received: from a by b; Sun, 22 Nov 2026 02:42:01 +0000\nReceived: from c by a;\n\tSun, 22 Nov 2026 02:42:00"
         " +0000\n" + FULL + "DKIM-Signature: v=1; d=example.org; b=abc\n def\n\nhello\n", added=()),
    Case("resent", "Resent-From: Joe <joe@example.org>\nResent-To: x@example.net,\n y@example.net\nResent-Date: Sun, 22 Nov 2026 03:00:00"
         " +0000\nResent-Message-ID: <2@example.org>\n" + FULL + "To: z@example.net\n\nhello\n", added=()),
    Case("resent-without-all-of-it", "Resent-To: root\n" + FULL + "To: x@example.net\n\nhello\n",
         header="Resent-To: root@example.org\n" + FULL + "To: x@example.net",
         added=("Resent-From", "Resent-Date", "Resent-Message-ID")),
    Case("resent-twice", "Resent-From: b@example.net\nResent-Date: Sun, 22 Nov 2026 02:42:02 +0000\nResent-Message-ID: <3@x>\n"
         "Resent-To: c@example.net\nResent-From: a@example.net\nResent-Date: Sun, 22 Nov 2026 02:42:01 +0000\n"
         "Resent-Message-ID: <2@x>\nResent-To: b@example.net\n" + FULL + "\nhello\n", added=()),
    Case("resent-again-without-all-of-it", "Resent-To: c@example.net\nReceived: from a by b; Sun, 22 Nov 2026 02:42:01 +0000\n"
         "Resent-From: a@example.net\nResent-Date: Sun, 22 Nov 2026 02:42:01 +0000\nResent-Message-ID: <2@x>\n" + FULL + "\nhello\n",
         added=("Resent-From", "Resent-Date", "Resent-Message-ID")),
    Case("local-host-addresses", FULL + "To: root@localhost, \"J, D\" <jane@LocalHost> (x@localhost),\n  pi@localhost.localdomain\n"
         "Reply-To: \"a b\"@localhost\nX-To: root@localhost\nSubject: root@localhost\n\nroot@localhost\n",
         header=FULL + "To: root@example.org, \"J, D\" <jane@example.org> (x@localhost),\n  pi@example.org\n"
         "Reply-To: \"a b\"@example.org\nX-To: root@localhost\nSubject: root@localhost", added=()),
    Case("several-authors", FULL.replace("jane@example.org>", "jane@example.org>, joe@example.org") + "Subject: x\n\nhello\n",
         added=("Sender",)),
    Case("old-fashioned-fields", FULL + "Apparently-To: x@example.net\nContent-Length: 6\nErrors-To: root\nStatus: RO\n\nhello\n",
         added=()),
    Case("names-of-all-forms", FULL + "To: J. Doe <x@example.net>, =?us-ascii?q?J?= Doe <root>, O'Neil <root>, J.R. <\tpi >\n\nhello\n",
         header=FULL + "To: J. Doe <x@example.net>, =?us-ascii?q?J?= Doe <root@example.org>, O'Neil <root@example.org>, J.R. <\tpi@example.org >",
         added=()),
    Case("date-and-id-in-odd-forms", "From: jane@example.org\nDate: 22 Nov 26 02:42 EST\nMessage-Id: nonsense\n\nhello\n", added=()),
    Case("header-that-ends-in-a-fold", FULL + "Subject: x\n y\n", header=FULL + "Subject: x\n y", body="", added=()),
    Case("fields-without-a-body-or-name", FULL + "X:\nX-:x\n: no name\n\nhello\n", header=FULL + "X:\nX-:x",
         body=": no name\n\nhello\n", added=()),
    Case("comments-that-nest-deep", FULL + "To: root " + "(" * 2000 + ")" * 2000 + "\n\nhello\n",
         header=FULL + "To: root@example.org\n " + "(" * 2000 + ")" * 2000, added=()),  # a line as short as it can be
    Case("parts-that-nest-deep", FULL + "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(300))
         + "\nhello\n", added=()),
    Case("forwarded-as-mbox", FULL + "Subject: x\n\nFrom a@example.net Sun Nov 22 02:42:01 2026\nFrom: a@example.net\nBcc: b@example.net\n"
         "To: root\n\nhello\n", added=()),
    Case("text-with-an-encoding-that-nobody-knows", FULL + "Content-Type: text/plain\nContent-Transfer-Encoding: x-uuencode\n\n"
         "begin 644 x\n#:&5L\n`\nend\n", added=()),
    Case("raw-utf8-header", FULL + "Subject: Grüße\nTo: Jürgen <x@example.net>, Käthe <root>\nX-Ü: ü\n\nhello\n",
         header=FULL + "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\nTo: =?UTF-8?Q?J=C3=BCrgen?= <x@example.net>, =?UTF-8?Q?K=C3=A4the?=\n"
         " <root@example.org>", body="X-Ü: ü\n\nhello\n", added=()),
    Case("raw-latin1-header", FULL.encode() + b"Subject: Gr\xfc\xdfe\nTo: J\xfcrgen <x@example.net>\n\nGr\xfc\xdfe\n", added=()),
    Case("no-body-and-no-empty-line", "Subject: x\n", header="Subject: x", body=""),
    Case("no-body", "Subject: x\n\n", body=""),
    Case("only-a-body", "\nhello\n", header="", body="hello\n"),
    Case("body-without-an-empty-line", "Subject: x\nhello there\n\nmore: text\n", header="Subject: x", body="hello there\n\nmore: text\n"),
    Case("text-that-is-no-header", "hello there\nSubject: no field\n", header="", body="hello there\nSubject: no field\n"),
    Case("text-that-starts-with-blanks", " hello: there\n\nx\n", header="", body=" hello: there\n\nx\n"),
    Case("empty-lines-alone", "\n\n\n", header="", body="\n\n"),
    Case("nothing-at-all", "", header="", body=""),
    Case("mbox-line", "From jane@example.org Sun Nov 22 02:42:01 2026\n" + FULL + "\nFrom here on\n>From there\nhello\n", header=FULL.strip(),
         body="From here on\n>From there\nhello\n", added=()),
    Case("quoted-mbox-line", ">From jane Sun Nov 22 02:42:01 2026\n" + FULL + "\nhello\n", header=FULL.strip(), added=()),
    Case("mbox-line-further-down", "Subject: x\nFrom jane Sun Nov 22\nhello\n", header="Subject: x", body="From jane Sun Nov 22\nhello\n"),
    Case("dots", FULL + "\n.\n..\n.hidden\n. \n", added=()),
    Case("blanks-at-line-ends", FULL + "\n-- \nname\t\n   \n\n\n", added=()),
    Case("control-characters", FULL.encode() + b"X-Bell: \x07\n\n\x01\x1b[31m\x7f\x0c\x0b\n", added=()),
    Case("undeclared-latin1", FULL.encode() + b"\nGr\xfc\xdfe\n", added=()),
    Case("utf8-that-is-declared-us-ascii", FULL + "MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n"
         "Content-Transfer-Encoding: 7bit\n\nGrüße\n", added=()),
    Case("latin1-that-is-declared-utf8", (FULL + "Content-Type: text/plain; charset=utf-8\n").encode() + b"\nGr\xfc\xdfe\n", added=()),
    Case("unknown-charset", FULL + "Content-Type: text/plain; charset=\"x-klingon\"; x=\n\nhello\n", added=()),
    Case("binary", FULL.encode() + b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n\n" +
         bytes(b for b in range(1, 256) if b not in b"\r\n") + b"\n", added=()),
    Case("nested-mime", FULL + """MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="a"

preamble
--a
Content-Type: multipart/alternative;
 boundary=a/b

--a/b

text
--a/b
Content-Type: text/html

<p>
--a/b--
--a
Content-Type: message/rfc822

Bcc: stays@example.net
To: root

inner
--a--
epilogue
""", added=()),
    Case("mime-without-an-end", FULL + "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n"
         "--bb\n\n--b--bb\n--bbb\n\nhello\n", added=()),
    Case("field-of-a-hundred-kilobytes", FULL + "X-Long: " + "x" * 100000 + "\n\nhello\n", added=()),
    Case("lines-of-the-longest-kind", FULL + "\n" + "x" * 998 + "\n" + "y" * 998 + "\n", added=()),
    Case("thousands-of-fields", FULL + "".join(f"X-{n}: {n}\n" for n in range(5000)) + "\nhello\n", added=()),
    Case("thousands-of-addresses", FULL + "To: " + ",\n ".join(f"user{n}" for n in range(5000)) + "\n\nhello\n",
         header=FULL + "To: " + ",\n ".join(f"user{n}@example.org" for n in range(5000)), added=()),
    Case("crlf-line-ends", (FULL + "Subject: x\n y\n\nhello\n\nmore\n").replace("\n", "\r\n"), added=()),
    Case("no-end-of-the-last-line", FULL + "\nhello", body="hello\n", added=()),
    # What SMTP has no way to say goes by sendmail only.
    Case("bare-carriage-returns", FULL + "\n10%\r50%\r100%\nx\r\r\ny\n", body="10%\n50%\n100%\nx\ny\n", added=(), ways=("sendmail",)),
    Case("nul-bytes", FULL.encode() + b"Subject: a\0b\n\nx\0y\n", header=FULL + "Subject: ab", body="xy\n", added=(),
         ways=("sendmail",)),
    Case("nul-bytes-by-smtp", FULL.encode() + b"Subject: a\0b\n\nx\0y\n", header=FULL + "Subject: ab", added=(),
         ways=("local", "tcp")),
]


def send(relay, way, message, recipients=(RECIPIENT,)):
    if way == "sendmail":
        relay.sendmail("-i", "-f", SENDER, *recipients, message=message if isinstance(message, bytes) else message.encode())
        return
    with relay.smtp() if way == "tcp" else relay.local_smtp() as session:
        session.sendmail(SENDER, recipients, crlf(message))


@pytest.fixture
def lenient(make_receiver):
    """A receiver that takes lines of any length."""
    return make_receiver(line_limit=1000000)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message_comes_out_right(make_relay, lenient, case):
    relay = make_relay(lenient)
    expected, body = case.expected()
    for number, way in enumerate(case.ways):
        send(relay, way, case.message)
        got = lenient.wait_messages(number + 1)[number]
        fields, got_body = split(got.content)
        trace = fields.pop(0)
        assert trace.startswith(b"Received: ") and b"by relay.example.org" in trace
        for name in case.added:
            form = re.compile(name.encode() + b":" + ADDED[name.removeprefix("Resent-")])
            added = [f for f in fields if form.fullmatch(f)]
            assert added, f"{way}: no {name} was added: {fields}"
            fields.remove(added[0] if name.startswith("Resent-") else added[-1])
        assert fields == expected, way
        assert got_body == body, way
        assert got.sender == SENDER and got.recipients == [RECIPIENT]


@pytest.mark.parametrize("way", WAYS)
def test_thousands_of_recipients_all_get_it(make_relay, receiver, way):
    relay = make_relay(receiver)
    recipients = [f"user{n}@example.net" for n in range(3000)]
    send(relay, way, FULL + "\nhello\n", recipients)
    receiver.wait_for(lambda r: sum(len(m.recipients) for m in r.messages) >= len(recipients))
    assert sorted(sum((m.recipients for m in receiver.messages), [])) == sorted(recipients)
    assert all(mail.parse(m).get_content() == "hello\r\n" for m in receiver.messages)


def test_recipients_of_the_header_in_every_form(make_relay, receiver):
    relay = make_relay(receiver)
    relay.sendmail("-t", "-f", SENDER, message=FULL + r'''To: "Doe, \"J\"" <a@example.net>, Group: b@example.net,
 "c d"@example.net; , root (the (real) one),, e@EXAMPLE.net
cc: undisclosed-recipients:;, =?utf-8?q?J=C3=BC?= <f@example.net>
Bcc: "g"@example.net
BCC: h@example.net,
	a@example.net

hello
''')
    got = receiver.wait_messages(1)[0]
    assert sorted(got.recipients) == sorted(["a@example.net", "b@example.net", '"c d"@example.net', "root@example.org",
                                             "e@example.net", "f@example.net", "g@example.net", "h@example.net"])
    assert b"cc:" in got.content and b"cc: undisclosed" in got.content and b"h@example.net" not in got.content


def test_utf8_addresses_go_where_they_can(make_relay, make_receiver):
    receiver = make_receiver(extensions=("PIPELINING", "8BITMIME", "SMTPUTF8"))
    relay = make_relay(receiver)
    message = "From: jürgen@bücher.example\nTo: käthe@example.net, root\nSubject: Grüße\n\nGrüße\n"
    relay.sendmail("-t", "-f", "jürgen@bücher.example", message=message)
    with relay.smtp() as session:
        session.ehlo()
        session.sendmail("jürgen@bücher.example", ["käthe@example.net"], crlf(message), ["SMTPUTF8", "BODY=8BITMIME"])
    for got in receiver.wait_messages(2):
        assert got.sender == "jürgen@bücher.example" and "käthe@example.net" in got.recipients
        assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(got.mail_options)
        assert "To: käthe@example.net, root@example.org\r\nSubject: Grüße\r\n".encode() in got.content


def test_utf8_addresses_bounce_where_they_cannot(make_relay, make_receiver):
    receiver = make_receiver(extensions=("PIPELINING", "8BITMIME"))
    relay = make_relay(receiver)
    relay.sendmail("-f", SENDER, "käthe@example.net")
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert "SMTPUTF8" in notice.text and "käthe@example.net" in notice.text
    assert notice.recipients[0]["Status"] == "5.6.7"


UTF8_HEADERS = {"subject": ("Subject: Grüße\n", "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\n"),
                "name": ("To: Jürgen <x@example.net>\n", "To: =?UTF-8?Q?J=C3=BCrgen?= <x@example.net>\n")}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("offers", [(), ("SMTPUTF8",)], ids=["without", "with"])
@pytest.mark.parametrize("written, sent", UTF8_HEADERS.values(), ids=UTF8_HEADERS)
def test_utf8_header_goes_in_ascii_wherever_it_can(make_relay, make_receiver, way, offers, written, sent):
    """Whatever the program that wrote it said of it."""
    receiver = make_receiver(extensions=("PIPELINING", "8BITMIME", *offers))
    relay = make_relay(receiver)
    send(relay, way, FULL + written + "\nhello\n")
    got = receiver.wait_messages(1)[0]
    assert crlf(sent) in got.content and "SMTPUTF8" not in got.mail_options


UTF8_ADDRESS = "Cc: käthe@example.net\n"


@pytest.mark.parametrize("way", WAYS)
def test_utf8_address_in_the_header_goes_where_that_is_offered(make_relay, receiver, way):
    relay = make_relay(receiver)
    send(relay, way, FULL + UTF8_ADDRESS + "\nhello\n")
    got = receiver.wait_messages(1)[0]
    assert crlf(UTF8_ADDRESS) in got.content and {"SMTPUTF8", "BODY=8BITMIME"} <= set(got.mail_options)


@pytest.mark.parametrize("way", WAYS)
def test_utf8_address_in_the_header_bounces_where_that_is_not_offered(make_relay, make_receiver, way):
    receiver = make_receiver(extensions=("PIPELINING", "8BITMIME"))
    relay = make_relay(receiver)
    send(relay, way, FULL + UTF8_ADDRESS + "\nhello\n")
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert "SMTPUTF8" in notice.text and notice.recipient(RECIPIENT)["Status"] == "5.6.7"
    assert notice.returned_type.startswith("message/global")


def test_header_in_another_charset_is_no_utf8(make_relay, make_receiver):
    receiver = make_receiver(extensions=("PIPELINING", "8BITMIME"))
    relay = make_relay(receiver)
    send(relay, "sendmail", FULL.encode() + b"Subject: Gr\xfc\xdfe\n\nhello\n")
    got = receiver.wait_messages(1)[0]
    assert b"Subject: Gr\xfc\xdfe\r\n" in got.content and "SMTPUTF8" not in got.mail_options


@pytest.mark.parametrize("way", WAYS)
def test_header_beyond_all_measure_is_refused(make_relay, receiver, way):
    relay = make_relay(receiver)
    message = FULL + "X-Endless: " + "x" * 1500000 + "\n\nhello\n"
    if way == "sendmail":
        result = relay.sendmail("-f", SENDER, RECIPIENT, message=message, status=69)
        assert "header of the message is larger" in result.stderr
        return
    with relay.raw(local=way == "local") as session:
        for command in ("EHLO x", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{RECIPIENT}>", "DATA"):
            session.ask(command)
        session.send(crlf(message) + b".\r\n")
        assert session.reply().startswith("552 5.3.4")
