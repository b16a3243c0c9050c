"""Payloads in memory."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import md5, sha256
from pathlib import Path
from typing import BinaryIO

from quark.clock import SYSTEM_CLOCK
from quark.storage.file_copy import FileDigests
from quark.storage.many_payloads import put_each


class MemoryBlobs:
    """A :class:`~quark.storage.protocols.BlobStore` of one dict."""

    def __init__(self, check_open: Callable[[], None]) -> None:
        self._check_open = check_open
        self._payloads: dict[str, bytes] = {}
        self._claimed_us: dict[str, int] = {}
        self._lock = threading.Lock()

    def put(self, source: BinaryIO | bytes, *, synced: bool = True) -> tuple[str, int]:
        self._check_open()
        payload = bytes(source) if isinstance(source, (bytes, bytearray)) else source.read()
        digest = sha256(payload).hexdigest()
        with self._lock:
            self._payloads[digest] = payload
            self._claimed_us[digest] = SYSTEM_CLOCK.time_us()
        return digest, len(payload)

    def put_file(self, path: Path) -> FileDigests:
        payload = path.read_bytes()
        digest, size_bytes = self.put(payload)
        return FileDigests(digest, md5(payload, usedforsecurity=False).hexdigest(), size_bytes)

    def put_all(self, sources: Sequence[bytes | Path]) -> list[FileDigests]:
        return put_each(self, sources)

    def sync(self, digests: Iterable[str]) -> None:
        self._check_open()
        for digest in digests:
            self._payloads[digest]

    def copy_to(self, sha256: str, path: Path) -> None:
        with self.open(sha256) as source:
            path.write_bytes(source.read())

    def open(self, sha256: str) -> BinaryIO:
        self._check_open()
        return io.BytesIO(self._payloads[sha256])

    def exists(self, sha256: str) -> bool:
        self._check_open()
        return sha256 in self._payloads

    def delete(self, sha256: str) -> None:
        self._check_open()
        with self._lock:
            self._payloads.pop(sha256, None)
            self._claimed_us.pop(sha256, None)

    def claim(self, sha256: str) -> bool:
        self._check_open()
        with self._lock:
            if sha256 in self._payloads:
                self._claimed_us[sha256] = SYSTEM_CLOCK.time_us()
            return sha256 in self._payloads

    def claim_all(self, digests: Collection[str]) -> set[str]:
        return {digest for digest in digests if self.claim(digest)}

    def unclaimed(self, before_us: int) -> dict[str, int]:
        self._check_open()
        with self._lock:
            return {
                sha256: len(payload)
                for sha256, payload in self._payloads.items()
                if self._claimed_us[sha256] < before_us
            }

    def remove_unclaimed(self, sha256: str, before_us: int) -> int | None:
        self._check_open()
        with self._lock:
            payload = self._payloads.get(sha256)
            if payload is None or self._claimed_us[sha256] >= before_us:
                return None
            del self._payloads[sha256], self._claimed_us[sha256]
            return len(payload)

    def digests(self) -> Iterable[str]:
        self._check_open()
        return sorted(self._payloads)
