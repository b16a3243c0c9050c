"""Requests straight to an object store, by URLs that a service signed.

Such a URL is all that is needed, so nothing else goes with it: no user key, and what is sent there
is checked by the service later, what is read there by its digest. Where the object store cannot be
reached from here, as behind a firewall, this is found out once and then left alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS = 3.0
_MOST_FAILURES = 3


class DirectRequests:
    """A pool of connections of its own. Threads may share it; a forked child gets its own."""

    def __init__(self, timeout_seconds: float, *, allowed: bool = True) -> None:
        self._timeout_seconds = timeout_seconds
        self._allowed = allowed
        self._failures = 0
        self._client: httpx.Client | None = None
        self._pid = os.getpid()
        self._lock = threading.Lock()

    @property
    def worth_trying(self) -> bool:
        """Whether this way is allowed, and has not failed too often in a row."""
        return self._allowed and self._failures < _MOST_FAILURES

    def put(self, url: str, pieces: Iterable[bytes], size_bytes: int) -> bool:
        """Send a body; False if it was not taken. What ``pieces`` raise is passed on."""
        import httpx

        headers = {"Content-Length": str(size_bytes)}
        try:
            status = self._connections().put(url, content=pieces, headers=headers).status_code
        except httpx.HTTPError:
            status = 0
        return self._noted(200 <= status < 300)

    def range(self, url: str, start: int, size_bytes: int) -> bytes | None:
        """Return so many bytes from ``start`` on; None if they did not come."""
        import httpx

        headers = {"Range": f"bytes={start}-{start + size_bytes - 1}"}
        content = b""
        try:
            with self._connections().stream("GET", url, headers=headers) as answer:
                # Some stores give ranges with the status of a whole; others give the whole.
                told = answer.headers.get("Content-Length")
                if answer.status_code in (200, 206) and told == str(size_bytes):
                    content = b"".join(answer.iter_bytes())
        except httpx.HTTPError:
            content = b""
        return content if self._noted(len(content) == size_bytes) else None

    def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None and self._pid == os.getpid():
            client.close()

    def _noted(self, worked: bool) -> bool:
        self._failures = 0 if worked else self._failures + 1
        return worked

    def _connections(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None or self._pid != os.getpid():
                self._pid = os.getpid()
                timeout = httpx.Timeout(self._timeout_seconds, connect=_CONNECT_SECONDS)
                self._client = httpx.Client(timeout=timeout)
            return self._client
