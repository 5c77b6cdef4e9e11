# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail on its way in: SMTP by swaks, smtplib and by hand, over TCP and the local socket."""

import os
import ssl
import subprocess

import pytest

import mail


def swaks(relay, *arguments, status=0):
    result = subprocess.run(["swaks", "--from", "sender@example.org", "--to", "recipient@example.net", *arguments],
                            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout


def hello(session):
    """EHLO by hand; returns its lines."""
    reply = session.ask("EHLO client.example.org")
    assert reply.startswith("250"), reply
    return [line[4:] for line in reply.splitlines()]


def begin(session, sender="<sender@example.org>", recipient="<recipient@example.net>"):
    """EHLO, MAIL, RCPT and DATA by hand."""
    hello(session)
    assert session.ask(f"MAIL FROM:{sender}").startswith("250")
    assert session.ask(f"RCPT TO:{recipient}").startswith("250")
    assert session.ask("DATA").startswith("354")


# ---- clients of every kind ----


def test_swaks_over_tcp(relay, receiver):
    swaks(relay, "--server", "{}:{}".format(*relay.address), "--header", "Subject: by swaks", "--body", "one\n.two\n")
    received = receiver.wait_messages(1)[0]
    message = mail.parse(received)
    assert message["Subject"] == "by swaks"
    assert b"\r\n.two\r\n" in received.content
    assert "by relay.example.org" in message["Received"]
    assert "ESMTP" in message["Received"]


def test_swaks_over_starttls(make_relay, receiver, certificates):
    certificate, key = certificates.server
    relay = make_relay(receiver, {"Server": {"TLSCertificate": certificate, "TLSKey": key}})
    swaks(relay, "--server", "localhost:{1}".format(*relay.address), "--tls", "--tls-verify",
          "--tls-ca-path", str(certificates.authority[0]))
    received = mail.parse(receiver.wait_messages(1)[0])["Received"]
    assert "ESMTPS" in received
    assert "TLS1.3" in received


def test_swaks_over_the_local_socket(relay, receiver):
    swaks(relay, "--socket", str(relay.socket))
    received = receiver.wait_messages(1)[0]
    assert received.sender == "sender@example.org"
    assert received.recipients == ["recipient@example.net"]


def test_content_comes_out_as_it_went_in(relay, receiver):
    lines = ["", ".", "..", "...", ".x", " leading", "trailing ", "\ttab", "x" * 998, "last"]
    relay.send(message=mail.text(body="\n".join(lines)))
    content = receiver.wait_messages(1)[0].content.decode()
    assert content.partition("\r\n\r\n")[2] == "\r\n".join(lines) + "\r\n"


def test_a_message_of_8_bit_text(relay, receiver):
    body = "Grüße, 你好\r\n"
    relay.send(message=("Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body).encode(),
               options=["BODY=8BITMIME"])
    received = receiver.wait_messages(1)[0]
    assert received.content.endswith(body.encode())
    assert "BODY=8BITMIME" in received.mail_options


def test_addresses_and_headers_in_utf8(relay, receiver):
    with relay.smtp() as session:
        session.ehlo()
        session.sendmail("пользователь@example.org", ["用户@example.net"], "Subject: Привет\r\n\r\nx\r\n".encode(),
                         ["SMTPUTF8", "BODY=8BITMIME"])
    received = receiver.wait_messages(1)[0]
    assert received.sender == "пользователь@example.org"
    assert received.recipients == ["用户@example.net"]
    assert "SMTPUTF8" in received.mail_options
    assert "Subject: Привет\r\n".encode() in received.content
    assert b"UTF8SMTP" in received.content


def test_a_message_in_chunks(relay, receiver):
    with relay.raw() as session:
        assert "CHUNKING" in hello(session)
        session.send("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n")
        session.send("BDAT 12\r\nSubject: x\r\nBDAT 7\r\n\r\n.\r\nab")
        session.send("BDAT 0 LAST\r\n")
        assert [reply[:3] for reply in session.replies(5)] == ["250"] * 5
    assert receiver.wait_messages(1)[0].content.endswith(b"\r\n\r\n.\r\nab\r\n")


def test_the_null_sender(relay, receiver):
    relay.send(sender="")
    assert receiver.wait_messages(1)[0].sender == ""


def test_bare_addresses_get_the_domain(relay, receiver):
    with relay.raw(local=True) as session:
        begin(session, "<root>", "<postmaster>")
        session.send("From: root\r\nTo: Postmaster <postmaster>\r\nSubject: x\r\n\r\nx\r\n.\r\n")
        assert session.reply().startswith("250")
    received = receiver.wait_messages(1)[0]
    message = mail.parse(received)
    assert received.sender == "root@example.org"
    assert received.recipients == ["postmaster@example.org"]
    assert message["From"].addresses[0].addr_spec == "root@example.org"
    assert message["To"] == "Postmaster <postmaster@example.org>"


def test_what_is_missing_is_added_and_bcc_goes(relay, receiver):
    relay.send(message="Bcc: secret@example.net\r\nTo: b@example.net\r\n\r\nx\r\n")
    message = mail.parse(receiver.wait_messages(1)[0])
    assert message["Date"] and message["Message-ID"]
    assert message["From"].addresses[0].addr_spec == "sender@example.org"
    assert message["Bcc"] is None


def test_the_user_of_the_local_socket_is_known(relay, receiver):
    os.chmod(relay.folder, 0o755)
    program = f"import smtplib, socket\n" \
              f"class S(smtplib.SMTP):\n" \
              f"    def _get_socket(self, *a):\n" \
              f"        s = socket.socket(socket.AF_UNIX); s.connect({str(relay.socket)!r}); return s\n" \
              f"S('x').sendmail('a@example.org', 'b@example.net', 'Subject: x\\n\\nx')\n"
    uid = 65534 if os.geteuid() == 0 else os.geteuid()
    subprocess.run(["/usr/bin/python3", "-c", program], check=True, user=uid if os.geteuid() == 0 else None)
    receiver.wait_messages(1)
    relay.wait_line(rf"queued mail.*POSTERN_SUBMITTER_UID={uid}\b")
    if uid == 65534:
        assert "nobody" in mail.parse(receiver.messages[0])["Received"]


# ---- who may relay ----


def test_no_open_relay(make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"TrustedNetworks": "192.0.2.0/24"}})
    with relay.raw() as session:
        hello(session)
        assert session.ask("MAIL FROM:<a@example.org>").startswith("250")
        assert session.ask("RCPT TO:<b@example.net>").startswith("550 5.7.1")
        assert session.ask("RCPT TO:<b@example.org>").startswith("550 5.7.1")
        assert session.ask("RCPT TO:<@relay.example.org:b@example.net>").startswith("550 5.7.1")
        assert session.ask('RCPT TO:<"b@example.net"@relay.example.org>').startswith("550 5.7.1")
        assert session.ask("DATA").startswith("5")
    relay.wait_line(r"refused 127\.0\.0\.1.*POSTERN_STATUS=5\.7\.1")
    with relay.local_smtp() as session:
        session.sendmail("a@example.org", "b@example.net", "Subject: local\n\nx")
    assert mail.subjects(receiver.wait_messages(1)) == ["local"]


