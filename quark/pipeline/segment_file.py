"""A journal segment as a file: allocated in full, then mapped.

Allocation comes first because a store into a page that the disk has no room for is a SIGBUS, which
kills the training; ``posix_fallocate`` makes it an error at creation instead. Where a file system
cannot be mapped safely (network file systems) the same frames go through ``pwrite``.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from pathlib import Path
from typing import Protocol

from quark.storage.filesystem import is_network_path

_MADV_POPULATE_WRITE = (
    23  # Linux 5.14; elsewhere the call fails and pages are faulted in one by one
)
_PREFAULT_PIECE = 64 * 1024


class WritableBytes(Protocol):
    """What frames are written into: a mapped file, or one that is written through."""

    def __setitem__(self, place: slice, data: bytes, /) -> None: ...

    def __getitem__(self, place: slice, /) -> bytes: ...


class WrittenThrough:
    """Looks like a map, but every store is a ``pwrite``; used on network file systems."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __setitem__(self, place: slice, data: bytes, /) -> None:
        written = os.pwrite(self._descriptor, data, place.start)
        while written < len(data):
            written += os.pwrite(self._descriptor, data[written:], place.start + written)

    def __getitem__(self, place: slice, /) -> bytes:
        return os.pread(self._descriptor, place.stop - place.start, place.start)


class SegmentFile:
    """One segment of a journal, open for appending. Owned by the journal that made it.

    Raises:
        OSError: The file cannot be made or the disk has no room for all of it.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.first_seq = 0
        self.start = 0  # where frames begin
        self.end = 0  # where frames ended when the journal went on to the next segment
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)
        self._map: mmap.mmap | None = None
        self._populated = 0
        try:
            os.posix_fallocate(self._descriptor, 0, size)
            if is_network_path(path.parent):
                self.buffer: WritableBytes = WrittenThrough(self._descriptor)
            else:
                self._map = mmap.mmap(self._descriptor, size)
                self.buffer = self._map
        except OSError:
            os.close(self._descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise

    def prefault(self, up_to: int) -> None:
        """Have the pages up to ``up_to`` ready, so that an append does not fault them in."""
        up_to = min(up_to, self.size)
        while self._map is not None and self._populated < up_to:
            piece = min(_PREFAULT_PIECE, self.size - self._populated)
            try:
                self._map.madvise(_MADV_POPULATE_WRITE, self._populated, piece)
            except (OSError, ValueError):
                self._populated = self.size
                return
            self._populated += piece

    def sync(self) -> None:
        """Have the kernel put the segment on the disk: it then survives a loss of power."""
        if self._map is not None:
            self._map.flush()
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of the file; it stays where it is."""
        if self._descriptor < 0:
            return
        if self._map is not None:
            self._map.close()
        os.close(self._descriptor)
        self._descriptor = -1

    def remove(self) -> None:
        """Close and delete the file: everything in it has been delivered."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


_FOLDER_ATTEMPTS = 10


class WriterLock:
    """Says that a writer is alive: an ``flock`` that the kernel drops when the process dies.

    ``acquire`` by somebody else succeeds only then. The file itself means nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def acquire(self, *, make_folder: bool = False) -> bool:
        """Take the lock without waiting; say whether it was free.

        With ``make_folder`` the folder is made, also if a recovery removes it in between, which it
        does with one that is empty.

        Raises:
            OSError: The lock file cannot be opened.
        """
        for attempt in range(_FOLDER_ATTEMPTS):
            try:
                if make_folder:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                break
            except FileNotFoundError:
                if not make_folder or attempt == _FOLDER_ATTEMPTS - 1:
                    raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self, *, remove: bool) -> None:
        """Give the lock back; ``remove`` deletes the file first. A second call does nothing."""
        if self._descriptor < 0:
            return
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1

    def forget_after_fork(self) -> None:
        """In a forked child: let go of the descriptor; the parent keeps its lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
