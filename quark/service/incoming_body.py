"""Bodies that are payloads: taken as they come, into a file without a name, in constant memory."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from quark.errors import RecordRejectedError, SchemaValidationError
from quark.service.bodies import BodyTooLargeError

_PIECE_BYTES = 1 << 20


@asynccontextmanager
async def incoming_body(
    request: Request, folder: Path, *, limit_bytes: int, exact_bytes: int | None = None
) -> AsyncIterator[tuple[IO[bytes], int]]:
    """Give a request's whole body as an open file at its beginning, and its size in bytes.

    Args:
        folder: Where it rests if it is not small; made if it is not there.
        limit_bytes: The most that is taken.
        exact_bytes: How much there must be; any amount if None.

    Raises:
        BodyTooLargeError: There is more than ``limit_bytes``.
        RecordRejectedError: It is packed. A payload is sent as it is: unpacking could make any
            amount of it, and its digest is that of what is sent.
        SchemaValidationError: There is not exactly what there must be.
    """
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise RecordRejectedError("A payload must be sent as it is, without a Content-Encoding.")
    _check_length(_told_bytes(request), limit_bytes, None)
    file: IO[bytes] = tempfile.SpooledTemporaryFile(_PIECE_BYTES, dir=str(folder))  # noqa: SIM115
    try:
        await run_in_threadpool(folder.mkdir, parents=True, exist_ok=True)
        size_bytes, held = 0, bytearray()
        async for piece in request.stream():
            size_bytes += len(piece)
            _check_length(size_bytes, limit_bytes, None)
            held += piece
            if len(held) >= _PIECE_BYTES:
                await run_in_threadpool(file.write, held)
                held = bytearray()
        _check_length(size_bytes, limit_bytes, exact_bytes)
        await run_in_threadpool(file.write, held)
        file.seek(0)
        yield file, size_bytes
    finally:
        file.close()


def _told_bytes(request: Request) -> int:
    """Return how much is announced; 0 if nothing is. A server has looked at its form."""
    told = request.headers.get("Content-Length", "0")
    return int(told) if told.isdecimal() else 0


def _check_length(size_bytes: int, limit_bytes: int, exact_bytes: int | None) -> None:
    if size_bytes > limit_bytes:
        raise BodyTooLargeError(
            f"The body is larger than {limit_bytes} bytes, which is all that is taken here. Send "
            "a larger payload in parts."
        )
    if exact_bytes is not None and size_bytes != exact_bytes:
        raise SchemaValidationError(
            f"{size_bytes} bytes came, but it must be {exact_bytes}; send it again."
        )
