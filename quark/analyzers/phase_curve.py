"""From the points of a run to a short, smooth curve that phases can be read off.

A run of any length becomes at most 48 *blocks*, each the median of the points in it, so that one
wild point does not make a phase. Everything falls here as training goes well: an accuracy is
turned into its error, 1 less the accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.shapes import block_medians, running_median, spread

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, Float64Array, Int64Array, MetricSeries

#: Up to so many points each is a block of its own, as the guide's thresholds have it.
SINGLE_POINTS = 12
MAX_BLOCKS = 48
_POINTS_PER_BLOCK = 4
#: A stretch of values that are not finite is part of the curve if it is so long, or at its end.
_NONFINITE_SHARE = 0.01
_NONFINITE_POINTS = 2
#: Losses below this share of how far they fell count as equally small.
_LOSS_FLOOR_SHARE = 0.1
_ACCURACY_FLOOR_SHARE = 0.25
_MIN_ACCURACY = 0.5
#: Fewer validations tell nothing, and one counts for so many of their usual distances.
_VALIDATIONS = 3
_STALE = 2
#: Above that an accuracy is one in percent.
_MAX_ACCURACY = 1.5
#: Of normally distributed values a median has so many times the standard error of a mean.
_MEDIAN_ERROR = 1.2533
#: The median of three neighbours has so much less.
_SMOOTHED_ERROR = 0.67
_NOISE_POINTS = 3_000
#: A middle can be told from so many points, taken evenly.
_MEDIAN_POINTS = 4_096
#: From so many points on, the first block is cut into the parts of itself named below: most is
#: learned there.
_LONG_BLOCK_POINTS = 256
_HEAD_PARTS = (0.125, 0.25, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Blocks of a training, in order. Levels fall as it goes well; NaN is not finite.

    ``error`` is the standard error of a level, 0 where it cannot be told. ``window`` is over how
    many blocks a change is measured. ``validation`` is NaN where nothing is known of it, and
    ``validation_noise`` the width of its noise.
    """

    key: str
    is_accuracy: bool
    start_step: Int64Array
    end_step: Int64Array
    start_epoch: Int64Array
    end_epoch: Int64Array
    point_count: Int64Array
    nonfinite_count: Int64Array
    level: Float64Array
    error: Float64Array
    window: int
    floor: float
    has_steps: bool = True
    validation_key: str | None = None
    validation: Float64Array
    validation_noise: float = 0.0
    whole: float = 1.0
    validation_whole: float = 1.0

    def __len__(self) -> int:
        return len(self.level)

    @property
    def is_single(self) -> bool:
        """Whether every block is a point that was logged."""
        return int(self.point_count.sum()) <= SINGLE_POINTS

    def improvement_scale(self, level: float) -> float:
        """Return what an improvement from ``level`` is relative to."""
        return max(abs(level), self.floor)

    def regression_scale(self, best: float) -> float:
        """Return what a worsening from ``best`` is relative to."""
        return max(1.0 - best, _MIN_ACCURACY) if self.is_accuracy else self.improvement_scale(best)

    def difference_scale(self, level: float) -> float:
        """Return what differences between training and validation are relative to."""
        return 1.0 if self.is_accuracy else self.improvement_scale(level)

    def shown(self, level: float) -> float:
        """Return a level as the metric has it."""
        return (1.0 - level) * self.whole if self.is_accuracy else level

    def shown_validation(self, level: float) -> float:
        """Return a level of the validation as its metric has it."""
        return (1.0 - level) * self.validation_whole if self.is_accuracy else level


def curve_of(
    main: MetricSeries, validation: MetricSeries | None = None, *, is_accuracy: bool = False
) -> Curve | None:
    """Return the curve of ``main``, with ``validation`` beside it; None without points.

    Accuracies are taken as parts of 1, or as percentages where they go above 1.5.
    """
    if not len(main):
        return None
    values = _falling(main, is_accuracy)
    finite = np.isfinite(values)
    bounds = _block_bounds(finite)
    level, nonfinite, error = _levels(values, finite, bounds, is_accuracy)
    counts = bounds[1:] - bounds[:-1]
    single = len(values) <= SINGLE_POINTS
    known = np.isfinite(level)
    if not single:
        level[known] = running_median(level[known], 3)
    epochs = main.epoch if len(main.epoch) else np.full(len(values), -1)
    kept = validation.finite() if validation is not None else None
    side, noise = _beside(main, kept, bounds, is_accuracy)
    return Curve(
        key=main.key,
        is_accuracy=is_accuracy,
        start_step=main.step[bounds[:-1]],
        end_step=main.step[bounds[1:] - 1],
        start_epoch=epochs[bounds[:-1]],
        end_epoch=epochs[bounds[1:] - 1],
        point_count=counts,
        nonfinite_count=nonfinite,
        level=level,
        error=np.zeros(len(level)) if single else error,
        window=max(1, round(len(level) / SINGLE_POINTS)),
        floor=_floor(level[known], is_accuracy),
        has_steps=main.has_steps,
        validation_key=kept.key if kept is not None and np.isfinite(side).any() else None,
        validation=side,
        validation_noise=noise,
        whole=_whole(main) if is_accuracy else 1.0,
        validation_whole=_whole(kept) if is_accuracy and kept is not None else 1.0,
    )


