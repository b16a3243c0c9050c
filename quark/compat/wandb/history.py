"""Rows as W&B has them, out of packed points and the values beside them.

A row is one dict per step with ``_step``, ``_timestamp`` and ``_runtime``; what several calls
logged under one step is joined, a later value of a key in place of an earlier one. Only where two
processes logged the same key at the same step, or a call came late and the row has the key already,
there are two rows of that step.

A run is read a part at a time, so that a long one does not have to fit into memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.clock import parse_timestamp
from quark.compat.wandb.key_rows import LateFrames, is_late, late_frames, writer_and_seq
from quark.compat.wandb.row_table import OWN_KEYS, Cell, Entries, Table, joined_rows, table_of
from quark.records import HistoryValueRecord, RunRecord
from quark.session.branching import begun_us
from quark.storage.batch import NO_STEP
from quark.storage.model import EVERYTHING, KeyStats, RecordFilter, Series, StepRange

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: About so many rows are put together at once.
PART_ROWS = 100_000
_RESERVED = OWN_KEYS - {"_timestamp"}  # a time of the caller's is taken

#: What one writer logged, in time (False) or late (True).
_Source = tuple[str, bool]


def rows(
    store: Store,
    run: RunRecord,
    steps: StepRange = EVERYTHING,
    keys: Collection[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the rows by step. With ``keys``, only rows that have all of them, and only these."""
    for part in parts(store, run, steps, keys):
        yield from part.rows() if isinstance(part, Table) else part


def parts(
    store: Store,
    run: RunRecord,
    steps: StepRange = EVERYTHING,
    keys: Collection[str] | None = None,
) -> Iterator[Table | list[dict[str, Any]]]:
    """Yield the rows by step, many at once: as columns, or as dicts where writers overlap."""
    started_us = parse_timestamp(run.created_at)
    begun = {} if run.parent_run_id is None else begun_us(store, run.id)
    late = late_frames(store, run.id)
    wanted = frozenset(keys or ()) - OWN_KEYS or None
    stats = [
        stats
        for key, stats in store.points.keys(run.id).items()
        if stats.step_max is not None and (wanted is None or key in wanted)
    ]
    for window in _windows(stats, steps):
        sources = _sources(store, run.id, [each.key for each in stats], wanted, window, late)
        tables = [
            table_of(entries, begun.get(writer, started_us) / 1e6)
            for (writer, _), entries in sources.items()
        ]
        tables.sort(key=lambda table: int(table.steps[0]))
        if all(int(table.steps[-1]) < int(after.steps[0]) for table, after in pairwise(tables)):
            yield from (table if keys is None else table.having(keys) for table in tables)
        else:
            yield joined_rows(tables, keys)


def known_keys(store: Store, run: RunRecord) -> dict[str, Any]:
    """Return the keys of a run's rows with how often each was logged, and the last step."""
    found: dict[str, int] = {}
    last = -1
    for key, stats in store.points.keys(run.id).items():
        if stats.step_max is not None and key not in _RESERVED:
            found[key] = stats.count
            last = max(last, stats.step_max)
    for record in store.records.read(HistoryValueRecord, run.id):
        if record.step is not None and record.key not in _RESERVED:
            found[record.key] = found.get(record.key, 0) + 1
            last = max(last, record.step)
    keys = {key: {"typeCounts": [{"count": count}]} for key, count in found.items()}
    return {"keys": keys, "lastStep": last}


def _windows(stats: list[KeyStats], steps: StepRange) -> Iterator[StepRange]:
    """Yield ranges of steps that hold about :data:`PART_ROWS` rows each, and all of ``steps``."""
    lows = [each.step_min for each in stats if each.step_min is not None]
    highs = [each.step_max for each in stats if each.step_max is not None]
    count = max((each.count for each in stats), default=0)
    low = max(min(lows, default=0), steps.step_min if steps.step_min is not None else NO_STEP)
    high = max(highs, default=0)
    if steps.step_max is not None:
        high = min(high, steps.step_max)
    width = max(1, (high - low + 1) * PART_ROWS // max(count, 1))
    start = steps.step_min
    if low < high:
        for end in range(low + width, high, width):
            yield StepRange(step_min=start, step_max=end - 1)
            start = end
    yield StepRange(step_min=start, step_max=steps.step_max)


def _sources(
    store: Store,
    run_id: str,
    keys: list[str],
    wanted: frozenset[str] | None,
    steps: StepRange,
    late: LateFrames,
) -> dict[_Source, Entries]:
    """Return what was logged within ``steps``, apart by who logged it."""
    found: dict[_Source, Entries] = defaultdict(Entries)
    for key, series in store.points.many_series(run_id, keys, steps).items():
        if key not in _RESERVED:
            _add_points(found, key, series, late)
    for record in store.records.read(HistoryValueRecord, run_id, RecordFilter(steps=steps)):
        if (
            record.step is not None
            and record.key not in _RESERVED
            and (wanted is None or record.key in wanted)
        ):
            writer, seq = writer_and_seq(record.id)
            time_us = parse_timestamp(record.timestamp)
            source = (writer, seq in late.get(writer, ()))
            found[source].values[record.key].append(Cell(record.step, seq, time_us, record.value))
    return found


def _add_points(found: dict[_Source, Entries], key: str, series: Series, late: LateFrames) -> None:
    came_late = is_late(series, late)
    has_step = series.step != NO_STEP
    for index in np.unique(series.writer).tolist():
        for lateness in (False, True):
            chosen = (series.writer == index) & (came_late == lateness) & has_step
            if chosen.any():
                columns = (series.step, series.seq, series.time_us, series.value)
                source = (series.writers[index], lateness)
                found[source].points[key] = tuple(
                    column if chosen.all() else column[chosen] for column in columns
                )
