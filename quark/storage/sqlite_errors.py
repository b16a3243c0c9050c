"""What SQLite's errors mean to a caller of Quark."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from quark.errors import DamagedFileError, QuarkError, SessionStoreError

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_WAYS_OUT = {
    sqlite3.SQLITE_BUSY: "another process is writing to it for too long; try again",
    sqlite3.SQLITE_LOCKED: "another connection is writing to it for too long; try again",
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
    sqlite3.SQLITE_READONLY: "it is read-only; make it writable or choose another storage_dir",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check its folder's permissions",
    sqlite3.SQLITE_PERM: "permission is denied; check its folder's permissions",
    sqlite3.SQLITE_IOERR: "reading or writing it failed; check the disk",
}


def is_busy(error: sqlite3.Error) -> bool:
    """Say whether the error means only that somebody else holds the lock."""
    return _primary_code(error) in _BUSY


def as_quark_error(error: sqlite3.Error, path: Path) -> QuarkError:
    """Return the error of ``errors.py`` that says the same."""
    code = _primary_code(error)
    if code in _DAMAGED:
        return DamagedFileError(
            f"{path} is damaged ({error}); restore it from a copy, or delete it and ship the "
            "run's journal again."
        )
    way_out = _WAYS_OUT.get(code, "the operation failed")
    return SessionStoreError(f"{path}: {way_out} ({error}).")


def _primary_code(error: sqlite3.Error) -> int:
    # Errors that the sqlite3 module raises by itself carry no code.
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
