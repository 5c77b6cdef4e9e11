# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers of files to lay over the root of root.py: packages that this computer's apt installs, with its sources.

Like the root a layer is made once, is kept in the same cache under a name made of all that went into it, and is never written to.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from root import KEPT_SECONDS, Unable, cache_folder, debian_root, scratch_folder


def _apt_once(root, log, *arguments, folder=None):
    options = {"Dir::State::status": root / "var/lib/dpkg/status",
               "Dir::State::extended_states": root / "var/lib/apt/extended_states",
               "Dir::Cache::archives": root / "var/cache/apt/archives", "DPkg::Chroot-Directory": root,
               "APT::Install-Recommends": "false", "Dpkg::Options::": "--force-unsafe-io"}
    command = ["apt-get", "-q", "-y", *[f"-o{name}={value}" for name, value in options.items()], *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment,
                          cwd=folder, check=False).returncode == 0


def apt(root, log, *arguments, folder=None):
    """Runs this computer's apt for the packages of another root; a second time if its lists were old, or none."""
    (root / "var/cache/apt/archives/partial").mkdir(parents=True, exist_ok=True)
    if _apt_once(root, log, *arguments, folder=folder):
        return
    subprocess.run(["apt-get", "-q", "update"], stdout=log, stderr=log, check=False)
    if not _apt_once(root, log, *arguments, folder=folder):
        raise Unable(f"apt-get cannot {' '.join(arguments)}:\n" + Path(log.name).read_text("utf-8")[-2000:])


@contextmanager
def root_above(upper, scratch, layers=()):
    """The Debian root as a folder to use with chroot(8): what is written goes to the folder upper, which is a layer then.

    layers: more folders of files, which lie between.
    """
    with ExitStack() as stack:
        merged, work = scratch / "merged", scratch / "work"
        merged.mkdir()
        work.mkdir()
        lower = ":".join(map(str, [*layers, debian_root()]))
        for kind, options, place in (("overlay", f"lowerdir={lower},upperdir={upper},workdir={work}", merged),
                                     ("proc", "", merged / "proc"), ("tmpfs", "mode=755", merged / "run")):
            command = ["mount", "-t", kind, *(["-o", options] if options else []), "postern-test", place]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Unable(f"no {kind} can be mounted: {done.stderr.strip()}")
            stack.callback(subprocess.run, ["umount", "--lazy", place], check=False)
        subprocess.run(["mount", "--bind", "/dev", merged / "dev"], check=True, capture_output=True)
        stack.callback(subprocess.run, ["umount", "--lazy", merged / "dev"], check=False)
        yield merged


def kept_layer(name, recipe, fill):
    """The folder of a layer, made if it is missing; whoever comes second waits for the first.

    recipe: lines of text, all that goes into it
    fill(upper, scratch, log): fills the folder upper; scratch is a folder for meanwhile, log an open file
    """
    cache = cache_folder()
    text = "\n".join([debian_root().name, *recipe, Path(__file__).read_text(encoding="utf-8")])
    folder = cache / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    with open(cache / f"{name}-lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            os.utime(folder)
            return folder
        for old in cache.glob(f"{name}-????????????????"):
            if old.stat().st_mtime < time.time() - KEPT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        with scratch_folder(name) as scratch:
            upper = scratch / "upper"
            upper.mkdir(mode=0o755)
            with open(cache / f"{name}.log", "w", encoding="utf-8") as log:
                fill(upper, scratch, log)
            upper.rename(folder)
    return folder
