"""Deleting versions and collections, and giving back the space that nothing needs any more.

Deleting is quick: the documents go, the payloads stay, and a note is left of what the version
consisted of. :func:`collect` also removes what has become :mod:`~quark.catalog.garbage`; what the
version had is none before a day has passed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from quark.catalog.commit import persistently
from quark.catalog.garbage import GRACE_SECONDS, check_collectable, remove_garbage
from quark.catalog.model import (
    LATEST,
    CollectionKey,
    Version,
    place_of_document,
    version_document,
)
from quark.catalog.reading import (
    COLLECTION,
    ID,
    LINK,
    REMOVED,
    VERSION,
    find_by_document,
    get_collection,
    list_versions,
)
from quark.clock import SYSTEM_CLOCK, Clock, format_timestamp, parse_timestamp
from quark.errors import (
    ArtifactNotFoundError,
    DocumentConflictError,
    SchemaValidationError,
)
from quark.storage.documents import DocumentChange
from quark.storage.protocols import Store


class Collected(NamedTuple):
    """What was removed."""

    version_count: int
    payload_count: int
    payload_bytes: int


def delete_version(
    store: Store, version: Version, *, with_aliases: bool = False, clock: Clock = SYSTEM_CLOCK
) -> None:
    """Delete a version and the links to it, or only the link if ``version`` is one.

    Its number is not used again. ``latest`` moves to the newest version that is left.

    Raises:
        SchemaValidationError: The version has aliases, and ``with_aliases`` is false.
    """
    if version.is_link:
        _remove(store, version.key, [version.index], clock)
        return
    if not with_aliases:
        aliases = get_collection(store, version.key).aliases_of(version.index)
        if aliases:
            raise SchemaValidationError(
                f"{version.name} has the aliases {', '.join(map(repr, aliases))}. Pass "
                "delete_aliases=True to delete it with them, or give them to another version."
            )
    for item in store.documents.list(LINK, f"{version.document}/"):
        key, index = place_of_document(item.body["link"])
        _remove(store, key, [index], clock)
    _remove(store, version.key, [version.index], clock)


def delete_collection(store: Store, key: CollectionKey, clock: Clock = SYSTEM_CLOCK) -> None:
    """Delete a collection with all its versions; of a portfolio only the links.

    Raises:
        ArtifactNotFoundError: There is no such collection.
    """
    get_collection(store, key)

    def attempt() -> None:
        for version in list_versions(store, key):
            delete_version(store, version, with_aliases=True, clock=clock)
        found = store.documents.get(COLLECTION, key.document)
        if found is None:
            return  # somebody else has deleted it
        if store.documents.list(VERSION, f"{key.document}/"):
            raise DocumentConflictError(f"A version was logged to {key} meanwhile.")
        store.documents.apply([DocumentChange(COLLECTION, key.document, None, found.revision)])

    persistently(attempt, str(key))


def expired(store: Store, clock: Clock = SYSTEM_CLOCK) -> tuple[Version, ...]:
    """Return the versions that have outlived their ``ttl_seconds``."""
    now_us = clock.time_us()
    found = []
    for item in store.documents.list(VERSION):
        seconds = item.body.get("ttl_seconds")
        if seconds is None:
            continue
        if parse_timestamp(item.body["created_at"]) + seconds * 1_000_000 <= now_us:
            found.append(find_by_document(store, item.name))
    return tuple(version for version in found if version is not None)


def collect(
    store: Store,
    *,
    grace_seconds: float = GRACE_SECONDS,
    served: bool = False,
    clock: Clock = SYSTEM_CLOCK,
) -> Collected:
    """Delete the versions that have expired, and the payloads that nothing refers to any more.

    Raises:
        DamagedFileError: As :func:`quark.catalog.garbage.remove_garbage`.
        SchemaValidationError: ``grace_seconds`` is negative.
        PermissionDeniedError: The store is reached through a service.
    """
    check_collectable(store)
    outlived = expired(store, clock)
    for version in outlived:
        delete_version(store, version, with_aliases=True, clock=clock)
    garbage = remove_garbage(store, grace_seconds=grace_seconds, served=served, clock=clock)
    oldest_us = clock.time_us() - int(grace_seconds * 1_000_000)
    notes = store.documents.list(REMOVED)
    due = [item.name for item in notes if parse_timestamp(item.body["at"]) <= oldest_us]
    store.documents.apply([DocumentChange(REMOVED, name, None) for name in due])
    return Collected(len(outlived), len(garbage.payloads), garbage.size_bytes)


def _remove(store: Store, key: CollectionKey, indices: Iterable[int], clock: Clock) -> None:
    """Remove versions, or links, from one collection in one step each."""
    for index in indices:
        persistently(partial(_remove_once, store, key, index, clock), f"{key}:v{index}")


def _remove_once(store: Store, key: CollectionKey, index: int, clock: Clock) -> None:
    collection = store.documents.get(COLLECTION, key.document)
    name = version_document(key, index)
    found = store.documents.get(VERSION, name)
    if collection is None or found is None:
        raise ArtifactNotFoundError(f"{key}:v{index} was deleted already.")
    now = format_timestamp(clock.time_us())
    aliases: dict[str, Any] = collection.body["aliases"]
    left = {alias: place for alias, place in aliases.items() if place != index}
    if LATEST not in left:
        others = (item.name for item in store.documents.list(VERSION, f"{key.document}/"))
        newest = max((place_of_document(other)[1] for other in others if other != name), default=-1)
        if newest >= 0:
            left[LATEST] = newest
    body = {**collection.body, "aliases": left, "updated_at": now}
    changes = [
        DocumentChange(COLLECTION, key.document, body, collection.revision),
        DocumentChange(VERSION, name, None, found.revision),
    ]
    if "link" in found.body:
        changes.append(DocumentChange(LINK, f"{found.body['link']}/{key.document}", None))
    else:
        gone = {"manifest_sha256": found.body["manifest_sha256"], "at": now, "version": name}
        changes.append(DocumentChange(ID, found.body["id"], None))
        changes.append(DocumentChange(REMOVED, found.body["id"], gone))
    store.documents.apply(changes)
