"""Statistics of losses and lengths that do not depend on the order of the batches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quark.writers.batch_results import DistributionSummary

Numbers = NDArray[np.float64]

_QUANTILES = (5, 25, 75, 90, 95, 99)
#: Numbers that differ by less than this share of their size count as equal: it is rounding noise.
_NOISE = 1e-9


class Spread(NamedTuple):
    """What outlier rules compare with. All None if the numbers are (almost) equal."""

    mean: float | None = None
    std: float | None = None
    fence: float | None = None
    percentile: float | None = None


def summary_of(values: Numbers) -> DistributionSummary:
    """Summarise numbers, shape ``(n,)``, of which some may not be finite."""
    finite = np.sort(values[np.isfinite(values)])
    non_finite_count = len(values) - len(finite)
    if not len(finite):
        return DistributionSummary(count=0, non_finite_count=non_finite_count, quantiles={})
    with np.errstate(over="ignore", invalid="ignore"):
        *quantiles, median = np.percentile(finite, (*_QUANTILES, 50)).tolist()
        return DistributionSummary(
            count=len(finite),
            non_finite_count=non_finite_count,
            mean=float(finite.mean()),
            std=float(finite.std()),
            min=float(finite[0]),
            max=float(finite[-1]),
            median=median,
            quantiles={
                f"p{name:02d}": value for name, value in zip(_QUANTILES, quantiles, strict=True)
            },
        )


def spread_of(values: Numbers, *, iqr_multiplier: float, percentile: float) -> Spread:
    """Return the thresholds for finite numbers, shape ``(n,)``; ``percentile`` is from 0 to 1.

    Source: the fence is Tukey's, "Exploratory Data Analysis", 1977: third quartile plus a multiple
    (his was 1.5) of the interquartile range.
    """
    ordered = np.sort(values)
    with np.errstate(over="ignore", invalid="ignore"):
        if not len(ordered) or ordered[-1] - ordered[0] <= _NOISE * np.abs(ordered).max():
            return Spread()
        first, third, high = np.percentile(ordered, (25, 75, 100 * percentile)).tolist()
        return Spread(
            mean=float(ordered.mean()),
            std=float(ordered.std()),
            fence=third + iqr_multiplier * (third - first),
            percentile=high,
        )
