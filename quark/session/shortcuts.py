"""The same calls without a session at hand: they mean the session that was started last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark.errors import InvalidRunStateError
from quark.session import registry
from quark.session.training import TrainingSession

if TYPE_CHECKING:
    from quark.records import EventRecord, RunContext


def start_run(
    *,
    project: str,
    config: Mapping[str, Any] | None = None,
    tags: Iterable[str] | None = None,
    parent_run_id: str | None = None,
    storage_dir: str | Path | None = None,
    strict_mode: bool = False,
) -> TrainingSession:
    """Start a run; the same as :meth:`TrainingSession.start_run`."""
    return TrainingSession.start_run(
        project=project,
        config=config,
        tags=tags,
        parent_run_id=parent_run_id,
        storage_dir=storage_dir,
        strict_mode=strict_mode,
    )


def resume_run(*, run_id: str, storage_dir: str | Path | None = None) -> TrainingSession:
    """Go on with a run; the same as :meth:`TrainingSession.resume_run`."""
    return TrainingSession.resume_run(run_id=run_id, storage_dir=storage_dir)


def end_run(session: TrainingSession | None = None, status: str = "completed") -> RunContext:
    """End ``session``, or the session that was started last."""
    return _chosen(session).end_run(status)


def add_tag(tag: str, session: TrainingSession | None = None) -> RunContext:
    """Add a tag to ``session``'s run, or to the run that was started last."""
    return _chosen(session).add_tag(tag)


def add_log(
    message: str,
    *,
    session: TrainingSession | None = None,
    identifier: str | None = "Info",
    step: int | None = None,
    epoch: int | None = None,
    payload: Mapping[str, Any] | None = None,
) -> EventRecord:
    """Write a run log to ``session``, or to the session that was started last."""
    return _chosen(session).add_log(
        message, identifier=identifier, step=step, epoch=epoch, payload=payload
    )


def _chosen(session: TrainingSession | None) -> TrainingSession:
    found = session or registry.latest()
    if found is None:
        raise InvalidRunStateError(
            "No run is open in this process; call start_run(project=...) first or pass session=."
        )
    return found
