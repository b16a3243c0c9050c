"""The runs of a store as flat rows, kept between requests: only what changed is read again.

A row's values are what its configuration and summary hold, by flat names: ``config.lr``,
``config.optimizer.name``, ``summary.val/loss``. How many are kept is bounded, for all runs of a
store together; a row says how many of its values were left out.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.clock import SYSTEM_CLOCK, parse_timestamp
from quark.dashboard.views.runs_depth import judge
from quark.errors import RunNotFoundError
from quark.records import TERMINAL_STATUSES
from quark.storage.run_edit import ARCHIVED_TAG
from quark.storage.run_state import creation_time_us

if TYPE_CHECKING:
    from quark.dashboard.place import Place
    from quark.records import RunRecord
    from quark.storage.protocols import Store

#: Values that are kept of the runs of one store; some 100 bytes each.
_MAX_VALUES = 1_000_000
_MAX_VALUES_OF_A_RUN = 1_000
_MAX_TABLES = 8
#: So many runs are asked for one by one.
_MAX_SINGLE = 8
#: How long the health of runs that was looked up is taken for new, in microseconds.
_JUDGED_US = 1_500_000
#: And at least so many times as long as the look-up took.
_JUDGED_TIMES = 20
_MAX_TEXT = 300
_MAX_SEARCHED = 2_000
_AS_IT_IS = frozenset({int, float, bool})
_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


@dataclass(slots=True, eq=False)
class Row:
    """One run, as a table needs it. ``health`` and ``last`` are looked up later, see
    :mod:`quark.dashboard.views.runs_depth`; ``looked_up_us`` is when ``last`` was, 0 until then.

    ``created_us`` and ``ended_us`` are microseconds since 1970. ``last`` are the last values of
    metrics that the summary of an unfinished run has not yet, by flat name.
    """

    id: str
    name: str
    project: str
    status: str
    created_at: str
    ended_at: str | None
    created_us: int
    ended_us: int | None
    tags: tuple[str, ...]
    group: str | None
    job_type: str | None
    notes: str | None
    parent: str | None
    is_over: bool
    is_archived: bool
    values: dict[str, Any]
    left_out: int
    searched: str
    health: float | None = None
    health_status: str | None = None
    last: dict[str, Any] = field(default_factory=dict)
    looked_up_us: int = 0

    def value(self, name: str) -> Any:
        """Return a value of the configuration or the summary, None if there is none."""
        found = self.values.get(name)
        return self.last.get(name) if found is None else found


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows as they were at one moment, the newest run first. ``revision`` is another number as
    soon as any of them changes."""

    rows: tuple[Row, ...]
    by_id: Mapping[str, Row]
    revision: int


