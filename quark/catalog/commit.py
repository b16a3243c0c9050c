"""How a version comes to be: in one step, or not at all.

Everything that a version needs is in the store before its document is; and its number, its
aliases and who logged it are one change of documents. So a process that dies leaves no half of a
version, and two that log at once get two numbers.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from quark import ids
from quark.catalog import lineage
from quark.catalog.manifest import Manifest
from quark.catalog.model import (
    LATEST,
    CollectionKey,
    Draft,
    Version,
    check_alias,
    version_document,
)
from quark.catalog.reading import (
    COLLECTION,
    COMMITTED,
    ID,
    LINK,
    PART,
    VERSION,
    find_by_document,
    find_committed,
    manifest_of,
)
from quark.clock import SYSTEM_CLOCK, Clock, format_timestamp
from quark.errors import (
    ArtifactNotFoundError,
    DamagedFileError,
    DocumentConflictError,
    SchemaValidationError,
)
from quark.storage.documents import NEW, DocumentChange
from quark.storage.protocols import Store

_MAX_ATTEMPTS = 1000

T = TypeVar("T")


class _Held(NamedTuple):
    """A collection's document while it is being changed."""

    body: dict[str, Any]
    revision: int


def commit(
    store: Store,
    draft: Draft,
    *,
    distributed_id: str | None = None,
    finished: bool = True,
    clock: Clock = SYSTEM_CLOCK,
) -> Version | None:
    """Make a version of ``draft``, or join it to the latest one if that has the same content.

    Several processes that share a ``distributed_id`` build one version together: what is not
    ``finished`` is put aside (and None is returned), and goes into the version that one of them
    finishes. A draft with an id that was committed before gives what came of it then.

    Raises:
        SchemaValidationError: The collection has another type.
        DamagedFileError: A payload of the draft is not in the store.
    """
    if _is_done(store, draft.id):
        return find_committed(store, str(draft.id))
    manifest = _with_base(store, draft)
    if distributed_id is not None and not finished:
        _put_aside(store, draft, manifest, distributed_id)
        return None
    parts_name = f"{draft.key.document}/{distributed_id}"
    kept: dict[str, str] = {}

    def attempt() -> Version | None:
        if _is_done(store, draft.id):
            return find_committed(store, str(draft.id))
        parts = None if distributed_id is None else store.documents.get(PART, parts_name)
        whole, changes = manifest, list[DocumentChange]()
        if parts is not None:
            whole = _joined(store, parts.body["manifests"], manifest)
            changes.append(DocumentChange(PART, parts_name, None, parts.revision))
        digest = whole.digest
        if digest not in kept:
            kept[digest] = _keep(store, draft, whole)
        content = _content(whole, kept[digest])
        return _commit_once(store, draft, content, changes, clock)

    return persistently(attempt, str(draft.key))


def link(
    store: Store,
    version: Version,
    target: CollectionKey,
    aliases: Iterable[str] = (),
    clock: Clock = SYSTEM_CLOCK,
    *,
    id: str | None = None,
) -> Version:
    """Let ``version`` be a version of the portfolio ``target`` too, which is made if need be.

    A version that is linked there already keeps its number; its aliases are moved. With an ``id``
    that is done once, however often it is tried.

    Raises:
        SchemaValidationError: ``target`` is a sequence, or an alias is not valid.
    """
    wanted = tuple(dict.fromkeys(aliases))
    for alias in wanted:
        check_alias(alias)

    def attempt() -> Version | None:
        if _is_done(store, id):
            return find_committed(store, str(id)) or version  # the link may be gone since
        held = _collection(store, target, version.type, clock, portfolio=True)
        now = format_timestamp(clock.time_us())
        mark = f"{version.document}/{target.document}"
        known = store.documents.get(LINK, mark)
        changes = list[DocumentChange]()
        if known is None:
            document = version_document(target, held.body["next_index"])
            held.body["next_index"] += 1
            body = {"link": version.document, "linked_at": now}
            changes += [
                DocumentChange(VERSION, document, body, NEW),
                DocumentChange(LINK, mark, {"link": document}, NEW),
            ]
        else:
            document = known.body["link"]
        index = int(document.rpartition("/")[2])
        _point(held.body, index, (*wanted, LATEST), now)
        changes.append(DocumentChange(COLLECTION, target.document, held.body, held.revision))
        if store.documents.get(VERSION, version.document) is None:
            raise ArtifactNotFoundError(f"{version.source}:v{version.source_index} was deleted.")
        changes += _done(id, document)
        store.documents.apply(changes)
        return find_by_document(store, document)

    found = persistently(attempt, str(target))
    assert found is not None
    return found


