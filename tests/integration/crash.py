# SPDX-License-Identifier: GPL-3.0-or-later
"""What the crash tests share: clients that remember what was acknowledged, and the reckoning afterwards.

Every message carries a token in its subject and the SHA-256 of its body in a header, so that one that arrives can be
told to be whole, and one that does not can be named.
"""

import collections
import hashlib
import random
import re
import socket
import threading
from contextlib import contextmanager

from receiver import PATIENCE_SECONDS

# Most messages are small; some take several chunks of the store.
BODY_LINES = [3, 30, 60, 60, 450, 3_000]

# Bodies are pieces of this, from and to a random line: making them costs next to nothing, and no two are alike.
LINES = [b"%064x\r\n" % random.Random(1).getrandbits(256) for _ in range(2 * max(BODY_LINES))]

# Acknowledged and not yet delivered: what a recovery has to bring. Beyond it the clients are slow, but go on: a relay
# whose disk is in trouble may deliver nothing.
OUTSTANDING_MOST = 300
SLOW_SECONDS = 0.2


def make_message(token, generator, body_lines=None):
    count = body_lines or generator.choice(BODY_LINES)
    start = generator.randrange(len(LINES) - count)
    body = b"%s\r\n" % token.encode() + b"".join(LINES[start:start + count])
    digest = hashlib.sha256(body).hexdigest()
    return (f"From: sender@example.org\r\nTo: recipient@example.net\r\nSubject: {token}\r\nX-Digest: {digest}\r\n"
            "\r\n").encode() + body


def check_message(content):
    """The token of a message that came in, and the relay's id of it; fails if it is damaged."""
    header, _, body = content.partition(b"\r\n\r\n")
    token = re.search(rb"^Subject: (\S+)\r?$", header, re.M)
    digest = re.search(rb"^X-Digest: (\S+)\r?$", header, re.M)
    identity = re.search(rb"^Received: .*?\bid (\w+)", header, re.M | re.S)
    assert token and digest and identity, f"a message without token, digest, or id: {header!r}"
    assert hashlib.sha256(body).hexdigest() == digest[1].decode(), f"the message {token[1]!r} is damaged"
    return token[1].decode(), identity[1].decode()


def told_delivered(log):
    """The ids of the messages of which a daemon's log says that they were delivered: that is on the disk by then."""
    return {line.partition(":")[0] for line in log.find(r"^\w+: delivered to ")}


class Arrivals:
    """What receivers got: on_message for receiver.Receiver."""

    def __init__(self):
        self.tokens = {}  # token -> the names of the daemons from which it came, in that order
        self.ids = {}  # token -> the relay's id
        self.damaged = []
        self.changed = threading.Condition()

    def __call__(self, message):
        try:
            token, identity = check_message(message.content)
        except AssertionError as error:
            self.damaged.append(str(error))
            return
        with self.changed:
            self.tokens.setdefault(token, []).append(message.client)
            self.ids[token] = identity
            self.changed.notify_all()

    def copy(self):
        with self.changed:
            return set(self.tokens)

    def wait(self, wanted, seconds=PATIENCE_SECONDS):
        """Waits until all these tokens came; returns those that did not."""
        with self.changed:
            self.changed.wait_for(lambda: wanted <= self.tokens.keys(), seconds)
            return wanted - self.tokens.keys()

    def duplicates(self, told):
        """How many messages came again after a crash, by the name of the daemon that it ended.

        A message comes twice only if the crash fell between the receiver's 250 and the record of it on the disk. From one
        daemon it comes once; and not from a later one if that record was there, of which `told` says whose log told it.
        """
        again = collections.Counter()
        with self.changed:
            for token, came in self.tokens.items():
                daemons = sorted(came)  # what one sent before it was killed may be taken after what the next one sent
                assert len(set(daemons)) == len(daemons), f"{token} came again, and no crash explains it: {daemons}"
                assert told.get(self.ids[token], daemons[-1]) == daemons[-1], \
                    f"{token} came from {daemons}, but {told[self.ids[token]]} had recorded it"
                again.update(daemons[:-1])
        return again


