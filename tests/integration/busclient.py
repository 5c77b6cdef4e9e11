# SPDX-License-Identifier: GPL-3.0-or-later
"""A client on the message bus, and a bus that many users may use."""

import shutil
import subprocess
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path

from gi.repository import Gio, GLib

from receiver import PATIENCE_SECONDS
from relay import TOP

NAME = "org.postern.Relay1"
ROOT = "/org/postern/Relay1"
INTERFACES = TOP / "dbus" / "org.postern.Relay1.xml"

SYSTEM_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  <policy user="root">
    <allow own="org.freedesktop.PolicyKit1"/>
  </policy>
  <include>{folder}/relay.conf</include>
  <include>{folder}/journal.conf</include>
</busconfig>
"""


class SystemBus:
    """A private bus with the rules of the system bus and with our policy files; root may have our names.

    A context manager.
    """

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="postern-system-bus-"))
        self.folder.chmod(0o755)
        for name, user, copy in (("Relay1", "postern", "relay.conf"), ("Journal1", "postern-journal", "journal.conf")):
            policy = (TOP / "dbus" / f"org.postern.{name}.conf").read_text(encoding="utf-8")
            assert policy.count(f'user="{user}"') == 1
            (self.folder / copy).write_text(policy.replace(f'user="{user}"', 'user="root"'), encoding="utf-8")
        (self.folder / "bus.conf").write_text(SYSTEM_CONFIGURATION.format(folder=self.folder), encoding="utf-8")
        self.address = f"unix:path={self.folder}/bus"
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--print-address=1", "--nofork", "--nopidfile"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline().startswith(self.address), "dbus-daemon did not start"

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()
        self.process = None

    @property
    def variables(self):
        """The environment in which "system" means this bus."""
        return {"DBUS_SYSTEM_BUS_ADDRESS": self.address}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class BusError(Exception):
    """An error reply: its name and its text."""

    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name = name.removeprefix(NAME + ".Error.")
        self.text = text


def connect(address):
    flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
    return Gio.DBusConnection.new_for_address_sync(address, flags, None, None)


class Client:
    """Calls the relay and gathers its signals. A context manager."""

    def __init__(self, address):
        self.connection = connect(address)
        self.signals = []  # (name, arguments, path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if not self.connection.is_closed():
            self.connection.close_sync(None)

    def call(self, method, signature=None, *arguments, path=ROOT, interface="Manager", fds=(), interactive=False):
        """Returns the reply's arguments: nothing, the only one, or a tuple; a descriptor as a number."""
        if "." not in interface:
            interface = f"{NAME}.{interface}"
        parameters = GLib.Variant(signature, arguments) if signature else None
        flags = Gio.DBusCallFlags.NONE
        if interactive:
            flags = Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION
        fd_list = Gio.UnixFDList.new()
        for fd in fds:
            fd_list.append(fd)
        try:
            reply, reply_fds = self.connection.call_with_unix_fd_list_sync(
                NAME, path, interface, method, parameters, None, flags, PATIENCE_SECONDS * 1000,
                fd_list if fds else None, None)
        except GLib.Error as error:
            name = Gio.DBusError.get_remote_error(error)
            if name is None:
                raise
            Gio.DBusError.strip_remote_error(error)
            raise BusError(name, error.message) from None
        values = reply.unpack()
        if reply.get_type_string() == "(h)":
            return reply_fds.get(values[0])
        return None if not values else values[0] if len(values) == 1 else values

    def list(self, *, cursor="", limit=0, **criteria):
        """(rows, next cursor) of ListMessages."""
        return self.call("ListMessages", "(a{sv}su)", choose(**criteria), cursor, limit)

    def ids(self, **criteria):
        return [row[0] for row in self.list(**criteria)[0]]

    def act(self, method, **criteria):
        """Retry, Hold, Release or Delete; returns the count."""
        return self.call(method, "(a{sv})", choose(**criteria))

    def submit(self, fd, sender="", recipients=("recipient@example.net",), **options):
        return self.call("SubmitMessage", "(hsasa{sv})", 0, sender, list(recipients), options, fds=[fd])

    def properties(self, path=ROOT, interface="Manager"):
        return self.call("GetAll", "(s)", f"{NAME}.{interface}", path=path, interface="org.freedesktop.DBus.Properties")

    def message(self, identifier):
        return self.properties(f"{ROOT}/message/{identifier}", "Message")

    def gather(self, interface=f"{NAME}.Manager"):
        """Gathers signals from now on."""
        self.connection.signal_subscribe(
            None, interface, None, None, None, Gio.DBusSignalFlags.NONE,
            lambda connection, sender, path, interface, name, arguments: self.signals.append(
                (name, arguments.unpack(), path)))

    def wait_signal(self, condition, what, seconds=PATIENCE_SECONDS):
        """Waits for a signal (name, arguments, path) for which condition holds; returns its arguments."""
        deadline = time.monotonic() + seconds
        timer = GLib.timeout_add(100, lambda: True)  # to look at the clock
        try:
            while not (found := [s for s in self.signals if condition(*s)]):
                assert time.monotonic() < deadline, f"no signal {what}: {self.signals}"
                GLib.MainContext.default().iteration(True)
            return found[0][1]
        finally:
            GLib.source_remove(timer)

    def wait_relay(self):
        """Waits until the relay is on the bus."""
        appeared = []
        watch = Gio.bus_watch_name_on_connection(self.connection, NAME, Gio.BusNameWatcherFlags.NONE,
                                                 lambda *_: appeared.append(True), None)
        while not appeared:
            GLib.MainContext.default().iteration(True)
        Gio.bus_unwatch_name(watch)

    def wait_named(self, name, seconds=PATIENCE_SECONDS):
        return self.wait_signal(lambda signal, arguments, path: signal == name, name, seconds)


def choose(**criteria):
    """A filter. A value of None stands for no such key."""
    types = {"ids": "as", "user": "u", "before": "t", "everyone": "b"}
    return {key: GLib.Variant(types.get(key, "s"), value) for key, value in criteria.items() if value is not None}


def described(text):
    """What an introspection says, without order, documentation and hints for code generators:
    {interface: set of facts}."""
    facts = {}
    for interface in xml.etree.ElementTree.fromstring(text).iter("interface"):
        mine = facts.setdefault(interface.get("name"), set())
        for member in interface:
            if member.tag == "annotation":
                mine.add(("annotation", member.get("name"), member.get("value")))
                continue
            arguments = tuple((a.get("name"), a.get("type"), a.get("direction", "out")) for a in member.iter("arg"))
            annotations = frozenset((a.get("name"), a.get("value")) for a in member.findall("annotation")
                                    if not a.get("name").startswith("org.gtk.GDBus."))
            mine.add((member.tag, member.get("name"), member.get("type"), member.get("access"), arguments, annotations))
    return facts