def _commit_once(
    store: Store,
    draft: Draft,
    content: Mapping[str, Any],
    changes: list[DocumentChange],
    clock: Clock,
) -> Version | None:
    held = _collection(store, draft.key, draft.type, clock, portfolio=False)
    now = format_timestamp(clock.time_us())
    index, known = _same_content(store, draft.key, held.body, content["digest"])
    if known is None:
        index = held.body["next_index"]
        held.body["next_index"] += 1
        id = base64.b64encode(f"Artifact:{ids.random_id(15)}".encode()).decode()
        document = version_document(draft.key, index)
        body = {"id": id, **content, **_given(draft), "created_at": now, "updated_at": now}
        changes.append(DocumentChange(VERSION, document, body, NEW))
        changes.append(DocumentChange(ID, id, {"version": document}, NEW))
    else:
        document, added = known.name, [tag for tag in draft.tags if tag not in known.body["tags"]]
        if added:
            body = {**known.body, "tags": [*known.body["tags"], *added], "updated_at": now}
            changes.append(DocumentChange(VERSION, document, body, known.revision))
    _point(held.body, index, (*draft.aliases, LATEST), now)
    changes.append(DocumentChange(COLLECTION, draft.key.document, held.body, held.revision))
    if draft.run is not None:
        direction = lineage.INPUT if draft.used else lineage.OUTPUT
        changes += lineage.changes(store, document, draft.run, direction, now)
    changes += _done(draft.id, document)
    store.documents.apply(changes)
    return find_by_document(store, document)


def _collection(
    store: Store, key: CollectionKey, type: str, clock: Clock, *, portfolio: bool
) -> _Held:
    """Return a collection's document to be changed, or what a new one begins with."""
    found = store.documents.get(COLLECTION, key.document)
    if found is None:
        now = format_timestamp(clock.time_us())
        return _Held(
            {
                "type": type,
                "is_portfolio": portfolio,
                "description": None,
                "tags": [],
                "aliases": {},
                "next_index": 0,
                "created_at": now,
                "updated_at": now,
            },
            NEW,
        )
    if found.body["is_portfolio"] != portfolio:
        kind = ("linked to", "logged to") if found.body["is_portfolio"] else ("logged", "linked")
        raise SchemaValidationError(
            f"The collection {key} can be {kind[0]} and not {kind[1]}: it is "
            f"{'a portfolio' if found.body['is_portfolio'] else 'a sequence'}. Use another name."
        )
    if found.body["type"] != type:
        raise SchemaValidationError(
            f"The artifact {key} exists with type {found.body['type']!r}, so nothing of type "
            f"{type!r} can be added to it. Use that type, or another name."
        )
    return _Held(found.body, found.revision)


def _same_content(
    store: Store, key: CollectionKey, body: Mapping[str, Any], digest: str
) -> tuple[int, Any]:
    """Return the latest version's index and document if it has this digest, else None for it."""
    index = body["aliases"].get(LATEST)
    if index is None:
        return 0, None
    found = store.documents.get(VERSION, version_document(key, index))
    return index, found if found is not None and found.body["digest"] == digest else None


