# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that becomes read-only, dies, is full, or is taken away under the running relay, and comes back.

While it lasts, clients are told to come again, and the log and the command say why. When it is over the relay goes on
by itself, and everything that was acknowledged arrives.
"""

import json
import re
import shutil

import pytest

from crash import Arrivals, Clients, check_arrived, connector
from disks import Disk

DISK_BYTES = 64 << 20
TROUBLE_BEGINS = r"the queue's disk is in trouble: "
TROUBLE_ENDS = r"the queue's disk works again"

CONFIGURATION = {"Queue": {"GenerationSize": "256K", "ReserveSpace": "4M", "RetryFirst": "1s", "RetryLongest": "1s"}}


@pytest.fixture
def disk(cleanup, tmp_path):
    """An ext4 that stops writing when it finds an error, as most are set up."""
    return cleanup.enter_context(Disk(tmp_path / "disk", tmp_path / "disk.img", size=DISK_BYTES,
                                      options="errors=remount-ro"))


@pytest.fixture
def arrivals():
    return Arrivals()


@pytest.fixture
def busy(make_relay, make_receiver, arrivals, cleanup):
    """busy(folder) starts a relay whose state is there, with clients that send to it: (relay, clients)."""

    def start(folder):
        relay = make_relay(make_receiver(on_message=arrivals), CONFIGURATION, state=folder / "state")
        clients = cleanup.enter_context(Clients(connector(relay), arrivals))
        clients.wait_acknowledged(100)
        return relay, clients

    return start


def told(relay):
    return json.loads(relay.postern("status", "--json"))["trouble"]


def wait_trouble(relay, clients, words):
    """Waits until the relay refuses mail and says why in these words."""
    relay.wait_line(TROUBLE_BEGINS + ".*" + words)
    clients.wait_refused(20)
    assert re.search(words, told(relay))


def wait_end(relay, clients, since, arrivals):
    """Waits until it is over, and everything that was acknowledged has arrived."""
    relay.wait_line(TROUBLE_ENDS, since)
    clients.wait_acknowledged(100)
    assert told(relay) is None
    clients.stop()
    check_arrived(clients, arrivals, relay)


def test_a_disk_that_turns_read_only_and_is_mounted_anew(disk, busy, arrivals):
    relay, clients = busy(disk.place)
    with clients.paused():
        disk.fail_read_only()
    wait_trouble(relay, clients, "Read-only file system")
    mark = relay.log.mark()
    disk.replace()
    wait_end(relay, clients, mark, arrivals)


def test_a_disk_that_dies_and_is_mounted_anew(disk, busy, arrivals):
    relay, clients = busy(disk.place)
    with clients.paused():
        disk.die()
    wait_trouble(relay, clients, "(Input/output error|Read-only file system)")
    mark = relay.log.mark()
    disk.replace()
    wait_end(relay, clients, mark, arrivals)


def test_a_disk_that_died_is_found_again_at_the_next_start(disk, busy, arrivals):
    relay, clients = busy(disk.place)
    with clients.paused():
        disk.die()
    clients.wait_refused(1)
    relay.kill9()
    disk.replace()
    relay.start()
    clients.wait_acknowledged(20)
    clients.stop()
    check_arrived(clients, arrivals, relay)


def test_a_disk_that_is_unmounted_under_the_relay_and_mounted_again(disk, busy, arrivals):
    relay, clients = busy(disk.place)
    disk.unmount("--lazy")
    clients.wait_acknowledged(100)  # what it has open it still has, and that is as safe as before
    disk.mount_again()
    clients.wait_acknowledged(100)
    clients.stop()
    check_arrived(clients, arrivals, relay)


def test_a_queue_that_is_deleted_takes_no_more_mail_until_it_has_a_place_again(tmp_path, busy, arrivals):
    relay, clients = busy(tmp_path)
    while relay.state.exists():
        shutil.rmtree(relay.state, ignore_errors=True)  # the relay makes new files meanwhile
    wait_trouble(relay, clients, "(No such file or directory|deleted)")
    mark = relay.log.mark()
    (relay.state / "queue").mkdir(parents=True)
    relay.wait_line(TROUBLE_ENDS, mark)
    clients.wait_acknowledged(100)
    clients.stop()
    # What was in the files that were deleted may be lost; what came afterwards is not, as the receiver tells.
    relay.kill9()
    relay.start()


def test_a_disk_that_is_full_again_and_again(tmp_path, busy, arrivals, cleanup):
    small = cleanup.enter_context(Disk(tmp_path / "disk", size=DISK_BYTES))
    relay, clients = busy(small.place)
    ballast = small.place / "ballast"
    for _ in range(3):
        mark = relay.log.mark()
        fill(ballast)
        relay.wait_line(TROUBLE_BEGINS + ".*(space|full)", mark)
        clients.wait_refused(20)
        ballast.unlink()
        relay.wait_line(TROUBLE_ENDS, mark)
        clients.wait_acknowledged(50)
    clients.stop()
    check_arrived(clients, arrivals, relay)


def fill(path):
    """Leaves no space on the file system of the path."""
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
