"""The dashboard's own files, as a browser wants them: compressed, and asked for again cheaply.

There is no build step, so a file keeps its address when Quark is upgraded. A browser therefore asks
each time whether its copy still holds, which is answered without the file.
"""

from __future__ import annotations

import gzip
import mimetypes
import stat
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

_TEXT_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css"}
_PACKED_ABOVE_BYTES = 1024


class _Kept(NamedTuple):
    stamp: tuple[int, int]  # when it was changed, and its size
    etag: str
    media_type: str
    body: bytes
    packed: bytes | None


class StaticFiles:
    """Answers with files of one folder, kept in memory. A file that changes is read again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[Path, _Kept] = {}

    async def answer(self, request: Request, name: str) -> Response:
        """Return the answer that is the file ``name``, a path below the folder."""
        found = await run_in_threadpool(self._find, name)
        if found is None:
            return Response("There is no such file.", 404, media_type="text/plain")
        headers = {"ETag": found.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if found.etag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers=headers)
        body = found.body
        if found.packed is not None and takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            body = found.packed
        return Response(body, headers=headers, media_type=found.media_type)

    def _find(self, name: str) -> _Kept | None:
        parts = name.split("/")
        if any(not part or part.startswith(".") or set(part) & {"\\", ":", "\0"} for part in parts):
            return None
        path = self._folder.joinpath(*parts)
        try:
            there = path.stat()
            if not stat.S_ISREG(there.st_mode):
                return None
            stamp = (there.st_mtime_ns, there.st_size)
            kept = self._kept.get(path)
            if kept is None or kept.stamp != stamp:
                kept = self._kept[path] = _read(path, stamp)
        except (OSError, ValueError):
            return None
        return kept


def takes_gzip(request: Request) -> bool:
    """Say whether who asks can unpack gzip."""
    return "gzip" in request.headers.get("accept-encoding", "")


def _read(path: Path, stamp: tuple[int, int]) -> _Kept:
    body = path.read_bytes()
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(body, 9, mtime=0) if len(body) > _PACKED_ABOVE_BYTES else None
    return _Kept(
        stamp=stamp,
        # Weak, since it stands for the packed file, too.
        etag=f'W/"{sha256(body).hexdigest()[:24]}"',
        media_type=_TEXT_TYPES.get(path.suffix, guessed),
        body=body,
        packed=packed if packed is not None and len(packed) < len(body) else None,
    )
