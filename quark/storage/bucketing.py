"""Cuts points into equal ranges of steps.

The edges: with ``low`` and ``high`` the lowest and highest selected step, every bucket is
``width = ceil((high - low + 1) / bucket_count)`` steps wide, and bucket ``i`` holds the steps from
``low + i * width`` to ``low + (i + 1) * width - 1``, the last one to ``high`` at most. So all
ranges but the last are equal, edges are whole steps, and there may be fewer than ``bucket_count``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quark.storage.model import Buckets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.model import Float64Array, Int64Array

_SMALLER = 2.0**-64
_LARGER = 2.0**64


class Cut(NamedTuple):
    """Where the buckets lie."""

    low: int
    high: int
    width: int

    def bucket(self, step: int) -> int:
        """Return the bucket of one step."""
        return (step - self.low) // self.width

    def buckets(self, step: Int64Array) -> NDArray[np.uint64]:
        """Return the bucket of each step."""
        # Unsigned, as the distance of two int64 may not fit into one.
        distance = step.view(np.uint64) - np.int64(self.low).view(np.uint64)
        return distance // np.uint64(self.width) if self.width > 1 else distance


class Summaries(NamedTuple):
    """Summaries of some points each; several may belong to one bucket.

    ``minimum`` and ``maximum`` are +Inf and -Inf, and ``mean`` is 0, where there is no finite
    value. ``last`` is the value at ``last_step``, which arrived as the run's ``last_order``-th.
    """

    bucket: NDArray[np.uint64]
    point_count: Int64Array
    nonfinite_count: Int64Array
    minimum: Float64Array
    maximum: Float64Array
    mean: Float64Array
    last: Float64Array
    last_step: Int64Array
    last_order: Int64Array


def cut(low: int, high: int, bucket_count: int) -> Cut:
    """Return the cut of ``low`` to ``high`` into at most ``bucket_count`` buckets."""
    return Cut(low, high, -(-(high - low + 1) // bucket_count))


def summarise(where: Cut, step: Int64Array, value: Float64Array, order: Int64Array) -> Summaries:
    """Summarise points by bucket; ``order`` increases from point to point."""
    if not bool((step[1:] >= step[:-1]).all()):
        by_step = np.argsort(step, kind="stable")
        step, value, order = step[by_step], value[by_step], order[by_step]
    bucket = where.buckets(step)
    starts = _group_starts(bucket)
    ends = np.append(starts[1:], len(step)) - 1
    count = ends - starts + 1
    finite = np.isfinite(value)
    nonfinite_count = np.zeros(len(starts), dtype=np.int64)
    low = high = total = value
    if not finite.all():
        nonfinite_count = np.add.reduceat((~finite).astype(np.int64), starts)
        low, high = np.where(finite, value, np.inf), np.where(finite, value, -np.inf)
        total = np.where(finite, value, 0.0)
    return Summaries(
        bucket[starts],
        count,
        nonfinite_count,
        np.minimum.reduceat(low, starts),
        np.maximum.reduceat(high, starts),
        _group_means(total, starts, count - nonfinite_count),
        value[ends],
        step[ends],
        order[ends],
    )


def combine(key: str, where: Cut, parts: Sequence[Summaries]) -> Buckets:
    """Make one bucket of all summaries that belong to it."""
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    rows = Summaries(*columns)
    by_bucket = np.lexsort((rows.last_order, rows.last_step, rows.bucket))
    rows = Summaries(*(column[by_bucket] for column in columns))
    starts = _group_starts(rows.bucket)
    ends = np.append(starts[1:], len(rows.bucket)) - 1
    count = np.add.reduceat(rows.point_count, starts)
    nonfinite_count = np.add.reduceat(rows.nonfinite_count, starts)
    finite_count = count - nonfinite_count
    weight = (rows.point_count - rows.nonfinite_count) / np.repeat(
        np.maximum(finite_count, 1), ends - starts + 1
    )
    minimum = np.minimum.reduceat(rows.minimum, starts)
    maximum = np.maximum.reduceat(rows.maximum, starts)
    # A rounded sum may leave the range of what was summed by a hair, or even overflow.
    mean = np.clip(np.add.reduceat(rows.mean * weight, starts), minimum, maximum)
    is_empty = finite_count == 0
    offset = rows.bucket[starts] * np.uint64(where.width)
    space = np.uint64(where.high - where.low) - offset
    first = offset + np.int64(where.low).view(np.uint64)
    return Buckets(
        key=key,
        step_start=first.view(np.int64),
        step_end=(first + np.minimum(np.uint64(where.width - 1), space)).view(np.int64),
        count=count,
        nonfinite_count=nonfinite_count,
        minimum=np.where(is_empty, np.nan, minimum),
        maximum=np.where(is_empty, np.nan, maximum),
        mean=np.where(is_empty, np.nan, mean),
        last=rows.last[ends],
    )


def no_buckets(key: str) -> Buckets:
    """Return what is left of a series without points."""
    ints, floats = np.empty(0, dtype=np.int64), np.empty(0)
    return Buckets(
        key=key,
        step_start=ints,
        step_end=ints,
        count=ints,
        nonfinite_count=ints,
        minimum=floats,
        maximum=floats,
        mean=floats,
        last=floats,
    )


def _group_starts(bucket: NDArray[np.uint64]) -> Int64Array:
    return np.append(0, np.flatnonzero(bucket[1:] != bucket[:-1]) + 1)


def _group_means(value: Float64Array, starts: Int64Array, count: Int64Array) -> Float64Array:
    divisor = np.maximum(count, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        means: Float64Array = np.add.reduceat(value, starts) / divisor
        if not np.isfinite(means).all():  # the sum overflowed; the mean itself cannot by much
            scaled = np.add.reduceat(value * _SMALLER, starts) / divisor * _LARGER
            means = np.where(np.isfinite(means), means, scaled)
    limit = np.finfo(np.float64).max
    return np.clip(means, -limit, limit)
