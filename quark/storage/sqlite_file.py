"""One SQLite file, shared: its connections, its transactions, its errors.

What a reader would get wrong: a connection must not survive a ``fork``. Not only must the child not
use it: SQLite keeps a process's locks per file in memory, so a child that merely *inherits* an
open file believes that it holds the parent's locks, and what it commits is lost when the parent
closes. So connections are closed before a fork and opened again when they are next needed
(:mod:`quark.storage.sqlite_fork`).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quark.errors import QuarkError, SessionStoreError
from quark.storage import sqlite_fork
from quark.storage.sqlite_errors import as_quark_error, is_busy
from quark.storage.sqlite_open import Schema, open_reader, open_writer

#: How long a transaction waits for another process's before it gives up.
BUSY_TIMEOUT_SECONDS = 30.0
_SHRINK_TIMEOUT_SECONDS = 0.1
#: How long whoever removes a file waits for transactions on it.
_ALONE_SECONDS = 5.0
_MAX_IDLE_READERS = 2

Identity = tuple[int, int]


class SqliteFile:
    """A SQLite file used by several threads and processes. Owns its connections.

    One connection writes, guarded by a lock; each reader has one of its own, so that readers
    never wait for a writer. A file that was deleted or replaced meanwhile is noticed.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        *,
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
        synced: bool = False,
    ) -> None:
        self.path = path
        self._synced = synced
        self._schema = schema
        self._busy_timeout_seconds = busy_timeout_seconds
        self._reset()
        sqlite_fork.track(self)

    def _reset(self) -> None:
        self._gate = threading.Lock()  # passed by every transaction; a fork keeps it shut
        self._write_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._writer_identity: Identity | None = None
        self._readers = threading.Condition(threading.Lock())  # guards the three below
        self._idle_readers: list[sqlite3.Connection] = []
        self._readers_identity: Identity | None = None
        self._busy_reader_count = 0

    @contextmanager
    def writing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """Run one transaction that excludes every other writer; roll it back on any error.

        Raises:
            FileNotFoundError: The file is not there and ``create`` is False.
            SessionStoreError: It cannot be written now.
            DamagedFileError: It is damaged.
        """
        self._pass_gate()
        with self._write_lock, self._translated():
            connection = self._current_writer(create)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                self._roll_back(connection)
                raise
            try:
                connection.execute("COMMIT")
            except BaseException:
                # A new connection also tells its users that what they remember may be wrong.
                self._close_writer()
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one state of the file throughout.

        Raises:
            FileNotFoundError: The file is not there.
            SessionStoreError: It cannot be read now.
            DamagedFileError: It is damaged.
        """
        self._pass_gate()
        with self._translated():
            connection, identity = self._take_reader()
            is_sound = False
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
                is_sound = True
            finally:
                self._give_back_reader(connection, identity if is_sound else None)

    def shrink(self) -> None:
        """Give free pages back to the file system, as far as other connections allow."""
        self._pass_gate()
        with self._write_lock, self._translated():
            connection = self._current_writer(create=False)
            # What somebody else still needs is taken the next time, so there is no waiting.
            _set_busy_timeout(connection, _SHRINK_TIMEOUT_SECONDS)
            try:
                # execute() would stop after the first page: the statement yields empty rows.
                connection.executescript("PRAGMA incremental_vacuum")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
            finally:
                _set_busy_timeout(connection, self._busy_timeout_seconds)

    def close(self) -> None:
        """Close all connections that are not in use; the next transaction opens new ones."""
        with self._write_lock:
            self._close_writer()
        with self._readers:
            self._close_idle_readers()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Close every connection and let none open until the block ends: the file goes away.

        SQLite opens the file, its log and their index one after the other, by name. Who opens the
        file that goes and the log of the one that comes takes the index from under those who use
        it rightly; between processes SQLite's locks prevent that, within one they do not.
        """
        is_shut = self.prepare_fork(_ALONE_SECONDS)
        try:
            yield
        finally:
            if is_shut:
                self.after_fork()

    def prepare_fork(self, timeout_seconds: float) -> bool:
        """Close every connection and let none open until :meth:`after_fork`; False if a
        transaction did not end in time."""
        if not self._gate.acquire(timeout=timeout_seconds):
            return False
        if not self._write_lock.acquire(timeout=timeout_seconds):
            self._gate.release()
            return False
        self._close_writer()
        self._readers.acquire()
        self._readers.wait_for(lambda: self._busy_reader_count == 0, timeout_seconds)
        self._close_idle_readers()
        return True

    def after_fork(self) -> None:
        """Let connections open again, in the parent."""
        self._readers.release()
        self._write_lock.release()
        self._gate.release()

    def after_fork_in_child(self) -> None:
        """Forget the parent's connections and locks without touching them."""
        sqlite_fork.abandon([*self._idle_readers, self._writer])
        self._reset()

    def _pass_gate(self) -> None:
        # A lock alone is not fair: a busy thread would keep a waiting fork out for seconds.
        with self._gate:
            pass

    def _current_writer(self, create: bool) -> sqlite3.Connection:
        while True:
            try:
                identity = self._file_identity()
            except FileNotFoundError:
                self._close_writer()
                if not create:
                    raise
                self.path.parent.mkdir(parents=True, exist_ok=True)
                identity = None
            if self._writer is not None and identity == self._writer_identity:
                return self._writer
            self._close_writer()
            self._writer = open_writer(
                self.path,
                self._schema,
                create=create,
                busy_timeout_seconds=self._busy_timeout_seconds,
                synced=self._synced,
            )
            # Replaced while it was opened, it may be one file with the log of the other, so what
            # was there before counts, and it is looked at again.
            self._writer_identity = identity or self._file_identity()

    def _take_reader(self) -> tuple[sqlite3.Connection, Identity]:
        while True:
            with self._readers:
                identity = self._file_identity()
                if identity != self._readers_identity:
                    self._close_idle_readers()
                    self._readers_identity = identity
                self._busy_reader_count += 1
                if self._idle_readers:
                    return self._idle_readers.pop(), identity
            connection: sqlite3.Connection | None = None
            try:
                connection = open_reader(
                    self.path, self._schema, busy_timeout_seconds=self._busy_timeout_seconds
                )
                if self._file_identity() == identity:
                    return connection, identity
            except BaseException:
                self._give_back_reader(connection, None)
                raise
            # Replaced while it was opened: it may be one file with the log of the other.
            self._give_back_reader(connection, None)

    def _give_back_reader(
        self, connection: sqlite3.Connection | None, identity: Identity | None
    ) -> None:
        with self._readers:
            self._busy_reader_count -= 1
            is_current = identity is not None and identity == self._readers_identity
            if connection is not None:
                if is_current and len(self._idle_readers) < _MAX_IDLE_READERS:
                    self._idle_readers.append(connection)
                else:
                    connection.close()
            self._readers.notify_all()

    def _file_identity(self) -> Identity:
        status = os.stat(self.path)
        return status.st_dev, status.st_ino

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _close_idle_readers(self) -> None:
        readers, self._idle_readers = self._idle_readers, []
        self._readers_identity = None
        for connection in readers:
            connection.close()

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._close_writer()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise as_quark_error(error, self.path) from error
        except (QuarkError, FileNotFoundError):
            raise
        except OSError as error:
            raise SessionStoreError(f"{self.path} cannot be used: {error}.") from error


def _set_busy_timeout(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")
