"""Shapes of series, told robustly: what the middle does, how wide the noise is, where it goes.

One wild point must not change what a rule sees, so middles are medians and widths are median
absolute deviations. All of these take finite values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, Float64Array

#: Of normally distributed values the standard deviation is so many median absolute deviations.
SIGMA_PER_DEVIATION = 1.4826


def spread(values: Float64Array) -> float:
    """Return the width of ``values`` as a standard deviation, from their absolute deviations from
    the median; 0 for none.

    >>> round(spread(np.array([1.0, 2.0, 3.0, 4.0, 1000.0])), 4)
    1.4826
    """
    if not len(values):
        return 0.0
    return float(np.median(np.abs(values - np.median(values)))) * SIGMA_PER_DEVIATION


def noise(values: Float64Array) -> float:
    """Return the width of the noise around a trend, from the differences of neighbours.

    >>> noise(np.arange(10.0))
    0.0
    """
    if len(values) < 3:
        return 0.0
    return spread(np.diff(values)) / float(np.sqrt(2.0))


def running_median(values: Float64Array, width: int) -> Float64Array:
    """Return the median of the ``width`` values around each; fewer at the ends.

    >>> running_median(np.array([1.0, 9.0, 2.0, 3.0, 4.0]), 3).tolist()
    [5.0, 2.0, 3.0, 3.0, 3.5]
    """
    if width <= 1 or len(values) < 2:
        return values
    half = width // 2
    padded = np.pad(values, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    return np.asarray(np.nanmedian(windows, axis=1))


def block_medians(values: Float64Array, count: int) -> Float64Array:
    """Return the medians of at most ``count`` parts of equal length, in order.

    >>> block_medians(np.array([1.0, 1.0, 5.0, 7.0, 7.0, 7.0]), 3).tolist()
    [1.0, 6.0, 7.0]
    """
    parts = np.array_split(values, max(1, min(count, len(values))))
    return np.array([float(np.median(part)) for part in parts if len(part)])


def longest_run(marks: BoolArray | Float64Array) -> tuple[int, int]:
    """Return start and length of the longest stretch of true values; (0, 0) if there is none.

    >>> longest_run(np.array([False, True, True, False, True]))
    (1, 2)
    """
    flags = np.concatenate(([0], np.asarray(marks, bool).astype(np.int8), [0]))
    starts, ends = np.flatnonzero(np.diff(flags) == 1), np.flatnonzero(np.diff(flags) == -1)
    if not len(starts):
        return 0, 0
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best] - starts[best])
