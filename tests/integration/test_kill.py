# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of the daemon at random moments under load: nothing acknowledged is missing, nothing is damaged."""

import random
import time

import pytest

from crash import Arrivals, Clients, check_arrived, connector, describe_duplicates
from receiver import PATIENCE_SECONDS

# Some kills fall into the start, while the daemon recovers from the kill before.
START_KILL_SHARE = 0.2
START_MOST_SECONDS = 0.1

# Small generations, so that kills fall into sealing and cleaning too.
CONFIGURATION = {"Queue": {"GenerationSize": "256K", "RetryFirst": "1s", "RetryLongest": "2s"}}


def kill_starting(relay, generator):
    """Starts the daemon, and kills it before it may be ready."""
    relay.spawn()
    time.sleep(generator.uniform(0, START_MOST_SECONDS))  # a moment that nothing tells of: the test waits for nothing
    relay.kill9()


def kill(make_relay, make_receiver, figure, kills):
    generator = random.Random(kills)
    arrivals = Arrivals()
    receiver = make_receiver(on_message=arrivals)
    receiver.on("RCPT", lambda *_: "451 4.7.1 later" if generator.random() < 0.1 else None)
    relay = make_relay(receiver, CONFIGURATION)
    moments = []
    with Clients(connector(relay), arrivals) as clients:
        while len(moments) < kills:
            clients.wait_acknowledged(generator.randrange(1, 200))
            relay.kill9()
            moments.append(time.monotonic())
            if generator.random() < START_KILL_SHARE:
                kill_starting(relay, generator)
                moments.append(time.monotonic())
            relay.logs.clear()  # of hundreds of daemons they would be too much to keep and to search
            relay.start()
        clients.stop()
        assert not clients.refusals, clients.refusals
    check_arrived(clients, arrivals, relay, 2 * PATIENCE_SECONDS)
    figure(f"{len(moments)} kills under {len(clients.acknowledged)} acknowledged messages: none missing, none damaged; "
           + describe_duplicates(arrivals.duplicates(moments)))


def test_kill_9_under_load_loses_nothing_acknowledged(make_relay, make_receiver, figure):
    kill(make_relay, make_receiver, figure, 10)


@pytest.mark.long
def test_hundreds_of_kills_lose_nothing_acknowledged(make_relay, make_receiver, figure):
    kill(make_relay, make_receiver, figure, 500)
