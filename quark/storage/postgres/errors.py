"""What PostgreSQL's errors mean to a caller of Quark. No message tells a password or a value."""

from __future__ import annotations

import psycopg
from psycopg import errors

from quark.errors import DamagedFileError, QuarkError, SessionStoreError
from quark.storage.postgres.connection import AnswerTimeoutError

#: What ``quark.append`` raises.
_WRITER_MOVED = "QK001"


class WriterMovedError(SessionStoreError):
    """Another process has applied frames of a writer meanwhile."""


#: Another transaction was in the way; the same again, from the start, succeeds.
_CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected)

_WAYS_OUT: tuple[tuple[type[psycopg.Error] | tuple[type[psycopg.Error], ...], str], ...] = (
    (_CONFLICTS, "another transaction was in the way; try again"),
    (errors.LockNotAvailable, "another process holds a run for too long; try again"),
    ((errors.QueryCanceled, AnswerTimeoutError), "the server took too long to answer; try again"),
    (errors.DiskFull, "the server's disk is full; free some space there and try again"),
    (errors.OutOfMemory, "the server is out of memory; try again"),
    (errors.TooManyConnections, "the server has no free connection; try again, raise its "
     "max_connections or give Quark fewer"),
    (errors.ReadOnlySqlTransaction, "the server is read-only, as a standby is; name the primary"),
    (errors.InvalidCatalogName, "the server has no such database; create it"),
    (errors.InsufficientPrivilege, "its user is not allowed to do that; the user that Quark "
     "connects as must own the schema 'quark', or may create it at the first start"),
    ((errors.InvalidPassword, errors.InvalidAuthorizationSpecification), "the server refuses the "
     "user or the password; check both in the URL"),
)  # fmt: skip


def is_conflict(error: psycopg.Error) -> bool:
    """Say whether the transaction was given up for another's sake and may be tried again."""
    return isinstance(error, _CONFLICTS)


def is_timeout(error: psycopg.Error) -> bool:
    """Say whether the server did not answer at all in the time that there was."""
    return isinstance(error, AnswerTimeoutError)


def is_end(error: psycopg.Error) -> bool:
    """Say whether the connection is of no use after it, even if it does not know that yet."""
    is_shutdown = (error.sqlstate or "").startswith("57P")
    return is_shutdown or is_timeout(error)


def is_lost(error: psycopg.Error) -> bool:
    """Say whether it means that there is no connection: none was made, or it has ended."""
    return (error.sqlstate or "08").startswith(("08", "57P"))


def as_quark_error(error: psycopg.Error, target: str, *, is_lost: bool) -> QuarkError:
    """Return the error of ``errors.py`` that says the same.

    Args:
        is_lost: Whether the connection was lost with it, or not made.
    """
    reason = _reason(error)
    if error.sqlstate == _WRITER_MOVED:
        return WriterMovedError(f"{target}: another process was faster; try again ({reason}).")
    if isinstance(error, errors.DataCorrupted | errors.IndexCorrupted):
        return DamagedFileError(f"{target} is damaged ({reason}); restore it from a backup.")
    for kinds, way_out in _WAYS_OUT:
        if isinstance(error, kinds):
            return SessionStoreError(f"{target}: {way_out} ({reason}).")
    way_out = _way_out_of(reason, is_lost=is_lost)
    return SessionStoreError(f"{target}: {way_out} ({reason}).")


def _way_out_of(reason: str, *, is_lost: bool) -> str:
    # A connection that was never made has no SQLSTATE, only words.
    if "authentication failed" in reason or "no password supplied" in reason:
        return "the server refuses the user or the password; check both in the URL"
    if "does not exist" in reason and is_lost:
        return "the server has no such database or user; create it or check the URL"
    if is_lost:
        return "the connection to the server failed; try again"
    return "the operation failed"


def _reason(error: psycopg.Error) -> str:
    """Return the server's own words in one line. Its details may hold values, so they stay."""
    text = error.diag.message_primary or str(error)
    line = " ".join(text.split()).removeprefix("connection failed: ").rstrip(".")
    return f"{line[:300]}, SQLSTATE {error.sqlstate}" if error.sqlstate else line[:300]
