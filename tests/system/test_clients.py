# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs and libraries that hand mail over by SMTP on loopback, as alice; test_programs.py has those that call sendmail.

Some of them send a message's lines as they find them, with LF alone.
"""

import pytest

import mail
from gate import Gate
from machine import Machine
from network import WorldReceiver
from programs import programs_layer

SENDER, RECIPIENT = "me@example.org", "you@example.net"

# What each client is to send: a text with a line of one dot, one that begins with a dot, and letters beyond ASCII.
TEXT = "grüß dich\n.\n.hidden\n\nend\n"


@pytest.fixture(scope="module")
def machine(installed):
    with Machine([programs_layer(), installed]) as booted:
        booted.shell("systemd-sysusers && systemd-tmpfiles --create postern.conf && systemctl daemon-reload")
        booted.run("systemctl", "enable", "--now", "postern.socket")
        yield booted


@pytest.fixture(scope="module")
def receiver(machine):
    receiver = WorldReceiver(machine.network)
    with receiver:
        yield receiver


@pytest.fixture(scope="module")
def gate(machine, receiver):
    gate = Gate(machine)
    gate.reset()
    gate.send_to(receiver)
    machine.write("/home/alice/text", TEXT)
    machine.write("/home/alice/message", f"From: {SENDER}\nTo: {RECIPIENT}\nSubject: from a file\nMIME-Version: 1.0\n"
                  f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{TEXT}")
    return gate


@pytest.fixture
def send(gate, receiver):
    """send(script) runs a script and returns the one message that comes of it, and its content."""

    def run(script):
        before = len(receiver.messages)
        gate.machine.shell(f"cd; {script}", user="alice")
        received, = receiver.wait_messages(before + 1)[before:]
        return received, mail.parse(received)

    return run


def assert_whole(received, message, text=TEXT):
    assert (received.sender, received.recipients) == (SENDER, [RECIPIENT])
    assert b"\n" not in received.content.replace(b"\r\n", b"")
    for name in ("Date", "From", "Message-ID", "Received", "Subject"):
        assert len(message.get_all(name) or []) == 1, (name, message.get_all(name))
    assert message["From"].addresses[0].addr_spec == SENDER
    assert message.get_body().get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")


# ---- with CRLF ----


def test_smtplib_with_text(send):
    received, message = send(f"""python3 -c '
import smtplib
smtplib.SMTP("localhost").sendmail("{SENDER}", ["{RECIPIENT}"], "From: {SENDER}\\nSubject: text\\n\\none\\n.\\ntwo\\n")'""")
    assert_whole(received, message, "one\n.\ntwo\n")


def test_phpmailer(send):
    received, message = send(f"""php -r '
        require "libphp-phpmailer/autoload.php";
        $mail = new PHPMailer\\PHPMailer\\PHPMailer (true);
        $mail->isSMTP (); $mail->Host = "localhost"; $mail->CharSet = "UTF-8";
        $mail->setFrom ("{SENDER}", "Jürgen"); $mail->addAddress ("{RECIPIENT}");
        $mail->Subject = "grüße"; $mail->Body = file_get_contents ("text");
        $mail->send ();'""")
    assert_whole(received, message)
    assert message["Subject"] == "grüße" and message["From"].addresses[0].display_name == "Jürgen"


def test_nodemailer(send):
    received, message = send(f"""NODE_PATH=/usr/share/nodejs nodejs -e '
        require ("nodemailer").createTransport ({{host: "127.0.0.1", port: 25}}).sendMail (
            {{from: "Jürgen <{SENDER}>", to: "{RECIPIENT}", subject: "grüße", text: require ("fs").readFileSync ("text")}})
            .catch ((error) => {{ console.error (error); process.exitCode = 1; }});'""")
    assert_whole(received, message)
    assert message["Subject"] == "grüße" and message["From"].addresses[0].display_name == "Jürgen"


def test_mutt_by_smtp(send):
    received, message = send(
        f"mutt -e 'set smtp_url=smtp://localhost ssl_force_tls=no ssl_starttls=no from={SENDER} use_envelope_from charset=utf-8' "
        f"-s grüße {RECIPIENT} <text")
    assert_whole(received, message)
    assert message["Subject"] == "grüße"


def test_s_nail_by_smtp(send):
    received, message = send(f"s-nail -n -S v15-compat -S mta=smtp://localhost -S smtp-auth=none -S ttycharset=utf-8 -S from={SENDER} "
                             f"-s grüße {RECIPIENT} <text")
    assert_whole(received, message)
    assert message["Subject"] == "grüße"


def test_git_send_email_by_smtp(send):
    received, message = send(f"""
        rm -rf repository && git init -q repository && cd repository
        git config user.name 'Alice Ä' && git config user.email {SENDER}
        cp ../text file && git add file && git commit -qm 'Say grüße'
        git send-email --quiet --confirm=never --smtp-server=localhost --suppress-cc=all --from={SENDER} --to={RECIPIENT} -1 >/dev/null""")
    assert (received.sender, received.recipients) == (SENDER, [RECIPIENT])
    assert message["Subject"] == "[PATCH] Say grüße"
    assert "\n+grüß dich\n+.\n+.hidden\n+\n+end\n" in message.get_body().get_content().replace("\r\n", "\n")


def test_curl_with_a_file_of_crlf(send):
    received, message = send(f"sed 's/$/\\r/' message >message.crlf && curl -sS smtp://127.0.0.1 --mail-from {SENDER} "
                             f"--mail-rcpt {RECIPIENT} --upload-file message.crlf")
    assert_whole(received, message)


# ---- with LF alone ----


def test_smtplib_with_bytes(send):
    received, message = send(f"""python3 -c '
import smtplib
smtplib.SMTP("localhost").sendmail("{SENDER}", ["{RECIPIENT}"], open("message", "rb").read())'""")
    assert_whole(received, message)


def test_curl_with_a_text_file(send):
    received, message = send(f"curl -sS smtp://127.0.0.1 --mail-from {SENDER} --mail-rcpt {RECIPIENT} --upload-file message")
    assert_whole(received, message)


def test_fsockopen_of_php(send):
    """As scripts do it that were written for one server; the commands end in LF, too."""
    received, message = send(f"""php -r '
        $session = fsockopen ("localhost", 25);
        $ask = function ($line, $wanted) use ($session) {{
            fwrite ($session, $line);
            do $reply = fgets ($session); while (substr ($reply, 3, 1) == "-");
            if (substr ($reply, 0, 1) != $wanted) {{ fwrite (STDERR, "$line: $reply"); exit (1); }}
        }};
        $ask ("", 2); $ask ("EHLO localhost\\n", 2);
        $ask ("MAIL FROM:<{SENDER}>\\n", 2); $ask ("RCPT TO:<{RECIPIENT}>\\n", 2); $ask ("DATA\\n", 3);
        fwrite ($session, str_replace ("\\n.", "\\n..", file_get_contents ("message")));
        $ask ("\\r\\n.\\r\\n", 2); $ask ("QUIT\\n", 2);'""")
    assert_whole(received, message)
