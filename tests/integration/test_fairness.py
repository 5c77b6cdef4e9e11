# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody's mail waits for all of somebody else's, and no size for all of another.

Two users submit by the local socket; the receiver stands still while they do, so that what it gets afterwards comes in
the order that the relay chose: messages are counted, and no time is taken.
"""

import os
import threading
from contextlib import contextmanager

import pytest

from receiver import PATIENCE_SECONDS
from relay import RawSession

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be several users")

# Who sends much, and who sends one message.
BUSY, OTHER = 4001, 4002

CONNECTIONS = 2

# What may come before a message that was accepted: on each connection the one that it is sending, and one that it has at
# hand; and at its next turn the lane serves the busy user first.
FEW = 2 * CONNECTIONS + 1

# Their messages share syncs, and so do not take long on a slow disk.
SESSIONS = 100
SMALL, LARGE = 100, 1_000_000


@contextmanager
def user(uid):
    """Whoever connects is this user."""
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def message(token, size):
    content = b"Subject: %s\r\n\r\n" % token.encode()
    return content + b"%s\r\n" % (b"x" * 70) * ((size - len(content)) // 72)


def submit(relay, uid, tokens, size=SMALL, count=1):
    """Submits a message for each token, on so many sessions at once, without waiting for replies in between."""
    sessions = []
    for _ in range(count):
        with user(uid):
            sessions.append(RawSession(relay.socket))
        assert "CHUNKING" in sessions[-1].ask("EHLO me")
    for number, session in enumerate(sessions):
        for token in tokens[number::len(sessions)]:
            content = message(token, size)
            session.send(f"MAIL FROM:<{token}@example.org>\r\nRCPT TO:<recipient@example.net>\r\n"
                         f"BDAT {len(content)} LAST\r\n")
            session.send(content)
    for number, session in enumerate(sessions):
        for token in tokens[number::len(sessions)]:
            for reply in session.replies(3):
                assert reply.startswith("250"), reply
        session.close()


def tokens(name, count):
    return [f"{name}{i}" for i in range(count)]


class Gate:
    """What lets the receiver take messages, or keeps it standing still with each connection at a message's end."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.open = threading.Event()
        receiver.on("END", self.open)

    def came(self):
        """The tokens of what came, in that order."""
        return [m.sender.partition("@")[0] for m in self.receiver.messages]

    def until(self, token):
        """Lets mail in until that message came. Returns what came before it."""
        came = threading.Event()
        self.receiver.on_message = lambda message: message.sender.startswith(f"{token}@") and came.set()
        self.open.set()
        if token not in self.came():
            assert came.wait(PATIENCE_SECONDS), f"{token} did not come"
        self.open.clear()
        self.receiver.wait_for(lambda _: token in self.came(), what=token)
        return self.came()[:self.came().index(token)]


@pytest.fixture
def gate(receiver):
    gate = Gate(receiver)
    yield gate
    gate.open.set()  # or the relay's stop would wait for what it is sending


@pytest.fixture
def busy(make_relay, receiver, gate):
    """A relay with few connections to a receiver that stands still."""
    relay = make_relay(receiver, {"Smarthost": {"MaxConnections": CONNECTIONS}})
    relay.folder.chmod(0o755)
    relay.socket.chmod(0o777)
    return relay


# ---- users ----


def check_one_is_not_held_up(relay, gate, count, figure):
    """By a burst that was there before, and by one that is being sent."""
    submit(relay, BUSY, tokens("burst", count), count=SESSIONS)
    submit(relay, OTHER, ["first"])
    before = gate.until("first")
    gate.until(f"burst{count // 10}")
    came = len(gate.came())
    submit(relay, OTHER, ["second"])
    meanwhile = gate.until("second")[came:]
    figure(f"one message behind {count} of another user's: {len(before)} of them came first, and {len(meanwhile)} when "
           f"it was submitted while they were sent")
    assert len(before) <= FEW and len(meanwhile) <= FEW


def test_a_burst_of_one_user_does_not_delay_another(busy, gate, figure):
    check_one_is_not_held_up(busy, gate, 2000, figure)


@pytest.mark.long
def test_a_large_burst_of_one_user_does_not_delay_another(busy, gate, figure):
    check_one_is_not_held_up(busy, gate, 10000, figure)


# ---- sizes ----


def test_small_messages_of_one_user_do_not_delay_a_large_one_of_another(busy, gate):
    submit(busy, BUSY, tokens("small", 500), count=SESSIONS)
    submit(busy, OTHER, ["large"], LARGE)
    assert len(gate.until("large")) <= FEW


def test_large_messages_of_one_user_do_not_delay_a_small_one_of_another(busy, gate):
    submit(busy, BUSY, tokens("large", 3 * FEW), LARGE, count=3)
    submit(busy, OTHER, ["small"])
    assert len(gate.until("small")) <= FEW


def test_a_users_own_messages_go_in_their_order_whatever_their_sizes(busy, gate):
    submit(busy, BUSY, tokens("early", 100))
    submit(busy, BUSY, tokens("large", 2), LARGE)
    submit(busy, BUSY, tokens("late", 100))
    before = gate.until("late99")
    for number in range(2):
        assert 100 - FEW <= before.index(f"large{number}") <= 101 + FEW


def test_a_large_message_that_takes_long_holds_up_no_small_ones(busy, gate, receiver):
    """It has one connection, and the others go on."""
    receiver.forgive()
    receiver.on("END", lambda session, _: gate.open if len(session.envelope.content) > LARGE // 2 else None)
    submit(busy, BUSY, ["large"], LARGE)
    submit(busy, BUSY, tokens("small", 100), count=SESSIONS)
    receiver.wait_messages(100)
    assert "large" not in gate.came()
    gate.until("large")
