"""What takes long and must not hold up a training, nor the delivery of what it logs.

An image has to be encoded, a file to be hashed and copied: seconds, where a batch of points takes
milliseconds. So payloads have a queue and a thread of their own, which starts with the first of
them. Unlike a measurement, a payload is never dropped: where too much waits already, whoever brings
the next one does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from quark import ui
from quark.clock import SYSTEM_CLOCK, Clock
from quark.pipeline.deferred import MAX_WAITING_BYTES, Deferred, DeferredQueue
from quark.pipeline.faults import FaultLog
from quark.pipeline.unsynced import UnsyncedPayloads
from quark.pipeline.worker import BackgroundWorker

#: How long a payload may rest unsynced; otherwise the thread is woken by whoever brings something.
_INTERVAL_SECONDS = 5.0
#: Who waits longer than this for payloads is told what for.
_SAID_FROM_SECONDS = 1.0
#: What payloads are taken to cost until many were timed: about what images do. The first few,
#: which wait for modules to be loaded, say little.
_FIRST_BYTES, _FIRST_SECONDS = 20_000_000, 1.0


class _TimedQueue(DeferredQueue):
    """A queue that knows how long what waits is going to take."""

    def __init__(self, faults: FaultLog, max_bytes: int, clock: Clock) -> None:
        super().__init__(faults, max_bytes)
        self._clock = clock
        self._done_bytes, self._done_seconds = _FIRST_BYTES, _FIRST_SECONDS

    def _attempt(self, work: Deferred) -> None:
        begun = self._clock.monotonic()
        super()._attempt(work)
        self._done_seconds += self._clock.monotonic() - begun
        self._done_bytes += work.size_bytes

    def drain(self) -> None:
        for work in reversed(tuple(self._waiting)):  # the thread of the queue is at the front
            work.prepare()
        super().drain()

    @property
    def seconds_left(self) -> float:
        return self._waiting_bytes * self._done_seconds / self._done_bytes

    def waiting(self) -> str:
        """Say how many of what wait."""
        with self._count_lock:
            kinds = [work.what for work in tuple(self._waiting)]
        what = kinds[0] if len(set(kinds)) == 1 else "payload"
        return f"{len(kinds):,} {what}{'s' * (len(kinds) != 1)}"


class PayloadQueue:
    """Resolves payloads in the background, in order. Owns its worker.

    Any thread may add. In a forked child it begins anew: what waits is the parent's.

    ``unsynced`` gives what syncs the payloads that were stored without; ``quiet`` says whether the
    user is to be told nothing; ``duty`` is called in the background every few seconds.
    """

    def __init__(
        self,
        faults: FaultLog,
        max_bytes: int = MAX_WAITING_BYTES,
        *,
        unsynced: Callable[[], UnsyncedPayloads] | None = None,
        quiet: Callable[[], bool] = lambda: False,
        duty: Callable[[], None] = lambda: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._duty = duty
        self._faults = faults
        self._max_bytes = max_bytes
        self._new_unsynced = unsynced
        self._quiet = quiet
        self._clock = clock
        self._behind_was_said = False
        self._wait_was_said = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._queue = _TimedQueue(self._faults, self._max_bytes, self._clock)
        self._unsynced = None if self._new_unsynced is None else self._new_unsynced()
        self._worker = BackgroundWorker(  # its thread starts with the first payload
            self._work,
            name="quark-payloads",
            interval_seconds=_INTERVAL_SECONDS,
            faults=self._faults,
        )

    def add(self, work: Deferred) -> None:
        """Take ``work``; do it here and now if too much waits, or after :meth:`close`."""
        if self._queue.add(work):
            self._worker.wake()
            return
        if not (self._queue.closed or self._behind_was_said or self._quiet()):
            self._behind_was_said = True
            ui.say(
                "payloads come faster than they can be kept: more than "
                f"{self._max_bytes >> 20} MiB wait, so the calls that log them wait too now."
            )
        self._queue.do(work)

    def sync_later(self, digests: Iterable[str]) -> None:
        """Bring payloads that were stored without it through to the disk: soon, together with
        others, and before :meth:`close` returns."""
        if self._unsynced is not None:
            self._unsynced.add(digests)
            if self._queue.closed:
                self._unsynced.sync()

    def drain(self) -> None:
        """Do everything that waits.

        Raises:
            Exception: What a payload failed with, in strict mode.
        """
        self._say_what_is_waited_for()
        self._queue.drain()

    def close(self, timeout_seconds: float) -> None:
        """Do everything that waits and stop the thread; later payloads are done where they come.

        Raises:
            Exception: What a payload failed with, in strict mode. Everything is closed.
        """
        self._say_what_is_waited_for()
        try:
            self._queue.close()
        finally:
            if self._unsynced is not None:
                self._unsynced.sync()
            self._worker.close(timeout_seconds)

    def reset_after_fork(self) -> None:
        """In a forked child: begin anew."""
        self._begin_anew()

    def _work(self) -> None:
        """Called in the background."""
        self._queue.work()
        if self._unsynced is not None:
            self._unsynced.sync_if_due()
        if not self._queue.closed:
            self._duty()

    def start(self) -> None:
        """Begin with the duty, also if there is no payload yet."""
        self._worker.start()

    def wake(self) -> None:
        """Have the duty done soon, without waiting for it."""
        self._worker.wake()

    def _say_what_is_waited_for(self) -> None:
        seconds = self._queue.seconds_left
        if seconds > _SAID_FROM_SECONDS and not self._wait_was_said and not self._quiet():
            self._wait_was_said = True
            ui.say(f"keeping {self._queue.waiting()}, for about {seconds:.0f} s ...")
