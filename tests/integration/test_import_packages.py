# SPDX-License-Identifier: GPL-3.0-or-later
"""`postern import` on the configurations that Debian's packages of other mail systems ship.

The packages are downloaded by apt and unpacked, not installed; without a mirror these tests are skipped.
"""

import email
import shutil
import subprocess

import pytest

from relay import environment
from test_import import Machine

PACKAGES = ["msmtp", "dma", "ssmtp", "postfix", "nullmailer"]


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """A folder with each package unpacked in a folder of its name."""
    folder = tmp_path_factory.mktemp("packages")
    done = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *PACKAGES], cwd=folder,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"the packages cannot be downloaded: {done.stderr.strip()[-200:]}")
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder / package.name.split("_")[0]], check=True)
    return folder


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def put(machine, source, path):
    real = machine.root / path.lstrip("/")
    real.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, real)


def test_the_sample_of_msmtp_for_a_system(machine, packages):
    put(machine, packages / "msmtp/usr/share/doc/msmtp/examples/msmtprc-system.example", "/etc/msmtprc")
    assert machine.take("msmtp") == {
        "Smarthost": {"Host": "mail.oursite.example", "Port": "465", "TLS": "implicit"},
        "Relay": {"Domain": "oursite.example"}}


def test_the_sample_of_msmtp_for_a_user(machine, packages):
    put(machine, packages / "msmtp/usr/share/doc/msmtp/examples/msmtprc-user.example", "/root/.msmtprc")
    (machine.place / "credentials").mkdir(mode=0o700, parents=True)
    for name in ("smarthost", "smarthost-company"):
        (machine.place / "credentials" / name).write_text("x\n", encoding="utf-8")
    taken = machine.take("msmtp", "--file=/root/.msmtprc")
    assert taken["Smarthost"] == {"Host": "smtp.freemail.example", "Port": "587", "TLS": "starttls", "User": "joe.smith",
                                  "PasswordCredential": "smarthost"}
    assert taken["Smarthost company"]["Host"] == "mail.company.example"
    assert taken["Route freemail2"] == {"Senders": "joey@freemail.example", "Smarthosts": "default"}
    assert taken["Rewrite"]["Sender"] == "joe_smith@freemail.example"


def test_the_sample_of_dma(machine, packages):
    put(machine, packages / "dma/usr/share/dma/dma.conf", "/etc/dma/dma.conf")
    put(machine, packages / "dma/etc/dma/auth.conf", "/etc/dma/auth.conf")
    machine.file("/etc/mailname", "pi.example.org\n")
    assert machine.take("dma") == {}, "all of it is the default"
    assert "no smarthost" in machine.told


def test_the_sample_of_ssmtp(machine, packages):
    put(machine, packages / "ssmtp/etc/ssmtp/revaliases", "/etc/ssmtp/revaliases")
    machine.file("/etc/ssmtp/ssmtp.conf", "mailhub=mail\n")
    assert machine.take("ssmtp") == {"Smarthost": {"Host": "mail", "Port": "25", "TLS": "none"}}


def test_the_samples_of_postfix(machine, packages):
    samples = packages / "postfix/usr/share/postfix"
    text = (samples / "main.cf.debian").read_text(encoding="utf-8") + (samples / "main.cf.tls").read_text(encoding="utf-8")
    machine.file("/etc/postfix/main.cf", text + "relayhost = [smtp.example.org]\n")
    assert machine.take("postfix")["Smarthost"]["Host"] == "smtp.example.org"


def test_the_long_sample_of_postfix(machine, packages):
    put(machine, packages / "postfix/usr/share/postfix/main.cf.dist", "/etc/postfix/main.cf")
    machine.take("postfix")
    assert "there is nothing like it" not in machine.told


def test_the_empty_folder_of_nullmailer_is_nothing_to_import(machine, packages):
    shutil.copytree(packages / "nullmailer/etc/nullmailer", machine.root / "etc/nullmailer")
    assert "none of the mail systems" in machine.run("auto", status=1)
    assert machine.take("nullmailer") == {"Rewrite": {"SenderFromReturnPath": "yes"}}


MESSAGES = [
    ([], "To: a@host, b@x.example\nCc: <c@other> (a host)\n"),
    ([], "To: a@x.example\nReturn-Path: bounces@host\n"),
    ([], "To: a@x.example\nReturn-Path: one@x.example\nReturn-Path: two@x.example\n"),
    ([], "To: a@x.example\nReturn-Path: one@x.example\nReturn-Path: two@x.example, three@x.example\n"),
    ([], "To: a@x.example\nReturn-Path:\n"),
    ([], "To: a@x.example\nReturn-Path: Bounces <bounces> (all)\n"),
    (["-f", "given@host"], "To: a@x.example\nReturn-Path: bounces@x.example\n"),
    ([], "To: a@x.example\nReturn-Path: bounces@x.example\nResent-To: b@host\n"),
    ([], "To: a@x.example\nResent-To: b@host\nReturn-Path: bounces@x.example\n")]


@pytest.mark.parametrize("arguments, header", MESSAGES)
def test_envelopes_are_those_of_nullmailer(machine, packages, make_relay, receiver, arguments, header):
    """What nullmailer-inject makes of a message, and what the relay does that has its configuration."""
    controls = {"defaultdomain": "lab.example.org", "defaulthost": "pi.example.org"}
    for name, value in controls.items():
        machine.file(f"/etc/nullmailer/{name}", f"{value}\n")
    message = header + "From: root\nSubject: x\n\nhello\n"
    told = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c",
         'mount -t tmpfs none /etc && mkdir /etc/nullmailer && mount --bind "$0" /etc/nullmailer && exec "$@"',
         machine.root / "etc/nullmailer", packages / "nullmailer/usr/bin/nullmailer-inject", "-n", "-v", *arguments],
        input=message, capture_output=True, text=True, check=True, env=environment(NULLMAILER_USER="shop")).stdout
    sender, *recipients = told.partition("\n\n")[0].splitlines()
    taken = machine.take("nullmailer")
    relay = make_relay(receiver, {group: taken[group] for group in ("Relay", "Rewrite")})
    relay.sendmail("-t", *arguments, message=message, variables={"NULLMAILER_USER": "shop"})
    got = receiver.wait_messages(1)[0]
    assert (got.sender, got.recipients) == (sender, recipients)
    for field in ("To", "Cc", "From"):
        assert email.message_from_bytes(got.content)[field] == email.message_from_string(told.partition("\n\n")[2])[field]
