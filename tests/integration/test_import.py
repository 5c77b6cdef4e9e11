# SPDX-License-Identifier: GPL-3.0-or-later
"""`postern import`: what other mail systems were told, and the mail that nullmailer still had."""

import configparser
import subprocess

import pytest

from dialogue import Dialogue
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
            assert "The configuration is bad" not in self.told
        parser = configparser.RawConfigParser(delimiters="=", comment_prefixes="#", strict=True)
        parser.optionxform = str
        parser.read(self.place / "postern.conf", encoding="utf-8")
        taken = {group: dict(parser[group]) for group in parser.sections()}
        if status == 0:
            named = any(group.startswith("Smarthost") for group in taken)
            assert ("The configuration is good" if named else "there is no smarthost") in self.told
        return taken

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


def test_a_brief_account_is_of_what_has_to_be_known(machine):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp port=465 ssl\n").file("/etc/mailname", "pi.example.org\n")
    machine.file("/etc/nullmailer/sendtimeout", "60\n")
    machine.run("nullmailer", "--write", "--brief")
    assert "no counterpart" in machine.told and "1 taken" in machine.told and f"Wrote {machine.place}/postern.conf" in machine.told
    assert "taken:" not in machine.told and "Next:" not in machine.told
    assert "mailname" not in machine.told.partition("Wrote ")[0]


def test_the_mail_system_is_found(machine):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    assert machine.take("auto")["Smarthost"]["Host"] == "smtp.example.org"


def test_nothing_to_import(machine):
    assert "none of the mail systems" in machine.run("auto", status=1)
    assert "there is no" in machine.run("nullmailer", status=1)


@pytest.mark.parametrize("arguments", [[], ["exim"], ["nullmailer", "more"], ["nullmailer", "--queue", "--write"],
                                       ["nullmailer", "--brief"]])
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
                  "LocalDomains": "pi.example.org me.example.org", "Domain": "pi.example.org",
                  "ParentDomain": "example.org"},
        "Rewrite": {"Sender": "relay@example.org", "SenderFromReturnPath": "yes"},
        "Queue": {"RetryFirst": "90s", "RetryLongest": "1d", "Lifetime": "7d"}}
    for lost in ("bounce@example.org", "3600", "id.example.org"):
        assert machine.fate(lost)[0].startswith("no counterpart")


@pytest.mark.parametrize("host", ["localhost", "localhost.localdomain"])
@pytest.mark.parametrize("domain", ["example.org", None])
def test_a_default_host_that_every_machine_is_called_is_no_domain(machine, host, domain):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    machine.file("/etc/nullmailer/defaulthost", f"{host}\n")
    if domain is not None:
        machine.file("/etc/nullmailer/defaultdomain", f"{domain}\n")
    relay = machine.take("nullmailer").get("Relay", {})
    assert "Domain" not in relay and relay.get("ParentDomain") == domain


def test_what_nullmailer_does_to_senders_and_short_names_goes_on(machine):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n").file("/etc/nullmailer/defaultdomain", "example.org\n")
    taken = machine.take("nullmailer")
    assert taken["Relay"] == {"ParentDomain": "example.org"} and taken["Rewrite"] == {"SenderFromReturnPath": "yes"}
    assert machine.fate("example.org") == ["taken: [Relay] ParentDomain=example.org"]
    assert "SenderFromReturnPath=yes" in machine.fate("Return-Path:")[0]


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
    assert machine.take("nullmailer")["Smarthost"] == {"Host": "smtp.example.org", **expected}


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
    assert [group["Host"] for name, group in taken.items() if name.startswith("Smarthost")] == ["one.example.org", "two.example.org", "::1"]
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


def test_without_a_relay_the_queue_stays(machine, bus):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    queue(machine, **{name: "a@example.org\nb@example.net\n\nSubject: x\n\n" for name in ("1.1", "2.2")})
    machine.run("nullmailer", "--queue", status=5)
    assert waiting(machine) == ["1.1", "2.2"]
    told = machine.run("nullmailer", "--queue", bus=bus, status=5)  # is not asked for each message anew
    assert told.count("does not run") == 1 and "0 of 2" in told
    assert waiting(machine) == ["1.1", "2.2"]


