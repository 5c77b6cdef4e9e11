# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad configuration at a start: mail is taken, by the last good one or without any, and everybody is told."""

import json
import os
import pty
import re
import socket
import subprocess

import pytest

import mail
from receiver import PATIENCE_SECONDS
from relay import POSTERND, SENDMAIL, configuration_text, environment

EX_CONFIG = 78


def spoil_key(relay):
    text = relay.configuration_file.read_text(encoding="utf-8")
    relay.configure(text.replace("Host=", "Hots=", 1))
    line = text[:text.index("Host=127")].count("\n") + 1
    return f"{relay.configuration_file}:{line}: [Smarthost] Hots="


def spoil_drop_in(relay):
    folder = relay.folder / "postern.conf.d"
    folder.mkdir()
    (folder / "10-mine.conf").write_text("[Queue]\n\nLifetime=for ever\n", encoding="utf-8")
    return f"{folder}/10-mine.conf:3: [Queue] Lifetime=for ever"


def spoil_syntax(relay):
    text = relay.configuration_file.read_text(encoding="utf-8")
    relay.configure(text + "; mine\n")
    return f"{relay.configuration_file}:{text.count(chr(10)) + 1}: expected “#”"


def spoil_encoding(relay):
    text = relay.configuration_file.read_text(encoding="utf-8")
    relay.configuration_file.write_bytes(text.encode("utf-16"))
    return f"{relay.configuration_file}: it is UTF-16 text"


def spoil_file(relay):
    relay.configuration_file.unlink()
    return f"{relay.configuration_file}: cannot be read"


SPOILERS = [spoil_key, spoil_drop_in, spoil_syntax, spoil_encoding, spoil_file]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_start_goes_by_the_last_good_configuration(make_relay, receiver, spoil):
    relay = make_relay(receiver)
    relay.stop()
    good = relay.configuration_file.read_text(encoding="utf-8")
    problem = spoil(relay)
    relay.start()
    relay.wait_line(re.escape(problem))
    relay.wait_line("the configuration is bad; the last good one is in force, that of 20")
    relay.sendmail("you@example.net", message="Subject: as before\n\nhello\n")
    assert mail.subjects(receiver.wait_messages(1)) == ["as before"]

    told = relay.postern("status")
    assert problem in told and "the last good one is in force" in told
    told = relay.postern("check", status=1).stdout
    assert problem in told and "the last good one is in force" in told

    for drop_in in relay.folder.glob("postern.conf.d/*"):
        drop_in.unlink()
    relay.configure(good)
    assert "good one is in force" in relay.postern("check")
    relay.postern("reload")
    assert "Config:" not in relay.postern("status")


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("end", ["reload", "restart"])
def test_without_a_good_one_mail_is_taken_and_waits(make_relay, receiver, spoil, end):
    relay = make_relay(receiver, start=False)
    good = relay.configuration_file.read_text(encoding="utf-8")
    problem = spoil(relay)
    relay.start()
    relay.wait_line("the configuration is bad; mail is taken in and waits until it is good")
    relay.sendmail("you@example.net", message="Subject: patient\n\nhello\n")
    (message,) = relay.queue()
    assert problem in relay.postern("show", message["id"])
    told = relay.postern("status")
    assert problem in told and "mail is taken in, and waits" in told
    assert problem in relay.postern("check", status=1).stdout
    assert problem in relay.postern("reload", status=1).stderr
    assert receiver.connections == []

    for drop_in in relay.folder.glob("postern.conf.d/*"):
        drop_in.unlink()
    relay.configure(good)
    if end == "reload":
        relay.postern("reload")
    else:
        relay.restart()
    assert mail.subjects(receiver.wait_messages(1)) == ["patient"]


def test_a_secret_that_is_gone_holds_mail_until_it_is_there(make_relay, make_receiver):
    receiver = make_receiver(users={"me": "sesame"})
    relay = make_relay(receiver, {"Smarthost": {"User": "me", "PasswordCredential": "smarthost", "AuthWithoutTLS": "yes"}},
                       credentials={"smarthost": "sesame"})
    relay.stop()
    secret = relay.credentials / "smarthost"
    secret.unlink()
    relay.start()
    relay.sendmail("you@example.net", message="Subject: patient\n\nhello\n")
    (message,) = relay.queue()
    assert "PasswordCredential=: no password can be read from it" in relay.postern("show", message["id"])
    secret.write_text("sesame\n", encoding="utf-8")
    relay.postern("reload")
    assert mail.subjects(receiver.wait_messages(1)) == ["patient"]


