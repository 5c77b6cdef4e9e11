# SPDX-License-Identifier: GPL-3.0-or-later
"""`postern log` and `postern trace`: a message's whole story from the journal, for those whom it concerns."""

import json
import os
import pwd
import re
import subprocess

import pytest

import journalfile
import mail
from busclient import SystemBus
from doubles import Polkit
from receiver import PATIENCE_SECONDS
from relay import BUILD, POSTERN, Lines, environment, for_everybody

SERVICE = BUILD / "journal" / "postern-journal"
NOBODY = pwd.getpwnam("nobody").pw_uid

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be several users")


def event(kind, identifier, text, **fields):
    """An entry as the relay makes it."""
    fields = {f"POSTERN_{name.upper()}": str(value) for name, value in fields.items()}
    return [("MESSAGE", f"{identifier}: {text}"), ("MESSAGE_ID", journalfile.message_ids()[kind]), ("PRIORITY", "6"),
            ("POSTERN_QUEUE_ID", identifier), *fields.items()]


def run(*arguments, status=0, **options):
    result = subprocess.run([POSTERN, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            env=environment(**options), check=False, timeout=PATIENCE_SECONDS)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout if status == 0 else result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A journal with the mail of two users."""
    path = tmp_path_factory.mktemp("journal")
    path.chmod(0o755)
    path.parent.chmod(0o755)
    path.parent.parent.chmod(0o755)
    journal = journalfile.write(path / "system.journal", [
        event("QUEUED", "0aaaaaaaaaaaa", "queued mail of <n@example.org> for <a@example.net>", sender="n@example.org",
              recipient="a@example.net", submitter_uid=NOBODY, message_id="<1@example.org>", recipients=1),
        event("DELIVERED", "0aaaaaaaaaaaa", "delivered to <a@example.net>", sender="n@example.org",
              recipient="a@example.net", submitter_uid=NOBODY),
        event("QUEUED", "0bbbbbbbbbbbb", "queued mail of <root@example.org> for <a@example.net>",
              sender="root@example.org", recipient="a@example.net", submitter_uid=0, recipients=1)])
    journal.chmod(0o644)
    # Any program may write such entries; only those of the relay's unit count.
    journalfile.write(path / "other.journal", [
        event("BOUNCED", "0aaaaaaaaaaaa", "a forged entry", recipient="a@example.net", submitter_uid=NOBODY)],
        unit="evil.service").chmod(0o644)
    return path


def test_log_tells_the_whole_story(relay, receiver, tmp_path):
    receiver.on("RCPT", "450 4.2.1 mailbox busy", match="busy@", times=1)
    receiver.on("RCPT", "550 5.1.1 no such user", match="nobody@")
    relay.send(recipients=["good@example.net", "busy@example.net", "nobody@example.net"])
    relay.wait_line("bounced")
    relay.wait_line("busy@example.net.*deferred")
    (waiting,) = [m for m in relay.queue() if m["sender"] != ""]
    journal = journalfile.write(tmp_path / "a.journal", journalfile.entries(relay.log_text()))

    story = run("log", f"--file={journal}", waiting["id"])
    lines = story.splitlines()
    assert lines[0] == waiting["id"]
    assert "queued mail of <sender@example.org>" in lines[1]
    assert any("delivered to <good@example.net>" in line for line in lines)
    assert "450 4.2.1 mailbox busy" in story and "550 5.1.1 no such user" in story
    assert lines[-1].strip() == "Recipients: 1 delivered, 1 bounced, 1 not delivered yet"

    told = json.loads(run("log", "--json", f"--file={journal}", waiting["id"]))
    events = told[0]["events"]
    assert told[0]["id"] == waiting["id"]
    assert [e["event"] for e in events][0] == "queued"
    assert {e["event"] for e in events} == {"queued", "delivered", "deferred", "bounced"}
    assert len(events[0]["recipients"]) >= 1 and events[0]["recipients-count"] == 3
    bounced = next(e for e in events if e["event"] == "bounced")
    assert bounced["status"] == "5.1.1" and bounced["recipients"] == ["nobody@example.net"]


def test_many_recipients_share_entries_and_each_is_found(relay, receiver, tmp_path):
    receiver.on("RCPT", "550 5.1.1 no such user", match="r50@")
    recipients = [f"r{number}@example.net" for number in range(250)]
    relay.send(recipients=recipients)
    relay.wait_line("delivered to.*r249@example.net")
    # Up to the one that is refused, and behind it, by the hundred. The notice to the sender may be delivered already, too.
    assert len(re.findall("delivered to <r[0-9]+@example.net>", relay.log_text())) == 3
    journal = journalfile.write(tmp_path / "a.journal", journalfile.entries(relay.log_text()))

    for recipient in recipients:
        story = run("trace", f"--file={journal}", recipient)
        assert f"<{recipient}>" in story
        assert story.splitlines()[-1].strip() == "Recipients: 249 delivered, 1 bounced"
    events = json.loads(run("trace", "--json", f"--file={journal}", "r99@example.net"))[0]["events"]
    assert {e["event"]: e["recipients-count"] for e in events if "recipients-count" in e} == {"queued": 250, "delivered": 99}
    delivered = [recipient for e in events if e["event"] == "delivered" for recipient in e["recipients"]]
    assert sorted(delivered) == sorted(set(recipients) - {"r50@example.net"})


def test_a_few_recipients_have_an_entry_each(relay, receiver):
    relay.send(recipients=["a@example.net", "b@example.net", "c@example.net"])
    relay.wait_line("delivered to", count=3)
    for name in "abc":
        assert len(re.findall(f"delivered to <{name}@example.net> by", relay.log_text())) == 1


def test_trace_finds_a_message_that_is_gone(relay, receiver, tmp_path):
    message = mail.text("traced").replace("Subject:", "Message-ID:\n <one.two@host.example.org>\nSubject:")
    relay.sendmail("-f", "me@example.org", "you@EXAMPLE.net", message=message)
    relay.send(recipients=["another@example.net"])
    receiver.wait_messages(2)
    relay.wait_line("delivered to", count=2)
    assert relay.queue() == []
    journal = journalfile.write(tmp_path / "a.journal", journalfile.entries(relay.log_text()))

    for what in ("you@example.net", "you@Example.NET", "me@example.org", "<one.two@host.example.org>",
                 "one.two@host.example.org"):
        story = run("trace", f"--file={journal}", what)
        assert story.count("queued mail of") == 1 and "delivered to <you@example.net>" in story.lower(), what
        assert "Recipients: 1 delivered" in story
    error = run("trace", f"--file={journal}", "stranger@example.net", status=3)
    assert "knows of no mail" in error and "stranger@example.net" in error


def test_trace_tells_the_latest_messages(tmp_path):
    identifiers = [f"0{number:012}" for number in range(30)]
    journal = journalfile.write(tmp_path / "a.journal", [
        event("QUEUED", identifier, "queued", recipient="a@example.net", recipients=1) for identifier in identifiers],
        apart_seconds=3600)
    told = json.loads(run("trace", f"--file={journal}", "--limit=3", "--json", "a@example.net"))
    assert [story["id"] for story in told] == identifiers[-3:]
    assert len(json.loads(run("trace", f"--file={journal}", "--json", "a@example.net"))) == 20
    assert len(json.loads(run("trace", f"--file={journal}", "--json", "--limit=99", "a@example.net"))) == 30
    # They are an hour apart, and the last one is of now.
    recent = json.loads(run("trace", f"--file={journal}", "--json", "--since=10h", "a@example.net"))
    assert [story["id"] for story in recent] == identifiers[-10:]


def test_entries_of_other_programs_do_not_count(folder):
    story = run("log", f"--directory={folder}", "0aaaaaaaaaaaa")
    assert "forged" not in story and "Recipients: 1 delivered" in story


@pytest.mark.parametrize("beginning", ["0a", "0A", "0aaaaaaaaaaa", "0aaaaaaaaaaaa"])
def test_the_beginning_of_an_id_is_an_id(folder, beginning):
    told = run("log", f"--directory={folder}", beginning)
    assert told.splitlines()[0] == "0aaaaaaaaaaaa" and "forged" not in told
    assert json.loads(run("log", "--json", f"--directory={folder}", beginning))[0]["id"] == "0aaaaaaaaaaaa"


def test_what_several_ids_begin_with_is_refused(folder):
    told = run("log", f"--directory={folder}", "0", status=2)
    assert "0aaaaaaaaaaaa, 0bbbbbbbbbbbb; write more of it" in told


def test_what_no_id_begins_with_is_told(folder):
    assert "knows nothing of a message 0c" in run("log", f"--directory={folder}", "0c", status=3)


def test_an_id_that_only_others_wrote_is_none(tmp_path):
    journal = journalfile.write(tmp_path / "other.journal", [event("QUEUED", "0ccccccccccc0", "a forged entry")],
                                unit="evil.service")
    assert "knows nothing" in run("log", f"--file={journal}", "0c", status=3)


def test_a_story_whose_beginning_is_gone(tmp_path):
    journal = journalfile.write(tmp_path / "a.journal", [
        event("DELIVERED", "0aaaaaaaaaaaa", "delivered to <a@example.net>", recipient="a@example.net")])
    story = run("log", f"--file={journal}", "0aaaaaaaaaaaa")
    assert "Recipients: 1 delivered\n" in story and "forgotten how it began" in story


def test_what_came_from_outside_moves_no_cursor(tmp_path):
    journal = journalfile.write(tmp_path / "a.journal", [
        event("BOUNCED", "0aaaaaaaaaaaa", "bounced: 550 \x1b[31mred", recipient="a@example.net")])
    story = run("log", f"--file={journal}", "0aaaaaaaaaaaa")
    assert "\x1b" not in story and "\\x1b[31mred" in story


@pytest.mark.parametrize("arguments, words", [
    (["log"], "id of a message"), (["trace"], "one address or Message-ID"), (["trace", "a@b", "c@d"], "one address"),
    (["trace", "--since=often", "a@b"], "span of time"), (["trace", "--limit=0", "a@b"], "at least 1"),
])
def test_a_wrong_command_line(arguments, words):
    assert words in run(*arguments, status=2)


def test_a_journal_that_is_not_there(tmp_path):
    assert "cannot open the journal" in run("log", f"--directory={tmp_path}/none", "0aaaaaaaaaaaa", status=1)
    assert "knows nothing" in run("log", f"--directory={tmp_path}", "0aaaaaaaaaaaa", status=3)


# ---- The service, for users who may not read the journal ----

@pytest.fixture
def system(cleanup, folder):
    """A bus for all users with the service on it."""
    bus = cleanup.enter_context(SystemBus())
    service = subprocess.Popen([SERVICE, f"--directory={folder}"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True, env=environment(**bus.variables))
    log = Lines(service.stderr)

    def stop():
        service.terminate()
        assert service.wait(PATIENCE_SECONDS) == 0, log.text()
        log.thread.join(PATIENCE_SECONDS)
        service.stderr.close()

    cleanup.callback(stop)
    subprocess.run(["gdbus", "wait", f"--address={bus.address}", "--timeout=60", "org.postern.Journal1"], check=True)
    return bus


def as_nobody(bus, *arguments, status=0):
    result = subprocess.run([for_everybody(POSTERN), *arguments], user="nobody", group="nogroup", extra_groups=[],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                            env=environment(HOME="/", **bus.variables), check=False)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout if status == 0 else result.stderr


@needs_root
def test_a_user_hears_of_the_own_mail(system):
    story = as_nobody(system, "log", "0aaaaaaaaaaaa")
    assert "delivered to <a@example.net>" in story and "forged" not in story
    told = json.loads(as_nobody(system, "trace", "--json", "a@example.net"))
    assert [story["id"] for story in told] == ["0aaaaaaaaaaaa"]
    assert as_nobody(system, "log", "0").splitlines()[0] == "0aaaaaaaaaaaa", "others' ids do not count"


@needs_root
def test_a_user_does_not_hear_of_others_mail(system):
    error = as_nobody(system, "log", "0bbbbbbbbbbbb", status=4)
    assert "org.postern.relay1.inspect" in error
    assert "org.postern.relay1.inspect" in as_nobody(system, "log", "0neverwas0000", status=4)
    assert "org.postern.relay1.inspect" in as_nobody(system, "trace", "--everyone", "a@example.net", status=4)
    assert "knows of no mail" in as_nobody(system, "trace", "root@example.org", status=3)


@needs_root
def test_polkit_opens_others_mail(system):
    with Polkit(system.address, inspect="password") as polkit:
        assert "queued mail of <root@" in as_nobody(system, "log", "0bbbbbbbbbbbb")
        assert polkit.asked == [("inspect", True)]
        told = json.loads(as_nobody(system, "trace", "--everyone", "--json", "a@example.net"))
        assert [story["id"] for story in told] == ["0aaaaaaaaaaaa", "0bbbbbbbbbbbb"]
        asked = len(polkit.asked)
        as_nobody(system, "log", "0aaaaaaaaaaaa")
        assert len(polkit.asked) == asked, "polkit was asked about a user's own mail"
        assert "knows nothing" in as_nobody(system, "log", "0neverwas0000", status=3)


@needs_root
def test_root_hears_of_all_mail(system):
    bus = f"--bus={system.address}"  # another bus than the system's: the service on it is asked, whoever asks
    assert "queued mail of <n@" in run(bus, "log", "0aaaaaaaaaaaa")
    assert "queued mail of <root@" in run(bus, "log", "0b")
    assert "several ids: 0aaaaaaaaaaaa, 0bbbbbbbbbbbb" in run(bus, "log", "0", status=2)
    assert "knows nothing" in run(bus, "log", "0neverwas0000", status=3)


@needs_root
def test_a_user_without_a_journal_is_told_why(bus):
    done = subprocess.run([for_everybody(POSTERN), "--bus=session", "log", "0aaaaaaaaaaaa"], user="nobody", group="nogroup",
                          extra_groups=[], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=environment(HOME="/"), check=False)
    assert done.returncode == 5, done.stderr
    assert "/var/log/journal" in done.stderr and f"_UID={NOBODY} _SYSTEMD_USER_UNIT=postern.service" in done.stderr
