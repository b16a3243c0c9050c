"""Taking batches. The hot path of a service: the body is read raw and decoded once.

A batch goes past what FastAPI does for a route, which costs more than storing it: the same key is
checked by the same function, and the route is in the OpenAPI document as all others are.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from quark.errors import QuarkError
from quark.persistence.wire import BATCH_TYPE, JSON_TYPE, STORAGE_DIR_HEADER
from quark.service.access import Access, needs
from quark.service.bodies import read_raw
from quark.service.guards.request_log import QUIET
from quark.service.ingest import RunPlace
from quark.service.state import ServiceState, state_of

_may_write = needs("write")
_STORAGE_DIR = STORAGE_DIR_HEADER.lower().encode()


class BatchRoute(APIRoute):
    """The route of batches: to FastAPI one like any other, but it answers by itself."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await super().handle(scope, receive, send)
            return
        request = Request(scope, receive)
        headers = dict(scope["headers"])
        storage_dir = headers.get(_STORAGE_DIR, b"").decode("latin-1")
        parameters = scope["path_params"]
        access = await _may_write(request, parameters["workspace"], None, storage_dir)
        place = RunPlace(access.workspace, access.storage_dir, parameters["run_id"])
        state = state_of(request)
        try:
            new_frame_count = await take_batch(state, access, place, headers, receive)
        except QuarkError as error:
            reason = getattr(error, "reason", None) or type(error).__name__
            state.metrics.ingest_refused.labels(reason).inc()
            raise
        scope[QUIET] = True  # the log would be nothing but batches; /metrics counts them
        body = b"%d" % new_frame_count
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", JSON_TYPE.encode()),
                    (b"content-length", b"%d" % len(body)),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})


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
batches = APIRouter(route_class=BatchRoute)


@batches.post("/runs/{run_id}/batches", openapi_extra=_BATCH_BODY)
async def append(
    run_id: str, request: Request, access: Annotated[Access, Depends(needs("write"))]
) -> int:
    """Store a batch, and say how many of its frames were new.

    A batch that came before is stored once; one that overtook another on its way is put off. When
    this answers, what was sent is stored and visible to every reader.
    """
    raise AssertionError("BatchRoute answers")


router.include_router(batches)


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
