# SPDX-License-Identifier: GPL-3.0-or-later
"""What one caller on the bus holds, leaves pending or floods: the others are served as before, and nothing is lost."""

import contextlib
import fcntl
import os
import pwd
import resource
import select
import socket
import struct
import subprocess
import threading

import pytest

from busclient import NAME, ROOT, BusError, Client, SystemBus
from gi.repository import Gio, GLib
from hanging import FLUSH, READ, HangingFile
from receiver import PATIENCE_SECONDS
from relay import environment

NOBODY = pwd.getpwnam("nobody").pw_uid
MESSAGE = b"From: a@example.org\r\nSubject: test\r\n\r\nhello\r\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be several users")


@pytest.fixture
def client(cleanup, bus):
    return cleanup.enter_context(Client(bus))


@pytest.fixture
def waiting(make_relay):
    """A relay without smarthost: what it gets it keeps."""
    return make_relay()


@pytest.fixture
def system(cleanup):
    return cleanup.enter_context(SystemBus())


def submit(client, data=MESSAGE):
    fd = os.memfd_create("content")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        return client.submit(fd)
    finally:
        os.close(fd)


def submit_aside(address, fd, results):
    """A call of another client, whose answer comes whenever it does: an id or a BusError."""
    def run():
        with Client(address) as other:
            try:
                results.append(other.submit(fd))
            except BusError as error:
                results.append(error)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


class PatientClient(Client):
    """Comes again as often as it is turned away: by the bus, which lets few descriptors wait for one who is called; or, where
    there are very few for all, by the relay."""

    def call(self, *arguments, **options):
        while True:
            try:
                return super().call(*arguments, **options)
            except BusError as refused:
                if refused.name not in ("org.freedesktop.DBus.Error.LimitsExceeded", "LimitExceeded"):
                    raise


def assert_served(relay, client):
    """Mail by the bus and by the local socket, and questions."""
    before = client.ids()
    identifier = submit(client)
    relay.sendmail("somebody@example.net")
    assert len(client.ids()) == len(before) + 2
    assert identifier in client.ids()


# ---- descriptors that hold who touches them ----


def test_a_byte_that_is_taken_back_holds_nobody(waiting, client, bus):
    """poll(2) says that there is something, and when it is read there is nothing."""
    reading, writing = os.pipe()
    own = os.open(f"/proc/self/fd/{reading}", os.O_RDONLY | os.O_NONBLOCK)
    assert not fcntl.fcntl(reading, fcntl.F_GETFL) & os.O_NONBLOCK
    results, stop = [], threading.Event()

    def tease():
        while not stop.is_set():
            os.write(writing, b"\n")
            try:
                os.read(own, 1)
            except BlockingIOError:
                pass  # the relay was faster

    teasing = threading.Thread(target=tease)
    slow = submit_aside(bus, reading, results)
    teasing.start()
    for _ in range(50):
        submit(client)
        client.ids()
    stop.set()
    teasing.join(PATIENCE_SECONDS)
    assert_served(waiting, client)
    assert not results
    os.close(writing)
    slow.join(PATIENCE_SECONDS)
    assert results[0] in client.ids()
    os.close(reading)
    os.close(own)


@pytest.mark.parametrize("make", [
    pytest.param(lambda: os.pipe(), id="pipe"),
    pytest.param(lambda: tuple(s.detach() for s in socket.socketpair()), id="socket"),
    pytest.param(lambda: tuple(reversed(os.openpty())), id="terminal"),
])
def test_who_says_nothing_holds_nobody(waiting, client, bus, make):
    """Several at once; terminals keep a thread each."""
    ends = [make() for _ in range(8)]
    results = []
    for reading, _ in ends:
        submit_aside(bus, reading, results)
    for _ in range(5):
        assert_served(waiting, client)
    assert not results
    for reading, writing in ends:
        os.close(reading)
        os.close(writing)


