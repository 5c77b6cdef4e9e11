# SPDX-License-Identifier: GPL-3.0-or-later
"""The command postern: what it prints, for people and for programs, and how it exits."""

import calendar
import json
import os
import pwd
import re
import signal
import subprocess
import time

import pytest

from receiver import PATIENCE_SECONDS
from relay import POSTERN, Bus, Lines, environment
from terminal import on_terminal, width

FAILED, USAGE, NOT_FOUND, NOT_ALLOWED, NOT_REACHABLE = 1, 2, 3, 4, 5
COMMANDS = ["status", "list", "show", "retry", "hold", "release", "delete", "remotes", "stats", "monitor", "pause",
            "resume", "verify", "reload"]


@pytest.fixture
def waiting(make_relay):
    """A relay without smarthost: what it gets it keeps."""
    return make_relay()


def run(*arguments, **variables):
    """Runs postern by itself."""
    return subprocess.run([POSTERN, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env=environment(**variables), timeout=PATIENCE_SECONDS)


# ---- the command line ----


def test_help_names_every_subcommand():
    told = run("--help")
    assert told.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name}\b", told.stdout, re.M), name
    assert "Exit codes" in told.stdout and "POSTERN_BUS" in told.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_subcommand_has_help(name):
    told = run(name, "--help")
    assert told.returncode == 0
    assert f"postern {name}" in told.stdout
    lines = [line for line in told.stdout.splitlines() if line.startswith("  -")]
    assert len(lines) >= 2
    for line in lines:
        assert re.search(r"\S  +[A-Z]", line), f"an option without a description: {line}"


def test_version():
    assert re.fullmatch(r"postern \d+\.\d+\.\d+\n", run("--version").stdout)


@pytest.mark.parametrize("arguments, words", [
    ([], "subcommand"), (["lits"], "lits"), (["--nonsense"], "--nonsense"), (["list", "--nonsense"], "--nonsense"),
    (["list", "--limit=x"], "x"), (["list", "--limit=-1"], "--limit"), (["list", "--older=soon"], "soon"),
    (["list", "--user=no-such-user"], "no-such-user"), (["show"], "id"), (["show", "a", "b"], "id"),
    (["show", "a", "--content", "--json"], "--content"), (["delete"], "--all"), (["retry", "--everyone"], "--all"), (["delete", "-a"], "-a"), (["delete", "-y"], "-y"),
    (["hold", "--all", "--state=held"], "--all"), (["status", "now"], "now"), (["pause", "now"], "now"),
    (["remotes", "--sender=a@example.org"], "--test"), (["monitor", "x"], "x"), (["stats", "x"], "x"),
])
def test_a_wrong_command_line(arguments, words):
    told = run(*arguments, POSTERN_BUS="unix:path=/nonexistent")
    assert told.returncode == USAGE
    assert words in told.stderr and "--help" in told.stderr
    assert told.stdout == ""


# ---- reaching the relay ----


def test_a_bus_that_is_not_there():
    for arguments in (["list"], ["status"], ["delete", "--all"]):
        told = run("--bus=unix:path=/nonexistent/bus", *arguments)
        assert told.returncode == NOT_REACHABLE
        assert "/nonexistent/bus" in told.stderr and "POSTERN_BUS" in told.stderr


def test_a_relay_that_does_not_run(bus):
    for arguments in (["list"], ["status"], ["show", "0000000000001"], ["monitor"], ["remotes"]):
        told = run(f"--bus={bus}", *arguments)
        assert told.returncode == NOT_REACHABLE
        assert "does not run" in told.stderr and "posternd" in told.stderr


def test_the_bus_may_be_given_in_three_ways(waiting):
    assert "empty" in run("list", POSTERN_BUS=waiting.bus).stdout
    assert "empty" in run(f"--bus={waiting.bus}", "list", POSTERN_BUS="unix:path=/nonexistent").stdout
    assert "empty" in run("list", f"--bus={waiting.bus}", POSTERN_BUS="unix:path=/nonexistent").stdout
    assert "empty" in run("list", "--bus", "session", DBUS_SESSION_BUS_ADDRESS=waiting.bus).stdout
    assert "empty" in run("list", DBUS_SYSTEM_BUS_ADDRESS=waiting.bus).stdout


