# SPDX-License-Identifier: GPL-3.0-or-later
"""`postern import`: what other mail systems were told, and the mail that nullmailer still had."""

import configparser
import subprocess

import pytest

from relay import FAULTS, POSTERN, environment

SECRET = 'hunter2 "#\\:='


class Machine:
    """A machine that another mail system was set up on, as a folder; and what was imported from it."""

    def __init__(self, folder):
        self.root = folder / "root"
        self.root.mkdir()
        self.place = folder / "etc"
        self.told = None

    def file(self, path, text, mode=0o644):
        """Writes a file of the machine."""
        real = self.root / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(text, encoding="utf-8")
        real.chmod(mode)
        return self

    def run(self, *arguments, status=0, bus="unix:path=/nowhere"):
        result = subprocess.run(
            [POSTERN, f"--bus={bus}", "import", *map(str, arguments), f"--root={self.root}",
             f"--config={self.place}/postern.conf"],
            capture_output=True, text=True, check=False, timeout=120, env=environment(), stdin=subprocess.DEVNULL)
        self.told = result.stdout + result.stderr
        assert not FAULTS.search(self.told), self.told
        assert result.returncode == status, self.told
        assert SECRET not in self.told and "hunter2" not in self.told
        return self.told

    def take(self, kind, *arguments, status=0):
        """Imports and writes; posternd takes what was written. Returns the configuration as {group: {key: value}}."""
        self.run(kind, "--write", *arguments, status=status)
        if status == 0:
            assert "The configuration is good" in self.told
        parser = configparser.RawConfigParser(delimiters="=", comment_prefixes="#", strict=True)
        parser.optionxform = str
        parser.read(self.place / "postern.conf", encoding="utf-8")
        return {group: dict(parser[group]) for group in parser.sections()}

    def password(self, name="smarthost"):
        path = self.place / "credentials" / name
        assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
        return path.read_text(encoding="utf-8")

    def table(self, name):
        """The rows of a table."""
        lines = (self.place / name).read_text(encoding="utf-8").splitlines()
        return [tuple(line.split(" ")) for line in lines if not line.startswith("#")]

    def fate(self, line):
        """What was told of a line: its outcomes, in words."""
        lines = iter(self.told.splitlines())
        for told in lines:
            if told.endswith(": " + line) or told == line:
                outcomes = []
                for outcome in lines:
                    if not outcome.startswith("    "):
                        break
                    outcomes.append(outcome.strip())
                return outcomes
        raise AssertionError(f"nothing was told of “{line}”:\n{self.told}")


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


# ---- All of them ----


def test_nothing_is_written_without_a_word(machine):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    told = machine.run("nullmailer")
    assert "Host=smtp.example.org" in told and "--write does" in told
    assert not machine.place.exists()


def test_a_configuration_of_before_is_not_replaced_without_force(machine):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    machine.take("nullmailer")
    machine.run("nullmailer", "--write", status=1)
    assert "--force" in machine.told
    machine.run("nullmailer", "--write", "--force")
    assert (machine.place / "postern.conf.bak").exists()


def test_the_mail_system_is_found(machine):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    assert machine.take("auto")["Smarthost"]["Host"] == "smtp.example.org"


def test_nothing_to_import(machine):
    assert "none of the mail systems" in machine.run("auto", status=1)
    assert "there is no" in machine.run("nullmailer", status=1)


@pytest.mark.parametrize("arguments", [[], ["exim"], ["nullmailer", "more"], ["nullmailer", "--queue", "--write"]])
def test_a_command_line_that_is_wrong(machine, arguments):
    machine.run(*arguments, status=2)


# ---- nullmailer ----


def test_all_control_files_of_nullmailer(machine):
    folder = "/etc/nullmailer/"
    machine.file("/etc/mailname", "pi.example.org\n")
    for name, value in {"adminaddr": "admin@example.org, two@example.org", "allmailfrom": "relay@example.org",
                        "defaultdomain": "example.org", "defaulthost": "pi", "doublebounceto": "bounce@example.org",
                        "helohost": "helo.example.org", "idhost": "id.example.org", "me": "me.example.org",
                        "maxpause": "86400", "pausetime": "90", "queuelifetime": "604800", "sendtimeout": "3600",
                        "remotes": "smtp.example.org smtp\n"}.items():
        machine.file(folder + name, f"{value}\n")
    assert machine.take("nullmailer") == {
        "Smarthost": {"Host": "smtp.example.org", "Port": "25", "TLS": "none"},
        "Relay": {"HostName": "helo.example.org", "AdminAddress": "admin@example.org, two@example.org",
                  "LocalDomains": "pi.example.org me.example.org", "Domain": "pi.example.org"},
        "Rewrite": {"Sender": "relay@example.org"},
        "Queue": {"RetryFirst": "90s", "RetryLongest": "1d", "Lifetime": "7d"}}
    for lost in ("bounce@example.org", "3600", "id.example.org"):
        assert machine.fate(lost)[0].startswith("no counterpart")


