"""What comes into a run while a command looks: records by their position, points by their number.

A command that follows ends by itself when the run has ended and all of it was shown.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK
from quark.storage.model import StepRange

if TYPE_CHECKING:
    from quark.cli.asked_run import AskedRun
    from quark.storage.model import KeyStats, Series, StoredRecord
    from quark.storage.protocols import Store

LOOK_SECONDS = 0.5
#: How often what a process that died has left behind is looked for.
_LOST_SECONDS = 5.0
_MAX_ATTEMPTS = 3


class NewRecords:
    """Records of some kinds that have come since the last look."""

    def __init__(self, store: Store, run_id: str, kinds: Sequence[str]) -> None:
        self._store = store
        self._run_id = run_id
        self._kinds = tuple(kinds)
        self._position = 0

    def take(self) -> Iterator[StoredRecord]:
        """Yield them in the order in which they came."""
        for part in self._store.records.scan(self._run_id, self._kinds, after=self._position):
            for record in part:
                self._position = record.position
                yield record


class NewPoints:
    """Points that have come since the last look, key by key."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._seen: dict[str, int] = {}

    def skip_to_last(self, count: int, keys: Sequence[str] = ()) -> None:
        """Have :meth:`take` begin with the last ``count`` points of each key."""
        for key, stats in self._stats(keys).items():
            self._seen[key] = max(0, stats.count - count)

    def take(self, keys: Sequence[str] = ()) -> dict[str, Series]:
        """Return the new points of each key that has some; of ``keys`` only, if there are any."""
        found = {}
        for key, stats in self._stats(keys).items():
            if stats.count > self._seen.get(key, 0):
                found[key] = self._since(key, self._seen.get(key, 0), stats.count)
                self._seen[key] = self._seen.get(key, 0) + len(found[key])
        return found

    def _stats(self, keys: Sequence[str]) -> Mapping[str, KeyStats]:
        found = self._store.points.keys(self._run_id)
        return {key: found[key] for key in keys if key in found} if keys else found

    def _since(self, key: str, seen: int, count: int) -> Series:
        """Return the points after the first ``seen``, of which there were ``count`` just now."""
        points = self._store.points
        for _ in range(_MAX_ATTEMPTS):
            series = points.series(self._run_id, key, StepRange(limit=count - seen))
            now = points.keys(self._run_id)[key].count
            if now == count:  # none came meanwhile, so these are the last ones
                return series
            count = now
        return _cut(points.series(self._run_id, key), seen)


def _cut(series: Series, first: int) -> Series:
    from dataclasses import replace

    columns = ("writer", "seq", "step", "epoch", "time_us", "value")
    return replace(series, **{name: getattr(series, name)[first:] for name in columns})


def rounds(asked: AskedRun, *, follow: bool) -> Iterator[None]:
    """Yield whenever it is time to look; after the end of the run once more, and no further."""
    if not follow:
        yield
        return
    pause = threading.Event()
    looked_at = SYSTEM_CLOCK.monotonic()
    status = asked.read().status
    while True:
        yield
        if status != "running":
            return
        pause.wait(LOOK_SECONDS)
        now = SYSTEM_CLOCK.monotonic()
        if now - looked_at > _LOST_SECONDS:
            looked_at = now
            status = asked.read().status
        else:
            status = asked.store.records.get_run(asked.run_id).status
