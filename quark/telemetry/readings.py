"""The latest reading of the machine, kept fresh in the background. One thread for a whole process.

A step of a training takes what is there and never measures; a probe may take milliseconds, and a
driver that hangs takes for ever. Whoever wants readings subscribes; the thread runs as long as
somebody does. A forked child has no thread until a subscriber that lives on in it asks for one.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from quark.clock import SYSTEM_CLOCK, Clock
from quark.pipeline.faults import FaultLog
from quark.pipeline.worker import BackgroundWorker
from quark.telemetry.barrier import OnTrouble, guarded
from quark.telemetry.probe_set import ProbeSet, probes_of_this_machine
from quark.telemetry.reading import Reading, Trouble, Wanted

#: The longest time between two looks at who is due.
TICK_SECONDS = 1.0
#: How long the end of the last subscription waits for a probe that is at work.
CLOSE_SECONDS = 0.5


@dataclass(slots=True, kw_only=True, eq=False)
class Subscription:
    """Who wants what, and how often. ``on_reading`` is called on the background thread.

    One that does not ``outlive_fork`` is gone in a forked child.
    """

    wanted: Wanted
    interval_seconds: float
    on_reading: Callable[[Reading], None]
    on_trouble: OnTrouble
    outlive_fork: bool = False
    due_at: float = 0.0


class Readings:
    """Measures for its subscribers. Owns its worker, which starts and ends with them.

    ``latest`` is the newest reading; None before the first one and after a fork. Any thread may
    use it.
    """

    def __init__(
        self,
        make_probes: Callable[[Clock], ProbeSet] = probes_of_this_machine,
        clock: Clock = SYSTEM_CLOCK,
        make_worker: Callable[..., BackgroundWorker] = BackgroundWorker,
    ) -> None:
        self._make_probes = make_probes
        self._clock = clock
        self._make_worker = make_worker
        self._subscriptions: tuple[Subscription, ...] = ()
        self._number = 0
        self._faults = FaultLog()
        self._forget()
        _ALL.add(self)

    def _forget(self) -> None:
        """Begin with nothing measured, no thread and no lock held."""
        self._lock = threading.RLock()  # reentrant: a signal handler may end a run
        self._measuring = threading.Lock()
        self._worker: BackgroundWorker | None = None
        self._tick_seconds = TICK_SECONDS
        self._probes: ProbeSet | None = None
        self.latest: Reading | None = None

    # -- who wants readings ------------------------------------------------------------------

    def subscribe(self, subscription: Subscription) -> None:
        """Measure for ``subscription`` from now on; the first time after one tick."""
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
            self._start()

    def unsubscribe(self, subscription: Subscription) -> None:
        """Measure for it no longer; the thread ends with the last one. Harmless if done twice."""
        with self._lock:
            self._subscriptions = tuple(
                one for one in self._subscriptions if one is not subscription
            )
            worker = None if self._subscriptions else self._worker
            if worker is not None:
                self._worker = None
        if worker is not None:
            worker.close(CLOSE_SECONDS)

    def refresh_soon(self) -> None:
        """Have a reading taken in the background at once: in a forked child, which has none."""
        with self._lock:
            for subscription in self._subscriptions:
                subscription.due_at = 0.0
            self._start()
            if self._worker is not None:
                self._worker.wake()

    def _start(self) -> None:
        """Let the worker run, as often as the most impatient subscriber needs it."""
        if not self._subscriptions:
            return
        wanted = min(TICK_SECONDS, *(one.interval_seconds for one in self._subscriptions))
        if self._worker is None or wanted < self._tick_seconds:
            if self._worker is not None:
                self._worker.close(0.0)
            self._tick_seconds = wanted
            self._worker = self._make_worker(
                self.tick, name="quark-telemetry", interval_seconds=wanted, faults=self._faults
            )
        self._worker.start()

    # -- measuring ---------------------------------------------------------------------------

    def measure(self) -> Reading:
        """Measure now, on the calling thread, what all subscribers want."""
        with self._measuring:
            return self._measure(self._with_gpus())

    def measure_quickly(self) -> Reading | None:
        """Measure now what takes no more than a few milliseconds; None if nothing does.

        Nothing is loaded for it, and nobody is waited for.
        """
        if self._probes is None or not self._measuring.acquire(blocking=False):
            return None
        try:
            return self._measure(self._with_gpus() and self._probes.gpus_are_ready)
        finally:
            self._measuring.release()

    def tick(self) -> None:
        """Measure for those who are due. What the worker calls."""
        soon = self._clock.monotonic() + self._tick_seconds / 2
        due = [one for one in self._subscriptions if one.due_at <= soon]
        if not due:
            return
        reading = self.measure()
        now = self._clock.monotonic()
        for subscription in due:
            subscription.due_at = now + subscription.interval_seconds
            guarded(
                "a reading could not be passed on",
                lambda to=subscription: to.on_reading(reading),  # type: ignore[misc]
                subscription.on_trouble,
            )

    def _with_gpus(self) -> bool:
        return any(one.wanted.gpu for one in self._subscriptions)

    def _measure(self, with_gpus: bool) -> Reading:
        self._number += 1
        wanted = [one.wanted for one in self._subscriptions]
        troubles: list[Trouble] = []
        if self._probes is None:
            self._probes = guarded(
                "nothing can be measured",
                lambda: self._make_probes(self._clock),
                lambda cause, error: troubles.append(Trouble(cause, error)),
            )
        if self._probes is None:
            self.latest = Reading(
                number=self._number, time_us=self._clock.time_us(), troubles=tuple(troubles)
            )
            return self.latest
        self.latest = self._probes.look(
            self._number,
            self._clock,
            cpu=any(one.cpu for one in wanted),
            gpu=with_gpus,
            folders=sorted({one.folder for one in wanted if one.cpu and one.folder is not None}),
        )
        return self.latest

    def after_fork(self) -> None:
        """In a forked child: the thread is not here, and what was measured is the parent's."""
        self._forget()
        self._subscriptions = tuple(one for one in self._subscriptions if one.outlive_fork)


_ALL: weakref.WeakSet[Readings] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for readings in tuple(_ALL):
        readings.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)

#: The readings of this process.
READINGS = Readings()
