"""How often something may be done whose cost must stay a small share of the time that passes."""

from __future__ import annotations

from quark.clock import SYSTEM_CLOCK, Clock


class Allowance:
    """Lets the first ``free`` times pass, and then as many as fit into ``share`` of the time.

    >>> from quark.clock import SYSTEM_CLOCK
    >>> allowance = Allowance(share=0.01, free=1)
    >>> allowance.take(), allowance.take()
    (True, True)
    >>> allowance.spend(1000.0)
    >>> allowance.take()
    False
    """

    def __init__(self, *, share: float, free: int, clock: Clock = SYSTEM_CLOCK) -> None:
        self._share = share
        self._free = free
        self._clock = clock
        self._start = clock.monotonic()
        self._spent_seconds = 0.0

    def take(self) -> bool:
        """Say whether it may be done once more."""
        if self._free > 0:
            self._free -= 1
            return True
        elapsed = self._clock.monotonic() - self._start
        return self._spent_seconds <= self._share * elapsed

    def spend(self, seconds: float) -> None:
        """Say what it has cost, on whichever thread."""
        self._spent_seconds += seconds
