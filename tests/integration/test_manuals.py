# SPDX-License-Identifier: GPL-3.0-or-later
"""What the manuals and the READMEs show as examples works as it stands there.

What changes the machine is run in one of its own, by the system tests.
"""

import json
import os
import re
import shlex
import subprocess

import pytest

import mail
from examples import commands, of_manual, of_markdown
from receiver import PATIENCE_SECONDS
from relay import BUILD, POSTERN, POSTERND, SENDMAIL, TOP, Lines, environment

DOCS = TOP / "docs"
READMES = ["README.md", "units/README.md"]


def examples(page):
    return of_manual(page, "EXAMPLES")


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


def described_options(program, *words):
    told = subprocess.run([program, *words, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
                          env=environment()).stdout
    return set(re.findall(r"(--[a-z-]+)", told)) | {"--version", "--bus"}


@pytest.mark.parametrize("text", READMES + ["postern.1", "postern-notify.1", "posternd.8"])
def test_commands_that_a_text_names_are_there(text):
    source = (TOP / text).read_text(encoding="utf-8") if text.endswith(".md") else "\n".join(of_manual(text))
    for command in commands("postern", source):
        words = [word for word in command.split() if not word.startswith("--bus")]
        options = {re.match("[^=]*", word)[0] for word in words if word.startswith("--")}
        assert options <= described_options(POSTERN, words[0]), command  # which fails for one that is not there
    for command in commands("(?:/usr/libexec/)?posternd", source):
        options = {re.match("[^=]*", word)[0] for word in command.split() if word.startswith("--")}
        assert options <= described_options(POSTERND), command
    for unit in set(re.findall(r"\bpostern[a-z-]*@?\.(?:socket|service)\b", source)):
        assert list((TOP / "units").glob(f"**/{unit}*")), unit


@pytest.mark.parametrize("text", [text for text in examples("postern.1") if re.match("postern (list|retry|delete) ", text)])
def test_examples_of_the_command(make_relay, text):
    relay = make_relay()
    relay.send()
    result = run(text, POSTERN_BUS=relay.bus)
    assert result.returncode in (0, 3) and "Try “" not in result.stderr, result.stderr


@pytest.mark.parametrize("text", [text for readme in READMES for text in of_markdown(readme)
                                  if re.match(r"\[(Smarthost|Rewrite|Route|Relay)", text)])
def test_configurations_of_the_readmes(tmp_path, text):
    """Some are added to what is there already."""
    whole = of_markdown("README.md", "By hand")[0]
    (tmp_path / "postern.conf").write_text(whole, encoding="utf-8")
    (tmp_path / "postern.conf.d").mkdir()
    (tmp_path / "postern.conf.d" / "more.conf").write_text(text, encoding="utf-8")
    (tmp_path / "credentials").mkdir()
    for name in re.findall(r"^PasswordCredential=(.*)$", whole + text, re.M):
        (tmp_path / "credentials" / name).write_text("secret\n", encoding="utf-8")
    result = run(f"posternd --check --offline --config={tmp_path}/postern.conf --credentials={tmp_path}/credentials")
    assert result.returncode == 0 and "warning" not in result.stdout, result.stdout + result.stderr


def test_the_example_of_a_table(make_relay, receiver, tmp_path):
    (table,) = of_manual("postern.conf.5", "REWRITING")
    (tmp_path / "senders").write_text(table, encoding="utf-8")
    relay = make_relay(receiver, {"Relay": {"Domain": "example.org"}, "Rewrite": {"SenderTable": tmp_path / "senders"}})
    expected = {"jane@host.example.org": "jane.doe@example.org", "www-data": "webmaster@example.org",
                "joe@host.example.org": "joe@example.org", "joe@old.example.org": "archive@example.org",
                "joe@a.lab.example.org": "joe@example.org", "joe@example.net": "me@example.org"}
    for sender in expected:
        relay.send(sender, message=f"Subject: {sender}\r\n\r\nhello\r\n")
    received = receiver.wait_messages(len(expected))
    assert {mail.parse(message)["Subject"]: message.sender for message in received} == expected


def test_the_example_of_an_alias_file(make_relay, receiver, tmp_path):
    (aliases,) = of_manual("postern.conf.5", "LOCAL RECIPIENTS")
    (tmp_path / "all").write_text("me@example.org\n", encoding="utf-8")
    (tmp_path / "aliases").write_text(aliases.replace("/etc/postern/all", str(tmp_path / "all")), encoding="utf-8")
    relay = make_relay(receiver, {"Relay": {"Domain": "example.org"}, "Aliases": {"File": tmp_path / "aliases"}})
    expected = {"root": ["admin@example.org", "jane@example.org"], "all": ["me@example.org"], "joe": ["admin@example.org"],
                '"two words"@localhost': ["jack@example.org", "jane@example.org"]}
    for recipient in expected:
        relay.sendmail(recipient, message=f"Subject: {recipient}\n\nhello\n")
    received = receiver.wait_messages(len(expected))
    assert {mail.parse(message)["Subject"]: sorted(message.recipients) for message in received} == expected


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
    assert arguments[0] == "/usr/libexec/posternd"
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
