# SPDX-License-Identifier: GPL-3.0-or-later
"""An administrator's way with the Debian package and apt: from the installation to the purge, and from nullmailer.

The machine has mail(1) and other programs that send mail, and a mail system that Postern replaces.
"""

import shutil
import subprocess

import pytest

import mail
from examples import of_manual
from gate import Gate
from layers import root_above
from machine import Machine
from network import WORLD_NAME
from package import packages
from programs import NULLMAILER, REPOSITORY, STAND_IN, programs_layer
from root import scratch_folder

PASSWORD = "a password that nobody guesses"
USER = "me@example.org"
AUTHORITY = "/etc/ssl/authority.pem"
QUEUE = "/var/spool/nullmailer/queue"


@pytest.fixture(scope="module")
def machine(certificates):
    with Machine([programs_layer()]) as booted:
        shutil.copy(packages() / "postern.deb", booted.path("/root/postern.deb"))
        booted.write(AUTHORITY, certificates.authority[0].read_text(encoding="ascii"))
        booted.shell("rm -r /etc/apt/sources.list /var/lib/apt/lists/*")  # what they name cannot be reached
        yield booted


def apt(machine, *arguments):
    return machine.run("apt-get", "-q", "-y", "--no-install-recommends", *arguments,
                       environment={"DEBIAN_FRONTEND": "noninteractive"}).stdout


@pytest.fixture
def gate(machine):
    """The machine without Postern and nullmailer, and with the mail system that is none."""
    apt(machine, "install", f"{REPOSITORY}/{STAND_IN}_2_all.deb")
    machine.run("dpkg", "--purge", "postern", "nullmailer")
    machine.run("rm", "-rf", "/var/spool/nullmailer")
    return Gate(machine)


@pytest.fixture
def provider(make_receiver, certificates):
    """A provider with TLS and a login, which is not up yet."""
    return make_receiver(up=False, tls="starttls", require_tls=True, certificate=certificates.world, users={USER: PASSWORD})


def test_from_the_installation_to_the_purge(gate, provider):
    machine = gate.machine
    provider.start()
    told = apt(machine, "install", "/root/postern.deb")
    assert "nullmailer" not in told
    assert "keeps it until “postern setup” is told where it goes" in told
    assert machine.run("cat", "/etc/postern/postern.conf").stdout == (machine.path("/usr/share/postern/postern.conf")
                                                                      .read_text(encoding="utf-8"))
    gate.postern("setup", f"--smarthost={WORLD_NAME}:{provider.port}", "--tls=starttls", f"--trust-file={AUTHORITY}",
                 f"--user={USER}", "--password-file=-", f"--admin={USER}", input=PASSWORD + "\n")
    machine.shell("echo hello | mail -s test root", user="alice")
    received = provider.wait_messages(1)[0]
    assert received.tls and received.user == USER
    assert (received.sender, received.recipients) == ("alice@gate.example.org", [USER])
    message = mail.parse(received)
    assert message["Subject"] == "test" and message.get_content().strip() == "hello"

    apt(machine, "--purge", "install", f"{REPOSITORY}/{STAND_IN}_2_all.deb")
    left = machine.shell("find / -xdev -iname '*postern*' -not -path '/proc/*' -not -path '/root/*' -not -path '/sys/*'"
                         " -not -path '/tmp/*' -not -path '/run/systemd/*'")
    assert left == ""
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout == ""


def install_nullmailer(machine, provider):
    """As it is after years of use: with two messages that wait for a remote that was away, and is there again."""
    began = machine.journal.mark()
    apt(machine, "install", NULLMAILER)
    machine.write("/etc/nullmailer/remotes", f"{WORLD_NAME} smtp --port={provider.port} --starttls --user={USER} "
                  f"--pass='{PASSWORD}' --x509cafile={AUTHORITY}\n", mode=0o600)
    machine.write("/etc/nullmailer/adminaddr", "admin@example.org\n")
    machine.write("/etc/nullmailer/pausetime", "3600\n")  # it must not try again while we look
    machine.run("chown", "mail:mail", "/etc/nullmailer/remotes")
    machine.run("systemctl", "restart", "nullmailer")
    machine.run("sendmail", "you@example.net", input="Subject: one\n\nhello\n", user="alice")
    machine.run("sendmail", "-f", USER, "they@example.net", input="Subject: two\n\n.\n", user="alice")
    assert len(machine.run("ls", QUEUE).stdout.split()) == 2
    machine.journal.wait("Delivery complete, 2 message", since=began)
    provider.start()


def test_nullmailer_gives_way_and_its_configuration_and_queue_are_imported(gate, provider):
    machine = gate.machine
    install_nullmailer(machine, provider)
    machine.write(f"{QUEUE}/damaged", "this is no message\n")
    told = apt(machine, "install", "/root/postern.deb")
    assert "2 of 3 messages" in told and "damaged stays where it is" in told and "is left in" in told
    assert PASSWORD not in told and "The configuration is good" in told
    assert "/etc/nullmailer/remotes still holds nullmailer's password" in told and "postern setup" not in told
    assert machine.run("ls", QUEUE).stdout == "damaged\n"
    assert machine.run("stat", "-c", "%U:%G %a", "/etc/postern/credentials/smarthost").stdout == "root:root 600\n"
    assert PASSWORD not in machine.run("cat", "/etc/postern/postern.conf").stdout
    received = sorted(provider.wait_messages(2), key=lambda one: one.recipients)
    assert [(one.sender, one.recipients) for one in received] == [(USER, ["they@example.net"]),
                                                                  ("alice@gate.example.org", ["you@example.net"])]
    assert [one.user for one in received] == [USER, USER] and all(one.tls for one in received)

    apt(machine, "purge", "nullmailer")  # which takes nothing that is needed
    machine.run("systemctl", "restart", "postern")
    machine.run("sendmail", "root", input="Subject: three\n\nhello\n")
    assert provider.wait_messages(3)[2].recipients == ["admin@example.org"]


