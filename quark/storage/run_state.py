"""A run's row: made from its first ``run`` record, changed by every update after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from quark import jsonio
from quark.clock import format_timestamp, parse_timestamp
from quark.errors import RecordRejectedError, SchemaValidationError
from quark.records import (
    RECORD_KINDS,
    ConfigUpdateRecord,
    RunChange,
    RunRecord,
    RunUpdateRecord,
    SummaryUpdateRecord,
    fold_run,
)
from quark.records.codec import decode_record
from quark.storage.model import EncodedRecord, RunQuery

CHANGE_KINDS = frozenset({RunUpdateRecord.KIND, ConfigUpdateRecord.KIND, SummaryUpdateRecord.KIND})
RUN_KINDS = CHANGE_KINDS | {RunRecord.KIND}


def apply_records(
    run: RunRecord | None, run_id: str, records: Iterable[EncodedRecord]
) -> RunRecord | None:
    """Return the run after ``records``: the same object if nothing changed it, None if there is
    still none. A ``run`` record counts only while there is no run.

    Raises:
        RecordRejectedError: A record's body does not fit its kind.
    """
    relevant = [record for record in records if record.kind in RUN_KINDS]
    if run is None:
        first = next((record for record in relevant if record.kind == RunRecord.KIND), None)
        if first is None:
            return None
        run = _started(run_id, first)
    for record in relevant:
        if record.kind in CHANGE_KINDS:
            run = _changed(run, record)
    return run


def decode_run(run_id: str, body: bytes, timestamp: str) -> RunRecord:
    """Read a run's row from what ``records.codec.encode_body`` wrote."""
    return decode_record(
        RunRecord, jsonio.loads(body), record_id=run_id, run_id=run_id, timestamp=timestamp
    )


def creation_time_us(run: RunRecord) -> int:
    """Return when the run was created, for sorting; odd times count as the record's own."""
    for text in (run.created_at, run.timestamp):
        try:
            return parse_timestamp(text)
        except ValueError:
            continue
    return 0


def matches_query(run: RunRecord, query: RunQuery) -> bool:
    """Say whether ``run`` is one that ``query`` asks for, its paging aside."""
    return (
        (query.project is None or query.project in (run.project_name, run.project_id))
        and (query.workspace is None or query.workspace == run.workspace)
        and (query.status is None or query.status == run.status)
        and (query.group is None or query.group == run.group)
        and set(query.tags) <= set(run.tags)
    )


def _started(run_id: str, record: EncodedRecord) -> RunRecord:
    timestamp = format_timestamp(record.time_us)
    try:
        run = decode_run(run_id, record.body, timestamp)
    except (SchemaValidationError, TypeError, ValueError) as error:
        raise RecordRejectedError(f"The record that creates run {run_id!r}: {error}") from error
    return replace(
        run, created_at=run.created_at or timestamp, updated_at=run.updated_at or timestamp
    )


def _changed(run: RunRecord, record: EncodedRecord) -> RunRecord:
    kind: Any = RECORD_KINDS[record.kind]
    try:
        change: RunChange = decode_record(
            kind,
            jsonio.loads(record.body),
            record_id="",
            run_id=run.id,
            timestamp=format_timestamp(record.time_us),
        )
        return fold_run(run, change)
    except (SchemaValidationError, TypeError, ValueError, AttributeError) as error:
        raise RecordRejectedError(
            f"Frame {record.seq} changes run {run.id!r} in a way that does not fit the kind "
            f"{record.kind!r}: {error}"
        ) from error
