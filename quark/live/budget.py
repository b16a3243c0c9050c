"""What judging a run may take of its time, and what it has taken."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from quark.clock import SYSTEM_CLOCK, Clock, thread_cpu_seconds


def own_cpu_seconds() -> float:
    """Return what the calling thread has taken of the processor; the time, where nobody knows.

    What it waits for a core or for the interpreter's lock costs the training nothing.
    """
    seconds = thread_cpu_seconds(threading.get_native_id())
    return SYSTEM_CLOCK.monotonic() if seconds is None else seconds


class Budget:
    """Adds up seconds, and compares them with a share of the time since it was made."""

    def __init__(
        self,
        share: float,
        clock: Clock = SYSTEM_CLOCK,
        meter: Callable[[], float] = own_cpu_seconds,
    ) -> None:
        self._share = share
        self._clock = clock
        self._meter = meter
        self._started = clock.monotonic()
        self.spent_seconds = 0.0

    @contextlib.contextmanager
    def spending(self) -> Iterator[None]:
        """Count what is done inside, all on one thread."""
        begin = self._meter()
        try:
            yield
        finally:
            self.spent_seconds += self._meter() - begin

    @property
    def elapsed_seconds(self) -> float:
        """The time since this was made."""
        return self._clock.monotonic() - self._started

    @property
    def spent_share(self) -> float:
        """What has been spent, as a share of the time since this was made."""
        elapsed = self.elapsed_seconds
        return self.spent_seconds / elapsed if elapsed > 0 else 0.0

    def has_room(self, seconds: float = 0.0, *, of_share: float = 1.0) -> bool:
        """Say whether ``seconds`` more keep within ``of_share`` of what may be spent."""
        allowed = of_share * self._share * self.elapsed_seconds
        return self.spent_seconds + seconds <= allowed
