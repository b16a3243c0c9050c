"""Phases of a training: where it learns fast, settles, stands still, overfits or falls apart.

Each block of a :class:`~quark.analyzers.phase_curve.Curve` gets a name, and neighbours of one name
make a phase. Phases cover the run in the order of its steps and do not overlap. Divergence and
overfitting begin where things turned for the worse, not where that was certain.

The names and thresholds are the SDK guide's. It does not say how they are applied to noise: what
does not stand out of a curve's own noise counts as no change, and a stretch that is too short to
tell is given to its neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quark.analyzers.evidence import BoolArray, Float64Array, Int64Array
    from quark.analyzers.phase_curve import Curve
    from quark.analyzers.phase_thresholds import PhaseAnalyzerThresholds

INITIALIZATION = "initialization_adaptation"
RAPID = "rapid_learning"
STABILIZATION = "stabilization"
STAGNATION = "stagnation"
OVERFITTING = "overfitting_onset"
DIVERGENCE = "divergence"
PHASE_NAMES = (INITIALIZATION, RAPID, STABILIZATION, STAGNATION, OVERFITTING, DIVERGENCE)

#: How many standard errors a change must have to be one.
_SIGNIFICANT = 3.0
#: How many a divergence must have: it is looked for between any two blocks, so chance has many
#: tries. A loss that rises ever faster looks noisy itself, so its noise counts up to so much more.
_CERTAIN = 5.0
_NOISE_GROWTH = 3.0
#: Slow changes, and those that do not stand out of the noise, are looked for over so many windows,
#: of which the one half is compared with the other.
_WIDER = (2, 4)
#: A rise begins where the curve was last above its low by no more than this share of the rise.
_STILL_LOW = 0.1
#: Shorter ones that pass are none: a validation that recovers was a bad draw.
_SHORTEST_DIVERGENCE = 2
_OVERFITTING_PARTS = 8
_BY_RATE = (RAPID, STABILIZATION, STAGNATION)


@dataclass(frozen=True, slots=True)
class Phase:
    """Blocks ``first`` to ``last`` of a curve, and the numbers that named them.

    ``rate`` is the middle improvement in a window. The others are the most that was seen: how much
    worse than the best of a while ago and the best of all, the gap between validation and
    training, how much better the training and how much worse the validation was than at the best
    validation.
    """

    name: str
    first: int
    last: int
    rate: float = 0.0
    regression: float = 0.0
    from_best: float = 0.0
    gap: float = 0.0
    train_improvement: float = 0.0
    validation_regression: float = 0.0


def find_phases(curve: Curve, limits: PhaseAnalyzerThresholds) -> tuple[Phase, ...]:
    """Cut a curve into phases.

    >>> from quark.analyzers.evidence import MetricSeries
    >>> from quark.analyzers.phase_curve import curve_of
    >>> from quark.analyzers.phase_thresholds import PhaseAnalyzerThresholds
    >>> losses = np.array([2.3, 2.2, 1.5, 1.0, 0.95, 0.91, 0.909, 0.908])
    >>> curve = curve_of(MetricSeries(key="train/loss", step=np.arange(8), value=losses))
    >>> for phase in find_phases(curve, PhaseAnalyzerThresholds()):
    ...     print(phase.first, phase.last, phase.name)
    0 1 initialization_adaptation
    2 3 rapid_learning
    4 5 stabilization
    6 7 stagnation
    """
    known = np.flatnonzero(np.isfinite(curve.level))
    measured = _Measured(curve, known, limits)
    names = [DIVERGENCE] * len(curve)
    for place, block in enumerate(known.tolist()):
        names[block] = measured.name_of(place)
    settled = min(int(limits.initialization_points), len(curve))
    for block in range(settled):
        if np.isfinite(curve.level[block]):
            names[block] = INITIALIZATION
    _absorb(names, settled, *((0, 1) if curve.is_single else _too_short(len(curve))))
    found = []
    for first, last in _stretches(names):
        here = [n for n in range(len(known)) if first <= known[n] <= last]
        found.append(measured.phase(names[first], first, last, here))
    return tuple(found)


class _Measured:
    """What is to be said of each finite block, by its place among them."""

    def __init__(self, curve: Curve, known: Int64Array, limits: PhaseAnalyzerThresholds) -> None:
        self._limits = limits
        level, error = curve.level[known], curve.error[known]
        self.rate = _rates(curve, level, error, limits.rapid_learning_min_relative_change)
        self.regression, self.from_best = np.zeros(len(level)), np.zeros(len(level))
        self.diverging = np.zeros(len(level), bool)
        self._find_divergence(curve, level, error)
        self.gap, self.train_improvement, self.validation_regression = np.zeros((3, len(level)))
        self.overfitting = np.zeros(len(level), bool)
        if curve.validation_key is not None:
            self._find_overfitting(curve, level, curve.validation[known])

    def name_of(self, place: int) -> str:
        if self.diverging[place]:
            return DIVERGENCE
        if self.overfitting[place]:
            return OVERFITTING
        if self.rate[place] >= self._limits.rapid_learning_min_relative_change:
            return RAPID
        if self.rate[place] > self._limits.stagnation_max_relative_change:
            return STABILIZATION
        return STAGNATION

    def phase(self, name: str, first: int, last: int, here: list[int]) -> Phase:
        if not here:
            return Phase(name, first, last)
        return Phase(
            name,
            first,
            last,
            rate=float(np.median(self.rate[here])),
            regression=float(self.regression[here].max()),
            from_best=float(self.from_best[here].max()),
            gap=float(self.gap[here].max()),
            train_improvement=float(self.train_improvement[here].max()),
            validation_regression=float(self.validation_regression[here].max()),
        )

    def _find_divergence(self, curve: Curve, level: Float64Array, error: Float64Array) -> None:
        limits, best = self._limits, 0
        quarter = max(1, len(level) // 4)
        for here in range(1, len(level)):
            if level[here] < level[best]:
                best = here
            start = max(0, here - quarter)
            low = start + int(np.argmin(level[start : here + 1]))
            rise = float(level[here] - level[low])
            self.regression[here] = rise / curve.regression_scale(float(level[low]))
            above = float(level[here] - level[best])
            self.from_best[here] = above / curve.regression_scale(float(level[best]))
            is_far = above > 0 and self.from_best[here] >= limits.divergence_from_best_ratio
            noise = min(float(error[here]), _NOISE_GROWTH * float(error[low]))
            doubt = _CERTAIN * float(np.hypot(noise, error[low]))
            still_low = np.flatnonzero(level[low : here + 1] <= level[low] + _STILL_LOW * rise)
            if (
                is_far
                and self.regression[here] >= limits.divergence_min_relative_regression
                and rise >= doubt
            ):
                self.diverging[low + 1 + int(still_low[-1]) : here + 1] = True
            elif self.diverging[here - 1] and is_far:
                recovers = self.rate[here] > limits.stagnation_max_relative_change
                self.diverging[here] = not recovers
        if not curve.is_single:
            _forget_short(self.diverging, _SHORTEST_DIVERGENCE)

    def _find_overfitting(
        self, curve: Curve, level: Float64Array, validation: Float64Array
    ) -> None:
        limits, best = self._limits, -1
        for here in np.flatnonzero(np.isfinite(validation)).tolist():
            if best < 0 or validation[here] < validation[best]:
                best = here
            worse = float(validation[here] - validation[best])
            better = float(level[best] - level[here])
            scale = curve.difference_scale
            behind = float(validation[here] - level[here])
            self.gap[here] = behind / scale(float(level[here]))
            self.train_improvement[here] = better / scale(float(level[best]))
            self.validation_regression[here] = worse / scale(float(validation[best]))
            if (
                self.gap[here] >= limits.overfitting_min_gap
                and self.train_improvement[here] >= limits.overfitting_min_train_relative_change
                and self.validation_regression[here] >= limits.overfitting_min_validation_regression
                and worse >= _SIGNIFICANT * curve.validation_noise
            ):
                self.overfitting[best + 1 : here + 1] = True
        if not curve.is_single:
            _forget_short(self.overfitting, len(curve) // _OVERFITTING_PARTS)


def _rates(curve: Curve, level: Float64Array, error: Float64Array, fast: float) -> Float64Array:
    """Return the improvement in a window around each block, relative to where it begins."""
    rates = np.zeros(len(level))
    for here in range(len(level)):
        low, high = max(0, here - (curve.window + 1) // 2), here + curve.window // 2
        sides = [(low, low + 1), (min(len(level) - 1, high), min(len(level), high + 1))]
        rate = _rate(curve, level, error, sides)
        is_clear = rate is not None and (curve.is_single or abs(rate) >= fast)
        for factor in () if is_clear else _WIDER:
            half = curve.window * factor // 2
            sides = [(max(0, here - half), here), (here, min(len(level), here + half))]
            wider = _rate(curve, level, error, sides)
            if wider is not None:
                rate = wider if rate is None or wider < fast else rate
                break
        rates[here] = rate or 0.0
    return rates


def _rate(
    curve: Curve, level: Float64Array, error: Float64Array, sides: list[tuple[int, int]]
) -> float | None:
    """Compare two stretches of blocks; None if they do not differ by more than their noise."""
    (start, middle), (again, stop) = sides
    distance = (again + stop - start - middle) / 2
    if middle <= start or stop <= again or distance <= 0:
        return None
    before, after = float(level[start:middle].mean()), float(level[again:stop].mean())
    doubt = np.hypot(
        np.sqrt(np.square(error[start:middle]).sum()) / (middle - start),
        np.sqrt(np.square(error[again:stop]).sum()) / (stop - again),
    )
    if abs(before - after) < _SIGNIFICANT * float(doubt):
        return None
    return (before - after) / curve.improvement_scale(before) * curve.window / distance


def _forget_short(marks: BoolArray, shortest: int) -> None:
    """Unmark stretches of fewer blocks, but for one at the end: it may be going on."""
    for first, last in _stretches(marks.tolist()):
        if marks[first] and last - first + 1 < shortest and last + 1 < len(marks):
            marks[first : last + 1] = False


def _stretches(names: Sequence[object]) -> list[tuple[int, int]]:
    """Return first and last place of every stretch of equal names or marks."""
    found: list[tuple[int, int]] = []
    for place, name in enumerate(names):
        if place and names[place - 1] == name:
            found[-1] = (found[-1][0], place)
        else:
            found.append((place, place))
    return found


def _too_short(count: int) -> tuple[int, int]:
    """Return up to how many blocks a stretch is too short to tell, alone and between equals."""
    return min(max(1, count // 12), 3), max(2, count // 6)


def _absorb(names: list[str], settled: int, alone: int, between: int) -> None:
    """Give short stretches of learning or standing still to the longer neighbour of that sort."""
    while True:
        stretches = _stretches(names)
        candidates = []
        for place, (first, last) in enumerate(stretches):
            if names[first] not in _BY_RATE or first < settled:
                continue
            around = [
                stretches[n]
                for n in (place - 1, place + 1)
                if 0 <= n < len(stretches)
                and stretches[n][0] >= settled
                and names[stretches[n][0]] in _BY_RATE
            ]
            length = last - first + 1
            are_equal = len(around) == 2 and names[around[0][0]] == names[around[1][0]]
            if around and length <= (between if are_equal and names[first] != RAPID else alone):
                longest = max(around, key=lambda other: other[1] - other[0])
                candidates.append((length, first, last, names[longest[0]]))
        if not candidates:
            return
        _, first, last, name = min(candidates)
        names[first : last + 1] = [name] * (last - first + 1)