# ---- list ----


def test_an_empty_queue_is_told(waiting):
    assert waiting.postern("list") == "The queue is empty.\n"
    assert waiting.queue() == []
    assert waiting.postern("list", "--ids") == ""


def test_list_shows_what_waits_and_why(waiting):
    waiting.send("a@example.org", ["one@example.net", "two@example.net"])
    title, row, reason, sum_up = waiting.postern("list").splitlines()
    assert title.split() == ["ID", "STATE", "AGE", "SIZE", "NEXT", "FROM", "TO"]
    (message,) = waiting.queue()
    assert row.split()[:2] == [message["id"], "deferred"]
    assert "a@example.org" in row and "one@example.net +1" in row
    assert reason.strip() == message["reason"] and "no smarthost" in reason
    assert sum_up.startswith("1 message, ")


def test_list_as_json(waiting):
    before = int(time.time())
    waiting.send("", ["one@example.net", "two@example.net"])
    waiting.sendmail("-f", "a@example.org", "three@example.net")
    first, second = waiting.queue()
    assert list(first) == ["id", "state", "user", "sender", "recipient", "recipients", "pending", "size", "arrived",
                           "next", "attempts", "reason"]
    assert (first["sender"], first["recipient"], first["recipients"], first["pending"]) == ("", "one@example.net", 2, 2)
    assert first["user"] == second["user"] == os.geteuid()
    arrived = time.strptime(first["arrived"], "%Y-%m-%dT%H:%M:%SZ")
    assert before <= calendar.timegm(arrived) <= time.time()
    assert second["sender"] == "a@example.org"


def test_list_by_choice(waiting):
    waiting.send("a@example.org", "one@example.net")
    waiting.send("b@example.org", "two@example.com")
    first, second = [m["id"] for m in waiting.queue()]
    waiting.postern("hold", second)
    for arguments, expected in (
            (["--state=held"], [second]), (["-s", "deferred"], [first]), (["--sender=a@example.org"], [first]),
            (["--recipient=two@example.com"], [second]), (["--domain=example.net"], [first]), ([second], [second]),
            ([first, second], [first, second]), (["--limit=1"], [first]), (["-n", "5"], [first, second]),
            (["--everyone"], [first, second]), (["--older=0"], [first, second])):
        assert waiting.postern("list", "--ids", *arguments).split() == expected, arguments
    for arguments in (["--state=queued"], ["--older=1h"], ["--user=nobody"], ["0000000000001"], ["--sender="]):
        told = waiting.postern("list", *arguments, status=NOT_FOUND)
        assert "No message" in told.stdout, arguments
        assert json.loads(waiting.postern("list", "--json", *arguments, status=NOT_FOUND).stdout) == []
    assert "no-state" in waiting.postern("list", "--state=no-state", status=USAGE).stderr
    assert "no id!" in waiting.postern("list", "no id!", status=USAGE).stderr


def test_list_shows_all_pages(waiting, figure):
    with waiting.smtp() as session:
        for number in range(2300):
            session.sendmail(f"s{number}@example.org", ["one@example.net"], "Subject: x\r\n\r\nx\r\n")
    began = time.monotonic()
    messages = waiting.queue()
    figure(f"postern list --json of {len(messages)} messages: {(time.monotonic() - began) * 1000:.0f} ms")
    assert [m["sender"] for m in messages] == [f"s{n}@example.org" for n in range(2300)]
    assert waiting.postern("list", "--ids").split() == [m["id"] for m in messages]
    assert waiting.postern("list").splitlines()[-1].startswith("2300 messages, ")
    assert len(waiting.postern("list", "--ids", "--limit=1500").split()) == 1500


