"""Sending a payload to a service: whole, or in parts that survive both sides.

A large payload goes in parts, of which only those are sent that the service does not have: also
when another process, or another machine, began with it. Where the service keeps payloads in an
object store, parts go straight there; what fails on that way goes through the service.

Every request may be repeated. One that fails is sent again, ever more slowly, until its deadline;
then :class:`~quark.errors.SessionStoreError` is raised, and whoever sends the payload again later
sends only the parts that are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from quark.errors import ArtifactNotFoundError, RecordRejectedError, SchemaValidationError
from quark.persistence.direct_requests import DirectRequests
from quark.persistence.repeating import repeated
from quark.persistence.service_client import ServiceClient

BINARY_TYPE = "application/octet-stream"
_PIECE_BYTES = 256 * 1024
#: Up to this size a payload goes in one request.
_WHOLE_BYTES = 8 << 20
#: What a slow line or a busy disk can be expected to take.
SLOWEST_BYTES_PER_SECOND = 128 * 1024
_SLOWEST_DIGEST_BYTES_PER_SECOND = 20 << 20
#: An upload may be gone because it was abandoned for too long, or completed with nobody listening.
_BEGINNINGS = 3


@dataclass(frozen=True, slots=True)
class Content:
    """A payload that can be read anywhere; ``read`` takes the first byte and how many."""

    sha256: str
    size_bytes: int
    read: Callable[[int, int], bytes]

    def pieces(self, start: int, size_bytes: int) -> Iterator[bytes]:
        """Yield a part of it.

        Raises:
            SchemaValidationError: It ends before that.
        """
        end = start + size_bytes
        while start < end:
            piece = self.read(start, min(_PIECE_BYTES, end - start))
            if not piece:
                raise SchemaValidationError(
                    f"The payload {self.sha256} was cut off at byte {start} while it was sent; "
                    "send it again when nobody writes it."
                )
            start += len(piece)
            yield piece

    def is_zero(self, start: int, size_bytes: int) -> bool:
        """Say whether there is nothing but zeros, as in a hole of a file."""
        return not any(piece.strip(b"\0") for piece in self.pieces(start, size_bytes))


@dataclass(frozen=True, slots=True)
class Body:
    """A part of a payload as the body of a request, read anew for each attempt.

    It is not held: what httpx makes of a request and its answer is a circle that the garbage
    collector finds late, and many bodies would wait for that.
    """

    content: Content
    start: int
    size_bytes: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": BINARY_TYPE, "Content-Length": str(self.size_bytes)}

    def pieces(self) -> Iterator[bytes]:
        """Yield what is to be sent."""
        return self.content.pieces(self.start, self.size_bytes)


class PayloadUpload:
    """Sends payloads. Threads may share it."""

    def __init__(self, http: ServiceClient, direct: DirectRequests) -> None:
        self._http = http
        self._direct = direct

    def send(self, content: Content) -> None:
        """Send a payload that the service does not have.

        Raises:
            SessionStoreError: It could not be sent now.
            SchemaValidationError: What was read was not what ``content`` says.
        """
        if content.size_bytes <= _WHOLE_BYTES:
            path = self._http.path("payloads", content.sha256)
            try:
                self._put(path, Body(content, 0, content.size_bytes))
                return
            except RecordRejectedError:
                pass  # too much for one body, but perhaps not for the service
        for attempt in range(_BEGINNINGS):
            upload = self._begin(content)
            if upload["is_here"]:
                return
            try:
                self._send_parts(content, upload)
                self._complete(content, upload)
                return
            except ArtifactNotFoundError:
                if attempt == _BEGINNINGS - 1:
                    raise

    def _begin(self, content: Content) -> dict[str, Any]:
        wanted = {"sha256": content.sha256, "size_bytes": content.size_bytes}
        path, seconds = self._http.path("uploads"), self._http.timeout_seconds
        answer: dict[str, Any] = repeated(
            self._http, seconds, lambda: self._http.post(path, wanted)
        )
        return answer

    def _send_parts(self, content: Content, upload: dict[str, Any]) -> None:
        part_bytes = upload["part_bytes"]
        here = set(upload["parts"])
        for number in range(-(-content.size_bytes // part_bytes)):
            if number in here:
                continue
            start = number * part_bytes
            part = Body(content, start, min(part_bytes, content.size_bytes - start))
            path = self._http.path("uploads", upload["upload_id"], "parts", str(number))
            if content.is_zero(start, part.size_bytes):
                self._put(path, Body(content, 0, 0), {"zeros": "true"})
            elif not (upload["direct"] and self._put_directly(path, part)):
                self._put(path, part)

    def _put_directly(self, path: str, part: Body) -> bool:
        if not self._direct.worth_trying:
            return False
        seconds = self._http.timeout_seconds
        found = repeated(self._http, seconds, lambda: self._http.get(f"{path}/location"))
        return found["url"] is not None and self._direct.put(
            found["url"], part.pieces(), part.size_bytes
        )

    def _complete(self, content: Content, upload: dict[str, Any]) -> None:
        path = self._http.path("uploads", upload["upload_id"], "complete")
        seconds = self._http.timeout_seconds
        seconds += content.size_bytes / _SLOWEST_DIGEST_BYTES_PER_SECOND

        def complete() -> bytes:
            return self._http.request("POST", path, patient=True, timeout_seconds=seconds)

        repeated(self._http, seconds, complete)

    def _put(self, path: str, body: Body, query: dict[str, str] | None = None) -> None:
        """Send a body as it is, never compressed: its digest is that of what is sent."""

        def put() -> None:
            with self._http.stream(
                "PUT", path, query=query, content=body.pieces(), headers=body.headers
            ) as answer:
                answer.read()

        seconds = self._http.timeout_seconds + body.size_bytes / SLOWEST_BYTES_PER_SECOND
        repeated(self._http, seconds, put)
