# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion in bash, zsh and fish, asked of the shells themselves, with a relay that runs."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from receiver import PATIENCE_SECONDS
from relay import POSTERN, TOP, environment

COMPLETION = TOP / "cli" / "completion"


@pytest.fixture(scope="module", params=["bash", "zsh", "fish"])
def shell(request):
    return request.param


@pytest.fixture
def waiting(make_relay):
    """A relay that keeps two messages, and a smarthost that is not there."""
    relay = make_relay(configuration={"Smarthost far": {"Host": "127.0.0.1", "Port": "1", "TLS": "none"}})
    relay.send()
    relay.send()
    return relay


def variables(relay):
    """The command is found by its name, and the relay by the environment. However slow this computer is, it is waited for."""
    patient = relay.folder / "patient"
    if not patient.exists():
        patient.mkdir()
        (patient / "timeout").write_text('#!/bin/sh\nshift\nexec "$@"\n', encoding="ascii")
        (patient / "timeout").chmod(0o755)
    return environment(PATH=f"{patient}:{POSTERN.parent}:{os.environ['PATH']}", POSTERN_BUS=relay.bus, TERM="dumb",
                       HOME=relay.folder, XDG_CONFIG_HOME=relay.folder, XDG_DATA_HOME=relay.folder)


def run(program, relay):
    result = subprocess.run(program, capture_output=True, text=True, env=variables(relay), timeout=PATIENCE_SECONDS,
                            stdin=subprocess.DEVNULL, check=True)
    assert result.stderr == ""
    return result.stdout.split("\n")[:-1]


def complete_bash(relay, line):
    # As bash itself divides a line.
    words = [word for word in re.split(r"(=)| ", line) if word is not None and (word or line.endswith(" "))]
    words += [""] if line.endswith(" ") and words[-1] else []
    script = f"source {COMPLETION}/postern.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _postern; " \
             "printf '%s\\n' \"${COMPREPLY[@]}\""
    return [reply for reply in run(["bash", "-c", script, "bash", *words], relay) if reply]


def complete_fish(relay, line):
    told = run(["fish", "--no-config", "-c", f"source {COMPLETION}/postern.fish; complete -C '{line}'"], relay)
    return [re.sub("^--[a-z-]+=(?=.)", "", reply.split("\t")[0]) for reply in told]


def complete_zsh(relay, line):
    """Types the line and TAB into a zsh on a terminal; a widget of the test's own lists what compadd was given."""
    script = f"""
        fpath=({COMPLETION} $fpath); autoload -U compinit; compinit -D -u
        zstyle ':completion:*' verbose no
        compadd () {{
            local -a found
            builtin compadd -O found "$@"
            print -rl -- $found >>$HOME/found
            builtin compadd "$@"
        }}
        capture () {{ zle main-complete; print done >>$HOME/end; exit }}
        zle -C main-complete complete-word _main_complete
        zle -N capture; bindkey '^I' capture
        print READY
    """
    (relay.folder / "zsh").write_text(script, encoding="utf-8")
    for name in ("found", "end"):
        (relay.folder / name).unlink(missing_ok=True)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], variables(relay))
    output = b""
    deadline = time.monotonic() + PATIENCE_SECONDS
    os.write(terminal, f"source {relay.folder}/zsh\n".encode())
    typed = False
    try:
        while not (relay.folder / "end").exists():
            assert time.monotonic() < deadline, output.decode()
            if not select.select([terminal], [], [], 0.2)[0]:
                continue
            output += os.read(terminal, 65536)
            if not typed and b"READY" in output:
                typed = True
                os.write(terminal, line.encode() + b"\t")
    except OSError:  # its end of the terminal is closed
        pass
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    found = relay.folder / "found"
    return sorted(set(found.read_text(encoding="utf-8").split("\n"))) if found.exists() else []


COMPLETE = {"bash": complete_bash, "zsh": complete_zsh, "fish": complete_fish}


@pytest.mark.parametrize("line, expected, others", [
    ("postern re", {"retry", "release", "remotes", "resume", "reload"}, {"list", "show"}),
    ("postern list --state=de", {"delivering", "deferred"}, {"queued", "held"}),
    ("postern delete --stat", {"--state="}, {"--sender="}),
    ("postern remotes --test=", {"far"}, set()),
    ("postern --bus=s", {"system", "session"}, set()),
])
def test_words(shell, waiting, line, expected, others):
    found = COMPLETE[shell](waiting, line)
    stripped = {word.rstrip("=") for word in found}
    assert {word.rstrip("=") for word in expected} <= stripped
    assert not {word.rstrip("=") for word in others} & stripped


@pytest.mark.parametrize("subcommand", ["show", "hold", "log"])
def test_ids_are_those_of_the_queue_now(shell, waiting, subcommand):
    ids = {message["id"] for message in waiting.queue()}
    assert len(ids) == 2
    assert ids <= set(COMPLETE[shell](waiting, f"postern {subcommand} "))
    waiting.postern("delete", *ids)
    assert not ids & set(COMPLETE[shell](waiting, f"postern {subcommand} "))


def test_a_relay_that_is_away_costs_the_ids_only(shell, waiting):
    waiting.stop()
    assert not [word for word in COMPLETE[shell](waiting, "postern show ") if re.fullmatch("[0-9a-z]{13}", word)]
    assert "show" in COMPLETE[shell](waiting, "postern sh")


def test_every_subcommand_and_option_is_completed(waiting):
    overview = waiting.postern("--help")
    subcommands = set(re.findall(r"^  ([a-z]+)  ", overview, re.M))
    assert len(subcommands) > 10
    assert set(complete_bash(waiting, "postern ")) == subcommands
    for subcommand in subcommands:
        options = set(re.findall(r"(--[a-z-]+)", "\n".join(
            line for line in waiting.postern(subcommand, "--help").split("\n") if line.startswith("  -"))))
        found = {word.rstrip("=") for word in complete_bash(waiting, f"postern {subcommand} -")}
        assert found <= options and "--help" in found and "--bus" in found


def test_the_shells_are_there():
    assert all(shutil.which(shell) for shell in COMPLETE)
