"""Payloads in memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import BinaryIO


class MemoryBlobs:
    """A :class:`~quark.storage.protocols.BlobStore` of one dict."""

    def __init__(self, check_open: Callable[[], None]) -> None:
        self._check_open = check_open
        self._payloads: dict[str, bytes] = {}

    def put(self, source: BinaryIO | bytes) -> tuple[str, int]:
        self._check_open()
        payload = bytes(source) if isinstance(source, (bytes, bytearray)) else source.read()
        digest = sha256(payload).hexdigest()
        self._payloads[digest] = payload
        return digest, len(payload)

    def open(self, sha256: str) -> BinaryIO:
        self._check_open()
        return io.BytesIO(self._payloads[sha256])

    def exists(self, sha256: str) -> bool:
        self._check_open()
        return sha256 in self._payloads

    def delete(self, sha256: str) -> None:
        self._check_open()
        self._payloads.pop(sha256, None)

    def digests(self) -> Iterable[str]:
        self._check_open()
        return sorted(self._payloads)
