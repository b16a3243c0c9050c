"""The summary of a run that is read back, also of one that was killed and wrote none.

A run that ended has left its whole summary. For any other it is made again, as the run would have
made it: what the script set and defined is gone through in order, and between these the closed rows
of each key are taken in at once. The row that was open at the end counts as closed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from quark.clock import parse_timestamp
from quark.compat.wandb.aggregates import Aggregate
from quark.compat.wandb.definitions import Definitions, Metric
from quark.compat.wandb.key_rows import (
    KeyRows,
    LateFrames,
    key_rows,
    late_frames,
    plain_number,
)
from quark.compat.wandb.values import put
from quark.records import (
    HistoryValueRecord,
    LateRowRecord,
    MetricDefinitionRecord,
    NestedKeyRecord,
    RunRecord,
    SummaryUpdateRecord,
)
from quark.session.reading import deliver_tail
from quark.settings import Settings
from quark.storage.model import KeyStats

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: A summary update that has this key holds the whole summary.
FULL_MARK = "_wandb"
_NON_FINITE = ("NaN", "Infinity", "-Infinity")
_AT_THE_END = 2**63
_BEFORE_ROW, _ROW = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """What an earlier process left of a run: its summary, what was defined, its next row, and when
    something was logged last."""

    values: dict[str, Any]
    definitions: Definitions | None
    next_row: int
    last_time_us: int


def last_values(store: Store, run: RunRecord) -> tuple[dict[str, Any], int]:
    """Return the run's summary without W&B's own keys, and the number of its next row."""
    state = _Reader(store, run.id).state(with_definitions=False)
    return state.values, state.next_row


def joint_summary(store: Store, run_id: str, settings: Settings) -> dict[str, Any]:
    """Return the summary of a run that other processes write into too, with its last step."""
    deliver_tail(store, run_id, settings)
    values, next_row = last_values(store, store.records.get_run(run_id))
    return {**values, "_step": next_row - 1} if next_row else values


def summary_with_clock(store: Store, run: RunRecord) -> dict[str, Any]:
    """Return the run's summary with ``_step``, ``_timestamp`` and ``_runtime`` if it has rows."""
    state = _Reader(store, run.id).state(with_definitions=False)
    if not state.next_row:
        return state.values
    return {
        **state.values,
        "_step": state.next_row - 1,
        "_timestamp": state.last_time_us / 1e6,
        "_runtime": (state.last_time_us - parse_timestamp(run.created_at)) / 1e6,
    }


def run_state(store: Store, run: RunRecord) -> RunState:
    """Return what is needed to go on with a run."""
    return _Reader(store, run.id).state(with_definitions=True)


def earlier_rows(store: Store, run_id: str, key: str, last_row: int) -> Aggregate:
    """Return what the rows up to ``last_row`` held of a key."""
    rows = key_rows(store, run_id, key, _values_of(store, run_id, key), late_frames(store, run_id))
    end = bisect_left(rows.steps, last_row + 1)
    aggregate = Aggregate()
    if end:
        aggregate.add_rows(rows.numbers(0, end), rows.value(0), rows.value(end - 1))
    return aggregate


def _values_of(store: Store, run_id: str, key: str) -> list[HistoryValueRecord]:
    records = store.records.read(HistoryValueRecord, run_id)
    return [record for record in records if record.key == key]


class _Event(NamedTuple):
    """Something that changed the summary, while ``row`` was open or when it was closed."""

    row: int
    phase: int
    time_us: int
    act: Callable[[], None]


