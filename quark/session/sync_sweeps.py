"""Copying the sweeps that runs belong to into another store, with all their trials.

A sweep keeps its id. Copying again brings it up to date: what was changed last is believed, and a
trial that has ended in the other store is left as it is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from quark.catalog.commit import persistently
from quark.storage.documents import NEW, Document, DocumentChange

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: Kinds of documents, as :mod:`quark.sweeps` calls them: it is above what is here.
SWEEP, TRIAL, RUN = "sweep", "sweep_trial", "sweep_run"
_RUNNING = "running"
_AT_ONCE = 200


def copy_sweeps(
    source: Store, target: Store, run_ids: Iterable[str], workspace: str
) -> tuple[int, tuple[str, ...]]:
    """Have the sweeps of some runs in ``target`` too; return how many documents were written, and
    why a sweep was left out.

    ``workspace`` is that of the target; "" leaves the name as it is.

    Raises:
        SessionStoreError: A store does not answer.
    """
    members: dict[str, list[Document]] = {}
    for run_id in run_ids:
        found = source.documents.get(RUN, run_id)
        if found is not None:
            members.setdefault(found.body["sweep_id"], []).append(found)
    count, waiting = 0, list[str]()
    for sweep_id, runs in members.items():
        sweep = source.documents.get(SWEEP, sweep_id)
        if sweep is None:
            continue
        named = {"workspace": workspace} if workspace else {}
        body = {**sweep.body, **named}
        there = target.documents.get(SWEEP, sweep_id)
        if there is not None and there.body["created_at"] != body["created_at"]:
            waiting.append(
                f"{target.target} has another sweep {sweep_id!r}, of {there.body['created_at']}; "
                f"this one is of {body['created_at']}. Its runs were copied without it."
            )
            continue
        parts = [*source.documents.list(TRIAL, f"{sweep_id}/"), *runs]
        for first in range(0, len(parts), _AT_ONCE):
            some = parts[first : first + _AT_ONCE]
            count += _bring(target, {(one.kind, one.name): one.body for one in some})
        count += _bring(target, {(SWEEP, sweep_id): body})
    return count, tuple(waiting)


def _bring(target: Store, bodies: Mapping[tuple[str, str], Mapping[str, Any]]) -> int:
    """Write those of the documents that are new, or newer than what is there."""

    def attempt() -> int:
        there = _found(target, bodies.keys())
        changes = [
            DocumentChange(*place, body, NEW if known is None else known.revision)
            for place, body in bodies.items()
            if _is_news(body, known := there.get(place))
        ]
        target.documents.apply(changes)
        return len(changes)

    return persistently(attempt, "the sweep")


def _is_news(body: Mapping[str, Any], known: Document | None) -> bool:
    if known is None:
        return True
    if known.body == body:
        return False
    if known.kind == SWEEP:
        return bool(body["updated_at"] > known.body["updated_at"])
    return known.kind == TRIAL and known.body.get("state") == _RUNNING


def _found(target: Store, places: Collection[tuple[str, str]]) -> dict[tuple[str, str], Document]:
    return {(one.kind, one.name): one for one in _looked_up(target, places)}


def _looked_up(target: Store, places: Collection[tuple[str, str]]) -> Iterator[Document]:
    """Yield the documents that are there: trials with one request for each sweep."""
    for prefix in {name.rpartition("/")[0] for kind, name in places if kind == TRIAL}:
        yield from target.documents.list(TRIAL, f"{prefix}/")
    for kind, name in places:
        found = None if kind == TRIAL else target.documents.get(kind, name)
        if found is not None:
            yield found
