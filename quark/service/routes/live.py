"""What has changed: in one run, and among the runs of a workspace."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from quark.service.ingest import RunPlace
from quark.service.live import ChangesWanted, has_changes, read_changes
from quark.service.live_runs import read_list_changes
from quark.service.live_waiting import EVERY_RUN
from quark.service.models_live import ListChangesOut, RunChangesOut
from quark.service.routes.asked import Cursor, Reader, RunId, RunsAsked, WaitSeconds
from quark.service.routes.records import json_answer
from quark.service.state import state_of

router = APIRouter(tags=["live"])

_MAX_RUNS = 200


@router.get("/runs/{run_id}/changes", summary="Follow a run", response_model=RunChangesOut)
async def follow_run(
    run_id: RunId,
    request: Request,
    access: Reader,
    after: Cursor = None,
    wait_seconds: WaitSeconds = 0,
    kind: Annotated[
        list[str] | None,
        Query(max_length=100, description="Records of these kinds only; all if left out."),
    ] = None,
    points: Annotated[bool, Query(description="Whether to give points.")] = True,
    limit: Annotated[
        int, Query(ge=1, le=100_000, description="Points in one answer, at most.")
    ] = 10_000,
    tail: Annotated[
        int | None,
        Query(
            ge=1,
            le=10_000,
            description="Without a cursor: begin with the newest so many points of each key, and "
            "about as many records. A key is then never cut into two answers, so that the first "
            "may be longer than `limit`.",
        ),
    ] = None,
) -> Response:
    """Return what came after a cursor: the run's row if it changed, records and points.

    All answers together give every record and every point once, each key's points of one writer in
    their order. Ask again at once if there is `more`; else with `wait_seconds`, and this answers as
    soon as there is something, or with nothing when the time is over.
    """
    state = state_of(request)
    wanted = ChangesWanted(
        kinds=None if kind is None else frozenset(kind), points=points, limit=limit, tail=tail
    )
    place = RunPlace(access.workspace, access.storage_dir, run_id)
    found = await state.live.answer(
        request,
        place=place,
        key=(place, after, wanted),
        read=lambda: read_changes(access.store, run_id, after, wanted, state.key_counts),
        is_empty=lambda changes: changes.is_empty,
        has_changed=lambda: after is None or has_changes(access.store, run_id, after, wanted),
        wait_seconds=wait_seconds,
    )
    # Not here: while a large answer is put together, everybody else would wait.
    return await run_in_threadpool(lambda: json_answer(found.to_plain()))


@router.get("/changes", summary="Follow a list of runs", response_model=ListChangesOut)
async def follow_runs(
    request: Request,
    access: Reader,
    query: RunsAsked,
    after: Cursor = None,
    wait_seconds: WaitSeconds = 0,
    limit: Annotated[int, Query(ge=1, le=_MAX_RUNS, description="How many at most.")] = 50,
    offset: Annotated[int, Query(ge=0, lt=2**62, description="How many to leave out.")] = 0,
    key: Annotated[
        list[str],
        Query(
            max_length=20,
            description="Metrics whose last values to tell; while a run is running, a new value is "
            "a change.",
        ),
    ] = [],  # noqa: B006
) -> Response:
    """Return which runs of one page of a list have changed since a cursor was given.

    `run_ids` are all that are on the page now, in its order; what is not among them has gone.
    """
    state = state_of(request)
    page = replace(query, limit=limit, offset=offset)
    place = RunPlace(access.workspace, access.storage_dir, EVERY_RUN)
    found = await state.live.answer(
        request,
        place=place,
        key=(place, after, page, tuple(key)),
        read=lambda: read_list_changes(access.store, page, key, after),
        is_empty=lambda changes: changes.is_empty,
        has_changed=lambda: not read_list_changes(access.store, page, key, after).is_empty,
        wait_seconds=wait_seconds,
    )
    return await run_in_threadpool(lambda: json_answer(found.to_plain()))
