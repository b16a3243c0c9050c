"""What a run holds up to a step, read from one store and written into another run.

Writers, frames and times are kept, so that rows are joined, counted and dated in the copy as they
are in the original. All of it is in memory meanwhile: about 50 bytes a point.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from quark import ids, jsonio
from quark.clock import SYSTEM_CLOCK
from quark.records import (
    RECORD_KINDS,
    ConfigUpdateRecord,
    EventRecord,
    RunRecord,
    RunUpdateRecord,
    SummaryUpdateRecord,
)
from quark.records.codec import encode_body
from quark.storage.batch import NO_STEP, Batch, EncodedRecord, PointBlock, StoredRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.model import Series
    from quark.storage.protocols import Store

#: What changes a run's row, in the order in which it came, whoever wrote it.
_FOLDED = frozenset({RunUpdateRecord.KIND, ConfigUpdateRecord.KIND, SummaryUpdateRecord.KIND})
_FOREVER_US = 2**62
#: What one batch holds, about, and what a point takes of that.
_PART_BYTES = 4 << 20
_POINT_BYTES = 40


class RunPast:
    """What a run holds up to ``last_step`` (None: all of it), read when this is made.

    A cut leaves everything that has a step up to ``last_step``. Of what has none it leaves what
    came before the first row beyond it, if ``without_step``; and changes of the configuration that
    came before the last row up to it. ``kinds`` are the kinds of records to keep, None for all.
    The record that created the run is kept ``with_run`` alone, and then comes first.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        last_step: int | None = None,
        kinds: Collection[str] | None = None,
        *,
        without_step: bool = True,
        with_run: bool = False,
    ) -> None:
        self._last_step = last_step
        self._without_step = without_step
        left_out = () if with_run else {RunRecord.KIND}
        self._kinds = frozenset(RECORD_KINDS if kinds is None else kinds) - frozenset(left_out)
        self.first = store.records.read(RunRecord, run_id)[0]
        names = list(store.points.keys(run_id))
        self._series = store.points.many_series(run_id, names)
        stored = [record for part in store.records.scan(run_id, RECORD_KINDS) for record in part]
        self._until_us, self._latest_us = self._moments(stored)
        self.records = [record for record in stored if self._keeps_record(record)]
        self.writers = tuple(dict.fromkeys([*self._point_writers(), *_writers(stored)]))

    def files(self) -> set[str]:
        """Return the paths of the files that kept rows refer to, below the run's files."""
        found: set[str] = set()
        for record in self.records:
            body = _bytes(record.body)
            if record.kind == "history_value" and b'"_type"' in body:
                found.update(_paths(jsonio.loads(body)))
        return found

    def batches(self, run_id: str) -> Iterator[Batch]:
        """Yield what was kept as batches for the run ``run_id``, each writer's in order."""
        done: dict[str, int] = defaultdict(int)
        changes = [record for record in self.records if record.kind in _FOLDED]
        steps = [
            (writer_id, max(record.seq for record in group))
            for writer_id, group in groupby(changes, key=lambda record: record.writer_id)
        ]
        blocks = {writer_id: list(self._blocks(writer_id)) for writer_id in self.writers}
        records = {writer_id: [*self._encoded(writer_id)] for writer_id in self.writers}
        for writer_id in self.writers:
            ends = [int(block.seq[-1]) for block in blocks[writer_id]]
            ends += [record.seq for record in records[writer_id]]
            steps.append((writer_id, max(ends, default=0)))
        ends_of = {
            writer_id: _ends_of_parts(blocks[writer_id], records[writer_id])
            for writer_id in self.writers
        }
        steps[:0] = [(r.writer_id, r.seq) for r in self.records if r.kind == RunRecord.KIND]
        for writer_id, step_end in steps:
            ends = [end for end in ends_of[writer_id] if done[writer_id] < end < step_end]
            for last_seq in [*ends, step_end]:
                after = done[writer_id]
                if last_seq > after:
                    done[writer_id] = last_seq
                    yield Batch(
                        run_id=run_id,
                        writer_id=writer_id,
                        first_seq=after + 1,
                        last_seq=last_seq,
                        blocks=tuple(_between(blocks[writer_id], after, last_seq)),
                        records=tuple(r for r in records[writer_id] if after < r.seq <= last_seq),
                    )

    def rename_run(self, run: RunRecord) -> None:
        """Have the record that created the run say what ``run`` does."""
        body = encode_body(run)
        self.records = [
            record._replace(body=body) if record.kind == RunRecord.KIND else record
            for record in self.records
        ]

    def _encoded(self, writer_id: str) -> Iterator[EncodedRecord]:
        for record in self.records:
            if record.writer_id == writer_id:
                yield EncodedRecord(*record[2:-1], _bytes(record.body))

    def _blocks(self, writer_id: str) -> Iterator[PointBlock]:
        """Yield what a writer logged and is kept, a block for each key."""
        for key, series in self._series.items():
            if writer_id not in series.writers:
                continue
            chosen = series.writer == series.writers.index(writer_id)
            chosen &= self._keeps_points(series)
            if chosen.any():
                yield PointBlock(
                    keys=(key,),
                    seq=series.seq[chosen],
                    step=series.step[chosen],
                    epoch=series.epoch[chosen],
                    time_us=series.time_us[chosen],
                    values=series.value[chosen][:, None],
                )

    def _keeps_points(self, series: Series) -> NDArray[np.bool_]:
        has_step = series.step != NO_STEP
        early = (series.time_us < self._until_us) & self._without_step
        last = self._last_step
        kept: NDArray[np.bool_] = np.where(has_step, last is None or series.step <= last, early)
        return kept

    def _keeps_record(self, record: StoredRecord) -> bool:
        if record.kind not in self._kinds:
            return False
        if record.kind == ConfigUpdateRecord.KIND:
            return record.time_us <= self._latest_us
        if self._last_step is None or record.step is None:
            return record.time_us < self._until_us
        return record.step <= self._last_step

    def _moments(self, stored: Sequence[StoredRecord]) -> tuple[int, int]:
        """Return when the first row beyond the cut was logged, and when the last one before it."""
        last = self._last_step
        if last is None:
            return _FOREVER_US, _FOREVER_US
        before, beyond = [0], [_FOREVER_US]
        for series in self._series.values():
            later = series.step > last
            earlier = ~later & (series.step != NO_STEP)
            beyond += [int(series.time_us[later].min())] if later.any() else []
            before += [int(series.time_us[earlier].max())] if earlier.any() else []
        for record in stored:
            if record.kind == "history_value" and record.step is not None:
                (beyond if record.step > last else before).append(record.time_us)
        until_us = min(beyond)
        return until_us, until_us if until_us == _FOREVER_US else min(until_us, max(before))

    def _point_writers(self) -> Iterator[str]:
        for series in self._series.values():
            for index in np.unique(series.writer).tolist():
                yield series.writers[index]


