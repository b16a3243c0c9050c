"""Where Quark's own faults go: logged once per cause, counted, and raised only in strict mode."""

from __future__ import annotations

import threading

from quark import ui


class FaultLog:
    """Counts faults by cause. Shared by everything that belongs to one session."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._lock = threading.RLock()  # reentrant: so a signal handler may call
        self._counts: dict[str, int] = {}
        self._last: dict[str, str] = {}

    def record(self, cause: str, error: BaseException, *, strict: bool | None = None) -> None:
        """Count ``error`` under ``cause`` and say so the first time.

        Raises:
            BaseException: ``error`` itself, in strict mode.
        """
        text = f"{type(error).__name__}: {error}"
        with self._lock:
            self._counts[cause] = self._counts.get(cause, 0) + 1
            first = self._counts[cause] == 1
            self._last[cause] = text
        if self.strict if strict is None else strict:
            raise error
        if first:
            ui.say(f"{cause}: {text} (said once; see diagnostics())")

    def counts(self) -> dict[str, int]:
        """Return how often each cause was recorded."""
        with self._lock:
            return dict(self._counts)

    def last(self) -> dict[str, str]:
        """Return the latest error text of each cause."""
        with self._lock:
            return dict(self._last)
