"""Stores the batches that have arrived: in few threads, and fairly between runs.

A batch waits in its run's queue; a thread takes all that wait in one run, then the next run has its
turn. So one run's batches are stored one after the other, and a run whose file cannot be written
just now holds up nobody else. What would wait too long is not taken in: the sender has it in its
journal, and is told when to come again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from quark.errors import SessionStoreError

_RETRY_SECONDS = 1.0
#: So many batches of one run are stored before another run has its turn.
_TURN = 16


class PutOffError(SessionStoreError):
    """A batch that has to come again later. ``reason`` is a word for counting."""

    def __init__(self, reason: str, message: str, *, seconds: float = _RETRY_SECONDS) -> None:
        super().__init__(f"{message} Send it again in {seconds:g} s.")
        self.reason = reason
        self.retry_after_seconds = seconds


class RunPlace(NamedTuple):
    """Which run, of all tenants."""

    workspace: str
    storage_dir: str
    run_id: str


@dataclass(slots=True, eq=False)
class _Waiting:
    """A batch that waits, and who waits for it."""

    store: Callable[[], int]
    size_bytes: int
    answer: asyncio.Future[int]


class IngestQueue:
    """Carries out what stores batches, a run's in order. Belongs to one event loop.

    Args:
        max_batches: So many may wait or be stored at once,
        max_bytes: and together have so many bytes.
        threads: So many runs are written at once.
    """

    def __init__(self, *, max_batches: int, max_bytes: int, threads: int) -> None:
        self._max_batches = max_batches
        self._max_bytes = max_bytes
        self._threads = threads
        self._limiter: CapacityLimiter | None = None
        self._lock = threading.Lock()
        self._waiting: OrderedDict[RunPlace, deque[_Waiting]] = OrderedDict()
        self._busy: set[RunPlace] = set()
        self._drain_count = 0
        self._drains: set[asyncio.Task[None]] = set()
        self._batches = 0
        self._bytes = 0

    @property
    def batches(self) -> int:
        """How many batches wait or are being stored."""
        return self._batches

    @property
    def size_bytes(self) -> int:
        """How many bytes they have."""
        return self._bytes

    def check_room(self, place: RunPlace, size_bytes: int) -> None:
        """Refuse a batch for which there is no room.

        A run may have as many batches here as there is room left for others.

        Raises:
            PutOffError: It has to come again later.
        """
        room = self._max_batches - self._batches
        if room <= 0 or self._bytes + size_bytes > self._max_bytes:
            raise PutOffError(
                "queue_full",
                f"{self._batches} batches of {self._bytes} bytes wait to be stored, which is as "
                "much as this service queues.",
            )
        mine = self._waiting.get(place)
        if mine is not None and len(mine) >= room:
            raise PutOffError(
                "run_queue_full",
                f"{len(mine)} batches of run {place.run_id!r} wait to be stored.",
            )

    async def put(self, place: RunPlace, size_bytes: int, store: Callable[[], int]) -> int:
        """Have ``store`` called in its turn, in another thread, and return what it does.

        Raises:
            PutOffError: There is no room.
            QuarkError: What ``store`` raises.
        """
        self.check_room(place, size_bytes)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(store, size_bytes, answer)
        self._batches += 1
        self._bytes += size_bytes
        with self._lock:
            self._waiting.setdefault(place, deque()).append(waiting)
            # The thread that is at this run looks again before it ends.
            needs_thread = place not in self._busy and self._drain_count < self._threads
            self._drain_count += needs_thread
        if needs_thread:
            drain = asyncio.create_task(self._drain_in_thread())
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)
        return await answer

    async def close(self) -> None:
        """Wait until everything that was taken in is stored."""
        while self._drains:
            await asyncio.wait(self._drains)

    async def _drain_in_thread(self) -> None:
        if self._limiter is None:
            self._limiter = CapacityLimiter(self._threads)
        loop = asyncio.get_running_loop()
        await run_sync(self._drain, loop, limiter=self._limiter)

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            with self._lock:
                turn = self._next_turn()
                if turn is None:
                    self._drain_count -= 1
                    return
            place, batches = turn
            outcomes = [_outcome(batch.store) for batch in batches]
            with self._lock:
                self._busy.discard(place)
            loop.call_soon_threadsafe(self._answer, batches, outcomes)

    def _next_turn(self) -> tuple[RunPlace, list[_Waiting]] | None:
        place = next((place for place in self._waiting if place not in self._busy), None)
        if place is None:
            return None
        queue = self._waiting[place]
        batches = [queue.popleft() for _ in range(min(_TURN, len(queue)))]
        if queue:
            self._waiting.move_to_end(place)
        else:
            del self._waiting[place]
        self._busy.add(place)
        return place, batches

    def _answer(self, batches: list[_Waiting], outcomes: list[int | Exception]) -> None:
        for batch, outcome in zip(batches, outcomes, strict=True):
            self._batches -= 1
            self._bytes -= batch.size_bytes
            if batch.answer.done():  # whoever waited has gone
                continue
            if isinstance(outcome, Exception):
                batch.answer.set_exception(outcome)
            else:
                batch.answer.set_result(outcome)


def _outcome(store: Callable[[], int]) -> int | Exception:
    try:
        return store()
    except Exception as error:
        return error
