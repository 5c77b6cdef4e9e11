# SPDX-License-Identifier: GPL-3.0-or-later
"""The relays that are measured: Postern as built here, and Postfix and nullmailer as Debian ships them.

Each runs in a folder of its own below the same scratch folder, so on the same disk, listens on a port of loopback, and
relays to one smarthost on loopback. held=True keeps it from relaying. All log to a file. A contender is a context
manager: it runs inside. Services of the system are not touched.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))
from relay import BUILD, POSTERN, POSTERND, SENDMAIL, Bus, configuration_text, environment  # noqa: E402

START_SECONDS = 30  # a relay that has not greeted by then will not
SETTLED_SECONDS = 0.5  # that nothing is done for
SETTLE_SECONDS = 120  # a relay that is busy for longer than this with what it has taken will not end
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
TOOLS = BUILD / "tests" / "bench"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port):
    """Waits until something greets on the port."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as connection:
                if connection.recv(3) == b"220":
                    return
        except ConnectionRefusedError:
            time.sleep(0.02)
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing greets on port {port}")


def pss_kib(pids):
    """What processes take of memory, shared pages by their share."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except ProcessLookupError:  # it ended just now
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def cpu_ticks(pids):
    """What processes have used of the processor so far."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        except FileNotFoundError:  # it ended just now
            continue
        total += int(fields[11]) + int(fields[12])
    return total


class Contender:
    """What is the same for all."""

    def within(self):
        """The beginning of a command line that calls sendmail: nothing."""
        return []

    def wait_settled(self):
        """Waits until what it has taken keeps it busy no more: Postfix's queue manager, Postern's sealing."""
        deadline = time.monotonic() + SETTLE_SECONDS
        before = None
        while before != (before := cpu_ticks(self.pids())) and time.monotonic() < deadline:
            time.sleep(SETTLED_SECONDS)


