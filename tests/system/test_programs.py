# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of Debian that send mail, each on a machine with Postern; what counts is what the receiver got.

alice@gate.example.org is a user of the machine; mail to root goes to the administrator, admin@example.org.
"""

import pytest

import mail
from machine import Machine
from programs import REPOSITORY, programs_layer

ADMIN = "admin@example.org"
ALICE = "alice@gate.example.org"
ROOT = "root@gate.example.org"


@pytest.fixture(scope="module")
def machine(installed):
    """A machine with all those programs."""
    with Machine([programs_layer(), installed]) as booted:
        booted.shell("systemd-sysusers && systemd-tmpfiles --create postern.conf && systemctl daemon-reload")
        booted.run("systemctl", "enable", "--now", "postern.socket")
        yield booted


@pytest.fixture
def send(gate, receiver):
    """send(script) runs a script on the machine and returns the one message that comes of it, and its content."""
    gate.send_to(receiver, Relay={"AdminAddress": ADMIN})

    def run(script, user="alice"):
        gate.machine.shell(script, user=user)
        received = receiver.wait_messages(1)[0]
        return received, mail.parse(received)

    return run


def assert_whole(message, sender):
    """What every message must have when it leaves."""
    assert message["From"].addresses[0].addr_spec == sender
    for name in ("Date", "From", "Message-ID", "Received"):
        assert len(message.get_all(name)) == 1, (name, message.get_all(name))
    assert "@" in message["Message-ID"]


def text_of(message):
    return message.get_body().get_content().replace("\r\n", "\n").strip()


def test_bsd_mailx(send):
    received, message = send("echo 'hello, wörld' | bsd-mailx -s test root")
    assert (received.sender, received.recipients) == (ALICE, [ADMIN])
    assert_whole(message, ALICE)
    assert message["Subject"] == "test" and text_of(message) == "hello, wörld"
    assert message["To"].addresses[0].addr_spec == ROOT


def test_s_nail(send):
    received, message = send("echo 'grüß dich' | s-nail -s 'ein täst' -r me@example.org you@example.net")
    assert (received.sender, received.recipients) == ("me@example.org", ["you@example.net"])
    assert_whole(message, "me@example.org")
    assert message["Subject"] == "ein täst" and text_of(message) == "grüß dich"


def test_mutt_with_an_attachment(send):
    received, message = send("echo hello | mutt -s test -a /etc/hostname -- you@example.net")
    assert (received.sender, received.recipients) == (ALICE, ["you@example.net"])
    assert_whole(message, ALICE)
    assert [part.get_content().strip() for part in message.iter_attachments()] == ["gate"]


def test_git_send_email(send):
    received, message = send("""
        cd && rm -rf repository && git init -q repository && cd repository
        git config user.name 'Alice Ä' && git config user.email alice@example.org
        printf 'line\\n.\\nFrom here\\n' >file && git add file && git commit -qm 'Add a file'
        git send-email --quiet --confirm=never --to=you@example.net --cc=they@example.net -1 >/dev/null""")
    assert received.sender == ALICE  # git leaves the envelope to sendmail, unless it is told one
    assert sorted(received.recipients) == ["alice@example.org", "they@example.net", "you@example.net"]
    assert_whole(message, "alice@example.org")
    assert message["Subject"] == "[PATCH] Add a file"
    assert "\n+.\n+From here\n" in text_of(message)


def test_smtplib_and_email_of_python(send):
    received, message = send("""
        python3 - <<'END'
import email.message, smtplib
message = email.message.EmailMessage()
message["From"], message["To"], message["Bcc"], message["Subject"] = "a@example.org", "b@example.net", "c@example.net", "täst"
message.set_content("grüß\\n" + ".\\n" * 3)
smtplib.SMTP("localhost").send_message(message)
END""")
    assert (received.sender, received.recipients) == ("a@example.org", ["b@example.net", "c@example.net"])
    assert_whole(message, "a@example.org")
    assert message["Bcc"] is None and message["Subject"] == "täst" and text_of(message) == "grüß\n.\n.\n."


def test_email_sender_of_perl(send):
    received, message = send("""
        perl -MEmail::Sender::Simple=sendmail -MEmail::Simple -e 'sendmail (Email::Simple->create (
            header => [To => "you\\@example.net", From => "me\\@example.org", Subject => "perl"], body => "hi\\n"))'""")
    assert (received.sender, received.recipients) == ("me@example.org", ["you@example.net"])
    assert_whole(message, "me@example.org")
    assert text_of(message) == "hi"


def test_mime_lite_of_perl(send):
    received, message = send("""
        perl -MMIME::Lite -e 'MIME::Lite->new (To => "you\\@example.net, \\"B, C\\" <they\\@example.net>",
            From => "me\\@example.org", Subject => "lite", Data => "hi\\n")->send'""")
    assert (received.sender, received.recipients) == ("me@example.org", ["you@example.net", "they@example.net"])
    assert_whole(message, "me@example.org")
    assert message["Subject"] == "lite"


def test_mail_of_php(send):
    received, message = send("""
        php -r 'exit (mail ("you@example.net", "php", "one\\ntwo\\n", "From: web@example.org\\r\\nX-A: b",
                            "-fbounce@example.org") ? 0 : 1);'""")
    assert (received.sender, received.recipients) == ("bounce@example.org", ["you@example.net"])
    assert_whole(message, "web@example.org")
    assert message["X-A"] == "b" and text_of(message) == "one\ntwo"


