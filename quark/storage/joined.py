"""A store whose points rest in one engine and everything else in another.

The other engine decides what is there: a batch's points are stored first, which can be done again
without harm, then its records and the writer's position in one transaction. Points above a
writer's position, those of an append that did not come to its end, are stored but do not exist;
when the batch comes again, they replace themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from quark.errors import RunNotFoundError
from quark.records import RunRecord
from quark.storage.admission import check_batch, new_blocks, new_records
from quark.storage.model import (
    EVERYTHING,
    Batch,
    Buckets,
    Columns,
    KeyStats,
    PointBlock,
    Series,
    StepRange,
)
from quark.storage.passing import PassingPoints, PassingRecords, PassingStore
from quark.storage.protocols import RecordStore, Store
from quark.storage.run_state import RUN_KINDS, apply_records


class PointLog(Protocol):
    """Points that are told from outside which of them count.

    ``positions``: a run's writers in their order, and up to which frame the points of each count.
    """

    def check_keys(self, blocks: Sequence[PointBlock]) -> None: ...

    def next_arrival(self) -> int: ...

    def append(
        self,
        run_id: str,
        writer_id: str,
        blocks: Sequence[PointBlock],
        *,
        arrival: int | None = None,
    ) -> None: ...

    def delete_run(self, run_id: str) -> None: ...

    def writers(self, run_id: str) -> tuple[str, ...]: ...

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
        positions: Mapping[str, int],
    ) -> dict[str, Series]: ...

    def buckets(
        self,
        run_id: str,
        key: str,
        bucket_count: int,
        steps: StepRange = EVERYTHING,
        *,
        positions: Mapping[str, int],
    ) -> Buckets: ...

    def keys(self, run_id: str, *, positions: Mapping[str, int]) -> dict[str, KeyStats]: ...


@runtime_checkable
class KnowsPositions(Protocol):
    """A store that tells the positions of all writers of a run at once, by first batch."""

    def positions(self, run_id: str) -> Mapping[str, int]:
        """Return the position of each writer.

        Raises:
            RunNotFoundError: There is no such run.
        """
        ...


class JoinedStore(PassingStore):
    """A :class:`~quark.storage.protocols.Store` of two: ``points``, and ``records`` for the rest.

    Owns ``records``; what is behind ``points`` is shared and closed by whoever made it.
    """

    def __init__(self, records: Store, points: PointLog) -> None:
        super().__init__(records)
        self._log = points
        self._records = _JoinedRecords(records.records, points)
        self._points = _JoinedPoints(records, points)

    @property
    def records(self) -> RecordStore:
        return self._records

    @property
    def points(self) -> _JoinedPoints:
        return self._points

    def append(self, batch: Batch) -> int:
        check_batch(batch)
        self._log.check_keys(batch.blocks)
        without_points = replace(batch, blocks=())
        if not any(block.values.size for block in batch.blocks):
            return self._store.append(without_points)
        arrival = self._log.next_arrival()
        position = self._store.position(batch.run_id, batch.writer_id)
        # What the records' store would refuse must be refused before points are stored.
        self._check_records(batch, position)
        blocks = new_blocks(batch, position)
        self._log.append(batch.run_id, batch.writer_id, blocks, arrival=arrival)
        return self._store.append(without_points)

    def _check_records(self, batch: Batch, position: int) -> None:
        changes = [each for each in new_records(batch, position) if each.kind in RUN_KINDS]
        if position and not changes:
            return  # a writer that has written has a run
        if apply_records(self._find_run(batch.run_id), batch.run_id, changes) is None:
            raise RunNotFoundError(
                f"There is no run {batch.run_id!r} in {self.target}, and the batch of writer "
                f"{batch.writer_id!r} does not create it."
            )

    def _find_run(self, run_id: str) -> RunRecord | None:
        try:
            return self._store.records.get_run(run_id)
        except RunNotFoundError:
            return None


class _JoinedRecords(PassingRecords):
    """The records of one store; deleting a run deletes its points elsewhere first."""

    def __init__(self, records: RecordStore, log: PointLog) -> None:
        super().__init__(records)
        self._log = log

    def delete_run(self, run_id: str) -> None:
        self._records.get_run(run_id)
        # If this is interrupted, the run is still listed and can be deleted again.
        self._log.delete_run(run_id)
        self._records.delete_run(run_id)


class _JoinedPoints(PassingPoints):
    """Points of a log, as far as the store of records says that they count."""

    def __init__(self, store: Store, log: PointLog) -> None:
        super().__init__(store)
        self._log = log

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
    ) -> dict[str, Series]:
        positions = self._positions(run_id)
        return self._log.many_series(run_id, keys, steps, columns=columns, positions=positions)

    def buckets(
        self, run_id: str, key: str, bucket_count: int, steps: StepRange = EVERYTHING
    ) -> Buckets:
        positions = self._positions(run_id)
        return self._log.buckets(run_id, key, bucket_count, steps, positions=positions)

    def keys(self, run_id: str) -> dict[str, KeyStats]:
        return self._log.keys(run_id, positions=self._positions(run_id))

    def merge(self, run_id: str, *, final: bool = False) -> None:
        """Do nothing: the engine of the points merges by itself."""
        self._store.records.get_run(run_id)

    def _positions(self, run_id: str) -> Mapping[str, int]:
        if isinstance(self._store, KnowsPositions):
            return self._store.positions(run_id)
        self._store.records.get_run(run_id)
        writers = self._log.writers(run_id)
        return {writer: self._store.position(run_id, writer) for writer in writers}
