# SPDX-License-Identifier: GPL-3.0-or-later
"""Postern as the tests run it: the daemon in a folder of its own, its command, its sendmail, and a private bus.

The daemon's stderr is read by a thread, and its notifications to the service manager by another; tests wait for lines
and notifications, never for time to pass. A daemon that a test leaves running is stopped at the test's end, and must
stop cleanly then.
"""

import atexit
import functools
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from receiver import PATIENCE_SECONDS

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("POSTERN_BUILD", TOP / "build")).resolve()
POSTERND = BUILD / "daemon" / "posternd"
POSTERN = BUILD / "cli" / "postern"
SENDMAIL = BUILD / "cli" / "sendmail"


@functools.cache
def for_everybody(program):
    """Where other users find a program of the build: a checkout may lie in a home that is closed to them."""
    if all(folder.stat().st_mode & 0o001 for folder in program.parents):
        return program
    folder = Path(tempfile.mkdtemp(prefix="postern-programs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    return Path(shutil.copy(program, folder))


# What a sanitizer or GLib says of a programming error; no test may pass with such a line in its output.
FAULTS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|CRITICAL \*\*|^(error|warning): G[A-Za-z]+[A-Za-z-]*: ", re.M)

def is_sanitized():
    """Whether the build under test has a sanitizer in it: its memory and pace tell nothing then."""
    options = json.loads((BUILD / "meson-info" / "intro-buildoptions.json").read_text(encoding="utf-8"))
    return any(o["name"] == "b_sanitize" and o["value"] not in ("none", []) for o in options)


# What the environment of a test must not leak into the programs under test.
OUTSIDE_VARIABLES = ("POSTERN_", "DBUS_", "NOTIFY_", "LISTEN_", "NULLMAILER_", "MAILUSER", "MAILHOST", "MAILNAME")


def environment(**more):
    """The environment of every program under test: a GLib warning of a programming error is fatal."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OUTSIDE_VARIABLES)}
    kept.update({"G_DEBUG": "fatal-criticals", "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "POSTERN_DAEMON": str(POSTERND)})
    kept.update({k: str(v) for k, v in more.items()})
    return kept


class Bus:
    """A private message bus. A context manager."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="postern-bus-"))
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={TOP}/tests/integration/bus.conf", f"--address=unix:path={self.folder}/bus",
             "--print-address=1", "--nofork", "--nopidfile"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().strip()
        assert self.address, "dbus-daemon did not start"

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Lines:
    """Lines that come from a stream, gathered by a thread; tests wait for one that matches."""

    def __init__(self, stream):
        self.lines = []
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        for line in stream:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def mark(self):
        """A place to look from later."""
        with self.changed:
            return len(self.lines)

    def find(self, pattern, since=0):
        """All lines that match."""
        expression = re.compile(pattern)
        with self.changed:
            return [line for line in self.lines[since:] if expression.search(line)]

    def wait(self, pattern, since=0, count=1, seconds=PATIENCE_SECONDS):
        """Waits until `count` lines match; returns the match of the last of them."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                matches = [m for line in self.lines[since:] if (m := expression.search(line))]
                if len(matches) >= count:
                    return matches[count - 1]
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    why = "the program ended" if self.ended else f"{seconds} s passed"
                    tail = "\n".join(self.lines[-40:])
                    raise AssertionError(f"{why}, and {len(matches)} of {count} lines matched {pattern!r} in:\n{tail}")
                self.changed.wait(left)

    def wait_changed(self, seconds=PATIENCE_SECONDS):
        """Waits for the next line or the end, so long at most."""
        with self.changed:
            count = len(self.lines)
            self.changed.wait_for(lambda: self.ended or len(self.lines) > count, seconds)

    def text(self):
        with self.changed:
            return "\n".join(self.lines)


class Notifications(threading.Thread):
    """What the daemon tells the service manager (sd_notify), as lines "READY=1"."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.lines = []
        self.changed = threading.Condition()
        self.start()

    def run(self):
        while True:
            data = self.socket.recv(65536).decode()
            with self.changed:
                if data == "END":
                    return
                self.lines += data.splitlines()
                self.changed.notify_all()

    def mark(self):
        with self.changed:
            return len(self.lines)

    def wait(self, line, since=0, alive=None, seconds=PATIENCE_SECONDS):
        """Waits for a line; False if alive() says no before it came."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while line not in self.lines[since:]:
                if time.monotonic() > deadline:
                    raise AssertionError(f"no notification {line} in {seconds} s: {self.lines}")
                if alive and not alive():
                    return line in self.lines[since:]
                self.changed.wait(0.1)
            return True

    def wait_match(self, pattern, since=0):
        """Waits for a line that matches."""
        with self.changed:
            found = self.changed.wait_for(lambda: any(re.match(pattern, line) for line in self.lines[since:]), PATIENCE_SECONDS)
            assert found, f"no notification {pattern}: {self.lines}"

    def close(self):
        path = self.socket.getsockname()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"END", path)
        self.join(PATIENCE_SECONDS)
        self.socket.close()


class LocalSMTP(smtplib.SMTP):
    """smtplib over the local socket."""

    def __init__(self, path, **options):
        self.path = str(path)
        super().__init__("local", **options)

    def _get_socket(self, host, port, timeout):
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(PATIENCE_SECONDS)
        connected.connect(self.path)
        return connected


class RawSession:
    """An SMTP session by hand, for bytes that no library would send. The greeting is read at the start."""

    def __init__(self, address, greeting=True):
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(PATIENCE_SECONDS)
            self.socket.connect(str(address))
        self.buffer = b""
        self.greeting = self.reply() if greeting else None

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def reply(self):
        """The next reply, all its lines; "" when the other side has closed."""
        lines = []
        while True:
            while b"\n" not in self.buffer:
                try:
                    data = self.socket.recv(65536)
                except ConnectionResetError:
                    data = b""
                if not data:
                    assert not self.buffer, f"the connection ended within a line: {self.buffer!r}"
                    return "\n".join(lines)
                self.buffer += data
            line, _, self.buffer = self.buffer.partition(b"\n")
            assert line.endswith(b"\r"), f"a reply line without CRLF: {line!r}"
            lines.append(line[:-1].decode())
            if lines[-1][3:4] != "-":
                return "\n".join(lines)

    def ask(self, command):
        """Sends a command line and returns its reply."""
        self.send(command + "\r\n")
        return self.reply()

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def configuration_text(groups):
    """A key file of {"Group": {"Key": value}}; a value None leaves the key out."""
    text = []
    for group, keys in groups.items():
        text.append(f"[{group}]")
        text += [f"{key}={value}" for key, value in keys.items() if value is not None]
        text.append("")
    return "\n".join(text)


def merge(*sets):
    """Joins configurations; later keys win, and a group None disappears."""
    merged = {}
    for groups in sets:
        for group, keys in (groups or {}).items():
            if keys is None:
                merged.pop(group, None)
            else:
                merged[group] = {**merged.get(group, {}), **keys}
    return merged


class Postern:
    """The relay. A context manager: it runs inside.

    configuration: {"Group": {"Key": value}} or the text of the file
    bus: the address of a bus, or "none"
    smtp: the addresses to listen on, by default a free port of 127.0.0.1
    command: what to run the daemon by, in front of its own command line
    state: its state directory, if it is not to be in the folder with the rest
    """

    def __init__(self, configuration="", *, bus="none", smtp=("127.0.0.1:0",), local=True, credentials=None,
                 folder=None, command=(), listen=True, variables=None, state=None):
        self.folder = Path(folder or tempfile.mkdtemp(prefix="postern-test-"))
        self.own_folder = folder is None
        self.bus = bus
        self.command = list(command)
        self.configuration_file = self.folder / "postern.conf"
        self.state = Path(state or self.folder / "state")
        self.socket = self.folder / "submit"
        self.variables = dict(variables or {})
        self.arguments = [f"--config={self.configuration_file}", f"--state-directory={self.state}", f"--bus={bus}"]
        self.smtp_expected = len(smtp) if listen else 0
        if listen:
            self.arguments += [f"--listen=local:{self.socket}"] if local else []
            self.arguments += [f"--listen=smtp:{address}" for address in smtp]
        self.process = None
        self.log = None
        self.logs = []  # of the daemons before this one
        self.addresses = []
        self.outputs = []  # everything that a command printed
        self.notifications = None
        if credentials:
            self.credentials = self.folder / "credentials"
            self.credentials.mkdir(mode=0o700)
            for name, value in credentials.items():
                (self.credentials / name).write_text(value, encoding="utf-8")
            self.variables["CREDENTIALS_DIRECTORY"] = self.credentials
        self.configure(configuration)

    # ---- the daemon ----

    def configure(self, configuration):
        """Writes the configuration file; a running daemon does not know of it yet."""
        text = configuration if isinstance(configuration, str) else configuration_text(configuration)
        self.configuration_file.write_text(text, encoding="utf-8")

    def spawn(self):
        """Starts the daemon and returns at once; returns itself."""
        assert self.process is None, "it runs already"
        self.state.mkdir(exist_ok=True)
        if self.notifications is None:
            self.notifications = Notifications(self.folder / "notify")
        self.process = subprocess.Popen(
            [*self.command, str(POSTERND), *self.arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="backslashreplace",
            env=environment(NOTIFY_SOCKET=self.folder / "notify", **self.variables))
        self.log = Lines(self.process.stderr)
        self.logs.append(self.log)
        return self

    def start(self):
        """Starts the daemon and waits until it is ready; returns itself."""
        before = self.notifications.mark() if self.notifications else 0
        self.spawn()
        if not self.notifications.wait("READY=1", before, lambda: self.process.poll() is None):
            self.log.thread.join(PATIENCE_SECONDS)
            raise AssertionError(f"posternd ended with {self.process.returncode}:\n{self.log.text()}")
        if self.smtp_expected:
            self.log.wait(r"listening for smtp on \S+:\d+", count=self.smtp_expected)
        lines = self.log.find(r"listening for smtp on ")
        places = [re.search(r"listening for smtp on \[?([^\s\]]+)\]?:(\d+)", line) for line in lines]
        self.addresses = [(place[1], int(place[2])) for place in places]
        return self

    @property
    def address(self):
        """(host, port) of the first SMTP listener."""
        return self.addresses[0]

    @property
    def pid(self):
        return self.process.pid

    def _gone(self):
        status = self.process.wait(PATIENCE_SECONDS)
        self.log.thread.join(PATIENCE_SECONDS)
        self.process.stderr.close()
        self.process = None
        return status

    def stop(self):
        """Asks it to stop by SIGTERM; it must exit with 0, having made no error that a sanitizer or GLib sees."""
        self.process.terminate()
        status = self._gone()
        assert status == 0, f"posternd exited with {status}:\n{self.log.text()}"
        self.check_faults()

    def kill9(self):
        self.process.kill()
        self._gone()
        self.check_faults()

    def wait_exit(self):
        """Waits for it to exit by itself; returns the status."""
        return self._gone()

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        """SIGHUP; returns once it is done with it."""
        before = self.notifications.mark()
        self.process.send_signal(signal.SIGHUP)
        self.notifications.wait("READY=1", before)

    def check_faults(self):
        faults = [line for log in self.logs for line in log.find(FAULTS)]
        assert not faults, "the daemon has a fault:\n" + self.log.text()

    def close(self):
        """Ends everything; at the end of each test."""
        try:
            if self.process is not None:
                if self.process.poll() is None:
                    self.stop()
                else:
                    status = self._gone()
                    assert status == 0, f"posternd had exited with {status}:\n{self.log.text()}"
        finally:
            if self.process is not None:
                self.process.kill()
                self._gone()
            if self.notifications:
                self.notifications.close()
            if self.own_folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, *_):
        self.close()

    def wait_line(self, pattern, since=0, count=1, seconds=PATIENCE_SECONDS):
        """Waits for a line of the daemon's log."""
        return self.log.wait(pattern, since, count, seconds)

    def log_text(self):
        """All that all daemons of this folder logged."""
        return "\n".join(log.text() for log in self.logs)

    def memory_kib(self, what="VmHWM"):
        """From the daemon's /proc/PID/status: VmHWM is the most that it had, VmRSS what it has."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"^{what}:\s+(\d+) kB", status, re.M)[1])

    # ---- its clients ----

    def _run(self, arguments, **options):
        result = subprocess.run([str(a) for a in arguments], capture_output=True, timeout=10 * PATIENCE_SECONDS,
                                check=False, **options)
        result.stdout = result.stdout.decode(errors="backslashreplace")
        result.stderr = result.stderr.decode(errors="backslashreplace")
        self.outputs.append(result.stdout + result.stderr)
        assert not FAULTS.search(result.stderr), result.stderr
        return result

    def sendmail(self, *arguments, message="Subject: test\n\nhello\n", status=0, name="sendmail", variables=None, **options):
        """Runs sendmail; its exit status must be as said (None: any)."""
        message = message.encode() if isinstance(message, str) else message
        result = self._run([SENDMAIL.with_name(name), *arguments], input=message,
                           env=environment(POSTERN_SOCKET=self.socket, POSTERN_BUS=self.bus, **(variables or {})), **options)
        assert status is None or result.returncode == status, \
            f"sendmail exited with {result.returncode}: {result.stderr}{result.stdout}"
        return result

    def postern(self, *arguments, status=0, variables=None, **options):
        """Runs the command; its exit status must be as said (None: any). Returns what it printed."""
        result = self._run([POSTERN, f"--bus={self.bus}", *arguments], stdin=subprocess.DEVNULL,
                           env=environment(**(variables or {})), **options)
        assert status is None or result.returncode == status, \
            f"postern {' '.join(map(str, arguments))} exited with {result.returncode}: {result.stderr}{result.stdout}"
        return result.stdout if status == 0 else result

    def queue(self):
        """What is in the queue, as `postern list --json` tells it."""
        return json.loads(self.postern("list", "--json"))

    def wait_empty(self):
        """Waits until nothing is in the queue: what a receiver has is still there until that is on the disk."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left := self.queue():
            assert time.monotonic() < deadline, f"the queue does not become empty: {left}\n{self.log_text()}"

    def smtp(self, **options):
        """A session of smtplib with the first listener."""
        return smtplib.SMTP(*self.address, timeout=PATIENCE_SECONDS, **options)

    def local_smtp(self, **options):
        """A session of smtplib with the local socket."""
        return LocalSMTP(self.socket, **options)

    def raw(self, local=False, greeting=True):
        """A session by hand."""
        return RawSession(self.socket if local else self.address, greeting)

    def send(self, sender="sender@example.org", recipients=("recipient@example.net",), message=None, options=(),
             recipient_options=()):
        """Sends one message by SMTP over TCP; every recipient must be accepted."""
        if isinstance(recipients, str):
            recipients = (recipients,)
        with self.smtp() as session:
            refused = session.sendmail(sender, recipients, message or "Subject: test\r\n\r\nhello\r\n", options,
                                       recipient_options)
        assert not refused, refused
