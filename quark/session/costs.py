"""What Quark itself takes of the time of the training, as far as its parts measure themselves."""

from __future__ import annotations

import threading


class CostMeter:
    """Adds up seconds by what they were spent on. Any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: so a signal handler may call
        self._seconds: dict[str, float] = {}

    def add(self, what: str, seconds: float) -> None:
        """Say that the training waited this long for ``what``."""
        with self._lock:
            self._seconds[what] = self._seconds.get(what, 0.0) + seconds

    @property
    def total_seconds(self) -> float:
        """All of it."""
        with self._lock:
            return sum(self._seconds.values())

    def snapshot(self) -> dict[str, float]:
        """Return the seconds by what they were spent on."""
        with self._lock:
            return dict(self._seconds)