class Postern(Contender):
    """Postern on a private bus."""

    name = "postern"

    def __init__(self, scratch, sink_port=1, held=False):
        self.folder = Path(scratch) / "postern"
        self.folder.mkdir()
        self.port = free_port()
        self.held = held
        self.socket = self.folder / "submit"
        (self.folder / "postern.conf").write_text(configuration_text({
            "Relay": {"HostName": "relay.example.org", "Domain": "example.org"},
            "Smarthost": {"Host": "127.0.0.1", "Port": sink_port, "TLS": "none", "MaxConnections": 20},
        }), encoding="utf-8")
        self.bus = Bus()
        self.process = None

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [POSTERND, f"--config={self.folder}/postern.conf", f"--state-directory={self.folder}/state",
                 f"--bus={self.bus.address}", f"--listen=local:{self.socket}",
                 f"--listen=smtp:127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment())
        wait_for_port(self.port)
        if self.held:
            self.command("pause")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def command(self, *arguments):
        return subprocess.run([POSTERN, f"--bus={self.bus.address}", *arguments], check=True, capture_output=True,
                              env=environment()).stdout

    def sendmail_command(self):
        variables = environment(POSTERN_SOCKET=self.socket)
        del variables["G_DEBUG"]  # it costs a call two percent of its time, and is for tests
        return [str(SENDMAIL)], variables

    def list(self, *options):
        self.command("list", *options)

    def flush(self):
        self.command("resume")

    def pids(self):
        return [self.process.pid]

    def __enter__(self):
        (self.folder / "state").mkdir(exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.bus.stop()
        shutil.rmtree(self.folder)


class Postfix(Contender):
    """Postfix as a null client, in an instance of its own."""

    name = "postfix"

    def __init__(self, scratch, sink_port=1, held=False):
        self.folder = Path(scratch) / "postfix"
        self.folder.mkdir()
        for name in ("data", "queue"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        self.folder.chmod(0o755)
        self.port = free_port()
        settings = {
            "compatibility_level": "3.6", "queue_directory": self.folder / "queue",
            "data_directory": self.folder / "data", "command_directory": "/usr/sbin",
            "daemon_directory": "/usr/lib/postfix/sbin", "mail_owner": "postfix", "setgid_group": "postdrop",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mydestination": "",
            "myhostname": "relay.example.org", "mynetworks": "127.0.0.0/8", "relayhost": f"[127.0.0.1]:{sink_port}",
            "smtp_tls_security_level": "none", "smtpd_tls_security_level": "none", "alias_maps": "",
            "maillog_file": self.folder / "log", "maillog_file_prefixes": self.folder.parent,
            # Tuned as well as it can be for one smarthost: see what the peers measure.
            "initial_destination_concurrency": "20", "default_destination_concurrency_limit": "50",
            "in_flow_delay": "0",
        }
        if held:
            settings["defer_transports"] = "smtp"
        (self.folder / "main.cf").write_text("".join(f"{k} = {v}\n" for k, v in settings.items()), encoding="utf-8")
        services = Path("/usr/share/postfix/master.cf.dist").read_text(encoding="utf-8").splitlines()
        lines = []
        for line in services:
            fields = line.split()
            if line.startswith(("#", " ")) or not fields:
                continue
            if fields[:2] == ["smtp", "inet"]:
                fields[0] = f"127.0.0.1:{self.port}"
            fields[4] = "n"  # no chroot: the folder holds no copy of the resolver's files
            lines.append(" ".join(fields))
        lines.append("postlog unix-dgram n - n - 1 postlogd")
        (self.folder / "master.cf").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _postfix(self, *arguments):
        result = subprocess.run(["postfix", "-c", str(self.folder), *arguments], capture_output=True, text=True,
                                check=False)
        if result.returncode:
            raise RuntimeError(f"postfix {' '.join(arguments)}: {result.stderr}")

    def start(self):
        self._postfix("start")
        wait_for_port(self.port)

    def stop(self):
        self._postfix("stop")

    def sendmail_command(self):
        return ["/usr/sbin/sendmail", "-C", str(self.folder)], dict(os.environ, MAIL_CONFIG=str(self.folder))

    def list(self):
        subprocess.run(["postqueue", "-c", str(self.folder), "-p"], check=True, stdout=subprocess.DEVNULL)

    def flush(self):
        subprocess.run(["postconf", "-c", str(self.folder), "-e", "defer_transports="], check=True)
        self._postfix("reload")
        subprocess.run(["postqueue", "-c", str(self.folder), "-f"], check=True)

    def pids(self):
        master = int((self.folder / "queue/pid/master.pid").read_text(encoding="ascii"))
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(master)], capture_output=True, text=True,
                                  check=False).stdout.split()
        return [master, *map(int, children)]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)


class Nullmailer:
    """nullmailer's sendmail command, which needs no daemon to take a message.

    Its paths are compiled in. So it runs in a mount namespace of its own, in which the package lies over the system's
    folders and its queue on the disk that is measured.
    """

    name = "nullmailer"

    def __init__(self, scratch):
        self.folder = Path(scratch) / "nullmailer"
        self.packages = Path(scratch) / "packages"

    @staticmethod
    def fetch(scratch):
        """Fetches the package, and returns whether it could; it is not installed, which would remove Postfix."""
        packages = Path(scratch) / "packages"
        packages.mkdir()
        return subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "nullmailer"],
                              cwd=packages, capture_output=True, check=False).returncode == 0

    def sendmail_command(self):
        return ["/usr/sbin/sendmail"], dict(os.environ)

    def within(self):
        """The beginning of a command line: what follows runs where nullmailer is installed."""
        package = self.folder / "package"
        mounts = "".join(f"mount -t overlay -o lowerdir={package}{path}:{path} overlay {path} && "
                         for path in ("/usr/bin", "/usr/sbin"))
        return ["unshare", "--mount", "sh", "-c", mounts + "mount -t tmpfs tmpfs /var/spool && "
                f"mkdir /var/spool/nullmailer && mount --bind {package}/var/spool/nullmailer /var/spool/nullmailer && "
                'exec "$@"', "sh"]

    def __enter__(self):
        self.folder.mkdir()
        package = next(self.packages.glob("*.deb"))
        subprocess.run(["dpkg", "-x", package, self.folder / "package"], check=True)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)
