# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands print, whatever it says: its characters, its width, and its options."""

import re
import subprocess

import pytest

from dialogue import Dialogue
from relay import POSTERN, POSTERND, environment
from terminal import width

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
