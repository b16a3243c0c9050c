"""Which payloads in a folder are in use: the time of a change says when one was last asked for.

Who puts a payload that is here already, or is about to refer to it, sets that time to now, and
holds a lock on the file while doing so. Who removes payloads looks at the time and removes under
the other kind of that lock. So none is removed that somebody has just been told is here.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

#: By how much the time of a file may be behind the clock, with much to spare.
_TICK_NS = 10_000_000


def claim(path: Path) -> bool:
    """Note that a payload is in use now; False if it is not here.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            _lock(file, shared=True)
            if not _is_at(path, file):
                return False
            with contextlib.suppress(PermissionError):  # somebody else's; it is theirs to remove
                os.utime(path)
            return True
    except FileNotFoundError:
        return False


def unclaimed_bytes(path: Path, before_us: int) -> int | None:
    """Return the size of a payload that nobody claimed since; None if somebody did, or it is
    gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_size if status.st_mtime_ns + _TICK_NS < before_us * 1000 else None


def remove_unclaimed(path: Path, before_us: int) -> int | None:
    """Remove a payload that nobody claimed since, and return its size; else None.

    Raises:
        OSError: It cannot be removed.
    """
    try:
        with path.open("rb") as file:
            if not _lock(file, shared=False):
                return None  # it is being claimed now
            size_bytes = unclaimed_bytes(path, before_us)
            if size_bytes is not None:
                path.unlink()
            return size_bytes
    except FileNotFoundError:
        return None


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Say whether an open file still has its name."""
    here, there = os.fstat(file.fileno()), path.stat()
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _lock(file: BinaryIO, *, shared: bool) -> bool:
    """Lock an open file; False if another process is at it, which only who removes minds."""
    if sys.platform == "win32":
        return True
    import fcntl

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB
    try:
        fcntl.flock(file.fileno(), kind)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
