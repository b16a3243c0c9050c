"""Beginning and changing runs for clients that have no session: which records that makes."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from quark import ids, jsonio
from quark.clock import Clock, format_timestamp
from quark.errors import InvalidRunStateError, RunNotFoundError, SchemaValidationError
from quark.naming import check_project_name, check_run_id, check_tag
from quark.records import (
    ENVELOPE,
    RECORD_KINDS,
    AnalysisRecord,
    EventRecord,
    MetricRecord,
    Record,
    RunRecord,
    RunStatus,
)
from quark.records.codec import decode_record
from quark.redact import redact_mapping
from quark.schema.validate import validate_record
from quark.service.run_writing import checked_fields
from quark.storage.admission import check_keys
from quark.storage.frame_content import FrameContent
from quark.storage.layout import relative_run_path
from quark.storage.run_edit import RunEdit, edit_content
from quark.storage.run_state import RUN_KINDS

if TYPE_CHECKING:
    from quark.service.models_writing import MetricsIn, NewRunIn, RunChangeIn
    from quark.storage.protocols import Store

#: Records that have a way of their own into a run.
_ELSEWHERE = {
    **dict.fromkeys(RUN_KINDS, "POST /runs and PATCH /runs/{run_id} write them"),
    MetricRecord.KIND: "POST /runs/{run_id}/metrics writes them",
    AnalysisRecord.KIND: "POST /runs/{run_id}/analyses writes them",
}


def new_run(sent: NewRunIn, run_id: str, store: Store, clock: Clock) -> FrameContent:
    """Return the first records of a run.

    Raises:
        SchemaValidationError: A name breaks a rule.
        RunNotFoundError: The parent is not there.
    """
    check_project_name(sent.project)
    check_run_id(run_id)
    for tag in sent.tags:
        check_tag(tag)
    now_us = clock.time_us()
    now = format_timestamp(now_us)
    root_run_id = run_id
    if sent.parent_run_id is not None:
        parent = store.records.get_run(sent.parent_run_id)
        root_run_id = parent.lineage_root_run_id or parent.id
    run = RunRecord(
        id=run_id,
        run_id=run_id,
        timestamp=now,
        project_id=ids.project_id(_LABEL, sent.project),
        project_name=sent.project,
        workspace=_LABEL,
        status=RunStatus.RUNNING.value,
        parent_run_id=sent.parent_run_id,
        lineage_root_run_id=root_run_id,
        run_path=relative_run_path(run_id),
        git_commit=sent.git_commit,
        tags=tuple(dict.fromkeys(sent.tags)),
        name=sent.name,
        notes=sent.notes,
        group=sent.group,
        job_type=sent.job_type,
        created_at=now,
        updated_at=now,
        config=jsonio.to_plain(redact_mapping(sent.config)),
    )
    validate_record(run)
    content = FrameContent()
    body = {item.name: getattr(run, item.name) for item in fields(run)}
    content.add(RunRecord, now_us, **_without_envelope(body))
    content.add(
        EventRecord,
        now_us,
        event_type="run_started",
        severity="info",
        status=run.status,
        payload={"rank": 0},
    )
    return content


#: What records of a run call their workspace where no session says otherwise.
_LABEL = "local"


def exists(store: Store, run_id: str) -> bool:
    """Say whether there is such a run."""
    try:
        store.records.get_run(run_id)
    except RunNotFoundError:
        return False
    return True


def began_it(store: Store, run_id: str, writer_id: str) -> bool:
    """Say whether a run is there and this writer has begun it."""
    if not exists(store, run_id):
        return False
    part = next(iter(store.records.scan(run_id, (RunRecord.KIND,))), ())
    return bool(part) and part[0].writer_id == writer_id


def exists_already(run_id: str) -> InvalidRunStateError:
    """Return the error that says so."""
    return InvalidRunStateError(
        f"Run {run_id!r} exists already; choose another run_id, or leave it out."
    )


def changed_run(sent: RunChangeIn, run_id: str, store: Store, clock: Clock) -> FrameContent | None:
    """Return the records that change a run, None if nothing changes.

    Raises:
        RunNotFoundError: There is no such run.
        InvalidRunStateError: Its status cannot become the one that is asked for.
        SchemaValidationError: A value breaks a rule.
    """
    given = sent.model_fields_set
    names = ("name", "notes", "group", "job_type", "end_reason", "exit_code")
    edit = RunEdit(
        status=sent.status,
        fields={name: getattr(sent, name) for name in names if name in given},
        tags=None if sent.tags is None else tuple(sent.tags),
        add_tags=tuple(sent.add_tags),
        config=sent.config,
        config_removed=tuple(sent.config_removed),
        summary=sent.summary,
        summary_removed=tuple(sent.summary_removed),
    )
    return edit_content(store.records.get_run(run_id), edit, clock.time_us())


def metric_rows(sent: MetricsIn, clock: Clock) -> FrameContent:
    """Return rows of values as points.

    Raises:
        RecordRejectedError: A key cannot be kept.
    """
    from quark.service.models_writing import time_us_of

    now_us = clock.time_us()
    content = FrameContent()
    for row in sent.rows:
        check_keys(tuple(row.values))
        values = {key: float(value) for key, value in row.values.items()}
        content.add_row(values, row.step, row.epoch, time_us_of(row.timestamp, now_us))
    return content


def plain_records(
    kind_name: str, sent: list[dict[str, Any]], run_id: str, clock: Clock
) -> FrameContent:
    """Return records of one kind, each checked against the schema.

    Raises:
        SchemaValidationError: The kind is not known, has another way in, or a record of it breaks
            a rule.
    """
    from quark.clock import parse_timestamp

    kind: type[Record] | None = RECORD_KINDS.get(kind_name)
    if kind is None or kind_name in _ELSEWHERE:
        known = ", ".join(sorted(set(RECORD_KINDS) - set(_ELSEWHERE)))
        reason = _ELSEWHERE.get(kind_name, "it is no kind of record")
        raise SchemaValidationError(
            f"Records of kind {kind_name[:80]!r} cannot be written here: {reason}. Written here "
            f"are {known}."
        )
    now_us = clock.time_us()
    content = FrameContent()
    for place, given in enumerate(sent):
        values = dict(given)
        stamp = values.pop("timestamp", None)
        try:
            time_us = now_us if stamp is None else parse_timestamp(stamp)
            checked_fields(kind, list(values))
            record = decode_record(
                kind,
                jsonio.loads(jsonio.dumps(values)),
                record_id="-",
                run_id=run_id,
                timestamp=format_timestamp(time_us),
            )
            validate_record(record)
        except (
            SchemaValidationError,
            TypeError,
            ValueError,
            AttributeError,
            OverflowError,
        ) as error:
            raise SchemaValidationError(f"records[{place}]: {error}") from error
        content.add(kind, time_us, **_without_envelope(record.to_dict()))
    return content


def _without_envelope(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in ENVELOPE}