def test_list_ends_when_nobody_reads_it(waiting):
    waiting.send()
    process = subprocess.Popen([POSTERN, f"--bus={waiting.bus}", "list"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    process.stdout.close()
    told = process.stderr.read()
    assert process.wait(PATIENCE_SECONDS) in (0, -signal.SIGPIPE)
    process.stderr.close()
    assert told == b""


# ---- on a terminal ----


@pytest.mark.parametrize("columns", [60, 80, 132])
def test_tables_fit_the_terminal(waiting, columns):
    waiting.send("somebody.with.a.long.name@a.long.domain.example.org",
                 ["another.long.name@an.even.longer.domain.example.net", "two@example.net"])
    waiting.local_smtp().sendmail("例え@例え.example", ["用户.用户.用户.用户.用户@例え.example"],
                                  "Subject: x\n\nx\n", ["SMTPUTF8"])
    for line in on_terminal(waiting, "list", columns=columns).splitlines():
        assert width(line) <= columns, line
    identifiers = {m["id"] for m in waiting.queue()}
    assert len(identifiers) == 2
    for identifier in identifiers:
        assert identifier in on_terminal(waiting, "list", columns=columns)


def test_colours_are_for_terminals_only(waiting):
    waiting.send()
    for arguments in (["list"], ["status"], ["show", waiting.queue()[0]["id"]]):
        assert "\x1b[" in on_terminal(waiting, *arguments)
        assert "\x1b[" not in on_terminal(waiting, *arguments, NO_COLOR="1")
        assert "\x1b[" not in on_terminal(waiting, *arguments, TERM="dumb")
        assert "\x1b[" not in on_terminal(waiting, *arguments, TERM="")
        assert "\x1b[" not in waiting.postern(*arguments, variables={"TERM": "xterm", "NO_COLOR": ""})


def test_stats_of_an_empty_queue_have_no_oldest_message(waiting):
    assert re.search(r"^ +none  oldest of them", waiting.postern("stats"), re.M)


# ---- ids ----


def distinct(relay, count):
    """Messages, and for each what tells its id from the others."""
    for _ in range(count):
        relay.send()
    ids = [row["id"] for row in relay.queue()]
    shortest = {}
    for identifier in ids:
        length = next(n for n in range(1, 14) if sum(other.startswith(identifier[:n]) for other in ids) == 1)
        shortest[identifier] = identifier[:length]
    return shortest


def test_the_beginning_of_an_id_is_an_id(waiting):
    for identifier, beginning in distinct(waiting, 5).items():
        for word in (beginning, beginning.upper(), identifier[:-1], identifier):
            assert waiting.postern("list", "--ids", word) == identifier + "\n"
            assert identifier in waiting.postern("show", word).splitlines()[0]
        for verb, words in (("hold", []), ("release", []), ("retry", []), ("redirect", ["--to=x@example.com"]),
                            ("delete", [])):
            assert "1 message." in waiting.postern(verb, beginning, *words)
        assert identifier not in [row["id"] for row in waiting.queue()]
        waiting.send()


def test_several_beginnings_at_once(waiting):
    assert waiting.postern("hold", *distinct(waiting, 4).values()) == "Held 4 messages.\n"


def test_a_beginning_of_several_ids_means_none_of_them(waiting):
    first, *_, last = ids = list(distinct(waiting, 7))
    common = os.path.commonprefix([first, last])
    for verb, words in (("delete", []), ("bounce", []), ("show", []), ("list", []), ("redirect", ["--to=x@example.com"])):
        told = waiting.postern(verb, common, *words, status=USAGE)
        assert f"“{common}” is the beginning of several ids" in told.stderr and "write more" in told.stderr
        assert first in told.stderr and "and others" in told.stderr and told.stderr.count(common) == 6
    assert [row["id"] for row in waiting.queue()] == ids
    assert waiting.postern("delete", first, common, status=USAGE).stdout == "", "nothing is done before all are known"
    assert len(waiting.queue()) == 7


@pytest.mark.parametrize("word", ["zz", "0000", "7zzzzzzzzzzz", "0"])
def test_a_beginning_of_no_id_is_told(waiting, word):
    told = waiting.postern("delete", word, status=None)
    assert told.returncode in (USAGE, NOT_FOUND) and f"“{word}”" in told.stderr


def test_sendmail_takes_the_beginning_of_an_id(waiting):
    (beginning,) = distinct(waiting, 1).values()
    assert "Retrying 1 message" in waiting.sendmail(f"-qI{beginning}", message="").stdout


def test_status_says_what_to_do_without_a_smarthost(waiting):
    line = next(line for line in waiting.postern("status").splitlines() if line.startswith("Smarthost:"))
    assert "none" in line and "postern setup" in line
    assert "postern setup" in waiting.postern("remotes")


def test_delete_all_asks_a_person(waiting):
    waiting.send()
    waiting.send()
    assert "Nothing was done" in on_terminal(waiting, "delete", "--all", answer="n", status=FAILED)
    assert "Nothing was done" in on_terminal(waiting, "delete", "--all", answer="", status=FAILED)
    assert len(waiting.queue()) == 2
    assert "Deleted 2 messages." in on_terminal(waiting, "delete", "--all", answer="y")
    waiting.send()
    assert "Deleted 1 message." in on_terminal(waiting, "delete", "--all", "--yes")
    waiting.send()
    assert "Deleted 1 message." in on_terminal(waiting, "delete", "--sender=sender@example.org")


# ---- show ----


def test_show_tells_all(make_relay, receiver):
    receiver.on("RCPT", "451 4.7.1 come later", match="later@")
    relay = make_relay(receiver)
    relay.send("a@example.org", ["now@example.net", "later@example.net"])
    relay.wait_line("has to wait")
    relay.wait_line("delivered to")
    identifier = relay.queue()[0]["id"]
    shown = relay.postern("show", identifier)
    for words in (identifier, "deferred, next attempt in", "a@example.org", "come later",
                  f"from user {pwd.getpwuid(os.geteuid()).pw_name} at 127.0.0.1 (",
                  "2, of which 1 pending", "now@example.net  delivered", "later@example.net  pending, 1 attempt, last "):
        assert words in shown, shown
    told = json.loads(relay.postern("show", "--json", identifier))
    assert told["id"] == identifier and told["state"] == "deferred" and told["pending"] == 1
    assert {r["address"]: r["state"] for r in told["recipients"]} == {"now@example.net": "delivered",
                                                                     "later@example.net": "pending"}
    later = next(r for r in told["recipients"] if r["state"] == "pending")
    assert later["status"] == "4.7.1" and "come later" in later["reply"] and later["attempts"] == 1
    assert told["peer"] == "127.0.0.1" and told["user"] == os.geteuid() and told["reason"]
    assert any("come later" in entry["text"] for entry in told["history"])


def test_show_content(waiting):
    waiting.send(message="Subject: caf\u00e9\r\n\r\n.\r\nbody \r\n\r\nend\r\n".encode())
    identifier = waiting.queue()[0]["id"]
    shown = waiting.postern("show", "--content", identifier)
    assert shown.endswith("\n\n.\nbody \n\nend\n")
    assert "Subject: caf\u00e9\n" in shown and "Received: " in shown and "\r" not in shown


def test_what_is_not_there(waiting):
    for arguments in (["show", "0000000000001"], ["show", "--content", "0000000000001"], ["retry", "0000000000001"],
                      ["delete", "0000000000001"], ["hold", "--domain=example.com"], ["remotes", "--test=none"]):
        assert waiting.postern(*arguments, status=NOT_FOUND).stderr, arguments
    assert "nonsense" in waiting.postern("show", "nonsense", status=USAGE).stderr


def test_nothing_from_outside_reaches_the_terminal_raw(make_relay, receiver):
    receiver.on("RCPT", "451 4.7.1 \x1b[31mred\x07 \x9b \u202eesrever")
    relay = make_relay(receiver)
    relay.local_smtp().sendmail('"esc\u202e"@example.org', ["one@example.net"], "Subject: x\n\nx\n", ["SMTPUTF8"])
    relay.wait_line("has to wait")
    identifier = relay.queue()[0]["id"]
    for arguments in (["list"], ["show", identifier], ["status"], ["remotes"]):
        shown = relay.postern(*arguments)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown), shown


# ---- steering ----


def test_steering_says_how_many(waiting):
    assert waiting.postern("retry", "--all") == "Retrying 0 messages.\n"
    for _ in range(3):
        waiting.send()
    first, second, third = [m["id"] for m in waiting.queue()]
    assert waiting.postern("hold", first) == "Held 1 message.\n"
    assert "held" in waiting.postern("list", first)
    assert waiting.postern("hold", "--domain=example.net").startswith("Held ")
    assert waiting.postern("release", first, second) == "Released 2 messages.\n"
    assert waiting.postern("retry", "--all").startswith("Retrying ")
    told = waiting.postern("delete", first, "0000000000001", status=NOT_FOUND)
    assert told.stdout.startswith("Deleted 1 of 2 messages")
    assert waiting.postern("delete", "--state=held") == "Deleted 1 message.\n"
    assert [m["id"] for m in waiting.queue()] == [second]
    assert waiting.postern("delete", "--all") == "Deleted 1 message.\n"
    assert waiting.queue() == [] and third


def test_pause_resume_reload(relay, receiver):
    assert "paused" in relay.postern("pause")
    relay.send()
    assert "Paused" in relay.postern("status")
    assert json.loads(relay.postern("status", "--json"))["paused"] is True
    assert not receiver.messages
    relay.postern("resume")
    receiver.wait_messages(1)
    assert "Paused" not in relay.postern("status")
    assert "anew" in relay.postern("reload")
    relay.configure(relay.configuration_file.read_text(encoding="utf-8") + "\n[Relay]\nNonsense=1\n[More]\nx=y\n")
    told = relay.postern("reload", status=FAILED)
    assert "Nonsense" in told.stderr and "More" in told.stderr and told.stdout == ""


# ---- the relay ----


def test_status_tells_what_keeps_mail_from_leaving(make_relay, make_receiver):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver)
    status = relay.postern("status")
    assert "Queue:      empty" in status and f"127.0.0.1:{receiver.port}" in status
    relay.send()
    relay.wait_line("cannot be used")
    relay.wait_line("has to wait")
    status = relay.postern("status")
    assert "1 message" in status and "1 deferred" in status and "refused" in status
    told = json.loads(relay.postern("status", "--json"))
    assert (told["messages"], told["deferred"], told["trouble"]) == (1, 1, None)
    (remote,) = told["remotes"]
    assert remote["state"] == "down" and "refused" in remote["error"] and remote["next-probe"]