def test_what_is_no_message_of_nullmailers_stays(machine, relay):
    machine.file("/etc/nullmailer/remotes", "smtp.example.org smtp\n")
    queue(machine, **{"1.1": "", "2.2": "a@example.org\n\nSubject: to nobody\n\n"})
    for name, line in (("3.3", b"a\xff@example.org\nb@example.net"), ("4.4", b"a@example.org\nb\xff@example.net")):
        machine.file(f"/var/spool/nullmailer/queue/{name}", "")
        (machine.root / f"var/spool/nullmailer/queue/{name}").write_bytes(line + b"\n\nSubject: x\n\n")
    told = machine.run("nullmailer", "--queue", bus=relay.bus, status=1)
    assert told.count("it is no message of nullmailer's") == 4 and "0 of 4" in told
    assert waiting(machine) == ["1.1", "2.2", "3.3", "4.4"]


# ---- msmtp ----


MSMTP = """# a system-wide configuration
defaults
tls on
tls_trust_file /etc/ssl/certs/ca-certificates.crt
logfile /var/log/msmtp
timeout 30

account freemail
host smtp.freemail.example
port 587
from joe_smith@freemail.example
auth on
user joe.smith
password "%s"

account company
host mail.company.example
tls_starttls off
from *@company.example
auth scram-sha-256
user company12345
passwordeval gpg2 -q -d ~/.msmtp-password.gpg
tls_fingerprint 01:23:45

account second : freemail
from joey@freemail.example

account other : freemail
host other.example
from

account default : freemail
domain pi.example.org
aliases /etc/msmtp-aliases
"""


def test_accounts_of_msmtp(machine):
    machine.file("/etc/msmtprc", MSMTP % SECRET, 0o600)
    machine.file("/etc/msmtp-aliases", "root: admin@example.org\ndefault: all@example.org, more@example.org\n")
    (machine.place / "credentials").mkdir(mode=0o700, parents=True)
    (machine.place / "credentials" / "smarthost-company").write_text("x\n", encoding="utf-8")
    assert machine.take("msmtp") == {
        "Smarthost": {"Host": "smtp.freemail.example", "Port": "587", "TLS": "starttls", "User": "joe.smith",
                      "PasswordCredential": "smarthost"},
        "Relay": {"HostName": "pi.example.org", "AdminAddress": "all@example.org, more@example.org"},
        "Aliases": {"File": "/etc/msmtp-aliases"},
        "Rewrite": {"Sender": "joe_smith@freemail.example", "SenderTable": f"{machine.place}/senders"},
        "Smarthost company": {"Host": "mail.company.example", "Port": "465", "TLS": "implicit", "User": "company12345",
                              "Mechanisms": "SCRAM-SHA-256", "PasswordCredential": "smarthost-company"},
        "Route company": {"Senders": "company.example", "Smarthosts": "company"},
        "Route second": {"Senders": "joey@freemail.example", "Smarthosts": "default"},
        "Route rest": {"Smarthosts": "default"}}
    assert machine.password() == SECRET + "\n"
    assert machine.table("senders") == [("@company.example", "@company.example"),
                                        ("joey@freemail.example", "joey@freemail.example")]
    assert "look here: no program is run for a password" in machine.fate("passwordeval …")[0]
    assert machine.fate("tls_fingerprint 01:23:45")[0].startswith("no counterpart")
    assert machine.fate("timeout 30")[0].startswith("no counterpart")
    assert machine.fate("logfile /var/log/msmtp")[0].startswith("as it is")
    assert machine.fate("account other : freemail")[0].startswith("no counterpart")


def test_a_password_that_has_to_be_put_in_by_hand_is_missed(machine):
    machine.file("/etc/msmtprc", "account default\nhost h.example\nauth on\nuser me\ntls on\n")
    machine.run("msmtp", "--write", status=1)
    assert "key ring" in machine.told and "no password can be read" in machine.told


def test_a_password_that_is_missed_can_be_typed_in(machine):
    machine.file("/etc/msmtprc", "account default\nhost h.example\nauth on\nuser me\ntls on\n")
    with Dialogue([POSTERN, "import", "msmtp", "--write", f"--root={machine.root}", f"--config={machine.place}/postern.conf"],
                  environment()) as terminal:
        terminal.expect(r"Password of me at h.example \(not shown")
        terminal.send(SECRET + "\n")
        assert terminal.end() == 0
        assert "hunter2" not in terminal.shown
    assert machine.password() == SECRET + "\n"


def test_senders_of_msmtp_that_are_patterns(machine):
    machine.file("/etc/msmtprc", "account default\nhost h.example\nfrom %U@oursite.example\nallow_from_override off\n")
    assert machine.take("msmtp") == {"Smarthost": {"Host": "h.example", "Port": "25", "TLS": "none"},
                                     "Relay": {"Domain": "oursite.example"}}


