"""How long the steps of a run took: one way to get that from whatever was measured.

Times are *measured* where a metric, a telemetry record or the watched training loop says them, and
*inferred* where only the moments are known at which the training loss was logged. Inferred times
have everything in them that happens between two rows, so evaluations are taken out of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quark.analyzers.evidence import (
        BoolArray,
        Float64Array,
        Int64Array,
        MetricSeries,
        RunEvidence,
        Table,
    )

#: Rows that come faster are logged in bunches, not as training goes: a step takes longer.
MIN_ROW_MS = 0.2
#: A median of so many of the values is as good as that of all, and sooner there.
_SAMPLE = 20_000
#: What is logged once a step and can stand for it, the best first.
_ROW_ROLES = ("train_loss", "train_accuracy", "train_score", "gradient_norm", "learning_rate")
_VALIDATION_ROLES = ("val_loss", "val_accuracy", "val_score")


#: What a loader prefetches comes in bursts of fewer steps.
STEPS_IN_BLOCK = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepTimes:
    """Times of steps, or means over the ``step_count`` steps that end at ``step``.

    ``pause_ms`` is what an entry has taken beyond its steps' usual time, 0 or more, without
    evaluations; ``data_ms`` is a step's wait for data, NaN where that is not known.
    """

    source: str  # "metric", "telemetry", "loop" or "rows"
    name: str  # where the times come from, in words
    step: Int64Array
    step_ms: Float64Array
    data_ms: Float64Array
    pause_ms: Float64Array
    step_count: Int64Array
    usual_ms: float  # the median of ``step_ms``

    def __len__(self) -> int:
        return len(self.step)


def measured_times(evidence: RunEvidence) -> StepTimes | None:
    """Return what metrics say of step times, else what telemetry does; None if neither does."""
    return _of_metrics(evidence) or _of_telemetry(evidence.telemetry)


def loop_times(loop: Table, rank: int | None = None) -> StepTimes | None:
    """Return what the watched training loop tells, stretch by stretch; None if it tells nothing.

    Stretches with evaluations, rollouts or steps of another model's optimizer are left out: there
    the time between two steps is no wait for data.

    Args:
        loop: The run's :class:`~quark.records.TrainingLoopRecord`, as a table.
        rank: Of this rank; by default of the lowest that is there.
    """
    steps = loop.number("optimizer_step_count")
    inside, waited = loop.number("step_seconds"), loop.number("data_seconds")
    waited = np.where(np.isnan(waited) & (steps == 1), 0.0, waited)  # none before the first step
    keep = (steps > 0) & np.isfinite(inside) & np.isfinite(waited)
    for other in ("no_grad_forward_count", "foreign_step_count"):
        keep &= ~(loop.number(other) > 0)
    if not keep.any():
        return None
    keep &= loop.rank == (int(loop.rank[keep].min()) if rank is None else rank)
    if not keep.any():
        return None
    counts = steps[keep].astype(np.int64)
    data_ms = 1e3 * waited[keep] / counts
    total_ms = 1e3 * inside[keep] / counts + data_ms
    return _made("loop", "the watched training loop", loop.step[keep], total_ms, data_ms, counts)


def row_times(evidence: RunEvidence) -> StepTimes | None:
    """Return the times between rows of the metric that is logged once a step.

    None where that is not known, or where rows come faster than any training makes them.
    """
    series = _row_series(evidence)
    return None if series is None else times_between(series, evidence)


def times_between(series: MetricSeries, evidence: RunEvidence) -> StepTimes | None:
    """Return the times between the points of ``series``, one of the run's metrics."""
    if len(series.time_us) < 3:
        return None
    start, end = series.time_us[:-1], series.time_us[1:]
    counts = np.diff(series.step)
    keep = end >= start
    for resumed_us in evidence.run.resume_times_us:
        keep &= ~((start < resumed_us) & (resumed_us <= end))
    span_ms = (end - start) / 1e3
    if not keep.all():
        start, end, counts, span_ms = start[keep], end[keep], counts[keep], span_ms[keep]
    if not len(counts):
        return None
    step_ms = span_ms / counts
    usual_ms = sampled_median(step_ms)
    if usual_ms < MIN_ROW_MS:
        return None
    steps = series.step[1:] if len(counts) == len(series) - 1 else series.step[1:][keep]
    evaluated_ms = _evaluation_ms(evidence, start, end)
    pause_ms = np.maximum(span_ms - evaluated_ms - usual_ms * counts, 0.0)
    if (evidence.loop.number("no_grad_burst_count") > 0).any():
        pause_ms[_holds_evaluation(evidence.loop, steps, evaluated_ms > 0)] = 0.0
    return StepTimes(
        source="rows",
        name=f"the times at which {series.key} was logged",
        step=steps,
        step_ms=step_ms,
        data_ms=np.broadcast_to(np.float64(np.nan), len(step_ms)),
        pause_ms=pause_ms,
        step_count=counts,
        usual_ms=usual_ms,
    )


def last_row_us(evidence: RunEvidence) -> int | None:
    """Return when a metric that plays a role was logged last, in microseconds since 1970.

    Samples of the machine do not count: they go on when training hangs.
    """
    keys = {key for role in (*_ROW_ROLES, *_VALIDATION_ROLES) for key in evidence.roles.all(role)}
    found = [evidence.metrics[key] for key in keys if key in evidence.metrics]
    return max((int(one.time_us[-1]) for one in found if len(one.time_us)), default=None)


