"""Files that are being written and have no name of their own yet.

Each is locked by whoever writes it. So a process that dies leaves a file that nobody has locked,
and whoever comes next can tell it from one that is still being written, by any process of this
machine.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from quark import ids


@contextmanager
def incoming_file(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Give a new file below ``folder``, open for writing; remove what is left of it afterwards.

    Raises:
        OSError: It cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, file = _locked_file(folder)
    try:
        with file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> int:
    """Remove what processes that are gone left in ``folder``; return how many files that were."""
    removed = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError), Path(entry.path).open("rb") as file:
                if _lock(file):
                    os.unlink(entry.path)
                    removed += 1
    return removed


def _locked_file(folder: Path) -> tuple[Path, BinaryIO]:
    while True:
        path = folder / ids.random_id(16)
        file = path.open("xb")
        _lock(file, wait=True)  # for whoever tidies up and has it for a moment
        if os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()  # taken for abandoned before it was locked


def _lock(file: BinaryIO, *, wait: bool = False) -> bool:
    """Lock an open file; False where there are no locks, or if somebody else has it and there is
    no ``wait``."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
