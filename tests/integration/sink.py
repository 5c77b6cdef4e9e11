# SPDX-License-Identifier: GPL-3.0-or-later
"""Postfix's smtp-sink: a receiver that is fast and takes messages of any size."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from receiver import PATIENCE_SECONDS, reserve

SMTP_SINK = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")



class Sink:
    """A context manager: smtp-sink runs inside. keep: write each message to a file."""

    def __init__(self, keep=False, options=()):
        self.folder = Path(tempfile.mkdtemp(prefix="postern-sink-"))
        self.folder.chmod(0o777)  # smtp-sink gives up root's rights
        self.reserved = reserve()
        self.port = self.reserved.getsockname()[1]
        command = [SMTP_SINK, *options]
        command += ["-u", "nobody"] if os.geteuid() == 0 else []
        command += ["-d", "message."] if keep else []
        self.process = subprocess.Popen([*command, f"127.0.0.1:{self.port}", "1024"], cwd=self.folder,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        self._wait_until_up()

    def _wait_until_up(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                assert self.process.poll() is None, f"smtp-sink ended: {self.process.stderr.read()}"
                assert time.monotonic() < deadline, "smtp-sink does not listen"
                time.sleep(0.01)

    def files(self):
        """The files of the messages that it kept."""
        return sorted(self.folder.glob("message.*"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stderr.close()
        self.reserved.close()
        shutil.rmtree(self.folder, ignore_errors=True)
