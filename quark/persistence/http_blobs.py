"""Payloads behind a service.

A payload is digested here first and the service is asked whether it has it: nothing is sent twice.
A small one goes in one request, a large one in parts; see
:mod:`quark.persistence.payload_upload`. What comes back is checked against its digest.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from quark.errors import DamagedFileError, SchemaValidationError
from quark.persistence.direct_requests import DirectRequests
from quark.persistence.payload_download import FIRST_BYTES, PayloadSource
from quark.persistence.payload_upload import Content, PayloadUpload
from quark.persistence.service_client import ServiceClient
from quark.persistence.small_payloads import SmallPayloads, claim_all
from quark.storage.file_copy import FileDigests, FileStamp, digest_file
from quark.storage.known_stream import KnownStream
from quark.storage.many_payloads import digests_of
from quark.storage.object_names import is_digest
from quark.storage.ranged_file import RangedFile
from quark.storage.sparse import write_sparse

_PIECE_BYTES = 1 << 20
#: Up to this size a stream is held in memory while its digest is found out.
_SMALL_BYTES = 8 << 20
_READ_BYTES = 64 * 1024
_ATTEMPTS = 3
_SYNC_AT_ONCE = 200
_LISTED_AT_ONCE = 10_000


class HttpBlobs:
    """A :class:`~quark.storage.protocols.BlobStore` over a service's routes.

    A stream that is not small rests in a temporary file until its digest is known. ``direct``:
    whether large payloads may go past the service, where it says how.
    """

    def __init__(self, http: ServiceClient, *, direct: bool = True) -> None:
        self._http = http
        self._direct = DirectRequests(http.timeout_seconds, allowed=direct)
        self._upload = PayloadUpload(http, self._direct)

    def put(self, source: BinaryIO | bytes, *, synced: bool = True) -> tuple[str, int]:
        self._http.check_open()
        if isinstance(source, (bytes, bytearray)):
            return self._put_bytes(bytes(source))
        with tempfile.SpooledTemporaryFile(_SMALL_BYTES) as spool:
            digest = hashlib.sha256()
            while piece := source.read(_PIECE_BYTES):
                digest.update(piece)
                spool.write(piece)
            sha256, size_bytes = digest.hexdigest(), spool.tell()

            def read(start: int, count: int) -> bytes:
                spool.seek(start)
                return spool.read(count)

            self._send(Content(sha256, size_bytes, read))
        return sha256, size_bytes

    def put_file(self, path: Path) -> FileDigests:
        self._http.check_open()
        for _ in range(_ATTEMPTS):
            with path.open("rb", buffering=0) as file:
                descriptor = file.fileno()
                before = FileStamp.of(os.fstat(descriptor))
                found = digest_file(path)
                content = Content(found.sha256, found.size_bytes, partial(_read_file, descriptor))
                try:
                    self._send(content)
                except SchemaValidationError:
                    if FileStamp.of(os.stat(path)) == before:
                        raise
                    continue
            if FileStamp.of(os.stat(path)) == before:
                return found
        raise SchemaValidationError(
            f"The file {path} was changed while it was added, {_ATTEMPTS} times in a row. Add it "
            "when whoever writes it is done, or add a copy."
        )

    def put_all(self, sources: Sequence[bytes | Path]) -> list[FileDigests]:
        self._http.check_open()
        return SmallPayloads(self._http, self._put_alone).put_all(sources)

    def sync(self, digests: Iterable[str]) -> None:
        """A service has a payload safe before it says that it is there."""
        self._http.check_open()
        rest = iter(digests)
        while some := list(islice(rest, _SYNC_AT_ONCE)):
            answer = self._http.post(self._http.path("payloads", "sync"), {"digests": some})
            if answer["missing"]:
                raise KeyError(answer["missing"][0])

    def copy_to(self, sha256: str, path: Path) -> None:
        source = self._source(sha256)
        stream = KnownStream(source.pieces(sha256), sha256, source.size_bytes)
        try:
            with path.open("wb") as target:
                for _ in write_sparse(cast("BinaryIO", io.BufferedReader(stream)), target):
                    pass
        except SchemaValidationError as error:
            path.unlink()
            raise DamagedFileError(
                f"The payload {sha256} is not what came from {self._http.target}: it is damaged "
                "there, or was on its way."
            ) from error

    def open(self, sha256: str) -> BinaryIO:
        source = self._source(sha256)
        file = RangedFile(source, sha256, source.size_bytes, source.first)
        return cast("BinaryIO", io.BufferedReader(file, _READ_BYTES))

    def exists(self, sha256: str) -> bool:
        self._http.check_open()
        if not is_digest(sha256):
            return False
        try:
            PayloadSource(self._http, self._direct, sha256, 1)
        except KeyError:
            return False
        return True

    def delete(self, sha256: str) -> None:
        self._http.check_open()
        if is_digest(sha256):
            self._http.request("DELETE", self._http.path("payloads", sha256), patient=True)

    def claim(self, sha256: str) -> bool:
        self._http.check_open()
        if not is_digest(sha256):
            return False
        answer = self._http.post(self._http.path("payloads", sha256, "claim"), {})
        return bool(answer["is_here"])

    def claim_all(self, digests: Collection[str]) -> set[str]:
        self._http.check_open()
        return claim_all(self._http, digests)

    def unclaimed(self, before_us: int) -> dict[str, int]:
        self._http.check_open()
        path = self._http.path("payloads", "unclaimed")
        found: dict[str, int] = self._http.get(path, {"before_us": before_us})["payloads"]
        return found

    def remove_unclaimed(self, sha256: str, before_us: int) -> int | None:
        self._http.check_open()
        if not is_digest(sha256):
            return None
        path = self._http.path("payloads", sha256, "remove-unclaimed")
        answer: dict[str, Any] = self._http.post(path, {}, {"before_us": before_us})
        size_bytes: int | None = answer["size_bytes"]
        return size_bytes

    def digests(self) -> Iterable[str]:
        self._http.check_open()
        after = ""
        while True:
            query = {"after": after, "limit": _LISTED_AT_ONCE}
            found: list[str] = self._http.get(self._http.path("payloads"), query)["digests"]
            yield from found
            if len(found) < _LISTED_AT_ONCE:
                return
            after = found[-1]

    def close(self) -> None:
        """Close connections that are not the service's."""
        self._direct.close()

    def _source(self, sha256: str) -> PayloadSource:
        self._http.check_open()
        if not is_digest(sha256):
            raise KeyError(sha256)
        return PayloadSource(self._http, self._direct, sha256, FIRST_BYTES)

    def _put_alone(self, source: bytes | Path) -> FileDigests:
        if isinstance(source, Path):
            return self.put_file(source)
        self._put_bytes(source)
        return digests_of(source)

    def _put_bytes(self, payload: bytes) -> tuple[str, int]:
        sha256 = hashlib.sha256(payload).hexdigest()
        self._send(
            Content(sha256, len(payload), lambda start, count: payload[start : start + count])
        )
        return sha256, len(payload)

    def _send(self, content: Content) -> None:
        if not self.claim(content.sha256):
            self._upload.send(content)


def _read_file(descriptor: int, start: int, count: int) -> bytes:
    return os.pread(descriptor, count, start)
