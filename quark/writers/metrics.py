"""Scalar metrics under names of the user's choice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.errors import SchemaValidationError
from quark.naming import split_key
from quark.pipeline.rows import as_scalar_or_list
from quark.records import EventRecord, MetricRecord
from quark.session.events import check_index
from quark.session.intake import timestamp_us
from quark.session.resolve import Target
from quark.writers.base import RecordWriter
from quark.writers.filters import step_range
from quark.writers.metric_reading import read_metrics


class MetricsLogger(RecordWriter[MetricRecord]):
    """Writes scalar metrics into a run and reads them back.

    >>> import tempfile
    >>> from quark import TrainingSession
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with MetricsLogger(session) as metrics:
    ...         _ = metrics.log("train/loss", 0.5, step=0)
    ...         _ = metrics.log("train/loss", 0.25, step=1)
    ...         [record.value for record in metrics.read(metric_key="train/loss")]
    [0.5, 0.25]
    """

    def __init__(self, session: Target, *, batch_size: int = 100) -> None:
        super().__init__(session, batch_size=batch_size)

    def log(
        self,
        metric: str,
        value: float,
        *,
        step: int | None = None,
        epoch: int | None = None,
        namespace: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
    ) -> MetricRecord:
        """Write one sample. When this returns, it survives the death of the process.

        Args:
            metric: A full key such as ``train/loss``, or a name within ``namespace``.
            value: A finite number; numpy and torch scalars are taken too.
            step: Counted from 0. At least one of ``step`` and ``epoch`` is needed.
            epoch: Counted from 0.
            description: What the metric means, for people.
            metadata: Anything that JSON can hold.
            timestamp: ISO 8601; now if it is left out.

        Raises:
            SchemaValidationError: An argument breaks a rule. A value that is not finite is refused,
                and a ``non_finite_metric`` event is kept so that it can be judged.
            WriterClosedError: The writer was closed or the run has ended.
        """
        if self._closed or self._handle.closed:
            self._check_open()
        name = split_key(metric, namespace)
        if type(value) is not float:
            value = _as_number(name.key, value)
        if step is None and epoch is None:
            raise SchemaValidationError(
                f"Metric {name.key!r} needs a place: pass step=, epoch= or both."
            )
        check_index("step", step)
        check_index("epoch", epoch)
        if not math.isfinite(value):
            self._refuse(name.key, value, step, epoch)
        time_us = SYSTEM_CLOCK.time_us() if timestamp is None else timestamp_us(timestamp)
        record_id = self._handle.log_metric(
            name.key, value, step, epoch, description, metadata, time_us
        )
        record = MetricRecord(
            id=record_id,
            run_id=self._handle.run_id,
            timestamp=format_timestamp(time_us),
            metric_key=name.key,
            namespace=name.namespace,
            metric_name=name.name,
            value=value,
            step=step,
            epoch=epoch,
            description=description,
            metadata=metadata or {},
        )
        return self._add(record)

    def _refuse(self, key: str, value: float, step: int | None, epoch: int | None) -> None:
        self._handle.emit(
            EventRecord,
            event_type="non_finite_metric",
            severity="warning",
            step=step,
            epoch=epoch,
            payload={"metric_key": key, "value": value},
        )
        raise SchemaValidationError(
            f"Metric {key!r} has the value {value!r} at step {step}, epoch {epoch}: values must be "
            "finite. An event 'non_finite_metric' was kept for the analyzers."
        )

    def read(
        self,
        *,
        metric_key: str | None = None,
        namespace: str | None = None,
        metric_name: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        limit: int | None = None,
    ) -> tuple[MetricRecord, ...]:
        """Return samples in the order in which they were logged; ``limit`` keeps the newest.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, limit)
        with self._handle.reading() as store:
            return read_metrics(
                store,
                self._handle.run_id,
                metric_key=metric_key,
                namespace=namespace,
                metric_name=metric_name,
                steps=steps,
            )


def _as_number(key: str, value: Any) -> float:
    """Return a scalar of any numeric kind as a float.

    Raises:
        SchemaValidationError: It is no single number, or no float can hold it.
    """
    number = value
    if type(number) is not int and not isinstance(number, (bool, str, bytes)):
        try:
            number = as_scalar_or_list(number)
        except (TypeError, SchemaValidationError):
            number = None
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        try:
            return float(number)
        except OverflowError:
            pass
    raise SchemaValidationError(
        f"Metric {key!r} has the value {value!r} of type {type(value).__name__}: it must be a "
        "single number that a 64-bit float can hold."
    )
