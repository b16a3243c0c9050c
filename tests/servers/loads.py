"""Clients that behave, and how long they wait."""

from __future__ import annotations

import itertools
import time
from typing import Self

from quark.persistence.http_store import HttpStore
from tests.storage.building import batch, losses, run_record
from tests.support.processes import ServiceProcess

POINTS_AT_ONCE = 1_000
_numbers = itertools.count(1)


class HealthyClient:
    """Appends 1,000 points at a time to a run of its own. Owns its store."""

    def __init__(self, service: ServiceProcess, *, pause_seconds: float = 0.005) -> None:
        self._store: HttpStore = service.store()
        self.run_id = f"healthy-{next(_numbers)}"
        self._pause_seconds = pause_seconds
        self._seq = 0

    def work(self, seconds: float) -> list[float]:
        """Append for so long; return how many seconds each append took."""
        if not self._seq:
            self._store.append(batch(1, 1, run_record(), run_id=self.run_id))
            self._seq = 1
        took = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            first, self._seq = self._seq + 1, self._seq + POINTS_AT_ONCE
            points = losses(first, [0.5] * POINTS_AT_ONCE)
            one = batch(first, self._seq, points, run_id=self.run_id)
            began = time.perf_counter()
            self._store.append(one)
            took.append(time.perf_counter() - began)
            time.sleep(self._pause_seconds)  # a client that sends all the time is no usual one
        return took

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._store.close()