def row_of(run: RunRecord, max_values: int = _MAX_VALUES_OF_A_RUN) -> Row:
    """Return a run's row."""
    values: dict[str, Any] = {}
    left_out = _flatten("config.", run.config, values, max_values // 2)
    left_out += _flatten("summary.", run.summary, values, max_values)
    words = (run.name, run.id, run.project_name, run.group, run.job_type, *run.tags, run.notes)
    return Row(
        id=run.id,
        name=run.name or "",
        project=sys.intern(run.project_name),
        status=sys.intern(run.status),
        created_at=run.created_at or run.timestamp,
        ended_at=run.ended_at,
        created_us=creation_time_us(run),
        ended_us=_time_us(run.ended_at),
        tags=run.tags,
        group=run.group,
        job_type=run.job_type,
        notes=run.notes[:_MAX_SEARCHED] if run.notes else None,
        parent=run.parent_run_id,
        is_over=run.status in TERMINAL_STATUSES,
        is_archived=ARCHIVED_TAG in run.tags,
        values=values,
        left_out=left_out,
        searched="\n".join(filter(None, words))[: 2 * _MAX_SEARCHED].casefold(),
    )


def _time_us(text: str | None) -> int | None:
    try:
        return None if text is None else parse_timestamp(text)
    except ValueError:
        return None


def _flatten(prefix: str, given: Mapping[str, Any], into: dict[str, Any], limit: int) -> int:
    """Add what is inside by flat names, until there are ``limit``; return how many did not fit."""
    left_out = 0
    waiting = [(prefix, given)]
    room = limit - len(into)
    while waiting:
        before, inside = waiting.pop()
        for name, value in inside.items():
            kind = type(value)
            if kind is dict and value and "_type" not in value:
                waiting.append((before + name + ".", value))
            elif value is None:
                continue
            elif room <= 0:
                left_out += 1
            else:
                room -= 1
                into[sys.intern(before + name)] = value if kind in _AS_IT_IS else _cell(value)
    return left_out


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        number = _WORDS.get(value)
        if number is not None:
            return number
        return sys.intern(value) if len(value) <= _MAX_TEXT else value[:_MAX_TEXT] + "…"
    if isinstance(value, dict) and "_type" in value:
        return f"[{str(value['_type'])[:60]}]"
    text = jsonio.dumps(value).decode()
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


class RunTable:
    """The rows of one store. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._judging = threading.Lock()
        self._judged: Set[str] = frozenset()  # whose health was looked up, and when
        self._judged_us = self._judged_for_us = 0
        self._marks: dict[str, object] = {}
        self._rows: dict[str, Row] = {}
        self._snapshot = Snapshot((), {}, 0)
        #: Answers that hold as long as the revision does; see :meth:`remember`.
        self._answers: OrderedDict[Any, Any] = OrderedDict()

    def read(self, store: Store) -> Snapshot:
        """Return all rows as the store has them now."""
        with self._lock:
            marks, changed = store.records.changed_runs(self._marks)
            gone = self._rows.keys() - marks.keys()
            if changed or gone:
                self._take(marks, changed, gone)
            return self._snapshot

    @property
    def snapshot(self) -> Snapshot:
        """All rows as they were read last."""
        return self._snapshot

    def records(self, store: Store, run_ids: Collection[str]) -> dict[str, RunRecord]:
        """Return those of some runs that are there, as the store has them now: as many look-ups
        for a thousand as for one."""
        self.read(store)
        wanted = set(run_ids)
        with self._lock:
            known = {run_id: mark for run_id, mark in self._marks.items() if run_id not in wanted}
        # As if it were these that have changed.
        changed = store.records.changed_runs(known).changed
        return {run.id: run for run in changed if run.id in wanted}

    def judge(self, store: Store, now_us: int) -> bool:
        """Bring the health of all rows up to date: one look-up, and none if there was one a moment
        ago. Say whether any has changed."""
        with self._judging:
            snapshot = self._snapshot
            is_new = 0 <= now_us - self._judged_us < self._judged_for_us
            if is_new and snapshot.by_id.keys() <= self._judged:
                return False
            began = SYSTEM_CLOCK.monotonic()
            changed = judge(store, snapshot.rows)
            took_us = int((SYSTEM_CLOCK.monotonic() - began) * 1e6)
            self._judged, self._judged_us = snapshot.by_id.keys(), now_us
            self._judged_for_us = max(_JUDGED_US, _JUDGED_TIMES * took_us)
            if changed:
                self.touch()
            return changed

    def touch(self) -> None:
        """Say that rows were given what their runs' own files hold."""
        with self._lock:
            before = self._snapshot
            self._snapshot = Snapshot(before.rows, before.by_id, before.revision + 1)
            self._answers.clear()

    def remember(self, snapshot: Snapshot, what: Any, make: Any) -> Any:
        """Return ``make()``, or what it returned before for the same question and revision."""
        key = (snapshot.revision, what)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
        found = make()
        with self._lock:
            self._answers[key] = found
            while len(self._answers) > 16:
                self._answers.popitem(last=False)
        return found

    def _take(
        self, marks: dict[str, object], changed: tuple[RunRecord, ...], gone: set[str]
    ) -> None:
        room = max(20, min(_MAX_VALUES_OF_A_RUN, _MAX_VALUES // max(1, len(marks))))
        rows = {run_id: row for run_id, row in self._rows.items() if run_id not in gone}
        for run in changed:
            row = row_of(run, room)
            old = rows.get(run.id)
            if old is not None:  # until it is looked up anew
                row.health, row.health_status, row.last = old.health, old.health_status, old.last
            rows[run.id] = row
        self._rows = rows
        # A run that was deleted between two readings has a mark and no row: it is not known.
        self._marks = {run_id: mark for run_id, mark in marks.items() if run_id in rows}
        ordered = sorted(rows.values(), key=lambda row: (row.created_us, row.id), reverse=True)
        self._snapshot = Snapshot(tuple(ordered), rows, self._snapshot.revision + 1)
        self._answers.clear()


class RunTables:
    """The tables of the stores that were looked at last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[str, ...], RunTable] = OrderedDict()

    def of(self, place: Place) -> RunTable:
        """Return a store's table."""
        key = (place.kind, place.workspace, place.storage_dir, place.store.target)
        with self._lock:
            table = self._tables.setdefault(key, RunTable())
            self._tables.move_to_end(key)
            while len(self._tables) > _MAX_TABLES:
                self._tables.popitem(last=False)
            return table


TABLES = RunTables()


def records_of(place: Place, run_ids: Collection[str]) -> dict[str, RunRecord]:
    """Return those of some runs that are there: a few one by one, of many all at once."""
    if len(run_ids) > _MAX_SINGLE:
        return TABLES.of(place).records(place.store, run_ids)
    found = {}
    for run_id in run_ids:
        with contextlib.suppress(RunNotFoundError):
            found[run_id] = place.store.records.get_run(run_id)
    return found
