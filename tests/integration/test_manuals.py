# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manuals show as examples works as it stands there."""

import json
import os
import re
import shlex
import subprocess

import pytest

from receiver import PATIENCE_SECONDS
from relay import BUILD, POSTERN, POSTERND, SENDMAIL, TOP, Lines, environment

DOCS = TOP / "docs"


def examples(page):
    """The examples of a page: its displays of several lines and of one."""
    source = (DOCS / page).read_text(encoding="utf-8").split(".Sh EXAMPLES\n")[1].split("\n.Sh ")[0]
    found = re.findall(r"^\.Bd .*?\n(.*?)^\.Ed$|^\.Dl ([^\n]*)$", source, re.M | re.S)
    texts = [(display or line).replace("\\*q", '"').replace("\\e", "\\").replace("\\&", "") for display, line in found]
    assert texts, f"no example in {page}"
    return texts


def run(script, **variables):
    """Runs an example as a shell does."""
    path = f"{POSTERN.parent}:{POSTERND.parent}:{os.environ['PATH']}"
    return subprocess.run(["/bin/sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=environment(PATH=path, **variables), timeout=PATIENCE_SECONDS, check=False)


@pytest.mark.parametrize("text", examples("postern.conf.5"))
def test_examples_of_the_configuration(make_relay, text):
    names = re.findall(r"^PasswordCredential=(.*)$", text, re.M)
    relay = make_relay(configuration=text, credentials={name: "secret" for name in names})
    told = json.loads(relay.postern("remotes", "--json"))
    assert [remote["host"] for remote in told] == re.findall(r"^Host=(.*)$", text, re.M)


@pytest.mark.parametrize("text", examples("postern.1"))
def test_examples_of_the_command(make_relay, text):
    words = shlex.split(text.split("<")[0])
    if words[0] != "postern":  # of systemd's, or of the package manager's
        return
    relay = make_relay()
    relay.send()
    described = relay.postern(words[1], "--help")
    for option in re.findall(r"(--[a-z-]+)", text):
        assert f"{option}=" in described or f"{option} " in described, f"{words[1]} has no {option}"
    if words[1] in ("list", "retry", "delete"):  # others change the machine, or ask about another one
        result = run(text, POSTERN_BUS=relay.bus)
        assert result.returncode in (0, 3) and "Try “" not in result.stderr, result.stderr


@pytest.mark.parametrize("text", examples("postern-dbus.7.in"))
def test_examples_of_the_bus(make_relay, text):
    relay = make_relay()
    relay.send()
    result = run(text.replace("busctl ", f"busctl --address={relay.bus} "))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[0] in ("t", "a(ssxssuutttus)s", "u")


@pytest.mark.parametrize("text", examples("sendmail.1"))
def test_examples_of_sendmail(make_relay, text):
    relay = make_relay(configuration={"Relay": {"Domain": "example.org"}})
    result = run(text.replace("sendmail", str(SENDMAIL)), POSTERN_SOCKET=relay.socket)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    assert len(relay.queue()) == 1


@pytest.mark.parametrize("text", examples("posternd.8"))
def test_examples_of_the_daemon(tmp_path, text):
    (tmp_path / "postern.conf").write_text("", encoding="utf-8")
    arguments = shlex.split(text.replace(":2525", ":0").replace("\\\n", " "))
    assert arguments[0] == "posternd"
    daemon = subprocess.Popen([POSTERND, *arguments[1:]], cwd=tmp_path, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, env=environment())
    log = Lines(daemon.stderr)
    log.wait("listening for smtp on")
    assert (tmp_path / "submit").is_socket() and (tmp_path / "queue").is_dir()
    daemon.terminate()
    assert daemon.wait(PATIENCE_SECONDS) == 0, log.text()
    log.thread.join(PATIENCE_SECONDS)
    daemon.stderr.close()


def test_the_manual_of_the_bus_has_every_member():
    manual = (BUILD / "docs" / "postern-dbus.7").read_text(encoding="utf-8")
    for name in ("Relay1", "Journal1"):
        source = (TOP / "dbus" / f"org.postern.{name}.xml").read_text(encoding="utf-8")
        for member in re.findall(r'<(?:method|signal|property) name="(\w+)"', source):
            assert re.search(rf"^\.It (Ic|Va) {member}\b", manual, re.M), member
