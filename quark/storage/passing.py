"""A store that passes every call on to another one: what stores are made of that change a part.

What a reader would get wrong: whoever overrides one of the four seams overrides it whole; the
other three are the other store's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from quark.records import ProjectRecord, Record, RunRecord
from quark.storage.model import (
    EVERYTHING,
    Batch,
    Buckets,
    Columns,
    KeyStats,
    RecordFilter,
    RunChanges,
    RunHealth,
    RunQuery,
    Series,
    StepRange,
    StoredRecord,
)
from quark.storage.protocols import BlobStore, DocumentStore, PointStore, RecordStore, Store

R = TypeVar("R", bound=Record)


class PassingStore:
    """A :class:`~quark.storage.protocols.Store` that is another one. Owns it: closing this closes
    that."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def records(self) -> RecordStore:
        return self._store.records

    @property
    def points(self) -> PointStore:
        return self._store.points

    @property
    def blobs(self) -> BlobStore:
        return self._store.blobs

    @property
    def documents(self) -> DocumentStore:
        return self._store.documents

    @property
    def target(self) -> str:
        return self._store.target

    def append(self, batch: Batch) -> int:
        return self._store.append(batch)

    def position(self, run_id: str, writer_id: str) -> int:
        return self._store.position(run_id, writer_id)

    def run_dir(self, run_id: str) -> Path | None:
        return self._store.run_dir(run_id)

    def close(self) -> None:
        self._store.close()


class PassingRecords:
    """The records of another store."""

    def __init__(self, records: RecordStore) -> None:
        self._records = records

    def get_run(self, run_id: str) -> RunRecord:
        return self._records.get_run(run_id)

    def list_runs(self, query: RunQuery = RunQuery()) -> tuple[RunRecord, ...]:
        return self._records.list_runs(query)

    def changed_runs(self, known: Mapping[str, object]) -> RunChanges:
        return self._records.changed_runs(known)

    def healths(self) -> dict[str, RunHealth]:
        return self._records.healths()

    def list_projects(self) -> tuple[ProjectRecord, ...]:
        return self._records.list_projects()

    def delete_run(self, run_id: str) -> None:
        self._records.delete_run(run_id)

    def read(
        self, kind: type[R], run_id: str, where: RecordFilter = RecordFilter()
    ) -> tuple[R, ...]:
        return self._records.read(kind, run_id, where)

    def scan(
        self, run_id: str, kinds: Collection[str], *, after: int = 0
    ) -> Iterator[Sequence[StoredRecord]]:
        return self._records.scan(run_id, kinds, after=after)

    def count(self, run_id: str) -> dict[str, int]:
        return self._records.count(run_id)


class PassingPoints:
    """The points of another store, which is asked for them each time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def series(
        self, run_id: str, key: str, steps: StepRange = EVERYTHING, *, columns: Columns = "all"
    ) -> Series:
        return self.many_series(run_id, [key], steps, columns=columns)[key]

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
    ) -> dict[str, Series]:
        return self._store.points.many_series(run_id, keys, steps, columns=columns)

    def buckets(
        self, run_id: str, key: str, bucket_count: int, steps: StepRange = EVERYTHING
    ) -> Buckets:
        return self._store.points.buckets(run_id, key, bucket_count, steps)

    def keys(self, run_id: str) -> dict[str, KeyStats]:
        return self._store.points.keys(run_id)

    def merge(self, run_id: str, *, final: bool = False) -> None:
        self._store.points.merge(run_id, final=final)