def write_run(
    store: Store, target: RunRecord, past: RunPast, event: Mapping[str, Any] | None = None
) -> str:
    """Create ``target`` and fill it with ``past``; return the id of the writer that created it.

    Raises:
        SessionStoreError: The store does not take it.
    """
    now_us = SYSTEM_CLOCK.time_us()
    records = [EncodedRecord(1, 0, RunRecord.KIND, None, None, now_us, encode_body(target))]
    if event is not None:
        about = EventRecord(id="", run_id=target.id, timestamp="", **event)
        records.append(
            EncodedRecord(1, 1, EventRecord.KIND, None, None, now_us, encode_body(about))
        )
    writer_id = ids.new_writer_id()
    store.append(
        Batch(
            run_id=target.id, writer_id=writer_id, first_seq=1, last_seq=1, records=tuple(records)
        )
    )
    for batch in past.batches(target.id):
        store.append(batch)
    store.points.merge(target.id, final=True)
    return writer_id


def copy_run(store: Store, run_id: str, into: Store) -> None:
    """Copy a run with all that was logged to it into another store. Not its files.

    Raises:
        RunNotFoundError: There is no such run.
    """
    past = RunPast(store, run_id)
    write_run(into, replace(past.first), past)


def _between(blocks: Sequence[PointBlock], after: int, last: int) -> Iterator[PointBlock]:
    for block in blocks:
        start, end = np.searchsorted(block.seq, [after, last], side="right").tolist()
        if start < end:
            yield PointBlock(
                keys=block.keys,
                seq=block.seq[start:end],
                step=block.step[start:end],
                epoch=block.epoch[start:end],
                time_us=block.time_us[start:end],
                values=block.values[start:end],
            )


def _ends_of_parts(blocks: Sequence[PointBlock], records: Sequence[EncodedRecord]) -> list[int]:
    """Return the frames after which to cut, so that no part is too large to be sent at once."""
    seqs = [block.seq for block in blocks]
    sizes = [np.full(len(seq), _POINT_BYTES) for seq in seqs]
    seqs.append(np.array([record.seq for record in records], dtype=np.int64))
    sizes.append(np.array([len(record.body) for record in records], dtype=np.int64))
    seq, size = np.concatenate(seqs), np.concatenate(sizes)
    order = np.argsort(seq, kind="stable")
    seq, parts = seq[order], np.cumsum(size[order]) // _PART_BYTES
    ends: list[int] = (seq[1:][parts[1:] != parts[:-1]] - 1).tolist()
    return ends


def frame_count(batch: Batch) -> int:
    """Return how many frames of a batch hold something."""
    seqs = [block.seq for block in batch.blocks]
    seqs.append(np.array([record.seq for record in batch.records], dtype=np.int64))
    return len(np.unique(np.concatenate(seqs)))


def _writers(stored: Sequence[StoredRecord]) -> Iterator[str]:
    return (record.writer_id for record in stored)


def _bytes(body: str | bytes) -> bytes:
    return body.encode() if isinstance(body, str) else body


def _paths(value: Any) -> Iterator[str]:
    """Yield the paths in values of history rows that have files."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if "_type" in value and name == "path" and isinstance(item, str):
                yield item
            elif "_type" in value and name == "filenames" and isinstance(item, list):
                yield from (path for path in item if isinstance(path, str))
            else:
                yield from _paths(item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item)
