# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of the daemon at random moments under load: nothing acknowledged is missing, nothing is damaged."""

import random
import time

import pytest

from crash import Arrivals, Clients, check_arrived, connector, describe_duplicates, told_delivered
from receiver import PATIENCE_SECONDS

# Some kills fall into the start, while the daemon recovers from the kill before.
START_KILL_SHARE = 0.2
START_MOST_SECONDS = 0.1

# Small generations, so that kills fall into sealing and cleaning too.
CONFIGURATION = {"Queue": {"GenerationSize": "256K", "RetryFirst": "1s", "RetryLongest": "2s"}}


class Daemons:
    """The daemons of a relay, one after the other, each of which has a name of its own for the receiver."""

    def __init__(self, relay):
        self.relay = relay
        self.configuration = relay.configuration_file.read_text(encoding="utf-8")
        self.number = 0
        self.told = {}  # the id of a message -> the daemon whose log said that it was delivered
        self._name()

    def _name(self):
        self.name = f"relay-{self.number:03}.example.org"
        self.relay.configure(self.configuration.replace("relay.example.org", self.name))

    def kill9(self):
        """The next one has another name."""
        self.relay.kill9()
        self.told.update(dict.fromkeys(told_delivered(self.relay.log), self.name))
        self.relay.logs.clear()  # of hundreds of daemons they would be too much to keep and to search
        self.number += 1
        self._name()

    def kill9_starting(self, generator):
        """Starts one, and kills it before it may be ready."""
        self.relay.spawn()
        time.sleep(generator.uniform(0, START_MOST_SECONDS))  # a moment that nothing tells of: the test waits for nothing
        self.kill9()


def kill(make_relay, make_receiver, figure, kills):
    generator = random.Random(kills)
    arrivals = Arrivals()
    receiver = make_receiver(on_message=arrivals)
    receiver.on("RCPT", lambda *_: "451 4.7.1 later" if generator.random() < 0.1 else None)
    relay = make_relay(receiver, CONFIGURATION, start=False)
    daemons = Daemons(relay)
    relay.start()
    with Clients(connector(relay), arrivals) as clients:
        while daemons.number < kills:
            clients.wait_acknowledged(generator.randrange(1, 200))
            daemons.kill9()
            if generator.random() < START_KILL_SHARE:
                daemons.kill9_starting(generator)
            relay.start()
        clients.stop()
        assert not clients.refusals, clients.refusals
    check_arrived(clients, arrivals, relay, 2 * PATIENCE_SECONDS)
    figure(f"{daemons.number} kills under {len(clients.acknowledged)} acknowledged messages: none missing, none damaged; "
           + describe_duplicates(arrivals.duplicates(daemons.told).values()))


def test_kill_9_under_load_loses_nothing_acknowledged(make_relay, make_receiver, figure):
    kill(make_relay, make_receiver, figure, 10)


@pytest.mark.long
def test_hundreds_of_kills_lose_nothing_acknowledged(make_relay, make_receiver, figure):
    kill(make_relay, make_receiver, figure, 500)
