"""Sending many small payloads to a service with few requests.

One request asks which of them are there, as many as that takes send those that are not, several in
each body. What is large goes its own way; see :mod:`quark.persistence.payload_upload`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

from quark import jsonio
from quark.errors import RecordRejectedError, SchemaValidationError, SessionStoreError
from quark.persistence.payload_upload import BINARY_TYPE, SLOWEST_BYTES_PER_SECOND
from quark.persistence.repeating import repeated
from quark.persistence.service_client import ServiceClient
from quark.persistence.wire_payloads import encode_payloads
from quark.storage.file_copy import FileDigests, read_and_digest
from quark.storage.many_payloads import SMALL_BYTES, digests_of
from quark.storage.object_names import is_digest

#: How many are asked for, or held, at once.
_ASKED_AT_ONCE = 500
_HELD_BYTES = 8 << 20
#: What one body holds.
_SENT_AT_ONCE = 100
_SENT_BYTES = 4 << 20
#: What the slowest store behind a service may take for each.
_SLOWEST_SECONDS = 0.1


def claim_all(http: ServiceClient, digests: Collection[str]) -> set[str]:
    """Claim payloads, many with each request; return those that are there."""
    wanted = iter(filter(is_digest, digests))
    found = set[str]()
    path = http.path("payloads", "claim")
    while some := list(islice(wanted, _ASKED_AT_ONCE)):
        answer = http.request(
            "POST",
            path,
            body=jsonio.dumps({"digests": some}),
            patient=True,
            timeout_seconds=http.timeout_seconds + len(some) * _SLOWEST_SECONDS,
        )
        found |= set(some).difference(_missing(http, answer))
    return found


class SmallPayloads:
    """Takes sources one after the other and sends those that are small many at once.

    ``alone`` puts one that is not, and returns what it is known by.
    """

    def __init__(self, http: ServiceClient, alone: Callable[[bytes | Path], FileDigests]) -> None:
        self._http = http
        self._alone = alone
        self._held: dict[str, bytes] = {}
        self._held_bytes = 0

    def put_all(self, sources: Sequence[bytes | Path]) -> list[FileDigests]:
        """Put all of them; return what each is known by."""
        found = [self._take(source) for source in sources]
        self._send()
        return found

    def _take(self, source: bytes | Path) -> FileDigests:
        if isinstance(source, Path):
            read = read_and_digest(source, SMALL_BYTES)
        else:
            read = (source, digests_of(source)) if len(source) <= SMALL_BYTES else None
        if read is None:
            return self._alone(source)
        payload, found = read
        if found.sha256 not in self._held:
            self._held[found.sha256] = payload
            self._held_bytes += len(payload)
        if len(self._held) >= _ASKED_AT_ONCE or self._held_bytes >= _HELD_BYTES:
            self._send()
        return found

    def _send(self) -> None:
        held, self._held, self._held_bytes = self._held, {}, 0
        there = claim_all(self._http, held)
        missing = [(sha256, payload) for sha256, payload in held.items() if sha256 not in there]
        for some in _bodies(missing):
            self._send_some(some)

    def _send_some(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        body, path = encode_payloads(payloads), self._http.path("payloads")
        headers = {"Content-Type": BINARY_TYPE, "Content-Length": str(len(body))}

        def post() -> None:
            with self._http.stream("POST", path, content=body, headers=headers) as answer:
                answer.read()

        seconds = self._http.timeout_seconds + len(body) / SLOWEST_BYTES_PER_SECOND
        try:
            repeated(self._http, seconds, post)
        except RecordRejectedError:  # a body of this size, or one of the payloads
            for _, payload in payloads:
                self._alone(payload)


def _bodies(payloads: Sequence[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Yield payloads in groups that fit one body."""
    some, size_bytes = list[tuple[str, bytes]](), 0
    for one in payloads:
        if some and (len(some) == _SENT_AT_ONCE or size_bytes + len(one[1]) > _SENT_BYTES):
            yield some
            some, size_bytes = [], 0
        some.append(one)
        size_bytes += len(one[1])
    if some:
        yield some


def _missing(http: ServiceClient, answer: bytes) -> list[str]:
    try:
        missing: list[str] = jsonio.loads(answer)["missing"]
    except (SchemaValidationError, KeyError, TypeError) as error:
        raise SessionStoreError(f"{http.target} does not say which payloads it has.") from error
    return missing
