"""Training and validation side by side: what each was at the same moments of the run.

Training is logged every step and validation once in a while, so a validation point is set beside
the mean of the training points since the one before it. Long series become means of blocks: rules
ask where a curve goes, and that needs no more than :data:`MAX_POINTS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.roles import comparable_keys
from quark.analyzers.shapes import running_median

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, Int64Array, MetricSeries, RunEvidence

    _Axis = Int64Array | Float64Array

#: Points of a curve; longer ones are made shorter.
MAX_POINTS = 200

#: Validation whose last step is below this share of training's counts something else (epochs).
_OTHER_AXIS_RATIO = 0.1
#: What is larger has diverged past all comparing, and its sums would overflow.
_LARGEST = 1e150
#: What is smaller is zero, as far as factors go.
SMALLEST = 1e-100
#: An accuracy above it is in percent.
_HIGHEST_RATIO = 1.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One metric, finite, at most :data:`MAX_POINTS` long. ``point_count`` is what was logged."""

    key: str
    step: Int64Array
    value: Float64Array
    point_count: int

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SideBySide:
    """Training and validation at validation's points.

    ``train_start`` is where training began; without ``knows_start`` no more than the mean of the
    epoch before the first evaluation. ``is_comparable`` is False where the two measure different
    things, such as a training loss and a validation error.
    """

    train_key: str
    val_key: str
    step: Int64Array
    train: Float64Array
    val: Float64Array
    train_start: float
    knows_start: bool = True
    is_comparable: bool = True

    def __len__(self) -> int:
        return len(self.val)


def curve(series: MetricSeries | None) -> Curve | None:
    """Return a metric as a curve; None if it has no finite point."""
    if series is None or not len(finite := _usable(series)):
        return None
    count = len(finite)
    starts = _block_starts(count)
    return Curve(
        key=series.key,
        step=finite.step[np.append(starts[1:], count) - 1],
        value=_block_means(finite.value, starts),
        point_count=count,
    )


def accuracy_curve(series: MetricSeries | None) -> Curve | None:
    """Return an accuracy as a curve from 0 to 1; percentages are made so."""
    found = curve(series)
    if found is None or series is None:
        return None
    scale = _accuracy_scale(found.value)
    return found if scale == 1.0 else _scaled(found, scale)


def losses_side_by_side(evidence: RunEvidence) -> SideBySide | None:
    """Return training and validation loss; None where one of them is missing."""
    return _side_by_side(evidence, "train_loss", "val_loss")


def accuracies_side_by_side(evidence: RunEvidence) -> SideBySide | None:
    """Return training and validation accuracy from 0 to 1; None where one of them is missing."""
    found = _side_by_side(evidence, "train_accuracy", "val_accuracy")
    if found is None:
        return None
    scale = _accuracy_scale(np.concatenate((found.train, found.val)))
    if scale == 1.0:
        return found
    return SideBySide(
        train_key=found.train_key,
        val_key=found.val_key,
        step=found.step,
        train=found.train * scale,
        val=found.val * scale,
        train_start=found.train_start * scale,
        knows_start=found.knows_start,
        is_comparable=found.is_comparable,
    )


def smoothed(values: Float64Array) -> Float64Array:
    """Return a curve without its lone wild points; short curves stay as they are."""
    count = len(values)
    width = 1 if count < 7 else 3 if count < 25 else 5 if count < 100 else 9
    return running_median(values, width)


def end_level(values: Float64Array) -> float:
    """Return where a curve ends: the median of its last tenth, of a short one the last value."""
    count = len(values)
    return float(np.median(values[-(1 if count < 6 else max(3, count // 10)) :]))


def last_part(values: Float64Array, share: float) -> Float64Array:
    """Return the last ``share`` of a curve, one point at least."""
    return values[-max(1, round(len(values) * share)) :]


def _side_by_side(evidence: RunEvidence, train_role: str, val_role: str) -> SideBySide | None:
    pairs = [(*pair, True) for pair in comparable_keys(evidence.roles, train_role, val_role)]
    train_key, val_key = evidence.roles.key(train_role), evidence.roles.key(val_role)
    if not pairs and train_key is not None and val_key is not None:
        pairs = [(train_key, val_key, False)]
    for train_key, val_key, is_comparable in pairs:
        train, val = evidence.metrics.get(train_key), evidence.metrics.get(val_key)
        if train is None or val is None:
            continue
        train, val = _usable(train), _usable(val)
        if len(train) and len(val):
            return _beside(train, val, is_comparable)
    return None


def _beside(train: MetricSeries, val: MetricSeries, is_comparable: bool) -> SideBySide:
    train_at, val_at = _one_axis(train, val)
    starts = _block_starts(len(val))
    lasts = np.append(starts[1:], len(val)) - 1
    ends = np.searchsorted(train_at, val_at[lasts], side="right")
    first_width = int(ends[1] - ends[0]) if len(ends) > 1 else int(ends[0])
    begin = max(0, int(ends[0]) - max(1, first_width))
    # Where nothing was logged in between, the point that came next stands for the window.
    edges = np.minimum(np.concatenate(([begin], ends[:-1])), len(train) - 1)
    upto = max(int(ends[-1]), int(edges[-1]) + 1)
    sums = np.add.reduceat(train.value[:upto], edges)
    widths = np.maximum(np.diff(np.append(edges, upto)), 1)
    early = max(1, min(10, len(train) // 50))
    return SideBySide(
        train_key=train.key,
        val_key=val.key,
        step=val.step[lasts],
        train=sums / widths,
        val=_block_means(val.value, starts),
        train_start=float(np.median(train.value[:early])),
        knows_start=bool(np.searchsorted(train_at, val_at[0], side="right") > 1),
        is_comparable=is_comparable,
    )


def _one_axis(train: MetricSeries, val: MetricSeries) -> tuple[_Axis, _Axis]:
    """Return where the points of both lie on one axis: steps, else times, else shares of the run.

    Validation is often counted in epochs, or logged without a step.
    """
    last_train, last_val = int(train.step[-1]), int(val.step[-1])
    same_steps = train.has_steps == val.has_steps and last_val >= _OTHER_AXIS_RATIO * last_train
    if same_steps and (train.has_steps or len(train) == len(val)):
        return train.step, val.step
    if len(train.time_us) and len(val.time_us) and val.time_us[-1] > train.time_us[0]:
        train_at, val_at = (np.maximum.accumulate(one.time_us) for one in (train, val))
        if val_at[0] < train_at[-1]:
            return train_at, val_at
    return np.arange(1.0, len(train) + 1) / len(train), np.arange(1.0, len(val) + 1) / len(val)


def _usable(series: MetricSeries) -> MetricSeries:
    keep = np.abs(series.value) < _LARGEST
    return series if keep.all() else series.where(keep)


def _block_starts(count: int) -> Int64Array:
    blocks = min(count, MAX_POINTS)
    return np.asarray(np.arange(blocks) * count // blocks, np.int64)


def _block_means(values: Float64Array, starts: Int64Array) -> Float64Array:
    if len(starts) == len(values):
        return values
    widths = np.diff(np.append(starts, len(values)))
    return np.asarray(np.add.reduceat(values, starts) / widths)


def _accuracy_scale(values: Float64Array) -> float:
    return 0.01 if float(values.max(initial=0.0)) > _HIGHEST_RATIO else 1.0


def _scaled(found: Curve, scale: float) -> Curve:
    return Curve(
        key=found.key,
        step=found.step,
        value=found.value * scale,
        point_count=found.point_count,
    )
