"""Runtime telemetry of a training: how long steps take, and what the machine does meanwhile."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SchemaValidationError
from quark.records import SystemTelemetryRecord
from quark.session.events import check_index
from quark.session.intake import timestamp_us
from quark.session.resolve import Target
from quark.storage.batch import NO_STEP
from quark.storage.model import RecordFilter
from quark.telemetry.config import SystemTelemetryConfig
from quark.telemetry.machine import MachineView
from quark.telemetry.reading import Selection, Wanted
from quark.telemetry.readings import READINGS, Readings
from quark.telemetry.scope import StepTelemetryScope
from quark.telemetry.step_record import WrittenRecord
from quark.writers.base import RecordWriter
from quark.writers.filters import step_range

BOUNDARIES = ("step", "time")
#: How often a reading is taken in the background.
READING_SECONDS = 1.0

#: Metric keys of what belongs to a step.
STEP_SERIES: Mapping[str, str] = {
    "step_time_ms": "system/runtime/step_time_ms",
    "data_time_ms": "system/runtime/data_time_ms",
    "compute_time_ms": "system/runtime/compute_time_ms",
    "overflow_count": "system/runtime/overflow_count",
    "skipped_step_count": "system/runtime/skipped_step_count",
}
_STEP_SERIES = tuple(STEP_SERIES.items())


class SystemTelemetry(RecordWriter[SystemTelemetryRecord]):
    """Times steps and keeps what the machine does meanwhile.

    A step never measures the machine: a background thread, one for all telemetry of the process,
    takes a reading every second. The record of a step repeats the main numbers of the latest one;
    all of it is in the first record after it was taken. As metrics, timings and counters are
    written for each recorded step, and what was measured once for each reading.

    Without an NVIDIA driver or GPU nothing of GPUs is written, and an event
    ``telemetry_unavailable`` says why. What fails to be measured is said once and counted in
    ``session.diagnostics()``; it never stops a training.

    Args:
        session: A ``TrainingSession`` or the ``RunContext`` of a run.
        batch_size: How many records ``flush`` hands out at most. Records are safe at once and
            delivered about five times a second whatever it is.
        clock: For tests.
        readings: For tests.

    >>> import tempfile
    >>> from quark import TrainingSession
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with SystemTelemetry(session) as telemetry:
    ...         for step in range(3):
    ...             with telemetry.start_step(step) as scope:
    ...                 scope.mark_data_ready()
    ...         [record.step for record in telemetry.read(boundary="step")]
    [0, 1, 2]
    """

    def __init__(
        self,
        session: Target,
        *,
        config: SystemTelemetryConfig | None = None,
        batch_size: int = 20,
        clock: Clock = SYSTEM_CLOCK,
        readings: Readings = READINGS,
    ) -> None:
        super().__init__(session, batch_size=batch_size)
        self._config = config or SystemTelemetryConfig()
        self._clock = clock
        self._every = self._config.sample_every_n_steps
        self._overflow_count = 0
        self._skipped_step_count = 0
        self._unflushed: list[WrittenRecord] = []
        self._recorded_number = 0  # of the reading that is in a record in full
        self._mirrored_number = 0  # of the reading that is in metrics
        root = self._handle.root
        self._machine = MachineView(
            self._handle,
            readings,
            Wanted(
                cpu=self._config.capture_cpu,
                gpu=self._config.capture_gpu,
                gpu_index=self._config.gpu_index,
                folder=str(root) if root.is_dir() else None,
            ),
            READING_SECONDS,
            outlive_fork=True,
        )
        self._machine.measure(may_raise=False)

    # -- steps -------------------------------------------------------------------------------

    def start_step(
        self,
        step: int,
        *,
        epoch: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> StepTelemetryScope:
        """Begin to time a step; use it in a ``with`` statement.

        Args:
            step: Counted from 0.
            epoch: Counted from 0.
            metadata: Anything that JSON can hold.

        Raises:
            SchemaValidationError: ``step`` or ``epoch`` is no integer from 0 on.
            WriterClosedError: The telemetry was closed or the run has ended.
        """
        if self._closed or self._handle.closed:
            self._check_open()
        _check_place(step, epoch)
        now = None if step % self._every else self._clock.monotonic
        return StepTelemetryScope(self._finish_step, now, step, epoch, metadata)

    def record_step(
        self,
        step: int,
        *,
        epoch: int | None = None,
        step_time_ms: float | None = None,
        data_time_ms: float | None = None,
        compute_time_ms: float | None = None,
        overflow_occurred: bool = False,
        skipped_step: bool = False,
        metadata: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
    ) -> SystemTelemetryRecord | None:
        """Record a step that was timed elsewhere; only what is given is written.

        Args:
            step: Counted from 0. None is returned for one that ``sample_every_n_steps`` leaves
                out; its flags are counted all the same.
            overflow_occurred: Gradients overflowed; ``overflow_count`` of this and later records
                goes up by one.
            skipped_step: The optimizer made no step; the same for ``skipped_step_count``.
            metadata: Anything that JSON can hold.
            timestamp: ISO 8601; now if it is left out.

        Raises:
            SchemaValidationError: An argument breaks a rule.
            WriterClosedError: The telemetry was closed or the run has ended.
        """
        self._check_open()
        _check_place(step, epoch)
        timings = {
            name: _milliseconds(name, value)
            for name, value in (
                ("step_time_ms", step_time_ms),
                ("data_time_ms", data_time_ms),
                ("compute_time_ms", compute_time_ms),
            )
            if value is not None
        }
        time_us = self._clock.time_us() if timestamp is None else timestamp_us(timestamp)
        self._count(overflow_occurred, skipped_step)
        if step % self._every:
            return None
        return self._write_step(step, epoch, timings, metadata, time_us).record

    def _finish_step(
        self,
        scope: StepTelemetryScope,
        *,
        overflow_occurred: bool,
        skipped_step: bool,
        metadata: Mapping[str, Any] | None,
    ) -> WrittenRecord | None:
        clock = self._clock
        ended_at = clock.monotonic()
        if self._closed or self._handle.closed:
            self._check_open()
        if overflow_occurred or skipped_step:
            self._count(overflow_occurred, skipped_step)
        if not scope.is_recorded:
            return None
        timings = {"step_time_ms": (ended_at - scope.started_at) * 1000.0}
        if scope.ready_at is not None:
            timings["data_time_ms"] = (scope.ready_at - scope.started_at) * 1000.0
            timings["compute_time_ms"] = (ended_at - scope.ready_at) * 1000.0
        joined = {**(scope.metadata or {}), **metadata} if metadata else scope.metadata
        return self._write_step(scope.step, scope.epoch, timings, joined, clock.time_us())

    def _count(self, overflow_occurred: bool, skipped_step: bool) -> None:
        self._overflow_count += bool(overflow_occurred)
        self._skipped_step_count += bool(skipped_step)

    def _write_step(
        self,
        step: int,
        epoch: int | None,
        timings: dict[str, float],
        metadata: Mapping[str, Any] | None,
        time_us: int,
    ) -> WrittenRecord:
        selection = self._machine.latest()
        own: dict[str, Any] = {
            "boundary": "step",
            "step": step,
            **timings,
            "overflow_count": self._overflow_count,
            "skipped_step_count": self._skipped_step_count,
        }
        if epoch is not None:
            own["epoch"] = epoch
        if metadata:
            own["metadata"] = dict(metadata)
        if selection.number == self._recorded_number:
            fields, encoded = selection.repeated, selection.encoded_repeated
        else:
            fields, encoded = selection.fields, selection.encoded_fields
        written = self._keep(WrittenRecord(self._handle, own, fields, encoded, time_us))
        self._recorded_number = selection.number
        if self._config.emit_scalar_metrics:
            row = {key: own[name] for name, key in _STEP_SERIES if name in own}
            self._mirror(row, selection, step, epoch, time_us)
        return written

    # -- moments -----------------------------------------------------------------------------

    def sample(
        self,
        *,
        step: int | None = None,
        epoch: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
    ) -> SystemTelemetryRecord:
        """Measure the machine now, on this thread, and record it. Takes milliseconds.

        Args:
            step: The step it belongs to; the record's boundary is then ``step``, else ``time``.
            metadata: Anything that JSON can hold.
            timestamp: ISO 8601; now if it is left out.

        Raises:
            SchemaValidationError: An argument breaks a rule.
            WriterClosedError: The telemetry was closed or the run has ended.
            Exception: What a probe raised, if the run is strict.
        """
        self._check_open()
        check_index("step", step)
        check_index("epoch", epoch)
        time_us = self._clock.time_us() if timestamp is None else timestamp_us(timestamp)
        selection = self._machine.measure(may_raise=True)
        own: dict[str, Any] = {
            "boundary": "time" if step is None else "step",
            "step": step,
            "epoch": epoch,
            "overflow_count": self._overflow_count,
            "skipped_step_count": self._skipped_step_count,
            "metadata": dict(metadata or {}),
        }
        own = {name: value for name, value in own.items() if value is not None}
        written = self._keep(
            WrittenRecord(self._handle, own, selection.fields, selection.encoded_fields, time_us)
        )
        self._recorded_number = selection.number
        if self._config.emit_scalar_metrics:
            self._mirror({}, selection, step, epoch, time_us)
        return written.record

    # -- reading back, ending ----------------------------------------------------------------

    def read(
        self,
        *,
        boundary: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        limit: int | None = None,
    ) -> tuple[SystemTelemetryRecord, ...]:
        """Return records in the order in which they were stored; ``limit`` keeps the newest.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        if boundary is not None and boundary not in BOUNDARIES:
            raise SchemaValidationError(
                f"boundary {boundary!r} is not valid: it must be 'step' or 'time'."
            )
        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, limit)
        equals = {} if boundary is None else {"boundary": boundary}
        with self._handle.reading() as store:
            where = RecordFilter(steps=steps, equals=equals)
            return store.records.read(SystemTelemetryRecord, self._handle.run_id, where)

    def flush(self) -> tuple[SystemTelemetryRecord, ...]:
        """Have the store take what was written; return the records since the last flush or batch.

        Raises:
            SessionStoreError: The store cannot take them, and the run is strict.
        """
        self._waiting.extend(written.record for written in self._unflushed)
        self._unflushed.clear()
        return super().flush()

    def close(self) -> None:
        """Flush and close; the background thread ends with the last that needs it."""
        self._machine.close()
        super().close()

    # -- inside ------------------------------------------------------------------------------

    def _mirror(
        self,
        row: dict[str, Any],
        selection: Selection,
        step: int | None,
        epoch: int | None,
        time_us: int,
    ) -> None:
        """Write metrics: ``row``, and what was measured if it has not been written yet."""
        if selection.number != self._mirrored_number:
            self._mirrored_number = selection.number
            row.update(selection.series)
        if epoch is not None:  # a row has no epoch
            for key, value in row.items():
                self._handle.log_metric(key, value, step, epoch, None, None, time_us)
        elif row:
            self._handle.log_row(row, NO_STEP if step is None else step, time_us)

    def _keep(self, written: WrittenRecord) -> WrittenRecord:
        self._unflushed.append(written)
        if len(self._unflushed) >= self._batch_size:
            self._unflushed.clear()
            self._waiting.clear()
        return written


def _check_place(step: int, epoch: int | None) -> None:
    if step is None:
        raise SchemaValidationError("A step's telemetry needs its step: an integer of 0 or more.")
    check_index("step", step)
    if epoch is not None:
        check_index("epoch", epoch)


def _milliseconds(name: str, value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and number >= 0:
            return number
    raise SchemaValidationError(
        f"{name} is {value!r}, but it must be a finite number of milliseconds, 0 or more."
    )