def test_an_authority_that_cannot_be_read_is_told_with_its_line(make_relay, receiver):
    relay = make_relay(receiver)
    relay.stop()
    trust = relay.folder / "authority.pem"
    trust.write_text("no certificate\n", encoding="ascii")
    text = configuration_text({"Smarthost": {"Host": "localhost", "TrustFile": trust}})
    relay.configure(text)
    relay.start()
    relay.wait_line(re.escape(f"{relay.configuration_file}:3: [Smarthost] TrustFile=: "))
    relay.wait_line("the last good one is in force")


def test_the_bus_tells_what_is_in_force(make_relay, receiver):
    relay = make_relay(receiver)
    assert json_status(relay) == {"in-force": "current", "problems": []}
    problem = spoil_key(relay)
    relay.postern("reload", status=1)
    told = json_status(relay)
    assert told["in-force"] == "earlier" and told["problems"][0].startswith(problem)
    relay.restart()
    told = json_status(relay)
    assert told["in-force"] == "earlier" and told["problems"][0].startswith(problem)
    (relay.state / "configuration").unlink()
    relay.restart()
    told = json_status(relay)
    assert told["in-force"] == "none" and told["problems"][0].startswith(problem)


def json_status(relay):
    told = json.loads(relay.postern("status", "--json"))["configuration"]
    assert told.pop("since").startswith("20") and told.pop("warnings") == []
    return told


def test_a_reload_from_outside_fails_with_the_reason(make_relay, receiver, bus):
    relay = make_relay(receiver)
    command = [POSTERND, f"--bus={bus}", "--reload"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0 and done.stderr == ""
    problem = spoil_key(relay)
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == EX_CONFIG and problem in done.stderr
    relay.notifications.wait_match(r"STATUS=bad configuration: .*Hots=.*the last good one is in force")


def test_a_reload_without_a_bus_is_a_signal(make_relay, receiver):
    relay = make_relay(receiver, bus="none")
    command = [POSTERND, "--bus=unix:path=/nowhere", "--reload"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(MAINPID=relay.pid), check=False)
    assert done.returncode == 0 and "the journal tells" in done.stderr
    relay.wait_line("the configuration was read anew")
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 69 and "cannot be asked" in done.stderr


# ---- names ----


@pytest.mark.parametrize("names, domain", [
    ({"Domain": "localhost"}, "localhost"),
    ({"Domain": "box"}, "box"),
    ({"Domain": "localhost.localdomain."}, "localhost.localdomain"),
])
def test_a_name_that_is_of_no_use_is_told(make_relay, receiver, names, domain):
    relay = make_relay(receiver, {"Relay": names})
    relay.wait_line(f"nobody can answer mail from root@{domain}: .*set Domain=")
    told = f"nobody can answer mail from root@{domain}"
    assert told in relay.postern("status") and told in relay.postern("check")


def test_a_dot_behind_a_name_is_dropped(make_relay, receiver):
    relay = make_relay(receiver, {"Relay": {"HostName": "relay.example.org.", "Domain": "example.org."},
                                  "Smarthost": {"Host": "localhost."}})
    assert "Warning" not in relay.postern("status")
    relay.sendmail("-t", message="To: you@example.net.\nSubject: dots\n\nhello\n")
    (got,) = receiver.wait_messages(1)
    assert got.recipients == ["you@example.net"] and got.sender.endswith("@example.org")


# ---- somebody waits ----


def wait_for_relay(tmp_path, stderr):
    """sendmail in front of a socket where nobody answers; it is ended when that is shut."""
    path = tmp_path / "submit"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    process = subprocess.Popen([SENDMAIL, "you@example.net"], stdin=subprocess.PIPE, stderr=stderr,
                               env=environment(POSTERN_SOCKET=path))
    process.stdin.write(b"Subject: x\n\nhello\n")
    process.stdin.close()
    connection, _ = listener.accept()
    return process, listener, connection


def test_sendmail_tells_a_person_what_it_waits_for(tmp_path):
    ours, theirs = pty.openpty()
    process, listener, connection = wait_for_relay(tmp_path, theirs)
    os.close(theirs)
    told = os.read(ours, 4096).decode()
    assert f"has not answered on the socket {tmp_path}/submit" in told and "systemctl status" in told
    connection.close()
    listener.close()
    assert process.wait(PATIENCE_SECONDS) == 75
    os.close(ours)


def test_sendmail_tells_a_program_nothing(tmp_path):
    process, listener, connection = wait_for_relay(tmp_path, subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(7)
    connection.close()
    listener.close()
    assert process.wait(PATIENCE_SECONDS) == 75
    told = process.stderr.read().decode()
    process.stderr.close()
    assert "has not answered" not in told and "ended the connection" in told
