# SPDX-License-Identifier: GPL-3.0-or-later
"""A file system with one file, whose server answers some of a process's calls never: what any user can mount with FUSE."""

import ctypes
import errno
import os
import struct
import subprocess
import sys
import tempfile

LOOKUP, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT = 1, 3, 14, 15, 18, 25, 26
REQUEST = struct.Struct("<IIQQIIII")
ANSWER = struct.Struct("<IiQ")
ATTRIBUTES = struct.Struct("<6Q10I")
ROOT_NODE, FILE_NODE = 1, 2
VALID_SECONDS = 3600
DIRECT_IO = 1  # each read is asked for
DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)


class HangingFile:
    """A context manager. The server is a process of its own, so that it can answer while this one waits for the kernel.

    content: what the file has
    hangs: the call, READ or FLUSH, that is not answered to the process `victim`
    """

    def __init__(self, content, hangs, victim):
        self.process = subprocess.Popen(["/usr/bin/python3", __file__, content.decode(), str(hangs), str(victim)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.folder = self.process.stdout.readline().strip()
        if not self.folder:
            raise OSError("no file system can be mounted here")
        self.path = f"{self.folder}/content"

    def wait_held(self):
        """Until a call of the victim's hangs."""
        assert self.process.stdout.readline() == "held\n"

    def let_go(self):
        """Whoever waits is told that the server has gone."""
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.let_go()
        self.process.stdout.close()
        libc.umount2(self.folder.encode(), DETACH)
        os.rmdir(self.folder)


class Server:
    def __init__(self, content, hangs, victim):
        self.content = content.encode()
        self.hangs = int(hangs)
        self.victim = victim
        self.device = os.open("/dev/fuse", os.O_RDWR)
        folder = tempfile.mkdtemp(prefix="postern-hanging-")
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if libc.mount(b"hanging", folder.encode(), b"fuse", 0, options.encode()) < 0:
            os.rmdir(folder)
            sys.exit(os.strerror(ctypes.get_errno()))
        print(folder, flush=True)

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

    def serve(self):
        while True:
            try:
                data = os.read(self.device, 1 << 20)
            except OSError:
                return
            _, opcode, unique, node, _, _, process, _ = REQUEST.unpack_from(data)
            if opcode == self.hangs and os.path.exists(f"/proc/{self.victim}/task/{process}"):
                print("held", flush=True)
                continue
            body = self._answer(opcode, node, data[REQUEST.size:])
            failure = 0 if body is not None else -(errno.ENOENT if opcode == LOOKUP else errno.ENOSYS)
            try:
                os.write(self.device, ANSWER.pack(ANSWER.size + len(body or b""), failure, unique) + (body or b""))
            except OSError:
                pass  # who asked has gone


if __name__ == "__main__":
    Server(*sys.argv[1:]).serve()
