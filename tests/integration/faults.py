# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on request: this side of faults.c, which is loaded into the daemon and lets its system calls fail."""

import errno
import mmap
import re
import struct
import subprocess
import time
from contextlib import contextmanager

from receiver import PATIENCE_SECONDS
from relay import BUILD, POSTERND, is_sanitized

LIBRARY = BUILD / "tests" / "integration" / "libfaults.so"

# As the struct in faults.h.
TEXTS = struct.Struct("1024s128s32s")
NUMBERS = struct.Struct("8I")  # armed, nth, error, lasting, manner, tracking, met, struck
MANNERS = {"fail": 0, "short": 1, "lose": 2, "hold": 3}


def sanitizers():
    """The libraries of the sanitizers in the daemon: they must be loaded before any other."""
    if not is_sanitized():
        return []
    listed = subprocess.run(["ldd", str(POSTERND)], capture_output=True, text=True, check=True).stdout
    return re.findall(r"=> (\S*/lib(?:asan|tsan|ubsan)\.so\S*)", listed)


class Faults:
    """The switch. A context manager, around the daemons that are started with its variables.

    folder: where it keeps its file; tracking: remember what is written and not synced, for the manner "lose"
    """

    def __init__(self, folder, state, tracking=False):
        path = folder / "faults"
        path.write_bytes(b"\0" * (TEXTS.size + NUMBERS.size))
        self.file = open(path, "r+b")
        self.memory = mmap.mmap(self.file.fileno(), 0)
        self.state = str(state)
        NUMBERS.pack_into(self.memory, TEXTS.size, 0, 0, 0, 0, 0, tracking, 0, 0)
        self.variables = {"POSTERN_FAULTS": path, "LD_PRELOAD": " ".join([*sanitizers(), str(LIBRARY)])}

    def arm(self, call, file="", *, nth=1, error=errno.EIO, lasting=False, manner="fail"):
        """From now on the nth call on a file whose path ends in this fails; all from then on, if that is lasting.

        manner: "fail"; "short": a write takes half of its bytes, and what follows fails with the error, if there is
        one; "lose": a sync fails and loses what it should have made safe; "hold": the call waits until the fault ends
        """
        self.end()
        *_, tracking, _, _ = NUMBERS.unpack_from(self.memory, TEXTS.size)
        TEXTS.pack_into(self.memory, 0, self.state.encode(), file.encode(), call.encode())
        NUMBERS.pack_into(self.memory, TEXTS.size, 0, nth, error, lasting, MANNERS[manner], tracking, 0, 0)
        struct.pack_into("I", self.memory, TEXTS.size, True)

    @contextmanager
    def held(self, call, file=""):
        """Inside, the next such call waits."""
        self.arm(call, file, manner="hold")
        try:
            yield
        finally:
            self.end()

    def end(self):
        """No call fails any more."""
        struct.pack_into("I", self.memory, TEXTS.size, False)

    @property
    def struck(self):
        """How many calls have failed since the fault was armed."""
        return NUMBERS.unpack_from(self.memory, TEXTS.size)[-1]

    def wait_struck(self, seconds=PATIENCE_SECONDS):
        """Waits until a call failed; False if none did."""
        deadline = time.monotonic() + seconds
        while not self.struck:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)  # a counter in memory tells nobody that it changed
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.memory.close()
        self.file.close()