@pytest.mark.parametrize("text", ["", "account\n", "host x\n", "account default\n", "account default : none\n",
                                  "account default\nhost x\nprotocol lmtp\n"])
def test_a_file_of_msmtp_without_an_account_that_can_be_used(machine, text):
    machine.file("/etc/msmtprc", text)
    assert "Smarthost" not in machine.take("msmtp")


# ---- sSMTP ----


def test_ssmtp_with_revaliases(machine):
    machine.file("/etc/mailname", "pi.example.org\n")
    machine.file("/etc/ssmtp/ssmtp.conf", f"""# Config file for sSMTP sendmail
root=postmaster
mailhub=smtp.example.org:587
rewriteDomain=example.org
hostname=pi.example.org
FromLineOverride=YES
UseTLS=YES
UseSTARTTLS=YES
AuthUser = me@example.org
AuthPass={SECRET}
AuthMethod=cram-md5
TLS_CA_File=/nowhere.pem
Whatever=hunter2
""", 0o640)
    machine.file("/etc/ssmtp/revaliases", "# local:outgoing:mailhub\nroot:alerts@example.org:smtp.example.org:587\n"
                                          "backup:backup@example.net:mail.example.net\n")
    taken = machine.take("ssmtp")
    assert taken["Smarthost"] == {
        "Host": "smtp.example.org", "Port": "587", "TLS": "starttls", "User": "me@example.org", "Mechanisms": "CRAM-MD5",
        "PasswordCredential": "smarthost"}
    assert taken["Relay"] == {"Domain": "example.org", "HostName": "pi.example.org",
                              "AdminAddress": "postmaster@example.org"}
    assert taken["Smarthost backup"]["Host"] == "mail.example.net" and taken["Smarthost backup"]["Port"] == "25"
    assert taken["Route backup"] == {"Users": "backup", "Smarthosts": "backup"}
    assert taken["Route rest"] == {"Smarthosts": "default"}
    assert machine.table("senders") == [("root", "alerts@example.org"), ("backup", "backup@example.net")]
    assert machine.password() == SECRET + "\n"
    assert "certificate is checked now" in machine.told
    assert machine.fate("Whatever")[0].startswith("no counterpart")


@pytest.mark.parametrize("text, tls, port", [("mailhub=h.example", "none", "25"),
                                             ("mailhub=h.example:465\nUseTLS=Yes", "implicit", "465"),
                                             ("MAILHUB h.example 2525\nUseSTARTTLS=yes", "starttls", "2525")])
def test_tls_of_ssmtp(machine, text, tls, port):
    machine.file("/etc/ssmtp/ssmtp.conf", text + "\n")
    assert machine.take("ssmtp")["Smarthost"] == {"Host": "h.example", "Port": port, "TLS": tls}


def test_the_file_that_the_package_of_ssmtp_writes(machine):
    machine.file("/etc/mailname", "pi.example.org\n")
    machine.file("/etc/ssmtp/ssmtp.conf", """#
# Config file for sSMTP sendmail
#
# The person who gets all mail for userids < 1000
# Make this empty to disable rewriting.
root=postmaster

# The place where the mail goes. The actual machine name is required no
# MX records are consulted. Commonly mailhosts are named mail.domain.com
mailhub=mail

# Where will the mail seem to come from?
#rewriteDomain=

# The full hostname
hostname=pi.example.org

# Are users allowed to set their own From: address?
# YES - Allow the user to specify their own From: address
# NO - Use the system generated From: address
#FromLineOverride=YES
""")
    machine.file("/etc/ssmtp/revaliases", "# sSMTP aliases\n")
    assert machine.take("ssmtp") == {
        "Smarthost": {"Host": "mail", "Port": "25", "TLS": "none"},
        "Relay": {"HostName": "pi.example.org", "AdminAddress": "postmaster@pi.example.org"}}


# ---- dma ----


