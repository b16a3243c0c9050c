"""A clock that moves only when a test moves it."""

from __future__ import annotations


class FakeClock:
    """A :class:`quark.clock.Clock` that stands still between calls of :meth:`advance`.

    It starts at 2024-01-01 00:00:00 UTC, and its monotonic side at 0.
    """

    START_US = 1_704_067_200_000_000

    def __init__(self, start_us: int = START_US) -> None:
        self._start_us = start_us
        self._passed_us = 0

    def time_us(self) -> int:
        return self._start_us + self._passed_us

    def monotonic(self) -> float:
        return self._passed_us / 1_000_000

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, to the microsecond."""
        if seconds < 0:
            raise ValueError(f"A clock cannot advance by {seconds} s; to go back, use jump().")
        self._passed_us += round(seconds * 1_000_000)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back; the monotonic side does not notice."""
        self._start_us += round(seconds * 1_000_000)
