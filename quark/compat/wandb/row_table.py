"""Rows of a run as columns, and as dicts.

What one writer logged becomes one table, column by column, without a Python object per cell; rows
of several writers that overlap are joined as dicts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quark.compat.wandb.key_rows import plain_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

#: What every row has by itself.
OWN_KEYS = frozenset({"_step", "_timestamp", "_runtime"})
_EXACT_FLOAT = 2**53
_ABSENT: Any = object()


class Cell(NamedTuple):
    """One value that is no number, and the frame it came in."""

    step: int
    seq: int
    time_us: int
    value: Any


@dataclass(slots=True)
class Entries:
    """What one writer logged, by key: columns of steps, frames, times and values; and values."""

    points: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    values: dict[str, list[Cell]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The values of one key by row: numbers as an array, anything else as a list of objects.

    ``present`` says which rows have the key; None if all have.
    """

    values: Floats | list[Any]
    present: Bools | None

    def objects(self) -> list[Any]:
        """Return the values as W&B shows them, with a mark where there is none."""
        if isinstance(self.values, list):
            return self.values
        is_whole = _whole(self.values)
        if is_whole.all():
            listed: list[Any] = self.values.astype(np.int64).tolist()
        else:
            listed = self.values.tolist()
            for index in np.flatnonzero(is_whole).tolist():
                listed[index] = int(listed[index])
        if self.present is not None:
            for index in np.flatnonzero(~self.present).tolist():
                listed[index] = _ABSENT
        return listed

    def for_frame(self) -> Any:
        """Return the values as a column of a DataFrame."""
        if isinstance(self.values, list):
            return [np.nan if value is _ABSENT else value for value in self.values]
        if self.present is None:
            return self.values.astype(np.int64) if _whole(self.values).all() else self.values
        return np.where(self.present, self.values, np.nan)

    def take(self, chosen: Bools) -> Column:
        """Return the values of some rows."""
        if isinstance(self.values, list):
            values: Any = [self.values[index] for index in np.flatnonzero(chosen).tolist()]
        else:
            values = self.values[chosen]
        return Column(values, None if self.present is None else self.present[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows by ascending step."""

    steps: Ints
    columns: dict[str, Column]

    def having(self, keys: Collection[str]) -> Table:
        """Return the rows that have all of ``keys``, and of them only these."""
        chosen = np.ones(len(self.steps), dtype=bool)
        for key in keys:
            column = self.columns.get(key)
            if column is None:
                chosen[:] = False
            elif column.present is not None:
                chosen &= column.present
        found = {key: self.columns[key] for key in keys if key in self.columns}
        columns = {
            key: Column(taken.values, None)
            for key, taken in ((key, column.take(chosen)) for key, column in found.items())
        }
        return Table(self.steps[chosen], columns)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as dicts."""
        names = tuple(self.columns)
        lists = [column.objects() for column in self.columns.values()]
        if all(column.present is None for column in self.columns.values()):
            for values in zip(*lists, strict=True):
                yield dict(zip(names, values, strict=True))
            return
        for values in zip(*lists, strict=True):
            yield {
                name: value
                for name, value in zip(names, values, strict=True)
                if value is not _ABSENT
            }


def table_of(entries: Entries, started: float) -> Table:
    """Return what one writer logged as rows. ``started`` is in seconds since the epoch."""
    all_steps = [columns[0] for columns in entries.points.values()]
    all_steps += [
        np.array([cell.step for cell in cells], dtype=np.int64) for cells in entries.values.values()
    ]
    steps = _union(all_steps)
    times = np.zeros(len(steps), dtype=np.int64)
    columns: dict[str, Column] = {"_step": Column(steps.astype(np.float64), None)}
    for key, (step, seq, time_us, value) in entries.points.items():
        place = _places(steps, step)
        if len(place) == len(steps) and np.array_equal(step, steps):
            times = np.maximum(times, time_us)
        else:
            np.maximum.at(times, place, time_us)
        if key not in entries.values:
            columns[key] = _number_column(len(steps), place, value)
        else:
            numbers = (step.tolist(), seq.tolist(), time_us.tolist(), value.tolist())
            entries.values[key] += [
                Cell(at, frame, moment, plain_number(number))
                for at, frame, moment, number in zip(*numbers, strict=True)
            ]
    for key, cells in entries.values.items():
        values: list[Any] = [_ABSENT] * len(steps)
        for cell in sorted(cells, key=lambda cell: cell.seq):
            index = int(np.searchsorted(steps, cell.step))
            values[index] = cell.value
            times[index] = max(times[index], cell.time_us)
        present = np.array([value is not _ABSENT for value in values])
        columns[key] = Column(values, None if present.all() else present)
    stamp = columns.pop("_timestamp", None)
    seconds = times / 1e6
    if stamp is not None and not isinstance(stamp.values, list):
        is_given = np.ones(len(steps), dtype=bool) if stamp.present is None else stamp.present
        seconds = np.where(is_given, stamp.values, seconds)
    columns["_timestamp"] = Column(seconds, None)
    columns["_runtime"] = Column(seconds - started, None)
    return Table(steps, columns)


def joined_rows(tables: Sequence[Table], keys: Collection[str] | None) -> list[dict[str, Any]]:
    """Return the rows of all tables by step: those of one step as one row, unless it would have a
    key twice. With ``keys``, only rows that have all of them, and only these."""
    by_step: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for table in tables:
        for row in table.rows():
            by_step[row["_step"]].append(row)
    found = []
    for step in sorted(by_step):
        joined: list[dict[str, Any]] = []
        for row in sorted(by_step[step], key=lambda row: row["_timestamp"]):
            for other in joined:
                if not (other.keys() & row.keys()) - OWN_KEYS:
                    other.update(row)
                    break
            else:
                joined.append(row)
        found += joined
    if keys is None:
        return found
    return [{key: row[key] for key in keys} for row in found if row.keys() >= set(keys)]


def _union(all_steps: Sequence[Ints]) -> Ints:
    """Return every step once, ascending. Keys that were always logged together cost nothing."""
    distinct: list[Ints] = []
    for steps in all_steps:
        if not any(np.array_equal(steps, other) for other in distinct[-4:]):
            distinct.append(steps)
    if len(distinct) == 1 and bool((np.diff(distinct[0]) > 0).all()):
        return distinct[0]
    return np.unique(np.concatenate(distinct))


def _places(steps: Ints, wanted: Ints) -> Ints:
    if len(wanted) == len(steps) and np.array_equal(wanted, steps):
        return np.arange(len(steps))
    return np.searchsorted(steps, wanted)


def _number_column(count: int, place: Ints, value: Floats) -> Column:
    """Return a column; of several values for one row the last one counts."""
    if len(place) == count and (count == 0 or bool((np.diff(place) > 0).all())):
        return Column(value, None)
    values = np.zeros(count)
    present = np.zeros(count, dtype=bool)
    present[place] = True
    if bool((np.diff(place) > 0).all()):
        values[place] = value
    else:
        backwards, last = np.unique(place[::-1], return_index=True)
        values[backwards] = value[::-1][last]
    return Column(values, None if present.all() else present)


def _whole(values: Floats) -> Bools:
    with np.errstate(invalid="ignore"):
        found: Bools = (np.floor(values) == values) & (np.abs(values) <= _EXACT_FLOAT)
    return found
