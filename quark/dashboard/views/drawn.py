"""Long series that were placed on an axis lately, so that zooming into them reads them once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from quark.dashboard.views.series import Curve


class Kept(NamedTuple):
    """What a placed series is known by. One with more points is another one."""

    target: str
    run_id: str
    key: str
    axis: str
    point_count: int
    last_time_us: int
    axis_point_count: int


class KeptCurves:
    """The series used last, up to a size. Threads may share it.

    Args:
        budget_bytes: What all of them may take together.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._curves: OrderedDict[Kept, Curve] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()

    def get(self, what: Kept, read: Callable[[], Curve]) -> Curve:
        """Return a series; ``read`` is called if it is not here."""
        with self._lock:
            if what in self._curves:
                self._curves.move_to_end(what)
                return self._curves[what]
        found = read()
        with self._lock:
            if what not in self._curves and _size(found) <= self._budget_bytes:
                self._curves[what] = found
                self._size_bytes += _size(found)
            while self._size_bytes > self._budget_bytes:
                _, oldest = self._curves.popitem(last=False)
                self._size_bytes -= _size(oldest)
        return found


def _size(found: Curve) -> int:
    return int(found.x.nbytes + found.y.nbytes)


KEPT = KeptCurves(128 << 20)
