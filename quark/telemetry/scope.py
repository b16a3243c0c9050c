"""One training step while it is being timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from quark.records import SystemTelemetryRecord
    from quark.telemetry.step_record import WrittenRecord


class _Finish(Protocol):
    def __call__(
        self,
        scope: StepTelemetryScope,
        *,
        overflow_occurred: bool,
        skipped_step: bool,
        metadata: Mapping[str, Any] | None,
    ) -> WrittenRecord | None: ...


class StepTelemetryScope:
    """Times a step from ``SystemTelemetry.start_step`` to :meth:`finish`.

    Leaving the ``with`` block finishes it. A step that an exception leaves was no whole step: it is
    not recorded, unless it was finished before.

    The clock is the CPU's, and a GPU is not waited for: that would slow the training down. Where
    work is only queued, as with CUDA, a step takes as long as queueing it does, until the queue is
    full or something in the step (``loss.item()``, a copy to the CPU) waits for the GPU. Over many
    steps the average is right; for single ones call ``torch.cuda.synchronize()`` before the end.
    """

    __slots__ = (
        "_finish",
        "_is_finished",
        "_now",
        "_written",
        "epoch",
        "metadata",
        "ready_at",
        "started_at",
        "step",
    )

    def __init__(
        self,
        finish: _Finish,
        now: Callable[[], float] | None,
        step: int,
        epoch: int | None,
        metadata: Mapping[str, Any] | None,
    ) -> None:
        self._finish = finish
        self._now = now  # None: the step is not recorded, so nothing is timed
        self.step = step
        self.epoch = epoch
        self.metadata = metadata
        self.ready_at: float | None = None
        self._is_finished = False
        self._written: WrittenRecord | None = None
        self.started_at = 0.0 if now is None else now()

    @property
    def is_recorded(self) -> bool:
        """Whether the step is one that ``sample_every_n_steps`` keeps."""
        return self._now is not None

    @property
    def record(self) -> SystemTelemetryRecord | None:
        """What was recorded; None before the end, and for a step that is not kept."""
        return None if self._written is None else self._written.record

    def mark_data_ready(self) -> None:
        """Say that the batch is there: what came before was waiting for data, the rest computing.

        Without it neither is recorded. Of several calls in one step the first counts.
        """
        if self.ready_at is None and self._now is not None:
            self.ready_at = self._now()

    def finish(
        self,
        *,
        overflow_occurred: bool = False,
        skipped_step: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """End the step and record it. A second call does nothing.

        Args:
            overflow_occurred: Gradients overflowed, as mixed precision has it.
            skipped_step: The optimizer made no step.
            metadata: Put on top of that of ``start_step``.

        Raises:
            SchemaValidationError: ``metadata`` cannot be written as JSON.
            WriterClosedError: The telemetry was closed or the run has ended.
        """
        if self._is_finished:
            return
        self._is_finished = True
        self._written = self._finish(
            self,
            overflow_occurred=overflow_occurred,
            skipped_step=skipped_step,
            metadata=metadata,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        self._is_finished = True
