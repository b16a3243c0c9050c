"""Requests to end a training: kept beside the runs, for whoever trains to find.

Who looks at a run asks here; the process that writes it looks every few seconds, and ends the
training where that does no harm. A request stays until it is taken back or the run is removed, so
that it does not matter whether anybody was listening when it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from quark.errors import DocumentConflictError
from quark.storage.documents import NEW, Document, DocumentChange

if TYPE_CHECKING:
    from quark.storage.protocols import DocumentStore

#: Documents of this kind are named by the run.
STOP_KIND = "stop_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """That the training of a run is to end, since when (microseconds since 1970), and who says so.

    ``reason`` is what they said of it; it may be empty.
    """

    run_id: str
    asked_us: int
    by: str = ""
    reason: str = ""


def ask_to_stop(documents: DocumentStore, request: StopRequest) -> StopRequest:
    """Ask for the end of a training; return the request that holds: the first one that was made.

    >>> from quark.storage.memory import MemoryStore
    >>> documents = MemoryStore().documents
    >>> ask_to_stop(documents, StopRequest(run_id="r", asked_us=1, by="ann")).by
    'ann'
    >>> ask_to_stop(documents, StopRequest(run_id="r", asked_us=2, by="bob")).by
    'ann'
    >>> take_stop_back(documents, "r"), find_stop_request(documents, "r")
    (True, None)
    """
    body = {"asked_us": request.asked_us, "by": request.by, "reason": request.reason}
    try:
        documents.apply([DocumentChange(STOP_KIND, request.run_id, body, NEW)])
    except DocumentConflictError:
        return find_stop_request(documents, request.run_id) or request
    return request


def find_stop_request(documents: DocumentStore, run_id: str) -> StopRequest | None:
    """Return what was asked of a run, None if nothing was."""
    found = documents.get(STOP_KIND, run_id)
    return None if found is None else _request(found)


def take_stop_back(documents: DocumentStore, run_id: str) -> bool:
    """Let the training of a run go on; say whether its end had been asked for."""
    if documents.get(STOP_KIND, run_id) is None:
        return False
    documents.apply([DocumentChange(STOP_KIND, run_id, None)])
    return True


def _request(found: Document) -> StopRequest:
    """Read a document, whoever wrote it: clients of a service may write any."""
    asked_us, by, reason = (found.body.get(name) for name in ("asked_us", "by", "reason"))
    return StopRequest(
        run_id=found.name,
        asked_us=asked_us if isinstance(asked_us, int) else 0,
        by=by if isinstance(by, str) else "",
        reason=reason if isinstance(reason, str) else "",
    )
