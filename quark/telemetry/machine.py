"""What one session sees of the machine: its part of the readings, and what it is told of faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quark.records import EventRecord
from quark.telemetry.reading import NOTHING, Reading, Selection, Wanted, select
from quark.telemetry.readings import Readings, Subscription

if TYPE_CHECKING:
    from quark.session.handle import RunHandle


class MachineView:
    """Subscribes to readings for one run. Owns its subscription, which :meth:`close` ends.

    ``on_selection`` is given each reading's part on the background thread. Faults go to the run's
    fault log; that there is no GPU is none, and becomes an event ``telemetry_unavailable``, once.
    """

    def __init__(
        self,
        handle: RunHandle,
        readings: Readings,
        wanted: Wanted,
        interval_seconds: float,
        *,
        on_selection: Callable[[Selection], None] = lambda selection: None,
        outlive_fork: bool = False,
    ) -> None:
        self._handle = handle
        self._readings = readings
        self._wanted = wanted
        self._on_selection = on_selection
        self._selection = NOTHING
        self._said: set[str] = set()
        self._subscription: Subscription | None = None
        if wanted.cpu or wanted.gpu:
            self._subscription = Subscription(
                wanted=wanted,
                interval_seconds=interval_seconds,
                on_reading=self._take,
                on_trouble=lambda cause, error: handle.faults.record(cause, error, strict=False),
                outlive_fork=outlive_fork,
            )
            readings.subscribe(self._subscription)

    def latest(self) -> Selection:
        """Return the part of the latest reading. Measures nothing; takes a fraction of a µs."""
        reading = self._readings.latest
        if reading is not None and reading.number == self._selection.number:
            return self._selection
        if self._subscription is None:
            return NOTHING
        if reading is None:  # a forked child
            self._selection = NOTHING
            self._readings.refresh_soon()
        else:
            self._selection = select(reading, self._wanted)
        return self._selection

    def measure(self, *, may_raise: bool) -> Selection:
        """Measure now, on this thread, and return the part that is wanted.

        Raises:
            Exception: What a probe raised, if ``may_raise`` and the run is strict.
        """
        if self._subscription is None:
            return NOTHING
        reading = self._readings.measure()
        self._report(reading, strict=None if may_raise else False)
        self._selection = select(reading, self._wanted)
        return self._selection

    def measure_quickly(self) -> Selection | None:
        """Measure what takes a few milliseconds at most; None if nothing does."""
        reading = None if self._subscription is None else self._readings.measure_quickly()
        return None if reading is None else select(reading, self._wanted)

    def close(self) -> None:
        """Want nothing more. A second call does nothing."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._readings.unsubscribe(subscription)

    def _take(self, reading: Reading) -> None:
        if self._handle.closed:  # the run has ended, and nobody closed this
            self.close()
            return
        self._report(reading, strict=False)
        self._on_selection(select(reading, self._wanted))

    def _report(self, reading: Reading, *, strict: bool | None) -> None:
        """Say once what cannot be measured. ``strict`` None leaves it to the run's mode."""
        index = self._wanted.gpu_index
        if self._wanted.gpu and reading.gpus_absent is not None:
            self._say_unavailable(reading.gpus_absent)
        elif self._wanted.gpu and index is not None and index >= reading.gpu_count > 0:
            self._say_unavailable(
                f"gpu_index is {index}, but this process sees {reading.gpu_count} GPUs"
            )
        for cause, error in reading.troubles:
            self._handle.faults.record(cause, error, strict=strict)

    def _say_unavailable(self, reason: str) -> None:
        if reason not in self._said:
            self._said.add(reason)
            self._handle.emit(
                EventRecord,
                event_type="telemetry_unavailable",
                severity="info" if self._wanted.gpu_index is None else "warning",
                payload={"device": "gpu", "reason": reason},
            )
