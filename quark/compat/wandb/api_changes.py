"""Changing or deleting a run through ``wandb.Api``, whoever has it open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quark import ids
from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb import current
from quark.compat.wandb.errors import CommError
from quark.compat.wandb.reading import reading
from quark.compat.wandb.summary_reading import FULL_MARK, last_values
from quark.errors import RunNotFoundError
from quark.pipeline.recovery import has_living_owner
from quark.records import (
    ConfigUpdateRecord,
    Record,
    RunRecord,
    RunStatus,
    RunUpdateRecord,
    SummaryUpdateRecord,
)
from quark.records.codec import encode_body
from quark.redact import redact_mapping
from quark.session import registry
from quark.session.places import local_root
from quark.settings import Settings as QuarkSettings
from quark.storage.batch import Batch, EncodedRecord
from quark.storage.layout import journal_path

if TYPE_CHECKING:
    from quark.compat.wandb.run import Run
    from quark.session import TrainingSession


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """What is to be changed of a run."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    removed_config: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    removed_summary: tuple[str, ...] = ()


def change_run(where: QuarkSettings, record: RunRecord, change: RunChange) -> RunRecord:
    """Store ``change``; return the run as it is then.

    Raises:
        CommError: The run is not there any more.
    """
    session = registry.find(record.id, str(local_root(where)))
    run = next((run for run in current.open_runs() if run.id == record.id), None)
    if session is not None and run is not None:
        _change_open_run(run, session, change)
    try:
        with reading(where, record.id) as store:
            if session is None:
                store.append(_batch(record, change, last_values(store, record)))
            return store.records.get_run(record.id)
    except RunNotFoundError as error:
        raise CommError(f"Run {record.id!r} is not there any more.") from error


def is_written(where: QuarkSettings, run_id: str) -> bool:
    """Say whether a process of this machine is there that will end the run."""
    if registry.find(run_id, str(local_root(where))) is not None:
        return True
    return has_living_owner(journal_path(local_root(where), run_id))


def delete_run(where: QuarkSettings, record: RunRecord) -> None:
    """Remove a run with all its files.

    Raises:
        CommError: It is not there, or a process still writes into it.
    """
    try:
        with reading(where, record.id) as store:
            running = store.records.get_run(record.id).status == RunStatus.RUNNING
        if running and is_written(where, record.id):
            raise CommError(
                f"Run {record.id!r} is still being written. Finish it before it is deleted."
            )
        with reading(where) as store:
            store.records.delete_run(record.id)
    except RunNotFoundError as error:
        raise CommError(f"Run {record.id!r} is not there any more.") from error


def _change_open_run(run: Run, session: TrainingSession, change: RunChange) -> None:
    for name, value in change.fields.items():
        if name in ("name", "notes", "tags"):
            setattr(run, name, value)
        else:
            session.update_run(**{name: value})
    if change.config:
        run.config.update(change.config, allow_val_change=True)
    run.summary.update(change.summary)
    for key in change.removed_summary:
        del run.summary[key]


def _batch(record: RunRecord, change: RunChange, known: tuple[dict[str, Any], int]) -> Batch:
    """Return the change as what a writer of its own would have delivered.

    ``known`` is the summary so far and the number of the next row.
    """
    envelope: dict[str, Any] = {"id": "", "timestamp": "", "run_id": record.id}
    found: list[Record] = []
    if change.fields:
        found.append(RunUpdateRecord(**envelope, changes=change.fields))
    if change.config or change.removed_config:
        found.append(
            ConfigUpdateRecord(
                **envelope, values=redact_mapping(change.config), removed=change.removed_config
            )
        )
    if change.summary or change.removed_summary:
        last, next_row = known
        removed = change.removed_summary
        found.append(
            SummaryUpdateRecord(**envelope, values=change.summary, removed=removed, step=next_row)
        )
        if FULL_MARK in record.summary and record.status != RunStatus.RUNNING:
            own = {key: item for key, item in record.summary.items() if key.startswith("_")}
            last = {key: item for key, item in last.items() if key not in removed}
            values = {**last, **change.summary, **own}
            found.append(
                SummaryUpdateRecord(**envelope, values=values, removed=removed, step=next_row)
            )
    now_us = SYSTEM_CLOCK.time_us()
    return Batch(
        run_id=record.id,
        writer_id=ids.new_writer_id(),
        first_seq=1,
        last_seq=1,
        records=tuple(
            EncodedRecord(1, ordinal, each.KIND, None, None, now_us, encode_body(each))
            for ordinal, each in enumerate(found)
        ),
    )
