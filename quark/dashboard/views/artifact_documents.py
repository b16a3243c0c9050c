"""The documents of artifacts as one answer reads them: none twice, and of many all at once.

Where a version comes from is a walk from document to document. A store that is asked for each of
them, over a network, takes seconds for a picture of a hundred; so whoever asks for many of one kind
is given the kind as a whole, which is one question.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quark.storage.passing import PassingStore

if TYPE_CHECKING:
    from quark.storage.documents import Document, DocumentChange
    from quark.storage.protocols import DocumentStore, Store

#: So many questions about one kind are asked one by one.
MAX_SINGLE = 24


class ReadingOnce(PassingStore):
    """A store for one answer: its documents are read as they were when they were asked for first.
    Does not own the other store."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._documents = _DocumentsOnce(store.documents)

    @property
    def documents(self) -> DocumentStore:
        return self._documents

    def close(self) -> None:
        """Do nothing: it is somebody else's."""


class _DocumentsOnce:
    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents
        self._singly: dict[str, int] = {}
        self._kinds: dict[str, dict[str, Document]] = {}
        self._got: dict[tuple[str, str], Document | None] = {}
        self._listed: dict[tuple[str, str], tuple[Document, ...]] = {}

    def get(self, kind: str, name: str) -> Document | None:
        place = (kind, name)
        if place not in self._got:
            whole = self._whole(kind)
            self._got[place] = self._documents.get(kind, name) if whole is None else whole.get(name)
        return self._got[place]

    def list(self, kind: str, prefix: str = "", *, after: int = 0) -> tuple[Document, ...]:
        place = (kind, prefix)
        if after:
            return self._documents.list(kind, prefix, after=after)
        if place not in self._listed:
            whole = self._whole(kind) if prefix else None
            self._listed[place] = (
                self._documents.list(kind, prefix)
                if whole is None
                else tuple(one for name, one in whole.items() if name.startswith(prefix))
            )
        return self._listed[place]

    def apply(self, changes: Sequence[DocumentChange]) -> tuple[Document | None, ...]:
        return self._documents.apply(changes)

    def _whole(self, kind: str) -> dict[str, Document] | None:
        """Return all documents of a kind by name, once many of it have been asked for."""
        self._singly[kind] = self._singly.get(kind, 0) + 1
        if self._singly[kind] > MAX_SINGLE and kind not in self._kinds:
            self._kinds[kind] = {one.name: one for one in self._documents.list(kind)}
        return self._kinds.get(kind)
