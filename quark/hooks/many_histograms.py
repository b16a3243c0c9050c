"""Histograms of many arrays at once.

Each array has bins of its own, but all are counted by the same dozen calls: in the background of a
training, what costs is not the counting, which lets other threads run, but each call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quark.hooks.histograms import histogram

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Counted(NamedTuple):
    """Counts between edges, of which there is one more; both empty where nothing is finite."""

    edges: list[float]
    counts: list[int]


def histograms(arrays: Sequence[NDArray[Any]], bins: int) -> list[Counted]:
    """Count the finite elements of each array in ``bins`` equal bins of its own.

    As :func:`~quark.hooks.histograms.histogram`, but an element that lies at an edge, to within
    float32, may be counted on either side of it.

    Args:
        arrays: One dimension each, float32 or float64, not empty.
        bins: How many; 1 or more.

    >>> counted = histograms([np.array([1.0, 2.0, 2.5]), np.array([5.0, np.nan])], 2)
    >>> [one.counts for one in counted], counted[0].edges
    ([[1, 2], [0, 1]], [1.0, 1.75, 2.5])
    """
    if not arrays:
        return []
    values = np.concatenate(arrays)
    sizes = np.array([len(array) for array in arrays])
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    with np.errstate(all="ignore"):
        low = np.minimum.reduceat(values, starts).astype(np.float64)
        high = np.maximum.reduceat(values, starts).astype(np.float64)
        width = high - low
        plain = np.isfinite(width) & (width > 1e-30) & (width < 1e30)
        scale = np.where(plain, bins / width, 0.0)
        centred = values - np.repeat(np.where(plain, low, 0.0).astype(values.dtype), sizes)
        centred *= np.repeat(scale.astype(values.dtype), sizes)
        centred[~np.repeat(plain, sizes)] = 0.0
        place = np.minimum(centred.astype(np.int32), bins - 1)
        place += np.repeat(np.arange(len(arrays), dtype=np.int32) * bins, sizes)
        counts = np.bincount(place, minlength=bins * len(arrays)).reshape(len(arrays), bins)
        edges = low[:, None] + (width / bins)[:, None] * np.arange(bins + 1)
    edges[:, -1] = high
    found = [Counted(*both) for both in zip(edges.tolist(), counts.tolist(), strict=True)]
    for index in np.flatnonzero(~plain).tolist():  # not finite, all equal, or of no usual size
        alone = histogram(arrays[index], bins)
        found[index] = Counted(alone.edges.tolist(), alone.counts.tolist())
    return found
