#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A booted Debian with systemd, in a container: system bus, polkit, journal, logind are all real.

The machine's files are an overlay above a root that is never written to, its network is one of network.py, its console
goes to a file. Commands run inside by nsenter(1). What happens inside is heard from its journal, which a thread follows:
tests wait for entries, never for time to pass.

Run as a program it tells whether this computer can boot such a machine: exit status 0, or a line that says why not.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE), str(HERE.parent / "integration")]

# pylint: disable=wrong-import-position
from network import Network, WORLD_ADDRESS, WORLD_NAME
from receiver import PATIENCE_SECONDS
from root import Unable, cache_folder, debian_root

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# sd-messages.h: what systemd says of a unit
UNIT_STARTED = "39f53479d3a045ac8e11786248231fbf"
UNIT_STOPPED = "9d1aaa27d60140bd96365438aad20286"
UNIT_RELOADED = "7b05ebc668384222baa8881179cfda54"
UNIT_FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
UNIT_SUCCEEDED = "7ad2d189f7e94e70a38c781354912448"

UPPER_BYTES = "3G"

# When a command that does not end is given up. It is busy, not waiting: what slows it down is the computer.
COMMAND_SECONDS = 5 * PATIENCE_SECONDS


class Journal:
    """A machine's journal, followed by a thread from its beginning. Entries are dictionaries of text."""

    def __init__(self, machine):
        self.machine = machine
        self.entries = []
        self.changed = threading.Condition()
        self._follow()

    def _follow(self, *begin):
        self.process = self.machine.popen("journalctl", "--follow", "--no-tail", *begin, "--all", "--output=json",
                                          stdout=subprocess.PIPE)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    @contextmanager
    def deaf(self):
        """Meanwhile nothing is read, for a flood of entries that a test counts in other ways."""
        self.stop()
        yield
        end = self.machine.run("journalctl", "--lines=0", "--show-cursor").stdout
        self._follow("--after-cursor=" + end.split("-- cursor: ")[1].strip())

    def _read(self):
        for line in self.process.stdout:
            entry = json.loads(line)
            with self.changed:
                self.entries.append(entry)
                self.changed.notify_all()

    def mark(self):
        """A place to look from later: behind all that has been logged by now, which may not all have been read yet."""
        name = uuid.uuid4().hex
        self.machine.run("logger", "--journald", input=f"MESSAGE=a mark of the tests\nPOSTERN_TESTS_MARK={name}\n")
        marked = self.wait(POSTERN_TESTS_MARK=name)
        with self.changed:
            return self.entries.index(marked) + 1

    @staticmethod
    def _matches(entry, pattern, fields):
        if any(entry.get(name) != str(value) for name, value in fields.items()):
            return False
        return pattern is None or re.search(pattern, entry.get("MESSAGE") or "") is not None

    def find(self, pattern=None, since=0, **fields):
        """All entries whose MESSAGE= matches and that have these fields."""
        with self.changed:
            return [entry for entry in self.entries[since:] if self._matches(entry, pattern, fields)]

    def wait(self, pattern=None, since=0, count=1, seconds=PATIENCE_SECONDS, **fields):
        """Waits until so many entries match; returns the last of them."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                found = [entry for entry in self.entries[since:] if self._matches(entry, pattern, fields)]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if left <= 0:
                    tail = "\n".join(f"{e.get('_SYSTEMD_UNIT') or e.get('SYSLOG_IDENTIFIER')}: {e.get('MESSAGE')}"
                                     for e in self.entries[-40:])
                    raise AssertionError(f"in {seconds} s, {len(found)} of {count} entries of the journal matched "
                                         f"{pattern!r} {fields}; its end:\n{tail}")
                self.changed.wait(left)

    def stop(self):
        """Stops to read."""
        self.machine.run("pkill", "-x", "journalctl")
        self.close()

    def close(self):
        """When the machine is down."""
        self.thread.join(PATIENCE_SECONDS)
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()


class ControlGroup:
    """A control group of a machine's own, in the hierarchies that systemd uses. A context manager.

    Machines that shared one would end each other's services.
    """

    def __init__(self, name):
        top = Path("/sys/fs/cgroup")
        own = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text("ascii").splitlines())
        below = {"name=systemd": top / "systemd", "": top / "unified" if (top / "unified").is_dir() else top}
        self.folders = [below[hierarchy] / path.lstrip("/") / name for hierarchy, path in own.items() if hierarchy in below]

    def __enter__(self):
        try:
            for folder in self.folders:
                folder.mkdir()
        except OSError as error:
            raise Unable(f"no control group can be made: {error}") from error
        return self

    def __exit__(self, *_):
        """Removes it with all that is below; the processes are gone."""
        for folder in self.folders:
            for path, _, _ in os.walk(folder, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:
                    pass  # a process that is not quite gone; an empty group costs nothing

    def command(self, *command):
        """The command line that runs a command there."""
        enter = "".join(f"echo $$ >{folder}/cgroup.procs && " for folder in self.folders)
        return ["sh", "-c", f'{enter}exec "$@"', "sh", *map(str, command)]


class Machine:
    """A machine that runs inside the context manager. layers: folders of files to lay above Debian's."""

    numbers = iter(range(1, 1 << 30))

    def __init__(self, layers=()):
        self.layers = list(layers)
        self.name = f"pt{os.getpid()}x{next(self.numbers)}"
        self.folder = None
        self.network = None
        self.process = None
        self.group = None
        self.leader = None  # the process id of its init, as seen from here
        self.journal = None
        self.stack = ExitStack()

    # ---- the life of a machine ----

    def __enter__(self):
        with ExitStack() as stack:
            self._prepare(stack)
            stack.callback(self._close_journal)  # which ends with the machine
            self.group = stack.enter_context(ControlGroup(self.name))
            stack.callback(self._halt)
            self.boot()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _prepare(self, stack):
        lower = ":".join(map(str, [*self.layers, debian_root()]))
        self.folder = Path(tempfile.mkdtemp(prefix="postern-machine-"))
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._mount(stack, "tmpfs", f"size={UPPER_BYTES},mode=755", self.folder)
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        self._mount(stack, "overlay",
                    f"lowerdir={lower},upperdir={self.folder}/upper,workdir={self.folder}/work", self.folder / "root")
        with open(self.folder / "root/etc/hosts", "a", encoding="ascii") as hosts:
            hosts.write(f"{WORLD_ADDRESS} {WORLD_NAME}\n")
        try:
            self.network = stack.enter_context(Network(self.name))
        except subprocess.CalledProcessError as error:
            raise Unable(f"no network namespace can be made: {error.stderr.strip()}") from error

    @staticmethod
    def _mount(stack, kind, options, place):
        done = subprocess.run(["mount", "-t", kind, "-o", options, "postern-test", place], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise Unable(f"no {kind} can be mounted: {done.stderr.strip()}")
        stack.callback(subprocess.run, ["umount", "--lazy", place], check=False)

    def boot(self):
        if shutil.which("systemd-nspawn") is None:
            raise Unable("systemd-nspawn is not installed (package systemd-container)")
        # A run that is broken off leaves no machine running.
        command = self.group.command("setpriv", "--pdeathsig=KILL", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot",
                                     "--console=pipe", f"--machine={self.name}",
                                     f"--network-namespace-path={self.network.path}", "-D", self.folder / "root")
        with open(self.folder / "console", "ab") as console:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
                                            start_new_session=True)
        self.leader = self._find_leader()
        state = self._wait_running()
        if state != "running":
            failed = self.run("systemctl", "--failed", "--plain", "--no-legend", check=False).stdout
            raise Unable(f"a machine boots only as far as “{state}”: {failed}\n{self.console()[-2000:]}")
        self.journal = Journal(self)

    def shut_down(self):
        """In good order; boot() brings it up again, with the files and the journal that it had."""
        # The machine stops all its processes at its end, and would wait for this one, which is stopped here too then.
        self.journal.stop()
        self.journal = None
        self.run("systemctl", "poweroff", check=False)
        self.process.wait(COMMAND_SECONDS)

    def console(self):
        return (self.folder / "console").read_text(encoding="utf-8", errors="replace")

    def _patiently(self, question, what):
        """Asks until there is an answer; for what nobody tells."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = threading.Event()
        while (answer := question()) is None:
            if self.process.poll() is not None:
                raise Unable(f"systemd-nspawn ended with {self.process.returncode}:\n{self.console()[-2000:]}")
            if time.monotonic() > deadline:
                raise Unable(f"{what} in {PATIENCE_SECONDS} s:\n{self.console()[-2000:]}")
            pause.wait(0.02)
        return answer

    def _find_leader(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def systemd():
            try:
                for child in children.read_text(encoding="ascii").split():
                    if Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip() == "systemd":
                        return int(child)
            except OSError:  # one that has ended meanwhile: some are there for a moment
                pass
            return None

        return self._patiently(systemd, "no init came up")

    def _wait_running(self):
        def state():
            try:
                told = self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip()
            except subprocess.TimeoutExpired:
                return None
            return told if told in ("running", "degraded", "maintenance") else None

        return self._patiently(state, "the machine did not finish its boot")

    def _close_journal(self):
        if self.journal is not None:
            self.journal.close()
        self.journal = None

    def _halt(self):
        """Pulls the plug: nothing of the machine is wanted any more. The kernel ends all that runs in it with its init."""
        if self.process is None:
            return
        if self.process.poll() is None and self.leader is not None:
            os.kill(self.leader, signal.SIGKILL)
        elif self.process.poll() is None:
            self.process.kill()
        self.process.wait(COMMAND_SECONDS)

    # ---- inside ----

    def command(self, *command, user=None, environment=None):
        """The command line that runs a command inside."""
        variables = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "SYSTEMD_PAGER": "",
                     "HOME": f"/home/{user}" if user else "/root", **(environment or {})}
        become = ["runuser", "-u", user, "--"] if user else []
        return ["nsenter", f"--target={self.leader}", "--all", "env", "-i",
                *[f"{k}={v}" for k, v in variables.items()], *become, *map(str, command)]

    def popen(self, *command, user=None, environment=None, **options):
        """Starts a command inside, with text streams; standard input is empty unless it is asked for."""
        options = {"stdin": subprocess.DEVNULL, "text": True, "errors": "backslashreplace", **options}
        return subprocess.Popen(self.command(*command, user=user, environment=environment), **options)

    def run(self, *command, user=None, environment=None, input=None, check=True, seconds=COMMAND_SECONDS):
        """Runs a command inside; returns subprocess's CompletedProcess. It has to succeed unless check is false."""
        stdin = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        done = subprocess.run(self.command(*command, user=user, environment=environment), capture_output=True,
                              text=True, errors="backslashreplace", timeout=seconds, check=False, **stdin)
        assert not check or done.returncode == 0, (
            f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def shell(self, script, **options):
        return self.run("bash", "-euc", script, **options).stdout

    def path(self, path):
        """Where a file of the machine is seen from here."""
        return Path(f"/proc/{self.leader}/root") / str(path).lstrip("/")

    def write(self, path, text, mode=0o644):
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def show(self, unit, name):
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).stdout.strip()

    def state(self, unit):
        return self.show(unit, "ActiveState")


def ability_marker():
    """Is there once a machine was booted here: then a computer that cannot is a failure, not a matter of taste."""
    return cache_folder() / "booted"


def main():
    try:
        with Machine() as machine:
            machine.run("true")
    except Unable as error:
        print(error)
        return 3 if ability_marker().exists() else 4
    ability_marker().touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
