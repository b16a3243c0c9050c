"""Answers that are files which somebody logged: shown if that is harmless, else saved.

What a file is follows from its name by a short table, never from what it holds. No type of the
table can become a page of ours: HTML comes as a page only where it was asked for as one, in a
sandbox without an origin, and everything else forbids itself to run anything.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse

from quark.dashboard.headers import SANDBOX_POLICY

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

#: What a browser shows inside of a page of ours, as an image, a sound or a film.
SHOWN_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".ogg": "video/ogg",
    ".ogv": "video/ogg",
    ".webm": "video/webm",
}
PAGES = frozenset({".htm", ".html"})
#: Opened as a page of its own, a file runs nothing, loads nothing and is framed by nobody.
FILE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

#: What a browser says it wants HTML for that may come as a page: a frame of ours, or a script that
#: reads it. With a tab of its own it could show a login like ours under our address, and lead the
#: tab away with what was typed; where it is framed, our policy forbids that.
_FRAMES = frozenset({"iframe", "empty"})
_PIECE_BYTES = 1 << 18
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.IGNORECASE)


def kind_of(name: str) -> str:
    """Return what a file of this name is shown as.

    >>> kind_of("a/b.PNG"), kind_of("x.wav"), kind_of("x.html"), kind_of("model.bin")
    ('image', 'audio', 'html', 'file')
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in PAGES:
        return "html"
    return SHOWN_TYPES.get(suffix, "file").partition("/")[0]


class PayloadAnswer(Response):
    """Sends an open file, or the range of it that is asked for, and closes it.

    Args:
        name: Its name, from which its type follows.
        sha256: Of its content.
        sent_as: ``shown``, ``saved``, or ``page`` for HTML in a sandbox; that is saved, too, if a
            browser wants it for anything but a frame.
        is_fixed: Whether its address never stands for another content.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        name: str,
        sha256: str,
        sent_as: str = "shown",
        is_fixed: bool = False,
    ) -> None:
        super().__init__()
        self._file = file
        self._size_bytes = file.seek(0, io.SEEK_END)
        self._tag = f'"{sha256}"'
        self._name = name
        self._is_page = sent_as == "page" and PurePosixPath(name).suffix.lower() in PAGES
        self._fields = _fields(name, sent_as)
        if self._is_page:  # a browser must not show from its cache what it would have to save
            self._fields["Vary"] = "Sec-Fetch-Dest"
        self._fields["ETag"] = self._tag
        self._fields["Accept-Ranges"] = "bytes"
        self._fields["Cache-Control"] = (
            "private, immutable, max-age=31536000" if is_fixed else "private, no-cache"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        asked = Headers(scope=scope)
        try:
            if self._is_page and asked.get("sec-fetch-dest", "iframe") not in _FRAMES:
                self._fields |= _fields(self._name, "saved")
            answer = self._chosen(asked)
            await answer(scope, receive, send)
        finally:
            self._file.close()

    def _chosen(self, asked: Headers) -> Response:
        fields, size_bytes = self._fields, self._size_bytes
        if self._tag in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=fields)
        start, end, status = 0, size_bytes, 200
        wanted = None
        if asked.get("if-range", self._tag) == self._tag:
            wanted = _selected(asked.get("range", ""), size_bytes)
        if wanted is not None:
            start, end = wanted
            if start >= size_bytes:
                outside = {**fields, "Content-Range": f"bytes */{size_bytes}"}
                return Response(status_code=416, headers=outside)
            status = 206
            fields["Content-Range"] = f"bytes {start}-{end - 1}/{size_bytes}"
        fields["Content-Length"] = str(end - start)
        return StreamingResponse(_pieces(self._file, start, end), status, headers=fields)


def _fields(name: str, sent_as: str) -> dict[str, str]:
    suffix = PurePosixPath(name).suffix.lower()
    fields = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": FILE_POLICY}
    if sent_as == "page" and suffix in PAGES:
        fields["Content-Type"] = "text/html; charset=utf-8"
        fields["Content-Security-Policy"] = SANDBOX_POLICY
        return fields
    shown = SHOWN_TYPES.get(suffix)
    fields["Content-Type"] = shown or "application/octet-stream"
    if sent_as != "shown" or shown is None:
        last = PurePosixPath(name).name or "file"
        fields["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(last, safe='')}"
    return fields


def _selected(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return the first byte that is asked for and the one after the last; None for all of it."""
    found = _RANGE.fullmatch(header)
    if found is None or not (found[1] or found[2]) or not size_bytes:
        return None
    if not found[1]:
        return (max(0, size_bytes - int(found[2])), size_bytes) if int(found[2]) else None
    start, end = int(found[1]), int(found[2]) + 1 if found[2] else size_bytes
    if found[2] and end <= start:
        return None
    return start, min(end, size_bytes)


def _pieces(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    while start < end and (piece := file.read(min(_PIECE_BYTES, end - start))):
        start += len(piece)
        yield piece
