# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts.

The state directory lies on a file system inside an image file, and that file on XFS, which can clone a file in one
step. A clone is what the disk holds at that moment: what the relay wrote and did not sync, and the kernel did not
write back by itself, is not in it. Each clone is mounted and recovered by a relay of its own, and every message that
was acknowledged before the cut must arrive, from either relay, whole.
"""

import random
import time
from contextlib import closing

import pytest

from crash import Arrivals, Clients, connector, describe_duplicates, told_delivered
from disks import Disk, run
from receiver import Receiver
from relay import Postern, merge

OUTER_BYTES = 6 << 30  # taken as it is used

# Some cuts fall into the recovery from the cut before.
SECOND_CUT_SHARE = 0.25
SECOND_CUT_MOST_SECONDS = 0.1

CONFIGURATION = {"Relay": {"HostName": "relay.example.org", "Domain": "example.org"},
                 # Small generations, so that cuts fall into sealing and cleaning too.
                 "Queue": {"GenerationSize": "256K", "ReserveSpace": "1M", "RetryFirst": "1s", "RetryLongest": "1s"}}

# A clone has the name of its original, which XFS would not mount beside it.
CLONE_OPTIONS = {"xfs": "nouuid"}


def smarthost(receiver):
    return merge(CONFIGURATION, {"Smarthost": {"Host": receiver.host, "Port": receiver.port, "TLS": "none"}})


class Cutter:
    """Makes clones of the disk, and lets relays recover them."""

    def __init__(self, folder, kind, generator):
        self.folder = folder
        self.kind = kind
        self.generator = generator
        self.number = 0
        self.cuts = self.brought = 0

    def cut(self, disk):
        """The disk as a power cut at this moment would leave it, not mounted yet."""
        self.number += 1
        self.cuts += 1
        image = self.folder / "outer" / f"cut-{self.number}.img"
        run("cp", "--reflink=always", disk.image, image)
        return Disk(self.folder / f"cut-{self.number}", image, self.kind, options=CLONE_OPTIONS.get(self.kind, ""))

    def recover(self, clone, arrivals, wanted):
        """Has a relay deliver what a clone holds, and checks that nothing that is wanted is missing."""
        with clone, Receiver(on_message=arrivals) as receiver:
            with Postern(smarthost(receiver), state=clone.place / "state") as relay:
                missing = arrivals.wait(wanted)
                assert not missing, f"{len(missing)} acknowledged messages are gone: {sorted(missing)[:10]}\n" \
                                    + relay.log_text()
        assert not arrivals.damaged, arrivals.damaged
        clone.image.unlink()

    def cut_again(self, clone):
        """Starts a recovery that a second cut ends; returns what that leaves."""
        with clone, closing(Postern(CONFIGURATION, state=clone.place / "state")) as relay:
            relay.spawn()
            time.sleep(self.generator.uniform(0, SECOND_CUT_MOST_SECONDS))  # a moment that nothing tells of
            again = self.cut(clone)
            relay.kill9()
        clone.image.unlink()
        return again

    def survive(self, disk, relay, clients, arrivals):
        """Cuts the power. Returns how many messages came again; none may that the relay had recorded as delivered."""
        acknowledged = clients.copy()
        recorded = told_delivered(relay.log)
        clone = self.cut(disk)
        elsewhere = arrivals.copy()
        if self.generator.random() < SECOND_CUT_SHARE:
            clone = self.cut_again(clone)
        recovered = Arrivals()
        with clients.paused():
            self.recover(clone, recovered, acknowledged - elsewhere)
        self.brought += len(recovered.tokens)
        lost = recorded & set(recovered.ids.values())
        assert not lost, f"these came again, though the relay had told that they were delivered: {lost}"
        return len(recovered.tokens.keys() & elsewhere)


def cut_power(tmp_path, figure, cuts, kind="ext4"):
    generator = random.Random(cuts)
    cutter = Cutter(tmp_path, kind, generator)
    arrivals = Arrivals()
    twice = []
    with Disk(tmp_path / "outer", tmp_path / "outer.img", "xfs", OUTER_BYTES, ("-m", "reflink=1")), \
            Disk(tmp_path / "disk", tmp_path / "outer" / "disk.img", kind) as disk, \
            Receiver(on_message=arrivals) as receiver:
        receiver.on("RCPT", lambda *_: "451 4.7.1 later" if generator.random() < 0.1 else None)
        with Postern(smarthost(receiver), state=disk.place / "state") as relay, \
                Clients(connector(relay), arrivals) as clients:
            while cutter.cuts < cuts:
                clients.wait_acknowledged(generator.randrange(1, 200))
                twice.append(cutter.survive(disk, relay, clients, arrivals))
            clients.stop()
            assert not clients.refusals, clients.refusals
            missing = arrivals.wait(clients.copy())
            assert not missing, missing
    assert not arrivals.damaged, arrivals.damaged
    figure(f"{cutter.cuts} power cuts ({kind}) under {len(clients.acknowledged)} acknowledged messages: none missing, "
           f"none damaged; {cutter.brought} were recovered, {describe_duplicates(twice)}")


def test_a_power_cut_loses_nothing_acknowledged(tmp_path, figure):
    cut_power(tmp_path, figure, 6)


@pytest.mark.long
@pytest.mark.parametrize("kind, cuts", [("ext4", 200), ("xfs", 100)])
def test_hundreds_of_power_cuts_lose_nothing_acknowledged(tmp_path, figure, kind, cuts):
    cut_power(tmp_path, figure, cuts, kind)
