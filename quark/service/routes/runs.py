"""Projects and runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from quark.records import RunStatus
from quark.service.access import Access, needs
from quark.storage.model import RunQuery

router = APIRouter(tags=["runs"])

Text = Annotated[str | None, Query(max_length=512)]


@router.get("/projects")
def list_projects(access: Annotated[Access, Depends(needs("read"))]) -> dict[str, Any]:
    """Return the projects that have runs, by name."""
    return {"projects": [project.to_dict() for project in access.store.records.list_projects()]}


@router.get("/runs")
def list_runs(
    access: Annotated[Access, Depends(needs("read"))],
    project: Text = None,
    label: Text = None,
    status: RunStatus | None = None,
    group: Text = None,
    tag: Annotated[list[str] | None, Query()] = None,
    newest_first: bool = True,
    limit: Annotated[int, Query(ge=0, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, lt=2**62)] = 0,
) -> dict[str, Any]:
    """Return runs by time of creation. ``label`` is the workspace that a run's record names."""
    query = RunQuery(
        project=project,
        workspace=label,
        status=status,
        group=group,
        tags=tuple(tag or ()),
        newest_first=newest_first,
        limit=limit,
        offset=offset,
    )
    return {"runs": [run.to_dict() for run in access.store.records.list_runs(query)]}


@router.get("/runs/{run_id}")
def get_run(run_id: str, access: Annotated[Access, Depends(needs("read"))]) -> dict[str, Any]:
    """Return a run, with every later update folded in."""
    return access.store.records.get_run(run_id).to_dict()


@router.delete("/runs/{run_id}", status_code=204)
def delete_run(
    run_id: str, request: Request, access: Annotated[Access, Depends(needs("write"))]
) -> None:
    """Remove a run and everything that belongs to it alone."""
    access.store.records.delete_run(run_id)