def test_msmtp_as_a_client(send):
    received, message = send("""
        printf 'From: me@example.org\\nTo: you@example.net\\nSubject: by msmtp\\n\\nhi\\n' |
            msmtp --host=localhost --port=25 --auth=off --tls=off --read-envelope-from --read-recipients""")
    assert (received.sender, received.recipients) == ("me@example.org", ["you@example.net"])
    assert_whole(message, "me@example.org")


def test_swaks(send):
    received, message = send("swaks --server 127.0.0.1 --from me@example.org --to you@example.net --body hi >/dev/null")
    assert (received.sender, received.recipients) == ("me@example.org", ["you@example.net"])
    assert_whole(message, "me@example.org")


def test_cron(gate, send):
    """A job of @reboot, which runs as cron starts: one of each minute may be a minute away."""
    gate.machine.write("/etc/cron.d/postern-test", "@reboot alice echo from cron\n")
    try:
        received, message = send("rm -f /run/crond.reboot && systemctl restart cron", user=None)
    finally:
        gate.machine.shell("systemctl stop cron; rm -f /etc/cron.d/postern-test")
    assert (received.sender, received.recipients) == (ALICE, [ADMIN])
    assert_whole(message, "root@gate.example.org")
    assert "echo from cron" in message["Subject"] and text_of(message) == "from cron"


def test_at(send):
    received, message = send("echo 'echo from at' | at -m now 2>/dev/null")
    assert (received.sender, received.recipients) == (ALICE, [ADMIN])
    assert_whole(message, ALICE)
    assert text_of(message) == "from at"


def test_logwatch(send):
    received, message = send("logwatch --output mail --mailto root --range all --service dpkg", user=None)
    assert (received.sender, received.recipients) == (ROOT, [ADMIN])
    assert_whole(message, ROOT)
    assert "Logwatch for gate" in message["Subject"] and "dpkg" in text_of(message)


def test_smartd(send):
    """As smartd calls what sends its mail; the disk that fails is made up."""
    received, message = send("""
        echo 'The following warning was logged' |
            SMARTD_MAILER=mail SMARTD_ADDRESS=root SMARTD_FAILTYPE=EmailTest SMARTD_MESSAGE=TEST \\
            /usr/share/smartmontools/smartd-runner -s 'SMART error (EmailTest) detected on host: gate' root""", user=None)
    assert (received.sender, received.recipients) == (ROOT, [ADMIN])
    assert_whole(message, ROOT)
    assert message["Subject"].startswith("SMART error (EmailTest)")


def test_mdadm(send):
    """As mdadm's monitor pipes its test alert into sendmail; it needs a kernel with arrays to do so itself."""
    received, message = send("""
        sendmail -t <<'END'
From: mdadm monitoring <root>
To: root
Subject: TestMessage event on /dev/md0:gate

This is an automatically generated mail message from mdadm
running on gate
END""", user=None)
    assert (received.sender, received.recipients) == (ROOT, [ADMIN])
    assert_whole(message, ROOT)
    assert message["From"] == f"mdadm monitoring <{ROOT}>"


@pytest.fixture
def upgradable(gate):
    """One package of the machine can be upgraded, from a repository of its own."""
    gate.machine.shell(f"""
        mkdir -p /etc/apt/away && mv /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/away/ 2>/dev/null || true
        echo 'deb [trusted=yes] file:{REPOSITORY} ./' >/etc/apt/sources.list
        apt-get -q update""")


def test_apticron(send, upgradable):
    received, message = send("apticron", user=None)
    assert received.recipients == [ADMIN]
    assert_whole(message, ROOT)
    assert "mail-system-stand-in" in text_of(message)


def test_unattended_upgrades(gate, send, upgradable):
    gate.machine.write("/etc/apt/apt.conf.d/99tests",
                       'Unattended-Upgrade::Origins-Pattern { "site="; };\nUnattended-Upgrade::Mail "root";\n'
                       'Unattended-Upgrade::MailReport "always";\n')
    received, message = send("unattended-upgrade", user=None)
    assert received.recipients == [ADMIN]
    assert_whole(message, ROOT)
    assert "mail-system-stand-in" in text_of(message)


def test_check_mailq_counts_what_waits(gate):
    """The plugin of Nagios, as sendmail(1) says to call it."""
    gate.postern("pause")
    for waiting, status, words in ((0, 0, "OK: postfix mailq reports queue is empty"), (1, 0, "OK: postfix mailq (1)"),
                                   (2, 1, "WARNING: postfix mailq is 2"), (3, 2, "CRITICAL: postfix mailq is 3")):
        if waiting:
            gate.sendmail("you@example.net")
        told = gate.machine.run("/usr/lib/nagios/plugins/check_mailq", "-M", "postfix", "-w", "2", "-c", "3", check=False)
        assert told.returncode == status and words in told.stdout, told.stdout + told.stderr


def test_a_hardened_service(send):
    """nullmailer 90: a set-id program could do nothing there."""
    received, message = send("""
        printf 'Subject: hardened\\n\\nhi\\n' >/run/message
        systemd-run --quiet --wait --property=DynamicUser=yes --property=NoNewPrivileges=yes \\
            --property=ProtectSystem=strict --property=ProtectHome=yes --property=PrivateNetwork=yes \\
            --property=PrivateUsers=yes --property=CapabilityBoundingSet= --property=SystemCallFilter=@system-service \\
            --property=StandardInput=file:/run/message --unit=hardened sendmail you@example.net""", user=None)
    assert (received.sender, received.recipients) == ("hardened@gate.example.org", ["you@example.net"])
    assert_whole(message, "hardened@gate.example.org")