def block_count(point_count: int) -> int:
    """Return how many blocks so many points become.

    >>> [block_count(count) for count in (5, 12, 30, 100, 1_000_000)]
    [5, 12, 12, 25, 48]
    """
    if point_count <= SINGLE_POINTS:
        return point_count
    return min(max(SINGLE_POINTS, point_count // _POINTS_PER_BLOCK), MAX_BLOCKS)


def _falling(series: MetricSeries, is_accuracy: bool) -> Float64Array:
    return np.asarray(1.0 - series.value / _whole(series)) if is_accuracy else series.value


def _whole(series: MetricSeries) -> float:
    finite = series.value[np.isfinite(series.value)]
    return 100.0 if len(finite) and float(finite.max()) > _MAX_ACCURACY else 1.0


def _block_bounds(finite: BoolArray) -> Int64Array:
    """Return where blocks begin, and the end. Long stretches that are not finite are one each."""
    total = len(finite)
    edges = np.empty(0, np.int64)
    if not finite.all():
        edges = np.flatnonzero(np.diff(np.concatenate(([True], finite, [True])).view(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    length = stops - starts
    at_end = stops == total
    long = length >= max(_NONFINITE_POINTS, total * _NONFINITE_SHARE)
    bounds: list[int] = [0]
    stretches = zip(starts[long | at_end].tolist(), stops[long | at_end].tolist(), strict=True)
    for start, stop in [*stretches, (total, total)]:
        points = start - bounds[-1]
        if points:
            parts = max(1, round(block_count(total) * points / total))
            cuts = np.linspace(bounds[-1], start, min(parts, points) + 1).round()
            bounds += cuts.astype(np.int64)[1:].tolist()
        if stop > start:
            bounds.append(stop)
    if bounds[1] >= _LONG_BLOCK_POINTS and finite[0]:
        bounds[1:1] = [int(bounds[1] * share) for share in _HEAD_PARTS]
    return np.array(bounds, np.int64)


def _levels(
    values: Float64Array, finite: BoolArray, bounds: Int64Array, is_accuracy: bool
) -> tuple[Float64Array, Int64Array, Float64Array]:
    """Return middle, count of values that are not finite, and standard error of each block.

    The middle of accuracies is their mean: they cannot be wild, and with small batches they take
    so few values that their median is one of them.
    """
    count = len(bounds) - 1
    level, error = np.full(count, np.nan), np.zeros(count)
    nonfinite = np.zeros(count, np.int64)
    everything_finite = bool(finite.all())
    for block in range(count):
        start, stop = int(bounds[block]), int(bounds[block + 1])
        part = values[start:stop]
        if not everything_finite:
            part = part[finite[start:stop]]
            nonfinite[block] = stop - start - len(part)
        if nonfinite[block] * 2 > stop - start or not len(part):
            continue
        part = part[:: 1 + len(part) // _MEDIAN_POINTS]
        level[block] = part.mean() if is_accuracy else np.median(part)
        around = values[int(bounds[max(0, block - 1)]) : int(bounds[min(count, block + 2)])]
        around = around[:_NOISE_POINTS]
        around = around if everything_finite else around[np.isfinite(around)]
        differences = np.diff(around)
        if len(differences) > 1:
            width = np.std(differences) if is_accuracy else spread(differences) * _MEDIAN_ERROR
            error[block] = _SMOOTHED_ERROR * width / np.sqrt(2.0 * len(part))
    return level, nonfinite, error


def _floor(level: Float64Array, is_accuracy: bool) -> float:
    if not len(level):
        return 1.0
    span = float(level[0] - level.min())
    share = _ACCURACY_FLOOR_SHARE if is_accuracy else _LOSS_FLOOR_SHARE
    return max(share * span, 1e-12)


def _beside(
    main: MetricSeries, other: MetricSeries | None, bounds: Int64Array, is_accuracy: bool
) -> tuple[Float64Array, float]:
    """Return the validation's level at each block, and how noisy it is."""
    unknown = np.full(len(bounds) - 1, np.nan)
    if other is None or len(other) < _VALIDATIONS:
        return unknown, 0.0
    by_step = main.has_steps and other.has_steps
    ours, theirs = (main.step, other.step) if by_step else (main.time_us, other.time_us)
    if not len(ours) or not len(theirs) or theirs[-1] <= theirs[0]:
        return unknown, 0.0  # nothing says what was validated when
    values = _falling(other, is_accuracy)
    noise = spread(np.diff(values, 2)) / np.sqrt(6.0) if len(values) > 5 else 0.0
    if len(values) > MAX_BLOCKS:
        parts = np.array_split(np.arange(len(values)), MAX_BLOCKS)
        theirs = np.array([theirs[part[len(part) // 2]] for part in parts])
        noise *= _MEDIAN_ERROR / float(np.sqrt(len(values) / MAX_BLOCKS))
        values = block_medians(values, MAX_BLOCKS)
    if len(values) > SINGLE_POINTS:
        values, noise = running_median(values, 3), noise * _SMOOTHED_ERROR
    # A block's end: what was validated up to there is known there.
    places = ours[bounds[1:] - 1]
    found = np.asarray(np.interp(places, theirs, values, left=np.nan))
    found[places > theirs[-1] + _STALE * np.median(np.diff(theirs))] = np.nan
    return found, float(noise)
