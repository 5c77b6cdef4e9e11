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
