"""The closed rows of one key: its value in each row, without what came late.

What several calls logged under one step is one row, and the last value counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.records import HistoryValueRecord, LateRowRecord
from quark.storage.batch import NO_STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.model import Series
    from quark.storage.protocols import Store

#: The numbers of the frames that came late, by writer.
LateFrames = dict[str, set[int]]
_EXACT_FLOAT = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class KeyRows:
    """One value a row, by ascending step; ``values`` is an array if all of them are numbers."""

    steps: Sequence[int] | NDArray[np.int64]
    values: Sequence[Any] | NDArray[np.float64]

    def value(self, index: int) -> Any:
        """Return the value of one row as W&B shows it."""
        found = self.values[index]
        return plain_number(float(found)) if isinstance(self.values, np.ndarray) else found

    def numbers(self, start: int, end: int) -> Sequence[float]:
        """Return the numbers among the rows from ``start`` to before ``end``."""
        part: Sequence[Any] = self.values[start:end]  # type: ignore[assignment]
        if isinstance(self.values, np.ndarray):
            return part
        return [_as_float(value) for value in part if type(value) in (int, float)]


def late_frames(store: Store, run_id: str) -> LateFrames:
    """Return which frames of a run were logged below the row that was open."""
    late: LateFrames = {}
    for record in store.records.read(LateRowRecord, run_id):
        late.setdefault(writer_and_seq(record.id)[0], set()).add(record.seq)
    return late


def writer_and_seq(record_id: str) -> tuple[str, int]:
    """Return which writer wrote a record, and as which of its frames."""
    writer_id, _, number = record_id.rpartition("-")
    return writer_id, int(number.partition(".")[0])


def is_late(series: Series, late: LateFrames) -> NDArray[np.bool_]:
    """Say for each point of a series whether it came late."""
    found = np.zeros(len(series), dtype=bool)
    for index, writer in enumerate(series.writers):
        if writer in late:
            frames = np.fromiter(late[writer], dtype=np.int64)
            found |= (series.writer == index) & np.isin(series.seq, frames)
    return found


def key_rows(
    store: Store,
    run_id: str,
    key: str,
    values: Sequence[HistoryValueRecord],
    late: LateFrames,
) -> KeyRows:
    """Return the rows of a key. ``values`` are those of its values that are no numbers."""
    series = store.points.series(run_id, key)
    kept = (series.step != NO_STEP) & ~is_late(series, late)
    step, writer, value = series.step[kept], series.writer[kept], series.value[kept]
    if not values:
        order = np.lexsort((writer, step))  # stable: of one writer's points the last stays last
        step, writer, value = step[order], writer[order], value[order]
        is_last = np.append((np.diff(step) != 0) | (np.diff(writer) != 0), True)
        return KeyRows(step[is_last[: len(step)]], value[is_last[: len(step)]])
    names = [series.writers[index] for index in writer.tolist()]
    found: dict[tuple[int, str], tuple[int, Any]] = {}
    for place, seq, number in zip(
        zip(step.tolist(), names, strict=True),
        series.seq[kept].tolist(),
        value.tolist(),
        strict=True,
    ):
        found[place] = (seq, plain_number(number))
    for record in values:
        name, seq = writer_and_seq(record.id)
        if record.step is None or seq in late.get(name, ()):
            continue
        if found.get((record.step, name), (0, None))[0] <= seq:
            found[record.step, name] = (seq, record.value)
    ordered = sorted(found)
    return KeyRows([place[0] for place in ordered], [found[place][1] for place in ordered])


def plain_number(value: float) -> float:
    """Return a stored number as W&B shows it: whole ones as integers."""
    if value.is_integer() and abs(value) <= _EXACT_FLOAT:
        return int(value)
    return value


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf
