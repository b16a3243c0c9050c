"""Whether validation has turned: it was at its best, and has got worse for good since.

A curve that wavers has a lowest point as well. A turn is real if it is large beside the lowest
value and beside all that was gained, if it stands out of the curve's own noise or rises steadily
through it (Mann, "Nonparametric tests against trend", 1945), and if it lasts to the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.shapes import noise
from quark.analyzers.side_by_side import end_level, smoothed

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array
    from quark.analyzers.limits.generalization import GeneralizationLimits

#: With fewer points after the turn there is no noise to speak of, and each must be a rise.
FEW_POINTS = 6
#: With as many a steady rise shows through noise.
_MANY = 10
#: The last share of what follows the turn has to stay above it.
_LASTING_SHARE = 0.2
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where a falling curve was lowest, and how far it has risen since."""

    place: int
    lowest: float
    now: float
    least_rise: float  # what counts as a rise


def find_turn(
    values: Float64Array,
    began: float,
    limits: GeneralizationLimits,
    *,
    min_points: int,
    least_rise: float | None = None,
) -> Turn | None:
    """Return the turn of a curve that should fall; None if it has none.

    Args:
        values: The curve.
        began: Where it was before anything was learned, if that is higher than its first value.
        limits: What counts as a rise.
        min_points: Points from the lowest one to the last that it takes.
        least_rise: What is large beside the lowest value, if not a ratio of it.

    >>> from quark.analyzers.limits.generalization import GeneralizationLimits
    >>> curve = np.array([2.0, 1.0, 0.8, 0.9, 1.3])
    >>> turn = find_turn(curve, 2.0, GeneralizationLimits(), min_points=3)
    >>> turn.place, turn.now, round(turn.least_rise, 2)
    (2, 1.3, 0.12)
    """
    low = smoothed(values)
    place = int(np.argmin(low))
    lowest, now = float(low[place]), end_level(values)
    after = values[place + 1 :]
    needed = max(1, min_points - 1)
    if len(after) < needed:
        return None
    least = max(
        limits.overfitting_rise_ratio * abs(lowest) if least_rise is None else least_rise,
        limits.overfitting_regress_share * (max(began, float(values[0])) - lowest),
        _TINY,
    )
    if not now - lowest >= least:
        return None
    # A short tail tells little of its noise, and the half before it is as noisy.
    recent = values[-max(len(after), len(values) // 2) :]
    width = limits.overfitting_noise_multiple * (noise(recent) if len(recent) >= FEW_POINTS else 0)
    is_steady = len(after) >= _MANY and _trend(after) >= limits.overfitting_noise_multiple
    if now - lowest < width and not is_steady:
        return None
    if len(after) < FEW_POINTS:
        lasts = bool((np.diff(values[-needed - 1 :]) > 0).all())
    else:
        count = max(needed, round(len(after) * _LASTING_SHARE))
        lasts = bool((after[-count:] > lowest + least / 2).all())
    return Turn(place=place, lowest=lowest, now=now, least_rise=least) if lasts else None


def _trend(values: Float64Array) -> float:
    """Return how many standard deviations the pairs that rise are ahead of those that fall."""
    count = len(values)
    pairs = np.triu(np.sign(values[None, :] - values[:, None]), 1).sum()
    return float(pairs) / float(np.sqrt(count * (count - 1) * (2 * count + 5) / 18.0))
