"""What has been put for versions that are not logged yet, in this process or in another one.

A version may be put together for days: a script adds a checkpoint after each epoch and logs all of
them at the end. As long as anything holds a :class:`Staging` of a store, in any process, nothing
that was put since is taken for garbage. It is a file that is locked; so a process that dies leaves
a file that nobody has locked.
"""

from __future__ import annotations

import contextlib
import os
import sys
import weakref
from pathlib import Path

from quark import ids
from quark.storage.incoming import remove_abandoned

FOLDER = "staging"


class Staging:
    """Says that something is being put together in the store at ``root``, until it is let go."""

    def __init__(self, root: Path) -> None:
        folder = root / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        path, descriptor = _locked_file(folder)
        weakref.finalize(self, _release, path, descriptor, os.getpid())


_living: weakref.WeakValueDictionary[tuple[int, Path], Staging] = weakref.WeakValueDictionary()


def staging_in(root: Path) -> Staging | None:
    """Return what says that something is being put together; the same object as long as it lives.

    None where the store cannot be written.
    """
    key = (os.getpid(), root)  # a child of this process has to say so itself
    found = _living.get(key)
    if found is None:
        with contextlib.suppress(OSError):
            found = _living[key] = Staging(root)
    return found


def staged_since_us(root: Path) -> int | None:
    """Return when the oldest staging began that is going on; None if there is none."""
    folder = root / FOLDER
    remove_abandoned(folder)
    begun = list[int]()
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                begun.append(path.stat().st_mtime_ns // 1000)
    return min(begun, default=None)


def _locked_file(folder: Path) -> tuple[Path, int]:
    while True:
        path = folder / ids.random_id(16)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        if sys.platform != "win32":
            import fcntl

            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # who tidies up may have it for a moment
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # taken for abandoned before it was locked


def _release(path: Path, descriptor: int, pid: int) -> None:
    with contextlib.suppress(OSError):
        if pid == os.getpid():
            path.unlink()
    with contextlib.suppress(OSError):
        os.close(descriptor)
