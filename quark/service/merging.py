"""Packs points in the background, so that no append waits for it.

Packing is all computation, and in the service's own process it would take the interpreter away
from whoever waits for an answer; so other processes do it, with less of the cores than the service.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import DamagedFileError, QuarkError, RunNotFoundError
from quark.pipeline.faults import FaultLog
from quark.pipeline.worker import BackgroundWorker
from quark.service.ingest import RunPlace
from quark.service.merge_child import MergeChild
from quark.storage.merge import MERGE_POINTS
from quark.storage.protocols import Store

_LOOK_SECONDS = 1.0
#: So many new batches are reason enough to look whether something is to be packed.
_LOOK_BATCHES = 64
#: A run that nothing comes from for so long is looked at, and then known no longer.
_IDLE_SECONDS = 600.0
#: Runs that are known at once; see :meth:`Merging._make_room`.
_MAX_RUNS = 4096


class Merger(Protocol):
    """Packs a run's points and returns when that is done."""

    def merge(self, place: RunPlace, store: Store, *, final: bool) -> None: ...

    def close(self, timeout_seconds: float) -> None: ...


class InThisProcess:
    """Packs where it is called."""

    def merge(self, place: RunPlace, store: Store, *, final: bool) -> None:
        store.points.merge(place.run_id, final=final)

    def close(self, timeout_seconds: float) -> None: ...


@dataclass(slots=True)
class _Run:
    """What came since a run was last looked at."""

    store: Store
    seen_seconds: float = 0.0
    points: int = 0
    batches: int = 0
    final: bool = False
    is_taken: bool = False

    @property
    def is_due(self) -> bool:
        return self.final or self.points >= MERGE_POINTS or self.batches >= _LOOK_BATCHES


class Merging:
    """Has runs that got points packed. Owns its workers and their processes.

    It knows of a run from its first new points until they were looked at, and of no more than
    ``max_runs``: those of scripts that died without a word are looked at when they have been silent
    for a while.

    Args:
        mergers: What packs; each has a worker that waits for it.
        faults: Where it is noted what went wrong.
        observe: Told after each merge how many seconds it took.
    """

    def __init__(
        self,
        mergers: list[Merger],
        *,
        faults: FaultLog,
        observe: Callable[[float], None] = lambda seconds: None,
        clock: Clock = SYSTEM_CLOCK,
        max_runs: int = _MAX_RUNS,
    ) -> None:
        self.faults = faults
        self._max_runs = max_runs
        self._observe = observe
        self._clock = clock
        self._lock = threading.Lock()
        self._runs: OrderedDict[RunPlace, _Run] = OrderedDict()  # the one seen last at the end
        self._closing = False
        self._mergers = mergers
        self._workers = [
            BackgroundWorker(
                lambda merger=merger: self._work(merger),  # type: ignore[misc]
                name=f"quark-merging-{number}",
                interval_seconds=_LOOK_SECONDS,
                faults=self.faults,
            )
            for number, merger in enumerate(mergers)
        ]

    def start(self) -> None:
        """Begin to work in the background."""
        for worker in self._workers:
            worker.start()

    def add(self, place: RunPlace, store: Store, *, points: int = 0, final: bool = False) -> None:
        """Note that a run got points, or has ended and is to be packed as a whole."""
        with self._lock:
            run = self._runs.get(place)
            if run is None:
                self._make_room()
                run = self._runs[place] = _Run(store)
            self._runs.move_to_end(place)
            run.store = store
            run.seen_seconds = self._clock.monotonic()
            run.points += points
            run.batches += 1
            run.final = run.final or final
            wakes = run.is_due and not run.is_taken
        if wakes:
            for worker in self._workers:
                worker.wake()

    def backlog_points(self, place: RunPlace | None = None) -> int:
        """Return how many points came that nobody has looked at since, of one run or of all."""
        with self._lock:
            if place is None:
                return sum(run.points for run in self._runs.values())
            run = self._runs.get(place)
            return 0 if run is None else run.points

    def close(self, timeout_seconds: float) -> None:
        """Stop after the merges under way; what was not packed is when its run gets new points."""
        self._closing = True
        deadline = self._clock.monotonic() + timeout_seconds
        for merger in self._mergers:
            merger.close(max(0.0, deadline - self._clock.monotonic()))
        for worker in self._workers:
            worker.close(max(0.1, deadline - self._clock.monotonic()))

    def _work(self, merger: Merger) -> None:
        failed: set[RunPlace] = set()  # not at once again: in the next round
        while not self._closing:
            taken = self._take(failed)
            if taken is None:
                return
            place, run = taken
            points, batches, final = run.points, run.batches, run.final
            begin = self._clock.monotonic()
            try:
                is_done = self._merge(merger, place, run.store, final=final)
            finally:
                run.is_taken = False
            if not is_done:
                failed.add(place)
                run.seen_seconds = self._clock.monotonic()
                continue
            self._observe(self._clock.monotonic() - begin)
            with self._lock:
                run.points -= points
                run.batches -= batches
                run.final = run.final and not final
                if run.batches == 0 and self._runs.get(place) is run:
                    del self._runs[place]

    def _take(self, failed: set[RunPlace]) -> tuple[RunPlace, _Run] | None:
        with self._lock:
            silent_since = self._clock.monotonic() - _IDLE_SECONDS
            due = [
                item
                for item in self._runs.items()
                if (item[1].is_due or item[1].seen_seconds <= silent_since)
                and not item[1].is_taken
                and item[0] not in failed
            ]
            chosen = max(due, key=lambda item: item[1].points, default=None)
            if chosen is not None:
                chosen[1].is_taken = True
            return chosen

    def _make_room(self) -> None:
        """Forget the run that was silent for longest, where too many are known.

        That takes nothing from it: with its next points it is counted anew, and who packs sees
        what there is. One that is due now is forgotten only where all of them are.
        """
        if len(self._runs) < self._max_runs:
            return
        free = [place for place, run in self._runs.items() if not run.is_taken]
        quiet = (place for place in free if not self._runs[place].is_due)
        oldest = next(quiet, free[0] if free else None)
        if oldest is not None:
            del self._runs[oldest]

    def _merge(self, merger: Merger, place: RunPlace, store: Store, *, final: bool) -> bool:
        try:
            merger.merge(place, store, final=final)
        except RunNotFoundError:
            return True  # deleted meanwhile
        except DamagedFileError as error:
            self.faults.record("points were damaged and set aside", error)
        except QuarkError as error:
            if not self._closing:
                self.faults.record("points could not be packed", error)
            return False
        return True


def mergers(count: int, start: Callable[[], MergeChild]) -> list[Merger]:
    """Return ``count`` processes that pack, or this one if that is 0."""
    return [start() for _ in range(count)] if count else [InThisProcess()]