# ---- commands and content beside each other ----


def test_commands_may_be_pipelined_past_data(relay, receiver):
    with relay.raw() as session:
        hello(session)
        transaction = "MAIL FROM:<a@example.org>\r\nRCPT TO:<{0}@example.net>\r\nDATA\r\n"
        session.send(transaction.format("one"))
        assert [r[:3] for r in session.replies(3)] == ["250", "250", "354"]
        session.send(mail.text("one") + ".\r\n" + transaction.format("two"))
        assert [r[:3] for r in session.replies(4)] == ["250", "250", "250", "354"]
        session.send(mail.text("two") + ".\r\nNOOP\r\nQUIT\r\n")
        assert [r[:3] for r in session.replies(3)] == ["250", "250", "221"]
    assert mail.subjects(receiver.wait_messages(2)) == ["one", "two"]


def test_a_command_smuggled_past_starttls_is_not_obeyed(make_relay, receiver, certificates):
    certificate, key = certificates.server
    relay = make_relay(receiver, {"Server": {"TLSCertificate": certificate, "TLSKey": key}})
    with relay.raw() as session:
        assert "STARTTLS" in hello(session)
        session.send("STARTTLS\r\nEHLO injected.example.org\r\nMAIL FROM:<injected@example.org>\r\n")
        assert session.reply().startswith("220")
        assert not session.buffer, "a command behind STARTTLS was answered in plain text"
        context = ssl.create_default_context(cafile=certificates.authority[0])
        session.socket = context.wrap_socket(session.socket, server_hostname="localhost")
        assert session.ask("RCPT TO:<b@example.net>").startswith("503"), "a command behind STARTTLS was obeyed"
        begin(session)


# ---- limits ----


def test_a_thousand_recipients(relay, receiver):
    addresses = [f"user{i}@example.net" for i in range(1000)]
    relay.send(recipients=addresses)
    receiver.wait_for(lambda r: sum(len(m.recipients) for m in r.messages) == 1000)
    assert sorted(a for m in receiver.messages for a in m.recipients) == sorted(addresses)


def test_too_many_recipients(make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"MaxRecipients": 5}})
    with relay.smtp() as session:
        session.ehlo()
        session.mail("a@example.org")
        codes = [session.rcpt(f"b{i}@example.net") for i in range(6)]
        assert [code for code, _ in codes] == [250] * 5 + [452]
        assert codes[5][1].startswith(b"4.5.3")
        assert session.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250
    assert len(receiver.wait_messages(1)[0].recipients) == 5


