"""Payloads in a folder: ``blobs/ab/cd/<sha256>``, written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256 as new_sha256
from pathlib import Path
from typing import BinaryIO

from quark import ids
from quark.errors import SessionStoreError

_PIECE_BYTES = 1 << 20
_INCOMING = "incoming"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class FolderBlobs:
    """A :class:`~quark.storage.protocols.BlobStore` in one folder.

    A payload is written to ``incoming/``, synced, and then moved to its name; a process that dies
    in between leaves only a file in ``incoming/``.
    """

    def __init__(self, folder: Path, check_open: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._check_open = check_open

    def put(self, source: BinaryIO | bytes) -> tuple[str, int]:
        self._check_open()
        with self._translated():
            incoming = self._folder / _INCOMING / ids.random_id(16)
            incoming.parent.mkdir(parents=True, exist_ok=True)
            try:
                sha256, size_bytes = _write(incoming, source)
                self._keep(incoming, sha256)
            finally:
                incoming.unlink(missing_ok=True)
        return sha256, size_bytes

    def open(self, sha256: str) -> BinaryIO:
        self._check_open()
        with self._translated():
            try:
                return self._path(sha256).open("rb")
            except FileNotFoundError:
                raise KeyError(sha256) from None

    def exists(self, sha256: str) -> bool:
        self._check_open()
        return _DIGEST.fullmatch(sha256) is not None and self._path(sha256).is_file()

    def delete(self, sha256: str) -> None:
        self._check_open()
        if _DIGEST.fullmatch(sha256) is not None:
            with self._translated():
                self._path(sha256).unlink(missing_ok=True)

    def digests(self) -> Iterable[str]:
        self._check_open()
        names = (path.name for path in self._folder.glob("??/??/*"))
        return (name for name in names if _DIGEST.fullmatch(name) is not None)

    def _path(self, sha256: str) -> Path:
        if _DIGEST.fullmatch(sha256) is None:
            raise KeyError(sha256)
        return self._folder / sha256[:2] / sha256[2:4] / sha256

    def _keep(self, incoming: Path, sha256: str) -> None:
        path = self._path(sha256)
        if path.exists() and _digest(path) == sha256:
            return  # kept already, and not damaged since
        path.parent.mkdir(parents=True, exist_ok=True)
        incoming.replace(path)
        _sync_folder(path.parent)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SessionStoreError(
                f"The payloads in {self._folder} cannot be used: {error}."
            ) from error


def _write(path: Path, source: BinaryIO | bytes) -> tuple[str, int]:
    digest = new_sha256()
    with path.open("xb") as file:
        for piece in _pieces(source):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
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


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
