"""Structured events and log messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from quark.records import EventRecord
from quark.session.events import (
    check_event,
    check_severity,
    default_severity,
    log_payload,
    severity_of,
)
from quark.session.resolve import Target
from quark.storage.model import RecordFilter
from quark.writers.base import RecordWriter
from quark.writers.filters import step_range


class EventLogger(RecordWriter[EventRecord]):
    """Writes events into a run and reads them back.

    >>> import tempfile
    >>> from quark import TrainingSession
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with EventLogger(session) as events:
    ...         _ = events.log("checkpoint_saved", step=3, payload={"path": "step-3.pt"})
    ...         [event.payload["path"] for event in events.read(event_type="checkpoint_saved")]
    ['step-3.pt']
    """

    def __init__(self, session: Target, *, batch_size: int = 100) -> None:
        super().__init__(session, batch_size=batch_size)

    def log(
        self,
        event_type: str,
        *,
        severity: str | None = None,
        step: int | None = None,
        epoch: int | None = None,
        status: str | None = None,
        payload: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
    ) -> EventRecord:
        """Write one event.

        Args:
            event_type: Starts with a lower-case letter and goes on with lower-case letters,
                digits, ``_``, ``.``, ``/`` or ``-``.
            severity: ``debug``, ``info``, ``warning``, ``error`` or ``critical``; if it is left
                out, well-known event types have one, and all others are ``info``.
            payload: Anything that JSON can hold.

        Raises:
            SchemaValidationError: An argument breaks a rule.
            WriterClosedError: The writer was closed or the run has ended.
        """
        self._check_open()
        check_event(event_type, step, epoch)
        severity = default_severity(event_type) if severity is None else check_severity(severity)
        record = self._handle.emit(
            EventRecord,
            timestamp=timestamp,
            event_type=event_type,
            severity=severity,
            step=step,
            epoch=epoch,
            status=status,
            payload=dict(payload or {}),
        )
        return self._add(record)

    def add_log(
        self,
        message: str,
        *,
        identifier: str | None = "Info",
        step: int | None = None,
        epoch: int | None = None,
        status: str | None = None,
        payload: Mapping[str, Any] | None = None,
        timestamp: str | None = None,
        event_type: str = "user_log",
    ) -> EventRecord:
        """Write a log message: ``Info``, ``Warning`` or ``Error``.

        Raises:
            SchemaValidationError: An argument breaks a rule; ``payload`` may not have the keys
                ``message`` and ``identifier``.
            WriterClosedError: The writer was closed or the run has ended.
        """
        return self.log(
            event_type,
            severity=severity_of(identifier),
            step=step,
            epoch=epoch,
            status=status,
            payload=log_payload(message, identifier, payload),
            timestamp=timestamp,
        )

    def read(
        self,
        *,
        event_type: str | None = None,
        event_types: Iterable[str] | None = None,
        severity: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        epoch: int | None = None,
        epoch_min: int | None = None,
        epoch_max: int | None = None,
        limit: int | None = None,
    ) -> tuple[EventRecord, ...]:
        """Return events in the order in which they were stored; ``limit`` keeps the newest.

        Raises:
            SchemaValidationError: A filter breaks a rule.
            SessionStoreError: The store does not answer.
        """
        wanted: dict[str, Any] = {}
        kinds = tuple(event_types or ()) + ((event_type,) if event_type is not None else ())
        if kinds or event_types is not None:
            for kind in kinds:
                check_event(kind, None, None)
            wanted["event_type"] = kinds
        if severity is not None:
            wanted["severity"] = check_severity(severity)
        steps = step_range(step, step_min, step_max, epoch, epoch_min, epoch_max, limit)
        with self._handle.reading() as store:
            where = RecordFilter(steps=steps, equals=wanted)
            return store.records.read(EventRecord, self._handle.run_id, where)
