"""Numbers out of arrays that were copied from a device: statistics and histograms.

This is background work, beside the training: no BLAS and no torch in here, because both would start
threads of their own and take the cores from the training's. What is not finite is counted and left
out of everything else.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quark.hooks.statistics import Statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Where the squared mean is this much larger than the variance, their difference has lost digits.
_CANCELLATION = 1e6
#: Up to here float32 finds the bin, except next to an edge, where float64 is asked.
_FLOAT32_BINS = 1024
#: How many elements are worked on at once: intermediate results then stay in the cache, and in
#: memory that is there already.
_BLOCK = 16_384
#: Spans between which nothing over- or underflows on the way to a bin.
_SPANS = {"f": (1e-30, 1e38), "d": (1e-290, 1e307)}


class Histogram(NamedTuple):
    """Counts between edges. Bins hold their lower edge, the last one its upper edge as well.

    ``edges`` has one element more than ``counts``; both are empty where nothing is finite.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    nonfinite_count: int


def statistics_of(values: NDArray[Any], near_zero: float | None = None) -> Statistics:
    """Measure an array as :class:`~quark.hooks.statistics.StatisticsBoard` measures a tensor.

    Args:
        values: One dimension, float32 or float64, not empty.
        near_zero: Elements whose absolute value is at most this are near zero; None: not counted.

    >>> statistics_of(np.array([3.0, 5.0, np.nan]))[1:4]
    (1, 4.0, 1.0)
    """
    total = len(values)
    with np.errstate(all="ignore"):
        mean, squares = _means(values)
        if not math.isfinite(mean):
            values = values[np.isfinite(values)]
            if not len(values):
                return Statistics(total, total, None, None, None, None)
            mean, squares = _means(values)
        variance = squares - mean * mean
        if not variance * _CANCELLATION > squares:
            variance = _means(values, around=mean)[1]
        small = None
        if near_zero is not None:
            small = sum(int(np.count_nonzero(np.abs(b) <= near_zero)) for b in _blocks(values))
    return Statistics(
        total,
        total - len(values),
        mean,
        math.sqrt(variance),
        variance,
        math.sqrt(len(values) * squares),
        float(values.min()),
        float(values.max()),
        None if small is None else small / total,
    )


def _means(values: NDArray[Any], around: float = 0.0) -> tuple[float, float]:
    """Return the mean and the mean square of the distances to ``around``."""
    total = squares = 0.0
    for block in _blocks(values):
        exact = block.astype(np.float64)
        if around:
            exact -= around
        total += float(exact.sum())
        squares += float(np.einsum("i,i->", exact, exact))
    return total / len(values), squares / len(values)


def _blocks(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut an array into pieces."""
    return (values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK))


def histogram(values: NDArray[Any], bins: int) -> Histogram:
    """Count the finite elements of an array in ``bins`` equal bins from the least to the largest.

    Counts are those of ``numpy.histogram`` in float64, several times as fast. Where all elements
    are equal, the range is half a unit to either side, or as far as it takes to be one.

    Args:
        values: One dimension, float32 or float64.
        bins: How many; 1 or more.

    >>> edges, counts, nonfinite_count = histogram(np.array([1.0, 2.0, 2.5, np.inf]), 3)
    >>> edges.tolist(), counts.tolist(), nonfinite_count
    ([1.0, 1.5, 2.0, 2.5], [1, 0, 2], 1)
    """
    with np.errstate(all="ignore"):
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        nonfinite_count = 0
        if not math.isfinite(high - low):
            total, values = len(values), values[np.isfinite(values)]
            nonfinite_count = total - len(values)
            low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        if not len(values):
            return Histogram(np.empty(0), np.empty(0, np.int64), nonfinite_count)
        if low == high:
            half = 0.5 if abs(low) < 2.0**40 else abs(low) / 2
            low, high = low - half, min(low + half, sys.float_info.max)
            values = values.astype(np.float64)
        edges, counts = _count(values, low, high, bins)
    return Histogram(edges, counts, nonfinite_count)


def _count(
    values: NDArray[Any], low: float, high: float, bins: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    span = high - low
    if not _SPANS["d"][0] < span < _SPANS["d"][1]:  # too narrow or too wide for float64: rescale
        scale = 2.0**-2 if span > 1.0 else 2.0**700
        edges, counts = _count(values.astype(np.float64) * scale, low * scale, high * scale, bins)
        return edges / scale, counts
    if bins > _FLOAT32_BINS or not _SPANS["f"][0] < span < _SPANS["f"][1]:
        values = values.astype(np.float64)
    edges = np.linspace(low, high, bins + 1)
    counts = np.zeros(bins, np.int64)
    for block in _blocks(values):
        counts += np.bincount(_bin_of(block, low, bins / span, edges), minlength=bins)
    return edges, counts


def _bin_of(
    values: NDArray[Any], low: float, scale: float, edges: NDArray[np.float64]
) -> NDArray[np.int32]:
    number = values.dtype.type
    bins = len(edges) - 1
    place = values - number(low)
    place *= number(scale)
    index: NDArray[np.int32] = place.astype(np.int32)
    # The quotient is a little off, so that next to an edge the edge itself has to decide.
    distance = np.rint(place)
    distance -= place
    np.abs(distance, out=distance)
    margin = (bins + 1) * (1e-6 if number is np.float32 else 1e-13)
    close = np.flatnonzero(distance <= number(margin))
    if len(close):
        exact = np.searchsorted(edges, values[close].astype(np.float64), side="right") - 1
        index[close] = np.clip(exact, 0, bins - 1)
    return index