@needs_root
@pytest.mark.parametrize("hangs", [pytest.param(READ, id="read"), pytest.param(FLUSH, id="close")])
def test_a_file_whose_server_does_not_answer_holds_nobody(waiting, client, bus, hangs):
    results = []
    try:
        hanging = HangingFile(MESSAGE, hangs, waiting.pid)
    except OSError as error:
        pytest.skip(str(error))
    with hanging:
        fd = os.open(hanging.path, os.O_RDONLY)
        slow = submit_aside(bus, fd, results)
        hanging.wait_held()
        for _ in range(5):
            assert_served(waiting, client)
        hanging.let_go()
        slow.join(PATIENCE_SECONDS)
        with contextlib.suppress(OSError):
            os.close(fd)
    if hangs == READ:
        assert "cannot be read" in results[0].text
    else:
        assert results[0] in client.ids()
    assert_served(waiting, client)


# ---- callers that go ----


class Doomed:
    """A client in a process of its own, which submits what comes through its standard input, and can be killed."""

    PROGRAM = r"""
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from busclient import Client
# Before the connection: what a process opened last is closed first.
reading, writing = reversed(os.openpty()) if sys.argv[3] == "terminal" else os.pipe()
client = Client(sys.argv[2])
threading.Thread(target=lambda: client.submit(reading), daemon=True).start()
print("ready", flush=True)
while data := os.read(0, 1000):
    os.write(writing, data)
"""

    def __init__(self, address, kind):
        folder = os.path.dirname(os.path.abspath(__file__))
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", self.PROGRAM, folder, address, kind],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        assert self.process.stdout.readline() == b"ready\n"

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_half_a_message_of_a_client_that_was_killed_is_dropped(waiting, client, bus, kind):
    client.gather()
    client.call("Subscribe", "(a{sv})", {})
    for _ in range(10):
        doomed = Doomed(bus, kind)
        doomed.write(b"Subject: half\n\nThis is the first half of")
        doomed.kill()
    submit(client)
    client.wait_named("MessageQueued")
    assert len(client.ids()) == 1


def test_a_client_that_leaves_the_bus_is_not_waited_for(waiting, client, bus):
    """Its writer goes on: nobody would hear that the message was taken."""
    reading, writing = os.pipe()
    with Client(bus) as leaving:
        fds = leaving.connection
        submit_without_waiting(leaving, reading)
        fds.flush_sync(None)
        os.write(writing, MESSAGE)
        assert_served(waiting, client)
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        while True:
            os.write(writing, b"more\r\n" * 1000)
    os.close(writing)
    assert len(client.ids()) == 2


# ---- more than there may be ----


def submit_without_waiting(client, fd, recipients=("recipient@example.net",)):
    fds = Gio.UnixFDList.new()
    fds.append(fd)
    client.connection.call_with_unix_fd_list(
        NAME, ROOT, f"{NAME}.Manager", "SubmitMessage", GLib.Variant("(hsasa{sv})", (0, "", list(recipients), {})), None,
        Gio.DBusCallFlags.NONE, -1, fds, None, None)


class Greedy:
    """The user nobody, with very many connections and calls that do not come to an end."""

    PROGRAM = r"""
import os, sys
sys.path.insert(0, sys.argv[1])
from busclient import Client
from test_greedy import submit_without_waiting
os.setgroups([]); os.setgid(65534); os.setuid(int(sys.argv[3]))
writing, reading = os.openpty() if sys.argv[6] == "terminal" else reversed(os.pipe())
clients = [Client(sys.argv[2]) for _ in range(int(sys.argv[4]))]
for _ in range(int(sys.argv[5])):
    for client in clients:
        submit_without_waiting(client, reading)
for client in clients:
    client.connection.flush_sync(None)
print("ready", flush=True)
sys.stdin.read()
"""

    def __init__(self, address, connections, calls, kind="pipe"):
        folder = os.path.dirname(os.path.abspath(__file__))
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", self.PROGRAM, folder, address, str(NOBODY), str(connections), str(calls),
             kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(HOME="/", PYTHONDONTWRITEBYTECODE="1"))

    def is_ready(self):
        """Whether all calls are on their way."""
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdin.close()
        self.process.stdout.close()


def descriptors_of(process):
    return len(os.listdir(f"/proc/{process}/fd"))


