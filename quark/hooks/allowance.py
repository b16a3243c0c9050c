"""How often something may be done whose cost must stay a small share of the time that passes."""

from __future__ import annotations

import threading

from quark.clock import SYSTEM_CLOCK, Clock, thread_cpu_seconds


def own_seconds() -> float:
    """Return the time that this thread has taken of the processor, where the system says: on a
    busy machine the time that passes is mostly somebody else's."""
    seconds = thread_cpu_seconds(threading.get_native_id())
    return SYSTEM_CLOCK.monotonic() if seconds is None else seconds


class Allowance:
    """Lets something be done as long as its cost so far is within ``free_seconds`` and ``share`` of
    the time that has passed. So it is done once at least, and more often where it costs little.

    >>> allowance = Allowance(share=0.01, free_seconds=0.01)
    >>> allowance.is_left()
    True
    >>> allowance.spend(1000.0)
    >>> allowance.is_left()
    False
    """

    def __init__(self, *, share: float, free_seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._share = share
        self._free_seconds = free_seconds
        self._clock = clock
        self._start = clock.monotonic()
        self._spent_seconds = 0.0

    def is_left(self) -> bool:
        """Say whether it may be done once more."""
        elapsed = self._clock.monotonic() - self._start
        return self._spent_seconds <= self._free_seconds + self._share * elapsed

    def spend(self, seconds: float) -> None:
        """Say what it has cost, on whichever thread."""
        self._spent_seconds += seconds
