"""Reading a payload from a service in ranges; large ones past it, where it says how."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quark.errors import ArtifactNotFoundError
from quark.persistence.direct_requests import DirectRequests
from quark.persistence.repeating import repeated
from quark.persistence.service_client import ServiceClient

#: Enough for most payloads, so that these come with the first request.
FIRST_BYTES = 256 * 1024
#: From this size on it is worth asking for another way.
_LARGE_BYTES = 8 << 20
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
        if self.size_bytes >= _LARGE_BYTES and self._direct.worth_trying:
            if not self._url_was_asked_for:
                self._url_was_asked_for = True
                path = self._http.path("payloads", key, "location")
                self._url = self._http.get(path)["url"]
            found = None
            if self._url is not None:
                found = self._direct.range(self._url, start, size_bytes)
            if found is not None:
                return found
        return self._ask(key, start, size_bytes)[0]

    def stream(self, key: str) -> Iterator[bytes]:
        raise AssertionError("a service always gives ranges")

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
