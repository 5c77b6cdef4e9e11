# SPDX-License-Identifier: GPL-3.0-or-later
"""LF in place of CRLF: programs that mean well get their mail through, and nothing hides in a message."""

import itertools
import subprocess

import pytest

import mail
from test_submission import begin, hello

STRICT = {"Server": {"StrictLineEnds": "yes", "MaxErrors": "1000"}}
TEXT = b"Subject: a text file\nFrom: a@example.org\n\none\n.two\n\n.\nlast\n"


def body(received):
    """What follows the header; every line end of it must be CRLF.

    Programs that do not take LF for the end of the last line add another, an empty line.
    """
    assert b"\n" not in received.content.replace(b"\r\n", b"") and b"\r" not in received.content.replace(b"\r\n", b"")
    return received.content.partition(b"\r\n\r\n")[2]


# ---- programs that mean well ----


@pytest.mark.parametrize("dots", [b".x\n", b"..x\n", b".\n", b"...\n"], ids=lambda dots: dots[:-1].decode())
def test_smtplib_with_bytes(relay, receiver, dots):
    """It doubles dots behind a LF, too."""
    with relay.smtp() as session:
        session.sendmail("a@example.org", "b@example.net", b"Subject: bytes\n\nfirst\n" + dots + b"last\n")
    received = receiver.wait_messages(1)[0]
    assert mail.parse(received)["Subject"] == "bytes"
    assert body(received).rstrip() == b"first\r\n" + dots.replace(b"\n", b"\r\n") + b"last"


def test_curl_with_a_text_file(relay, receiver, tmp_path):
    """It doubles no dots behind a LF."""
    file = tmp_path / "message"
    file.write_bytes(TEXT)
    subprocess.run(["curl", "--silent", "--show-error", "--mail-from", "a@example.org", "--mail-rcpt", "b@example.net",
                    "--upload-file", file, "smtp://{}:{}".format(*relay.address)], check=True)
    received = receiver.wait_messages(1)[0]
    assert mail.parse(received)["Subject"] == "a text file"
    assert body(received).rstrip() == TEXT.partition(b"\n\n")[2].replace(b"\n", b"\r\n").rstrip()


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_script_that_writes_to_a_socket(relay, receiver, line_end):
    """As many a script does with PHP's fsockopen: commands with LF or CRLF, a body with LF, and one CRLF.CRLF."""
    with relay.raw() as session:
        for line in ("HELO localhost", "MAIL FROM: <a@example.org>", "RCPT TO: <b@example.net>", "DATA"):
            session.send(line + line_end)
            assert session.reply()[0] in "23"
        session.send("To: b@example.net\nSubject: by hand" + line_end + line_end + "one\ntwo" + "\r\n.\r\n")
        assert session.reply().startswith("250")
        session.send("QUIT" + line_end)
        assert session.reply().startswith("221")
    received = receiver.wait_messages(1)[0]
    assert mail.parse(received)["Subject"] == "by hand"
    assert body(received) == b"one\r\ntwo\r\n"


def test_a_message_in_chunks_with_lf(relay, receiver):
    with relay.raw() as session:
        hello(session)
        session.send("MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\nBDAT 12\nSubject: x\n\nBDAT 8 LAST\n..\none\n\n")
        assert [reply[:3] for reply in session.replies(4)] == ["250"] * 4
    assert body(receiver.wait_messages(1)[0]) == b"..\r\none\r\n\r\n"


@pytest.mark.parametrize("local", [True, False], ids=["local", "tcp"])
def test_each_line_end_that_stands_alone_becomes_crlf(relay, receiver, local):
    with relay.raw(local=local) as session:
        begin(session)
        session.send(b"Subject: x\n\none\ntwo\rthree\r\nfour\n\r\n.\r\n")
        assert session.reply().startswith("250")
    assert body(receiver.wait_messages(1)[0]) == b"one\r\ntwo\r\nthree\r\nfour\r\n\r\n"


def test_who_ends_a_message_with_lf_dot_lf_hears_what_ends_it(make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"IdleTimeout": "1s"}})
    with relay.raw() as session:
        begin(session)
        session.send("Subject: x\n\nx\n.\n")
        assert session.reply().startswith("421 4.4.2") and not session.reply()
    assert not receiver.messages


# ---- who must be exact ----


@pytest.mark.parametrize("content", [b"Subject: x\n\nx\r\n", b"Subject: x\r\n\r\na\rb\r\n"], ids=["lf", "cr"])
def test_a_strict_relay_refuses_line_ends_that_stand_alone(make_relay, receiver, content):
    relay = make_relay(receiver, STRICT)
    with relay.raw() as session:
        begin(session)
        session.send(content + b"\r\n.\r\n")
        assert session.reply().startswith("550 5.6.11")
        session.send("NOOP\n\r\n")
        assert session.reply().startswith("500 5.5.2")
    with relay.raw(local=True) as session:
        begin(session)
        session.send(content + b"\r\n.\r\n")
        assert session.reply().startswith("250"), "the local socket is never strict"
    assert len(receiver.wait_messages(1)) == 1


def test_a_stranger_s_command_ends_with_crlf(make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"TrustedNetworks": "192.0.2.0/24"}})
    with relay.raw() as session:
        session.send("EHLO client.example.org\n\r\n")
        assert session.reply().startswith("500 5.5.2")


# ---- no smuggling ----

LINE_ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\x00"]
HIDDEN = b"MAIL FROM:<hidden@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nSubject: hidden\r\n\r\nx\r\n.\r\n"


def false_ends():
    """What some program takes for the end of a message, and is not CRLF.CRLF."""
    ends = [before + dot + after for before, after in itertools.product(LINE_ENDS, repeat=2) for dot in (b".", b"..")]
    return [end for end in ends if b"\r\n.\r\n" not in end]


@pytest.mark.parametrize("door", ["local", "tcp", "strict"])
def test_only_crlf_dot_crlf_ends_a_message(make_relay, receiver, door):
    relay = make_relay(receiver, STRICT if door == "strict" else {})
    taken = 0
    with relay.raw(local=door == "local") as session:
        hello(session)
        for end in false_ends():
            session.send(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
                         b"Subject: outer\r\n\r\nx" + end + HIDDEN + b"NOOP\r\n")
            replies = session.replies(5)
            assert [reply[:3] for reply in replies[:3]] == ["250", "250", "354"], end
            assert replies[4].startswith("250 2.0.0 Done"), (end, replies)
            taken += replies[3].startswith("250")
    # What was taken went out as one message, in which nothing can be mistaken for an end.
    assert taken == len(false_ends()) or door == "strict"
    received = receiver.wait_messages(taken)
    assert set(mail.subjects(received)) <= {"outer"}
    assert all(b"\r\nSubject: hidden\r\n" in body(message) for message in received)
