# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian package, built from this tree once for each state of it, and a later version of the same."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from root import cache_folder, scratch_folder

# As many as are worked on at a time may be tested in turn.
KEPT_SECONDS = 24 * 3600

TOP = Path(__file__).resolve().parents[2]
SOURCES = ["cli", "daemon", "dbus", "debian", "docs", "journal", "message", "output", "units", "meson.build", "meson_options.txt",
           "README.md", "COPYING"]


def source_files():
    """The files that the packages are made of."""
    for name in SOURCES:
        path = TOP / name
        yield from sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _state():
    """A short name for the state of the sources."""
    digest = hashlib.sha256()
    for path in source_files():
        digest.update(str(path.relative_to(TOP)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _build(folder):
    """Builds in a copy, as a Debian developer does; only the package is kept."""
    with tempfile.TemporaryDirectory(prefix="postern-package-") as scratch:
        tree = Path(scratch) / "postern"
        for path in source_files():
            copy = tree / path.relative_to(TOP)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        (tree / "tests").mkdir()
        environment = {**os.environ, "DEB_BUILD_OPTIONS": f"nocheck noautodbgsym parallel={os.cpu_count()}"}
        done = subprocess.run(["dpkg-buildpackage", "-us", "-uc", "-b"], cwd=tree, env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout[-4000:]
        (package,) = Path(scratch).glob("postern_*.deb")
        shutil.copy(package, folder / "postern.deb")


def _make_later(folder):
    """The same with a higher version: an upgrade, without compiling it all again."""
    with tempfile.TemporaryDirectory(prefix="postern-package-") as scratch:
        tree = Path(scratch) / "tree"
        subprocess.run(["dpkg-deb", "--raw-extract", folder / "postern.deb", tree], check=True)
        control = tree / "DEBIAN" / "control"
        lines = [line + "+later" if line.startswith("Version: ") else line
                 for line in control.read_text(encoding="utf-8").splitlines()]
        control.write_text("\n".join(lines) + "\n", encoding="utf-8")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, folder / "later.deb"], check=True,
                       capture_output=True)


def packages():
    """A folder with postern.deb and later.deb."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"package-{_state()}"
    with open(cache / "package-lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "later.deb").exists():
            for old in cache.glob("package-????????????????"):
                if old == folder or old.stat().st_mtime < time.time() - KEPT_SECONDS:
                    shutil.rmtree(old)
            with scratch_folder("package") as made:
                made.chmod(0o755)
                _build(made)
                _make_later(made)
                made.rename(folder)
        os.utime(folder)
    return folder
