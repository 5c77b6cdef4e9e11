# SPDX-License-Identifier: GPL-3.0-or-later
"""Postern in a booted machine: its configuration, its units, and its commands, run as one user or another."""

import json
import smtplib
import time

from machine import UNIT_SUCCEEDED
from network import WORLD_ADDRESS, in_namespace
from receiver import PATIENCE_SECONDS
from relay import configuration_text

SERVICE = "postern.service"
SOCKET = "postern.socket"
CONFIGURATION = "/etc/postern/postern.conf"
CREDENTIALS = "/etc/postern/credentials"


# Calls the relay on the bus: lists the queue, and submits a message. Prints "called", "sent SUBJECT", or what failed.
CALLER = """
import os, random, sys, tempfile, time
from gi.repository import Gio, GLib
count, longest_pause = int(sys.argv[1]), float(sys.argv[2])
chance = random.Random("caller")
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
def call(what, method, arguments, fds=None):
    try:
        bus.call_with_unix_fd_list_sync("org.postern.Relay1", "/org/postern/Relay1", "org.postern.Relay1.Manager",
                                        method, arguments, None, Gio.DBusCallFlags.NONE, 50000, fds)
        print(what, flush=True)
    except GLib.Error as error:
        print("failed", error.message, flush=True)
    time.sleep(chance.random() * longest_pause)
for number in range(count):
    call("called", "GetStatistics", None)
    with tempfile.TemporaryFile() as file:
        file.write(f"Subject: bus-{number}\\n\\nhello\\n".encode())
        file.seek(0)
        call(f"sent bus-{number}", "SubmitMessage", GLib.Variant("(hsasa{sv})", (0, "a@example.org", ["b@example.net"], {})),
             Gio.UnixFDList.new_from_array([os.dup(file.fileno())]))
"""


class LoopbackSMTP(smtplib.SMTP):
    """A session of smtplib with port 25 of the machine's loopback, held by root."""

    def __init__(self, network, **options):
        self.network = network
        super().__init__("127.0.0.1", 25, timeout=PATIENCE_SECONDS, **options)

    def _get_socket(self, host, port, timeout):
        return in_namespace(self.network.machine, lambda: super(LoopbackSMTP, self)._get_socket(host, port, timeout))

    def send_raw(self, sender, recipients, content, options=("BODY=8BITMIME",)):
        """Sends one message, whose line ends stay as they are; returns the recipients that were refused."""
        stuffed = b"".join(b"." + line if line.startswith(b".") else line for line in content.splitlines(keepends=True))
        end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
        return self.send_octets(sender, recipients, stuffed + end, options)

    def send_octets(self, sender, recipients, octets, options=("BODY=8BITMIME",)):
        """Sends octets as they are for a message and its end."""
        self.ehlo_or_helo_if_needed()
        self.command_encoding = "utf-8" if "SMTPUTF8" in options else "ascii"
        code, text = self.mail(sender, options)
        assert code == 250, text
        refused = [one for one in recipients if self.rcpt(one)[0] != 250]
        code, text = self.docmd("DATA")
        assert code == 354, text
        self.send(octets)
        code, text = self.getreply()
        assert code == 250, text
        return refused


class Gate:
    def __init__(self, machine):
        self.machine = machine
        self.began = machine.journal.mark()

    def reset(self):
        """As after the installation."""
        self.machine.shell(f"""
            systemctl stop {SOCKET} {SERVICE} postern-submission.socket
            rm -rf /var/lib/postern/* {CREDENTIALS}/* /etc/postern/postern.conf.d/* \\
                   /etc/systemd/system/postern*.d /run/systemd/system/postern*.d
            systemctl daemon-reload
            systemctl reset-failed
            systemctl start {SOCKET}""")
        self.configure("")
        self.began = self.machine.journal.mark()

    # ---- configuration ----

    def configure(self, configuration):
        """Writes postern.conf; a running relay does not know of it yet."""
        text = configuration if isinstance(configuration, str) else configuration_text(configuration)
        self.machine.write(CONFIGURATION, text)

    def send_to(self, receiver, **groups):
        """Makes the receiver the smarthost."""
        security = {None: "none", "starttls": "starttls", "implicit": "implicit"}[receiver.tls]
        smarthost = {"Host": WORLD_ADDRESS, "Port": receiver.port, "TLS": security}
        self.configure({**groups, "Smarthost": {**smarthost, **groups.get("Smarthost", {})}})

    def drop_in(self, text, unit=SERVICE, name="test.conf"):
        """Changes a unit, as `systemctl edit --runtime` does."""
        self.machine.write(f"/run/systemd/system/{unit}.d/{name}", text)
        self.machine.run("systemctl", "daemon-reload")

    # ---- commands ----

    def sendmail(self, *recipients, text="Subject: test\n\nhello\n", user=None, **options):
        return self.machine.run("sendmail", *(recipients or ["you@example.net"]), input=text, user=user, **options)

    def postern(self, *arguments, user=None, **options):
        return self.machine.run("postern", *arguments, user=user, **options)

    def queue(self, user=None):
        """The list of messages."""
        return json.loads(self.postern("list", "--json", user=user).stdout)

    def wait_empty(self):
        """Waits until nothing is in the queue: what a receiver has is still there until that is on the disk."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left := self.queue():
            assert time.monotonic() < deadline, f"the queue does not become empty: {left}"

    def smtp(self, **options):
        return LoopbackSMTP(self.machine.network, **options)

    # ---- what happened ----

    def wait(self, pattern=None, **fields):
        """Waits for an entry of the relay's in the journal, written since the test began."""
        return self.machine.journal.wait(pattern, since=fields.pop("since", self.began), _SYSTEMD_UNIT=SERVICE, **fields)

    def find(self, pattern=None, **fields):
        return self.machine.journal.find(pattern, since=fields.pop("since", self.began), _SYSTEMD_UNIT=SERVICE, **fields)

    def wait_unit(self, message_id, unit=SERVICE, **options):
        """Waits until systemd says this of a unit."""
        return self.machine.journal.wait(since=options.pop("since", self.began), UNIT=unit, MESSAGE_ID=message_id, **options)

    def wait_until_asleep(self):
        """Waits until the relay has ended by itself, having been woken once more."""
        self.postern("status")
        # The one that was there before may be ending meanwhile.
        self.wait_unit(UNIT_SUCCEEDED, INVOCATION_ID=self.machine.show(SERVICE, "InvocationID"))

    def wait_subscribed(self):
        """Waits until the relay has a subscriber."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while json.loads(self.postern("stats", "--json").stdout)["subscribers"] == 0:
            assert time.monotonic() < deadline, "nobody subscribed"

    @property
    def state(self):
        return self.machine.state(SERVICE)