@needs_root
@pytest.mark.parametrize("most", [pytest.param(16384, id="as-the-unit"), pytest.param(200, id="few")])
def test_calls_without_end_leave_others_theirs(make_relay, system, cleanup, most):
    """More than the bus lets through, of a user who may have 256 connections and 128 calls by each of them."""
    relay = make_relay(bus="system", variables=system.variables, command=["prlimit", f"--nofile={most}:{most}"])
    client = cleanup.enter_context(PatientClient(system.address))
    before = descriptors_of(relay.pid)
    with Greedy(system.address, connections=200, calls=110) as greedy:
        while not greedy.is_ready():
            assert_served(relay, client)
        for _ in range(5):
            assert_served(relay, client)
        assert descriptors_of(relay.pid) < most
    while descriptors_of(relay.pid) > before + 2:
        client.ids()
    assert_served(relay, client)
    assert "abort" not in relay.log_text()


@needs_root
def test_calls_that_are_refused_leave_nothing_open(make_relay, system, cleanup):
    """Reading a terminal on which nobody types keeps a thread; what comes beyond the user's share must not wait for one."""
    relay = make_relay(bus="system", variables=system.variables)
    client = cleanup.enter_context(PatientClient(system.address))
    with Greedy(system.address, connections=100, calls=100, kind="terminal") as greedy:
        while not greedy.is_ready():
            assert_served(relay, client)
        for _ in range(5):
            assert_served(relay, client)
        # The user's share, and those that are just being closed.
        assert descriptors_of(relay.pid) < 1000
    assert_served(relay, client)


