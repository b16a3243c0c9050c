"""Projects and runs that are created through ``wandb.Api``, before anything is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark import ids
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.compat.wandb.errors import UsageError
from quark.errors import RunNotFoundError
from quark.records import ProjectRecord, RunRecord
from quark.records.codec import encode_body
from quark.storage.batch import Batch, EncodedRecord
from quark.storage.documents import update
from quark.storage.layout import relative_run_path

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: Where a run goes that names no project, as from ``init``.
DEFAULT_PROJECT = "uncategorized"
#: The kind of document that stands for a project without runs.
PROJECT = "project"


def create_project(store: Store, name: str, workspace: str) -> None:
    """Make a project, if there is none of this name."""
    now = format_timestamp(SYSTEM_CLOCK.time_us())
    fresh = {"name": name, "workspace": workspace, "created_at": now}
    update(store.documents, PROJECT, f"{workspace}/{name}", lambda body: body or fresh)


def known_projects(store: Store) -> list[ProjectRecord]:
    """Return the projects that have runs or were created, by name."""
    found = {
        (project.name, project.workspace): project for project in store.records.list_projects()
    }
    for document in store.documents.list(PROJECT):
        body = document.body
        project = ProjectRecord(
            id=ids.project_id(body["workspace"], body["name"]),
            name=body["name"],
            workspace=body["workspace"],
            created_at=body["created_at"],
            updated_at=body["created_at"],
        )
        found.setdefault((project.name, project.workspace), project)
    return [found[place] for place in sorted(found)]


def new_run(*, run_id: str, project: str, workspace: str) -> RunRecord:
    """Return the row of a run that nobody writes into yet."""
    now = format_timestamp(SYSTEM_CLOCK.time_us())
    return RunRecord(
        id=run_id,
        run_id=run_id,
        timestamp=now,
        project_id=ids.project_id(workspace, project),
        project_name=project,
        workspace=workspace,
        lineage_root_run_id=run_id,
        run_path=relative_run_path(run_id),
        created_at=now,
        updated_at=now,
    )


def create_run(store: Store, run: RunRecord) -> RunRecord:
    """Put a run into the store.

    Raises:
        UsageError: There is a run of this id already.
    """
    try:
        store.records.get_run(run.id)
    except RunNotFoundError:
        now_us = SYSTEM_CLOCK.time_us()
        record = EncodedRecord(1, 0, RunRecord.KIND, None, None, now_us, encode_body(run))
        writer_id = ids.new_writer_id()
        store.append(
            Batch(run_id=run.id, writer_id=writer_id, first_seq=1, last_seq=1, records=(record,))
        )
        return store.records.get_run(run.id)
    raise UsageError(f"Run {run.id!r} exists already; choose another id.")
