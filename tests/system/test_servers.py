# SPDX-License-Identifier: GPL-3.0-or-later
"""What others' mail servers get from Postern, and what becomes of what they refuse; mailservers.py says how they are set up.

What they kept is read by Python's email package and compared with what was sent. One relay is for all: mail to postfix.example
goes to Postfix, and so on, and mail to refusing.postfix.example to where it does not like the relay's name.
"""

import email
import email.policy
import os
import uuid
from functools import cached_property

import pytest

import mail
from gate import Gate
from mailservers import SERVERS, SIZE_LIMIT, UNKNOWN_GREETING, USERS, MailServers
from network import WORLD_ADDRESS
from root import Unable
from servers import node_layer, servers_layer
from test_line_ends import HIDDEN, false_ends

# Without CRLF (RFC 5321 4.5.3.1.6). Nothing may be longer when it leaves.
LONGEST_LINE = 998


@pytest.fixture(scope="module")
def layers():
    """Debian's servers must be there, and the one from the registry in CI."""
    try:
        return [node_layer(), servers_layer()]
    except Unable:
        if os.environ.get("CI") == "true":
            raise
        return [servers_layer()]


@pytest.fixture(scope="module")
def servers(machine, certificates, layers):
    with MailServers(machine.network, certificates, layers) as running:
        yield running


@pytest.fixture(scope="module")
def relay(machine):
    """The gate, which sends each server's mail to it."""
    gate = Gate(machine)
    gate.reset()
    groups = {}
    for name, server in SERVERS.items():
        ports = {name: server.port, **({f"refusing.{name}": server.refusing_port} if server.refusing_port else {})}
        for remote, port in ports.items():
            groups[f"Smarthost {remote}"] = {"Host": WORLD_ADDRESS, "Port": port, "TLS": "none"}
        for remote in reversed(ports):
            groups[f"Route {remote}"] = {"Recipients": f"{remote}.example *.{remote}.example", "Smarthosts": remote}
    gate.configure(groups)
    return gate


@pytest.fixture(params=sorted(SERVERS))
def server(request, servers, layers):
    if request.param == "nodemailer" and len(layers) < 2:
        pytest.skip("npm cannot fetch smtp-server here")
    return servers.get(request.param)


class Sent:
    """A message that is sent once, to be found again by its Message-ID. header and body: with LF."""

    def __init__(self, server, header="Subject: test\n", body=b"hello\n"):
        self.id = f"<{uuid.uuid4().hex}@example.org>"
        self.sender = f"me@{server.domain}"
        self.recipient = f"you@{server.domain}"
        header = f"Date: Sun, 29 Nov 2026 10:00:00 +0000\nFrom: {self.sender}\nTo: {self.recipient}\nMessage-ID: {self.id}\n{header}\n"
        self.content = header.encode() + body

    def send(self, relay, *recipients, line_end=b"\r\n", options=("BODY=8BITMIME",)):
        with relay.smtp() as session:
            refused = session.send_raw(self.sender, recipients or [self.recipient], self.content.replace(b"\n", line_end), options)
        assert not refused
        return self

    @cached_property
    def message(self):
        return email.message_from_bytes(self.content.replace(b"\n", b"\r\n"), policy=email.policy.SMTP)


def leaves(message):
    """What a reader sees of the parts: kind, file name, and content."""
    return [(part.get_content_type(), part.get_filename(), part.get_payload(decode=True))
            for part in message.walk() if not part.is_multipart()]


def assert_same(kept, sent):
    for name in ("Subject", "From", "To", "Message-ID"):
        assert kept.message[name] == sent.message[name]
        assert len(kept.message.get_all(name)) == 1
    assert max(map(len, kept.content.split(b"\r\n"))) <= LONGEST_LINE
    assert leaves(kept.message) == leaves(sent.message)


def attachments(*parts):
    """A multipart/mixed message's header and body."""
    text = b"".join(b"--=_b\n" + part + b"\n" for part in parts)
    return 'Subject: with parts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="=_b"\n', text + b"--=_b--\n"


