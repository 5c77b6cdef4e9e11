# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands print, whatever it says: its characters, its width, and its options."""

import json
import re
import subprocess
import unicodedata

import pytest

from dialogue import Dialogue
from relay import POSTERN, POSTERND, TOP, environment
from terminal import on_terminal, width

# Without a locale, with one of another character set, and with those that are not installed.
NO_LOCALE = {"LC_ALL": "", "LC_CTYPE": "", "LANG": ""}
LOCALES = [NO_LOCALE, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "xx_XX.UTF-8"},
           {**NO_LOCALE, "LANG": "C"}]


def run(*command, **variables):
    """Runs a program by itself; returns what it said on standard output and standard error, and its exit status."""
    told = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          env=environment(**variables), timeout=120)
    return told.stdout, told.stderr, told.returncode


@pytest.fixture(scope="session")
def latin1(tmp_path_factory):
    """The variables of a locale of another character set."""
    folder = tmp_path_factory.mktemp("locales")
    subprocess.run(["localedef", "--no-archive", "-f", "ISO-8859-1", "-i", "de_DE", folder / "de_DE.ISO-8859-1"],
                   check=True, capture_output=True)
    return {"LOCPATH": folder, "LC_ALL": "de_DE.ISO-8859-1"}


# ---- Characters ----


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_quotes_are_quotes_in_every_locale(locale):
    _, error, _ = run(POSTERN, "lits", **locale)
    assert "there is no subcommand “lits”" in error.decode()
    assert b"?" not in error


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_quotes_are_quotes_on_a_terminal(locale):
    with Dialogue([POSTERN, "lits"], environment(**locale)) as terminal:
        terminal.expect("“lits”")


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_the_daemon_says_quotes_as_the_command_does(tmp_path, locale):
    (tmp_path / "postern.conf").write_text("[Smarthost]\nHots=smtp.example.org\n", encoding="utf-8")
    for command in ([POSTERND, "--check"], [POSTERN, "check", "--direct"]):
        output, error, _ = run(*command, f"--config={tmp_path}/postern.conf", **locale)
        assert "Hots=" in output.decode()
        assert b"?" not in output + error


def test_a_locale_of_another_character_set_gets_its_own_quotes(latin1):
    _, error, _ = run(POSTERN, "lits", **latin1)
    assert 'there is no subcommand "lits"' in error.decode("latin-1")
    assert b"?" not in error


def test_what_another_character_set_lacks_is_spelled_out(latin1, make_relay):
    relay = make_relay()
    relay.local_smtp().sendmail("jörg@例え.example", ["one@example.net"], "Subject: x\n\nx\n", ["SMTPUTF8"])
    output, _, _ = run(POSTERN, f"--bus={relay.bus}", "list", **latin1)
    assert "jörg@\\u4f8b\\u3048.example" in output.decode("latin-1")


# ---- Width ----


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_lines_on_a_terminal_end_between_words(columns):
    words = ["bounce", "--everyone", "--older=one", "--user=nobody-of-this-name"]
    whole = run(POSTERN, "setup", "--no-login", "--user=x")[1].decode().split()
    for command in ([POSTERN, "setup", "--no-login", "--user=x"], [POSTERN, *words]):
        with Dialogue(command, environment(), columns=columns) as terminal:
            assert terminal.end() == 2
            assert all(width(line) <= columns for line in terminal.shown.splitlines()), terminal.shown
            if command[1] == "setup":
                assert terminal.shown.split() == whole, "nothing but spaces is changed"


def test_lines_for_programs_are_not_broken():
    assert len(run(POSTERN, "setup", "--no-login", "--user=x")[1].splitlines()) == 2


# ---- Help, and options ----


def subcommands():
    """Those that the overview names, and the one that it does not."""
    overview = run(POSTERN, "--help")[0].decode()
    return [*re.findall(r"^  ([a-z]+)  ", re.search(r"^Subcommands.*?\n\n", overview, re.M | re.S)[0], re.M), "mailq"]


def helps():
    """The help of the command, and of each subcommand, by name; "" is the command's."""
    texts = {name: run(POSTERN, *([name] if name else []), "--help")[0].decode() for name in ["", *subcommands()]}
    assert len(texts) > 20
    return texts


def test_help_is_within_80_columns():
    wide = [f"{name}: {line}" for name, text in helps().items() for line in text.splitlines() if width(line) > 80]
    assert not wide, "\n".join(wide)


def test_every_option_of_the_help_says_what_it_is():
    for name, text in helps().items():
        for line in re.findall(r"^  -.*", text, re.M):
            assert re.search(r"\S  +[A-Z]", line), f"{name}: {line}"


def short_options():
    """For each letter the long options that it stands for, in all subcommands."""
    meanings = {}
    for name, text in helps().items():
        for letter, option in re.findall(r"^  -([A-Za-z]), --([a-z-]+)", text, re.M):
            meanings.setdefault(letter, {}).setdefault(option, []).append(name)
    assert {"h", "n", "f"} <= set(meanings)
    return meanings