def test_dma_with_a_login(machine):
    machine.file("/etc/mailname", "pi.example.org\n")
    machine.file("/etc/dma/dma.conf", """SMARTHOST smtp.example.org
PORT 587
ALIASES /etc/dma/aliases
SPOOLDIR /var/spool/dma
AUTHPATH /etc/dma/auth.conf
SECURETRANSFER
STARTTLS
#OPPORTUNISTIC_TLS
FULLBOUNCE
FINGERPRINT 1234
MAILNAME /etc/mailname
MASQUERADE herb@
""")
    machine.file("/etc/dma/auth.conf", f"# c\nother|elsewhere.example:hunter2\nme@example.org|smtp.example.org:{SECRET}\n",
                 0o640)
    machine.file("/etc/dma/aliases", "root: x@example.org\n")
    assert machine.take("dma") == {
        "Smarthost": {"Host": "smtp.example.org", "Port": "587", "TLS": "starttls", "User": "me@example.org",
                      "PasswordCredential": "smarthost"},
        "Rewrite": {"Sender": "herb@pi.example.org"},
        "Aliases": {"File": "/etc/dma/aliases"},
        "Delivery": {"NoticeContent": "128M"}}
    assert machine.password() == SECRET + "\n"
    assert machine.fate("FINGERPRINT 1234")[0].startswith("no counterpart")
    assert machine.fate("elsewhere.example")[0].startswith("no counterpart")


@pytest.mark.parametrize("words, tls", [("", "none"), ("SECURETRANSFER", "implicit"), ("SECURETRANSFER\nSTARTTLS", "starttls"),
                                        ("SECURETRANSFER\nSTARTTLS\nOPPORTUNISTIC_TLS", "opportunistic"), ("STARTTLS", "none")])
def test_tls_of_dma(machine, words, tls):
    machine.file("/etc/dma/dma.conf", f"SMARTHOST h.example\n{words}\n")
    assert machine.take("dma") == {"Smarthost": {"Host": "h.example", "Port": "25", "TLS": tls}}


def test_a_null_client_of_dma(machine):
    machine.file("/etc/dma/dma.conf", "SMARTHOST h.example\nNULLCLIENT\nINSECURE\nMASQUERADE example.net\nMAILNAME pi.example.org\n")
    taken = machine.take("dma")
    assert taken["Aliases"] == {"File": "none"} and taken["Smarthost"]["AuthWithoutTLS"] == "yes"
    assert taken["Relay"] == {"HostName": "pi.example.org", "Domain": "example.net"}


def test_dma_without_a_smarthost(machine):
    machine.file("/etc/dma/dma.conf", "#SMARTHOST\nMAILNAME /etc/mailname\n")
    machine.run("dma", "--write", status=0)
    assert "recipients' servers" in machine.told


def test_two_mail_systems_are_one_too_many(machine):
    machine.file("/etc/dma/dma.conf", "SMARTHOST h.example\n").file("/etc/msmtprc", "account default\nhost x\n")
    assert "more than one" in machine.run("auto", status=1)


# ---- Postfix ----


