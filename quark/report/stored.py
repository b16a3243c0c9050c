"""The report of a run as a store has it: read back at any time, nothing judged anew."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.records import AlertRecord, HealthScoreRecord, PhaseRecord, RunRecord
from quark.report.build import curve_of, last_step_of, notes_of
from quark.report.model import Report

if TYPE_CHECKING:
    from quark.storage.protocols import Store

_SEVERITIES = ("critical", "error", "warning", "info")


def stored_report(store: Store, run_id: str) -> Report:
    """Return the report of a run from what was found out about it when it was judged last.

    What the process that trained knew alone (its losses, what Quark cost it) is not in it.

    Raises:
        RunNotFoundError: There is no such run.
    """
    from quark.analyzers.gather import gather

    run = store.records.get_run(run_id)
    keys = store.points.keys(run_id)
    alerts = store.records.read(AlertRecord, run_id)
    scores = {one.score_key: one for one in store.records.read(HealthScoreRecord, run_id)}
    return Report(
        run_id=run.id,
        run_name=run.name,
        project=run.project_name,
        status=run.status,
        generated_at=format_timestamp(SYSTEM_CLOCK.time_us()),
        started_at=run.created_at,
        duration_seconds=_seconds(run),
        last_step=last_step_of(keys),
        folder=str(store.run_dir(run_id) or store.target),
        judged=bool(store.records.count(run_id).get("analysis")),
        curve=curve_of(gather(store, run_id)) if keys else None,
        phases=store.records.read(PhaseRecord, run_id),
        alerts=tuple(sorted(alerts, key=lambda one: _SEVERITIES.index(one.severity))),
        health_scores=tuple(scores.values()),
        completeness=None,
        cost=None,
        notes=notes_of(store, run_id),
    )


def _seconds(run: RunRecord) -> float | None:
    try:
        end = datetime.fromisoformat(run.ended_at or run.updated_at)
        return (end - datetime.fromisoformat(run.created_at)).total_seconds()
    except ValueError:
        return None
