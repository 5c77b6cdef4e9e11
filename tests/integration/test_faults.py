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


def send_until_stalled(connection, data):
    """Sends as much as is taken; returns how much that was. A slow machine takes less."""
    connection.setblocking(False)
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    sent = 0
    while sent < len(data) and poll.poll(STALLED_MSEC):
        try:
            sent += connection.send(data[sent:sent + (1 << 20)])
        except BlockingIOError:
            pass
    connection.settimeout(None)
    return sent


def test_a_session_that_outruns_the_disk_is_slowed_and_not_buffered(relay, faults, arrivals, figure):
    content = memoryview(mail.text("large", body=("x" * 998 + "\r\n") * (LARGE_BYTES // 1000)).encode() + b"\r\n.\r\n")
    before = relay.memory_kib("VmRSS")
    with relay.raw(local=True) as session:
        session.ask("EHLO client.example.com")
        session.ask("MAIL FROM:<a@example.org>")
        session.ask("RCPT TO:<b@example.net>")
        session.ask("DATA")
        faults.arm("write", ".journal", manner="hold")
        sent = send_until_stalled(session.socket, content)
        assert sent <= STALLED_MOST_BYTES, f"{sent} bytes were taken while the disk took none"
        assert is_sanitized() or relay.memory_kib("VmRSS") - before < STALLED_MOST_BYTES >> 10
        # Who wants nothing of the disk is served meanwhile.
        with relay.raw(local=True) as other:
            assert other.ask("NOOP").startswith("250")
        faults.end()
        session.socket.sendall(content[sent:])
        assert session.reply().startswith("250 2.0.0")
    figure(f"{sent >> 10} KiB of {LARGE_BYTES >> 20} MiB were taken while the disk stood still")
