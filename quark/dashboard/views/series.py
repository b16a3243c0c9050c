"""A series along any axis, cut to the pixels that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.model import Buckets

#: Places of values that are no numbers which an answer names.
_MAX_MARKED = 500


class Curve(NamedTuple):
    """Points by ascending ``x``. ``left_out``: points that have no place on this axis."""

    x: NDArray[Any]
    y: NDArray[np.float64]
    left_out: int


def curve(x: NDArray[Any], y: NDArray[np.float64], known: NDArray[np.bool_]) -> Curve:
    """Return the points that have a place on the axis, by ``x``; of equals the first comes first.

    >>> curve(np.array([2, 9, 1]), np.array([0.2, 0.9, 0.1]), np.array([True, False, True]))
    Curve(x=array([1, 2]), y=array([0.1, 0.2]), left_out=1)
    """
    left_out = len(known) - int(known.sum())
    if left_out:
        x, y = x[known], y[known]
    if len(x) > 1 and not bool((x[1:] >= x[:-1]).all()):
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    return Curve(x, y, left_out)


def within(found: Curve, low: float | None, high: float | None) -> Curve:
    """Return what lies between two places, with a neighbour on each side, so that a line that
    leaves the picture is drawn to its edge."""
    first = 0 if low is None else max(0, int(np.searchsorted(found.x, low)) - 1)
    last = len(found.x)
    if high is not None:
        last = min(last, int(np.searchsorted(found.x, high, side="right")) + 1)
    return Curve(found.x[first:last], found.y[first:last], found.left_out)


def cut_curve(found: Curve, bucket_count: int, *, thin: bool = False) -> dict[str, Any]:
    """Return at most ``bucket_count`` points, each the mean, least and most of what it stands for.

    As many points as that or fewer are given as they are; points that share their place, such as
    all steps of an epoch, are one point then too. ``thin`` leaves out the columns that say
    nothing then.

    >>> found = Curve(np.arange(6), np.array([1.0, 3.0, np.nan, 2.0, 4.0, 6.0]), 0)
    >>> cut = cut_curve(found, 2)
    >>> cut["x"], cut["min"], cut["max"], np.round(cut["mean"], 9).tolist(), cut["nonfinite"]
    ([0, 3], [1.0, 2.0], [3.0, 6.0], [2.0, 4.0], 1)
    """
    x, y = found.x, found.y
    starts = np.append(0, np.flatnonzero(x[1:] != x[:-1]) + 1)[: len(x)]
    if (len(x) <= bucket_count and 2 * len(starts) > len(x)) or not len(x):
        return _as_it_is(found, thin)
    if len(starts) > bucket_count:
        starts = _equal_ranges(x, bucket_count)
    ends = np.append(starts[1:], len(x)) - 1
    count = ends - starts + 1
    finite = np.isfinite(y)
    finite_count = np.add.reduceat(finite.astype(np.int64), starts)
    is_empty = finite_count == 0
    if finite.all():
        least, most, total = y, y, y
    else:
        least, most = np.where(finite, y, np.inf), np.where(finite, y, -np.inf)
        total = np.where(finite, y, 0.0)
    minimum = np.where(is_empty, np.nan, np.minimum.reduceat(least, starts))
    maximum = np.where(is_empty, np.nan, np.maximum.reduceat(most, starts))
    share = total / np.repeat(np.maximum(finite_count, 1), count)  # no sum that overflows
    mean = np.where(is_empty, np.nan, np.add.reduceat(share, starts))
    bad = [
        [at, number, None]
        for at, number in zip(x[starts].tolist(), (count - finite_count).tolist(), strict=True)
        if number
    ]
    return {
        "x": x[starts].tolist(),
        "min": minimum.tolist(),
        "max": maximum.tolist(),
        "mean": np.clip(mean, minimum, maximum).tolist(),
        "last": y[ends].tolist(),
        "count": count.tolist(),
        "nonfinite": int((count - finite_count).sum()),
        "bad": bad[:_MAX_MARKED],
        "left_out": found.left_out,
    }


def _equal_ranges(x: NDArray[Any], bucket_count: int) -> NDArray[np.int64]:
    """Return where each of some equal ranges of ``x`` begins that holds anything."""
    # Halved first: the distance of two numbers may be more than there is.
    low, half = float(x[0]) / 2, float(x[-1]) / 2 - float(x[0]) / 2
    place = ((x / 2 - low) * (bucket_count / half)).astype(np.int64)
    np.clip(place, 0, bucket_count - 1, out=place)
    return np.append(0, np.flatnonzero(place[1:] != place[:-1]) + 1)


def of_buckets(found: Buckets) -> dict[str, Any]:
    """Return what a store has cut already."""
    nonfinite = found.nonfinite_count
    places = np.flatnonzero(nonfinite)[:_MAX_MARKED]
    return {
        "x": found.step_start.tolist(),
        "min": found.minimum.tolist(),
        "max": found.maximum.tolist(),
        "mean": found.mean.tolist(),
        "last": found.last.tolist(),
        "count": found.count.tolist(),
        "nonfinite": int(nonfinite.sum()),
        "bad": [[int(found.step_start[at]), int(nonfinite[at]), None] for at in places],
        "left_out": 0,
    }


def _as_it_is(found: Curve, thin: bool) -> dict[str, Any]:
    values = found.y.tolist()
    is_bad = ~np.isfinite(found.y)
    answer: dict[str, Any] = {
        "x": found.x.tolist(),
        "mean": values,
        "nonfinite": int(is_bad.sum()),
        "bad": [
            [found.x[at].item(), 1, _word(float(found.y[at]))]
            for at in np.flatnonzero(is_bad)[:_MAX_MARKED]
        ],
        "left_out": found.left_out,
    }
    if not thin:
        answer.update(min=values, max=values, last=values, count=[1] * len(values))
    return answer


def _word(value: float) -> str:
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
