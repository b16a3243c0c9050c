"""Documents behind a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quark import ids, jsonio
from quark.persistence.service_client import ServiceClient
from quark.storage.documents import Document, DocumentChange, encoded


class HttpDocuments:
    """A :class:`~quark.storage.protocols.DocumentStore` over a service's routes."""

    def __init__(self, http: ServiceClient) -> None:
        self._http = http

    def get(self, kind: str, name: str) -> Document | None:
        self._http.check_open()
        if not _is_utf8(kind + name):
            return None
        answer = self._http.get(self._http.path("documents", kind, "item"), {"name": name})
        return _document(answer["document"])

    def list(self, kind: str, prefix: str = "", *, after: int = 0) -> tuple[Document, ...]:
        self._http.check_open()
        if not _is_utf8(kind + prefix):
            return ()
        query = {"prefix": prefix, "after": after}
        answer = self._http.get(self._http.path("documents", kind), query)
        return tuple(map(Document._make, answer["documents"]))

    def apply(self, changes: Sequence[DocumentChange]) -> tuple[Document | None, ...]:
        self._http.check_open()
        bodies = [encoded(change) for change in changes]
        if not changes:
            return ()
        sent = [
            {
                "kind": change.kind,
                "name": change.name,
                "body": None if body is None else jsonio.loads(body),
                "expected": change.expected,
            }
            for change, body in zip(changes, bodies, strict=True)
        ]
        # The name lets the service tell a request that came twice from one that came too late.
        request = {"name": ids.random_id(), "changes": sent}
        answer = self._http.post(self._http.path("documents"), request)
        return tuple(map(_document, answer["documents"]))


def _document(plain: Any) -> Document | None:
    return None if plain is None else Document._make(plain)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
