"""What the summary holds of a metric that ``define_metric`` wants summed up.

As with W&B, NaN spoils ``min``, ``max`` and ``mean`` for good, and a metric that never was a number
has 0 as ``min`` and ``max``, and NaN as ``mean``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_MIN, _MAX, _MEAN, _FIRST, _LAST, _BEST = (1 << bit for bit in range(6))
_BITS = {"min": _MIN, "max": _MAX, "mean": _MEAN, "first": _FIRST, "last": _LAST, "best": _BEST}


class Aggregate:
    """What was seen of one key's rows, and the dict that the summary shows of it."""

    __slots__ = (
        "_asked",
        "_hidden",
        "_maximize",
        "_view",
        "count",
        "first",
        "has_first",
        "high",
        "last",
        "low",
        "total",
        "words",
    )

    def __init__(self) -> None:
        self.low = math.inf
        self.high = -math.inf
        self.total = 0.0
        self.count = 0
        self.first: Any = None
        self.has_first = False
        self.last: Any = None
        self.words: tuple[str, ...] = ()
        self._asked = 0
        self._hidden = False
        self._maximize = False
        self._view: dict[str, Any] = {}

    def show(self, words: tuple[str, ...], *, maximize: bool) -> None:
        """Have the summary show ``words``."""
        if words != self.words or maximize != self._maximize:
            self.words = words
            self._maximize = maximize
            self._hidden = "none" in words
            self._asked = 0 if self._hidden else sum(_BITS.get(word, 0) for word in set(words))
            self._view = {}

    def add(self, value: Any) -> dict[str, Any] | None:
        """Take in the value of one row; return what the summary shows, None for nothing."""
        if type(value) is float or type(value) is int:
            try:
                self.total += value
            except OverflowError:  # an integer beyond every float
                self.total += math.inf if value > 0 else -math.inf
            self.count += 1
            if value < self.low:
                self.low = value
            if value > self.high:
                self.high = value
            if value != value:
                self.low = self.high = value
        self.last = value
        if not self.has_first:
            self.has_first = True
            self.first = value
        if self._asked == _MIN and self.count:  # by far the commonest two
            self._view["min"] = self.low
            return self._view
        if self._asked == _MAX and self.count:
            self._view["max"] = self.high
            return self._view
        return self.view()

    def add_rows(self, numbers: Sequence[float], first: Any, last: Any) -> None:
        """Take in many rows at once: their numbers in order, and the first and the last value."""
        if not self.has_first:
            self.has_first = True
            self.first = first
        self.last = last
        if len(numbers):
            import numpy as np  # who reads a run has loaded it

            column = np.asarray(numbers)
            self.low = float(np.minimum(self.low, column.min()))
            self.high = float(np.maximum(self.high, column.max()))
            # One after the other, as the run did: sums by halves differ in their last digits.
            self.total = float(np.cumsum(np.concatenate(([self.total], column)))[-1])
            self.count += len(column)

    def view(self) -> dict[str, Any] | None:
        """Return what the summary shows, None for nothing; the same dict every time."""
        if self._hidden:
            return None
        asked, view = self._asked, self._view
        if asked & _MIN:
            view["min"] = self.low if self.count else 0
        if asked & _MAX:
            view["max"] = self.high if self.count else 0
        if asked & _MEAN:
            view["mean"] = self.total / self.count if self.count else math.nan
        if asked & _FIRST:
            view["first"] = self.first
        if asked & _LAST:
            view["last"] = self.last
        if asked & _BEST:
            best = self.high if self._maximize else self.low
            view["best"] = best if self.count else 0
        return view