def test_what_an_administrator_has_said_counts_more_than_what_nullmailer_said(gate, provider):
    machine = gate.machine
    install_nullmailer(machine, provider)
    machine.write("/etc/nullmailer/remotes", f"{WORLD_NAME} smtp --port={provider.port} --user=other --pass=old\n", mode=0o600)
    machine.write("/etc/postern/credentials/mine", PASSWORD + "\n", mode=0o600)  # as configuration management does
    gate.send_to(provider, Smarthost={"Host": WORLD_NAME, "TrustFile": AUTHORITY, "User": USER,
                                      "PasswordCredential": "mine"})
    before = machine.run("cat", "/etc/postern/postern.conf").stdout
    told = apt(machine, "install", "/root/postern.deb")
    assert "2 of 2 messages" in told and "taken" not in told
    assert machine.run("cat", "/etc/postern/postern.conf").stdout == before
    assert machine.run("ls", "/etc/postern/credentials").stdout == "mine\n"
    assert [one.user for one in provider.wait_messages(2)] == [USER, USER]


class Image:
    """A Debian root that does not run, with nullmailer's package and Postern's in it."""

    def __init__(self, root):
        self.root = root
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.copy(programs_layer() / NULLMAILER.lstrip("/"), root / "root/nullmailer.deb")
        shutil.copy(packages() / "postern.deb", root / "root/postern.deb")

    def dpkg(self, *arguments):
        command = ["chroot", self.root, "env", "DEBIAN_FRONTEND=noninteractive", "dpkg", *arguments]
        done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def path(self, path):
        return self.root / path.lstrip("/")

    def replace_nullmailer(self, remotes):
        """Replaces one that has a message in its queue; returns what was told."""
        self.dpkg("--install", "/root/nullmailer.deb")
        self.path("/etc/nullmailer/remotes").write_text(remotes, encoding="ascii")
        self.path(f"{QUEUE}/1.1").write_text("a@example.org\nb@example.net\n\nSubject: test\n\n", encoding="ascii")
        self.dpkg("--remove", "nullmailer")
        return self.dpkg("--install", "/root/postern.deb")


@pytest.fixture
def image():
    with scratch_folder("image") as upper, scratch_folder("image") as scratch:
        upper.chmod(0o755)
        with root_above(upper, scratch) as root:
            yield Image(root)


def test_in_an_image_that_does_not_run_nullmailers_queue_waits(image):
    told = image.replace_nullmailer(f"smtp.example.org smtp --starttls --user={USER} --pass='{PASSWORD}'\n")
    assert f"What is left in {QUEUE} stays there" in told and PASSWORD not in told
    assert "Host=smtp.example.org" in image.path("/etc/postern/postern.conf").read_text(encoding="utf-8")
    assert image.path("/etc/postern/credentials/smarthost").read_text(encoding="utf-8") == PASSWORD + "\n"
    assert image.path(f"{QUEUE}/1.1").exists()
    assert image.path("/etc/systemd/system/sockets.target.wants/postern.socket").is_symlink()
    assert "taken" not in image.dpkg("--install", "/root/postern.deb")  # that was it


def test_what_is_missing_in_nullmailers_configuration_keeps_no_program_waiting(image):
    """With it the relay would not start: the password is somewhere else."""
    told = image.replace_nullmailer(f"smtp.example.org smtp --starttls --user={USER}\n")
    assert "no password" in told and "mail is accepted and waits" in told
    sample, used, aside = (image.path(path).read_text(encoding="utf-8") for path in (
        "/usr/share/postern/postern.conf", "/etc/postern/postern.conf", "/etc/postern/postern.conf.nullmailer"))
    assert used == sample and "Host=smtp.example.org" in aside


@pytest.mark.long
def test_moving_from_nullmailer_by_hand(gate, provider, installed):
    """As postern(1) says. It is the last test on its machine, which is strewn with files of no package then."""
    machine = gate.machine

    def meson_install():
        """A postern.conf that is there stays, so that the sample can be left out."""
        with subprocess.Popen(["tar", "-C", installed, "--exclude=./etc/postern/postern.conf", "-c", "."],
                              stdout=subprocess.PIPE) as packed:
            subprocess.run(machine.command("tar", "-C", "/", "-x", "--keep-directory-symlink"), stdin=packed.stdout, check=True)

    lines = of_manual("postern.1", "EXAMPLES")
    script = "".join(f"{line}\n" for line in lines[lines.index("postern import nullmailer --write"):
                                                   lines.index("postern import nullmailer --queue") + 1])
    before, after = script.replace("apt-get", "apt-get -q -y").split("meson install -C build-release\n")

    install_nullmailer(machine, provider)
    meson_install()
    machine.shell("systemd-sysusers && systemd-tmpfiles --create postern.conf && systemctl daemon-reload")
    machine.shell(before)
    meson_install()
    told = machine.shell(after)
    assert "2 of 2 messages" in told
    assert [one.user for one in provider.wait_messages(2)] == [USER, USER]
    machine.run("sendmail", "root", input="Subject: three\n\nhello\n")
    assert provider.wait_messages(3)[2].recipients == ["admin@example.org"]
