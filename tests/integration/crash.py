# SPDX-License-Identifier: GPL-3.0-or-later
"""What the crash tests share: clients that remember what was acknowledged, and the reckoning afterwards.

Every message carries a token in its subject and the SHA-256 of its body in a header, so that one that arrives can be
told to be whole, and one that does not can be named.
"""

import hashlib
import random
import re
import socket
import threading
import time
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

# A message comes twice only if the crash fell between the receiver's 250 and the record of it on the disk. Records wait
# for the sync that is under way and for their own, and meanwhile each connection goes on with its next message.
RECORDED_SECONDS = 1

# What a daemon sent before it was killed may be taken by the receiver so much later.
LAG_SECONDS = 1


def make_message(token, generator, body_lines=None):
    count = body_lines or generator.choice(BODY_LINES)
    start = generator.randrange(len(LINES) - count)
    body = b"%s\r\n" % token.encode() + b"".join(LINES[start:start + count])
    digest = hashlib.sha256(body).hexdigest()
    return (f"From: sender@example.org\r\nTo: recipient@example.net\r\nSubject: {token}\r\nX-Digest: {digest}\r\n"
            "\r\n").encode() + body


def check_message(content):
    """The token of a message that came in; fails if it is damaged."""
    header, _, body = content.partition(b"\r\n\r\n")
    token = re.search(rb"^Subject: (\S+)\r?$", header, re.M)
    digest = re.search(rb"^X-Digest: (\S+)\r?$", header, re.M)
    assert token and digest, f"a message without token or digest: {header!r}"
    assert hashlib.sha256(body).hexdigest() == digest[1].decode(), f"the message {token[1]!r} is damaged"
    return token[1].decode()


class Arrivals:
    """What receivers got: on_message for receiver.Receiver."""

    def __init__(self):
        self.tokens = {}  # token -> the times at which it came, monotonic
        self.damaged = []
        self.changed = threading.Condition()

    def __call__(self, message):
        try:
            token = check_message(message.content)
        except AssertionError as error:
            self.damaged.append(str(error))
            return
        with self.changed:
            self.tokens.setdefault(token, []).append(time.monotonic())
            self.changed.notify_all()

    def copy(self):
        with self.changed:
            return set(self.tokens)

    def first_times(self):
        """When each message came for the first time."""
        with self.changed:
            return {token: times[0] for token, times in self.tokens.items()}

    def wait(self, wanted, seconds=PATIENCE_SECONDS):
        """Waits until all these tokens came; returns those that did not."""
        with self.changed:
            self.changed.wait_for(lambda: wanted <= self.tokens.keys(), seconds)
            return wanted - self.tokens.keys()

    def duplicates(self, moments):
        """The messages that came twice, by the moments of the crashes that explain it: a list for each of these.

        It has for each message how many seconds before the crash it came for the first time. One that came again though
        nothing crashed in between is a fault, and told.
        """
        ages = [[] for _ in moments]
        with self.changed:
            for token, times in self.tokens.items():
                for first, second in zip(times, times[1:]):
                    between = [moment for moment in moments if first - LAG_SECONDS <= moment <= second]
                    assert between, f"{token} came {len(times)} times, and no crash explains it"
                    nearest = min(between, key=lambda moment: abs(moment - first))
                    ages[moments.index(nearest)].append(nearest - first)
        return ages


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


def describe_duplicates(ages):
    """Checks the ages that Arrivals.duplicates() gave, and puts them in words."""
    flat = [age for some in ages for age in some]
    oldest = max(flat, default=0)
    assert oldest <= RECORDED_SECONDS, f"a message came again {oldest:.3f} s after the receiver had taken it"
    return f"{len(flat)} came twice, after one crash {max(map(len, ages))} at most, delivered no more than " \
           f"{max(0, oldest) * 1000:.0f} ms before it"


def check_arrived(clients, arrivals, relay, seconds=PATIENCE_SECONDS):
    """At the end: everything that was acknowledged arrives, and is whole. What is missing is told with its story."""
    missing = arrivals.wait(set(clients.acknowledged), seconds)
    ids = "|".join(clients.acknowledged[token] for token in sorted(missing)[:5])
    told = rf"^(?!\S+: (queued|delivered|mail for))|{ids}" if ids else "^$"  # all but the stories of other messages
    story = [line[:500] for log in relay.logs for line in log.find(told)]
    assert not missing, f"{len(missing)} of {len(clients.acknowledged)} acknowledged messages never arrived: " \
                        f"{sorted(missing)[:5]}\n" + "\n".join(story[-100:])
    assert not arrivals.damaged, arrivals.damaged
