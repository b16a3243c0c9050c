"""Projects and runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from quark import ids
from quark.service.lifecycle import began_it, changed_run, exists, exists_already, new_run
from quark.service.models import HealthsOut, ProjectsOut, RunOut, RunsOut
from quark.service.models_writing import NewRunIn, RunChangeIn
from quark.service.paging import read_page
from quark.service.routes.asked import IdempotencyKey, Reader, RunId, RunsAsked, Writer
from quark.service.routes.records import json_answer
from quark.service.run_writing import Frame, RunWriting, frame_of, new_run_id
from quark.service.state import state_of

router = APIRouter(tags=["runs"])


@router.get("/projects", summary="List projects", response_model=ProjectsOut)
def list_projects(access: Reader) -> Response:
    """Return the projects that have runs, by name."""
    found = access.store.records.list_projects()
    # Where the service keeps its files is nobody's business.
    return json_answer({"projects": [replace(one, root_path="").to_dict() for one in found]})


@router.get("/healths", summary="List how runs are doing", response_model=HealthsOut)
def list_healths(access: Reader) -> Response:
    """Return of every run that was judged its overall score and the word for it, by its id."""
    found = access.store.records.healths()
    return json_answer({"healths": {run_id: one._asdict() for run_id, one in found.items()}})


@router.get("/runs", summary="List runs", response_model=RunsOut)
def list_runs(
    access: Reader,
    query: RunsAsked,
    limit: Annotated[int, Query(ge=0, le=1000, description="How many at most.")] = 100,
    offset: Annotated[
        int,
        Query(
            ge=0, lt=2**62, description="How many to leave out; `after` stays right if some come."
        ),
    ] = 0,
    after: Annotated[
        str | None, Query(max_length=2000, description="`next` of the page before.")
    ] = None,
) -> Response:
    """Return runs by time of creation, a page at a time."""
    page = read_page(access.store.records, replace(query, offset=offset), limit, after)
    return json_answer({"runs": [run.to_dict() for run in page.runs], "next": page.next})


@router.post(
    "/runs",
    summary="Begin a run",
    status_code=201,
    response_model=RunOut,
    responses={200: {"model": RunOut, "description": "It was begun by this request before."}},
)
async def create_run(
    sent: NewRunIn, request: Request, access: Writer, key: IdempotencyKey = None
) -> Response:
    """Begin a run, from any language. It is running until it is changed."""
    state = state_of(request)
    run_id = sent.run_id or new_run_id(key, access.workspace, access.storage_dir)
    frame = frame_of(key) or Frame(ids.new_writer_id(), 1)
    if await run_in_threadpool(exists, access.store, run_id):
        again = await run_in_threadpool(began_it, access.store, run_id, frame.writer_id)
        if key and again:
            return json_answer(await _run(access, run_id), status=200)
        raise exists_already(run_id)
    content = await run_in_threadpool(new_run, sent, run_id, access.store, state.clock)
    await RunWriting(state, access, run_id).put(content, frame)
    if not await run_in_threadpool(began_it, access.store, run_id, frame.writer_id):
        raise exists_already(run_id)
    return json_answer(await _run(access, run_id), status=201)


@router.get("/runs/{run_id}", summary="Read a run", response_model=RunOut)
def get_run(run_id: RunId, access: Reader) -> Response:
    """Return a run, with every later update folded in."""
    return json_answer(access.store.records.get_run(run_id).to_dict())


@router.patch("/runs/{run_id}", summary="Change a run", response_model=RunOut)
async def change_run(
    run_id: RunId, sent: RunChangeIn, request: Request, access: Writer
) -> Response:
    """Change a run's status, its words, configuration or summary.

    The same request sent again changes nothing more. A status that cannot follow the one that the
    run has is refused with 409.
    """
    state = state_of(request)
    await RunWriting(state, access, run_id).change(
        lambda: changed_run(sent, run_id, access.store, state.clock)
    )
    return json_answer(await _run(access, run_id))


@router.delete("/runs/{run_id}", summary="Remove a run", status_code=204)
def delete_run(run_id: RunId, access: Writer) -> None:
    """Remove a run and everything that belongs to it alone."""
    access.store.records.delete_run(run_id)
    access.note("run.delete", run_id=run_id)


async def _run(access: Reader, run_id: str) -> dict[str, object]:
    run = await run_in_threadpool(access.store.records.get_run, run_id)
    return run.to_dict()
