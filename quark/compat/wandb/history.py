"""Rows as W&B has them, out of packed points and the values beside them.

A row is one dict per step with ``_step``, ``_timestamp`` and ``_runtime``; what several calls
logged under one step is joined, a later value of a key in place of an earlier one. Only where two
processes logged the same key at the same step there are two rows of that step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from quark.clock import parse_timestamp
from quark.records import HistoryValueRecord, RunRecord
from quark.storage.batch import NO_STEP
from quark.storage.model import EVERYTHING, RecordFilter, StepRange

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: A writer, its frame, what the frame said of one key, and when.
_Entry = tuple[str, int, str, Any, int]
_EXACT_FLOAT = 2**53
_RESERVED = frozenset({"_step", "_runtime"})


def rows(
    store: Store,
    run: RunRecord,
    steps: StepRange = EVERYTHING,
    keys: Collection[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the rows by step. With ``keys``, only rows that have all of them, and only these."""
    wanted = None if keys is None else {*keys} - {"_step", "_timestamp", "_runtime"}
    started = parse_timestamp(run.created_at) / 1e6
    entries = _entries(store, run.id, steps, wanted)
    for step in sorted(entries):
        for row in _joined(entries[step]):
            row["_step"] = step
            row["_runtime"] = row["_timestamp"] - started
            if keys is None:
                yield row
            elif all(key in row for key in keys):
                yield {key: row[key] for key in keys}


def plain_number(value: float) -> float:
    """Return a stored number as W&B shows it: whole ones as integers."""
    if value.is_integer() and abs(value) <= _EXACT_FLOAT:
        return int(value)
    return value


def _entries(
    store: Store, run_id: str, steps: StepRange, wanted: set[str] | None
) -> dict[int, list[_Entry]]:
    found: dict[int, list[_Entry]] = {}
    keys = [key for key in store.points.keys(run_id) if wanted is None or key in wanted]
    for key, series in store.points.many_series(run_id, keys, steps).items():
        columns = zip(
            series.step.tolist(),
            series.writer.tolist(),
            series.seq.tolist(),
            series.value.tolist(),
            series.time_us.tolist(),
            strict=True,
        )
        for step, writer, seq, value, time_us in columns:
            if step != NO_STEP:
                entry = (series.writers[writer], seq, key, plain_number(value), time_us)
                found.setdefault(step, []).append(entry)
    records = store.records.read(HistoryValueRecord, run_id, RecordFilter(steps=steps))
    for record in records:
        if record.step is not None and (wanted is None or record.key in wanted):
            writer_id, _, number = record.id.rpartition("-")
            seq = int(number.partition(".")[0])
            time_us = parse_timestamp(record.timestamp)
            entry = (writer_id, seq, record.key, record.value, time_us)
            found.setdefault(record.step, []).append(entry)
    return found


def _joined(entries: list[_Entry]) -> list[dict[str, Any]]:
    """Join what was logged under one step into rows: one, unless writers disagree."""
    by_writer: dict[str, dict[str, Any]] = {}
    newest: dict[str, int] = {}
    for writer, _, key, value, time_us in sorted(entries, key=lambda entry: entry[1]):
        if key not in _RESERVED:
            by_writer.setdefault(writer, {})[key] = value
        newest[writer] = max(newest.get(writer, 0), time_us)
    joined: list[dict[str, Any]] = []
    for writer in sorted(by_writer, key=lambda name: newest[name]):
        values = {"_timestamp": newest[writer] / 1e6, **by_writer[writer]}
        for row in joined:
            if not (row.keys() & values.keys()) - {"_timestamp"}:
                row.update(values)
                break
        else:
            joined.append(values)
    return joined
