"""What a chart's points are drawn along: steps, time, epochs, or another metric.

``step``, ``elapsed`` (seconds since the run was created), ``time`` (seconds since 1970), ``epoch``,
or ``key:`` with a metric: its last value at or before the step of a point, as ``define_metric``
has it. Points without a step are placed by their time on the axis of a metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.analyzers.roles import choose_roles
from quark.clock import parse_timestamp
from quark.dashboard.views.series import Curve, curve
from quark.errors import SchemaValidationError
from quark.storage.model import NO_STEP, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.records import MetricDefinitionRecord
    from quark.storage.model import KeyStats
    from quark.storage.protocols import Store

NAMES = ("step", "elapsed", "time", "epoch")
_KEY = "key:"


def checked_axis(text: str | None) -> str:
    """Return the name of an axis; ``step`` if none is given.

    Raises:
        SchemaValidationError: There is no such axis.
    """
    axis = text or NAMES[0]
    if axis not in NAMES and not axis.startswith(_KEY):
        raise SchemaValidationError(
            f"x {axis[:80]!r} is not known; it must be one of {', '.join(NAMES)}, or 'key:' with "
            "the name of a metric."
        )
    return axis


class Axis:
    """The axis of one run's charts.

    Args:
        name: As :func:`checked_axis` returns it.
        stats: The run's keys.
    """

    def __init__(self, store: Store, run_id: str, name: str, stats: Mapping[str, KeyStats]) -> None:
        self.name = name
        self._store = store
        self._run_id = run_id
        self._stats = stats
        self._start_us: int | None = None
        self._other: Series | None = None
        self.metric = name.removeprefix(_KEY) if name.startswith(_KEY) else None
        if name == "epoch":
            self.metric = epoch_key(stats)

    def of(self, key: str) -> str:
        """Return the axis that a key is drawn along: by time if it was logged without steps."""
        stats = self._stats.get(key)
        if self.name == "step" and stats is not None and stats.step_min is None:
            return "elapsed"
        return self.name

    def places(self, series: Series, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return where steps are on this axis, as far as a series that has them tells."""
        if self.of(series.key) == "step":
            return steps.astype(np.float64)
        known = series.step != NO_STEP
        by_step = curve(series.step, np.arange(len(series), dtype=np.float64), known)
        if not len(by_step.x):
            return np.full(len(steps), np.nan)
        at = np.minimum(np.searchsorted(by_step.x, steps), len(by_step.x) - 1)
        return self._positions(series)[by_step.y[at].astype(np.int64)]

    def curve(self, series: Series) -> Curve:
        """Place a series."""
        if self.of(series.key) == "step":  # whole numbers: large ones stay what they are
            return curve(series.step, series.value, series.step != NO_STEP)
        place = self._positions(series)
        return curve(place, series.value, np.isfinite(place))

    def _positions(self, series: Series) -> NDArray[np.float64]:
        axis = self.of(series.key)
        if axis == "time":
            return series.time_us / 1e6
        if axis == "elapsed":
            return (series.time_us - self._begun_us(series)) / 1e6
        if axis == "epoch" and bool((series.epoch != NO_STEP).any()):
            return np.where(series.epoch != NO_STEP, series.epoch.astype(np.float64), np.nan)
        return self._by_metric(series)

    def _begun_us(self, series: Series) -> int:
        if self._start_us is None:
            created_at = self._store.records.get_run(self._run_id).created_at
            try:
                self._start_us = parse_timestamp(created_at)
            except ValueError:  # a run of another program need not say when it began
                return int(series.time_us.min()) if len(series) else 0
        return self._start_us

    def _by_metric(self, series: Series) -> NDArray[np.float64]:
        if self.metric is None:
            return np.full(len(series), np.nan)
        if self._other is None:
            self._other = self._store.points.series(self._run_id, self.metric)
        other = self._other
        has_step = series.step != NO_STEP
        placed = last_before(other.step, other.value, other.step != NO_STEP, series.step)
        if has_step.all():
            return placed
        timed = last_before(other.time_us, other.value, np.ones(len(other), bool), series.time_us)
        return np.where(has_step, placed, timed)


def last_before(
    when: NDArray[np.int64],
    value: NDArray[np.float64],
    known: NDArray[np.bool_],
    wanted: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return for each moment the last value at or before it, NaN where there is none.

    >>> at, value = np.array([0, 10, 10]), np.array([1.0, 2.0, 3.0])
    >>> last_before(at, value, at >= 0, np.array([-1, 0, 9, 10, 99])).tolist()
    [nan, 1.0, 1.0, 3.0, 3.0]
    """
    found = curve(when, value, known)
    place = np.searchsorted(found.x, wanted, side="right") - 1
    if not len(found.y):
        return np.full(len(wanted), np.nan)
    return np.where(place >= 0, found.y[np.maximum(place, 0)], np.nan)


def epoch_key(stats: Mapping[str, Any]) -> str | None:
    """Return the metric that counts epochs, if one does."""
    return choose_roles(list(stats)).key("epoch")


def step_metric_of(key: str, definitions: Iterable[MetricDefinitionRecord]) -> str | None:
    """Return what ``define_metric`` said that a key is to be drawn along; None if nothing.

    A definition of one key goes before one of many, a later before an earlier.
    """
    exact = glob = None
    for one in definitions:
        if one.step_metric is None:
            continue
        if one.name == key:
            exact = one.step_metric
        elif one.name.endswith("*") and key.startswith(one.name[:-1]):
            glob = one.step_metric
    found = exact or glob
    return None if found in (key, "_step") else found
