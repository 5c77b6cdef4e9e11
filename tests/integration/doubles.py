# SPDX-License-Identifier: GPL-3.0-or-later
"""Doubles of a machine's services on a private bus: polkit, logind, NetworkManager, a desktop's notifications.

They stand for the services where the question is what Postern asks and what it does with an answer; that the real ones give
these answers only a booted system can show.
"""

import threading
import time

from gi.repository import Gio, GLib

from busclient import connect
from receiver import PATIENCE_SECONDS


class Double:
    """A service with one object, on a thread of its own. A context manager."""

    def __init__(self, address, name, path, interface):
        self.address, self.name, self.path = address, name, path
        self.interface = Gio.DBusNodeInfo.new_for_xml(f"<node>{interface}</node>").interfaces[0]
        self.context = self.loop = self.connection = None
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        assert self.started.wait(PATIENCE_SECONDS)
        return self

    def __exit__(self, *_):
        self.context.invoke_full(GLib.PRIORITY_DEFAULT, self.loop.quit)
        self.thread.join(PATIENCE_SECONDS)

    def _run(self):
        self.context = GLib.MainContext.new()
        self.context.push_thread_default()
        self.loop = GLib.MainLoop.new(self.context, False)
        self.connection = connect(self.address)
        self.connection.register_object(self.path, self.interface, self._on_call, self._on_get, None)
        Gio.bus_own_name_on_connection(self.connection, self.name, Gio.BusNameOwnerFlags.NONE,
                                       lambda *_: self.started.set(), None)
        self.loop.run()
        self.connection.close_sync(None)
        self.context.pop_thread_default()

    def _on_call(self, connection, sender, path, interface, method, parameters, invocation):
        answer = self.call(method, parameters.unpack())
        if answer is not None:
            invocation.return_value(answer)

    def _on_get(self, connection, sender, path, interface, name):
        return self.get(name)

    def emit(self, interface, signal, arguments):
        self.connection.emit_signal(None, self.path, interface, signal, arguments)
        self.connection.flush_sync(None)

    def call(self, method, arguments):
        """The answer to a call; None: there is none."""

    def get(self, name):
        """The value of a property."""


POLKIT = """<interface name="org.freedesktop.PolicyKit1.Authority">
  <method name="CheckAuthorization">
    <arg type="(sa{sv})" direction="in"/> <arg type="s" direction="in"/> <arg type="a{ss}" direction="in"/>
    <arg type="u" direction="in"/> <arg type="s" direction="in"/> <arg type="(bba{ss})" direction="out"/>
  </method>
  <method name="CancelCheckAuthorization"><arg type="s" direction="in"/></method>
  <signal name="Changed"/>
  <property name="BackendName" type="s" access="read"/>
  <property name="BackendVersion" type="s" access="read"/>
  <property name="BackendFeatures" type="u" access="read"/>
</interface>"""


class Polkit(Double):
    """Answers as a test says, and notes what it was asked. answers: action -> "yes", "no", "password" (yes, but only if
    a person may be asked), "dismissed", or "silence"."""

    def __init__(self, address, **answers):
        super().__init__(address, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority", POLKIT)
        self.answers = {f"org.postern.relay1.{k.replace('_', '-')}": v for k, v in answers.items()}
        self.asked = []  # (action, interactive)

    def get(self, name):
        return GLib.Variant("s", "double")

    def call(self, method, arguments):
        if method == "CancelCheckAuthorization":
            return GLib.Variant("()", ())
        subject, action, _, flags, _ = arguments
        assert subject[0] == "system-bus-name" and subject[1]["name"].startswith(":")
        interactive = bool(flags & 1)
        self.asked.append((action.removeprefix("org.postern.relay1."), interactive))
        answer = self.answers.get(action, "no")
        if answer == "silence":
            return None
        authorized = answer == "yes" or (answer == "password" and interactive)
        challenge = answer == "password" and not interactive
        details = {"polkit.dismissed": "true"} if answer == "dismissed" else {}
        return GLib.Variant("((bba{ss}))", ((authorized, challenge, details),))


NETWORK_MANAGER = """<interface name="org.freedesktop.NetworkManager">
  <property name="Metered" type="u" access="read"/>
</interface>"""


class NetworkManager(Double):
    """Says whether the connection is metered: METERED["yes"] and so on."""

    METERED = {"unknown": 0, "yes": 1, "no": 2, "guess-yes": 3, "guess-no": 4}

    def __init__(self, address, metered):
        super().__init__(address, "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", NETWORK_MANAGER)
        self.metered = metered

    def get(self, name):
        return GLib.Variant("u", self.METERED[self.metered])

    def become(self, metered):
        self.metered = metered
        changed = GLib.Variant("(sa{sv}as)", (self.name, {"Metered": self.get("Metered")}, []))
        self.emit("org.freedesktop.DBus.Properties", "PropertiesChanged", changed)


LOGIND = """<interface name="org.freedesktop.login1.Manager">
  <signal name="PrepareForSleep"><arg name="start" type="b"/></signal>
</interface>"""


class Logind(Double):
    """Says that the machine goes to sleep, and wakes."""

    def __init__(self, address):
        super().__init__(address, "org.freedesktop.login1", "/org/freedesktop/login1", LOGIND)

    def is_heard(self):
        """Whether somebody has asked the bus for the signal."""
        rules = self.connection.call_sync(
            "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Debug.Stats", "GetAllMatchRules",
            None, GLib.VariantType("(a{sas})"), Gio.DBusCallFlags.NONE, -1, None).unpack()[0]
        return any("PrepareForSleep" in rule for owned in rules.values() for rule in owned)

    def wake(self):
        """A relay that has just started takes mail before it listens to this."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = threading.Event()
        while not self.is_heard():
            assert time.monotonic() < deadline, "nobody listens for PrepareForSleep"
            pause.wait(0.02)
        for start in True, False:
            self.emit("org.freedesktop.login1.Manager", "PrepareForSleep", GLib.Variant("(b)", (start,)))


NOTIFICATIONS = """<interface name="org.freedesktop.Notifications">
  <method name="Notify">
    <arg type="s" direction="in"/> <arg type="u" direction="in"/> <arg type="s" direction="in"/>
    <arg type="s" direction="in"/> <arg type="s" direction="in"/> <arg type="as" direction="in"/>
    <arg type="a{sv}" direction="in"/> <arg type="i" direction="in"/> <arg type="u" direction="out"/>
  </method>
</interface>"""


class Desktop(Double):
    """Keeps the notifications that it is to show."""

    def __init__(self, address):
        super().__init__(address, "org.freedesktop.Notifications", "/org/freedesktop/Notifications", NOTIFICATIONS)
        self.shown = []  # (summary, body, urgency)
        self.changed = threading.Condition()

    def call(self, method, arguments):
        _, _, _, summary, body, _, hints, _ = arguments
        with self.changed:
            self.shown.append((summary, body, hints["urgency"]))
            self.changed.notify_all()
            return GLib.Variant("(u)", (len(self.shown),))

    def wait(self, words):
        """Waits for a notification whose summary has the words; returns it."""
        with self.changed:
            found = lambda: [n for n in self.shown if words in n[0]]
            assert self.changed.wait_for(found, PATIENCE_SECONDS), f"no {words!r} in {self.shown}"
            return found()[0]
