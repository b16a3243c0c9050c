"""Payloads: looked at, claimed, read, sent whole; and what their collector needs.

A payload is named by its SHA-256, and kept under that name only when the service has digested all
of it. Those too large for one request come by :mod:`quark.service.routes.uploads`.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import IO, Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from quark.errors import ArtifactNotFoundError
from quark.persistence.wire_payloads import decode_payloads
from quark.service.access import Access, needs
from quark.service.incoming_body import incoming_body
from quark.service.payload_answers import BINARY, payload_answer, payload_head
from quark.service.state import state_of
from quark.storage.known_stream import KnownStream
from quark.storage.object_blobs import ObjectBlobs
from quark.storage.protocols import BlobStore

router = APIRouter(tags=["payloads"])

#: For how long a URL of the object store's own is good.
SIGNED_SECONDS = 900
_PIECE_BYTES = 1 << 20

Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 in hex.")]
BeforeUs = Annotated[int, Query(ge=0, lt=2**63, description="Microseconds since the epoch, UTC.")]
BODY_IS_BINARY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The bytes as they are, without a Content-Encoding.",
        "content": {"application/octet-stream": {"schema": BINARY}},
    }
}


class DigestsModel(BaseModel):
    """Payloads by their SHA-256."""

    digests: list[Annotated[str, Field(max_length=128)]] = Field(max_length=10_000)


@router.get("/payloads")
def list_payloads(
    access: Annotated[Access, Depends(needs("read"))],
    after: Annotated[str, Query(max_length=64, description="The last digest seen.")] = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> dict[str, Any]:
    """Return SHA-256s of payloads in their order, those after one; ask again until none comes."""
    rest = (sha256 for sha256 in access.store.blobs.digests() if sha256 > after)
    return {"digests": nsmallest(limit, rest)}


@router.post("/payloads", openapi_extra=BODY_IS_BINARY)
async def put_payloads(
    request: Request, access: Annotated[Access, Depends(needs("write"))]
) -> dict[str, Any]:
    """Keep several small payloads, each if it is what it says.

    Of each come its SHA-256 as 32 bytes, its size as 8 bytes, the least first, and its bytes. If
    one is not what it says, those before it are kept.
    """
    config = state_of(request).config
    incoming = incoming_body(
        request, config.root / "incoming-parts", limit_bytes=config.max_part_bytes
    )
    async with incoming as (file, size_bytes):
        count = await run_in_threadpool(_put_all, access.store.blobs, file, size_bytes)
    return {"count": count}


@router.post("/payloads/claim")
def claim_payloads(
    wanted: DigestsModel, access: Annotated[Access, Depends(needs("write"))]
) -> dict[str, Any]:
    """Note that payloads are in use now, as putting them again does; say which are not here."""
    found = access.store.blobs.claim_all(wanted.digests)
    return {"missing": [sha256 for sha256 in wanted.digests if sha256 not in found]}


@router.post("/payloads/sync")
def sync_payloads(
    wanted: DigestsModel, access: Annotated[Access, Depends(needs("write"))]
) -> dict[str, Any]:
    """Say which payloads are not here. Those that are survive a loss of power: a payload is
    acknowledged when it is safe."""
    exists = access.store.blobs.exists
    return {"missing": [sha256 for sha256 in wanted.digests if not exists(sha256)]}


@router.get("/payloads/unclaimed")
def unclaimed_payloads(
    before_us: BeforeUs, access: Annotated[Access, Depends(needs("admin"))]
) -> dict[str, Any]:
    """Return the payloads that were neither put nor claimed since, with their sizes in bytes."""
    return {"payloads": access.store.blobs.unclaimed(before_us)}


@router.head("/payloads/{sha256}", responses={404: {"description": "It is not here."}})
def look_at_payload(sha256: Sha256, access: Annotated[Access, Depends(needs("read"))]) -> Response:
    """Say whether a payload is here, and how large it is."""
    return payload_head(access.store.blobs, sha256)


@router.get(
    "/payloads/{sha256}",
    response_class=StreamingResponse,
    responses={
        200: {"description": "All of it.", "content": {"application/octet-stream": {}}},
        206: {"description": "The range asked for.", "content": {"application/octet-stream": {}}},
        304: {"description": "The caller has it already, as If-None-Match says."},
        404: {"description": "It is not here."},
        416: {"description": "The range begins after its end."},
    },
)
def read_payload(
    sha256: Sha256, request: Request, access: Annotated[Access, Depends(needs("read"))]
) -> Response:
    """Return a payload, or one range of it."""
    return payload_answer(access.store.blobs, sha256, request.headers)


@router.get("/payloads/{sha256}/location")
def locate_payload(
    sha256: Sha256, access: Annotated[Access, Depends(needs("read"))]
) -> dict[str, str | None]:
    """Return a URL to read a payload from past this service, good for some minutes; or null."""
    blobs = access.store.blobs
    if not blobs.exists(sha256):
        raise ArtifactNotFoundError(f"There is no payload {sha256}.")
    if not isinstance(blobs, ObjectBlobs):
        return {"url": None}
    return {"url": blobs.presigned_get(sha256, SIGNED_SECONDS)}


@router.put("/payloads/{sha256}", openapi_extra=BODY_IS_BINARY)
async def put_payload(
    sha256: Sha256, request: Request, access: Annotated[Access, Depends(needs("write"))]
) -> dict[str, Any]:
    """Keep a payload that fits one request, if it is what its name says."""
    config = state_of(request).config
    incoming = incoming_body(
        request, config.root / "incoming-parts", limit_bytes=config.max_part_bytes
    )
    async with incoming as (file, size_bytes):
        pieces = iter(lambda: file.read(_PIECE_BYTES), b"")
        stream = KnownStream(pieces, sha256, size_bytes)
        await run_in_threadpool(access.store.blobs.put, stream)  # type: ignore[arg-type]
    return {"sha256": sha256, "size_bytes": size_bytes}


@router.post("/payloads/{sha256}/claim")
def claim_payload(
    sha256: Sha256, access: Annotated[Access, Depends(needs("write"))]
) -> dict[str, bool]:
    """Note that a payload is in use now, as putting it again does; say whether it is here."""
    return {"is_here": access.store.blobs.claim(sha256)}


@router.delete("/payloads/{sha256}", status_code=204)
def delete_payload(sha256: Sha256, access: Annotated[Access, Depends(needs("admin"))]) -> None:
    """Remove a payload, whoever uses it; nothing happens if it is not here."""
    access.note("payload.delete", sha256=sha256)
    access.store.blobs.delete(sha256)


@router.post("/payloads/{sha256}/remove-unclaimed")
def remove_unclaimed_payload(
    sha256: Sha256, before_us: BeforeUs, access: Annotated[Access, Depends(needs("admin"))]
) -> dict[str, int | None]:
    """Remove a payload that was neither put nor claimed since, and return its size in bytes; null
    if it was, or is not here."""
    size_bytes = access.store.blobs.remove_unclaimed(sha256, before_us)
    if size_bytes is not None:
        access.note("payload.remove_unclaimed", sha256=sha256, size_bytes=size_bytes)
    return {"size_bytes": size_bytes}


def _put_all(blobs: BlobStore, body: IO[bytes], size_bytes: int) -> int:
    """Put the payloads of a body and have the disk take them together; return how many."""
    kept = []
    for stream in decode_payloads(body, size_bytes):
        kept.append(stream.sha256)
        blobs.put(stream, synced=False)  # type: ignore[arg-type]
    blobs.sync(kept)
    return len(kept)
