"""What can still be changed of a version and of a collection once they are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from quark.catalog.model import (
    Collection,
    CollectionKey,
    Version,
    check_alias,
    version_document,
)
from quark.catalog.reading import COLLECTION, VERSION, get_collection, list_versions
from quark.clock import SYSTEM_CLOCK, Clock, format_timestamp
from quark.errors import ArtifactNotFoundError, SchemaValidationError
from quark.storage.documents import update
from quark.storage.protocols import Store

_VERSION_FIELDS = frozenset({"description", "metadata", "tags", "ttl_seconds", "ttl_inherited"})


def change_version(
    store: Store, version: Version, fields: Mapping[str, Any], clock: Clock = SYSTEM_CLOCK
) -> None:
    """Give fields of a version new values: ``description``, ``metadata``, ``tags``,
    ``ttl_seconds`` or ``ttl_inherited``. All links to it show them too.

    Raises:
        ArtifactNotFoundError: The version was deleted.
        SchemaValidationError: A field cannot be changed.
    """
    fixed = sorted(fields.keys() - _VERSION_FIELDS)
    if fixed:
        raise SchemaValidationError(
            f"{fixed[0]!r} of an artifact's version cannot be changed; log a new version."
        )
    now = format_timestamp(clock.time_us())
    _edit(store, VERSION, version.document, lambda body: {**body, **fields, "updated_at": now})


def change_aliases(
    store: Store,
    version: Version,
    added: Iterable[str] = (),
    removed: Iterable[str] = (),
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Let aliases of the version's collection lead to it, or lead nowhere any more.

    One that leads to another version by now is not removed.

    Raises:
        ArtifactNotFoundError: The collection was deleted.
        SchemaValidationError: An alias is not valid.
    """
    new, old = tuple(added), tuple(removed)
    for alias in new:
        check_alias(alias)
    now = format_timestamp(clock.time_us())

    def changed(body: dict[str, Any]) -> dict[str, Any]:
        aliases = {
            alias: index
            for alias, index in body["aliases"].items()
            if alias not in new and not (alias in old and index == version.index)
        }
        aliases.update(dict.fromkeys(new, version.index))
        return {**body, "aliases": aliases, "updated_at": now}

    _edit(store, COLLECTION, version.key.document, changed)


def change_collection(
    store: Store, collection: Collection, fields: Mapping[str, Any], clock: Clock = SYSTEM_CLOCK
) -> Collection:
    """Give a collection another ``description``, other ``tags`` or another ``type``.

    A new type of a sequence holds for all its versions.

    Raises:
        ArtifactNotFoundError: The collection was deleted.
        SchemaValidationError: A field cannot be changed.
    """
    fixed = sorted(fields.keys() - {"description", "tags", "type"})
    if fixed or ("type" in fields and collection.is_portfolio):
        raise SchemaValidationError(
            f"{(fixed or ['type'])[0]!r} of the collection {collection.key} cannot be changed."
        )
    now = format_timestamp(clock.time_us())
    key = collection.key
    _edit(store, COLLECTION, key.document, lambda body: {**body, **fields, "updated_at": now})
    if fields.get("type", collection.type) != collection.type:
        type = fields["type"]
        for version in list_versions(store, key):
            document = version_document(key, version.index)
            _edit(store, VERSION, document, lambda body: {**body, "type": type})
    return get_collection(store, key)


def _edit(
    store: Store, kind: str, name: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> None:
    def changed(body: dict[str, Any] | None) -> Mapping[str, Any]:
        if body is None:
            place = CollectionKey.of_document(name)
            raise ArtifactNotFoundError(f"{place} was deleted meanwhile.")
        return change(body)

    update(store.documents, kind, name, changed)
