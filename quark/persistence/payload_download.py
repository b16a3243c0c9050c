"""Reading a payload from a service in ranges; large ones past it, where it says how."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from quark.errors import ArtifactNotFoundError, SessionStoreError
from quark.persistence.direct_requests import DirectRequests
from quark.persistence.repeating import repeated
from quark.persistence.service_client import ServiceClient

#: Enough for most payloads, so that these come with the first request.
FIRST_BYTES = 256 * 1024
#: From this size on it is worth asking for another way.
_LARGE_BYTES = 8 << 20
_DIRECT_BYTES = 8 << 20
_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")


class PayloadSource:
    """One payload as a :class:`~quark.storage.ranged_file.RangeSource`. Asks for its beginning.

    Raises:
        KeyError: It is not there.
    """

    def __init__(
        self, http: ServiceClient, direct: DirectRequests, sha256: str, first_bytes: int
    ) -> None:
        self._http = http
        self._direct = direct
        self._url: str | None = None
        self._url_was_asked_for = False
        self.target = http.target
        self.first, self.size_bytes = self._ask(sha256, 0, first_bytes)

    def range(self, key: str, start: int, size_bytes: int) -> bytes | None:
        found = self._directly(key, start, size_bytes)
        return self._ask(key, start, size_bytes)[0] if found is None else found

    def pieces(self, sha256: str) -> Iterator[bytes]:
        """Yield all of it. Where it is cut off, it is asked for from there on.

        Raises:
            SessionStoreError: Nothing more came for as long as an answer may take.
        """
        yield self.first
        done = len(self.first)
        while done < self.size_bytes:
            found = self._directly(sha256, done, min(_DIRECT_BYTES, self.size_bytes - done))
            if found is None:
                with contextlib.suppress(SessionStoreError):
                    for piece in self._from(sha256, done):
                        done += len(piece)
                        yield piece
                if done >= self.size_bytes:
                    return
                found = self._ask(sha256, done, FIRST_BYTES)[0]  # waits until one comes
            done += len(found)
            yield found

    def stream(self, key: str) -> Iterator[bytes]:
        raise AssertionError("a service always gives ranges")

    def _directly(self, sha256: str, start: int, size_bytes: int) -> bytes | None:
        if self.size_bytes < _LARGE_BYTES or not self._direct.worth_trying:
            return None
        if not self._url_was_asked_for:
            self._url_was_asked_for = True
            self._url = self._http.get(self._http.path("payloads", sha256, "location"))["url"]
        return None if self._url is None else self._direct.range(self._url, start, size_bytes)

    def _from(self, sha256: str, start: int) -> Iterator[bytes]:
        path = self._http.path("payloads", sha256)
        with self._http.stream("GET", path, headers={"Range": f"bytes={start}-"}) as answer:
            yield from answer.iter_bytes()

    def _ask(self, sha256: str, start: int, size_bytes: int) -> tuple[bytes, int]:
        """Return a range, or less at the end, and the size of all of it."""
        path = self._http.path("payloads", sha256)
        headers = {"Range": f"bytes={start}-{start + size_bytes - 1}"}

        def get() -> tuple[bytes, int]:
            with self._http.stream("GET", path, headers=headers) as answer:
                content = b"".join(answer.iter_bytes())  # ``read`` would keep it there too
                total = _TOTAL.fullmatch(answer.headers.get("Content-Range", ""))
                return content, int(total[1]) if total else len(content)

        try:
            return repeated(self._http, self._http.timeout_seconds, get)
        except ArtifactNotFoundError:
            raise KeyError(sha256) from None
