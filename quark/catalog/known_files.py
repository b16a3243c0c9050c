"""Digests of files that were read before, so that what did not change is not read again.

A file is known by its device, inode, size and both its times. Two writes in the same tick of a
clock leave the same times, so a file is believed only if it was old enough when it was read: what
was written since would show a later time. (git calls a file for which that does not hold racily
clean.) What is remembered is a help and nothing else: a fault here costs time, not correctness.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import QuarkError
from quark.storage.file_copy import FileDigests, FileStamp
from quark.storage.sqlite_file import SqliteFile
from quark.storage.sqlite_open import Schema

#: The coarsest clock of a file system in use (FAT's, for the time of a change).
TICK_NS = 2_000_000_000

#: What is remembered is written when it is worth that much: a transaction takes milliseconds.
_WORTH_FILES = 500
_WORTH_BYTES = 64 << 20

_MAX_AGE_US = 180 * 24 * 3600 * 1_000_000

KNOWN_FILES_SCHEMA = Schema(
    "known files",
    (
        (
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            "CREATE TABLE file (device TEXT NOT NULL, inode TEXT NOT NULL, size INTEGER NOT NULL, "
            "modified INTEGER NOT NULL, changed INTEGER NOT NULL, sha256 TEXT NOT NULL, "
            "md5 TEXT NOT NULL, used_us INTEGER NOT NULL, PRIMARY KEY (device, inode)) "
            "WITHOUT ROWID",
        ),
    ),
)


class KnownFiles:
    """What is known of files, in one SQLite file that processes share. Owns its connections.

    Any thread may use it. What was remembered last is in memory only: :meth:`flush` writes it.
    """

    def __init__(self, path: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self._file = SqliteFile(path, KNOWN_FILES_SCHEMA, busy_timeout_seconds=1.0)
        self._clock = clock
        self._pending: dict[FileStamp, FileDigests] = {}
        self._pending_bytes = 0

    def find(self, stamp: FileStamp) -> FileDigests | None:
        """Return the digests of the file with this stamp, if they are known."""
        if stamp in self._pending:
            return self._pending[stamp]
        with _unless_it_fails(), self._file.reading() as connection:
            row = connection.execute(
                "SELECT sha256, md5 FROM file WHERE device = ? AND inode = ? AND size = ? "
                "AND modified = ? AND changed = ?",
                (str(stamp.device), str(stamp.inode), *stamp[2:]),
            ).fetchone()
            if row is not None:
                return FileDigests(row[0], row[1], stamp.size_bytes)
        return None

    def remember(self, stamp: FileStamp, digests: FileDigests, started_us: int) -> None:
        """Keep what was found of a file that had ``stamp`` from ``started_us`` to the end."""
        newest_ns = max(stamp.modified_ns, stamp.changed_ns)
        if newest_ns + TICK_NS < started_us * 1000:
            self._pending[stamp] = digests
            self._pending_bytes += stamp.size_bytes

    def flush_if_worth_it(self) -> None:
        """Write what was remembered if reading it again would take longer than that."""
        if len(self._pending) >= _WORTH_FILES or self._pending_bytes >= _WORTH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was remembered since the last time."""
        pending, self._pending = self._pending, {}
        self._pending_bytes = 0
        if not pending:
            return
        now_us = self._clock.time_us()
        with _unless_it_fails(), self._file.writing(create=True) as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                _rows(pending.items(), now_us),
            )
            if len(pending) >= _WORTH_FILES:
                old_us = now_us - _MAX_AGE_US
                connection.execute("DELETE FROM file WHERE used_us < ?", (old_us,))

    def close(self) -> None:
        """Write what was remembered, and release the connections."""
        self.flush()
        self._file.close()


_shared: dict[Path, KnownFiles] = {}


def known_files(path: Path) -> KnownFiles:
    """Return what this process knows by the file at ``path``, the same object each time."""
    return _shared.setdefault(path, KnownFiles(path))


def release(path: Path) -> None:
    """Write what is known by the file at ``path``, and let go of the file until it is needed."""
    found = _shared.pop(path, None)
    if found is not None:
        found.close()


def _rows(
    found: Iterable[tuple[FileStamp, FileDigests]], now_us: int
) -> Iterator[tuple[str | int, ...]]:
    for stamp, digests in found:
        yield (
            str(stamp.device),
            str(stamp.inode),
            *stamp[2:],
            digests.sha256,
            digests.md5,
            now_us,
        )


@contextlib.contextmanager
def _unless_it_fails() -> Iterator[None]:
    with contextlib.suppress(QuarkError, OSError, sqlite3.Error):
        yield
