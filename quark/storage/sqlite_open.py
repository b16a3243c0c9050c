"""Opens a SQLite file the way Quark wants it: journal, schema version, migrations."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from quark.clock import SYSTEM_CLOCK
from quark.errors import SchemaMigrationError
from quark.storage.filesystem import is_network_path
from quark.storage.sqlite_errors import is_busy

_RETRY_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file holds. ``migrations[n]`` are the statements from version n to n + 1; released
    ones never change. The first makes a table ``meta (name, value)``.

    Each connection keeps up to ``cache_kib`` of a file's pages for itself; the kernel keeps them
    anyway, once for all.
    """

    name: str
    migrations: tuple[tuple[str, ...], ...]
    cache_kib: int = 2000  # as SQLite has it

    @property
    def version(self) -> int:
        return len(self.migrations)


def open_writer(
    path: Path,
    schema: Schema,
    *,
    create: bool,
    busy_timeout_seconds: float,
    synced: bool = False,
) -> sqlite3.Connection:
    """Open ``path`` for writing and bring it to the current schema.

    ``synced``: each transaction survives a loss of power, and costs a wait for the disk.

    Raises:
        SchemaMigrationError: It was written by a newer Quark.
        sqlite3.Error: It cannot be opened.
    """
    connection = _connect(path, "rwc" if create else "rw", busy_timeout_seconds)
    try:
        # auto_vacuum counts only before the first page is written.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if synced else 'NORMAL'}")
        _set_journal(connection, "DELETE" if is_network_path(path) else "WAL", busy_timeout_seconds)
        if _version(connection, path, schema) < schema.version:
            _migrate(connection, path, schema)
        _limit_cache(connection, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, schema: Schema, *, busy_timeout_seconds: float) -> sqlite3.Connection:
    """Open ``path`` for reading only; an older file is brought to the current schema first.

    Raises:
        SchemaMigrationError: It was written by a newer Quark.
        sqlite3.Error: It cannot be opened.
    """
    connection = _connect(path, "rw", busy_timeout_seconds)
    try:
        try:
            is_current = _version(connection, path, schema) == schema.version
        except sqlite3.OperationalError:
            # The folder may not be ours to write to; a write-ahead log needs that even to read.
            connection.close()
            connection = _connect_frozen(path, busy_timeout_seconds)
            is_current = _version(connection, path, schema) == schema.version
        if not is_current:
            open_writer(
                path, schema, create=False, busy_timeout_seconds=busy_timeout_seconds
            ).close()
        connection.execute("PRAGMA query_only=1")
        _limit_cache(connection, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str, busy_timeout_seconds: float) -> sqlite3.Connection:
    # Not ``as_uri``: that would load urllib, for every process that starts a run.
    place = path.absolute().as_posix().lstrip("/")
    for character in "%?#":
        place = place.replace(character, f"%{ord(character):02x}")
    return sqlite3.connect(
        f"file:///{place}?mode={mode}",
        uri=True,
        timeout=busy_timeout_seconds,
        isolation_level=None,
        check_same_thread=False,
    )


def _connect_frozen(path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
    """Open a file that nobody is writing to, without any lock.

    Raises:
        sqlite3.OperationalError: There is a write-ahead log, so somebody may be writing.
    """
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    return _connect(path, "rw" if has_log else "ro&immutable=1", busy_timeout_seconds)


def _limit_cache(connection: sqlite3.Connection, schema: Schema) -> None:
    connection.execute(f"PRAGMA cache_size=-{schema.cache_kib}")


def _set_journal(connection: sqlite3.Connection, mode: str, timeout_seconds: float) -> None:
    deadline = SYSTEM_CLOCK.monotonic() + timeout_seconds
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode={mode}").fetchall()
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself when several processes create one file together.
            if not is_busy(error) or SYSTEM_CLOCK.monotonic() > deadline:
                raise
            threading.Event().wait(_RETRY_SECONDS)


def _version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > schema.version:
        raise SchemaMigrationError(
            f"{path} has schema version {version}, but this Quark knows versions up to "
            f"{schema.version}; install a newer Quark to open it."
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again inside the transaction: another process may have been faster.
        for statements in schema.migrations[_version(connection, path, schema) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={schema.version}")
        connection.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES ('format', ?), ('version', ?)",
            (f"quark {schema.name}", str(schema.version)),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