class Clients:
    """Sessions that send without pause, and remember which messages were acknowledged. A context manager.

    A session that breaks off is opened again: the relay may be killed under it. A message that is refused for the
    moment is forgotten, as another one does as well; `refusals` has the replies. What else comes is a fault.
    """

    def __init__(self, connect, arrivals, count=6, name="", body_lines=None):
        self.connect = connect  # returns a connected socket, or raises OSError
        self.arrivals = arrivals
        self.body_lines = body_lines
        self.acknowledged = {}  # token -> the id that the relay gave the message
        self.refusals = []
        self.faults = []
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.going = True
        self.under_way = 0  # messages
        self.threads = [threading.Thread(target=self._run, args=(f"{name}{n}",), daemon=True) for n in range(count)]

    def copy(self):
        with self.changed:
            return set(self.acknowledged)

    def _run(self, name):
        generator = random.Random(name)
        serial = 0
        while not self.stopping.is_set():
            try:
                with self.connect() as connection:
                    stream = connection.makefile("rb")
                    self._expect(stream, b"220")
                    connection.sendall(b"EHLO client.example.com\r\n")
                    self._expect(stream, b"250")
                    while not self.stopping.is_set():
                        serial += 1
                        self._send(connection, stream, f"{name}-{serial}", generator)
            except (OSError, EOFError):
                self.stopping.wait(0.01)  # the relay is down: a pause between two tries, not a wait for it
            except AssertionError as error:
                with self.changed:
                    self.faults.append(str(error))
                    self.changed.notify_all()
                return

    def _send(self, connection, stream, token, generator):
        with self.arrivals.changed:
            self.arrivals.changed.wait_for(
                lambda: len(self.acknowledged) - len(self.arrivals.tokens) < OUTSTANDING_MOST
                or self.stopping.is_set(), SLOW_SECONDS)
        with self.changed:
            self.changed.wait_for(lambda: self.going or self.stopping.is_set())
            self.under_way += 1
        try:
            self._send_now(connection, stream, token, generator)
        finally:
            with self.changed:
                self.under_way -= 1
                self.changed.notify_all()

    def _send_now(self, connection, stream, token, generator):
        message = make_message(token, generator, self.body_lines)
        connection.sendall(b"MAIL FROM:<sender@example.org> SIZE=%d\r\nRCPT TO:<recipient@example.net>\r\nDATA\r\n"
                           % len(message))
        refused = []
        for code in (b"250", b"250", b"354"):
            reply, no = self._expect(stream, b"503" if refused else code)
            refused += [reply] if no else []
        if not refused:
            connection.sendall(message + b".\r\n")
            reply, no = self._expect(stream, b"250")
            refused += [reply] if no else []
        with self.changed:
            if refused:
                self.refusals += refused
            else:
                self.acknowledged[token] = reply.split()[-1]  # "250 2.0.0 queued as …"
            self.changed.notify_all()
        if refused:
            connection.sendall(b"RSET\r\n")
            self._expect(stream, b"250")
            self.stopping.wait(0.005)  # as a client would, only sooner

    @staticmethod
    def _expect(stream, code):
        """Reads a reply, which has that code or refuses for the moment. Returns (its last line, whether it refuses)."""
        while True:
            line = stream.readline()
            if not line.endswith(b"\n") or line.startswith(b"421"):
                raise EOFError
            refused = line.startswith((b"451 4.3.", b"452 4.3."))
            assert refused or line.startswith(code), f"expected {code!r}, got {line!r}"
            if line[3:4] != b"-":
                return line.decode().strip(), refused

    def _wait(self, condition, what):
        with self.changed:
            self.changed.wait_for(lambda: condition() or self.faults, PATIENCE_SECONDS)
            assert not self.faults, self.faults
            assert condition(), f"{what} did not come in {PATIENCE_SECONDS} s; the last refusals: {self.refusals[-3:]}"

    def wait_acknowledged(self, count):
        """Waits until so many more are acknowledged."""
        goal = len(self.acknowledged) + count
        self._wait(lambda: len(self.acknowledged) >= goal, f"{count} acknowledgements")

    def wait_refused(self, count=1):
        """Waits until so many more are refused."""
        goal = len(self.refusals) + count
        self._wait(lambda: len(self.refusals) >= goal, f"{count} refusals")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    @contextmanager
    def paused(self):
        """No message is under way inside."""
        with self.changed:
            self.going = False
        self._wait(lambda: not self.under_way, "the replies to what was under way")
        yield
        with self.changed:
            self.going = True
            self.changed.notify_all()

    def stop(self):
        self._stop()
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)
        assert not self.faults, self.faults

    def _stop(self):
        self.stopping.set()
        for changed in (self.arrivals.changed, self.changed):
            with changed:
                changed.notify_all()

    def __exit__(self, *_):
        self._stop()


def connector(relay):
    """For Clients: a session with the relay's local socket, whose path outlives the daemon."""

    def connect():
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.connect(str(relay.socket))
        except OSError:
            connection.close()
            raise
        return connection

    return connect


def describe_duplicates(again):
    """Puts the numbers of those that came again after each crash in words."""
    return f"{sum(again)} came twice, after one crash {max(again, default=0)} at most, and none that had been recorded"


def check_arrived(clients, arrivals, relay, seconds=PATIENCE_SECONDS):
    """At the end: everything that was acknowledged arrives, and is whole. What is missing is told with its story."""
    missing = arrivals.wait(set(clients.acknowledged), seconds)
    ids = "|".join(clients.acknowledged[token] for token in sorted(missing)[:5])
    told = rf"^(?!\S+: (queued|delivered|mail for))|{ids}" if ids else "^$"  # all but the stories of other messages
    story = [line[:500] for log in relay.logs for line in log.find(told)]
    assert not missing, f"{len(missing)} of {len(clients.acknowledged)} acknowledged messages never arrived: " \
                        f"{sorted(missing)[:5]}\n" + "\n".join(story[-100:])
    assert not arrivals.damaged, arrivals.damaged
