# SPDX-License-Identifier: GPL-3.0-or-later
"""What people report against other relays, one test for each report: here it does not happen."""

import re
import stat
import subprocess
import threading

import pytest

import mail
from relay import BUILD

ADMIN = "admin@example.net"
QUICK = {"Queue": {"RetryFirst": "1s", "RetryLongest": "1s"}}


def test_nullmailer_59_mail_to_bare_root_ends_at_the_administrator(make_relay, receiver):
    relay = make_relay(receiver, {"Relay": {"AdminAddress": ADMIN}})
    relay.sendmail("root")
    relay.sendmail("-t", message="To: root\nSubject: cron\n\nhello\n")
    relay.send(recipients="root@localhost")
    assert [m.recipients for m in receiver.wait_messages(3)] == [[ADMIN]] * 3


@pytest.mark.parametrize("recipient", ["pi", "pi@localhost", "pi@relay.example.org", "pi@relay", "pi@pi.lan"])
def test_dma_119_and_137_mail_to_a_local_user_does_not_leave_as_the_providers(make_relay, receiver, recipient):
    relay = make_relay(receiver, {"Relay": {"AdminAddress": ADMIN, "Domain": "provider.example", "LocalDomains": "pi.lan"}})
    relay.sendmail(recipient)
    assert receiver.wait_messages(1)[0].recipients == [ADMIN]


def test_dma_75_unqualified_from_of_cron_is_completed(make_relay, receiver):
    relay = make_relay(receiver)
    relay.sendmail("-i", "-FCronDaemon", "-B8BITMIME", "-oem", "x@example.net",
                   message="From: root (Cron Daemon)\nTo: x@example.net\nSubject: Cron <root@pi> run-parts\n\nhello\n")
    assert b"\r\nFrom: root@example.org (Cron Daemon)\r\n" in receiver.wait_messages(1)[0].content


@pytest.mark.parametrize("report", ["nullmailer_72", "nullmailer_81", "nullmailer_84", "nullmailer_93", "dma_96"])
def test_envelope_and_header_are_rewritten_together_by_one_rule(make_relay, receiver, report):
    """The provider refuses a From: that is not the account's own, whatever the envelope says."""
    relay = make_relay(receiver, {"Rewrite": {"Sender": "account@provider.example"}})
    fields = {
        "nullmailer_72": "From: root <root>\nSender: root\n",  # bare
        "nullmailer_81": "From: Cron Daemon <root@pi.lan>\n",  # the host's own
        "nullmailer_84": "From: root (Cron Daemon)\nResent-From: root\n",  # an old form
        "nullmailer_93": "From: \"Jane Doe\"\n <jane@other.example>\n",  # another's, folded
        "dma_96": "",  # none
    }[report]
    relay.sendmail("-f", "root@pi.lan", "x@example.net", message=fields + "Subject: x\n\nroot@pi.lan\n")
    got = receiver.wait_messages(1)[0]
    assert got.sender == "account@provider.example"
    message = mail.parse(got)
    for name in ("From", "Sender", "Resent-From"):
        for field in message.get_all(name, []):
            assert [a.addr_spec for a in field.addresses] == ["account@provider.example"], (name, str(field))
    assert message["From"] and message.get_content() == "root@pi.lan\r\n"


def test_nullmailer_90_sendmail_works_with_no_new_privileges(make_relay, receiver):
    relay = make_relay(receiver)
    result = relay._run(["setpriv", "--no-new-privs", "--bounding-set=-all", BUILD / "cli/sendmail", "x@example.net"],
                        input=b"Subject: hardened\n\nhello\n", env={"POSTERN_SOCKET": str(relay.socket)})
    assert result.returncode == 0, result.stderr
    assert mail.subjects(receiver.wait_messages(1)) == ["hardened"]


def test_nullmailer_90_no_program_that_is_installed_is_set_id(tmp_path):
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", f"--destdir={tmp_path}"], check=True,
                   stdout=subprocess.DEVNULL)
    installed = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"posternd", "postern", "sendmail"} <= {path.name for path in installed}
    assert not [path for path in installed if path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID)]


# ---- one thing does not stop all others ----


