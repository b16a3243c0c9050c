"""Reading a request's body within limits, packed or not."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from quark.errors import RecordRejectedError
from quark.service.config import ServiceConfig

if TYPE_CHECKING:
    from fastapi import Request

_GZIP = 16 + zlib.MAX_WBITS


class BodyTooLargeError(RecordRejectedError):
    """A body has more bytes than the service takes."""


async def read_body(request: Request, config: ServiceConfig) -> bytes:
    """Return the whole body, unpacked.

    Raises:
        BodyTooLargeError: It is larger than the service takes, as sent or unpacked.
        RecordRejectedError: It is packed in an unknown way, or damaged.
    """
    pieces = []
    size_bytes = 0
    async for piece in request.stream():
        size_bytes += len(piece)
        if size_bytes > config.max_body_bytes:
            raise _too_large(config.max_body_bytes, "sent")
        pieces.append(piece)
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise RecordRejectedError(
            f"Content-Encoding {encoding[:40]!r} is not known; send gzip, or leave it out."
        )
    return unpacked(body, config.max_unpacked_bytes)


def unpacked(body: bytes, limit_bytes: int) -> bytes:
    """Return what gzip packed, but never more than ``limit_bytes``.

    Raises:
        BodyTooLargeError: There is more.
        RecordRejectedError: The bytes are damaged.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(body, limit_bytes)
    except zlib.error as error:
        raise RecordRejectedError(f"The gzip body is damaged: {error}.") from error
    if unpacker.unconsumed_tail:
        raise _too_large(limit_bytes, "unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise RecordRejectedError("The gzip body is not whole, or something comes after it.")
    return content


def _too_large(limit_bytes: int, what: str) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"The body is larger than {limit_bytes} bytes {what}, which is all that this service takes "
        "at once. Send less in one request."
    )
