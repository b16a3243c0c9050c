"""A telemetry record on its way into the journal, without the cost of making it.

A record has forty fields, and making the object takes longer than writing what is in it. So its
body is joined from two pieces of JSON, what is new and what the reading has ready, and the object
is made when somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quark import ids, jsonio
from quark.clock import format_timestamp
from quark.pipeline.frames import RECORD
from quark.records import SystemTelemetryRecord
from quark.storage.batch import NO_STEP

if TYPE_CHECKING:
    from quark.session.handle import RunHandle

_KIND = SystemTelemetryRecord.KIND.encode() + b"\0"


class WrittenRecord:
    """A record that is in the journal."""

    __slots__ = ("_fields", "_own", "_record", "_run_id", "_seq", "_time_us", "_writer_id")

    def __init__(
        self,
        handle: RunHandle,
        own: Mapping[str, Any],
        fields: Mapping[str, Any],
        encoded_fields: bytes,
        time_us: int,
    ) -> None:
        """Write ``own`` and ``fields`` (which ``encoded_fields`` is the JSON of, without braces).

        Raises:
            SchemaValidationError: Something in ``own`` has no JSON form.
        """
        body = jsonio.dumps(own)
        if encoded_fields:
            body = b"%b,%b}" % (body[:-1], encoded_fields)
        step = own.get("step")
        self._seq = handle.journal.append(
            RECORD, _KIND + body, NO_STEP if step is None else step, time_us
        )
        self._writer_id = handle.journal.writer_id
        self._run_id = handle.run_id
        self._own = own
        self._fields = fields
        self._time_us = time_us
        self._record: SystemTelemetryRecord | None = None

    @property
    def record(self) -> SystemTelemetryRecord:
        """The record as it is read back; its id is empty if it was dropped."""
        if self._record is None:
            self._record = SystemTelemetryRecord(
                id=ids.record_id(self._writer_id, self._seq) if self._seq else "",
                run_id=self._run_id,
                timestamp=format_timestamp(self._time_us),
                **self._own,
                **self._fields,
            )
        return self._record
