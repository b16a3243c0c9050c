"""The connections of a process to one PostgreSQL database, shared by the stores of all namespaces.

What a reader would get wrong: a connection from the pool may be dead, as the server may have been
restarted since it was last used. So whatever can be repeated is (:meth:`PostgresEngine.ask`), and a
transaction learns it from its BEGIN, before anything has happened.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from quark.errors import SessionStoreError, SettingsError
from quark.storage.postgres.connection import DeadlineConnection, Row, connect, parse_url
from quark.storage.postgres.errors import (
    WriterMovedError,
    as_quark_error,
    is_conflict,
    is_end,
    is_lost,
    is_timeout,
)
from quark.storage.postgres.known_runs import KnownRuns
from quark.storage.postgres.schema import migrate

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN"
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresConfig:
    """How many connections a process may have, and how long it waits for what."""

    max_connections: int = 16
    connect_timeout_seconds: int = 5
    statement_timeout_seconds: float = 30.0
    lock_timeout_seconds: float = 10.0
    pool_timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}; it must be above 0.")


class PostgresEngine:
    """The pool of connections, and what is remembered of the database. Owns both.

    Nothing is connected before it is needed; the first use brings the schema up to date. Threads
    may share it, and a forked child has connections of its own.

    Raises:
        SessionStoreError: ``url`` is no PostgreSQL URL.
    """

    def __init__(self, url: str, config: PostgresConfig | None = None) -> None:
        self._parameters, self.target = parse_url(url)
        self._config = config or PostgresConfig()
        self._lock = threading.Lock()
        self._is_closed = False
        self._generation = 0
        self._abandoned: list[QueuePool] = []
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._is_ready = False
        self._namespace_ids: dict[str, int] = {}
        self.known_runs = KnownRuns()
        self._pool = QueuePool(
            cast(Any, self._connect),
            pool_size=self._config.max_connections,
            max_overflow=0,
            timeout=self._config.pool_timeout_seconds,
            use_lifo=True,
            reset_on_return=None,
        )

    def check(self) -> None:
        """Ask the server whether it answers, can be written to, and has the current schema.

        Raises:
            SessionStoreError: It does not answer, or refuses, or is read-only.
            SchemaMigrationError: The database was written by a newer Quark.
        """
        if self.ask("SELECT current_setting('transaction_read_only')") == [("on",)]:
            raise SessionStoreError(
                f"{self.target} is read-only, as a standby is; name the primary in the URL."
            )

    def ask(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run one statement that may as well be run twice, and return its rows.

        Raises:
            SessionStoreError: The server cannot answer now.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._using() as connection:
                    cursor = connection.ask(sql, values)
                    return cursor.fetchall() if cursor.description else []
            except _RepeatableError as error:
                if attempt == _ATTEMPTS:
                    raise error.meaning from error
        raise AssertionError("unreachable")

    @contextmanager
    def reading(self) -> Iterator[DeadlineConnection]:
        """Give a connection that sees one state of the database throughout."""
        with self._transaction(_READ) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[DeadlineConnection]:
        """Run a transaction; roll it back on any error. Each statement sees what others have
        committed before it, so lock a run before looking at it."""
        with self._transaction(_WRITE) as connection:
            yield connection

    def namespace_id(self, name: str, *, create: bool = False) -> int | None:
        """Return the number of a namespace; None if there is none. Not inside a transaction."""
        found = self._namespace_ids.get(name)
        if found is None and create:
            self.ask(
                "INSERT INTO quark.namespace (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,)
            )
        if found is None:
            rows = self.ask("SELECT id FROM quark.namespace WHERE name = %s", (name,))
            if not rows:
                return None
            found = self._namespace_ids[name] = int(rows[0][0])
        return found

    def close(self) -> None:
        """Close all connections; those in use are closed by their last user."""
        self._is_closed = True
        self._pool.dispose()

    # -- connections -----------------------------------------------------------------------------

    def _connect(self) -> DeadlineConnection:
        return connect(
            self._parameters,
            self.target,
            connect_timeout_seconds=self._config.connect_timeout_seconds,
            statement_timeout_seconds=self._config.statement_timeout_seconds,
            lock_timeout_seconds=self._config.lock_timeout_seconds,
            generation=self._generation,
        )

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[DeadlineConnection]:
        for attempt in range(1, _ATTEMPTS + 1):
            has_begun = False
            try:
                with self._using() as connection:
                    connection.ask(begin)
                    has_begun = True
                    yield connection
                    connection.ask("COMMIT")
                    return
            except _RepeatableError as error:
                if has_begun or attempt == _ATTEMPTS:
                    raise error.meaning from error

    @contextmanager
    def _using(self) -> Iterator[DeadlineConnection]:
        """Take a connection for a while.

        Raises:
            _RepeatableError: It was lost, or another transaction was in the way.
        """
        taken = self._take()
        connection = cast(DeadlineConnection, taken.dbapi_connection)
        try:
            yield connection
        except psycopg.Error as error:
            self._settle(taken, connection, error)
            meaning = as_quark_error(error, self.target, is_lost=connection.closed)
            if isinstance(meaning, WriterMovedError):
                raise meaning from error
            if is_conflict(error) or (connection.closed and not is_timeout(error)):
                raise _RepeatableError(meaning) from error
            raise meaning from error
        except BaseException:
            self._settle(taken, connection, None)
            raise
        else:
            self._give_back(taken, connection)

    def _settle(
        self, taken: PoolProxiedConnection, connection: DeadlineConnection, error: Any
    ) -> None:
        """Give back a connection after trouble: rolled back, or closed if that is impossible."""
        try:
            if isinstance(error, psycopg.Error) and is_end(error):
                connection.close()
            if not connection.closed:
                connection.rollback()
        except psycopg.Error:
            connection.close()
        if connection.closed:
            # The server was probably restarted: the others are not worth a try either. And it may
            # have a backup now that was put back.
            self._generation = max(self._generation, connection.generation + 1)
            self._namespace_ids = {}
            self.known_runs.clear()
        self._give_back(taken, connection)

    def _give_back(self, taken: PoolProxiedConnection, connection: DeadlineConnection) -> None:
        if self._is_closed:
            connection.close()
        if connection.closed:
            taken.invalidate()
        else:
            taken.close()

    def _take(self) -> PoolProxiedConnection:
        if self._is_closed:
            raise SessionStoreError(f"The connection to {self.target} is closed.")
        if os.getpid() != self._pid:
            self._abandoned.append(self._pool)  # the parent's: not even to be closed
            self._reset()
        while True:
            try:
                taken = self._pool.connect()
                connection = cast(DeadlineConnection, taken.dbapi_connection)
                if connection.closed or connection.generation < self._generation:
                    taken.invalidate()
                    continue
                if not self._is_ready:
                    self._make_ready(taken, connection)
                return taken
            except PoolTimeoutError as error:
                raise SessionStoreError(
                    f"All {self._config.max_connections} connections to {self.target} are in use; "
                    "try again, or allow more of them."
                ) from error
            except psycopg.Error as error:
                raise as_quark_error(error, self.target, is_lost=is_lost(error)) from error

    def _make_ready(self, taken: PoolProxiedConnection, connection: DeadlineConnection) -> None:
        with self._lock:
            if self._is_ready:
                return
            try:
                migrate(connection, self.target)
                self._is_ready = True
            except BaseException:
                connection.close()
                taken.invalidate()
                raise


class _RepeatableError(Exception):
    """What happened may not happen again; ``meaning`` is what to tell if it does."""

    def __init__(self, meaning: Exception) -> None:
        super().__init__(str(meaning))
        self.meaning = meaning
