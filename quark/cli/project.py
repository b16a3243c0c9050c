"""``quark project``: what runs are grouped by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quark.cli.output import Column, Output, list_of, object_of, with_output
from quark.cli.target import with_store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quark.records import RunRecord
    from quark.storage.protocols import Store

_ROW = object_of(
    name="string",
    workspace="string",
    run_count="integer",
    running_count="integer",
    failed_count="integer",
    created_at="string",
    last_activity_at="string",
    last_run_id="string",
)


@click.group("project")
def project() -> None:
    """The projects, and what goes on in them.

    \b
    quark project ls
    """


@project.command("ls")
@with_store
@with_output(list_of(_ROW))
def list_projects(store: Store, out: Output) -> None:
    """List the projects with their runs and when something happened last, the latest first.

    \b
    quark project ls
    quark project ls --storage-dir ~/runs --json
    """
    rows = project_rows(store.records.list_runs())
    if out.as_json:
        out.answer(rows)
        return
    workspaces = {row["workspace"] for row in rows}
    columns = [
        Column("PROJECT", lambda row: row["name"]),
        *([Column("WORKSPACE", lambda row: row["workspace"])] if len(workspaces) > 1 else []),
        Column("RUNS", lambda row: row["run_count"], numeric=True),
        Column("RUNNING", lambda row: row["running_count"] or "-", numeric=True),
        Column("FAILED", lambda row: row["failed_count"] or "-", numeric=True),
        Column("LAST ACTIVITY (UTC)", lambda row: row["last_activity_at"][:16].replace("T", " ")),
        Column("LAST RUN", lambda row: row["last_run_id"]),
    ]
    empty = f"There are no projects in {store.target} yet; the first run makes one."
    out.rows(rows, columns, empty=empty)


def project_rows(runs: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """Return a row for each project of some runs, the one that was active last first."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        row = rows.setdefault(
            (run.workspace, run.project_name),
            {
                "name": run.project_name,
                "workspace": run.workspace,
                "run_count": 0,
                "running_count": 0,
                "failed_count": 0,
                "created_at": run.created_at,
                "last_activity_at": "",
                "last_run_id": run.id,
            },
        )
        row["run_count"] += 1
        row["running_count"] += run.status == "running"
        row["failed_count"] += run.status == "failed"
        row["created_at"] = min(row["created_at"], run.created_at)
        active_at = max(run.updated_at, run.created_at, run.ended_at or "")
        if active_at > row["last_activity_at"]:
            row.update(last_activity_at=active_at, last_run_id=run.id)
    return sorted(rows.values(), key=lambda row: row["last_activity_at"], reverse=True)
