"""Taking batches. The hot path of a service: the body is read raw and decoded once.

A batch goes past FastAPI's routes (``app.py`` turns it off behind the guards): the same key is
checked by the same function, and the route is in the OpenAPI document as all others are.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.types import Receive, Scope, Send

from quark.errors import QuarkError
from quark.persistence.wire import API_PREFIX, BATCH_TYPE, JSON_TYPE, STORAGE_DIR_HEADER
from quark.service.access import Access, needs
from quark.service.bodies import read_raw
from quark.service.guards.answers import refusal
from quark.service.guards.request_log import QUIET
from quark.service.ingest import RunPlace
from quark.service.state import ServiceState, state_of

_may_write = needs("write")
_STORAGE_DIR = STORAGE_DIR_HEADER.lower().encode()
_JSON = (b"content-type", JSON_TYPE.encode())
_BATCHES = re.compile(re.escape(API_PREFIX) + r"/workspaces/([^/]+)/runs/([^/]+)/batches")


def batch_place(scope: Scope) -> tuple[str, str] | None:
    """Return the workspace and the run that a request sends a batch to, None if it does not."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    found = _BATCHES.fullmatch(scope["path"])
    return None if found is None else (found[1], found[2])


async def answer_batch(asked: tuple[str, str], scope: Scope, receive: Receive, send: Send) -> None:
    """Do what the route of batches is declared to do (see :func:`append`).

    Args:
        asked: What :func:`batch_place` returned.
    """
    scope["endpoint"] = append
    workspace, run_id = asked
    request = Request(scope, receive)
    headers = dict(scope["headers"])
    try:
        storage_dir = headers.get(_STORAGE_DIR, b"").decode("latin-1")
        access = await _may_write(request, workspace, None, storage_dir)
        place = RunPlace(access.workspace, access.storage_dir, run_id)
        new_frame_count = await _counting_refusals(access, place, headers, request)
    except QuarkError as error:
        await refusal(error)(scope, receive, send)
        return
    scope[QUIET] = True  # the log would be nothing but batches; /metrics counts them
    body = b"%d" % new_frame_count
    length = (b"content-length", b"%d" % len(body))
    start = {"type": "http.response.start", "status": 200, "headers": [_JSON, length]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def _counting_refusals(
    access: Access, place: RunPlace, headers: dict[bytes, bytes], request: Request
) -> int:
    state = state_of(request)
    try:
        return await take_batch(state, access, place, headers, request.receive)
    except QuarkError as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        state.metrics.ingest_refused.labels(reason).inc()
        raise


async def take_batch(
    state: ServiceState,
    access: Access,
    place: RunPlace,
    headers: dict[bytes, bytes],
    receive: Receive,
) -> int:
    """Read a batch, have it stored in its turn, and return how many of its frames were new."""
    state.ingest.check_room(place, int(headers.get(b"content-length", b"0")))
    body, is_gzip = await read_raw(headers, receive, state.config.max_body_bytes)
    store = partial(state.intake.store, place, access.store, body, is_gzip=is_gzip)
    new_frame_count = await state.ingest.put(place, len(body), store)
    if new_frame_count:
        state.live.touched(place)
    return new_frame_count


_BATCH_BODY = {
    "requestBody": {
        "required": True,
        "description": "One batch of one writer; the layout is in docs/formats.md. It may be "
        "compressed with gzip.",
        "content": {BATCH_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = APIRouter(tags=["ingest"])


@router.post("/runs/{run_id}/batches", openapi_extra=_BATCH_BODY)
async def append(
    run_id: str, request: Request, access: Annotated[Access, Depends(needs("write"))]
) -> int:
    """Store a batch, and say how many of its frames were new.

    A batch that came before is stored once; one that overtook another on its way is put off. When
    this answers, what was sent is stored and visible to every reader.
    """
    raise AssertionError("answer_batch() answers")


@router.get("/runs/{run_id}/position")
def position(
    run_id: str,
    access: Annotated[Access, Depends(needs("read"))],
    writer_id: Annotated[str, Query(max_length=200, description="Whose frames to look for.")],
) -> dict[str, int]:
    """Say which frame of a writer was stored last; 0 if none."""
    return {"position": access.store.position(run_id, writer_id)}


@router.post("/runs/{run_id}/merge", status_code=202)
def merge(
    run_id: str, request: Request, access: Annotated[Access, Depends(needs("write"))]
) -> Response:
    """Have all of a run's points packed soon, as it has ended."""
    access.store.records.get_run(run_id)
    place = RunPlace(access.workspace, access.storage_dir, run_id)
    state_of(request).merging.add(place, access.store, final=True)
    return Response(status_code=202)