@needs_root
def test_running_out_of_descriptors_is_an_answer(make_relay, system, cleanup):
    """As many as are open, and no more: whatever is asked for is refused, and goes on when there are some again."""
    relay = make_relay(bus="system", variables=system.variables)
    client = cleanup.enter_context(Client(system.address))
    assert_served(relay, client)
    soft, hard = resource.prlimit(relay.pid, resource.RLIMIT_NOFILE)
    lowest = max(int(name) for name in os.listdir(f"/proc/{relay.pid}/fd")) + 1
    for most in range(lowest, lowest + 6):
        resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, (most, hard))
        identifier = client.ids()[0]
        for call in (lambda: submit(client),
                     lambda: os.close(client.call("OpenList", "(a{sv})", {})),
                     lambda: os.close(client.call("OpenContent", path=f"/org/postern/Relay1/message/{identifier}",
                                                  interface="Message"))):
            try:
                call()
            except BusError as refused:
                assert refused.name in ("LimitExceeded", "Failed")
    resource.prlimit(relay.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert_served(relay, client)


def many_strings(text, count):
    """The value ["text", "text", …], made of the bytes that it has on the bus: one by one it would take this program long."""
    item = text.encode() + b"\0"
    ends = struct.pack(f"<{count}I", *range(len(item), len(item) * count + 1, len(item)))
    return GLib.Variant.new_from_bytes(GLib.VariantType("as"), GLib.Bytes(item * count + ends), True)


def test_more_recipients_than_there_may_be_are_refused_at_once(waiting, client, figure):
    before = waiting.memory_kib("VmRSS")
    recipients = many_strings("a@b.example", 1_600_000)
    with open("/dev/null", "rb") as nothing:
        fds = Gio.UnixFDList.new()
        fds.append(nothing.fileno())
        parameters = GLib.Variant.new_tuple(GLib.Variant("h", 0), GLib.Variant("s", ""), recipients, GLib.Variant("a{sv}", {}))
        with pytest.raises(GLib.Error) as refused:
            client.connection.call_with_unix_fd_list_sync(NAME, ROOT, f"{NAME}.Manager", "SubmitMessage", parameters, None,
                                                          Gio.DBusCallFlags.NONE, PATIENCE_SECONDS * 1000, fds, None)
    assert "Error.LimitExceeded" in refused.value.message
    assert "1600000 recipients" in refused.value.message
    assert "MaxRecipients=" in refused.value.message
    figure(f"memory after 1.6 million recipients: {waiting.memory_kib('VmRSS') - before} KiB more")
    assert_served(waiting, client)


@needs_root
def test_subscriptions_have_a_share(make_relay, system, cleanup):
    make_relay(bus="system", variables=system.variables)
    for _ in range(300):
        subscriber = cleanup.enter_context(Client(system.address))
        try:
            subscriber.call("Subscribe", "(a{sv})", {})
        except BusError as refused:
            assert refused.name == "LimitExceeded"
            return
    pytest.fail("there is no limit")


def submit_for_many(client, count, sender=""):
    with open("/dev/null", "rb") as nothing:
        return client.submit(nothing.fileno(), sender, [f"r{i}@example{i % 7}.net" for i in range(count)])


def answers_until_done(client, address, busy):
    """Calls busy(client) aside, with a client of its own. Returns what it returned, and how often others were answered since it
    called its second argument, until its end."""
    begun, returned = [], []

    def run():
        with Client(address) as other:
            returned.append(busy(other, lambda: begun.append(True)))

    thread = threading.Thread(target=run)
    thread.start()
    answered = 0
    while thread.is_alive():
        client.call("GetStatistics")
        answered += len(begun)
    thread.join()
    assert returned, "see the exception of the thread"
    return returned[0], answered


def wait_gone(client, identifier):
    while identifier in (ids := client.ids()):
        pass
    return ids


def test_a_message_for_very_many_holds_nobody(make_relay, client, bus):
    """Others are answered between its beginning and its end: when it comes, when it is told, and when it goes."""
    relay = make_relay(configuration={"Server": {"MaxRecipients": 100_000}})

    def tell(other, begin):
        identifier = submit_for_many(other, 100_000)
        begin()
        return len(other.message(identifier)["Recipients"])

    told, answered = answers_until_done(client, bus, tell)
    assert told == 100_000
    assert answered > 100, "nobody else was served while the message was told"
    assert_served(relay, client)


def recipients_of_notice(client, identifier):
    """Those whom the only part for programs names."""
    fd = client.call("OpenContent", path=f"/org/postern/Relay1/message/{identifier}", interface="Message")
    with os.fdopen(fd, "rb") as stream:
        content = stream.read()
    return content.count(b"\r\nFinal-Recipient: rfc822; r")


def test_giving_up_a_message_for_very_many_holds_nobody(make_relay, client, bus):
    """The notice about it, which names each of them, is made while others are served."""
    relay = make_relay(configuration={"Server": {"MaxRecipients": 100_000}})
    identifier = submit_for_many(client, 100_000, sender="a@example.org")

    def give_up(other, begin):
        assert other.act("Bounce", ids=[identifier]) == 1
        begin()
        return wait_gone(other, identifier)

    notices, answered = answers_until_done(client, bus, give_up)
    assert len(notices) == 1
    assert answered > 100, "nobody else was served while the notice was made"
    assert recipients_of_notice(client, notices[0]) == 100_000
    while client.call("GetStatistics")["bounced"] < 100_000:
        pass
    relay.log.wait(" bounced", count=1000)  # each entry has a hundred of them
    assert_served(relay, client)


def test_deleting_a_message_for_very_many_holds_nobody(make_relay, client, bus):
    relay = make_relay(configuration={"Server": {"MaxRecipients": 100_000}})
    identifier = submit_for_many(client, 100_000)

    def delete(other, begin):
        for action in ("Hold", "Release", "Hold", "Release"):
            assert other.act(action, ids=[identifier]) == 1
            begin()
        assert other.act("Delete", ids=[identifier]) == 1
        return wait_gone(other, identifier)

    left, answered = answers_until_done(client, bus, delete)
    assert left == []
    assert answered > 20, "nobody else was served while the message was steered"
    assert_served(relay, client)


def test_what_a_server_says_of_very_many_holds_nobody(make_relay, make_receiver, client, bus):
    receiver = make_receiver()
    relay = make_relay(receiver, configuration={"Server": {"MaxRecipients": 20_000}})

    def deliver(other, begin):
        identifier = submit_for_many(other, 20_000, sender="a@example.org")
        begin()
        return wait_gone(other, identifier)

    left, answered = answers_until_done(client, bus, deliver)
    assert left == []
    assert answered > 100, "nobody else was served while the message was delivered"
    while client.call("GetStatistics")["delivered"] < 20_000:
        pass
    relay.log.wait("delivered to ", count=200)
