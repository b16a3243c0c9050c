"""A store in this process's memory: the reference that says what every other store must do.

It favours the obvious over the fast; nothing outlives the object.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from quark.errors import RunNotFoundError, SessionStoreError
from quark.records import RunRecord
from quark.storage.admission import check_batch, check_keys, new_blocks, new_records
from quark.storage.memory_blobs import MemoryBlobs
from quark.storage.memory_documents import MemoryDocuments
from quark.storage.memory_points import MemoryPoints, Point
from quark.storage.memory_records import MemoryRecords
from quark.storage.model import Batch, EncodedRecord, PointBlock
from quark.storage.run_state import apply_records


@dataclass(slots=True)
class MemoryRun:
    """All that is kept of one run. ``positions`` is ordered by each writer's first batch."""

    row: RunRecord
    positions: dict[str, int] = field(default_factory=dict)
    records: list[tuple[str, EncodedRecord]] = field(default_factory=list)
    points: dict[str, list[Point]] = field(default_factory=dict)


class MemoryRuns:
    """The runs and the lock that guards them, shared by the parts of one :class:`MemoryStore`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.by_id: dict[str, MemoryRun] = {}
        self.closed = False

    def check_open(self) -> None:
        if self.closed:
            raise SessionStoreError("This store is closed; open a new one.")

    def find(self, run_id: str) -> MemoryRun:
        self.check_open()
        if run_id not in self.by_id:
            raise RunNotFoundError(f"There is no run {run_id!r} in memory:.")
        return self.by_id[run_id]


class MemoryStore:
    """A :class:`~quark.storage.protocols.Store` of lists and dicts."""

    def __init__(self) -> None:
        self._runs = MemoryRuns()
        self._records = MemoryRecords(self._runs)
        self._points = MemoryPoints(self._runs)
        self._blobs = MemoryBlobs(self._runs.check_open)
        self._documents = MemoryDocuments(self._runs.check_open)

    @property
    def records(self) -> MemoryRecords:
        return self._records

    @property
    def points(self) -> MemoryPoints:
        return self._points

    @property
    def blobs(self) -> MemoryBlobs:
        return self._blobs

    @property
    def documents(self) -> MemoryDocuments:
        return self._documents

    @property
    def target(self) -> str:
        return "memory:"

    def append(self, batch: Batch) -> int:
        self._runs.check_open()
        check_batch(batch)
        for block in batch.blocks:
            check_keys(block.keys)
        with self._runs.lock:
            known = self._runs.by_id.get(batch.run_id)
            position = known.positions.get(batch.writer_id, 0) if known else 0
            records = new_records(batch, position)
            row = apply_records(known.row if known else None, batch.run_id, records)
            if row is None:
                raise RunNotFoundError(
                    f"There is no run {batch.run_id!r} in {self.target}, and the batch of writer "
                    f"{batch.writer_id!r} does not create it."
                )
            run = self._runs.by_id.setdefault(batch.run_id, MemoryRun(row))
            run.row = row
            run.positions[batch.writer_id] = max(position, batch.last_seq)
            run.records += [(batch.writer_id, record) for record in records]
            writer = list(run.positions).index(batch.writer_id)
            for key, points in _points_by_arrival(writer, new_blocks(batch, position)).items():
                run.points.setdefault(key, []).extend(points)
            return max(0, batch.last_seq - max(position, batch.first_seq - 1))

    def position(self, run_id: str, writer_id: str) -> int:
        self._runs.check_open()
        with self._runs.lock:
            run = self._runs.by_id.get(run_id)
            return run.positions.get(writer_id, 0) if run else 0

    def run_dir(self, run_id: str) -> Path | None:
        self._runs.check_open()
        return None

    def close(self) -> None:
        self._runs.closed = True


def _points_by_arrival(writer: int, blocks: list[PointBlock]) -> dict[str, list[Point]]:
    """Return each key's points by frame, keys by the frame in which they came first."""
    arrived = []
    for order, block in enumerate(blocks):
        columns = (block.seq, block.step, block.epoch, block.time_us, block.values)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for seq, step, epoch, time_us, values in rows:
            for place, (key, value) in enumerate(zip(block.keys, values, strict=True)):
                point = Point(writer, seq, step, epoch, time_us, value)
                arrived.append((seq, order, place, key, point))
    points: dict[str, list[Point]] = {}
    for _, _, _, key, point in sorted(arrived, key=lambda item: item[:2]):
        points.setdefault(key, []).append(point)
    return points
