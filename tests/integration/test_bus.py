# SPDX-License-Identifier: GPL-3.0-or-later
"""The D-Bus interface: what is in its description, and what it does, for whom."""

import base64
import json
import os
import pwd
import re
import socket
import subprocess
import threading
import time
import xml.etree.ElementTree

import pytest

from busclient import INTERFACES, NAME, ROOT, BusError, Client, SystemBus, choose, described
from doubles import Polkit
from gi.repository import GLib
from receiver import PATIENCE_SECONDS
from relay import POSTERN, SENDMAIL, environment, for_everybody

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


@pytest.fixture
def shared(make_relay, system, cleanup):
    """A relay on a bus for all users, without smarthost: (relay, a client who is root)."""
    relay = make_relay(bus="system", variables=system.variables)
    relay.folder.chmod(0o755)
    relay.socket.chmod(0o777)
    return relay, cleanup.enter_context(Client(system.address))


def content_fd(data=MESSAGE):
    """A file descriptor to read data from."""
    fd = os.memfd_create("content")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def submit(client, *arguments, data=MESSAGE, **options):
    fd = content_fd(data)
    try:
        return client.submit(fd, *arguments, **options)
    finally:
        os.close(fd)


def as_nobody(command, system, **options):
    """Runs postern as the user nobody on the system bus."""
    return subprocess.run([for_everybody(POSTERN), "--bus=system", *command], user="nobody", group="nogroup", extra_groups=[],
                          env=environment(**system.variables, HOME="/"), stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, check=False, timeout=PATIENCE_SECONDS, **options)


def send_as_nobody(relay, recipient="recipient@example.net"):
    """A message that the user nobody submits by the local socket."""
    subprocess.run([for_everybody(SENDMAIL), "-f", "nobody@example.org", recipient], input="Subject: mine\n\nx\n", text=True,
                   env=environment(POSTERN_SOCKET=relay.socket, HOME="/"), user="nobody", group="nogroup",
                   extra_groups=[], check=True, timeout=PATIENCE_SECONDS)


# ---- the description ----


def test_introspection_is_the_file(waiting, client):
    identifier = submit(client)
    wanted = described(INTERFACES.read_text(encoding="utf-8"))
    for path, interface in ((ROOT, "Manager"), (f"{ROOT}/message/{identifier}", "Message")):
        text = client.call("Introspect", path=path, interface="org.freedesktop.DBus.Introspectable")
        assert described(text)[f"{NAME}.{interface}"] == wanted[f"{NAME}.{interface}"]


def test_introspection_of_a_remote_is_the_file(relay, client):
    text = client.call("Introspect", path=f"{ROOT}/remote/default", interface="org.freedesktop.DBus.Introspectable")
    wanted = described(INTERFACES.read_text(encoding="utf-8"))
    assert described(text)[f"{NAME}.Remote"] == wanted[f"{NAME}.Remote"]


def test_every_member_is_documented():
    text = INTERFACES.read_text(encoding="utf-8")
    comments = {}
    for comment in re.findall(r"<!--(.*?)-->", text, re.S):
        head = re.match(r"\s*([A-Za-z0-9.]+):", comment)
        if head:
            comments.setdefault(head[1], []).append(comment)
    for interface in xml.etree.ElementTree.fromstring(text).iter("interface"):
        assert interface.get("name") in comments
        for member in interface:
            if member.tag == "annotation":
                continue
            documented = comments.get(member.get("name"), [])
            assert documented, f"{member.get('name')} has no documentation"
            for argument in member.iter("arg"):
                assert any(f"@{argument.get('name')}:" in comment for comment in documented), \
                    f"{member.get('name')} does not document {argument.get('name')}"


def test_messages_are_not_enumerated(waiting, client):
    identifier = submit(client)
    text = client.call("Introspect", path=f"{ROOT}/message", interface="org.freedesktop.DBus.Introspectable")
    assert identifier not in text


# ---- listing ----


def test_a_row_tells_what_a_list_needs(waiting, client):
    before = time.time_ns() // 1000
    identifier = submit(client, "a@example.org", ["one@example.net", "two@example.net"])
    (row,), cursor = client.list()
    assert cursor == ""
    assert row[0] == identifier
    assert row[1] == "deferred"
    assert row[2:7] == (os.geteuid(), "a@example.org", "one@example.net", 2, 2)
    assert row[7] >= len(MESSAGE)
    assert before <= row[8] <= time.time_ns() // 1000
    assert row[10] == 0
    assert "no smarthost" in row[11]


def test_pages_show_each_message_once_in_order(waiting, client):
    identifiers = [submit(client) for _ in range(7)]
    seen, cursor, pages = [], "", 0
    while True:
        rows, cursor = client.list(cursor=cursor, limit=3)
        assert len(rows) <= 3
        seen += [row[0] for row in rows]
        pages += 1
        if not cursor:
            break
        if pages == 1:  # what comes and goes between two pages
            client.act("Delete", ids=[identifiers[0], identifiers[4]])
            identifiers.append(submit(client))
    assert seen == sorted(seen)
    assert seen == identifiers[:4] + identifiers[5:]


