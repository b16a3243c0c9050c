"""What a probe is, and how a rate is made of two looks at a counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

#: The shortest time over which a rate means something: the kernel counts CPU time in 10 ms.
SHORTEST_WINDOW_SECONDS = 0.5
#: At the start there is no such window yet; below this a rate is left out.
LEAST_WINDOW_SECONDS = 0.1

_Look = tuple[float, tuple[float, ...]]


class Measured(NamedTuple):
    """What one look at a device gave.

    ``fields`` are fields of :class:`~quark.records.SystemTelemetryRecord`; ``series`` are numbers
    that are no field, by metric key. What could not be measured is in neither.
    """

    fields: Mapping[str, Any]
    series: Mapping[str, float] = {}


class Probe(Protocol):
    """Looks at one device. Used by one thread at a time."""

    @property
    def name(self) -> str:
        """What is measured, for messages."""
        ...

    def measure(self, now: float) -> Measured:
        """Look now; ``now`` is the monotonic time in seconds. May raise anything."""
        ...


class Window:
    """The last looks at some counters, so that a rate has a window that is long enough.

    A look soon after another one is compared with the one before that.
    """

    def __init__(self) -> None:
        self._older: _Look | None = None
        self._newer: _Look | None = None

    def since(self, now: float, counters: Sequence[float]) -> tuple[float, tuple[float, ...]]:
        """Take note of ``counters``; return how long ago they are compared with, and by how much
        they have grown since. The first look gives 0 seconds."""
        look = (now, tuple(counters))
        if self._newer is not None and now - self._newer[0] >= SHORTEST_WINDOW_SECONDS:
            self._older, self._newer = self._newer, None
        if self._older is None:
            self._older = look
        then, before = self._older
        if self._newer is None and now - then >= SHORTEST_WINDOW_SECONDS:
            self._newer = look
        return now - then, tuple(value - old for value, old in zip(look[1], before, strict=True))


def growth_per_second(
    window: Window, now: float, counters: Mapping[str, float]
) -> Mapping[str, float]:
    """Return how fast counters grow, by their key; nothing at the first look or after a reset."""
    seconds, grown = window.since(now, tuple(counters.values()))
    if seconds < LEAST_WINDOW_SECONDS:
        return {}
    return {
        key: growth / seconds for key, growth in zip(counters, grown, strict=True) if growth >= 0
    }