class _Reader:
    """Makes the summary of one run again."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._points: Mapping[str, KeyStats] = store.points.keys(run_id)
        self._values: dict[str, list[HistoryValueRecord]] = defaultdict(list)
        for record in store.records.read(HistoryValueRecord, run_id):
            if record.step is not None:
                self._values[record.key].append(record)
        self._updates = store.records.read(SummaryUpdateRecord, run_id)
        self._defined = store.records.read(MetricDefinitionRecord, run_id)
        self._late: LateFrames = {}
        self._late_keys: set[str] = set()
        self._ways: dict[str, tuple[str, ...]] = {}
        self._definitions = Definitions()
        self._shown: dict[str, Any] = {}

    def state(self, *, with_definitions: bool) -> RunState:
        written = self._written()
        if written is None or (with_definitions and self._defined):
            self._replay()
            written = self._shown
        values = {key: value for key, value in written.items() if not key.startswith("_")}
        definitions = self._definitions if with_definitions and self._defined else None
        return RunState(
            values=values,
            definitions=definitions,
            next_row=self._next_row(),
            last_time_us=self._last_time_us(),
        )

    def _next_row(self) -> int:
        steps = [stats.step_max for stats in self._points.values()]
        steps += [records[-1].step for records in self._values.values()]
        return max((step for step in steps if step is not None), default=-1) + 1

    def _last_time_us(self) -> int:
        times = [
            stats.last_time_us
            for stats in self._points.values()
            if stats.last_step is not None  # samples of the machine are no rows
        ]
        times += [parse_timestamp(records[-1].timestamp) for records in self._values.values()]
        return max(times, default=0)

    def _written(self) -> dict[str, Any] | None:
        """Return the summary that the run left, if nothing came after it."""
        last = self._updates[-1] if self._updates else None
        if last is None or FULL_MARK not in last.values:
            return None
        if self._last_time_us() > parse_timestamp(last.timestamp):
            return None
        return dict(with_floats(last.values))

    # -- going through it again --------------------------------------------------------------

    def _replay(self) -> None:
        self._late = late_frames(self._store, self._run_id)
        for late in self._store.records.read(LateRowRecord, self._run_id):
            self._late_keys.update(late.keys)
        for nested in self._store.records.read(NestedKeyRecord, self._run_id):
            self._ways[nested.key] = nested.path
        for event in sorted([*self._changes(), *self._rows()], key=lambda event: event[:3]):
            event.act()
        for name in self._definitions.counters:
            if name in self._points:
                last = self._points[name].last_value
                self._definitions.counters[name] = plain_number(last)

    def _changes(self) -> Iterator[_Event]:
        for update in self._updates:
            if FULL_MARK not in update.values:
                yield self._event(update.step, update.timestamp, partial(self._set, update))
        for record in self._defined:
            yield self._event(record.step, record.timestamp, partial(self._define, record))

    def _event(self, step: int | None, timestamp: str, act: Callable[[], None]) -> _Event:
        row = _AT_THE_END if step is None else step
        return _Event(row, _BEFORE_ROW, parse_timestamp(timestamp), act)

    def _set(self, update: SummaryUpdateRecord) -> None:
        for key, value in update.values.items():
            self._shown[key] = with_floats(value)
            name = ".".join(update.path) or key
            self._definitions.changed_by_script(name, removed=False)
        for key in update.removed:
            self._shown.pop(key, None)
            self._definitions.changed_by_script(key, removed=True)

    def _define(self, record: MetricDefinitionRecord) -> None:
        self._definitions.define(_metric(record), self._shown, overwrite=record.overwrite)

    def _rows(self) -> Iterator[_Event]:
        metrics = [_metric(record) for record in self._defined]
        for key in {**self._points, **self._values}:
            about = [metric for metric in metrics if metric.matches(key) and metric.is_summed_up]
            if about:
                yield from self._summed_rows(key)
            else:
                yield from self._last_row(key)

    def _last_row(self, key: str) -> Iterator[_Event]:
        """Yield what a key whose last value is shown does to the summary: its last row."""
        stats, records = self._points.get(key), self._values.get(key)
        if stats is not None and stats.step_max is None and not records:
            return  # a sample of the machine
        is_sampled_too = stats is not None and stats.last_step is None
        if key in self._late_keys or is_sampled_too or (stats is not None and records):
            rows = self._key_rows(key)
            if not len(rows.steps):
                return
            step, value = int(rows.steps[-1]), rows.value(len(rows.steps) - 1)
        elif stats is not None:
            assert stats.last_step is not None
            step, value = stats.last_step, plain_number(stats.last_value)
        else:
            assert records
            step, value = records[-1].step or 0, records[-1].value
        yield _Event(step, _ROW, 0, partial(self._show, key, value))

    def _summed_rows(self, key: str) -> Iterator[_Event]:
        """Yield the rows of a key, in as many parts as definitions and settings cut them into."""
        rows = self._key_rows(key)
        top = self._ways.get(key, (key,))[0]
        cuts = {record.step or 0 for record in self._defined if _metric(record).matches(key)}
        cuts |= {
            _AT_THE_END if update.step is None else update.step
            for update in self._updates
            if FULL_MARK not in update.values and (top in update.values or top in update.removed)
        }
        places = [0, *(bisect_left(rows.steps, cut) for cut in sorted(cuts)), len(rows.steps)]
        for start, end in pairwise(places):
            if start < end:
                step = int(rows.steps[end - 1])
                yield _Event(step, _ROW, 0, partial(self._take, key, rows, start, end))

    def _take(self, key: str, rows: KeyRows, start: int, end: int) -> None:
        shown = self._definitions.take_rows(
            key, rows.numbers(start, end), rows.value(start), rows.value(end - 1)
        )
        self._show(key, shown)

    def _key_rows(self, key: str) -> KeyRows:
        return key_rows(self._store, self._run_id, key, self._values.get(key, ()), self._late)

    def _show(self, key: str, shown: Any) -> None:
        if shown != {}:
            put(self._ways.get(key, (key,)), shown, self._shown)


def _metric(record: MetricDefinitionRecord) -> Metric:
    return Metric(
        name=record.name,
        step_metric=record.step_metric,
        step_sync=record.step_sync,
        hidden=record.hidden,
        summary=record.summary or None,
        goal=record.goal,
    )


def with_floats(value: Any) -> Any:
    """Return a stored value with the words for NaN and the infinities as the floats they mean."""
    if isinstance(value, Mapping):
        return {key: with_floats(item) for key, item in value.items()}
    if isinstance(value, str) and value in _NON_FINITE:
        return float(value)
    return value
