"""Requests that wait for something to change: thousands of them, without a thread each.

Those that wait for the same thing wait together, and what they are then given is read once. What
this process stores wakes them at once; that somebody else has stored something is noticed by
looking, about every second, and more seldom the more there is to look at.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi.concurrency import run_in_threadpool

from quark.clock import Clock
from quark.errors import QuarkError
from quark.service.ingest import RunPlace

if TYPE_CHECKING:
    from fastapi import Request

#: In a place, instead of a run: the list of runs.
EVERY_RUN = ""

A = TypeVar("A")

_LOOK_SECONDS = 1.0
_MAX_LOOK_SECONDS = 15.0
#: Of all time, at most so much is spent on looking.
_LOOK_RATIO = 0.05
#: What comes within this time after a change is given with it.
_SETTLE_SECONDS = 0.1
_LOOKS_AT_ONCE = 2


class _Group:
    """Requests that wait for the same, and what they share."""

    def __init__(self, place: RunPlace, has_changed: Callable[[], bool]) -> None:
        self.place = place
        self.has_changed = has_changed
        self.members = 0
        self.changed = asyncio.Event()
        self.generation = 0
        self.readings: dict[int, asyncio.Task[Any]] = {}
        self.look: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Have everybody look again; who comes from now on waits for the next change."""
        self.generation += 1
        self.changed.set()
        self.changed = asyncio.Event()


class LiveWaiting:
    """Lets requests of one service process wait. All but :meth:`touched` belongs to its event
    loop."""

    def __init__(self, clock: Clock, *, look_seconds: float = _LOOK_SECONDS) -> None:
        self._clock = clock
        self._look_seconds = look_seconds
        self._settle_seconds = min(_SETTLE_SECONDS, look_seconds)
        self._groups: dict[Hashable, _Group] = {}
        self._by_place: dict[RunPlace, set[_Group]] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looks = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self._mean_look_seconds = 0.0
        self._ending = False

    @property
    def waiting(self) -> int:
        """How many requests wait now."""
        return sum(group.members for group in list(self._groups.values()))

    def touched(self, run: RunPlace) -> None:
        """Say that something of a run was stored. Any thread may, and pays nothing if nobody
        waits."""
        if not self._by_place:
            return
        with self._lock:
            loop = self._loop
            places = (run, run._replace(run_id=EVERY_RUN))
            awaited = [place for place in places if place in self._by_place]
        if awaited and loop is not None:
            with suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(self._wake, awaited)

    def end(self) -> None:
        """Answer everybody who waits, and let nobody wait any more. Any thread may."""
        self._ending = True
        with self._lock:
            loop, places = self._loop, list(self._by_place)
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake, places)

    async def answer(
        self,
        request: Request,
        *,
        place: RunPlace,
        key: Hashable,
        read: Callable[[], A],
        is_empty: Callable[[A], bool],
        has_changed: Callable[[], bool],
        wait_seconds: float,
    ) -> A:
        """Return what ``read`` gives, as soon as it is not empty, or when the time is over.

        Args:
            request: Who waits; nothing is read any more for one that has gone.
            place: Which run has to be touched to be woken.
            key: The same for all that would be given the same.
            read: Reads the answer; runs on a thread.
            is_empty: Whether an answer has nothing to tell.
            has_changed: Whether it is worth to read again; runs on a thread, now and then.
            wait_seconds: For how long to wait.
        """
        deadline = self._clock.monotonic() + wait_seconds
        group = self._join(place, key, has_changed)
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            while True:
                changed = group.changed  # before reading, so that no change is missed
                found = await self._read_once(group, read)
                left = deadline - self._clock.monotonic()
                if left <= 0 or self._ending or not is_empty(found):
                    return found
                woken = asyncio.ensure_future(changed.wait())
                try:
                    await asyncio.wait({woken, gone}, timeout=left, return_when="FIRST_COMPLETED")
                finally:
                    woken.cancel()
                if gone.done():
                    return found
                if changed.is_set() and not self._ending:
                    await asyncio.sleep(min(self._settle_seconds, left))
        finally:
            gone.cancel()
            self._leave(key, group)

    def _join(self, place: RunPlace, key: Hashable, has_changed: Callable[[], bool]) -> _Group:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(place, has_changed)
            with self._lock:
                self._loop = asyncio.get_running_loop()
                self._by_place.setdefault(place, set()).add(group)
            group.look = asyncio.ensure_future(self._keep_looking(group))
        group.members += 1
        return group

    def _leave(self, key: Hashable, group: _Group) -> None:
        group.members -= 1
        if group.members:
            return
        del self._groups[key]
        with self._lock:
            together = self._by_place[group.place]
            together.discard(group)
            if not together:
                del self._by_place[group.place]
        if group.look is not None:
            group.look.cancel()

    async def _read_once(self, group: _Group, read: Callable[[], A]) -> A:
        """Read, or wait for one of the group that reads already, if it began after the change."""
        generation = group.generation
        task = group.readings.get(generation)
        if task is None:
            task = asyncio.ensure_future(run_in_threadpool(read))
            group.readings = {generation: task}
            task.add_done_callback(lambda _: group.readings.pop(generation, None))
        found: A = await asyncio.shield(task)
        return found

    async def _keep_looking(self, group: _Group) -> None:
        while True:
            busy = self._mean_look_seconds * len(self._groups) / _LOOK_RATIO
            await asyncio.sleep(min(max(self._look_seconds, busy), _MAX_LOOK_SECONDS))
            async with self._looks:
                began = self._clock.monotonic()
                try:
                    has_changed = await run_in_threadpool(group.has_changed)
                except QuarkError:
                    has_changed = True  # who waits is told by reading
                took_seconds = self._clock.monotonic() - began
            self._mean_look_seconds += (took_seconds - self._mean_look_seconds) / 8
            if has_changed:
                group.wake()

    def _wake(self, places: list[RunPlace]) -> None:
        for place in places:
            for group in self._by_place.get(place, ()):
                group.wake()


async def _disconnected(request: Request) -> None:
    """Return when the one who asks has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