def test_a_short_option_means_the_same_in_every_subcommand():
    ambiguous = {letter: options for letter, options in short_options().items() if len(options) > 1}
    assert not ambiguous


def test_what_selects_everything_is_spelled_out():
    assert not {"all", "everyone", "yes"} & {option for options in short_options().values() for option in options}


def test_the_manual_has_the_options_that_the_help_has():
    manual = (TOP / "docs" / "postern.1").read_text(encoding="utf-8")
    for name, text in helps().items():
        for letter, option in re.findall(r"^  (?:-([A-Za-z]), )?--([a-z-]+)", text, re.M):
            if option in ("help", "bus", "version", "json"):
                continue
            short = f"Fl {letter} , " if letter else ""
            assert re.search(rf"\.It .*{short}Fl -{option}\b|Fl -{option}\b", manual), f"{name}: --{option}"
            if letter:
                assert f"Fl {letter} , Fl -{option}" in manual, f"{name}: -{letter}, --{option}"
    for letter, option in re.findall(r"Fl ([A-Za-z]) , Fl -([a-z-]+)", manual):
        assert option in short_options().get(letter, {}), f"the manual has -{letter}, --{option}"


# ---- What cannot be seen ----

# A direction, an isolate, a joiner, a tag beyond the first plane, a byte order mark, an escape of C1.
UNSEEN = "\u202e\u2067\u200b\U000e0041\ufeff\u0085"


def unseen_in(text):
    return [c for c in text if unicodedata.category(c) in ("Cf", "Cc", "Co", "Cs", "Zl", "Zp") and c not in "\n"]


def test_characters_that_cannot_be_seen_are_spelled_out(make_relay, receiver):
    """In an address, and in what a server says; as text, and as JSON, which is read as the same text."""
    address = f"a{UNSEEN[:4]}b@例え.example"
    receiver.on("RCPT", f"451 4.7.1 later{UNSEEN[0]}!")
    relay = make_relay(receiver)
    relay.local_smtp().sendmail(address, ["one@example.net"], "Subject: x\n\nx\n", ["SMTPUTF8"])
    relay.wait_line("has to wait")
    (identifier,) = relay.postern("list", "--ids").split()
    for command in (["list"], ["show", identifier], ["mailq"], ["status"], ["remotes"], ["stats"]):
        told = relay.postern(*command)
        assert not unseen_in(told), command
    for command in (["list", "--json"], ["show", identifier, "--json"], ["status", "--json"], ["remotes", "--json"]):
        told = relay.postern(*command)
        assert not unseen_in(told), command
        json.loads(told)
    (row,) = json.loads(relay.postern("list", "--json"))
    assert row["sender"] == address
    assert not unseen_in(relay.log_text())


def test_errors_spell_out_what_cannot_be_seen(make_relay):
    relay = make_relay()
    for command in (["show", f"x{UNSEEN}"], ["list", f"--remote=x{UNSEEN}", f"--recipient=x{UNSEEN}@"],
                    ["remotes", f"--test=x{UNSEEN}"], ["hold", f"x{UNSEEN}"], ["redirect", "--all", f"--to=x{UNSEEN}"],
                    [f"x{UNSEEN}"], ["list", f"--older={UNSEEN}"], ["import", f"x{UNSEEN}"], ["setup", f"--address=x{UNSEEN}"]):
        told = relay.postern(*command, status=None)
        assert told.returncode in (2, 3), command
        assert told.stderr and not unseen_in(told.stderr + told.stdout), command


@pytest.mark.parametrize("columns", [60, 80])
def test_tables_and_labels_suit_the_terminal(make_relay, make_receiver, columns):
    relay = make_relay(make_receiver(up=False))
    relay.send()
    relay.wait_line("has to wait")
    for command in (["status"], ["list"], ["remotes"], ["show", relay.queue()[0]["id"]], ["check"]):
        shown = on_terminal(relay, *command, columns=columns, status=1 if command == ["check"] else 0)
        assert all(width(line) <= columns for line in shown.splitlines()), shown
    assert len(on_terminal(relay, "remotes", columns=columns).splitlines()) == 3, "a heading, a row, and the reason"
    status = on_terminal(relay, "status", columns=columns)
    assert re.search(r"^Smarthost:  .*(\r\n {12}\S.*)+", status, re.M), "it goes on below its text"


def test_a_reason_is_told_once(make_relay, make_receiver):
    relay = make_relay(make_receiver(up=False))
    for command in (["check"], ["remotes", "--test=default"]):
        told = relay.postern(*command, status=1)
        assert (told.stdout + told.stderr).count("nothing listens on that port") == 1


def test_who_cannot_ask_about_the_journal_is_told_whom(make_relay):
    relay = make_relay()
    told = relay.postern("log", "0123456789abc", status=5)
    assert "org.postern.Journal1" in told.stderr and "posternd running" not in told.stderr
