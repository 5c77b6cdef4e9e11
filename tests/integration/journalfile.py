# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal of the test's own: what a daemon logged, written into a journal file by systemd's own program."""

import itertools
import re
import subprocess
import time
from pathlib import Path

from relay import TOP

REMOTE = Path("/lib/systemd/systemd-journal-remote")
FIELD = re.compile(r' (POSTERN_[A-Z_]+)=("(?:[^"\\]|\\.)*"|\S+)')

# The text on standard error has no MESSAGE_ID; the sentence tells which one it is.
SENTENCES = [("queued mail of", "QUEUED"), ("delivered to", "DELIVERED"), ("has to wait, deferred", "DEFERRED"),
             ("bounced, refused", "BOUNCED"), ("was given up", "EXPIRED"), (": held", "HELD"),
             (": released", "RELEASED"), (": deleted", "DELETED")]


def message_ids():
    """{"QUEUED": its MESSAGE_ID, …}, from the source."""
    source = (TOP / "daemon" / "log-entry.c").read_text(encoding="utf-8")
    return dict(re.findall(r'\[LOG_EVENT_([A-Z_]+)\] = \{"([0-9a-f]{32})"', source))


def entries(log, ids=None):
    """The lines of a log about messages as lists of (field, value)."""
    ids = ids or message_ids()
    for line in log.splitlines():
        fields = [(name, re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value)
                  for name, value in FIELD.findall(line)]
        if not any(name == "POSTERN_QUEUE_ID" for name, _ in fields):
            continue
        sentence = line[:FIELD.search(line).start()]
        kind = next(kind for words, kind in SENTENCES if words in sentence)
        yield [("MESSAGE", sentence), ("MESSAGE_ID", ids[kind]), ("PRIORITY", "6"), *fields]


def write(path, logged, unit="postern.service", apart_seconds=1):
    """Writes entries into a journal file, so far apart, the last one now."""
    logged = list(logged)
    apart = apart_seconds * 1000000
    usec = int(time.time() * 1e6) - len(logged) * apart
    text = []
    for number, fields in zip(itertools.count(1), logged):
        text += [f"__REALTIME_TIMESTAMP={usec + number * apart}", f"__MONOTONIC_TIMESTAMP={number * apart}",
                 "_BOOT_ID=" + "1" * 32, "_MACHINE_ID=" + "2" * 32, f"_SYSTEMD_UNIT={unit}"]
        text += [f"{name}={value}" for name, value in fields] + [""]
    subprocess.run([REMOTE, f"--output={path}", "-"], input="\n".join(text) + "\n", text=True, check=True,
                   capture_output=True)
    return path
