# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail servers that others wrote, in the world at the other end of the cable: Postfix, Exim, OpenSMTPD, chasquid and
Nodemailer's smtp-server. Each takes mail for every address and keeps it in a maildir.

They do the same to the same mail, each in its own way and words, so that one test is for all of them:

    USERS, in server.domain and in the domain bücher below it, are known, nobody@… is not; what is said of verbose@… is
    longer than RFC 5321 lets a reply be
    a message with FORBIDDEN in its body is refused, as by a content filter
    server.limit recipients are taken in one transaction, not more
    SIZE_LIMIT octets are taken, not more

Some listen on a second port, where the greeting of the client is refused.
"""

import email
import email.policy
import re
import shutil
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from layers import root_above
from network import MACHINE_ADDRESS, WORLD_ADDRESS, in_namespace
from receiver import PATIENCE_SECONDS
from relay import RawSession
from root import scratch_folder
from servers import NODE_FOLDER

HERE = Path(__file__).resolve().parent

LIMIT = 50
SIZE_LIMIT = 1 << 20
VERBOSE_LINES = 300
VERBOSE_OCTETS = 6000
USERS = ["me", "you", *(f"r{number:03}" for number in range(120))]
UNKNOWN_GREETING = "nobody here knows your name"


class Kept:
    """A message as a server kept it, without the fields that tell of the delivery."""

    def __init__(self, file):
        self.file = file
        raw = re.sub(rb"\r?\n", b"\r\n", file.read_bytes())
        header, separator, body = raw.partition(b"\r\n\r\n")
        fields = re.split(rb"\r\n(?![ \t])", header)
        told = [field for field in fields if re.match(rb"(?i)(Return-Path|Delivered-To|X-Original-To|Envelope-to):", field)]
        values = {name.lower(): value.strip() for name, value in (field.decode().split(":", 1) for field in told)}
        self.sender = values.get("return-path", "").strip("<>")  # OpenSMTPD tells of none for the null sender
        told_recipients = values.get("envelope-to") or values.get("x-original-to") or values.get("delivered-to") or ""
        self.recipients = [address.strip(" <>") for address in re.split(r",\s*", told_recipients) if address]
        self.content = b"\r\n".join(field for field in fields if field not in told) + separator + body
        self.message = email.message_from_bytes(self.content, policy=email.policy.SMTP)


class Server:
    """A server, described. root: the folder that it sees as /."""

    name = None
    port = None
    refusing_port = None  # where it does not like the client's name
    extensions = frozenset()  # of those that a test asks about
    limit = LIMIT  # chasquid's is what it is
    filters_content = True
    is_verbose = False
    copies = True  # one for each recipient in the maildir; else one for all of a transaction

    def __init__(self, root):
        self.root = root
        self.log = root / f"srv/log/{self.name}"
        self.process = None

    @property
    def domain(self):
        return f"{self.name}.example"

    def configure(self, certificates):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def start(self, network, certificates):
        self.log.parent.mkdir(exist_ok=True)
        mailbox = self.root / f"srv/mail/{self.name}"
        for folder in ("cur", "new", "tmp"):
            (mailbox / folder).mkdir(parents=True)
        for folder in (mailbox, *mailbox.iterdir()):
            folder.chmod(0o777)
        self.configure(certificates)
        command = ["setpriv", "--pdeathsig=KILL", "nsenter", f"--net=/run/netns/{network.world}", "unshare", "--mount", "--pid", "--fork",
                   "--kill-child", f"--mount-proc={self.root}/proc", "chroot", self.root, *self.command()]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})
        self.wait(lambda: self.greets(network), "a greeting")

    def greets(self, network):
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.log_text()}"
        try:
            with in_namespace(network.world, lambda: RawSession((WORLD_ADDRESS, self.port))) as session:
                return session.greeting.startswith("220")
        except OSError:
            return False

    def stop(self):
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def log_text(self):
        return self.log.read_text("utf-8", errors="backslashreplace")[-6000:] if self.log.exists() else ""

    def wait(self, condition, what):
        """Waits until condition() holds; returns its value. Nobody tells when a file comes: it looks."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = threading.Event()
        while not (value := condition()):
            assert time.monotonic() < deadline, f"no {what} at {self.name} in {PATIENCE_SECONDS} s; its log:\n{self.log_text()}"
            pause.wait(0.02)
        return value

    def kept(self, text):
        """The messages that have this text in them, a Message-ID for example, in the order in which they came."""
        files = sorted((self.root / f"srv/mail/{self.name}/new").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [Kept(file) for file in files if text.encode() in file.read_bytes()]

    def wait_kept(self, text, count=1):
        """Waits until so many messages with this text are there; returns them all."""
        def enough():
            found = self.kept(text)
            return found if len(found) >= count else None
        return self.wait(enough, f"{count} messages with {text!r}")

    def write(self, path, text, mode=0o644):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def run(self, *command):
        done = subprocess.run(["chroot", self.root, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}"


class Postfix(Server):
    name, port, refusing_port = "postfix", 2501, 2511
    extensions = frozenset(["8BITMIME", "SMTPUTF8", "CHUNKING", "DSN"])

    def configure(self, certificates):
        self.write("/etc/postfix/main.cf", f"""
compatibility_level = 3.6
myhostname = {self.domain}
mydestination =
mynetworks = 127.0.0.1
inet_interfaces = {WORLD_ADDRESS}
inet_protocols = ipv4
maillog_file = /dev/stdout
alias_maps =
local_recipient_maps =
smtpd_peername_lookup = no
smtpd_forbid_bare_newline = yes
smtpd_recipient_limit = {LIMIT}
message_size_limit = {SIZE_LIMIT}
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:{self.name}/
virtual_mailbox_base = /srv/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
virtual_destination_recipient_limit = 1
smtpd_relay_restrictions = check_recipient_access regexp:/etc/postfix/recipients, reject_unauth_destination
body_checks = regexp:/etc/postfix/body
""")
        self.write("/etc/postfix/recipients", "/^nobody@/ 550 5.1.1 no such user\n")
        self.write("/etc/postfix/body", "/FORBIDDEN/ REJECT 5.7.1 what a word\n")
        self.write("/etc/postfix/master.cf", f"""
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
{self.port} inet n - n - - smtpd
{self.refusing_port} inet n - n - - smtpd
  -o smtpd_delay_reject=no
  -o {{smtpd_helo_restrictions=check_helo_access static:{{550 5.7.1 {UNKNOWN_GREETING}}}}}
""")
        self.run("chown", "postfix:", "/var/lib/postfix")

    def command(self):
        return ["postfix", "start-fg"]


class Exim(Server):
    name, port, refusing_port = "exim", 2502, 2512
    extensions = frozenset(["8BITMIME", "CHUNKING", "SMTPUTF8"])
    copies = False
    is_verbose = True

    def configure(self, certificates):
        verbose = "\\n5.1.1 and none of that name" * (VERBOSE_LINES - 1)
        self.write("/etc/exim4/exim4.conf", f"""
primary_hostname = {self.domain}
local_interfaces = {WORLD_ADDRESS}
daemon_smtp_ports = {self.port} : {self.refusing_port}
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
recipients_max = {LIMIT}
message_body_visible = 100K
smtp_accept_queue_per_connection = 0
message_size_limit = {SIZE_LIMIT}
log_file_path = /srv/log/{self.name}.%s
acl_smtp_helo = greeting
acl_smtp_rcpt = recipient
acl_smtp_data = content
begin acl
greeting:
  deny condition = ${{if eq{{$received_port}}{{{self.refusing_port}}}}}
       message = 5.7.1 {UNKNOWN_GREETING}
  accept
recipient:
  deny local_parts = nobody
       message = 5.1.1 no such user
  deny local_parts = verbose
       message = 5.1.1 no such user{verbose}
  accept
content:
  deny condition = ${{if match{{$message_body}}{{FORBIDDEN}}}}
       message = 5.7.1 what a word
  accept
begin routers
box:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = /srv/mail/{self.name}
  maildir_format
  return_path_add
  envelope_to_add
  batch_max = {LIMIT}
  user = Debian-exim
  mode = 0644
""", mode=0o600)
        for folder in ("var/spool/exim4", "srv/log"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            (self.root / folder).chmod(0o777)
        self.run("chown", "-R", "Debian-exim:", "/var/spool/exim4")

    def command(self):
        return ["exim4", "-bdf"]

    def log_text(self):
        return super().log_text() + "".join(file.read_text("utf-8")[-4000:] for file in self.log.parent.glob(f"{self.name}.*"))


class OpenSMTPD(Server):
    name, port, refusing_port = "opensmtpd", 2503, 2513
    extensions = frozenset(["8BITMIME", "DSN"])
    filters_content = False

    def configure(self, certificates):
        self.write("/etc/smtpd.conf", f"""
table unwelcome {{ "gate.example.org" }}
filter "no-ehlo" phase ehlo match helo <unwelcome> reject "550 5.7.1 {UNKNOWN_GREETING}"
filter "no-helo" phase helo match helo <unwelcome> reject "550 5.7.1 {UNKNOWN_GREETING}"
filter "no-greeting" chain {{ "no-ehlo", "no-helo" }}
listen on {WORLD_ADDRESS} port {self.port} hostname {self.domain}
listen on {WORLD_ADDRESS} port {self.refusing_port} hostname {self.domain} filter "no-greeting"
smtp max-message-size {SIZE_LIMIT}
smtp limit max-rcpt {LIMIT}
table boxes {{ "@" = "vmail" }}
table nobody {{ "nobody@{self.domain}" }}
action "keep" maildir "/srv/mail/{self.name}" virtual <boxes>
match from any for rcpt-to <nobody> reject
match from any for any action "keep"
""")
        self.run("install", "--directory", "--mode=711", "/var/spool/smtpd")

    def command(self):
        return ["smtpd", "-d"]


class Chasquid(Server):
    name, port = "chasquid", 2504
    extensions = frozenset(["8BITMIME", "SMTPUTF8"])
    limit = 100

    def configure(self, certificates):
        self.write("/etc/chasquid/chasquid.conf", f"""
hostname: "{self.domain}"
max_data_size_mb: 1
smtp_address: "{WORLD_ADDRESS}:{self.port}"
submission_address: "{WORLD_ADDRESS}:2514"
submission_over_tls_address: "{WORLD_ADDRESS}:2524"
mail_delivery_agent_bin: "/srv/keep"
mail_delivery_agent_args: "%from%"
mail_delivery_agent_args: "%to%"
data_dir: "/var/lib/chasquid"
mail_log_path: "<stdout>"
""")
        self.write("/srv/keep", f"""#!/bin/sh
set -eu
cd /srv/mail/{self.name}
{{ printf 'Return-Path: <%s>\\nDelivered-To: %s\\n' "$1" "$2"; cat; }} >tmp/$$
mv tmp/$$ new/$(date +%s.%N).$$
""", mode=0o755)
        certificate, key = certificates.world
        folder = self.root / f"etc/chasquid/certs/{self.domain}"
        folder.mkdir(parents=True)
        shutil.copy(certificate, folder / "fullchain.pem")
        shutil.copy(key, folder / "privkey.pem")
        for domain in (self.domain, f"bücher.{self.domain}"):
            self.write(f"/etc/chasquid/domains/{domain}/aliases", "".join(f"{user}: box\n" for user in USERS))
            self.run("chasquid-util", "-C=/etc/chasquid", "user-add", f"box@{domain}", "--password=none")
        self.write("/etc/chasquid/hooks/post-data", """#!/bin/sh
if grep -q FORBIDDEN; then echo '550 5.7.1 what a word'; exit 20; fi
""", mode=0o755)
        (self.root / "var/lib/chasquid").mkdir(parents=True, exist_ok=True)

    def command(self):
        return ["chasquid", "-config_dir=/etc/chasquid"]


class Nodemailer(Server):
    name, port = "nodemailer", 2505
    extensions = frozenset(["8BITMIME", "SMTPUTF8"])
    copies = False
    is_verbose = True

    def configure(self, certificates):
        shutil.copy(HERE / "smtp-server.js", self.root / NODE_FOLDER / "smtp-server.js")

    def command(self):
        return ["nodejs", f"/{NODE_FOLDER}/smtp-server.js", WORLD_ADDRESS, self.port, f"/srv/mail/{self.name}", LIMIT, SIZE_LIMIT,
                VERBOSE_OCTETS]


SERVERS = {server.name: server for server in (Postfix, Exim, OpenSMTPD, Chasquid, Nodemailer)}


class MailServers:
    """Some of the servers, in the world of a network. A context manager; they start when they are asked for."""

    def __init__(self, network, certificates, layers):
        self.network = network
        self.certificates = certificates
        self.layers = layers
        self.running = {}
        self.stack = ExitStack()
        self.root = None

    def __enter__(self):
        with ExitStack() as stack:
            upper, scratch = (stack.enter_context(scratch_folder("servers")) for _ in range(2))
            upper.chmod(0o755)
            self.root = stack.enter_context(root_above(upper, scratch, self.layers))
            (self.root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", encoding="ascii")
            (self.root / "etc/hosts").write_text(
                f"127.0.0.1 localhost\n{MACHINE_ADDRESS} gate.example.org\n{WORLD_ADDRESS} mail.world.example\n", encoding="ascii")
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def get(self, name):
        """The server of this name, which runs."""
        if name not in self.running:
            server = SERVERS[name](self.root)
            server.start(self.network, self.certificates)
            self.stack.callback(server.stop)
            self.running[name] = server
        return self.running[name]
