# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command shows on a terminal of some width."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

from receiver import PATIENCE_SECONDS
from relay import POSTERN, environment


def set_columns(terminal, columns):
    """Gives a terminal so many columns."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))


def width(text):
    """How many columns the text takes."""
    text = re.sub("\x1b\\[[0-9;]*m", "", text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def on_terminal(relay, *arguments, columns=80, answer=None, status=0, **variables):
    """Runs postern on a terminal; returns what it showed. answer: what a person types."""
    main, side = pty.openpty()
    set_columns(side, columns)
    variables = {"TERM": "xterm", "NO_COLOR": "", **variables}
    process = subprocess.Popen([POSTERN, f"--bus={relay.bus}", *arguments], stdin=side, stdout=side, stderr=side,
                               env=environment(**variables))
    os.close(side)
    shown = b""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not select.select([main], [], [], 1)[0]:
            continue
        try:
            data = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        shown += data
        if answer is not None and shown.rstrip().endswith(b"[y/N]"):
            os.write(main, answer.encode() + b"\n")
            answer = None
    os.close(main)
    assert process.wait(PATIENCE_SECONDS) == status, shown
    return shown.decode()