UTF8 = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"

MESSAGES = {
    "plain": ("Subject: test\n", b"hello\n"),
    "dots": ("Subject: dots\n", b".\n..\n.x\n\n.\n"),
    "empty": ("Subject: nothing\n", b""),
    "from-line": ("Subject: mbox\n", b"From me\n>From you\n\nFrom us\n"),
    "8-bit": ("Subject: 8-bit\n" + UTF8, "grüße\n".encode() * 3),
    "8-bit-without-mime": ("Subject: 8-bit\n", "grüße\n".encode()),
    "folded": ("Subject: " + " and more".join(map(str, range(9))) + "\n " + "x" * 60 + "\n", b"hello\n"),
    "8-bit-of-another-set": ("Subject: 8-bit\n" + UTF8.replace("utf-8", "iso-8859-1"), "grüße\n".encode("latin-1")),
    "long-line": ("Subject: long\n", b"x" * 5000 + b"\nand more\n"),
    "long-line-of-8-bit": ("Subject: long\n" + UTF8, "grüße ".encode() * 1000 + b"\nand more\n"),
    "line-of-998": ("Subject: long\n", b"x" * 998 + b"\n" + b"." + b"x" * 997 + b"\n"),
    "long-subject": ("Subject: " + "many words " * 200 + "\n", b"hello\n"),
    "utf-8-header": ("Subject: grüße aus München\n" + UTF8, "grüße\n".encode()),
    "utf-8-header-without-mime": ("Subject: Cron <root@gate> echo 'ÄÖÜ €'\n", b"hello\n"),
    "long-line-in-a-part": attachments(b"Content-Type: text/plain\n\nhello\n", b"Content-Type: text/html; charset=utf-8\n\n<p>" +
                                       "grüße ".encode() * 1000),
    "parts": attachments(b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + "grüße\n".encode(),
                         b'Content-Type: application/octet-stream; name="a.bin"\nContent-Transfer-Encoding: base64\n'
                         b'Content-Disposition: attachment; filename="a.bin"\n\nAAECAwQF\n'),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_arrives_as_it_was_sent(server, relay, name):
    sent = Sent(server, *MESSAGES[name]).send(relay)
    kept, = server.wait_kept(sent.id)
    assert kept.sender == sent.sender
    assert_same(kept, sent)


def test_all_recipients_get_it(server, relay):
    recipients = [f"r{number:03}@{server.domain}" for number in range(20)]
    sent = Sent(server).send(relay, *recipients)
    kept = server.wait_kept(sent.id, 20 if server.copies else 1)
    assert len(kept) == (20 if server.copies else 1)
    if not server.copies:
        assert sorted(kept[0].recipients) == recipients


def test_a_refused_recipient_is_told_in_the_servers_words(server, relay):
    sent = Sent(server).send(relay, f"nobody@{server.domain}")
    notice = mail.Notice(server.wait_kept(sent.id)[0])
    fields = notice.recipient(f"nobody@{server.domain}")
    assert fields["Diagnostic-Code"].startswith("smtp; 550")
    assert fields["Action"] == "failed" and fields["Status"].startswith("5.")
    assert notice.returned["Message-ID"] == sent.id


@pytest.mark.parametrize("name", ["plain", "dots", "8-bit", "utf-8-header", "parts"])
def test_lines_that_end_in_lf_arrive_whole(server, relay, name):
    sent = Sent(server, *MESSAGES[name]).send(relay, line_end=b"\n")
    kept, = server.wait_kept(sent.id)
    assert [leaf[:2] + (leaf[2].rstrip(),) for leaf in leaves(kept.message)] == \
        [leaf[:2] + (leaf[2].rstrip(),) for leaf in leaves(sent.message)]
    assert kept.message["Subject"] == sent.message["Subject"]


def test_a_domain_in_other_letters(server, relay):
    sent = Sent(server)
    sent.recipient = f"you@bücher.{server.domain}"
    sent.send(relay, options=["SMTPUTF8"])
    kept, = server.wait_kept(sent.id)
    assert kept.sender == sent.sender
    if "SMTPUTF8" not in server.extensions:
        assert kept.content.isascii()


def test_more_recipients_than_a_transaction_takes(server, relay):
    recipients = [user + "@" + server.domain for user in USERS if user.startswith("r")]
    assert len(recipients) > server.limit
    relay.machine.run("systemctl", "restart", "postern")  # chasquid counts the errors of all of a session
    since = relay.machine.journal.mark()
    sent = Sent(server).send(relay, *recipients)
    if server.copies:
        assert len(server.wait_kept(sent.id, len(recipients))) == len(recipients)
    else:
        server.wait(lambda: sum(len(kept.recipients) for kept in server.kept(sent.id)) >= len(recipients), "copies for all")
        assert sorted(one for kept in server.kept(sent.id) for one in kept.recipients) == recipients
    assert not [entry["MESSAGE"] for entry in relay.find(f"{server.domain}.*deferred", since=since)]


def test_a_refusal_of_the_content_comes_back_without_it(server, relay):
    if not server.filters_content:
        pytest.skip(f"{server.name} looks into no content")
    sent = Sent(server, body=b"FORBIDDEN\n").send(relay)
    notice = mail.Notice(server.wait_kept(sent.id)[0])
    assert notice.recipient(sent.recipient)["Diagnostic-Code"].startswith("smtp; 55")
    assert notice.returned["Message-ID"] == sent.id
    assert notice.returned_type == "text/rfc822-headers"


def test_a_message_that_is_too_large_comes_back_as_a_header(server, relay):
    sent = Sent(server, body=(b"x" * 69 + b"\n") * (SIZE_LIMIT // 70)).send(relay)
    kept, = server.wait_kept(sent.id)
    notice = mail.Notice(kept)
    fields = notice.recipient(sent.recipient)
    assert fields["Action"] == "failed" and fields["Status"] == "5.3.4"
    assert len(kept.content) < 20000 and notice.returned["Message-ID"] == sent.id


def test_the_reason_for_a_refused_greeting_is_kept(server, relay):
    if server.refusing_port is None:
        pytest.skip(f"{server.name} greets everybody")
    since = relay.machine.journal.mark()
    sent = Sent(server)
    sent.send(relay, f"you@refusing.{server.name}.example")
    relay.wait(f"refusing.{server.name}.*{UNKNOWN_GREETING}.*HostName=", since=since)


def test_a_reply_that_is_too_long_keeps_its_meaning(server, relay):
    if not server.is_verbose:
        pytest.skip(f"{server.name} cannot be made to talk so much")
    sent = Sent(server).send(relay, f"verbose@{server.domain}")
    notice = mail.Notice(server.wait_kept(sent.id)[0])
    fields = notice.recipient(f"verbose@{server.domain}")
    assert fields["Diagnostic-Code"].startswith("smtp; 550") and "no such user" in fields["Diagnostic-Code"]
    assert fields["Action"] == "failed"


def test_nothing_hides_in_a_message(server, relay):
    """What some program takes for the end of a message arrives inside of it."""
    ends = false_ends()
    sent = Sent(server)
    header, _, _ = sent.content.replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
    hidden = HIDDEN.replace(b"b@example.net", sent.recipient.encode())
    with relay.smtp() as session:
        session.ehlo()
        for end in ends:
            session.send_octets(sent.sender, [sent.recipient], header + b"\r\n\r\nx" + end + hidden)
    kept = server.wait_kept(sent.id, len(ends))
    assert len(kept) == len(ends)
    assert all(b"\r\nSubject: hidden\r\n" in one.content.partition(b"\r\n\r\n")[2] for one in kept)
    assert not [one for one in server.kept("Subject: hidden") if one.sender != sent.sender]
