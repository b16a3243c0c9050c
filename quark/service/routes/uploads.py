"""Payloads in parts: begun, sent in any order and as often as needed, put together at the end.

Whoever begins the same payload again is told which parts are here already.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from quark.errors import SchemaValidationError
from quark.service.access import Access, needs
from quark.service.bodies import BodyTooLargeError
from quark.service.incoming_body import incoming_body
from quark.service.routes.payloads import BODY_IS_BINARY, SIGNED_SECONDS
from quark.service.upload_desk import Desk, UploadDesk
from quark.service.uploads import Upload
from quark.storage.known_stream import KnownStream

router = APIRouter(tags=["payloads"])

Writer = Annotated[Access, Depends(needs("write"))]
UploadId = Annotated[str, Path(max_length=64)]
PartNumber = Annotated[int, Path(ge=0, lt=1_000_000, description="Counted from 0.")]


class BeginModel(BaseModel):
    """What is going to be sent."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of the whole payload, in hex.")
    size_bytes: int = Field(ge=1, lt=2**63)


@router.post("/uploads")
def begin_upload(wanted: BeginModel, access: Writer, desk: Desk) -> dict[str, Any]:
    """Begin a payload in parts, or find it where it was begun before.

    ``is_here``: the payload is here already, and nothing needs to be sent.
    """
    if wanted.size_bytes > desk.config.max_payload_bytes:
        raise BodyTooLargeError(
            f"The payload has {wanted.size_bytes} bytes; this service takes at most "
            f"{desk.config.max_payload_bytes}."
        )
    if access.store.blobs.claim(wanted.sha256):
        return {"is_here": True}
    upload = desk.begin(access, wanted.sha256, wanted.size_bytes)
    return {"is_here": False, **_described(desk, access, upload)}


@router.get("/uploads/{upload_id}")
def look_at_upload(upload_id: UploadId, access: Writer, desk: Desk) -> dict[str, Any]:
    """Say how long the parts are and which of them are here."""
    return _described(desk, access, desk.find(access, upload_id))


@router.delete("/uploads/{upload_id}", status_code=204)
def remove_upload(upload_id: UploadId, access: Writer, desk: Desk) -> None:
    """Remove an upload and its parts."""
    desk.parts(access).remove(desk.find(access, upload_id))


@router.put("/uploads/{upload_id}/parts/{number}", status_code=204, openapi_extra=BODY_IS_BINARY)
async def put_part(
    upload_id: UploadId,
    number: PartNumber,
    request: Request,
    access: Writer,
    desk: Desk,
    zeros: Annotated[
        bool, Query(description="The part is all zeros, as in a sparse file; the body is empty.")
    ] = False,
) -> Response:
    """Keep one part. Sent again, it replaces the one before."""
    upload = await run_in_threadpool(desk.find, access, upload_id)
    exact_bytes = upload.bytes_of(number)
    parts = desk.parts(access)
    if zeros:
        await run_in_threadpool(parts.put, upload, number, Zeros(exact_bytes))
        return Response(status_code=204)
    incoming = incoming_body(
        request,
        desk.config.root / "incoming-parts",
        limit_bytes=exact_bytes,
        exact_bytes=exact_bytes,
    )
    async with incoming as (file, _):
        await run_in_threadpool(parts.put, upload, number, file)
    return Response(status_code=204)


@router.get("/uploads/{upload_id}/parts/{number}/location")
def locate_part(
    upload_id: UploadId, number: PartNumber, access: Writer, desk: Desk
) -> dict[str, str | None]:
    """Return a URL to send a part to past this service, good for some minutes; or null."""
    upload = desk.find(access, upload_id)
    upload.bytes_of(number)
    return {"url": desk.parts(access).signed_url(upload, number, SIGNED_SECONDS)}


@router.post("/uploads/{upload_id}/complete")
def complete_upload(upload_id: UploadId, access: Writer, desk: Desk) -> dict[str, Any]:
    """Put the parts together and keep the payload, if it is what was promised.

    All of it is digested here, also what came past this service. If it is something else, the
    parts are removed: which of them is wrong cannot be known.
    """
    upload = desk.find(access, upload_id)
    parts = desk.parts(access)
    with desk.completing(upload):
        missing = sorted(set(range(upload.part_count)) - set(parts.numbers(upload)))
        if missing:
            raise SchemaValidationError(
                f"{len(missing)} of {upload.part_count} parts are missing, the first of them is "
                f"{missing[0]}; send them first."
            )
        stream = KnownStream(parts.read(upload), upload.sha256, upload.size_bytes)
        try:
            access.store.blobs.put(stream)  # type: ignore[arg-type]
        except SchemaValidationError:
            parts.remove(upload)
            raise
        parts.remove(upload)
    return {"sha256": upload.sha256, "size_bytes": upload.size_bytes}


class Zeros:
    """Reads as so many zeros."""

    def __init__(self, count: int) -> None:
        self._left = count

    def read(self, size: int = -1, /) -> bytes:
        count = self._left if size < 0 else min(size, self._left)
        self._left -= count
        return bytes(count)


def _described(desk: UploadDesk, access: Access, upload: Upload) -> dict[str, Any]:
    parts = desk.parts(access)
    return {
        "upload_id": upload.upload_id,
        "sha256": upload.sha256,
        "size_bytes": upload.size_bytes,
        "part_bytes": upload.part_bytes,
        "parts": parts.numbers(upload),
        "direct": parts.signed_url(upload, 0, SIGNED_SECONDS) is not None,
    }
