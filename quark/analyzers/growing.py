"""Growing columns of metrics, telemetry and other records."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.analyzers.evidence import MetricSeries, Table
from quark.analyzers.tracks import last_of_each
from quark.storage.batch import NO_STEP

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, Int64Array

_Part = tuple["Int64Array", "Int64Array", "Int64Array", "Float64Array"]


class GrowingSeries:
    """The points of one metric and one rank, part by part.

    Above ``limit`` points every second of the finite ones is dropped, and so on as it grows.
    """

    __slots__ = ("_count", "_limit", "_parts", "key")

    def __init__(self, key: str, limit: int) -> None:
        self.key = key
        self._limit = limit
        self._count = 0
        self._parts: list[_Part] = []

    def add(
        self, step: Int64Array, epoch: Int64Array, time_us: Int64Array, value: Float64Array
    ) -> None:
        """Take points in order of arrival."""
        self._parts.append((step, epoch, time_us, value))
        self._count += len(value)
        while self._count > self._limit and self._thin_out():
            pass

    def series(self) -> MetricSeries:
        """Return the points by step, of equal steps the last to come."""
        step, epoch, time_us, value = self._joined()
        has_steps = bool((step != NO_STEP).any())
        if has_steps:
            keep = np.flatnonzero(step != NO_STEP)
            order = keep[last_of_each(step[keep])]
        else:
            step, order = np.arange(len(value)), np.arange(len(value))
        return MetricSeries(
            key=self.key,
            step=step[order],
            value=value[order],
            epoch=epoch[order],
            time_us=time_us[order],
            has_steps=has_steps,
        )

    def _thin_out(self) -> bool:
        """Drop every second of the finite points; False if that leaves as many."""
        whole = self._joined()
        keep = ~np.isfinite(whole[3])
        keep[::2] = True
        before, self._count = self._count, int(np.count_nonzero(keep))
        self._parts = [(whole[0][keep], whole[1][keep], whole[2][keep], whole[3][keep])]
        return self._count < before

    def _joined(self) -> _Part:
        if len(self._parts) > 1:
            columns = zip(*self._parts, strict=True)
            step, epoch, time_us, value = (np.concatenate(column) for column in columns)
            self._parts = [(step, epoch, time_us, value)]
        return self._parts[0]


class GrowingTable:
    """Records of one kind. ``limit`` bounds how many are kept: the first half of it and the latest.

    ``numbers`` are the columns to keep as floats, ``objects`` those to keep as they are.
    """

    def __init__(self, numbers: Iterable[str], objects: Iterable[str], limit: int) -> None:
        self._steps, self._times, self._ranks = array("q"), array("q"), array("q")
        self._numbers = {name: array("d") for name in numbers}
        self._objects: dict[str, list[Any]] = {name: [] for name in objects}
        self._limit = limit

    def add(self, step: int | None, time_us: int, rank: int, body: Mapping[str, Any]) -> None:
        """Take one record."""
        self._steps.append(-1 if step is None else step)
        self._times.append(time_us)
        self._ranks.append(rank)
        for name, column in self._numbers.items():
            value = body.get(name)
            column.append(float("nan") if value is None else float(value))
        for name, kept in self._objects.items():
            kept.append(body.get(name))
        if len(self._steps) > self._limit:
            self._drop_middle()

    def table(self) -> Table:
        """Return the columns as they are now."""
        return Table(
            step=np.array(self._steps, np.int64),
            time_us=np.array(self._times, np.int64),
            rank=np.array(self._ranks, np.int64),
            numbers={name: np.array(kept, np.float64) for name, kept in self._numbers.items()},
            objects={name: tuple(kept) for name, kept in self._objects.items()},
        )

    def _drop_middle(self) -> None:
        start, stop = self._limit // 2, self._limit // 2 + self._limit // 4
        columns: list[Any] = [self._steps, self._times, self._ranks]
        columns += [*self._numbers.values(), *self._objects.values()]
        for column in columns:
            del column[start:stop]
