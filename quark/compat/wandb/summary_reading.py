"""The summary of a run that is read back, also of one that was killed and wrote none.

The last full summary (it has ``_wandb``) counts, then what the script set after it, then the last
values that were logged later than either; metrics with a definition are summed up from all their
points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quark.clock import parse_timestamp
from quark.compat.wandb.definitions import Definitions, Metric
from quark.compat.wandb.history import plain_number
from quark.records import (
    HistoryValueRecord,
    MetricDefinitionRecord,
    RunRecord,
    SummaryUpdateRecord,
)

if TYPE_CHECKING:
    from quark.storage.protocols import Store

FULL_MARK = "_wandb"
_NON_FINITE = ("NaN", "Infinity", "-Infinity")


def last_values(store: Store, run: RunRecord) -> tuple[dict[str, Any], int]:
    """Return the run's summary without W&B's own keys, and the number of its next row."""
    summary, set_at = _explicit(store, run.id)
    definitions = read_definitions(store, run.id)
    logged, next_row = _logged(store, run.id)
    for key, (value, time_us) in sorted(logged.items(), key=lambda item: item[1][1]):
        if time_us > max(set_at.get(key, 0), set_at.get(FULL_MARK, 0)):
            _put(store, run.id, definitions, summary, key, value)
    return {key: value for key, value in summary.items() if not key.startswith("_")}, next_row


def read_definitions(store: Store, run_id: str) -> Definitions:
    """Return what ``define_metric`` said in a run."""
    definitions = Definitions()
    for record in store.records.read(MetricDefinitionRecord, run_id):
        metric = Metric(
            name=record.name,
            step_metric=record.step_metric,
            step_sync=record.step_sync,
            hidden=record.hidden,
            summary=record.summary or None,
            goal=record.goal,
        )
        definitions.define(metric, overwrite=record.overwrite)
    return definitions


def _explicit(store: Store, run_id: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Return what was set in the summary, and when each key was set or removed."""
    summary: dict[str, Any] = {}
    set_at: dict[str, int] = {}
    for update in store.records.read(SummaryUpdateRecord, run_id):
        time_us = parse_timestamp(update.timestamp)
        if FULL_MARK in update.values:
            summary.clear()
        summary.update(_with_floats(update.values))
        set_at.update(dict.fromkeys(update.values, time_us))
        for key in update.removed:
            summary.pop(key, None)
            set_at[key] = time_us
    return summary, set_at


def _with_floats(value: Any) -> Any:
    """Return a stored value with the words for NaN and the infinities as the floats they mean."""
    if isinstance(value, Mapping):
        return {key: _with_floats(item) for key, item in value.items()}
    if isinstance(value, str) and value in _NON_FINITE:
        return float(value)
    return value


def _logged(store: Store, run_id: str) -> tuple[dict[str, tuple[Any, int]], int]:
    """Return the last value of every key with its time, and the number after the highest row."""
    last: dict[str, tuple[Any, int]] = {}
    highest = -1
    for key, stats in store.points.keys(run_id).items():
        last[key] = (plain_number(stats.last_value), stats.last_time_us)
        highest = max(highest, -1 if stats.step_max is None else stats.step_max)
    for record in store.records.read(HistoryValueRecord, run_id):
        time_us = parse_timestamp(record.timestamp)
        if record.key not in last or last[record.key][1] <= time_us:
            last[record.key] = (record.value, time_us)
        highest = max(highest, -1 if record.step is None else record.step)
    return last, highest + 1


def _put(
    store: Store,
    run_id: str,
    definitions: Definitions,
    summary: dict[str, Any],
    key: str,
    value: Any,
) -> None:
    metric = definitions.find(key)
    if metric is not None and metric.summary:
        for number in store.points.series(run_id, key, columns="step_value").value.tolist():
            definitions.summarize({key: plain_number(number)}, summary)
    elif value is None:
        summary.pop(key, None)
    else:
        summary[key] = value