def test_nullmailer_75_one_stuck_delivery_holds_up_nothing_else(make_relay, make_receiver):
    """Reported: a delivery that hangs stops all mail for a month."""
    never = threading.Event()
    receiver = make_receiver()
    receiver.on("END", lambda session, _: never if b"Subject: stuck" in session.envelope.original_content
                and len(receiver.messages) < 20 else None)
    relay = make_relay(receiver, {"Delivery": {"EndTimeout": "5s"}, **QUICK})
    relay.send(message=mail.text("stuck"))
    receiver.wait_for(lambda r: r.commands("DATA"))
    for number in range(20):
        relay.send(message=mail.text(f"number {number:02}"))
    assert mail.subjects(receiver.wait_messages(20)) == [f"number {number:02}" for number in range(20)]

    # And the one that is stuck has a deadline.
    relay.wait_line("has to wait, deferred:.*the end of the content was not answered within 5 seconds")
    assert "stuck" in mail.subjects(receiver.wait_messages(21))
    never.set()


def test_nullmailer_75_a_smarthost_that_greets_nobody_has_a_deadline(make_relay, make_receiver):
    never = threading.Event()
    first, second = make_receiver(), make_receiver()
    first.on("CONNECT", never)
    relay = make_relay([first, second], {"Delivery": {"GreetingTimeout": "2s"}})
    relay.send()
    second.wait_messages(1)
    relay.wait_line("no greeting came within 2 seconds")
    never.set()


# ---- few logins ----


def test_nullmailer_68_many_messages_take_one_login(make_relay, make_receiver):
    """Reported: it logs in anew for each message, until the provider blocks the account."""
    receiver = make_receiver(users={"me": "secret"}, mechanisms=("PLAIN",))
    relay = make_relay(receiver, {"Smarthost": {"User": "me", "PasswordCredential": "secret", "AuthWithoutTLS": "yes"}},
                       credentials={"secret": "secret\n"})
    for number in range(30):
        relay.send(message=mail.text(f"number {number}"))
        receiver.wait_messages(number + 1)
    assert receiver.logins == [("me", True)]
    assert len(receiver.connections) == 1


def test_nullmailer_68_a_burst_takes_no_more_logins_than_connections_are_allowed(make_relay, make_receiver):
    receiver = make_receiver(users={"me": "secret"}, mechanisms=("PLAIN",))
    relay = make_relay(receiver, {"Smarthost": {"User": "me", "PasswordCredential": "secret", "AuthWithoutTLS": "yes",
                                                "MaxConnections": "2"}}, credentials={"secret": "secret\n"})
    with relay.smtp() as session:
        for number in range(300):
            session.sendmail("a@example.org", "b@example.net", mail.text(f"number {number}"))
    receiver.wait_messages(300)
    assert len(receiver.logins) <= 2


# ---- notices about notices ----


@pytest.mark.parametrize("report", [54, 69, 82], ids=lambda report: f"nullmailer_{report}")
def test_a_failure_notice_that_fails_makes_no_other(relay, receiver, report):
    """Reported: failure notices about failure notices fill the disk."""
    receiver.on("RCPT", "550 5.1.1 no such user")
    relay.send(message=mail.text(f"report {report}"))
    relay.wait_line("held")
    held = relay.queue()
    assert [(row["state"], row["sender"]) for row in held] == [("held", "")]
    assert "no such user" in relay.postern("list"), "it is kept and shown, with its reason"
    relay.wait_line("held: .*550 5.1.1 no such user.*POSTERN_RECIPIENT=sender@example.org .*POSTERN_STATUS=5.1.1")
    assert not relay.log.find("has to wait"), "what is held has no next attempt to wait for"
    assert {re.match(r"MAIL FROM:<(.*?)>", line)[1] for line in receiver.commands("MAIL")} == {"sender@example.org", ""}

    # However often it is tried again.
    for attempt in range(1, 4):
        relay.postern("release", "--all")
        relay.wait_line(": held", count=attempt + 1)
    assert len(relay.queue()) == 1


# ---- several smarthosts ----