def test_status_without_a_smarthost_says_what_to_do(waiting):
    assert "[Smarthost]" in waiting.postern("status")
    assert "[Smarthost]" in waiting.postern("remotes")
    assert json.loads(waiting.postern("remotes", "--json")) == []


def test_remotes(relay, receiver):
    title, row = relay.postern("remotes").splitlines()
    assert title.split()[:4] == ["NAME", "STATE", "SINCE", "HOST"]
    assert row.split()[0] == "default" and f"127.0.0.1:{receiver.port}" in row
    shown = relay.postern("remotes", "--test=default", "--sender=a@example.org")
    assert "EHLO" in shown and "MAIL FROM:<a@example.org>" in shown and "takes mail" in shown
    assert json.loads(relay.postern("remotes", "--test=default", "--json"))["success"] is True
    receiver.on("MAIL", "550 5.7.1 go away")
    told = relay.postern("remotes", "--test=default", status=FAILED)
    assert "go away" in told.stderr and "EHLO" in told.stdout
    assert json.loads(relay.postern("remotes", "--test=default", "--json", status=FAILED).stdout)["success"] is False


def test_stats(relay, receiver):
    relay.send("a@example.org", ["one@example.net", "two@example.net"])
    relay.wait_line("delivered to", count=2)
    told = json.loads(relay.postern("stats", "--json"))
    assert (told["accepted"], told["delivered"], told["messages"]) == (1, 2, 0)
    assert told["started"].endswith("Z") and told["oldest"] is None
    lines = [line.split(None, 1) for line in relay.postern("stats").splitlines()]
    assert ["2", "recipients delivered"] in lines and ["1", "messages accepted"] in lines


