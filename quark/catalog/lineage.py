"""Which run logged which version, and which used it; found from both ends."""

from __future__ import annotations

from urllib.parse import quote

from quark.catalog.model import RunRef, Version
from quark.catalog.reading import USE, find_by_document
from quark.clock import SYSTEM_CLOCK, Clock, format_timestamp
from quark.storage.documents import DocumentChange
from quark.storage.protocols import Store

INPUT, OUTPUT = "input", "output"


def record_use(
    store: Store, version: Version, run: RunRef, direction: str, clock: Clock = SYSTEM_CLOCK
) -> None:
    """Note that ``run`` used ``version`` (``INPUT``), or logged it (``OUTPUT``)."""
    now = format_timestamp(clock.time_us())
    store.documents.apply(changes(store, version.document, run, direction, now))


def changes(
    store: Store, document: str, run: RunRef, direction: str, now: str
) -> list[DocumentChange]:
    """Return what has to be written for one use of the version of a document; for a second use
    nothing."""
    of_run, of_version = f"run/{_place(run)}/{direction}", f"version/{document}/{direction}"
    if store.documents.get(USE, f"{of_run}/{document}") is not None:
        return []
    return [
        DocumentChange(USE, f"{of_run}/{document}", {"version": document, "at": now}),
        DocumentChange(USE, f"{of_version}/{_place(run)}", {"run": list(run), "at": now}),
    ]


def versions_of(store: Store, run: RunRef, direction: str) -> tuple[Version, ...]:
    """Return what a run used or logged, in that order; what was deleted since is left out."""
    found = store.documents.list(USE, f"run/{_place(run)}/{direction}/")
    ordered = sorted(found, key=lambda use: use.revision)
    versions = (find_by_document(store, use.body["version"]) for use in ordered)
    return tuple(version for version in versions if version is not None)


def runs_of(store: Store, version: Version, direction: str) -> tuple[RunRef, ...]:
    """Return the runs that used or logged a version, in that order."""
    found = store.documents.list(USE, f"version/{version.document}/{direction}/")
    return tuple(RunRef(*use.body["run"]) for use in sorted(found, key=lambda use: use.revision))


def _place(run: RunRef) -> str:
    return "/".join(quote(part, safe="") for part in (run.workspace, run.project, run.run_id))
