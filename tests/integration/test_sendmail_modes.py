# SPDX-License-Identifier: GPL-3.0-or-later
"""sendmail's other modes, with the real relay behind them."""

import re
import subprocess

import pytest

from relay import SENDMAIL, environment

HEADING = "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------"


def test_mailq_of_an_empty_queue(make_relay):
    assert make_relay().sendmail("-bp", message="").stdout == "Mail queue is empty\n"


def test_mailq_has_the_familiar_form(make_relay):
    relay = make_relay()  # without a smarthost everything waits
    relay.sendmail("-f", "a@example.org", "x@example.net", "y@example.net", message="Subject: x\n\n" + "text\n" * 1000)
    relay.sendmail("-f", "<>", "z@example.net")
    relay.wait_line("deferred", count=3)
    first, second = relay.queue()
    relay.postern("hold", second["id"])
    lines = relay.sendmail("-bp", message="").stdout.split("\n")
    assert lines[0] == HEADING
    time = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{first['id']}\*? +{first['size']} {time} a@example\.org", lines[1])
    assert re.fullmatch(r" *\(no smarthost is configured: .*\)", lines[2])
    assert [line.strip() for line in lines[3:6]] == ["x@example.net", "y@example.net", ""]
    assert lines[3].index("x@") == lines[1].index("a@") == HEADING.index("--Sender")
    assert re.fullmatch(rf"{second['id']}! +\d+ {time} MAILER-DAEMON", lines[6])
    kbytes = (first["size"] + second["size"]) // 1024
    assert lines[-2:] == [f"-- {kbytes} Kbytes in 2 Requests.", ""]


def test_mailq_shows_who_still_waits(make_relay, make_receiver):
    receiver = make_receiver()
    receiver.on("RCPT", "451 4.2.0 later", match="y[12]@")
    relay = make_relay(receiver)
    relay.sendmail("x@example.net", "y1@example.net", "y2@example.net")
    relay.wait_line("deferred", count=2)
    printed = relay.sendmail("-bp", message="").stdout
    assert "x@example.net" not in printed
    assert "y1@example.net" in printed and "y2@example.net" in printed and "451 4.2.0 later" in printed
    assert printed.endswith("\n-- 0 Kbytes in 1 Request.\n")


def test_mailq_without_a_relay_fails(make_relay):
    relay = make_relay()
    relay.stop()
    result = relay.sendmail("-bp", message="", status=None)
    assert result.returncode != 0 and "Mail queue is empty" not in result.stdout and result.stderr


def test_smtp_of_a_script_reaches_the_receiver(relay, receiver):
    script = """EHLO script
MAIL FROM:<root>
RCPT TO:<x@example.net>

DATA
Subject: from a script

.
QUIT
"""
    result = relay.sendmail("-bs", message=script)
    replies = [line for line in result.stdout.split("\r\n") if re.match(r"\d\d\d ", line)]
    assert [r[:3] for r in replies] == ["220", "250", "250", "250", "500", "354", "250", "221"], replies
    got = receiver.wait_messages(1)[0]
    assert got.sender == "root@example.org" and got.recipients == ["x@example.net"]
    assert got.content.endswith(b"\r\n\r\n") and b"Subject: from a script\r\n" in got.content


def test_retry_tries_the_queue(make_relay, make_receiver):
    receiver = make_receiver()
    receiver.on("RCPT", "451 4.2.0 later", times=1)
    relay = make_relay(receiver)
    relay.sendmail("x@example.net")
    relay.wait_line("deferred")
    relay.sendmail("-q", message="")
    receiver.wait_messages(1)


def test_retry_of_some_mail(make_relay, make_receiver):
    receiver = make_receiver()
    receiver.on("RCPT", "451 4.2.0 later", times=2)
    relay = make_relay(receiver)
    relay.sendmail("x@one.example")
    relay.sendmail("y@two.example")
    relay.wait_line("deferred", count=2)
    relay.sendmail("-qRtwo.example", message="")
    assert receiver.wait_messages(1)[0].recipients == ["y@two.example"]
    relay.sendmail("-qI" + relay.queue()[0]["id"], message="")
    assert receiver.wait_messages(2)[1].recipients == ["x@one.example"]


def check_aliases(relay, text, status=0):
    """What newaliases says of an alias file."""
    (relay.folder / "aliases").write_text(text)
    relay.configure({"Aliases": {"File": relay.folder / "aliases"}})
    return relay.sendmail("-bi", "-C", relay.configuration_file, message="", status=status).stdout.splitlines()


def test_newaliases_is_content_with_a_good_file(make_relay):
    relay = make_relay(start=False)
    lines = check_aliases(relay, "root: jane@example.org\npi: root\n")
    assert lines == [f"{relay.folder}/aliases: 2 aliases; posternd uses them from the next message on"]


def test_newaliases_tells_each_line_that_is_wrong(make_relay):
    relay = make_relay(start=False)
    lines = check_aliases(relay, "root: jane@example.org\nnonsense\npi: |/bin/x\nx: a@b@c\n", 65)
    assert [line.split(":")[1] for line in lines[:3]] == ["2", "3", "4"], lines
    assert "expected NAME: TARGET" in lines[0] and "left out" in lines[1] and "“a@b@c”" in lines[2]
    assert "has faults" in lines[-1]


def test_newaliases_checks_the_file_that_it_is_given(make_relay):
    relay = make_relay(start=False)
    (relay.folder / "other").write_text("x: y\n")
    result = relay.sendmail("-bi", f"-oAhash:{relay.folder}/other", message="")
    assert result.stdout.startswith(f"{relay.folder}/other: 1 alias;")


def test_newaliases_is_content_with_what_is_only_left_out(make_relay):
    lines = check_aliases(make_relay(start=False), "pi: |/bin/x, root\n")
    assert "“|/bin/x” is left out" in lines[0] and "1 alias;" in lines[1]


def test_newaliases_without_aliases(make_relay):
    relay = make_relay(start=False)
    assert "no aliases are used" in relay.sendmail("-bi", "-C", relay.configuration_file, message="").stdout
    relay.configure("[Aliases\n")
    assert relay.sendmail("-bi", "-C", relay.configuration_file, message="", status=78).stdout


# ---- what people try ----


@pytest.mark.parametrize("arguments, status, words", [
    (["--help"], 0, "Usage: sendmail"), (["--version"], 0, "sendmail of Postern"),
    (["-V"], 64, "--version"), (["-V", "you@example.net"], 64, "“you@example.net” behind -V is an envelope id"),
    (["--recipient=you@example.net"], 64, "--help and --version"), ([], 64, "no recipient is given: name one, or use -t"),
])
def test_each_gets_the_sentence_that_fits(arguments, status, words):
    told = subprocess.run([SENDMAIL, *arguments], input="Subject: x\n\nx\n", capture_output=True, text=True, check=False,
                          env=environment(POSTERN_SOCKET="/nonexistent"), timeout=60)
    assert told.returncode == status and words in (told.stderr if status else told.stdout), told.stdout + told.stderr
    assert (told.stdout if status else told.stderr) == ""


def test_help_is_within_80_columns():
    told = subprocess.run([SENDMAIL, "--help"], capture_output=True, text=True, check=True, env=environment())
    assert all(len(line) <= 80 for line in told.stdout.splitlines())
