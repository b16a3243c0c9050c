"""Changing documents once, however often a request for it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from quark import jsonio
from quark.clock import SYSTEM_CLOCK
from quark.errors import DocumentConflictError
from quark.storage.documents import NEW, Document, DocumentChange
from quark.storage.protocols import DocumentScan, DocumentStore

#: Documents that say which requests were carried out. Removed by the service after a day.
APPLIED = "applied"
_REMOVED_AT_ONCE = 500


def apply_once(
    documents: DocumentStore, name: str, changes: Sequence[DocumentChange]
) -> list[Document | None]:
    """Carry out the changes of the request ``name`` unless they were already.

    A client that got no answer sends the same request again; without the note that goes in with
    the changes it would be told that somebody else had been faster.

    Raises:
        DocumentConflictError: A document is not at the revision that a change expects.
        SchemaValidationError: A kind, a name or a body breaks a rule.
    """
    note = DocumentChange(APPLIED, name, {"time_us": SYSTEM_CLOCK.time_us()}, NEW)
    try:
        return list(documents.apply([note, *changes])[1:])
    except DocumentConflictError:
        if documents.get(APPLIED, name) is None:
            raise
    return [documents.get(change.kind, change.name) for change in changes]


def write_listed(
    documents: DocumentStore, kind: str, prefix: str, after: int, target: IO[bytes]
) -> int:
    """Write the documents of a kind as one JSON answer; return how many bytes that are.

    They are as they were at one moment, and no more than a few of them are in memory.
    """
    scan = documents.scan if isinstance(documents, DocumentScan) else documents.list
    size_bytes, between = target.write(b'{"documents":['), b""
    for document in scan(kind, prefix, after=after):
        size_bytes += target.write(between + jsonio.dumps(document))
        between = b","
    return size_bytes + target.write(b"]}")


def remove_applied(documents: DocumentStore, before_us: int) -> int:
    """Remove the notes of what was carried out before then; return how many there were."""
    old = [
        DocumentChange(APPLIED, note.name, None)
        for note in documents.list(APPLIED)
        if _time_us(note) < before_us
    ]
    for first in range(0, len(old), _REMOVED_AT_ONCE):
        documents.apply(old[first : first + _REMOVED_AT_ONCE])
    return len(old)


def _time_us(note: Document) -> int:
    """Return when a note was made; 0 if that is not told, as clients may write documents, too."""
    time_us = note.body.get("time_us")
    return time_us if isinstance(time_us, int) else 0