def sampled_median(values: Float64Array) -> float:
    """Return the median; of many values that of evenly spaced ones.

    >>> sampled_median(np.array([3.0, 1.0, 2.0]))
    2.0
    """
    return float(np.median(values[:: max(1, len(values) // _SAMPLE)]))


def steady_share(
    part: Float64Array, whole: Float64Array, values_in_block: int = STEPS_IN_BLOCK
) -> float:
    """Return the share of ``part`` in ``whole`` that is usual over the run.

    It is the median of the shares of at most 20 stretches, each of ``values_in_block`` values or
    more: within one, what comes in bursts (a loader that prefetches) is added up; one odd stretch
    changes nothing.

    >>> steady_share(np.array([0.0, 0.0, 0.0, 8.0]), np.array([2.0, 2.0, 2.0, 10.0]))
    0.5
    >>> steady_share(np.array([0.0, 0.0, 0.0, 8.0]), np.array([2.0, 2.0, 2.0, 10.0]), 1)
    0.0
    """
    most = 20 if values_in_block > 1 else len(whole)
    count = max(1, min(most, len(whole) // values_in_block))
    starts = np.linspace(0, len(whole), count, endpoint=False).astype(np.int64)
    sums = np.add.reduceat(whole, starts)
    shares = np.add.reduceat(part, starts) / np.where(sums > 0, sums, np.inf)
    return float(np.median(shares))


def _of_metrics(evidence: RunEvidence) -> StepTimes | None:
    steps, data, compute = (
        _usable(evidence.role(role)) for role in ("step_time_ms", "data_time_ms", "compute_time_ms")
    )
    if steps is None:
        if data is None or compute is None:
            return None
        common, left, right = np.intersect1d(
            data.step, compute.step, assume_unique=True, return_indices=True
        )
        if not len(common):
            return None
        total_ms, data_ms = data.value[left] + compute.value[right], data.value[left]
        name = f"{data.key} and {compute.key}"
        return _made("metric", name, common, total_ms, data_ms, np.ones(len(common), np.int64))
    total_ms = steps.value
    data_ms = _at(steps.step, data)
    if data is not None and compute is not None:
        # Some time the step alone and the wait before it apart.
        total_ms = np.fmax(total_ms, data_ms + _at(steps.step, compute))
    counts = np.ones(len(total_ms), np.int64)
    return _made("metric", steps.key, steps.step, total_ms, data_ms, counts)


def _of_telemetry(telemetry: Table) -> StepTimes | None:
    total_ms, data_ms = telemetry.number("step_time_ms"), telemetry.number("data_time_ms")
    both = data_ms + telemetry.number("compute_time_ms")
    total_ms = np.where(np.isfinite(total_ms), np.fmax(total_ms, both), both)
    keep = np.isfinite(total_ms) & (telemetry.step >= 0)
    if len(telemetry.rank) and keep.any():
        keep &= telemetry.rank == telemetry.rank[keep].min()
    if not keep.any():
        return None
    counts = np.ones(int(keep.sum()), np.int64)
    return _made(
        "telemetry", "telemetry", telemetry.step[keep], total_ms[keep], data_ms[keep], counts
    )


def _made(
    source: str,
    name: str,
    step: Int64Array,
    step_ms: Float64Array,
    data_ms: Float64Array,
    counts: Int64Array,
) -> StepTimes:
    usual_ms = sampled_median(step_ms)
    return StepTimes(
        source=source,
        name=name,
        step=step,
        step_ms=step_ms,
        data_ms=data_ms,
        pause_ms=np.maximum(step_ms - usual_ms, 0.0) * counts,
        step_count=counts,
        usual_ms=usual_ms,
    )


def _usable(series: MetricSeries | None) -> MetricSeries | None:
    """Return the points that can be durations."""
    if series is None:
        return None
    keep: BoolArray = np.isfinite(series.value) & (series.value >= 0)
    found = series if keep.all() else series.where(keep)
    return found if len(found) else None


def _at(steps: Int64Array, series: MetricSeries | None) -> Float64Array:
    """Return the values of ``series`` at ``steps``; NaN where it has none."""
    if series is not None and np.array_equal(series.step, steps):
        return series.value
    values = np.full(len(steps), np.nan)
    if series is not None:
        place = np.minimum(np.searchsorted(series.step, steps), len(series) - 1)
        there = series.step[place] == steps
        values[there] = series.value[place[there]]
    return values


def _row_series(evidence: RunEvidence) -> MetricSeries | None:
    for role in _ROW_ROLES:
        series = evidence.role(role)
        if series is not None and series.has_steps and len(series.time_us) >= 3:
            return series
    return None


def _evaluation_ms(evidence: RunEvidence, start: Int64Array, end: Int64Array) -> Float64Array:
    """Return how much of each stretch lies before the last validation that was logged in it."""
    spent = np.zeros(len(start))
    for key in {key for role in _VALIDATION_ROLES for key in evidence.roles.all(role)}:
        series = evidence.metrics.get(key)
        if series is None or not len(series.time_us):
            continue
        place = np.minimum(np.searchsorted(end, series.time_us), len(end) - 1)
        before = series.time_us > start[place]
        before &= series.time_us <= end[place]
        place, times = place[before], series.time_us[before]
        np.maximum.at(spent, place, (times - start[place]) / 1e3)
    return spent


def _holds_evaluation(loop: Table, steps: Int64Array, logged: BoolArray) -> BoolArray:
    """Mark the steps in stretches of the watched loop that have forward passes without gradients,
    an evaluation or a rollout. Where it was logged it is known exactly, and nothing is marked."""
    evaluated = loop.number("no_grad_burst_count") > 0
    order = np.argsort(loop.step, kind="stable")
    ends, evaluated = loop.step[order], evaluated[order]
    place = np.searchsorted(ends, steps, side="left")
    known = place < len(ends)
    marked = np.zeros(len(steps), bool)
    told = np.zeros(len(ends) + 1, bool)
    told[place[logged]] = True
    marked[known] = (evaluated & ~told[:-1])[place[known]]
    return marked
