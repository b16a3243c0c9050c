"""Answers that are payloads: whole, or one range. Never shown by a browser, always saved."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from quark.errors import ArtifactNotFoundError
from quark.persistence.wire import status_of
from quark.storage.protocols import BlobStore

#: The schema of bytes.
BINARY = {"type": "string", "format": "binary"}
_PIECE_BYTES = 1 << 20
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.IGNORECASE)


def payload_head(blobs: BlobStore, sha256: str) -> Response:
    """Return the headers that go with a payload, or a 404."""
    try:
        with blobs.open(sha256) as file:
            size_bytes = file.seek(0, io.SEEK_END)
    except KeyError:
        return Response(status_code=status_of(_missing(sha256)))
    return Response(headers={**_headers(sha256), "Content-Length": str(size_bytes)})


def payload_answer(blobs: BlobStore, sha256: str, asked: Mapping[str, str]) -> Response:
    """Return a payload, or the range that the headers ``asked`` for.

    Raises:
        ArtifactNotFoundError: It is not here.
    """
    headers = _headers(sha256)
    try:
        file = blobs.open(sha256)
    except KeyError:
        raise _missing(sha256) from None
    if asked.get("If-None-Match") == headers["ETag"]:
        file.close()
        return Response(status_code=304, headers=headers)
    size_bytes = file.seek(0, io.SEEK_END)
    start, end = 0, size_bytes
    wanted = None
    if size_bytes and asked.get("If-Range", headers["ETag"]) == headers["ETag"]:
        wanted = selected(asked.get("Range", ""), size_bytes)
    if wanted is not None:
        start, end = wanted
        if start >= size_bytes:
            file.close()
            headers["Content-Range"] = f"bytes */{size_bytes}"
            return Response(status_code=416, headers=headers)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size_bytes}"
    headers["Content-Length"] = str(end - start)
    return _FileAnswer(file, start, end, 200 if wanted is None else 206, headers)


def selected(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return the first byte that a Range header asks for, and the one after the last.

    None if it asks for all, for several ranges or for nothing that is known: then all is sent.

    >>> selected("bytes=2-4", 10), selected("bytes=7-", 10), selected("bytes=-3", 10)
    ((2, 5), (7, 10), (7, 10))
    >>> selected("bytes=1-2,4-5", 10), selected("bytes=5-2", 10), selected("", 10)
    (None, None, None)
    """
    match = _RANGE.fullmatch(header)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return (max(0, size_bytes - int(match[2])), size_bytes) if int(match[2]) else None
    start, end = int(match[1]), int(match[2]) + 1 if match[2] else size_bytes
    if match[2] and end <= start:
        return None
    return start, min(end, size_bytes)


class _FileAnswer(StreamingResponse):
    """Sends a part of an open file and closes it, also if nobody reads to the end."""

    def __init__(
        self, file: BinaryIO, start: int, end: int, status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(_pieces(file, start, end), status, headers=headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _pieces(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    while start < end and (piece := file.read(min(_PIECE_BYTES, end - start))):
        start += len(piece)
        yield piece


def _headers(sha256: str) -> dict[str, str]:
    return {
        "ETag": f'"{sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, immutable, max-age=31536000",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{sha256}"',
        "X-Content-Type-Options": "nosniff",
    }


def _missing(sha256: str) -> ArtifactNotFoundError:
    return ArtifactNotFoundError(f"There is no payload {sha256}.")
