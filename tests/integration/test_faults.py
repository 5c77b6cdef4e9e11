# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls of the running daemon fail, once or from then on, and its disk stops for a while.

unit/queue/test-steps.c lets each call of the store fail. Here is what the daemon around it makes of that: clients hear 250,
or 451 or 452 with a reason, and nothing else; the log and the command say what is wrong; it goes on by itself when the
trouble ends; and everything that was acknowledged arrives.
"""

import errno
import json
import os
import re
import select
import socket

import pytest

import mail
from crash import Arrivals, Clients, check_arrived, connector
from faults import Faults
from receiver import PATIENCE_SECONDS
from relay import is_sanitized

# Small generations: the store begins journals, seals and cleans all the time.
CONFIGURATION = {"Queue": {"GenerationSize": "64K", "ReserveSpace": "1M", "RetryFirst": "1s", "RetryLongest": "1s"}}

TROUBLE_BEGINS = r"the queue's disk is in trouble: "
TROUBLE_ENDS = r"the queue's disk works again"

FEW = 20  # messages, or refusals


@pytest.fixture
def faults(tmp_path):
    with Faults(tmp_path, tmp_path / "state", tracking=True) as faults:
        yield faults


@pytest.fixture
def arrivals():
    return Arrivals()


@pytest.fixture
def relay(make_relay, make_receiver, faults, arrivals, tmp_path):
    return make_relay(make_receiver(on_message=arrivals), CONFIGURATION, state=tmp_path / "state",
                      variables=faults.variables)


@pytest.fixture
def clients(relay, arrivals):
    with Clients(connector(relay), arrivals, count=3) as clients:
        clients.wait_acknowledged(FEW)
        yield clients


def told(relay):
    return json.loads(relay.postern("status", "--json"))["trouble"]


def finish(clients, arrivals, relay):
    clients.wait_acknowledged(FEW)
    clients.stop()
    check_arrived(clients, arrivals, relay)


@pytest.mark.parametrize("call, file, error, manner", [
    ("write", ".journal", errno.EIO, "fail"),
    ("write", ".journal", errno.ENOSPC, "short"),
    ("sync", ".journal", errno.EIO, "lose"),
    ("create", ".journal", errno.EMFILE, "fail"),
    ("write", ".gdbm.tmp", errno.EIO, "fail"),
    ("read", ".gdbm.tmp", errno.EIO, "fail"),
])
def test_a_call_that_fails_once_is_got_over(relay, clients, faults, arrivals, call, file, error, manner):
    faults.arm(call, file, nth=2, error=error, manner=manner)
    assert faults.wait_struck(), relay.log_text()
    finish(clients, arrivals, relay)


@pytest.mark.parametrize("call, error, manner, reply", [
    ("write", errno.EIO, "fail", "451 4.3.0"),
    ("write", errno.ENOSPC, "fail", "452 4.3.1"),
    ("sync", errno.EIO, "lose", "451 4.3.0"),
])
def test_while_nothing_can_be_written_mail_is_refused(relay, clients, faults, arrivals, call, error, manner, reply):
    mark = relay.log.mark()
    faults.arm(call, ".journal", error=error, manner=manner, lasting=True)
    clients.wait_refused(FEW)
    relay.wait_line(TROUBLE_BEGINS + ".*" + os.strerror(error), mark)
    assert os.strerror(error) in told(relay)
    assert "Trouble:" in relay.postern("status")
    # The reply says it in words; who speaks of the first refusal may have been between two states of the disk.
    assert re.match(re.escape(reply) + r" .*\w+ \w+", clients.refusals[-1]), clients.refusals
    faults.end()
    relay.wait_line(TROUBLE_ENDS, mark)
    assert told(relay) is None
    finish(clients, arrivals, relay)


def test_mail_goes_on_while_nothing_can_be_sealed(relay, clients, faults, arrivals):
    mark = relay.log.mark()
    faults.arm("create", ".gdbm.tmp", error=errno.EIO, lasting=True)
    relay.wait_line(TROUBLE_BEGINS + ".*" + os.strerror(errno.EIO), mark)
    assert os.strerror(errno.EIO) in told(relay)
    refused = len(clients.refusals)
    clients.wait_acknowledged(5 * FEW)
    assert len(clients.refusals) == refused
    faults.end()
    # Sealing is tried again after a while; a start does it at once, and finds all of it.
    relay.kill9()
    relay.start()
    finish(clients, arrivals, relay)


def test_a_crash_while_the_disk_fails_loses_nothing_acknowledged(relay, clients, faults, arrivals):
    faults.arm("sync", ".journal", error=errno.EIO, manner="lose", lasting=True)
    clients.wait_refused(FEW)
    relay.kill9()
    faults.end()
    relay.start()
    finish(clients, arrivals, relay)


# ---- A disk that stops ----

LARGE_BYTES = 32 << 20
STALLED_MSEC = 500

# What the kernel and the daemon may have of a message that goes nowhere: socket buffers, and the intake's backlog.
STALLED_MOST_BYTES = 4 << 20


def send_until_stalled(connections, data):
    """Sends to each as much as it takes; returns how much that was. A slow machine takes less."""
    poll = select.poll()
    by_number = {connection.fileno(): connection for connection in connections}
    sent = dict.fromkeys(by_number, 0)
    for connection in connections:
        connection.setblocking(False)
        poll.register(connection, select.POLLOUT)
    while ready := poll.poll(STALLED_MSEC):
        for number, _ in ready:
            try:
                sent[number] += by_number[number].send(data[sent[number]:sent[number] + (1 << 18)])
            except BlockingIOError:
                pass
            if sent[number] == len(data):
                poll.unregister(number)
    for connection in connections:
        connection.settimeout(PATIENCE_SECONDS)
    return list(sent.values())


def begin_message(session):
    for command in ("EHLO client.example.com", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.net>", "DATA"):
        session.ask(command)
    return session


def large_content(size):
    body = ("x" * 998 + "\r\n") * (size // 1000)
    return memoryview(mail.text("large", body=body).encode() + b"\r\n.\r\n")


def test_a_session_that_outruns_the_disk_is_slowed_and_not_buffered(relay, faults, figure):
    content = large_content(LARGE_BYTES)
    before = relay.memory_kib("VmRSS")
    with begin_message(relay.raw(local=True)) as session:
        with faults.held("write", ".journal"):
            [sent] = send_until_stalled([session.socket], content)
            assert sent <= STALLED_MOST_BYTES, f"{sent} bytes were taken while the disk took none"
            assert is_sanitized() or relay.memory_kib("VmRSS") - before < STALLED_MOST_BYTES >> 10
            # Who wants nothing of the disk is served meanwhile.
            with relay.raw(local=True) as other:
                assert other.ask("NOOP").startswith("250")
        session.socket.sendall(content[sent:])
        assert session.reply().startswith("250 2.0.0")
    figure(f"{sent >> 10} KiB of {LARGE_BYTES >> 20} MiB were taken while the disk stood still")


SESSIONS = 500
TOGETHER_MOST_BYTES = 32 << 20  # beyond it each has no more than a chunk and what was on its way
PART_BYTES = 128 << 10
SMALL_BUFFER_BYTES = 4096  # what is sent is what the relay took


@pytest.mark.long
def test_sessions_that_outrun_the_disk_together_are_slowed_before_each_has_its_share(relay, faults, cleanup, figure):
    content = large_content(1 << 20)
    sessions = [begin_message(cleanup.enter_context(relay.raw(local=True))) for _ in range(SESSIONS)]
    sockets = [session.socket for session in sessions]
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER_BYTES)
    with faults.held("write", ".journal"):
        sent = send_until_stalled(sockets, content)
        assert sum(sent) <= TOGETHER_MOST_BYTES + SESSIONS * PART_BYTES, f"{sum(sent) >> 20} MiB were taken"
    for one, count in zip(sockets, sent):
        one.sendall(content[count:])
    for session in sessions:
        assert session.reply().startswith("250 2.0.0")
    figure(f"{SESSIONS} sessions: {sum(sent) >> 20} MiB were taken while the disk stood still, {max(sent) >> 10} KiB of "
           "one at most")
