"""Taking batches. The hot path of a service: the body is read raw and decoded once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from quark.errors import RecordRejectedError, SessionStoreError
from quark.persistence.wire import BATCH_TYPE
from quark.persistence.wire_batch import decode_batch
from quark.service.access import Access, needs
from quark.service.bodies import read_body
from quark.service.state import ServiceState, state_of
from quark.storage.protocols import Store

router = APIRouter(tags=["ingest"])

_BATCH_BODY = {
    "requestBody": {
        "required": True,
        "description": "One batch of one writer; the layout is in docs/formats.md. It may be "
        "compressed with gzip.",
        "content": {BATCH_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/runs/{run_id}/batches", openapi_extra=_BATCH_BODY)
async def append(
    run_id: str, request: Request, access: Annotated[Access, Depends(needs("write"))]
) -> int:
    """Store a batch, and say how many of its frames were new.

    A batch that came before is stored once; one that overtook another on its way is put off. When
    this answers, what was sent is stored and visible to every reader.
    """
    state = state_of(request)
    body = await read_body(request, state.config)
    if not state.ingest_slots.acquire(blocking=False):
        error = SessionStoreError("More batches wait to be stored than this service queues.")
        error.retry_after_seconds = 1.0
        raise error
    try:
        return await run_in_threadpool(_append, state, access.store, run_id, body)
    finally:
        state.ingest_slots.release()


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
    state_of(request).merging.add(access.store, run_id, final=True)
    return Response(status_code=202)


def _append(state: ServiceState, store: Store, run_id: str, body: bytes) -> int:
    batch, follows = decode_batch(body)
    if batch.run_id != run_id:
        raise RecordRejectedError(
            f"The batch is of run {batch.run_id!r} and was sent to run {run_id!r}."
        )
    if follows and store.position(run_id, batch.writer_id) < follows:
        raise SessionStoreError(
            f"Frames {batch.first_seq} to {batch.last_seq} of writer {batch.writer_id!r} came "
            f"before frame {follows} was stored; send what is between them first."
        )
    new_frame_count = store.append(batch)
    if batch.blocks:
        state.merging.add(store, run_id)
    return new_frame_count
