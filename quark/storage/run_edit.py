"""Changing a run from beside its training: what is asked for, and which records say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quark import jsonio
from quark.clock import format_timestamp
from quark.records import (
    TERMINAL_STATUSES,
    ConfigUpdateRecord,
    EventRecord,
    RunRecord,
    RunStatus,
    RunUpdateRecord,
    SummaryUpdateRecord,
    check_run_transition,
)
from quark.redact import redact_mapping
from quark.schema.validate import validate_record
from quark.storage.frame_content import FrameContent

#: A run with this tag is put away: lists leave it out unless they are asked for it. A tag, so that
#: every engine, every client and ``wandb.Api`` can put runs away and find them.
ARCHIVED_TAG = "archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEdit:
    """New values for some fields of a run.

    Args:
        status: What the run becomes.
        fields: Words of the run by name: ``name``, ``notes``, ``group``, ``job_type``,
            ``end_reason``, ``exit_code``; None removes one.
        tags: In the place of all tags.
        add_tags: Beside those that are there.
        config: Top-level keys to set, and ``config_removed`` those to remove.
        summary: The same of the summary.
    """

    status: RunStatus | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] | None = None
    add_tags: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    config_removed: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    summary_removed: tuple[str, ...] = ()


def edit_content(run: RunRecord, edit: RunEdit, now_us: int) -> FrameContent | None:
    """Return the records that change ``run``, None if nothing changes.

    Raises:
        InvalidRunStateError: Its status cannot become the one that is asked for.
        SchemaValidationError: A value breaks a rule.
    """
    content = FrameContent()
    changes: dict[str, Any] = dict(edit.fields)
    if edit.tags is not None:
        changes["tags"] = list(dict.fromkeys(edit.tags))
    if edit.status is not None and edit.status != run.status:
        changes = {**_status_changes(run, edit.status, now_us, content), **changes}
    if changes or edit.add_tags:
        update = RunUpdateRecord(
            id="-",
            run_id=run.id,
            timestamp=format_timestamp(now_us),
            changes=changes,
            add_tags=edit.add_tags,
        )
        validate_record(update)
        content.add(RunUpdateRecord, now_us, changes=changes, add_tags=list(edit.add_tags))
    if edit.config or edit.config_removed:
        values = jsonio.to_plain(redact_mapping(edit.config))
        content.add(ConfigUpdateRecord, now_us, values=values, removed=list(edit.config_removed))
    if edit.summary or edit.summary_removed:
        values = jsonio.to_plain(edit.summary)
        content.add(SummaryUpdateRecord, now_us, values=values, removed=list(edit.summary_removed))
    return content if content else None


def _status_changes(
    run: RunRecord, status: RunStatus, now_us: int, content: FrameContent
) -> dict[str, Any]:
    check_run_transition(run.id, run.status, status)
    if status in TERMINAL_STATUSES:
        content.add(
            EventRecord, now_us, event_type="run_ended", severity="info", status=status.value
        )
        return {"status": status.value, "ended_at": format_timestamp(now_us)}
    resume_count = run.resume_count + 1
    payload = {"resume_count": resume_count, "previous_status": run.status, "rank": 0}
    content.add(
        EventRecord,
        now_us,
        event_type="run_resumed",
        severity="info",
        status=status.value,
        payload=payload,
    )
    return {
        "status": status.value,
        "resume_count": resume_count,
        "ended_at": None,
        "end_reason": None,
        "exit_code": None,
    }