@pytest.mark.parametrize("options, expected", [
    ("", {"Port": "25", "TLS": "none"}),
    ("--port=587 --starttls", {"Port": "587", "TLS": "starttls"}),
    ("port=587 starttls", {"Port": "587", "TLS": "starttls"}),
    ("--port 587 --starttls", {"Port": "587", "TLS": "starttls"}),
    ("-p 2525", {"Port": "2525", "TLS": "none"}),
    ("-p2525", {"Port": "2525", "TLS": "none"}),
    ("--ssl", {"Port": "465", "TLS": "implicit"}),
    ("tls", {"Port": "465", "TLS": "implicit"}),
    ("ssl insecure", {"Port": "465", "TLS": "implicit", "Verify": "no"}),
    ("ssl x509cafile=/etc/ssl/certs/ca-certificates.crt", {"Port": "465", "TLS": "implicit"}),
])
def test_options_of_a_remote_of_nullmailer(machine, options, expected):
    machine.file("/etc/nullmailer/remotes", f"# the provider\n\nsmtp.example.org smtp {options}\n", 0o600)
    assert machine.take("nullmailer") == {"Smarthost": {"Host": "smtp.example.org", **expected}}


@pytest.mark.parametrize("quoted", ["'%s'", '"%s"'])
@pytest.mark.parametrize("dashes", ["", "--"])
def test_a_login_of_nullmailer(machine, quoted, dashes):
    escaped = SECRET if quoted == "'%s'" else SECRET.replace("\\", "\\\\").replace('"', '\\"')
    machine.file("/etc/nullmailer/remotes",
                 f"smtp.example.org smtp {dashes}starttls {dashes}user=me {dashes}pass={quoted % escaped} "
                 f"{dashes}auth-login\n", 0o600)
    assert machine.take("nullmailer")["Smarthost"] == {
        "Host": "smtp.example.org", "Port": "25", "TLS": "starttls", "User": "me", "Mechanisms": "LOGIN",
        "PasswordCredential": "smarthost"}
    assert machine.password() == SECRET + "\n"


def test_a_login_without_tls_stays_possible(machine):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp user=me pass=hunter2\n", 0o600)
    assert machine.take("nullmailer")["Smarthost"]["AuthWithoutTLS"] == "yes"
    assert "without encryption" in machine.told


def test_several_remotes_of_nullmailer_keep_their_order(machine):
    machine.file("/etc/nullmailer/remotes",
                 "one.example.org smtp\ntwo.example.org smtp ssl user=u pass=hunter2\n[::1] smtp\nqmqp.example.org qmqp\n")
    taken = machine.take("nullmailer")
    assert [group["Host"] for group in taken.values()] == ["one.example.org", "two.example.org", "::1"]
    assert machine.password("smarthost-remote2") == "hunter2\n"
    assert machine.fate("qmqp.example.org")[0].startswith("no counterpart")


def test_what_nullmailer_could_and_postern_cannot(machine):
    machine.file("/etc/nullmailer/remotes",
                 "smtp.example.org smtp ssl x509certfile=/etc/c.pem x509keyfile=/etc/k.pem source=192.0.2.1 tls-anon-auth\n")
    machine.take("nullmailer")
    assert "no counterpart: options without a counterpart: x509certfile x509keyfile source tls-anon-auth" in machine.told


def test_a_line_with_bad_quotes_is_not_shown(machine):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\nsmtp.example.org smtp pass='hunter2\n")
    machine.take("nullmailer")
    assert machine.fate("(not shown)")[0].startswith("no counterpart")


# ---- nullmailer's queue ----


def queue(machine, **messages):
    for name, text in messages.items():
        machine.file(f"/var/spool/nullmailer/queue/{name}", text, 0o600)


def waiting(machine):
    return sorted(path.name for path in (machine.root / "var/spool/nullmailer/queue").iterdir())


def test_mail_in_the_queue_of_nullmailer_is_handed_over(machine, relay, receiver):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    machine.file("/var/spool/nullmailer/failed/1.9", "x@example.org\n\n")
    queue(machine, **{"1.1": "a@example.org\nb@example.net\nc@example.net\n\nSubject: one\nTo: b\n\nfirst\n.\n",
                      "2.2": "\nb@example.net\n\nSubject: two\n\nsecond\n"})
    told = machine.run("nullmailer", "--queue", bus=relay.bus)
    messages = sorted(receiver.wait_messages(2), key=lambda m: m.sender, reverse=True)
    assert [(m.sender, m.recipients) for m in messages] == [
        ("a@example.org", ["b@example.net", "c@example.net"]), ("", ["b@example.net"])]
    assert messages[0].content.endswith(b"\r\n\r\nfirst\r\n.\r\n") and b"Subject: one" in messages[0].content
    assert waiting(machine) == []
    assert "2 of 2 messages" in told and "1 that nullmailer gave up" in told


def test_what_the_relay_does_not_take_stays_with_nullmailer(machine, make_relay, receiver):
    relay = make_relay(receiver, {"Server": {"MaxMessageSize": "1K"}})
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    queue(machine, **{"1.1": "a@example.org\nb@example.net\n\nSubject: big\n\n" + "x" * 70 + "\n" + "line\n" * 1000,
                      "2.2": "a@example.org\nb@example.net\n\nSubject: small\n\n",
                      "3.3": "no message at all"})
    told = machine.run("nullmailer", "--queue", bus=relay.bus, status=1)
    assert b"small" in receiver.wait_messages(1)[0].content
    assert waiting(machine) == ["1.1", "3.3"]
    assert "1 of 3" in told and "3.3 stays" in told


def test_without_a_relay_the_queue_stays(machine):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    queue(machine, **{"1.1": "a@example.org\nb@example.net\n\nSubject: x\n\n"})
    machine.run("nullmailer", "--queue", status=5)
    assert waiting(machine) == ["1.1"]
