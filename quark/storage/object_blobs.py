"""Payloads in an S3-compatible object store, for several service processes at once.

A payload is digested before anything is sent: so nothing is sent twice, nothing lies under a wrong
name, and it is there whole or not at all. (Sending first and copying on the server's side when the
digest is known would send everything, and ends at S3's 5 GiB for a copy.) A stream that can be read
only once is spooled into a temporary file for that.

**Claims.** Objects cannot be touched, so a claim is an empty object beside the payload. Who claims
writes that first and then looks whether anybody is removing the copy; who removes marks the copy
first and then looks for claims. Whatever the order, one of the two sees the other: a collector that
sees a claim stops, and a claimer that sees a mark is told that the payload is not here and puts it
again, as a new copy, which the collector does not know and cannot remove. This needs a store whose
lists show what was just written, as S3 does since 2020 and MinIO and Ceph always did. Times are the
object store's, to the second; its clock must not be off by more than a collector waits.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from quark.errors import SchemaValidationError
from quark.storage.file_copy import FileDigests, FileStamp, digest_file
from quark.storage.known_stream import KnownStream, verified
from quark.storage.many_payloads import put_each
from quark.storage.object_bucket import MIB, ObjectBucket
from quark.storage.object_names import (
    Kept,
    all_kept,
    is_digest,
    kept_of,
    marked_copy,
    new_claim_key,
    new_copy_key,
    new_removing_key,
)
from quark.storage.ranged_file import RangedFile
from quark.storage.sparse import write_sparse

#: Up to this size a payload is held in memory and sent in one request.
_SMALL_BYTES = 8 * MIB
_ATTEMPTS = 3
_READ_BYTES = 64 * 1024


class ObjectBlobs:
    """A :class:`~quark.storage.protocols.BlobStore` in one folder of a bucket.

    ``spool_dir`` is where streams rest until their digest is known; the system's own if None.
    """

    def __init__(
        self,
        bucket: ObjectBucket,
        check_open: Callable[[], None] = lambda: None,
        *,
        spool_dir: Path | None = None,
    ) -> None:
        self._bucket = bucket
        self._check_open = check_open
        self._spool_dir = spool_dir

    @property
    def bucket(self) -> ObjectBucket:
        """Where the payloads are, for whoever signs requests to it."""
        return self._bucket

    def put(self, source: BinaryIO | bytes, *, synced: bool = True) -> tuple[str, int]:
        self._check_open()
        if isinstance(source, (bytes, bytearray)):
            return self._put_small(bytes(source))
        if isinstance(source, KnownStream):
            if source.size_bytes <= _SMALL_BYTES:
                return self._put_small(b"".join(source))
            self._keep(source.sha256, source.size_bytes, lambda: source)
            return source.sha256, source.size_bytes
        first = _read_full(source, _SMALL_BYTES + 1)
        if len(first) <= _SMALL_BYTES:
            return self._put_small(first)
        with tempfile.TemporaryFile(dir=self._spool_dir) as spool:
            digest = hashlib.sha256(first)
            spool.write(first)
            del first
            while piece := source.read(MIB):
                digest.update(piece)
                spool.write(piece)
            sha256, size_bytes = digest.hexdigest(), spool.tell()

            def again() -> Iterator[bytes]:
                spool.seek(0)
                return iter(lambda: spool.read(MIB), b"")

            self._keep(sha256, size_bytes, lambda: verified(again(), sha256, size_bytes))
        return sha256, size_bytes

    def put_file(self, path: Path) -> FileDigests:
        self._check_open()
        for _ in range(_ATTEMPTS):
            before = FileStamp.of(os.stat(path))
            found = digest_file(path)
            pieces = partial(_file_pieces, path, found)
            try:
                self._keep(found.sha256, found.size_bytes, pieces)
            except SchemaValidationError:
                continue  # it was changed between the two times it was read
            if FileStamp.of(os.stat(path)) == before:
                return found
        raise SchemaValidationError(
            f"The file {path} was changed while it was added, {_ATTEMPTS} times in a row. Add it "
            "when whoever writes it is done, or add a copy."
        )

    def put_all(self, sources: Sequence[bytes | Path]) -> list[FileDigests]:
        return put_each(self, sources)

    def sync(self, digests: Iterable[str]) -> None:
        """An object store has a payload safe before it says that it is there."""
        self._check_open()
        for sha256 in digests:
            if not self.exists(sha256):
                raise KeyError(sha256)

    def open(self, sha256: str) -> BinaryIO:
        self._check_open()
        best = self._kept(sha256).best
        if best is None:
            raise KeyError(sha256)
        file = RangedFile(self._bucket, best.key, best.size_bytes)
        return cast("BinaryIO", io.BufferedReader(file, _READ_BYTES))

    def copy_to(self, sha256: str, path: Path) -> None:
        with self.open(sha256) as source, path.open("wb") as target:
            for _ in write_sparse(source, target):
                pass

    def exists(self, sha256: str) -> bool:
        self._check_open()
        return self._kept(sha256).best is not None

    def delete(self, sha256: str) -> None:
        self._check_open()
        kept = self._kept(sha256)
        self._bucket.delete([item.key for item in kept.copies + kept.claims + kept.removing])

    def claim(self, sha256: str) -> bool:
        self._check_open()
        if not is_digest(sha256):
            return False
        key = new_claim_key(sha256)
        self._bucket.put(key, b"")
        kept = kept_of(self._bucket, sha256)
        if not kept.sound:
            self._bucket.delete([key])
            return False
        self._bucket.delete(kept.outdated_claims(key))
        return True

    def claim_all(self, digests: Collection[str]) -> set[str]:
        return {sha256 for sha256 in digests if self.claim(sha256)}

    def unclaimed(self, before_us: int) -> dict[str, int]:
        self._check_open()
        found = {}
        for kept in all_kept(self._bucket):
            if not kept.is_unclaimed(before_us):
                continue
            if kept.best is not None:
                found[kept.sha256] = kept.best.size_bytes
            else:  # claims of what is gone, left by somebody who was killed
                self._bucket.delete([item.key for item in kept.claims + kept.removing])
        return found

    def remove_unclaimed(self, sha256: str, before_us: int) -> int | None:
        self._check_open()
        seen = self._kept(sha256)
        if seen.best is None or not seen.is_unclaimed(before_us):
            return None
        marks = [new_removing_key(copy.key) for copy in seen.copies]
        for mark in marks:
            self._bucket.put(mark, b"")
        now = kept_of(self._bucket, sha256)
        if now.best is None or not now.is_unclaimed(before_us):
            self._bucket.delete(marks)
            return None
        # What is new since is neither marked nor named here, so it stays.
        copies = {copy.key for copy in seen.copies}
        self._bucket.delete(sorted(copies))
        self._bucket.delete([item.key for item in now.claims])
        self._bucket.delete([mark.key for mark in now.removing if marked_copy(mark.key) in copies])
        return now.best.size_bytes

    def digests(self) -> Iterable[str]:
        self._check_open()
        return (kept.sha256 for kept in all_kept(self._bucket) if kept.copies)

    def presigned_get(self, sha256: str, seconds: float) -> str | None:
        """Return a URL from which anybody can read the payload for so long; None if it is not
        here, or the object store knows no such URLs."""
        self._check_open()
        best = self._kept(sha256).best
        return None if best is None else self._bucket.signed_url("GET", best.key, seconds)

    def _put_small(self, payload: bytes) -> tuple[str, int]:
        sha256 = hashlib.sha256(payload).hexdigest()
        self._keep(sha256, len(payload), lambda: [payload])
        return sha256, len(payload)

    def _keep(
        self, sha256: str, size_bytes: int, pieces: Callable[[], Iterable[bytes | memoryview]]
    ) -> None:
        """Send a payload if it is not here. ``pieces`` raise at their end if they are not it."""
        if kept_of(self._bucket, sha256).sound and self.claim(sha256):
            return
        key = new_copy_key(sha256)
        if size_bytes <= _SMALL_BYTES:
            self._bucket.put(key, b"".join(pieces()))
        else:
            self._bucket.put_pieces(key, pieces(), size_bytes)

    def _kept(self, sha256: str) -> Kept:
        return kept_of(self._bucket, sha256) if is_digest(sha256) else Kept(sha256)


def _read_full(source: BinaryIO, limit_bytes: int) -> bytes:
    """Read up to so many bytes; fewer only at the end, unlike one ``read`` of a pipe."""
    pieces, left = [], limit_bytes
    while left and (piece := source.read(min(left, MIB))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _file_pieces(path: Path, found: FileDigests) -> Iterator[bytes | memoryview]:
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(MIB), b"")
        yield from verified(pieces, found.sha256, found.size_bytes)
