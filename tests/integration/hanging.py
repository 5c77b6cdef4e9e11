# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system with one file, whose server answers some of a process's calls never: what any user can mount with FUSE."""

import ctypes
import errno
import os
import struct
import tempfile
import threading

LOOKUP, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT = 1, 3, 14, 15, 18, 25, 26
REQUEST = struct.Struct("<IIQQIIII")
ANSWER = struct.Struct("<IiQ")
ATTRIBUTES = struct.Struct("<6Q10I")
ROOT_NODE, FILE_NODE = 1, 2
VALID_SECONDS = 3600
DIRECT_IO = 1  # each read is asked for
FOR_EVERYBODY = "allow_other"

libc = ctypes.CDLL(None, use_errno=True)


class HangingFile:
    """A context manager.

    content: what the file has
    hangs: the calls, READ or FLUSH, that are not answered to the process `victim`
    """

    def __init__(self, content, hangs, victim):
        self.content = content
        self.hangs = hangs
        self.victim = victim
        self.held = threading.Event()  # a call of the victim's hangs
        self.device = os.open("/dev/fuse", os.O_RDWR)
        self.folder = tempfile.mkdtemp(prefix="postern-hanging-")
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,{FOR_EVERYBODY}"
        if libc.mount(b"hanging", self.folder.encode(), b"fuse", 0, options.encode()) < 0:
            number = ctypes.get_errno()
            os.close(self.device)
            os.rmdir(self.folder)
            raise OSError(number, os.strerror(number))
        self.path = f"{self.folder}/content"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Whoever waits is told that the server has gone."""
        libc.umount2(self.folder.encode(), 2)
        os.close(self.device)
        os.rmdir(self.folder)

    def _attributes(self, node):
        mode, size = (0o40755, 0) if node == ROOT_NODE else (0o100644, len(self.content))
        return ATTRIBUTES.pack(node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _answer(self, opcode, node, body):
        if opcode == INIT:
            return struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, *[0] * 8)
        if opcode == LOOKUP and body.rstrip(b"\0") == b"content":
            return struct.pack("<4Q2I", FILE_NODE, 0, VALID_SECONDS, VALID_SECONDS, 0, 0) + self._attributes(FILE_NODE)
        if opcode == GETATTR:
            return struct.pack("<Q2I", VALID_SECONDS, 0, 0) + self._attributes(node)
        if opcode == OPEN:
            return struct.pack("<Q2I", 0, DIRECT_IO, 0)
        if opcode == READ:
            _, offset, size = struct.unpack_from("<2QI", body)
            return self.content[offset:offset + size]
        return b"" if opcode in (FLUSH, RELEASE) else None

    def _serve(self):
        while True:
            try:
                data = os.read(self.device, 1 << 20)
            except OSError:
                return
            _, opcode, unique, node, _, _, process, _ = REQUEST.unpack_from(data)
            if opcode in self.hangs and os.path.exists(f"/proc/{self.victim}/task/{process}"):
                self.held.set()
                continue
            body = self._answer(opcode, node, data[REQUEST.size:])
            failure = 0 if body is not None else -(errno.ENOENT if opcode == LOOKUP else errno.ENOSYS)
            try:
                os.write(self.device, ANSWER.pack(ANSWER.size + len(body or b""), failure, unique) + (body or b""))
            except OSError:
                pass  # who asked has gone