def test_nullmailer_53_the_smarthost_is_chosen_by_sender(make_relay, make_receiver):
    """Reported: there is one smarthost for all mail."""
    home, work = make_receiver(), make_receiver()
    relay = make_relay([home, work], {"Route work": {"Senders": "*.work.example work.example", "Smarthosts": "second"}})
    relay.send(sender="me@home.example", message=mail.text("home"))
    relay.send(sender="me@work.example", message=mail.text("work"))
    relay.send(sender="me@lab.work.example", message=mail.text("lab"))
    assert mail.subjects(home.wait_messages(1)) == ["home"]
    assert mail.subjects(work.wait_messages(2)) == ["lab", "work"]


def test_nullmailer_53_the_smarthost_is_chosen_by_recipient(make_relay, make_receiver):
    world, house = make_receiver(), make_receiver()
    relay = make_relay([world, house], {"Route house": {"Recipients": "house.example", "Smarthosts": "second"}})
    relay.send(recipients=["you@example.net", "me@house.example"])
    assert world.wait_messages(1)[0].recipients == ["you@example.net"]
    assert house.wait_messages(1)[0].recipients == ["me@house.example"]


# ---- a network that is away ----


def test_dma_30_a_smarthost_that_cannot_be_looked_up_bounces_nothing(make_relay, receiver):
    """Reported: the smarthost's name does not resolve while the machine is offline, and mail is bounced."""
    relay = make_relay(receiver, {"Smarthost": {"Host": "smarthost.invalid"}, "Delivery": {"ConnectTimeout": "2s"}})
    relay.send()
    relay.wait_line(r"has to wait, deferred: smarthost.invalid:\d+: (no such host|the name cannot be looked up)")
    assert [row["state"] for row in relay.queue()] == ["deferred"]
    assert not relay.log.find("bounced")

    # Once the name leads somewhere, the mail goes there.
    text = relay.configuration_file.read_text(encoding="utf-8")
    relay.configure(text.replace("smarthost.invalid", receiver.host))
    relay.reload()
    receiver.wait_messages(1)


@pytest.mark.parametrize("report", [17, 109], ids=lambda report: f"msmtp_{report}")
def test_what_was_accepted_is_sent_however_long_the_server_is_away(make_relay, make_receiver, report):
    """Reported: there is no queue, so mail is lost when sending fails."""
    receiver = make_receiver(up=False)
    relay = make_relay(receiver)
    relay.sendmail("you@example.net", message=f"Subject: report {report}\n\nkept\n")
    relay.wait_line("has to wait")

    # Not even the end of the daemon, nor of the power, takes it away.
    relay.kill9()
    relay.start()
    assert [row["recipient"] for row in relay.queue()] == ["you@example.net"]
    receiver.start()
    relay.postern("retry", "--all")
    assert mail.subjects(receiver.wait_messages(1)) == [f"report {report}"]


# ---- certificates ----


@pytest.mark.parametrize("flaw", ["other_authority", "wrong_name", "expired"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_dma_129_a_smarthost_with_a_bad_certificate_gets_neither_mail_nor_password(make_relay, make_receiver,
                                                                                  certificates, tls, flaw):
    """Reported: certificates are not checked."""
    certificate = certificates.server if flaw == "other_authority" else getattr(certificates, flaw)
    authority = certificates.other_authority if flaw == "other_authority" else certificates.authority
    receiver = make_receiver(tls=tls, certificate=certificate, users={"me": "secret"}, mechanisms=("PLAIN",))
    relay = make_relay(receiver, {"Smarthost": {"Host": "localhost", "TrustFile": authority[0], "User": "me",
                                                "PasswordCredential": "secret"}}, credentials={"secret": "secret\n"})
    relay.send()
    relay.wait_line("smarthost default .* cannot be used.*certificate")
    relay.wait_line("has to wait, deferred")
    assert not receiver.logins and not receiver.messages
    assert [row["state"] for row in relay.queue()] == ["deferred"]

    # Unless the administrator says otherwise.
    text = relay.configuration_file.read_text(encoding="utf-8")
    relay.configure(text.replace("User=me", "User=me\nVerify=no"))
    relay.reload()
    receiver.wait_messages(1)