def test_postfix_as_a_null_client(machine):
    machine.file("/etc/postfix/main.cf", """# a null client
myhostname = pi.example.org
mydomain = example.org
myorigin = $mydomain
mydestination = $myhostname, localhost.$mydomain,
    localhost, ${mydomain}
# a comment in between
    alias.example.net
relayhost = [smtp.example.org]:submission
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:$config_directory/sasl_passwd
smtp_sasl_security_options = noanonymous
smtp_sasl_mechanism_filter = plain, login
smtp_tls_security_level = encrypt
smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
smtp_generic_maps = hash:/etc/postfix/generic
sender_canonical_maps = texthash:/etc/postfix/sender_canonical regexp:/etc/postfix/sender_regexp
masquerade_domains = !lab.example.org example.org
masquerade_exceptions = root
virtual_alias_maps = hash:/etc/postfix/virtual
alias_maps = hash:/etc/postfix/aliases
alias_database = $alias_maps
luser_relay = admin@example.org
message_size_limit = 20480000
maximal_queue_lifetime = 3d
delay_warning_time = 2h
minimal_backoff_time = 300s
maximal_backoff_time = 2h
smtp_connect_timeout = 20
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128 192.0.2.0/24
inet_interfaces = loopback-only
smtpd_milters = unix:/run/opendkim
frobnicate = yes
""")
    machine.file("/etc/postfix/sasl_passwd", f"other.example hunter2:hunter2\n[smtp.example.org]:submission\tme@example.org:{SECRET}\n",
                 0o600)
    machine.file("/etc/postfix/generic", "root@pi.example.org  alerts@example.org\n@pi.example.org\n\t@example.org\n"
                                         "root@sender.example.org x@example.org\n")
    machine.file("/etc/postfix/sender_canonical", "root@sender.example.org first@example.org\n")
    machine.file("/etc/postfix/virtual", "two@example.org a@example.org, b@example.org\nexample.net anything\n"
                                         "one@example.org a@example.org\n")
    assert machine.take("postfix") == {
        "Smarthost": {"Host": "smtp.example.org", "Port": "587", "TLS": "starttls", "User": "me@example.org",
                      "Mechanisms": "PLAIN LOGIN", "PasswordCredential": "smarthost"},
        "Relay": {"HostName": "pi.example.org", "Domain": "example.org",
                  "LocalDomains": "localhost.example.org example.org alias.example.net", "AdminAddress": "admin@example.org"},
        "Aliases": {"File": "/etc/postfix/aliases"},
        "Server": {"MaxMessageSize": "20480000", "TrustedNetworks": "127.0.0.0/8 ::1/128 192.0.2.0/24"},
        "Queue": {"Lifetime": "3d", "DelayNotice": "2h", "RetryFirst": "5min", "RetryLongest": "2h"},
        "Delivery": {"ConnectTimeout": "20s"},
        "Rewrite": {"SenderTable": f"{machine.place}/senders", "RecipientTable": f"{machine.place}/recipients",
                    "Masquerade": "!lab.example.org example.org", "MasqueradeExcept": "root"}}
    assert machine.password() == SECRET + "\n"
    assert machine.table("senders") == [
        ("root@sender.example.org", "first@example.org"), ("root@pi.example.org", "alerts@example.org"),
        ("@pi.example.org", "@example.org")]
    assert machine.table("recipients") == [
        ("one@example.org", "a@example.org"), ("root@pi.example.org", "alerts@example.org"), ("@pi.example.org", "@example.org"),
        ("root@sender.example.org", "x@example.org")]
    for lost in ("two@example.org", "example.net", "smtpd_milters = unix:/run/opendkim", "frobnicate = yes"):
        assert machine.fate(lost)[0].startswith("no counterpart")
    assert "“regexp” cannot be imported" in machine.told


@pytest.mark.parametrize("settings, domain", [
    ("append_dot_mydomain = yes\nmydomain = example.net", "example.net"), ("append_dot_mydomain = yes", "example.org"),
    ("append_dot_mydomain = no", None), ("mydomain = example.net", None)])
def test_short_names_of_hosts_of_postfix(machine, settings, domain):
    machine.file("/etc/postfix/main.cf", f"relayhost = [h.example]\nmyhostname = pi.example.org\n{settings}\n")
    assert machine.take("postfix")["Relay"].get("ParentDomain") == domain


@pytest.mark.parametrize("settings, tls", [
    ("", "none"), ("smtp_tls_security_level = none", "none"), ("smtp_use_tls = yes", "opportunistic"),
    ("smtp_tls_security_level = may", "opportunistic"), ("smtp_tls_security_level = encrypt", "starttls"),
    ("smtp_tls_security_level = secure", "starttls"), ("smtp_enforce_tls = yes", "starttls"),
    ("smtp_tls_security_level = encrypt\nsmtp_tls_wrappermode = yes", "implicit"),
    ("smtp_use_tls = yes\nsmtp_tls_security_level =\nsmtp_use_tls = no", "none")])
def test_tls_of_postfix(machine, settings, tls):
    machine.file("/etc/postfix/main.cf", f"relayhost = [h.example]\n{settings}\n")
    assert machine.take("postfix")["Smarthost"] == {"Host": "h.example", "Port": "25", "TLS": tls}


@pytest.mark.parametrize("relayhost, host, port", [
    ("[h.example]", "h.example", "25"), ("[h.example]:587", "h.example", "587"), ("h.example:26", "h.example", "26"),
    ("[192.0.2.1]", "192.0.2.1", "25"), ("[IPv6:2001:db8::1]:465", "2001:db8::1", "465"),
    ("[2001:db8::1]", "2001:db8::1", "25"), ("[$a.${b}.$(c)${d?}${d:.example}]:${e?{587}}", "a.b.c.example", "587")])
def test_relayhosts_of_postfix(machine, relayhost, host, port):
    machine.file("/etc/postfix/main.cf", f"a = a\nb = b\nc = c\ne = $$\nrelayhost = {relayhost}\n")
    taken = machine.take("postfix")
    assert taken["Smarthost"] == {"Host": host, "Port": port, "TLS": "none"}
    assert ("mail exchangers" in machine.told) == (not relayhost.startswith("["))


