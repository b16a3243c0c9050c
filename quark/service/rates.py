"""How often something may happen, counted for each of many names in bounded memory.

A bucket holds up to ``burst`` tokens and gets ``per_second`` new ones. Of too many names the one
that was touched longest ago is forgotten, that is, full again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

from quark.clock import Clock

MAX_NAMES = 10_000


class _Bucket(NamedTuple):
    tokens: float
    at_seconds: float


class TokenBuckets:
    """Buckets by name. Threads may share it.

    >>> from quark.clock import SYSTEM_CLOCK
    >>> buckets = TokenBuckets(SYSTEM_CLOCK, burst=1, per_second=0.001)
    >>> buckets.take("192.0.2.1"), buckets.take("192.0.2.1"), buckets.take("192.0.2.2")
    (True, False, True)
    """

    def __init__(
        self, clock: Clock, *, burst: int, per_second: float, max_names: int = MAX_NAMES
    ) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._max_names = max_names
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str) -> bool:
        """Take a token; False if there is none."""
        now = self._clock.monotonic()
        with self._lock:
            tokens = self._tokens(name, now)
            if tokens < 1.0:
                return False
            self._buckets[name] = _Bucket(tokens - 1.0, now)
            self._buckets.move_to_end(name)
            if len(self._buckets) > self._max_names:
                self._buckets.popitem(last=False)
            return True

    def wait_seconds(self, name: str) -> float:
        """Return how long it takes until there is a token, 0 if there is one now."""
        now = self._clock.monotonic()
        with self._lock:
            return max(0.0, (1.0 - self._tokens(name, now)) / self._per_second)

    def __len__(self) -> int:
        return len(self._buckets)

    def _tokens(self, name: str, now: float) -> float:
        bucket = self._buckets.get(name)
        if bucket is None:
            return float(self._burst)
        gained = max(0.0, now - bucket.at_seconds) * self._per_second
        return min(float(self._burst), bucket.tokens + gained)