def test_a_message_that_says_that_it_is_too_large(make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"MaxMessageSize": "10K"}})
    with relay.raw() as session:
        assert "SIZE 10240" in hello(session)
        assert session.ask("MAIL FROM:<a@example.org> SIZE=10241").startswith("552 5.3.4")
        assert session.ask("MAIL FROM:<a@example.org> SIZE=10000").startswith("250")


def test_a_message_that_is_too_large(make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"MaxMessageSize": "10K"}})
    with relay.raw() as session:
        begin(session)
        session.send(mail.text(body="x" * 70 + "\n" + "y" * 70 + "\n" + ("z" * 70 + "\n") * 200) + ".\r\n")
        assert session.reply().startswith("552 5.3.4")
        assert session.ask("NOOP").startswith("250")
    relay.send(message=mail.text("small"))
    assert mail.subjects(receiver.wait_messages(1)) == ["small"]


def test_too_many_errors(make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"MaxErrors": 3}})
    with relay.raw() as session:
        replies = []
        for _ in range(5):
            replies.append(session.ask("NONSENSE"))
            if replies[-1].startswith("421"):
                break
        assert replies[-1].startswith("421 4.7.0"), replies
        assert len(replies) <= 4
        assert session.reply() == ""


def test_too_many_sessions(make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"MaxSessions": 2}})
    with relay.raw() as first, relay.raw(local=True):
        with relay.raw() as third:
            assert third.greeting.startswith(("421 4.7.0", "421 4.3.2")), third.greeting
            assert third.reply() == ""
        assert first.ask("QUIT").startswith("221")
        assert first.reply() == ""
        with relay.raw() as fourth:
            assert fourth.greeting.startswith("220")


def test_a_session_that_is_silent(make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"IdleTimeout": "2s"}})
    with relay.raw() as session, relay.raw() as within_data:
        # All at once: a busy machine may be silent between two commands.
        within_data.send("EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
        assert [reply[:3] for reply in within_data.replies(4)] == ["250", "250", "250", "354"]
        within_data.send("Subject: x\r\n\r\n")
        assert session.reply().startswith("421 4.4.2")
        assert session.reply() == ""
        assert within_data.reply().startswith("421 4.4.2")
    assert not receiver.messages


def test_a_command_line_that_never_ends(relay):
    with relay.raw() as session:
        session.send(b"NOOP " + b"x" * 100_000 + b"\r\n")
        assert session.reply().startswith("500 5.5.2")
        assert session.ask("NOOP").startswith("250")


def test_a_client_that_goes_away_within_the_content(relay, receiver):
    session = relay.raw()
    begin(session)
    session.send("Subject: half\r\n\r\nhalf of it")
    session.close()
    relay.send(message=mail.text("whole"))
    assert mail.subjects(receiver.wait_messages(1)) == ["whole"]
    relay.wait_line("delivered to <recipient@example.net>")
    assert not relay.queue()


def test_many_sessions_at_once(relay, receiver):
    sessions = [relay.raw() for _ in range(300)]
    try:
        for session in sessions:
            session.send("EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
        for session in sessions:
            assert [r[:3] for r in session.replies(4)] == ["250", "250", "250", "354"]
        for number, session in enumerate(sessions):
            session.send(mail.text(f"number {number}") + ".\r\n")
        for session in sessions:
            assert session.reply().startswith("250")
    finally:
        for session in sessions:
            session.close()
    assert len(set(mail.subjects(receiver.wait_messages(300)))) == 300


def test_smtplib_by_helo(relay, receiver):
    with relay.smtp() as session:
        session.helo("client.example.org")
        session.docmd("MAIL", "FROM:<a@example.org>")
        session.docmd("RCPT", "TO:<b@example.net>")
        assert session.data("Subject: old\r\n\r\nx\r\n")[0] == 250
    assert "with SMTP" in mail.parse(receiver.wait_messages(1)[0])["Received"]


def test_what_cannot_be_is_refused_with_the_right_reply(relay):
    with relay.raw() as session:
        assert session.ask("MAIL FROM:<a@example.org>").startswith("503 5.5.1")
        hello(session)
        assert session.ask("RCPT TO:<b@example.net>").startswith("503 5.5.1")
        assert session.ask("DATA").startswith("503 5.5.1")
        assert session.ask("MAIL FROM:<a@@example.org>").startswith("5")
        assert session.ask("MAIL FROM:<a@example.org> NONSENSE=1").startswith("555 5.5.4")
        assert session.ask("MAIL FROM:<a@example.org>").startswith("250")
        assert session.ask("MAIL FROM:<a@example.org>").startswith("503 5.5.1")
        assert session.ask("DATA").startswith(("503 5.5.1", "554 5.5.1"))
        assert session.ask("VRFY b@example.net").startswith("252")
        assert session.ask("STARTTLS").startswith("5")
        assert session.ask("RSET").startswith("250")
        assert session.ask("QUIT").startswith("221")


