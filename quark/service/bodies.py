"""Reading a request's body within limits, packed or not."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from quark.errors import RecordRejectedError, SessionStoreError

if TYPE_CHECKING:
    from starlette.types import Receive

_GZIP = 16 + zlib.MAX_WBITS


class BodyTooLargeError(RecordRejectedError):
    """A body has more bytes than the service takes."""


async def read_raw(
    headers: Mapping[bytes, bytes], receive: Receive, limit_bytes: int
) -> tuple[bytes, bool]:
    """Return the whole body as it was sent, and whether gzip packed it.

    Raises:
        BodyTooLargeError: It is larger than the service takes; nothing more of it is read.
        RecordRejectedError: It is packed in an unknown way.
        SessionStoreError: The sender has gone.
    """
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding not in (b"identity", b"gzip"):
        raise RecordRejectedError(
            f"Content-Encoding {encoding[:40]!r} is not known; send gzip, or leave it out."
        )
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes, "sent")
    pieces = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise SessionStoreError("The sender has gone before the whole body was here.")
        piece = message.get("body", b"")
        size_bytes += len(piece)
        if size_bytes > limit_bytes:
            raise _too_large(limit_bytes, "sent")
        pieces.append(piece)
        if not message.get("more_body", False):
            break
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return body, encoding == b"gzip"


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
