"""Payloads in a folder: ``blobs/ab/cd/<sha256>``, written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import file_digest, sha256 as new_sha256
from pathlib import Path
from typing import BinaryIO

from quark.errors import SessionStoreError
from quark.storage.blob_claims import claim, remove_unclaimed, unclaimed_bytes
from quark.storage.file_copy import FileDigests, copy_and_digest, copy_file, read_and_digest
from quark.storage.incoming import incoming_file, remove_abandoned
from quark.storage.many_payloads import put_each

_PIECE_BYTES = 1 << 20
#: A file up to this size is read before anything is written: it may be here already.
_SMALL_BYTES = 4 << 20
_INCOMING = "incoming"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class FolderBlobs:
    """A :class:`~quark.storage.protocols.BlobStore` in one folder.

    A payload is written to ``incoming/`` and then moved to its name; what a process that died left
    in ``incoming/`` is removed by the next one that puts something.
    """

    def __init__(self, folder: Path, check_open: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._check_open = check_open
        self._tidy = False

    def put(self, source: BinaryIO | bytes, *, synced: bool = True) -> tuple[str, int]:
        self._check_open()
        if isinstance(source, (bytes, bytearray)) and not synced:
            sha256 = new_sha256(source).hexdigest()
            if self._is_kept(sha256):
                return sha256, len(source)
        with self._incoming() as (incoming, file):
            sha256, size_bytes = _write(file, source)
            if synced:
                os.fsync(file.fileno())
            self._keep(incoming, sha256, synced=synced)
        return sha256, size_bytes

    def put_file(self, path: Path) -> FileDigests:
        self._check_open()
        small = read_and_digest(path, _SMALL_BYTES)
        if small is not None and self._is_kept(small[1].sha256):
            return small[1]
        with self._incoming(path) as (incoming, file):
            if small is None:
                found = copy_and_digest(path, file.fileno())
            else:
                file.write(small[0])
                file.flush()
                found = small[1]
            self._keep(incoming, found.sha256, synced=False)
        return found

    def put_all(self, sources: Sequence[bytes | Path]) -> list[FileDigests]:
        return put_each(self, sources)

    def sync(self, digests: Iterable[str]) -> None:
        self._check_open()
        with self._translated():
            paths = [self._path(sha256) for sha256 in digests]
            try:
                if len(paths) > 1:
                    _begin_writing(paths)
                for path in paths:
                    _sync(path)
            except FileNotFoundError as error:
                raise KeyError(Path(str(error.filename)).name) from None
            for folder in {path.parent for path in paths}:
                _sync(folder)

    def open(self, sha256: str) -> BinaryIO:
        self._check_open()
        with self._translated():
            try:
                return self._path(sha256).open("rb")
            except FileNotFoundError:
                raise KeyError(sha256) from None

    def copy_to(self, sha256: str, path: Path) -> None:
        with self.open(sha256) as source, path.open("wb") as target:
            copy_file(source.fileno(), target.fileno())

    def exists(self, sha256: str) -> bool:
        self._check_open()
        return _DIGEST.fullmatch(sha256) is not None and self._path(sha256).is_file()

    def delete(self, sha256: str) -> None:
        self._check_open()
        if _DIGEST.fullmatch(sha256) is not None:
            with self._translated():
                self._path(sha256).unlink(missing_ok=True)

    def claim(self, sha256: str) -> bool:
        self._check_open()
        with self._translated():
            return _DIGEST.fullmatch(sha256) is not None and claim(self._path(sha256))

    def claim_all(self, digests: Collection[str]) -> set[str]:
        return {sha256 for sha256 in digests if self.claim(sha256)}

    def unclaimed(self, before_us: int) -> dict[str, int]:
        with self._translated():
            found = ((name, self._path(name)) for name in self.digests())
            sizes = ((name, unclaimed_bytes(path, before_us)) for name, path in found)
            return {name: size_bytes for name, size_bytes in sizes if size_bytes is not None}

    def remove_unclaimed(self, sha256: str, before_us: int) -> int | None:
        self._check_open()
        with self._translated():
            return remove_unclaimed(self._path(sha256), before_us)

    def digests(self) -> Iterable[str]:
        self._check_open()
        names = (path.name for path in self._folder.glob("??/??/*"))
        return (name for name in names if _DIGEST.fullmatch(name) is not None)

    def path_of(self, sha256: str) -> Path:
        """Return the file that holds a payload, if it is here.

        Raises:
            KeyError: This is no digest.
        """
        return self._path(sha256)

    def _path(self, sha256: str) -> Path:
        if _DIGEST.fullmatch(sha256) is None:
            raise KeyError(sha256)
        return self._folder / sha256[:2] / sha256[2:4] / sha256

    @contextmanager
    def _incoming(self, source: Path | None = None) -> Iterator[tuple[Path, BinaryIO]]:
        folder = self._folder / _INCOMING
        if not self._tidy:
            self._tidy = True
            remove_abandoned(folder)
        with self._translated(source), incoming_file(folder) as found:
            yield found

    def _keep(self, incoming: Path, sha256: str, *, synced: bool) -> None:
        path = self._path(sha256)
        if not self._is_kept(sha256):
            path.parent.mkdir(parents=True, exist_ok=True)
            incoming.replace(path)
        elif synced:  # whoever put it here may not have had it synced
            _sync(path)
        if synced:
            _sync(path.parent)

    def _is_kept(self, sha256: str) -> bool:
        """Say whether a payload is here, and was not damaged since."""
        path = self._path(sha256)
        with self._translated():
            try:
                return _digest(path) == sha256 and claim(path)
            except FileNotFoundError:  # never put here, or just removed by a collector
                return False

    @contextmanager
    def _translated(self, source: Path | None = None) -> Iterator[None]:
        """Let errors of the folder be the store's, but not those of a file that is to be put."""
        try:
            yield
        except OSError as error:
            if source is not None and error.filename == str(source):
                raise
            raise SessionStoreError(
                f"The payloads in {self._folder} cannot be used: {error}."
            ) from error


def _write(file: BinaryIO, source: BinaryIO | bytes) -> tuple[str, int]:
    digest = new_sha256()
    for piece in _pieces(source):
        digest.update(piece)
        file.write(piece)
    file.flush()
    return digest.hexdigest(), file.tell()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _pieces(source: BinaryIO | bytes) -> Iterator[bytes | memoryview]:
    if isinstance(source, (bytes, bytearray)):
        yield memoryview(source)
        return
    while piece := source.read(_PIECE_BYTES):
        yield piece


def _begin_writing(paths: Iterable[Path]) -> None:
    """Have the disk begin with all files before any is waited for: then one commit of a journalling
    file system is for many of them."""
    if hasattr(os, "posix_fadvise"):
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def _sync(path: Path) -> None:
    """Have the disk take a file's content, or a folder's names."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
