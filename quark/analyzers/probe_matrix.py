"""Probes of many layers or parameters side by side: a row each, what was not measured left out.

Rows are filled from the left, so that probes of different rows in one column may be of different
steps. Everything here is done for all rows at once: a model may have thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.analyzers.evidence import (
        BoolArray,
        Float64Array,
        Int64Array,
        LayerTrack,
        ParameterTrack,
    )

#: Of longer rows so many probes are looked at, evenly spaced, the first and the last among them.
MAX_PROBES = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProbeMatrix:
    """Values by row and probe, NaN beyond the ``count`` of a row; ``step`` is -1 there."""

    value: Float64Array
    step: Int64Array
    count: Int64Array

    def __len__(self) -> int:
        return len(self.count)

    @property
    def total(self) -> int:
        """How many values there are in all."""
        return int(self.count.sum())

    def rows(self, keep: BoolArray) -> ProbeMatrix:
        """Return the rows that ``keep`` marks."""
        return ProbeMatrix(value=self.value[keep], step=self.step[keep], count=self.count[keep])

    def median(self) -> Float64Array:
        """Return each row's median, NaN for an empty row."""
        return row_medians(self.value, self.count)

    def first(self, probes: int) -> Float64Array:
        """Return the median of each row's first values."""
        return row_medians(self.value[:, :probes], np.minimum(self.count, probes))

    def last(self, probes: int) -> Float64Array:
        """Return the median of each row's last values."""
        if not self.value.size:
            return self.median()
        places = self.count[:, None] - 1 - np.arange(probes)[None, :]
        values = np.take_along_axis(self.value, np.maximum(places, 0), axis=1)
        return row_medians(np.where(places >= 0, values, np.nan), np.minimum(self.count, probes))

    @property
    def span_steps(self) -> int:
        """How many steps lie between the first and the last probe."""
        ends = self.steps()
        return ends[1] - ends[0] if ends else 0

    def steps(self) -> tuple[int, int] | None:
        """Return the first and the last step of all; None if there are none."""
        if not self.total:
            return None
        return int(self.step[self.step >= 0].min()), int(self.step.max())


def probe_matrix(
    tracks: Sequence[LayerTrack] | Sequence[ParameterTrack], column: str, rows: int | None = None
) -> ProbeMatrix:
    """Return a column of all tracks, or of their first ``rows`` probes; infinities stay, NaN is
    left out."""
    lengths = np.array([len(track) for track in tracks], np.int64)
    if rows is not None:
        lengths = np.minimum(lengths, rows)
    if not lengths.sum():
        empty = np.zeros((len(tracks), 0))
        return ProbeMatrix(
            value=empty, step=empty.astype(np.int64), count=np.zeros(len(tracks), np.int64)
        )
    value = np.concatenate([getattr(track, column)[:rows] for track in tracks])
    step = np.concatenate([track.step[:rows] for track in tracks])
    row = np.repeat(np.arange(len(tracks)), lengths)
    measured = ~np.isnan(value)
    value, step, row = value[measured], step[measured], row[measured]
    count = np.bincount(row, minlength=len(tracks))
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    if count.max() > MAX_PROBES:
        value, step, row, place, count = _thinned(value, step, row, place, count)
    width = int(count.max())
    values = np.full((len(tracks), width), np.nan)
    steps = np.full((len(tracks), width), -1, np.int64)
    values[row, place] = value
    steps[row, place] = step
    return ProbeMatrix(value=values, step=steps, count=count)


def row_medians(value: Float64Array, count: Int64Array) -> Float64Array:
    """Return the median of each row's values, of which there are ``count`` beside NaN.

    >>> row_medians(np.array([[3.0, 1.0, 2.0], [4.0, 6.0, np.nan]]), np.array([3, 2])).tolist()
    [2.0, 5.0]
    """
    if not value.shape[1]:
        return np.full(len(value), np.nan)
    ordered = np.sort(value, axis=1)  # NaN comes last
    rows, last = np.arange(len(value)), np.maximum(count - 1, 0)
    low, high = ordered[rows, last // 2], ordered[rows, (last + 1) // 2]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(low == high, low, (low + high) / 2))


def lasting_peaks(probes: ProbeMatrix) -> tuple[Float64Array, Int64Array]:
    """Return, for each row, the highest value that is the middle one of three neighbours, and the
    place of the first of these three. A row of fewer than three has its smallest value.

    >>> row = ProbeMatrix(value=np.array([[1.0, 99.0, 3.0, 4.0]]), step=np.array([[0, 1, 2, 3]]),
    ...     count=np.array([4]))
    >>> lasting_peaks(row)
    (array([4.]), array([1]))
    """
    value = probes.value
    if not value.shape[1]:
        return np.full(len(value), np.nan), np.zeros(len(value), np.int64)
    shortest = np.where(np.isnan(value), np.inf, value).min(axis=1)
    peak = np.where(probes.count > 0, shortest, np.nan)
    if value.shape[1] < 3:
        return peak, np.zeros(len(value), np.int64)
    a, b, c = value[:, :-2], value[:, 1:-1], value[:, 2:]
    middle = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    middle = np.where(np.isnan(middle), -np.inf, middle)
    start = middle.argmax(axis=1)
    enough = probes.count >= 3
    highest = middle[np.arange(len(value)), start]
    return np.where(enough, highest, peak), np.where(enough, start, 0)


def longest_stretches(marks: NDArray[np.bool_]) -> tuple[Int64Array, Int64Array]:
    """Return start and length of each row's longest stretch of true values, the last if several
    are as long.

    >>> longest_stretches(np.array([[True, True, False, True]]))
    (array([0]), array([2]))
    """
    if not marks.shape[1]:
        return np.zeros(len(marks), np.int64), np.zeros(len(marks), np.int64)
    places = np.arange(marks.shape[1])[None, :]
    before = np.maximum.accumulate(np.where(marks, -1, places), axis=1)
    length = places - before
    end = marks.shape[1] - 1 - length[:, ::-1].argmax(axis=1)
    longest = length[np.arange(len(marks)), end]
    return end - longest + 1, longest


def _thinned(
    value: Float64Array, step: Int64Array, row: Int64Array, place: Int64Array, count: Int64Array
) -> tuple[Float64Array, Int64Array, Int64Array, Int64Array, Int64Array]:
    """Leave out probes of long rows, evenly."""
    size = count[row]
    fewer = np.minimum(size, MAX_PROBES)
    slot = place * (fewer - 1) // np.maximum(size - 1, 1)
    is_first = np.ones(len(row), bool)
    is_first[1:] = (slot[1:] != slot[:-1]) | (row[1:] != row[:-1])
    return (
        value[is_first],
        step[is_first],
        row[is_first],
        slot[is_first],
        np.bincount(row[is_first], minlength=len(count)),
    )
