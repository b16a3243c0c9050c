"""Series for charts: many keys of many runs in one answer, cut to the pixels that show them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.axes import Axis, checked_axis
from quark.dashboard.views.drawn import KEPT, Kept
from quark.dashboard.views.series import Curve, cut_curve, of_buckets, within
from quark.errors import SchemaValidationError
from quark.storage.model import EVERYTHING, KeyStats, StepRange

_MAX_SERIES = 400
#: Points that are read in one pass; keys that have more are read one by one.
_READ_AT_ONCE = 500_000
_LARGE = 50_000


def charts(place: Place, asked: Asked) -> dict[str, Any]:
    """Return series, at most ``buckets`` points each.

    Asked: ``run`` and ``key`` (each several times), ``buckets``, ``x`` (an axis, see
    :mod:`quark.dashboard.views.axes`), ``from`` and ``to`` (places on it; a neighbour on each side
    comes with them), ``thin`` (1: without columns that say nothing).

    A series that fits is given as it is. ``axis`` names what it is drawn along: a key without
    steps by time, though ``x`` is ``step``. ``bad`` are places of values that are no finite
    numbers: where, how many, and what, if that is known.
    """
    runs, keys = asked.all("run"), asked.all("key")
    if len(runs) * len(keys) > _MAX_SERIES:
        raise SchemaValidationError(
            f"{len(runs)} runs x {len(keys)} keys are more than {_MAX_SERIES} series; ask for "
            "fewer at once."
        )
    axis = checked_axis(asked.text("x"))
    count = asked.integer("buckets", 500, 1, 4000)
    low, high = asked.number("from"), asked.number("to")
    thin = asked.choice("thin", ("0", "1")) == "1"
    found = []
    for run in runs:
        reader = _Reader(place, run, axis)
        by_key = dict(reader.read(keys, count, low, high, thin))
        found += [{"run": run, "key": key, **by_key[key]} for key in keys]
    return {"series": found}


class _Reader:
    """Reads series of one run along one axis."""

    def __init__(self, place: Place, run: str, axis: str) -> None:
        self._place = place
        self._run = run
        self._stats: Mapping[str, KeyStats] = place.store.points.keys(run)
        self._axis = Axis(place.store, run, axis, self._stats)

    def read(
        self, keys: Sequence[str], count: int, low: float | None, high: float | None, thin: bool
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each key's series, in any order."""
        small: list[str] = []
        for key in dict.fromkeys(keys):
            axis = self._axis.of(key)
            points = self._stats[key].count if key in self._stats else 0
            if points > count and axis == "step":
                yield key, {"axis": axis, **self._stored(key, count, low, high)}
            elif points > _LARGE:
                yield key, {"axis": axis, **self._cut(self._large(key), count, low, high, thin)}
            else:
                small.append(key)
        for group in self._groups(small):
            for key, series in self._place.store.points.many_series(self._run, group).items():
                axis = self._axis.of(key)
                if axis == self._axis.name:
                    cut = self._cut(self._axis.curve(series), count, low, high, thin)
                else:  # what was zoomed into is a range of another axis
                    cut = cut_curve(self._axis.curve(series), count, thin=thin)
                yield key, {"axis": axis, **cut}

    def _stored(
        self, key: str, count: int, low: float | None, high: float | None
    ) -> dict[str, Any]:
        steps = EVERYTHING
        if low is not None or high is not None:
            room = 0.0 if low is None or high is None else max(0.0, high - low) / count
            steps = StepRange(
                step_min=None if low is None else _step(math.floor(low - room)),
                step_max=None if high is None else _step(math.ceil(high + room)),
            )
        return of_buckets(self._place.store.points.buckets(self._run, key, count, steps))

    def _large(self, key: str) -> Curve:
        """Return a long series; it is kept for a while, since who zooms asks again and again."""
        stats = self._stats[key]
        what = Kept(
            f"{self._place.workspace}/{self._place.storage_dir}/{self._place.store.target}",
            self._run,
            key,
            self._axis.name,
            stats.count,
            stats.last_time_us,
            self._moved(),
        )
        return KEPT.get(
            what, lambda: self._axis.curve(self._place.store.points.series(self._run, key))
        )

    def _moved(self) -> int:
        """Return a number that changes when the axis itself does."""
        metric = self._axis.metric
        return self._stats[metric].count if metric is not None and metric in self._stats else 0

    def _groups(self, keys: Sequence[str]) -> Iterator[list[str]]:
        group: list[str] = []
        size = 0
        for key in keys:
            size += self._stats[key].count if key in self._stats else 0
            if group and size > _READ_AT_ONCE:
                yield group
                group, size = [], self._stats[key].count
            group.append(key)
        if group:
            yield group

    @staticmethod
    def _cut(
        found: Curve, count: int, low: float | None, high: float | None, thin: bool
    ) -> dict[str, Any]:
        return cut_curve(within(found, low, high), count, thin=thin)


def _step(number: int) -> int:
    return max(-(2**63) + 1, min(2**63 - 1, number))
