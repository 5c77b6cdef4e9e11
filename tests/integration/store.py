# SPDX-License-Identifier: GPL-3.0-or-later
"""A store with mail in it, of a daemon that was killed: to be hurt, and then to be opened."""

import re
import shutil
import time
from contextlib import ExitStack

from crash import Arrivals, Clients, connector
from receiver import PATIENCE_SECONDS, Receiver
from relay import Bus, Postern

MESSAGES = 60
BODY_LINES = 60  # some 4 KB each, so that a block that is lost hits one or two of them

BASE = {"Relay": {"HostName": "relay.example.org", "Domain": "example.org"},
        "Queue": {"ReserveSpace": "1M", "RetryFirst": "1s", "RetryLongest": "1s"}}


class Store:
    """generation_size: with a small one some of the mail is in sealed generations, with a large one in a journal."""

    def __init__(self, folder, generation_size):
        self.folder = folder
        self.configuration = {**BASE, "Queue": {**BASE["Queue"], "GenerationSize": generation_size}}
        self.kept = folder / "kept"
        with Postern(self.configuration, state=self.kept) as relay:
            with Clients(connector(relay), Arrivals(), count=2, body_lines=BODY_LINES) as clients:
                clients.wait_acknowledged(MESSAGES)
                clients.stop()
            self.tokens = dict(clients.acknowledged)  # token -> id
            self._wait_sealed(generation_size != "64M")
            relay.kill9()

    def _wait_sealed(self, wanted):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while wanted and not list(self.kept.glob("queue/*.gdbm")):
            assert time.monotonic() < deadline, "nothing was sealed"
            time.sleep(0.01)  # nothing tells that a generation was sealed

    def copy(self):
        """The store as it was, to be hurt."""
        state = self.folder / "state"
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(self.kept, state)
        return state

    def files(self, kind):
        return sorted((self.kept / "queue").glob(f"*.{kind}"))

    @staticmethod
    def _named_ids(log):
        return set(re.findall(r"^(?:(?:warning|error): |.* cannot be read).*POSTERN_QUEUE_ID=(\w+)", log, re.M))

    def named(self, log):
        """The tokens of the messages of which the log says that they are damaged, or cannot be delivered for that."""
        named = self._named_ids(log)
        return {token for token, identity in self.tokens.items() if identity in named}

    def _wait_done(self, relay):
        """Waits until nothing is left in the queue but what was named."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left := {message["id"] for message in relay.queue()} - self._named_ids(relay.log_text()):
            assert time.monotonic() < deadline, f"these neither left nor were named: {left}\n{relay.log_text()}"

    def open(self, state):
        """Has a relay deliver what is in the store. Returns (tokens that arrived, tokens that were named, log)."""
        arrivals = Arrivals()
        with ExitStack() as stack:
            receiver = stack.enter_context(Receiver(on_message=arrivals))
            smarthost = {"Host": receiver.host, "Port": receiver.port, "TLS": "none"}
            relay = stack.enter_context(Postern({**self.configuration, "Smarthost": smarthost}, state=state,
                                                bus=stack.enter_context(Bus()).address))
            self._wait_done(relay)
        assert not arrivals.damaged, arrivals.damaged
        return arrivals.copy(), self.named(relay.log_text()), relay.log_text()
