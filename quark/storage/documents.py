"""Documents: small JSON objects that belong to no single run, such as a sweep or an artifact.

Several processes change them. Nobody holds a lock meanwhile: who changes a document says which
revision of it was read, and is refused if somebody else was faster. :func:`update` is that loop.

A document's name is a path whose parts are joined by ``/``, so that those below one prefix can be
listed. Revisions grow over all documents of a store, never twice the same, so they also say what
was written after what.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from quark import jsonio
from quark.errors import DocumentConflictError, SchemaValidationError

if TYPE_CHECKING:
    from quark.storage.protocols import DocumentStore

#: What ``expected`` is for a document that must not be there yet.
NEW = 0

MAX_NAME_BYTES = 1024
MAX_BODY_BYTES = 16 * 1024 * 1024

_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MAX_ATTEMPTS = 1000


class Document(NamedTuple):
    """One document as it was when it was read."""

    kind: str
    name: str
    revision: int
    body: dict[str, Any]


class DocumentChange(NamedTuple):
    """What shall become of one document.

    ``body``: its new content, None to remove it. ``expected``: the revision that it must have, 0
    (:data:`NEW`) if it must not be there, None if that does not matter.
    """

    kind: str
    name: str
    body: Mapping[str, Any] | None
    expected: int | None = None


def encoded(change: DocumentChange) -> bytes | None:
    """Check a change and return the body's JSON.

    Raises:
        SchemaValidationError: The kind, the name or the body breaks a rule.
    """
    if _KIND.fullmatch(change.kind) is None:
        raise SchemaValidationError(
            f"The kind {change.kind!r} of a document is not valid: it must be up to 64 lower-case "
            "letters, digits and underscores, a letter first."
        )
    name = change.name.encode("utf-8", "surrogatepass")
    if not name or len(name) > MAX_NAME_BYTES or b"\0" in name or b"\xed\xa0" in name:
        raise SchemaValidationError(
            f"The name {change.name[:80]!r} of a document is not valid: it must be 1 to "
            f"{MAX_NAME_BYTES} bytes of UTF-8 without a zero byte."
        )
    if change.body is None:
        return None
    body = jsonio.dumps(dict(change.body))
    if len(body) > MAX_BODY_BYTES:
        raise SchemaValidationError(
            f"The document {change.name!r} has {len(body)} bytes, but may have at most "
            f"{MAX_BODY_BYTES}; put what is large into a payload and its SHA-256 into the document."
        )
    return body


def check_expected(change: DocumentChange, revision: int | None) -> None:
    """Refuse a change of a document that is at ``revision`` (None: not there).

    Raises:
        DocumentConflictError: That is not what the change expects.
    """
    if change.expected is not None and change.expected != (revision or NEW):
        raise DocumentConflictError(
            f"The {change.kind} {change.name!r} is at revision {revision or NEW}, not at "
            f"{change.expected}: somebody else has changed it. Read it again and try again."
        )


def update(
    documents: DocumentStore,
    kind: str,
    name: str,
    change: Callable[[dict[str, Any] | None], Mapping[str, Any] | None],
) -> Document | None:
    """Change a document without losing what others change at the same time.

    ``change`` gets the body as it is, None if there is no such document, and returns what it shall
    be, None to remove it; it is called again as long as somebody else is faster. Return the new
    document, None if there is none now.

    Raises:
        DocumentConflictError: Somebody else was faster a thousand times.

    >>> from quark.storage.memory import MemoryStore
    >>> documents = MemoryStore().documents
    >>> update(documents, "sweep", "s1", lambda body: {**(body or {}), "state": "running"})
    Document(kind='sweep', name='s1', revision=1, body={'state': 'running'})
    """
    for _ in range(_MAX_ATTEMPTS):
        found = documents.get(kind, name)
        body = change(None if found is None else found.body)
        if body is None and found is None:
            return None
        expected = NEW if found is None else found.revision
        try:
            return documents.apply([DocumentChange(kind, name, body, expected)])[0]
        except DocumentConflictError:
            continue
    raise DocumentConflictError(
        f"The {kind} {name!r} was changed by others {_MAX_ATTEMPTS} times while it was to be "
        "changed here. Try again when fewer processes use it."
    )
