"""Samples the machine while a run is open, without being asked at any step.

An extension of a session: it starts and ends with the run. Every sample is one telemetry record and
one row of ``system/...`` points that have no step: they are a stream of their own beside the run's
history, and change neither its rows nor its summary.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from quark.clock import format_timestamp
from quark.storage.batch import NO_STEP
from quark.telemetry.machine import MachineView
from quark.telemetry.probes.probe import SHORTEST_WINDOW_SECONDS
from quark.telemetry.reading import Selection, Wanted
from quark.telemetry.readings import READINGS, Readings

if TYPE_CHECKING:
    from quark.session import TrainingSession
    from quark.session.handle import RunHandle
    from quark.storage.batch import Batch


class SystemSampler:
    """Writes a sample every ``settings.system_sample_seconds``; none if that is 0.

    The first one comes about a second after the start, so that a run that is over by then has not
    paid for loading what measures; if that is loaded already, such a run has one sample, too. The
    last one is taken at the end: a rate needs two samples, and a run of seconds has one before.
    """

    def __init__(self, readings: Readings = READINGS) -> None:
        self._readings = readings
        self._lock = threading.Lock()
        self._machine: MachineView | None = None
        self._handle: RunHandle | None = None  # None: nothing is written any more
        self._sampled_us: int | None = None  # the time of the latest sample

    def on_start(self, session: TrainingSession) -> None:
        """Begin to sample in the background."""
        handle = session.handle
        seconds = handle.settings.system_sample_seconds
        if not seconds or handle.settings.mode == "disabled":
            return
        self._handle = handle
        self._machine = MachineView(
            handle,
            self._readings,
            Wanted(folder=str(handle.root)),
            seconds,
            on_selection=self._write,
        )

    def on_batch(self, session: TrainingSession, batch: Batch) -> None:
        """Nothing: what is logged does not concern it."""

    def on_end(self, session: TrainingSession, status: str) -> None:
        """Stop sampling."""
        machine, self._machine = self._machine, None
        if machine is None:
            return
        selection = machine.measure_quickly()
        if selection is not None and self._is_news(selection):
            self._write(selection)
        with self._lock:  # a sample that is being written is finished first
            self._handle = None
        machine.close()

    def _is_news(self, selection: Selection) -> bool:
        before = self._sampled_us
        return before is None or selection.time_us - before >= SHORTEST_WINDOW_SECONDS * 1e6

    def _write(self, selection: Selection) -> None:
        """Write one sample; called on the background thread."""
        from quark.records import SystemTelemetryRecord  # 45 fields: not at the start of a run

        with self._lock:
            handle = self._handle
            if handle is None or not selection.fields:
                return
            self._sampled_us = selection.time_us
            handle.emit(
                SystemTelemetryRecord,
                timestamp=format_timestamp(selection.time_us),
                boundary="time",
                **selection.fields,
            )
            handle.log_row(dict(selection.series), NO_STEP, selection.time_us)