def test_servers_by_sender_and_recipient_of_postfix(machine):
    machine.file("/etc/postfix/main.cf", """relayhost = [main.example]:587
smtp_tls_security_level = encrypt
smtp_sasl_auth_enable = yes
smtp_sender_dependent_authentication = yes
smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd
sender_dependent_relayhost_maps = hash:/etc/postfix/relayhosts
transport_maps = hash:/etc/postfix/transport
""")
    machine.file("/etc/postfix/sasl_passwd", "[main.example]:587 main:hunter2\nwork@example.org work:hunter2-work\n"
                                             "two@example.org two:hunter2-two\n", 0o600)
    machine.file("/etc/postfix/relayhosts", "work@example.org [work.example]:587\n@club.example [main.example]:587\n")
    machine.file("/etc/postfix/transport", "inside.example smtp:[inside.example]:25\n.lab.example relay:[main.example]:587\n"
                                           "void.example discard:\nnews.example uucp:news\n")
    taken = machine.take("postfix")
    assert {name: (group.get("Host"), group.get("User")) for name, group in taken.items() if name.startswith("Smarthost")} == {
        "Smarthost": ("main.example", "main"), "Smarthost work-example.org": ("work.example", "work"),
        "Smarthost two-example.org": ("main.example", "two"), "Smarthost inside.example": ("inside.example", None)}
    routes = [(group, tuple(keys.items())) for group, keys in taken.items() if group.startswith("Route")]
    assert routes == [
        ("Route work-example.org", (("Senders", "work@example.org"), ("Smarthosts", "work-example.org"))),
        ("Route club.example", (("Senders", "club.example"), ("Smarthosts", "default"))),
        ("Route two-example.org", (("Senders", "two@example.org"), ("Smarthosts", "two-example.org"))),
        ("Route inside.example", (("Recipients", "inside.example"), ("Smarthosts", "inside.example"))),
        ("Route -.lab.example", (("Recipients", "*.lab.example"), ("Smarthosts", "default"))),
        ("Route void.example", (("Recipients", "void.example"), ("Action", "discard"))),
        ("Route rest", (("Smarthosts", "default"),))]
    assert machine.password("smarthost-work-example.org") == "hunter2-work\n"
    assert machine.fate("news.example")[0].startswith("no counterpart")


def test_a_password_in_main_cf_is_not_shown(machine):
    machine.file("/etc/postfix/main.cf", "relayhost = [h.example]\nsmtp_sasl_auth_enable = yes\nsmtp_tls_security_level = encrypt\n"
                                         "smtp_sasl_password_maps = static:me:wrong-hunter2\n"
                                         f"smtp_sasl_password_maps = hash:/gone static:{{me:{SECRET}}} inline:{{hunter2}}\n")
    assert machine.take("postfix")["Smarthost"]["User"] == "me"
    assert machine.password() == SECRET + "\n"


def test_the_file_that_the_package_of_postfix_writes(machine):
    machine.file("/etc/mailname", "pi.example.org\n")
    machine.file("/etc/postfix/main.cf", """# See /usr/share/postfix/main.cf.dist for a commented, more complete version

# Debian specific:  Specifying a file name will cause the first
# line of that file to be used as the name.  The Debian default
# is /etc/mailname.
#myorigin = /etc/mailname

smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no

# appending .domain is the MUA's job.
append_dot_mydomain = no

readme_directory = no
compatibility_level = 3.6

# TLS parameters
smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem
smtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key
smtpd_tls_security_level=may

smtp_tls_CApath=/etc/ssl/certs
smtp_tls_security_level=may
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache

smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = pi.example.org
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
myorigin = /etc/mailname
mydestination = $myhostname, pi, localhost.localdomain, , localhost
relayhost = smtp.example.org
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = loopback-only
inet_protocols = all
""")
    assert machine.take("postfix") == {
        "Smarthost": {"Host": "smtp.example.org", "Port": "25", "TLS": "opportunistic"},
        "Relay": {"HostName": "pi.example.org", "LocalDomains": "pi"}}
    assert "set AdminAddress=" in machine.told


def test_names_of_postfix_that_lead_in_a_circle(machine):
    machine.file("/etc/postfix/main.cf", "a = $b$b\nb = $a$a\nrelayhost = [h.example]\nmyorigin = $a\n  \nno equals sign\n")
    assert machine.take("postfix")["Smarthost"]["Host"] == "h.example"