def test_filters_choose(waiting, client):
    first = submit(client, "a@example.org", ["one@example.net", "two@example.com"])
    middle = time.time_ns() // 1000
    second = submit(client, "", ["one@example.net"])
    third = submit(client, "b@example.org", ["three@example.com"])
    client.act("Hold", ids=[third])
    for criteria, expected in (
            ({}, [first, second, third]),
            ({"ids": [third, first]}, [first, third]),
            ({"ids": []}, []),
            ({"state": "held"}, [third]),
            ({"state": "deferred"}, [first, second]),
            ({"sender": "a@EXAMPLE.org"}, [first]),
            ({"sender": ""}, [second]),
            ({"recipient": "one@example.net"}, [first, second]),
            ({"domain": "example.com"}, [first, third]),
            ({"domain": "example.com", "state": "held"}, [third]),
            ({"user": os.geteuid()}, [first, second, third]),
            ({"user": 4000000}, []),
            ({"before": middle}, [first]),
            ({"remote": "nowhere.example:25"}, []),
            ({"everyone": True}, [first, second, third])):
        assert client.ids(**criteria) == expected, criteria


def test_a_filter_by_remote(make_relay, client, receiver):
    receiver.on("RCPT", "451 4.7.1 come later")
    relay = make_relay(receiver)
    identifier = submit(client)
    relay.wait_line("has to wait")
    remote = client.message(identifier)["Recipients"][0][4]
    assert remote.startswith(receiver.host)
    assert client.ids(remote=remote) == [identifier]
    assert relay.queue()[0]["id"] == identifier


@pytest.mark.parametrize("criteria, words", [
    ({"colour": GLib.Variant("s", "red")}, "colour"),
    ({"state": GLib.Variant("s", "lost")}, "lost"),
    ({"state": GLib.Variant("u", 1)}, "state"),
    ({"ids": GLib.Variant("as", ["not an id"])}, "not an id"),
    ({"user": GLib.Variant("s", "root")}, "user"),
    ({"before": GLib.Variant("t", 0)}, "before"),
    ({"sender": GLib.Variant("s", "two words@example.org")}, "sender"),
])
@pytest.mark.parametrize("method", ["ListMessages", "Retry", "Hold", "Release", "Delete", "Bounce"])
def test_a_bad_filter_touches_nothing(waiting, client, method, criteria, words):
    identifier = submit(client)
    with pytest.raises(BusError) as refused:
        if method == "ListMessages":
            client.call(method, "(a{sv}su)", criteria, "", 0)
        else:
            client.call(method, "(a{sv})", criteria)
    assert refused.value.name == "InvalidFilter"
    assert words in refused.value.text
    assert client.message(identifier)["State"] == "deferred"


def test_a_bad_cursor_is_refused(waiting, client):
    with pytest.raises(BusError) as refused:
        client.list(cursor="page two")
    assert refused.value.name == "InvalidArgument"
    assert "page two" in refused.value.text


# ---- one message ----


def test_a_message_tells_all_about_itself(waiting, client):
    identifier = submit(client, "a@example.org", ["one@example.net", "two@example.net"],
                        **{"envelope-id": GLib.Variant("s", "QQ314")})
    assert client.call("GetMessage", "(s)", identifier) == f"{ROOT}/message/{identifier}"
    properties = client.message(identifier)
    assert properties["Id"] == identifier
    assert properties["State"] == "deferred"
    assert "no smarthost" in properties["Reason"]
    assert properties["Sender"] == "a@example.org"
    assert [r[:2] for r in properties["Recipients"]] == [("one@example.net", "pending"), ("two@example.net", "pending")]
    assert properties["Pending"] == 2
    assert properties["User"] == os.geteuid()
    assert properties["Protocol"] == "dbus"
    assert properties["EnvelopeId"] == "QQ314"
    assert properties["SmtpUtf8"] is False
    for name, value in properties.items():
        assert client.call("Get", "(ss)", f"{NAME}.Message", name, path=f"{ROOT}/message/{identifier}",
                           interface="org.freedesktop.DBus.Properties") == value, name