def _keep(store: Store, draft: Draft, manifest: Manifest) -> str:
    """Have everything that a version needs survive a loss of power; return its manifest's SHA-256.

    Raises:
        DamagedFileError: A payload is not in the store.
    """
    gone = sorted(manifest.payloads - store.blobs.claim_all(manifest.payloads))
    if gone:
        raise DamagedFileError(
            f"{len(gone)} payloads of the artifact {draft.key} are not in the store, e.g. "
            f"{gone[0]}. Add its files again."
        )
    store.blobs.sync(draft.unsynced & manifest.payloads)
    return store.blobs.put(manifest.to_json())[0]


def _content(manifest: Manifest, manifest_sha256: str) -> dict[str, Any]:
    return {
        "digest": manifest.digest,
        "manifest_sha256": manifest_sha256,
        "size_bytes": manifest.size_bytes,
        "file_count": len(manifest.entries),
    }


def _given(draft: Draft) -> dict[str, Any]:
    return {
        "type": draft.type,
        "description": draft.description,
        "metadata": dict(draft.metadata),
        "tags": list(dict.fromkeys(draft.tags)),
        "ttl_seconds": draft.ttl_seconds,
        "ttl_inherited": draft.ttl_inherited,
        "run": None if draft.run is None else list(draft.run),
        "step": draft.step,
    }


def _with_base(store: Store, draft: Draft) -> Manifest:
    """Return the entries of a draft, after those of the version that it adds to."""
    if not draft.incremental:
        return draft.manifest
    collection = store.documents.get(COLLECTION, draft.key.document)
    index = draft.base_index
    if index is None and collection is not None:
        index = collection.body["aliases"].get(LATEST)
    if index is None:
        return draft.manifest
    base = store.documents.get(VERSION, version_document(draft.key, index))
    if base is None:
        return draft.manifest
    return _joined(store, [base.body["manifest_sha256"]], draft.manifest)


def _joined(store: Store, manifests: Iterable[str], last: Manifest) -> Manifest:
    entries = {}
    for sha256 in manifests:
        entries.update(manifest_of(store, sha256).entries)
    return Manifest({**entries, **last.entries})


def _put_aside(store: Store, draft: Draft, manifest: Manifest, distributed_id: str) -> None:
    sha256 = _keep(store, draft, manifest)
    name = f"{draft.key.document}/{distributed_id}"

    def attempt() -> bool:
        if _is_done(store, draft.id):
            return True
        found = store.documents.get(PART, name)
        body = {"manifests": [*(found.body["manifests"] if found else ()), sha256]}
        expected = NEW if found is None else found.revision
        store.documents.apply([DocumentChange(PART, name, body, expected), *_done(draft.id, None)])
        return True

    persistently(attempt, str(draft.key))


def _is_done(store: Store, id: str | None) -> bool:
    return id is not None and store.documents.get(COMMITTED, id) is not None


def _done(id: str | None, document: str | None) -> list[DocumentChange]:
    """Return what says that a draft was committed, and into which version."""
    return [] if id is None else [DocumentChange(COMMITTED, id, {"version": document}, NEW)]


def _point(body: dict[str, Any], index: int, aliases: Iterable[str], now: str) -> None:
    """Let aliases lead to one version; they leave the others."""
    for alias in aliases:
        body["aliases"].pop(alias, None)
        body["aliases"][alias] = index
    body["updated_at"] = now


def persistently(attempt: Callable[[], T], what: str) -> T:
    """Return what ``attempt`` returns, called again as long as somebody else is faster.

    Raises:
        DocumentConflictError: Somebody else was faster a thousand times.
    """
    for _ in range(_MAX_ATTEMPTS):
        try:
            return attempt()
        except DocumentConflictError:
            continue
    raise DocumentConflictError(
        f"{what} was changed by others {_MAX_ATTEMPTS} times while it was to be changed here. Try "
        "again when fewer processes use it."
    )
