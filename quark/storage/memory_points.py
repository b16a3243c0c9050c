"""Points in memory, one tuple each: the slow, obvious way to every number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quark.errors import SchemaValidationError
from quark.storage.model import (
    EVERYTHING,
    NO_STEP,
    Buckets,
    Columns,
    KeyStats,
    Series,
    StepRange,
)
from quark.storage.selection import Bounds, selection

if TYPE_CHECKING:
    from quark.storage.memory import MemoryRuns
    from quark.storage.model import Float64Array, Int64Array


class Point(NamedTuple):
    """One scalar; ``writer`` counts the run's writers, ``NO_STEP`` is "none"."""

    writer: int
    seq: int
    step: int
    epoch: int
    time_us: int
    value: float


class MemoryPoints:
    """A :class:`~quark.storage.protocols.PointStore` over lists."""

    def __init__(self, runs: MemoryRuns) -> None:
        self._runs = runs

    def series(
        self, run_id: str, key: str, steps: StepRange = EVERYTHING, *, columns: Columns = "all"
    ) -> Series:
        points = self._selected(run_id, key, steps)
        rows = points if columns == "all" else []
        return Series(
            key=key,
            writers=tuple(self._runs.find(run_id).positions),
            writer=_ints([point.writer for point in rows]),
            seq=_ints([point.seq for point in rows]),
            step=_ints([point.step for point in points]),
            epoch=_ints([point.epoch for point in rows]),
            time_us=_ints([point.time_us for point in rows]),
            value=_floats([point.value for point in points]),
        )

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
    ) -> dict[str, Series]:
        self._runs.find(run_id)
        return {key: self.series(run_id, key, steps, columns=columns) for key in keys}

    def buckets(
        self, run_id: str, key: str, bucket_count: int, steps: StepRange = EVERYTHING
    ) -> Buckets:
        if bucket_count < 1:
            raise SchemaValidationError(f"bucket_count is {bucket_count}; it must be 1 or more.")
        points = [p for p in self._selected(run_id, key, steps) if p.step != NO_STEP]
        low = min((point.step for point in points), default=0)
        high = max((point.step for point in points), default=0)
        width = -(-(high - low + 1) // bucket_count)
        filled: dict[int, list[Point]] = {}
        for point in points:
            filled.setdefault((point.step - low) // width, []).append(point)
        indices = sorted(filled)
        in_order = [filled[index] for index in indices]
        finite = [[p.value for p in bucket if math.isfinite(p.value)] for bucket in in_order]
        return Buckets(
            key=key,
            step_start=_ints([low + index * width for index in indices]),
            step_end=_ints([min(low + (index + 1) * width - 1, high) for index in indices]),
            count=_ints([len(bucket) for bucket in in_order]),
            nonfinite_count=_ints(
                [len(bucket) - len(values) for bucket, values in zip(in_order, finite, strict=True)]
            ),
            minimum=_floats([min(values, default=math.nan) for values in finite]),
            maximum=_floats([max(values, default=math.nan) for values in finite]),
            mean=_floats([_mean(values) for values in finite]),
            last=_floats([_last(bucket).value for bucket in in_order]),
        )

    def keys(self, run_id: str) -> dict[str, KeyStats]:
        with self._runs.lock:
            return {
                key: _stats(key, points) for key, points in self._runs.find(run_id).points.items()
            }

    def merge(self, run_id: str, *, final: bool = False) -> None:
        self._runs.find(run_id)

    def _selected(self, run_id: str, key: str, steps: StepRange) -> list[Point]:
        chosen = selection(steps)
        with self._runs.lock:
            points = [
                point
                for point in self._runs.find(run_id).points.get(key, [])
                if _lies_in(point.step, chosen.step) and _lies_in(point.epoch, chosen.epoch)
            ]
        return points if chosen.limit is None else points[-chosen.limit or len(points) :]


def _lies_in(number: int, bounds: Bounds | None) -> bool:
    return bounds is None or bounds.low <= number <= bounds.high


def _last(bucket: list[Point]) -> Point:
    return max(enumerate(bucket), key=lambda item: (item[1].step, item[0]))[1]


def _mean(values: list[float]) -> float:
    if not values:
        return math.nan
    # Divided first, so that large values cannot overflow on the way.
    mean = math.fsum(value / len(values) for value in values)
    return min(max(mean, min(values)), max(values))


def _stats(key: str, points: list[Point]) -> KeyStats:
    steps = [point.step for point in points if point.step != NO_STEP]
    last = points[-1]
    return KeyStats(
        key=key,
        count=len(points),
        nonfinite_count=sum(not math.isfinite(point.value) for point in points),
        step_min=min(steps, default=None),
        step_max=max(steps, default=None),
        last_step=None if last.step == NO_STEP else last.step,
        last_epoch=None if last.epoch == NO_STEP else last.epoch,
        last_time_us=last.time_us,
        last_value=last.value,
    )


def _ints(numbers: list[int]) -> Int64Array:
    return np.array(numbers, dtype=np.int64)


def _floats(numbers: list[float]) -> Float64Array:
    return np.array(numbers, dtype=np.float64)
