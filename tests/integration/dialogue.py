# SPDX-License-Identifier: GPL-3.0-or-later
"""A program at a terminal, and a person who answers it."""

import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

from receiver import PATIENCE_SECONDS
from terminal import set_columns


class Dialogue:
    """A context manager: the program runs inside, with a terminal as its standard input, output and error."""

    def __init__(self, arguments, environment, columns=80):
        self.screen, terminal = pty.openpty()
        set_columns(terminal, columns)
        self.process = subprocess.Popen([str(a) for a in arguments], stdin=terminal, stdout=terminal, stderr=terminal,
                                        env=environment, start_new_session=True, preexec_fn=self._own_terminal)
        os.close(terminal)
        self.shown = ""  # everything
        self.seen = 0  # what was waited for already

    @staticmethod
    def _own_terminal():
        import fcntl
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell that runs the tests in the background lets them ignore it

    def _read(self, deadline):
        """Reads what comes; False at the end."""
        ready, _, _ = select.select([self.screen], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"nothing came in {PATIENCE_SECONDS} s after:\n{self.shown}"
        try:
            data = os.read(self.screen, 65536)
        except OSError:  # the other end is closed
            return False
        self.shown += data.decode(errors="backslashreplace").replace("\r\n", "\n")
        return bool(data)

    def expect(self, pattern):
        """Waits until this is shown, after what was waited for before; a line may be broken at each of its spaces."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (match := re.search(pattern.replace(" ", r"\s"), self.shown[self.seen:], re.DOTALL)):
            assert self._read(deadline), f"the program ended before it showed {pattern!r}:\n{self.shown}"
        self.seen += match.end()
        return match

    def send(self, text):
        os.write(self.screen, text.encode())

    def answer(self, question, text):
        """Waits for the question and types the answer, with Enter."""
        self.expect(question)
        self.send(text + "\n")

    def shows_typing(self):
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self.screen)[3] & termios.ECHO)

    def end(self):
        """Waits for the end; returns the exit status."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read(deadline):
            pass
        return self.process.wait(PATIENCE_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.screen)
