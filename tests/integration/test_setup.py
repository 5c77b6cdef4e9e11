# SPDX-License-Identifier: GPL-3.0-or-later
"""`postern setup`: by options, and at a terminal."""

import base64
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dialogue import Dialogue
from relay import FAULTS, POSTERN, Postern, environment, is_sanitized
from terminal import width

PASSWORD = "corréct-hörse battery=staple\\ #1"
SECRET_FORMS = (PASSWORD, base64.b64encode(PASSWORD.encode()).decode(),
                base64.b64encode(b"\0relay-user\0" + PASSWORD.encode()).decode())


@pytest.fixture
def place(tmp_path):
    """A folder like /etc/postern, with the password in a file beside it."""
    (tmp_path / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    (tmp_path / "password").chmod(0o600)
    folder = tmp_path / "etc"
    folder.mkdir()
    return folder


@pytest.fixture
def make_provider(make_receiver, certificates):
    """A provider as they are: TLS, a login."""
    return lambda tls="starttls", **options: make_receiver(
        tls=tls, certificate=certificates.server, require_tls=tls == "starttls",
        users=options.pop("users", {"relay-user": PASSWORD}), **options)


def server(receiver, certificates):
    """The options that name a receiver."""
    return [f"--smarthost=localhost:{receiver.port}", f"--tls={receiver.tls or 'none'}",
            *([f"--trust-file={certificates.authority[0]}"] if receiver.tls else [])]


def run(place, *arguments, status=0, bus="unix:path=/nowhere", front=(), **options):
    """`postern setup` without a terminal; returns what it printed."""
    command = [*front, POSTERN, f"--bus={bus}", "setup", f"--config={place}/postern.conf", *arguments]
    options.setdefault("stdin", subprocess.DEVNULL)
    result = subprocess.run([str(a) for a in command], capture_output=True, text=True, check=False, timeout=120,
                            env=environment(), **options)
    told = result.stdout + result.stderr
    assert not FAULTS.search(told), told
    assert result.returncode == status, told
    assert not [form for form in SECRET_FORMS if form in told]
    return told


def modes(place):
    """The modes of all that was written, by name."""
    return {str(path.relative_to(place)): oct(path.stat().st_mode & 0o777) for path in place.rglob("*")}


def no_secret_in(place):
    return not [path for path in place.rglob("*") if path.is_file() and path.parent.name != "credentials"
                and PASSWORD in path.read_text(encoding="utf-8")]


# ---- By options ----


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_script_sets_up_a_server_with_a_login(place, make_provider, certificates, tls):
    provider = make_provider(tls)
    told = run(place, *server(provider, certificates), "--user=relay-user", f"--password-file={place.parent}/password",
               "--no-start")
    assert provider.logins == [("relay-user", True)], "the login is tried for real"
    assert "takes mail" in told
    assert modes(place) == {"postern.conf": "0o644", "credentials": "0o700", "credentials/smarthost": "0o600"}
    assert (place / "credentials/smarthost").read_text(encoding="utf-8") == PASSWORD + "\n"
    assert no_secret_in(place)


def test_what_was_written_sends_mail(place, make_provider, certificates, bus, cleanup):
    provider = make_provider()
    run(place, *server(provider, certificates), "--user=relay-user", f"--password-file={place.parent}/password")
    relay = Postern((place / "postern.conf").read_text(encoding="utf-8"), bus=bus,
                    variables={"CREDENTIALS_DIRECTORY": place / "credentials"})
    cleanup.callback(relay.close)
    relay.start().send()
    assert provider.wait_messages(1)[0].user == "relay-user"


def test_a_password_on_standard_input(place, make_provider, certificates):
    with open(place.parent / "password", "rb") as file:
        run(place, *server(make_provider(), certificates), "--user=relay-user", "--password-file=-", stdin=file)
    assert (place / "credentials/smarthost").read_text(encoding="utf-8") == PASSWORD + "\n"


def test_a_password_is_at_no_moment_readable_for_others(place, make_provider, certificates, tmp_path):
    if is_sanitized():
        pytest.skip("the leak sanitizer does not work under strace")
    trace = tmp_path / "trace"
    run(place, *server(make_provider(), certificates), "--user=relay-user", f"--password-file={place.parent}/password",
        "--no-check", front=["strace", "-f", "-e", "trace=openat,mkdir,chmod,fchmod", "-o", trace])
    made = [line for line in trace.read_text(encoding="utf-8").splitlines() if "credentials" in line]
    assert any("O_CREAT|O_EXCL" in line and "0600" in line for line in made), made
    assert not [line for line in made if "0644" in line or "0666" in line]


def test_the_password_is_never_an_argument(place, make_provider, certificates):
    help_text = run(place, "--help")
    assert "--password-file" in help_text and "--password=" not in help_text


def test_a_wrong_password_writes_nothing(place, make_provider, certificates):
    (place.parent / "password").write_text("wrong", encoding="utf-8")
    told = run(place, *server(make_provider(), certificates), "--user=relay-user",
               f"--password-file={place.parent}/password", status=1)
    assert "535" in told and "app password" in told and "nothing was written" in told
    assert not modes(place)


def test_root_mail_has_somewhere_to_go(place, receiver, certificates, bus, cleanup):
    running_relay(place, bus, cleanup)
    run(place, *server(receiver, certificates), "--no-login", "--admin=me@example.net", "--test=root", bus=bus)
    assert receiver.wait_messages(1)[0].recipients == ["me@example.net"]


def test_all_mail_comes_from_one_address(place, receiver, certificates, bus, cleanup):
    relay = running_relay(place, bus, cleanup)
    run(place, *server(receiver, certificates), "--no-login", "--from=me@example.net", bus=bus)
    assert receiver.commands("MAIL")[0].startswith("MAIL FROM:<me@example.net>"), "the trial is from it, too"
    relay.send(sender="root@localhost")
    assert receiver.wait_messages(1)[0].sender == "me@example.net"


def test_no_check_writes_untried(place, make_receiver, certificates):
    told = run(place, *server(make_receiver(up=False), certificates), "--no-login", "--no-check")
    assert "Wrote" in told and (place / "postern.conf").exists()


def test_a_configuration_of_before_is_not_replaced_without_force(place, receiver, certificates):
    (place / "postern.conf").write_text("[Smarthost]\nHost=precious.example\n", encoding="utf-8")
    arguments = [*server(receiver, certificates), "--no-login"]
    assert "--force" in run(place, *arguments, status=1)
    assert "precious" in (place / "postern.conf").read_text(encoding="utf-8")
    run(place, *arguments, "--force")
    run(place, *arguments, "--force")
    assert "precious" in (place / "postern.conf.bak").read_text(encoding="utf-8"), "the first one is still there"
    assert "localhost" in (place / "postern.conf.bak2").read_text(encoding="utf-8")


def test_the_sample_configuration_is_replaced_without_a_question(place, receiver, certificates):
    sample = Path(__file__).resolve().parents[2] / "units" / "postern.conf"
    (place / "postern.conf").write_bytes(sample.read_bytes())
    run(place, *server(receiver, certificates), "--no-login")
    assert (place / "postern.conf.bak").read_bytes() == sample.read_bytes()


def test_a_full_disk_leaves_what_was_there(place, receiver, certificates):
    (place / "postern.conf").mkdir()  # nothing can take its place
    run(place, *server(receiver, certificates), "--no-login", "--force", status=1)
    assert list(place.glob(".*")) == [], "no draft is left behind"


@pytest.mark.parametrize("arguments, words", [
    ([], "--smarthost="),
    (["--smarthost=mail.example.org"], "--no-login"),
    (["--smarthost=mail.example.org", "--user=me"], "--password-file="),
    (["--address=nonsense", "--no-login"], "no mail address"),
    (["--smarthost=mail.example.org", "--no-login", "--user=me"], "--no-login"),
    (["--smarthost=mail.example.org", "--no-login", "--trust-file=here.pem"], "absolute"),
    (["--smarthost=mail.example.org", "--no-login", "word"], "one word too many"),
])
def test_a_command_line_that_is_wrong(place, arguments, words):
    assert words in run(place, *arguments, status=2)


@pytest.mark.parametrize("name", ["mail.example.org:smtp", "two words", "[::1", "me@example.org"])
def test_a_server_that_is_none(place, name):
    assert "is no server" in run(place, f"--smarthost={name}", "--no-login", status=1)


@pytest.mark.parametrize("address, host, port, tls, note", [
    ("me@gmail.com", "smtp.gmail.com", "587", "starttls", "apppasswords"),
    ("me@googlemail.com", "smtp.gmail.com", "587", "starttls", "apppasswords"),
    ("me@gmx.de", "mail.gmx.net", "587", "starttls", "POP3"),
    ("me@posteo.de", "posteo.de", "465", "implicit", ""),
    ("me@yahoo.fr", "smtp.mail.yahoo.com", "465", "implicit", "app password"),
])
def test_large_providers_are_known_by_the_address(place, address, host, port, tls, note):
    told = run(place, f"--address={address}", f"--password-file={place.parent}/password", "--no-check")
    text = (place / "postern.conf").read_text(encoding="utf-8")
    assert f"\nHost={host}\nPort={port}\n" in text and f"\nTLS={tls}\n" in text and f"\nUser={address}\n" in text
    assert note in told


def test_large_providers_are_known_by_name(place):
    run(place, "--smarthost=SendGrid", f"--password-file={place.parent}/password", "--user=apikey", "--no-check")
    assert "Host=smtp.sendgrid.net" in (place / "postern.conf").read_text(encoding="utf-8")


def test_a_provider_that_takes_no_mail_is_told(place):
    told = run(place, "--address=me@tutanota.com", f"--password-file={place.parent}/password", status=1)
    assert "another provider" in told


# ---- By DNS ----


def discovered(place, *records, address="me@example.org", status=0):
    if os.geteuid() != 0:
        pytest.skip("only root can give a command a network of its own")
    dns = Path(__file__).with_name("dns.py")
    return run(place, f"--address={address}", f"--password-file={place.parent}/password", "--no-check", "--no-start",
               front=[sys.executable, dns, *records, "--"], status=status)


def written(place):
    return (place / "postern.conf").read_text(encoding="utf-8")


def test_srv_records_name_the_server(place):
    discovered(place, "_submission._tcp.example.org SRV 0 1 587 smtp.example.org")
    assert "\nHost=smtp.example.org\nPort=587\n" in written(place) and "\nTLS=starttls\n" in written(place)


def test_implicit_tls_is_preferred(place):
    discovered(place, "_submission._tcp.example.org SRV 0 1 587 smtp.example.org",
               "_submissions._tcp.example.org SRV 0 1 465 smtps.example.org")
    assert "\nHost=smtps.example.org\nPort=465\n" in written(place) and "\nTLS=implicit\n" in written(place)


def test_the_lowest_priority_wins(place):
    discovered(place, "_submissions._tcp.example.org SRV 20 1 465 second.example.org",
               "_submissions._tcp.example.org SRV 10 1 465 first.example.org")
    assert "Host=first.example.org" in written(place)


def test_a_service_that_is_said_not_to_be(place):
    discovered(place, "_submissions._tcp.example.org SRV 0 0 0 .",
               "_submission._tcp.example.org SRV 0 1 587 smtp.example.org")
    assert "Host=smtp.example.org" in written(place)


def test_a_server_elsewhere_needs_a_person(place):
    told = discovered(place, "_submissions._tcp.example.org SRV 0 1 465 mail.elsewhere.example", status=1)
    assert "forged" in told and "--smarthost=mail.elsewhere.example:465" in told


def test_a_provider_is_known_by_its_mail_exchangers(place):
    told = discovered(place, "example.org MX 10 aspmx.l.google.com")
    assert "Host=smtp.gmail.com" in written(place) and "at Gmail" in told


def test_a_domain_that_says_nothing(place):
    assert "names no server" in discovered(place, status=1)


# ---- At a terminal ----


def at_terminal(place, *arguments, bus="unix:path=/nowhere"):
    return Dialogue([POSTERN, f"--bus={bus}", "setup", f"--config={place}/postern.conf", *arguments], environment())


def test_a_person_is_asked(place, make_provider, certificates):
    provider = make_provider()
    with at_terminal(place, "--no-start", f"--trust-file={certificates.authority[0]}") as terminal:
        terminal.answer("Your mail address, your provider, or a server", f"localhost:{provider.port}")
        terminal.answer(r"User to log in as.*\[-\]: ", "relay-user")
        terminal.expect(r"Password of relay-user \(not shown\): ")
        terminal.send("wrong\n")
        terminal.expect("It takes no mail: .*535.*app password")
        terminal.answer(r"\(p\)assword.*: ", "p")
        terminal.expect(r"Password of relay-user \(not shown\): ")
        assert not terminal.shows_typing()
        terminal.send(PASSWORD + "\n")
        terminal.expect("It takes mail")
        terminal.answer("Who gets the mail to root", "me@example.net")
        terminal.expect("Wrote the password")
        assert terminal.end() == 0
        assert terminal.shows_typing()
        assert PASSWORD not in terminal.shown and "wrong" not in terminal.shown
    assert provider.logins == [("relay-user", False), ("relay-user", True)]
    assert (place / "credentials/smarthost").read_text(encoding="utf-8") == PASSWORD + "\n"
    assert "\nAdminAddress=me@example.net\n" in written(place)


@pytest.mark.parametrize("address, proposed, answer, sender", [
    ("me@gmx.de", "me@gmx.de", "", "me@gmx.de"), ("me@gmx.de", "me@gmx.de", "-", None),
    ("me@gmx.de", "me@gmx.de", "other@gmx.de", "other@gmx.de"), ("me@localhost", "-", "", None),
    ("me@localhost", "-", "me@example.org", "me@example.org")])
def test_a_person_is_asked_for_the_sender_of_all_mail(place, address, proposed, answer, sender):
    with at_terminal(place, "--smarthost=localhost", f"--address={address}", "--no-login", "--no-check", "--no-start",
                     "--admin=me@example.org") as terminal:
        terminal.answer(rf"Sender of all mail.* \[{proposed}\]: ", answer)
        assert terminal.end() == 0
    assert (f"\nSender={sender}\n" if sender else "\n") in written(place) and ("Sender=" in written(place)) == bool(sender)


def test_an_address_is_taken_wherever_one_is_proposed(place):
    with at_terminal(place, "--no-check", "--no-start", "--no-login") as terminal:
        terminal.answer("Your mail address, your provider, or a server: ", "me@gmx.de")
        terminal.answer(r"mail to root.* \[me@gmx.de\]: ", "nonsense")
        terminal.answer(r"“nonsense” is no mail address.*\[me@gmx.de\]: ", "admin@example.org")
        terminal.answer(r"Sender of all mail.* \[me@gmx.de\]: ", "host@gmx.de")
        assert terminal.end() == 0
    assert "AdminAddress=admin@example.org\n" in written(place) and "Sender=host@gmx.de\n" in written(place)


def test_who_logs_in_with_an_address_is_offered_it_later(place, make_provider, certificates):
    provider = make_provider(users={"me@example.org": PASSWORD})
    with at_terminal(place, "--no-start", *server(provider, certificates)) as terminal:
        terminal.answer("User to log in as", "me@example.org")
        terminal.answer("Password of me@example.org", PASSWORD)
        terminal.answer(r"mail to root.* \[me@example.org\]: ", "")
        terminal.answer("Sender of all mail", "")
        assert terminal.end() == 0
    assert "AdminAddress=me@example.org\n" in written(place)


# ---- Before and during the trial ----


def test_a_server_that_cannot_be_looked_up_is_told_before_the_password(place):
    with at_terminal(place, "--no-start", "--user=me") as terminal:
        terminal.answer("Your mail address", "smtp.nowhere.invalid")
        terminal.expect("Looking up smtp.nowhere.invalid")
        terminal.expect("smtp.nowhere.invalid cannot be looked up: .*spelt right")
        terminal.answer("Your mail address", "localhost")
        terminal.expect("Password of me")
        assert terminal.shown.index("cannot be looked up") < terminal.shown.index("Password")
    assert not modes(place)


def test_a_script_hears_of_a_server_that_cannot_be_looked_up(place):
    told = run(place, "--smarthost=smtp.nowhere.invalid", "--no-login", status=1)
    assert "smtp.nowhere.invalid cannot be looked up" in told and "--no-check" in told
    run(place, "--smarthost=smtp.nowhere.invalid", "--no-login", "--no-check")


def test_a_reason_is_said_once_and_nothing_is_called_good(place, make_receiver):
    for reason, options in (("nothing listens", {"up": False}), ("554 5.7.1 not you", {})):
        receiver = make_receiver(**options)
        receiver.on("MAIL", "554 5.7.1 not you")
        told = run(place, f"--smarthost=localhost:{receiver.port}", "--tls=none", "--no-login", status=1)
        assert told.count(reason) == 1 and "is good" not in told and "/proc/self" not in told, told


def test_a_trial_that_takes_long_shows_that_it_goes_on(place, receiver):
    gate = threading.Event()
    receiver.on("EHLO", gate)
    with at_terminal(place, f"--smarthost=localhost:{receiver.port}", "--tls=none", "--no-login", "--no-start") as terminal:
        terminal.expect(r"Trying localhost …\.\.\.")
        gate.set()
        terminal.expect(r"\nIt takes mail")


@pytest.mark.parametrize("columns", [60, 80])
def test_a_dialogue_is_within_the_terminal(place, make_receiver, columns):
    port = make_receiver(up=False).port
    command = [POSTERN, "--bus=unix:path=/nowhere", "setup", f"--config={place}/postern.conf", "--tls=none", "--no-start"]
    with Dialogue(command, environment(), columns=columns) as terminal:
        # Enter is shown where the cursor is: an answer waits for the question's end.
        terminal.answer("Your mail address.*: $", f"localhost:{port}")
        terminal.answer("User to log in as.*: $", "me@gmx.de")
        terminal.answer("Password of me@gmx.de.*: $", "secret")
        terminal.answer(r"\(q\)uit.*: $", "w")
        terminal.answer("mail to root.*: $", "")
        terminal.answer("Sender of all mail.*: $", "")
        assert terminal.end() == 0
        shown = terminal.shown.replace(f": localhost:{port}\n", ":\n")  # what a person types takes its own room
        wide = [line for line in shown.splitlines() if width(line) > columns and str(place) not in line]
        assert not wide, terminal.shown


def test_an_interrupt_at_the_password_leaves_the_terminal_as_it_was(place, receiver):
    with at_terminal(place, "--smarthost=localhost", "--user=me") as terminal:
        terminal.expect("Password of me")
        terminal.send("half a passw")
        terminal.send("\x03")
        assert terminal.end() == -signal.SIGINT
        assert terminal.shows_typing()
        assert "half" not in terminal.shown
    assert not modes(place)


def test_a_person_may_give_up(place, make_receiver):
    with at_terminal(place, f"--smarthost=localhost:{make_receiver(up=False).port}", "--no-login", "--tls=none") as terminal:
        terminal.answer(r"\(q\)uit", "q")
        terminal.expect("Nothing was written")
        assert terminal.end() == 1
    assert not modes(place)


def test_a_person_may_write_it_all_the_same(place, make_receiver):
    port = make_receiver(up=False).port
    with at_terminal(place, f"--smarthost=localhost:{port}", "--no-login", "--no-start", "--tls=none") as terminal:
        terminal.answer(r"\(q\)uit", "w")
        terminal.answer("Who gets the mail to root", "-")
        assert terminal.end() == 0
    assert f"Port={port}" in written(place)


def test_a_person_is_asked_before_a_configuration_is_replaced(place):
    (place / "postern.conf").write_text("[Smarthost]\nHost=precious.example\n", encoding="utf-8")
    with at_terminal(place, "--smarthost=localhost", "--no-login") as terminal:
        terminal.answer("Replace it", "")
        assert terminal.end() == 1
    assert "precious" in written(place)


def test_the_end_of_the_input_is_no_answer(place):
    with at_terminal(place) as terminal:
        terminal.expect("mail address")
        terminal.send("\x04")
        assert terminal.end() == 1
    assert not modes(place)


# ---- The test message ----


def running_relay(place, bus, cleanup):
    """A relay that reads what `postern setup` writes."""
    (place / "credentials").mkdir(mode=0o700)
    relay = Postern("", bus=bus, folder=place, variables={"CREDENTIALS_DIRECTORY": place / "credentials"})
    cleanup.callback(relay.close)
    return relay.start()


def test_a_test_message_and_what_became_of_it(place, make_provider, certificates, bus, cleanup):
    provider = make_provider()
    relay = running_relay(place, bus, cleanup)
    told = run(place, *server(provider, certificates), "--user=relay-user", f"--password-file={place.parent}/password",
               "--test=me@example.net", bus=bus)
    received = provider.wait_messages(1)[0]
    assert received.recipients == ["me@example.net"] and b"Subject: A test of this machine's mail" in received.content
    assert "It has gone out" in told and "250" in told
    assert PASSWORD not in relay.log_text()


@pytest.mark.parametrize("reply, words", [("550 5.1.1 nobody there", "It was refused"), ("451 4.3.0 later", "It waits")])
def test_a_test_message_that_does_not_arrive(place, receiver, certificates, bus, cleanup, reply, words):
    receiver.on("RCPT", reply)
    running_relay(place, bus, cleanup)
    told = run(place, *server(receiver, certificates), "--no-login", "--test=me@example.net", bus=bus, status=1)
    assert words in told and reply[4:] in told


def test_without_a_relay_there_is_no_test_message(place, receiver, certificates):
    told = run(place, *server(receiver, certificates), "--no-login", "--test=me@example.net", status=5)
    assert "no relay" in told and (place / "postern.conf").exists()