def test_replies_of_the_remote_are_told(make_relay, client, receiver):
    receiver.on("RCPT", "451 4.7.1 caf\u00e9 is closed")
    relay = make_relay(receiver)
    identifier = submit(client, "a@example.org", ["one@example.net"])
    relay.wait_line("has to wait")
    properties = client.message(identifier)
    address, state, attempts, last, remote, status, reply = properties["Recipients"][0]
    assert (address, state, attempts, status) == ("one@example.net", "pending", 1, "4.7.1")
    assert abs(last - time.time_ns() // 1000) < PATIENCE_SECONDS * 1000000
    assert str(receiver.port) in remote
    assert "is closed" in reply
    assert "is closed" in properties["Reason"]
    assert properties["NextAttempt"] > time.time_ns() // 1000
    assert any("is closed" in text for _, text in properties["History"])


def test_a_message_that_is_not_there(waiting, client):
    for identifier in ("0000000000001", submit(client)):
        client.act("Delete", ids=[identifier])
        path = f"{ROOT}/message/{identifier}"
        for call in (lambda: client.call("GetMessage", "(s)", identifier),
                     lambda: client.message(identifier),
                     lambda: client.call("Hold", path=path, interface="Message"),
                     lambda: client.call("OpenContent", path=path, interface="Message")):
            with pytest.raises(BusError) as refused:
                call()
            assert refused.value.name == "NoSuchMessage"
            assert identifier in refused.value.text


def test_an_id_that_is_none(waiting, client):
    for text in ("", "x", "../message", "a" * 500):
        with pytest.raises(BusError) as refused:
            client.call("GetMessage", "(s)", text)
        assert refused.value.name == "InvalidArgument"
    with pytest.raises(BusError) as refused:
        client.message("nonsense")
    assert refused.value.name.startswith("org.freedesktop.DBus.Error.Unknown")


# ---- steering ----


def test_steering_by_filter_counts_what_it_touched(waiting, client):
    identifiers = [submit(client, "a@example.org"), submit(client, "b@example.org"), submit(client, "b@example.org")]
    assert client.act("Hold", sender="b@example.org") == 2
    assert client.ids(state="held") == identifiers[1:]
    assert client.act("Release", ids=[identifiers[1]]) == 1
    assert client.ids(state="held") == identifiers[2:]
    assert client.act("Retry") >= 2
    assert client.act("Delete", state="held") == 1
    assert client.ids() == identifiers[:2]
    assert client.act("Delete", ids=[identifiers[0], "0000000000001"]) == 1
    assert client.act("Delete", ids=[]) == 0
    assert client.act("Delete") == 1
    assert client.ids() == []
    assert client.act("Delete") == 0


def test_steering_one_message(waiting, client):
    identifier, other = submit(client), submit(client)
    path = f"{ROOT}/message/{identifier}"
    client.call("Hold", path=path, interface="Message")
    assert client.message(identifier)["State"] == "held"
    assert client.message(other)["State"] == "deferred"
    client.call("Release", path=path, interface="Message")
    assert client.message(identifier)["State"] == "deferred"
    client.call("Retry", path=path, interface="Message")
    client.call("Delete", path=path, interface="Message")
    assert client.ids() == [other]


def test_what_was_steered_survives_a_crash(waiting, client):
    held, deleted = submit(client), submit(client)
    client.act("Hold", ids=[held])
    client.act("Delete", ids=[deleted])
    waiting.kill9()
    waiting.start()
    assert client.ids() == [held]
    assert client.message(held)["State"] == "held"


def test_a_retry_delivers_what_was_put_off(make_relay, client, receiver):
    receiver.on("RCPT", "451 4.7.1 come later", times=1)
    relay = make_relay(receiver)
    identifier = submit(client)
    relay.wait_line("has to wait")
    assert client.act("Retry", ids=[identifier]) == 1
    receiver.wait_messages(1)


# ---- submitting ----


def test_a_submitted_message_is_delivered(relay, client, receiver):
    data = b"Subject: by descriptor\nBcc: secret@example.org\n\n.dot\nbare \nlast line without end"
    client.gather()
    client.call("Subscribe", "(a{sv})", {})
    identifier = submit(client, "a", ["one@example.net", "two"], data=data,
                        notify=GLib.Variant("s", "success,delay"), **{"return": GLib.Variant("s", "headers")})
    message = receiver.wait_messages(1)[0]  # a notice of success may have followed
    assert message.sender == "a@example.org"
    assert sorted(message.recipients) == ["one@example.net", "two@example.org"]
    assert b"\r\n.dot\r\nbare \r\nlast line without end\r\n" in message.content
    assert b"secret" not in message.content
    for field in (b"Received: ", b"Date: ", b"Message-ID: ", b"From: "):
        assert b"\r\n" + field in b"\r\n" + message.content
    assert identifier.encode() in message.content
    client.wait_named("MessageRemoved")


@pytest.mark.parametrize("make", [os.pipe, lambda: [end.detach() for end in socket.socketpair()]])
def test_content_comes_through_a_pipe_or_a_socket(waiting, client, make):
    reading, writing = make()
    body = b"Subject: slow\r\n\r\n" + b"a line of some length\r\n" * 20000

    def write():
        with open(writing, "wb") as stream:
            for start in range(0, len(body), 50000):
                stream.write(body[start:start + 50000])
                stream.flush()

    thread = threading.Thread(target=write)
    thread.start()
    identifier = client.submit(reading)
    thread.join()
    os.close(reading)
    assert client.message(identifier)["Size"] > len(body)


def test_a_slow_writer_holds_up_nobody(waiting, client, bus):
    reading, writing = os.pipe()
    results = []
    slow = threading.Thread(target=lambda: results.append(Client(bus).submit(reading)))
    slow.start()
    os.write(writing, b"Subject: half")
    identifiers = [submit(client) for _ in range(3)]
    assert client.ids() == identifiers
    os.write(writing, b" a message\r\n\r\nbody\r\n")
    os.close(writing)
    slow.join(PATIENCE_SECONDS)
    os.close(reading)
    assert sorted(client.ids()) == sorted(identifiers + results)


@pytest.mark.parametrize("sender, recipients, options, words", [
    ("", [], {}, "recipient"),
    ("two words@example.org", ["a@example.org"], {}, "sender"),
    ("", ["x@y@z.example"], {}, "x@y@z.example"),
    ("", ["a@example.org"], {"colour": GLib.Variant("s", "red")}, "colour"),
    ("", ["a@example.org"], {"notify": GLib.Variant("s", "always")}, "always"),
])
def test_a_bad_envelope_is_refused(waiting, client, sender, recipients, options, words):
    with pytest.raises(BusError) as refused:
        submit(client, sender, recipients, **options)
    assert refused.value.name == "InvalidArgument"
    assert words in refused.value.text
    assert client.ids() == []


def test_a_submission_without_a_descriptor(waiting, client):
    with pytest.raises(BusError) as refused:
        client.call("SubmitMessage", "(hsasa{sv})", 0, "", ["a@example.org"], {})
    assert refused.value.name == "InvalidArgument"


def test_a_submission_that_cannot_be_read(waiting, client):
    fd = os.open("/", os.O_RDONLY)
    with pytest.raises(BusError) as refused:
        client.submit(fd)
    os.close(fd)
    assert refused.value.name == "Failed"
    assert client.ids() == []


def test_a_message_that_is_too_large(make_relay, client):
    make_relay(configuration={"Server": {"MaxMessageSize": "64K"}})
    with pytest.raises(BusError) as refused:
        submit(client, data=MESSAGE + b"x" * 70 + b"\r\n" * 100000)
    assert refused.value.name == "LimitExceeded"
    assert client.ids() == []


def test_a_user_who_has_too_many(make_relay, client):
    make_relay(configuration={"Queue": {"MaxUserMessages": "2"}})
    submit(client)
    submit(client)
    with pytest.raises(BusError) as refused:
        submit(client)
    assert refused.value.name == "LimitExceeded"


# ---- content ----


def read_all(fd):
    with open(fd, "rb") as stream:
        return stream.read()


def test_content_is_what_would_be_delivered(make_relay, client, make_receiver):
    receiver = make_receiver(up=False)
    make_relay(receiver)
    identifier = submit(client, data=b"Subject: x\n\n.\n..\nend")
    path = f"{ROOT}/message/{identifier}"
    content = read_all(client.call("OpenContent", path=path, interface="Message"))
    assert len(content) == client.message(identifier)["Size"]
    receiver.start()
    client.act("Retry")
    assert receiver.wait_messages(1)[0].content == content


def test_content_of_any_size_in_little_memory(waiting, client, figure):
    body = b"Subject: large\r\n\r\n" + (b"0123456789" * 7 + b"\r\n") * 600000
    identifier = submit(client, data=body)
    path = f"{ROOT}/message/{identifier}"
    unread = [client.call("OpenContent", path=path, interface="Message") for _ in range(8)]
    before = waiting.memory_kib("VmRSS")
    content = read_all(client.call("OpenContent", path=path, interface="Message"))
    assert content.endswith(body[-1000:])
    assert len(content) == client.message(identifier)["Size"]
    growth = waiting.memory_kib("VmHWM") - before
    figure(f"content of {len(content) >> 20} MiB read over D-Bus: daemon grew by {growth} KiB")
    for fd in unread:
        os.close(fd)


def open_list(client, **criteria):
    """The rows of OpenList as ListMessages has them, and whether the list is complete."""
    data = read_all(client.call("OpenList", "(a{sv})", choose(**criteria)))
    fields = data.split(b"\0")[:-1]
    complete = len(fields) % 12 == 1 and fields[-1] == b""
    rows = []
    for at in range(0, len(fields) // 12 * 12, 12):
        row = [field.decode() for field in fields[at:at + 12]]
        rows.append(tuple(int(field) if number in (2, 5, 6, 7, 8, 9, 10) else field for number, field in enumerate(row)))
    return rows, complete


def test_an_opened_list_has_what_pages_have(waiting, client):
    assert open_list(client) == ([], True)
    first = submit(client, "a@example.org", ["one@example.net", "two@example.net"])
    held = submit(client, "")
    client.act("Hold", ids=[held])
    assert [row[0] for row in client.list()[0]] == [first, held]
    assert open_list(client) == (client.list()[0], True)
    assert open_list(client, state="held") == (client.list(state="held")[0], True)
    assert open_list(client, ids=[]) == ([], True)


def test_an_opened_list_may_be_longer_than_a_page(waiting, client):
    identifiers = [submit(client) for _ in range(1002)]
    rows, complete = open_list(client)
    assert complete
    assert [row[0] for row in rows] == identifiers


def test_a_list_needs_a_good_filter(waiting, client):
    with pytest.raises(BusError) as refused:
        open_list(client, state="elsewhere")
    assert refused.value.name == "InvalidFilter"


def test_a_list_that_nobody_reads_harms_nothing(waiting, client):
    for _ in range(3):
        os.close(client.call("OpenList", "(a{sv})", {}))
    assert submit(client)
    assert len(open_list(client)[0]) == 1


def test_contents_that_nobody_reads_are_limited(waiting, client):
    identifier = submit(client, data=MESSAGE + b"x" * 900 + b"\r\n" * 500000)
    path = f"{ROOT}/message/{identifier}"
    fds = []
    with pytest.raises(BusError) as refused:
        for _ in range(100):
            fds.append(client.call("OpenContent", path=path, interface="Message"))
    assert refused.value.name == "LimitExceeded"
    for fd in fds:
        os.close(fd)
    assert submit(client)  # and nothing else suffered


# ---- signals ----


def test_no_signal_without_subscription(waiting, client, bus):
    client.gather()
    identifier = submit(client)
    with Client(bus) as other:
        other.gather()
        other.call("Subscribe", "(a{sv})", {})
        second = submit(client)
        assert other.wait_named("MessageQueued")[0] == second
    assert identifier not in str(client.signals) and second not in str(client.signals)


def test_signals_tell_what_happens(waiting, client):
    client.gather()
    assert client.call("Subscribe", "(a{sv})", {}) is True
    before = time.time_ns() // 1000
    identifier = submit(client, "a@example.org", ["one@example.net", "two@example.net"])
    queued = client.wait_named("MessageQueued")
    assert queued[0] == identifier and before <= queued[1]
    assert queued[2:6] == (os.geteuid(), "a@example.org", "one@example.net", 2)
    assert queued[6] == client.message(identifier)["Size"]
    for method, signal in (("Hold", "MessageHeld"), ("Release", "MessageReleased"), ("Delete", "MessageDeleted")):
        client.act(method)
        assert client.wait_named(signal)[0] == identifier


def test_signals_tell_of_deliveries(make_relay, client, receiver):
    receiver.on("RCPT", "451 4.7.1 come later", match="later@")
    receiver.on("RCPT", "550 5.1.1 no such user", match="nobody@")
    make_relay(receiver)
    client.gather()
    client.call("Subscribe", "(a{sv})", {})
    identifier = submit(client, "a@example.org", ["now@example.net", "later@example.net", "nobody@example.net"])
    delivered = client.wait_named("MessageDelivered")
    assert delivered[0] == identifier and delivered[2] == "now@example.net" and str(receiver.port) in delivered[3]
    deferred = client.wait_named("MessageDeferred")
    assert (deferred[0], deferred[2], deferred[4]) == (identifier, "later@example.net", "4.7.1")
    assert "come later" in deferred[5] and deferred[6] > deferred[1]
    bounced = client.wait_named("MessageBounced")
    assert (bounced[0], bounced[2], bounced[4]) == (identifier, "nobody@example.net", "5.1.1")
    assert "no such user" in bounced[5]


def test_signals_tell_of_remotes(make_relay, client, make_receiver):
    receiver = make_receiver(up=False)
    make_relay(receiver)
    client.gather()
    client.gather("org.freedesktop.DBus.Properties")
    client.call("Subscribe", "(a{sv})", {})
    submit(client)
    down = client.wait_signal(lambda name, arguments, path: name == "RemoteChanged" and arguments[2] == "down", "down")
    assert down[0] == "default" and down[1] == f"{ROOT}/remote/default" and "refused" in down[3]
    told = client.wait_signal(lambda name, arguments, path: path.endswith("/remote/default"), "of the remote")
    assert told[1]["State"] == "down"
    receiver.start()
    client.act("Retry")
    receiver.wait_messages(1)
    client.wait_signal(lambda name, arguments, path: name == "RemoteChanged" and arguments[2] == "up", "up")


def subscribers(client):
    return client.call("GetStatistics")["subscribers"]


def test_a_subscription_ends(waiting, client, bus):
    with Client(bus) as other:
        other.call("Subscribe", "(a{sv})", {})
        other.call("Subscribe", "(a{sv})", {})
        assert subscribers(client) == 1
        other.call("Unsubscribe")
        assert subscribers(client) == 0
        other.call("Unsubscribe")
        other.call("Subscribe", "(a{sv})", {})
        assert subscribers(client) == 1
    deadline = time.monotonic() + PATIENCE_SECONDS
    while subscribers(client) > 0:
        assert time.monotonic() < deadline, "the subscription outlives its client"


def test_a_bad_option_of_subscribe(waiting, client):
    with pytest.raises(BusError) as refused:
        client.call("Subscribe", "(a{sv})", {"all": GLib.Variant("b", True)})
    assert refused.value.name == "InvalidArgument"
    assert subscribers(client) == 0


def test_changes_of_properties_are_told_in_few_signals(waiting, client, figure):
    client.gather("org.freedesktop.DBus.Properties")
    began = time.monotonic()
    for _ in range(200):
        submit(client)
    client.wait_signal(lambda name, arguments, path: arguments[1].get("QueueLength") == 200, "QueueLength 200")
    seconds = time.monotonic() - began
    count = len(client.signals)
    figure(f"200 messages over D-Bus in {seconds:.2f} s: {count} PropertiesChanged")
    assert count <= seconds * 4 + 2
    changed = {}
    for _, arguments, _ in client.signals:
        changed.update(arguments[1])
    properties = client.properties()
    for name in ("QueueLength", "QueueBytes", "Deferred", "Oldest"):
        assert changed[name] == properties[name], name
    assert properties["QueueLength"] == 200


# ---- the relay as a whole ----


def test_properties_of_the_manager(waiting, client):
    properties = client.properties()
    assert re.fullmatch(r"\d+\.\d+\.\d+", properties["Version"])
    assert abs(properties["Started"] - time.time_ns() // 1000) < PATIENCE_SECONDS * 1000000
    assert (properties["QueueLength"], properties["Oldest"], properties["Trouble"]) == (0, 0, "")
    submit(client)
    client.act("Hold", ids=[submit(client)])
    properties = client.properties()
    assert (properties["QueueLength"], properties["Deferred"], properties["Held"]) == (2, 1, 1)
    assert properties["QueueBytes"] == sum(row[7] for row in client.list()[0])
    assert properties["Oldest"] == client.list()[0][0][8]


def test_pause_and_resume(relay, client, receiver):
    client.gather("org.freedesktop.DBus.Properties")
    client.call("Pause")
    client.wait_signal(lambda name, arguments, path: arguments[1].get("Paused") is True, "Paused")
    submit(client)
    assert client.properties()["Paused"] is True
    assert not receiver.messages
    client.call("Resume")
    receiver.wait_messages(1)
    assert client.properties()["Paused"] is False


def test_reload(waiting, client):
    good = waiting.configuration_file.read_text(encoding="utf-8")
    waiting.configure(good + "\n[Nonsense]\nx=1\n")
    with pytest.raises(BusError) as refused:
        client.call("Reload")
    assert refused.value.name == "BadConfiguration"
    assert "Nonsense" in refused.value.text
    waiting.configure(good)
    client.call("Reload")


def test_statistics_add_up(make_relay, client, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user", match="nobody@")
    receiver.on("RCPT", "451 4.7.1 come later", match="later@")
    make_relay(receiver)
    client.gather()
    client.call("Subscribe", "(a{sv})", {})
    submit(client, "", ["one@example.net", "two@example.net"])
    client.wait_named("MessageRemoved")
    identifier = submit(client, "", ["later@example.net"])
    client.wait_named("MessageDeferred")
    client.act("Delete", ids=[identifier])
    client.wait_named("MessageDeleted")
    statistics = client.call("GetStatistics")
    assert (statistics["accepted"], statistics["delivered"], statistics["deleted"]) == (2, 2, 1)
    assert statistics["attempts-deferred"] == 1
    assert statistics["messages"] == 0
    assert statistics["sessions"] >= 1


def test_the_relay_counts_on_while_the_bus_is_away(make_relay, system):
    relay = make_relay(bus=system.address)
    with Client(system.address) as client:
        submit(client)
        started = client.properties()["Started"]
    system.stop()
    relay.wait_line("message bus")
    relay.send()
    system.start()
    with Client(system.address) as client:
        client.wait_relay()
        assert client.call("GetStatistics")["accepted"] == 2
        assert client.properties()["Started"] == started


# ---- remotes ----


def test_remotes(make_relay, client, make_receiver):
    first, second = make_receiver(up=False), make_receiver()
    make_relay([first, second])
    remotes = client.call("ListRemotes")
    assert [(r[0], r[3]) for r in remotes] == [("default", first.port), ("second", second.port)]
    for name, path, host, port, state, error in remotes:
        assert client.call("GetRemote", "(s)", name) == path
        properties = client.properties(path, "Remote")
        assert (properties["Name"], properties["Host"], properties["Port"]) == (name, host, port)
        assert (properties["State"], properties["Error"]) == (state, error)
    with pytest.raises(BusError) as refused:
        client.call("GetRemote", "(s)", "third")
    assert refused.value.name == "NoSuchRemote"


def test_a_remote_can_be_tried(relay, client, receiver):
    success, transcript, error = client.call("Test", "(s)", "a@example.org", path=f"{ROOT}/remote/default",
                                             interface="Remote")
    assert (success, error) == (True, "")
    assert "MAIL FROM:<a@example.org>" in transcript and "RSET" in transcript and "EHLO" in transcript
    assert not receiver.messages and not receiver.commands("RCPT")
    receiver.on("MAIL", "550 5.7.1 not from you")
    success, transcript, error = client.call("Test", "(s)", "", path=f"{ROOT}/remote/default", interface="Remote")
    assert success is False
    assert "not from you" in error and "not from you" in transcript
    with pytest.raises(BusError) as refused:
        client.call("Test", "(s)", "no address", path=f"{ROOT}/remote/default", interface="Remote")
    assert refused.value.name == "InvalidArgument"


def test_a_remote_that_is_down_can_be_tried(make_relay, client, make_receiver):
    make_relay(make_receiver(up=False))
    success, _, error = client.call("Test", "(s)", "", path=f"{ROOT}/remote/default", interface="Remote")
    assert success is False and "refused" in error


def test_the_password_is_in_no_transcript(make_relay, client, make_receiver, certificates):
    receiver = make_receiver(tls="starttls", certificate=certificates.server, users={"me": "s3cret-pass"})
    make_relay(receiver, {"Smarthost": {"Host": "localhost", "User": "me", "PasswordCredential": "smarthost",
                                        "TrustFile": certificates.authority[0]}},
               credentials={"smarthost": "s3cret-pass\n"})
    success, transcript, error = client.call("Test", "(s)", "", path=f"{ROOT}/remote/default", interface="Remote")
    assert success, error + transcript
    assert "AUTH" in transcript
    for secret in (b"s3cret-pass", b"\0me\0s3cret-pass"):
        assert secret.decode() not in transcript
        assert base64.b64encode(secret).decode() not in transcript


# ---- the end ----


def test_calls_that_wait_are_answered_when_the_relay_stops(waiting, bus):
    reading, writing = os.pipe()
    answers = []

    def wait():
        try:
            answers.append(Client(bus).submit(reading))
        except BusError as error:
            answers.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    os.write(writing, b"Subject: never whole\r\n")
    with Client(bus) as other:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while other.call("GetStatistics")["accepted"] != 0 and time.monotonic() < deadline:
            pass
    waiting.stop()
    thread.join(PATIENCE_SECONDS)
    os.close(reading)
    os.close(writing)
    assert len(answers) == 1 and isinstance(answers[0], BusError)


def test_a_client_that_goes_away_in_a_call_does_no_harm(waiting, client, bus):
    for _ in range(20):
        other = Client(bus)
        other.connection.call(NAME, ROOT, f"{NAME}.Manager", "Hold", GLib.Variant("(a{sv})", ({},)), None, 0, -1, None,
                              None)
        other.connection.flush_sync(None)
        other.close()
    assert submit(client)


# ---- users, and polkit ----


def refusal(call):
    with pytest.raises(BusError) as refused:
        call()
    assert refused.value.name == "NotAuthorized"
    return refused.value.text


class Nobody:
    """A client that is the user nobody: a process of its own, which does what it is told."""

    PROGRAM = r"""
import json, os, sys
sys.path.insert(0, sys.argv[1])
from busclient import BusError, Client
from gi.repository import GLib
os.setgroups([]); os.setgid(65534); os.setuid(int(sys.argv[3]))
client = Client(sys.argv[2])
print("ready", flush=True)
for line in sys.stdin:
    try:
        result = {"value": eval(line)}
    except BusError as error:
        result = {"error": [error.name, error.text]}
    print(json.dumps(result), flush=True)
"""

    def __init__(self, address):
        folder = os.path.dirname(os.path.abspath(__file__))
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", self.PROGRAM, folder, address, str(NOBODY)], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=environment(HOME="/", PYTHONDONTWRITEBYTECODE=1))
        assert self.process.stdout.readline() == "ready\n"

    def __call__(self, expression):
        """What the expression gives, in which `client` is the user's Client."""
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()
        result = json.loads(self.process.stdout.readline())
        if "error" in result:
            raise BusError(*result["error"])
        return result["value"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()


@pytest.fixture
def nobody(system, shared, cleanup):
    user = Nobody(system.address)
    cleanup.callback(user.close)
    return user


@needs_root
def test_a_user_sees_and_steers_the_own_mail(shared, nobody):
    relay, root = shared
    send_as_nobody(relay)
    submit(root)
    (row,), _ = nobody("client.list()")
    own = row[0]
    assert row[2] == NOBODY
    assert len(root.ids()) == 2
    path = f"{ROOT}/message/{own}"
    assert nobody(f"client.message('{own}')")["Sender"] == "nobody@example.org"
    assert nobody("client.act('Hold')") == 1
    assert nobody(f"client.act('Release', ids=['{own}'])") == 1
    assert nobody(f"client.act('Hold', user={NOBODY})") == 1
    assert nobody(f"client.call('Release', path='{path}', interface='Message')") is None
    assert nobody(f"bool(client.call('OpenContent', path='{path}', interface='Message'))")
    assert nobody("client.act('Retry')") == 1
    assert nobody("client.act('Delete')") == 1
    assert len(root.ids()) == 1, "somebody else's mail was deleted"


@needs_root
def test_without_polkit_only_root_has_more(shared, nobody):
    relay, root = shared
    other = submit(root)
    path = f"{ROOT}/message/{other}"
    assert nobody("client.ids()") == []
    assert nobody("client.act('Delete')") == 0
    for expression, action in (
            ("client.ids(everyone=True)", "inspect"), ("client.ids(user=0)", "inspect"),
            (f"client.ids(ids=['{other}'])", "inspect"), (f"client.call('GetMessage', '(s)', '{other}')", "inspect"),
            (f"client.message('{other}')", "inspect"),
            (f"client.call('OpenContent', path='{path}', interface='Message')", "read-content"),
            (f"client.act('Delete', ids=['{other}'])", "manage"), ("client.act('Hold', everyone=True)", "manage"),
            (f"client.call('Hold', path='{path}', interface='Message')", "manage"),
            ("client.call('Pause')", "manage"), ("client.call('Resume')", "manage"),
            ("client.call('Reload')", "configure"),
            ("client.call('Subscribe', '(a{sv})', {'everyone': GLib.Variant('b', True)})", "inspect")):
        text = refusal(lambda e=expression: nobody(e))
        assert f"org.postern.relay1.{action} " in text, expression
    assert root.message(other)["State"] == "deferred"
    assert nobody("client.properties()")["QueueLength"] == 1
    assert nobody("client.call('GetStatistics')")["accepted"] == 1


@needs_root
def test_polkit_decides_about_other_users_mail(shared, nobody, system):
    _, root = shared
    other = submit(root)
    with Polkit(system.address, inspect="yes", manage="yes", read_content="yes", configure="yes") as polkit:
        assert nobody("client.ids()") == [other]
        assert nobody("client.ids(everyone=True)") == [other]
        assert nobody("client.act('Hold')") == 1
        assert nobody(f"client.message('{other}')")["State"] == "held"
        assert nobody(f"client.act('Release', ids=['{other}'])") == 1
        path = f"{ROOT}/message/{other}"
        assert nobody(f"bool(client.call('OpenContent', path='{path}', interface='Message'))")
        assert nobody("client.call('Subscribe', '(a{sv})', {})") is True
        assert nobody("client.call('Pause')") is None
        assert nobody("client.call('Reload')") is None
        assert nobody("client.call('Redirect', '(a{sv}s)', {}, 'new@example.com')") == 1
        assert nobody("client.act('Delete')") == 1
        assert {action for action, _ in polkit.asked} == {"inspect", "manage", "read-content", "configure"}
    assert root.ids() == []


@needs_root
def test_polkit_is_not_asked_about_own_mail_or_for_root(shared, nobody, system):
    relay, root = shared
    send_as_nobody(relay)
    (own,) = root.ids()
    with Polkit(system.address) as polkit:
        nobody(f"client.ids(ids=['{own}'])")
        nobody(f"client.ids(user={NOBODY})")
        nobody(f"client.message('{own}')")
        nobody(f"client.act('Hold', ids=['{own}'])")
        nobody(f"client.call('Redirect', '(s)', 'new@example.com', path='{ROOT}/message/{own}', interface='Message')")
        root.act("Release", everyone=True)
        root.call("Pause")
        assert polkit.asked == []


@needs_root
def test_a_person_is_asked_only_where_the_call_means_others(shared, nobody, system):
    _, root = shared
    other = submit(root)
    with Polkit(system.address, inspect="password", manage="password") as polkit:
        assert nobody("client.call('ListMessages', '(a{sv}su)', {}, '', 0, interactive=True)")[0] == []
        assert polkit.asked == [("inspect", False)]
        refusal(lambda: nobody("client.ids(everyone=True)"))
        assert polkit.asked[1:] == [("inspect", False)]
        rows = nobody("client.call('ListMessages', '(a{sv}su)', {'everyone': GLib.Variant('b', True)}, '', 0, "
                      "interactive=True)")[0]
        assert [row[0] for row in rows] == [other]
        assert polkit.asked[2:] == [("inspect", True)]
        assert nobody("client.call('Pause', interactive=True)") is None
        assert polkit.asked[3:] == [("manage", True)]


@needs_root
@pytest.mark.parametrize("answer, words", [
    ("no", "does not allow"), ("dismissed", "dismissed"), ("password", "password"),
])
def test_a_refusal_says_why(shared, nobody, system, answer, words):
    with Polkit(system.address, manage=answer):
        assert words in refusal(lambda: nobody("client.call('Pause')"))


@needs_root
def test_signals_of_others_mail_stay_with_those_who_may_see_it(shared, nobody):
    relay, root = shared
    root.gather()
    assert root.call("Subscribe", "(a{sv})", {}) is True
    assert nobody("(client.gather(), client.call('Subscribe', '(a{sv})', {}))[1]") is False
    other = submit(root)
    send_as_nobody(relay)
    own = nobody("client.wait_named('MessageQueued')")
    assert own[2] == NOBODY
    assert other not in nobody("str(client.signals)")
    root.wait_signal(lambda name, arguments, path: name == "MessageQueued" and arguments[2] == NOBODY, "of nobody's")
    assert other in str(root.signals)


@needs_root
def test_nobody_but_the_relay_may_have_its_name(system):
    told = subprocess.run(["gdbus", "call", "--address", system.address, "--dest", "org.freedesktop.DBus",
                           "--object-path", "/org/freedesktop/DBus", "--method", "org.freedesktop.DBus.RequestName",
                           NAME, "2"],
                          user="nobody", group="nogroup", extra_groups=[], env=environment(HOME="/"), text=True,
                          capture_output=True, check=False, timeout=PATIENCE_SECONDS)
    assert told.returncode != 0 and "AccessDenied" in told.stderr


@needs_root
def test_the_command_of_a_user_shows_the_own_mail(shared, system):
    relay, root = shared
    submit(root)
    told = as_nobody(["list"], system)
    assert told.returncode == 0 and "None of your mail" in told.stdout
    send_as_nobody(relay)
    told = as_nobody(["list"], system)
    assert "nobody@example.org" in told.stdout and "1 message," in told.stdout
    told = as_nobody(["pause"], system)
    assert told.returncode == 4
    assert "org.postern.relay1.manage" in told.stderr and "root" in told.stderr


# ---- what errors quote ----


HOSTILE = "a\n250 ok\x1b[2J\u202egro"


@pytest.mark.parametrize("call", [
    pytest.param(lambda client: client.list(cursor=HOSTILE), id="cursor"),
    pytest.param(lambda client: client.list(state=HOSTILE), id="state"),
    pytest.param(lambda client: client.list(domain=HOSTILE), id="domain"),
    pytest.param(lambda client: client.list(sender=HOSTILE), id="sender"),
    pytest.param(lambda client: client.list(recipient=HOSTILE), id="recipient"),
    pytest.param(lambda client: client.list(ids=[HOSTILE]), id="ids"),
    pytest.param(lambda client: client.list(**{HOSTILE: "x"}), id="key"),
    pytest.param(lambda client: client.call("GetMessage", "(s)", HOSTILE), id="queue-id"),
    pytest.param(lambda client: client.call("GetRemote", "(s)", HOSTILE), id="remote"),
    pytest.param(lambda client: client.call("Redirect", "(a{sv}s)", {}, HOSTILE), id="address"),
    pytest.param(lambda client: client.call("Subscribe", "(a{sv})", {HOSTILE: GLib.Variant("b", True)}), id="option"),
    pytest.param(lambda client: submit(client, HOSTILE), id="reverse-path"),
    pytest.param(lambda client: submit(client, "", [HOSTILE]), id="forward-path"),
    pytest.param(lambda client: submit(client, **{HOSTILE: GLib.Variant("b", True)}), id="submit-option"),
    pytest.param(lambda client: submit(client, **{"envelope-id": GLib.Variant("s", HOSTILE)}), id="envelope-id"),
    pytest.param(lambda client: submit(client, **{"return": GLib.Variant("s", HOSTILE)}), id="return"),
    pytest.param(lambda client: client.call("Check", "(bs)", False, HOSTILE), id="check"),
])
def test_what_is_quoted_does_nothing(waiting, client, call):
    with pytest.raises(BusError) as refused:
        call(client)
    assert refused.value.text.isprintable(), repr(refused.value.text)
    assert "250 ok" in refused.value.text


def test_a_long_value_is_quoted_in_part(waiting, client):
    with pytest.raises(BusError) as refused:
        client.list(cursor="x" * 1000000)
    assert "…” is not a cursor" in refused.value.text
