"""The only place that reads the time.

Wall time is an integer count of microseconds since 1970-01-01 UTC, everywhere inside Quark: it
is exact, it packs well, and it does not lose digits as a float would. Strings are ISO 8601 in
UTC with a ``Z``.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Nanoseconds since the epoch. Bound here so that the hot path pays for one call only.
wall_time_ns = time.time_ns


class Clock(Protocol):
    """What measures time for the parts that wait or stamp."""

    def time_us(self) -> int:
        """Microseconds since the epoch, UTC. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""
        ...


class SystemClock:
    """The machine's clock."""

    def time_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


SYSTEM_CLOCK = SystemClock()


def thread_cpu_seconds(native_id: int) -> float | None:
    """Return what a thread of this process has taken of the processor so far.

    None where the system does not say, or the thread has ended.
    """
    if sys.platform != "linux":
        return None
    # Linux's number for the clock of a thread. POSIX's own way to it, from a ``pthread_t``, may
    # crash where the thread has just ended.
    try:
        return time.clock_gettime((~native_id << 3) | 6)
    except OSError:
        return None


def format_timestamp(time_us: int) -> str:
    """Write microseconds since the epoch as ISO 8601.

    >>> format_timestamp(1_000_001)
    '1970-01-01T00:00:01.000001Z'
    """
    second, rest = divmod(time_us, 1_000_000)
    return f"{_format_second(second)}.{rest:06d}Z"


@lru_cache(maxsize=64)
def _format_second(second: int) -> str:
    """Many records fall into one second, and this is most of the work."""
    return (_EPOCH + timedelta(seconds=second)).replace(tzinfo=None).isoformat()


def parse_timestamp(text: str) -> int:
    """Read ISO 8601 into microseconds since the epoch; without a zone it is taken as UTC.

    Raises:
        ValueError: ``text`` is not ISO 8601.

    >>> parse_timestamp("1970-01-01T00:00:01.5Z")
    1500000
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
