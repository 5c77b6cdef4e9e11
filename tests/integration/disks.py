# SPDX-License-Identifier: GPL-3.0-or-later
"""File systems of a test's own, in image files.

They need root and a machine that lets it mount. Where that is not so, as in most containers, the test is skipped and says
why. If it is only that a program is not installed, that is a failure in CI: a proof that is not run proves nothing.

When a file system fails as a whole, a sync that is under way at that moment may be told to have succeeded although it
did not (ext4 and XFS of Linux 6.18 do that to any program that appends and syncs: the size of the file is lost). So no
message may be under way at that moment.
"""

import fcntl
import os
import struct
import subprocess
from pathlib import Path

import pytest


EXT4_IOC_SHUTDOWN = 0x8004587D
SHUTDOWN_WITHOUT_FLUSH = 2


def run(*command):
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def skip_or_fail(program):
    """Ends the test, which needs that program."""
    reason = f"{program} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has to run this test, but {reason}")
    pytest.skip(reason)


class Disk:
    """A file system, mounted. A context manager.

    image: the file that it is in, made if it is missing; None: a tmpfs
    """

    def __init__(self, place, image=None, kind="ext4", size=400 << 20, make_options=(), options=""):
        self.place = Path(place)
        self.image = image and Path(image)
        self.kind = kind
        self.size = size
        self.make_options = make_options
        self.options = options or ("defaults" if image else f"size={size}")
        self.device = None
        self.place.mkdir(exist_ok=True)

    def make(self):
        """Makes the file system in the image; its space is taken as it is used."""
        with open(self.image, "wb") as file:
            file.truncate(self.size)
        run(f"mkfs.{self.kind}", "-q", *self.make_options, self.image)

    def mount(self):
        if self.image is None:
            run("mount", "-t", "tmpfs", "-o", self.options, "none", self.place)
            return
        # A device of its own for each mount: "-o loop" would take the one that an earlier mount still has.
        self.device = run("losetup", "--find", "--show", self.image).strip()
        try:
            self.mount_again()
        finally:
            run("losetup", "--detach", self.device)  # as soon as nobody has a file open on it

    def mount_again(self):
        """Mounts the same device after a lazy unmount, while a program has files open on it: it is the same file system.

        A device of its own would be a second file system in the same image, and each would write over the other.
        """
        run("mount", "-t", self.kind, "-o", self.options, self.device, self.place)

    def unmount(self, *options):
        run("umount", *options, self.place)

    def fail_read_only(self):
        """What ext4 does when it finds itself damaged: nothing can be written any more, until it is mounted anew."""
        name = Path(self.device).name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("of a test", encoding="ascii")

    def die(self):
        """From now on everything fails with an I/O error, until it is mounted anew."""
        folder = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", SHUTDOWN_WITHOUT_FLUSH))
        finally:
            os.close(folder)

    def replace(self):
        """Mounts it anew in the same place, as when a disk is plugged out and in again."""
        self.unmount("--lazy")
        self.mount()

    def __enter__(self):
        if os.geteuid() != 0:
            pytest.skip("only root can mount file systems")
        try:
            if self.image and not self.image.exists():
                self.make()
            self.mount()
        except FileNotFoundError as error:
            skip_or_fail(error.filename)
        except OSError as error:
            pytest.skip(f"this machine does not mount file systems: {error}")
        return self

    def __exit__(self, *_):
        while os.path.ismount(self.place):
            self.unmount("--lazy")