# ---- monitor ----


class Monitor:
    """postern monitor, running. A context manager."""

    def __init__(self, relay, *arguments):
        self.relay = relay
        self.process = subprocess.Popen(
            [POSTERN, f"--bus={relay.bus}", "monitor", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment())
        self.lines = Lines(self.process.stdout)
        self.errors = Lines(self.process.stderr)
        self.wait_subscribed()

    def wait_subscribed(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while json.loads(self.relay.postern("stats", "--json"))["subscribers"] == 0:
            assert time.monotonic() < deadline and self.process.poll() is None, self.errors.text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE_SECONDS) == 0
        self.lines.thread.join(PATIENCE_SECONDS)
        self.errors.thread.join(PATIENCE_SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()


def test_monitor_shows_events_as_they_happen(make_relay, receiver):
    receiver.on("RCPT", "451 4.7.1 come later", match="later@")
    relay = make_relay(receiver)
    with Monitor(relay) as monitor:
        relay.send("a@example.org", ["now@example.net", "later@example.net"])
        identifier = monitor.lines.wait(r"^\S+  (\S+)  queued from a@example.org to \S+ \+1, ")[1]
        monitor.lines.wait(rf"{identifier}  delivered now@example.net by \S*{receiver.port}: 250 ")
        monitor.lines.wait(rf"{identifier}  deferred later@example.net by \S+: 451 4.7.1 come later \(again in ")
        relay.postern("hold", identifier)
        monitor.lines.wait(rf"{identifier}  held$")
        relay.postern("release", identifier)
        monitor.lines.wait(rf"{identifier}  released$")
        relay.postern("delete", identifier)
        monitor.lines.wait(rf"{identifier}  deleted$")


def test_monitor_as_json(waiting):
    with Monitor(waiting, "--json") as monitor:
        waiting.send("", ["one@example.net"])
        monitor.lines.wait('"queued"')
        waiting.postern("delete", "--all")
        monitor.lines.wait('"deleted"')
    events = [json.loads(line) for line in monitor.lines.lines]
    assert (events[0]["event"], events[0]["recipient"], events[0]["user"]) == ("queued", "one@example.net", os.geteuid())
    deleted = next(e for e in events if e["event"] == "deleted")
    assert deleted["id"] == events[0]["id"] and deleted["time"].endswith("Z")


def test_monitor_goes_on_after_a_restart_of_the_relay(waiting):
    with Monitor(waiting) as monitor:
        waiting.stop()
        monitor.errors.wait("left the message bus")
        waiting.start()
        monitor.errors.wait("is back")
        monitor.wait_subscribed()
        waiting.send()
        monitor.lines.wait("queued")


def test_monitor_ends_with_the_bus(make_relay):
    with Bus() as bus:
        relay = make_relay(bus=bus.address)
        process = subprocess.Popen([POSTERN, f"--bus={bus.address}", "monitor"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment())
        deadline = time.monotonic() + PATIENCE_SECONDS
        while json.loads(relay.postern("stats", "--json"))["subscribers"] == 0:
            assert time.monotonic() < deadline
    assert process.wait(PATIENCE_SECONDS) == NOT_REACHABLE
    assert "bus went away" in process.stderr.read()
    process.stderr.close()
