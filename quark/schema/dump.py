"""A record as a dictionary that says what it is."""

from __future__ import annotations

from typing import Any

from quark.schema.validate import AnyRecord, kind_of, validate_record
from quark.schema.version import CURRENT_SCHEMA_VERSION


def dump_record(record: AnyRecord) -> dict[str, Any]:
    """Return a validated record as plain values, with ``schema_version`` and ``kind``.

    ``kind`` is the kind of record, except for an ``EvidenceRecord``: that has a field of this
    name, which says what was observed.

    Raises:
        SchemaValidationError: The record does not match the current schema.

    >>> from quark.records import MetricNoteRecord
    >>> note = MetricNoteRecord(
    ...     id="w1-1", run_id="run_1", timestamp="2026-05-07T00:00:00Z", metric_key="train/loss"
    ... )
    >>> dumped = dump_record(note)
    >>> dumped["schema_version"], dumped["kind"], dumped["metric_key"]
    (1, 'metric_note', 'train/loss')
    """
    validate_record(record)
    return {
        "schema_version": CURRENT_SCHEMA_VERSION,
        "kind": kind_of(record),
        **record.to_dict(),
    }
