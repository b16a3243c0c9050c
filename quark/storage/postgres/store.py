"""One namespace of a PostgreSQL database as a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SessionStoreError, SettingsError
from quark.storage.admission import check_batch, is_run_id
from quark.storage.batch import Batch
from quark.storage.packed_points import PackedPoints
from quark.storage.postgres.appends import PostgresAppends
from quark.storage.postgres.documents import PostgresDocuments
from quark.storage.postgres.engine import PostgresEngine
from quark.storage.postgres.records import PostgresRecords
from quark.storage.postgres.run_rows import RunRows
from quark.storage.postgres.stored_text import storable, stored
from quark.storage.postgres.tables import PostgresRun

if TYPE_CHECKING:
    from quark.storage.protocols import BlobStore

_MAX_NAMESPACE_BYTES = 1024


class PostgresStore:
    """A :class:`~quark.storage.protocols.Store` of one namespace. Creating it asks nothing.

    Args:
        engine: The connections, shared by all namespaces; not closed by this.
        namespace: What keeps this store's runs apart from all others', e.g. ``"team/vision"``.
        blobs: Where payloads are; not closed by this either.

    Raises:
        SettingsError: The namespace is too long, or no text that PostgreSQL can hold.
    """

    def __init__(
        self,
        engine: PostgresEngine,
        namespace: str,
        *,
        blobs: BlobStore | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        is_text = "\0" not in namespace and storable(namespace)
        if not is_text or len(namespace.encode()) > _MAX_NAMESPACE_BYTES:
            raise SettingsError(
                f"The namespace {namespace[:80]!r} is not valid: it must be at most "
                f"{_MAX_NAMESPACE_BYTES} bytes of UTF-8 without a zero byte."
            )
        self._engine = engine
        self._namespace = namespace
        self._blobs = blobs
        self._is_closed = False
        self._runs = RunRows(engine, namespace)
        self._appends = PostgresAppends(engine, namespace, self._runs)
        self._records = PostgresRecords(engine, self._runs, self._check_open)
        self._points = PackedPoints(self._use, clock=clock)
        self._documents = PostgresDocuments(engine, namespace, self._check_open)

    @property
    def records(self) -> PostgresRecords:
        return self._records

    @property
    def points(self) -> PackedPoints:
        return self._points

    @property
    def blobs(self) -> BlobStore:
        self._check_open()
        if self._blobs is None:
            raise SessionStoreError(
                f"{self.target} keeps no payloads: the service was given no place for them."
            )
        return self._blobs

    @property
    def documents(self) -> PostgresDocuments:
        return self._documents

    @property
    def target(self) -> str:
        return f"{self._engine.target}#{self._namespace}"

    def append(self, batch: Batch) -> int:
        self._check_open()
        check_batch(batch)
        return self._appends.append(batch)

    def position(self, run_id: str, writer_id: str) -> int:
        self._check_open()
        if not is_run_id(run_id) or "\0" in writer_id or not storable(writer_id):
            return 0
        rows = self._engine.ask(
            "SELECT w.position FROM quark.writer w JOIN quark.run r ON r.number = w.run "
            "JOIN quark.namespace n ON n.id = r.namespace_id "
            "WHERE n.name = %s AND r.run_id = %s AND w.name = %s",
            (self._namespace, stored(run_id), writer_id),
        )
        return int(rows[0][0]) if rows else 0

    def positions(self, run_id: str) -> dict[str, int]:
        """Return the position of each writer of a run, by first batch.

        Raises:
            RunNotFoundError: There is no such run.
        """
        self._check_open()
        rows = self._engine.ask(
            "SELECT w.name, w.position FROM quark.run r JOIN quark.namespace n "
            "ON n.id = r.namespace_id LEFT JOIN quark.writer w ON w.run = r.number "
            "WHERE n.name = %s AND r.run_id = %s ORDER BY w.id",
            (self._namespace, stored(run_id) if is_run_id(run_id) else ""),
        )
        if not rows:
            raise self._runs.not_found(run_id)
        return {name: int(position) for name, position in rows if name is not None}

    def run_dir(self, run_id: str) -> Path | None:
        self._check_open()
        return None

    def close(self) -> None:
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise SessionStoreError(f"The store {self.target} is closed; open a new one.")

    @contextmanager
    def _use(self, run_id: str) -> Iterator[PostgresRun]:
        self._check_open()
        yield PostgresRun(self._engine, self._runs, run_id)
