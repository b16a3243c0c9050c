"""Documents in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from quark import jsonio
from quark.storage.documents import Document, DocumentChange, check_expected, encoded


class MemoryDocuments:
    """A :class:`~quark.storage.protocols.DocumentStore` of one dict."""

    def __init__(self, check_open: Callable[[], None]) -> None:
        self._check_open = check_open
        self._lock = threading.Lock()
        self._revision = 0
        self._documents: dict[tuple[str, str], tuple[int, bytes]] = {}

    def get(self, kind: str, name: str) -> Document | None:
        self._check_open()
        found = self._documents.get((kind, name))
        return None if found is None else Document(kind, name, found[0], jsonio.loads(found[1]))

    def list(self, kind: str, prefix: str = "", *, after: int = 0) -> tuple[Document, ...]:
        self._check_open()
        with self._lock:
            found = sorted(self._documents.items())
        return tuple(
            Document(kind, name, revision, jsonio.loads(body))
            for (its_kind, name), (revision, body) in found
            if its_kind == kind and name.startswith(prefix) and revision > after
        )

    def apply(self, changes: Sequence[DocumentChange]) -> tuple[Document | None, ...]:
        self._check_open()
        bodies = [encoded(change) for change in changes]
        with self._lock:
            documents, revision = self._documents.copy(), self._revision
            results: list[Document | None] = []
            for change, body in zip(changes, bodies, strict=True):
                key = (change.kind, change.name)
                check_expected(change, documents[key][0] if key in documents else None)
                if body is None:
                    documents.pop(key, None)
                    results.append(None)
                    continue
                revision += 1
                documents[key] = (revision, body)
                results.append(Document(*key, revision, jsonio.loads(body)))
            self._documents, self._revision = documents, revision
        return tuple(results)
