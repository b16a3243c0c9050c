"""Collections, versions and manifests, read from a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quark.catalog.manifest import Manifest
from quark.catalog.model import (
    LATEST,
    Collection,
    CollectionKey,
    RunRef,
    Version,
    place_of_document,
    version_document,
    version_index,
)
from quark.errors import ArtifactNotFoundError, DamagedFileError
from quark.storage.protocols import Store

COLLECTION = "artifact_collection"
VERSION = "artifact_version"
ID = "artifact_id"
LINK = "artifact_link"
PART = "artifact_part"
USE = "artifact_use"
COMMITTED = "artifact_commit"
REMOVED = "artifact_removed"


def find_collection(store: Store, key: CollectionKey) -> Collection | None:
    """Return a collection; None if there is none of this name."""
    found = store.documents.get(COLLECTION, key.document)
    return None if found is None else Collection.of(found.name, found.body)


def get_collection(store: Store, key: CollectionKey) -> Collection:
    """Return a collection.

    Raises:
        ArtifactNotFoundError: There is none of this name.
    """
    found = find_collection(store, key)
    if found is None:
        raise ArtifactNotFoundError(
            f"There is no artifact {key.name!r} in project {key.workspace}/{key.project}."
        )
    return found


def list_collections(
    store: Store, workspace: str, project: str, type: str | None = None
) -> tuple[Collection, ...]:
    """Return the collections of a project, of one type or of all, by name."""
    prefix = CollectionKey(workspace, project, "x").document[:-1]
    found = (Collection.of(item.name, item.body) for item in _listed(store, COLLECTION, prefix))
    chosen = (collection for collection in found if type in (None, collection.type))
    return tuple(sorted(chosen, key=lambda collection: collection.key))


def workspaces_of(store: Store, project: str) -> tuple[str, ...]:
    """Return the workspaces that have collections in a project of this name, by name."""
    keys = (CollectionKey.of_document(item.name) for item in store.documents.list(COLLECTION))
    return tuple(sorted({key.workspace for key in keys if key.project == project}))


def get_version(store: Store, key: CollectionKey, alias: str = LATEST) -> Version:
    """Return the version of a collection that is called ``v3``, or that has an alias.

    Raises:
        ArtifactNotFoundError: There is no such version.
    """
    collection = get_collection(store, key)
    index = version_index(alias)
    if index is None:
        index = collection.aliases.get(alias)
    document = None if index is None else version_document(key, index)
    found = None if document is None else store.documents.get(VERSION, document)
    if found is None:
        known = ", ".join(collection.aliases) or "none"
        raise ArtifactNotFoundError(
            f"The artifact {key} has no version {alias!r}; its aliases are: {known}."
        )
    return _version(store, found.name, found.body, collection)


def find_by_id(store: Store, id: str) -> Version | None:
    """Return the version with this id; None if there is none."""
    found = store.documents.get(ID, id)
    return None if found is None else find_by_document(store, found.body["version"])


def find_by_document(store: Store, name: str) -> Version | None:
    """Return the version whose document is called ``name``; None if there is none."""
    found = store.documents.get(VERSION, name)
    if found is None:
        return None
    collection = find_collection(store, CollectionKey.of_document(name))
    return None if collection is None else _version(store, name, found.body, collection)


def list_versions(store: Store, key: CollectionKey) -> tuple[Version, ...]:
    """Return the versions of a collection, oldest first.

    Raises:
        ArtifactNotFoundError: There is no such collection.
    """
    collection = get_collection(store, key)
    found = _listed(store, VERSION, f"{key.document}/")
    return tuple(_version(store, item.name, item.body, collection) for item in found)


def find_committed(store: Store, id: str) -> Version | None:
    """Return what came of the draft, or of the link, with this id; None if nothing did, or if it
    was deleted since."""
    found = store.documents.get(COMMITTED, id)
    document = None if found is None else found.body["version"]
    return None if document is None else find_by_document(store, document)


def links_of(store: Store, version: Version) -> tuple[Version, ...]:
    """Return the links that lead to a version, by the name of their collections."""
    documents = (item.body["link"] for item in _listed(store, LINK, f"{version.document}/"))
    found = (find_by_document(store, document) for document in documents)
    return tuple(link for link in found if link is not None)


def read_manifest(store: Store, version: Version) -> Manifest:
    """Return what a version consists of.

    Raises:
        DamagedFileError: Its manifest is gone, or is none.
    """
    return manifest_of(store, version.manifest_sha256)


def manifest_of(store: Store, sha256: str) -> Manifest:
    """Return the manifest that is kept under ``sha256``.

    Raises:
        DamagedFileError: It is gone, or is none.
    """
    try:
        with store.blobs.open(sha256) as stream:
            return Manifest.from_json(stream.read())
    except KeyError as error:
        raise DamagedFileError(
            f"The manifest {sha256} of an artifact is not in the store any more: its payloads "
            "were removed by hand, or it was copied without them."
        ) from error


def _listed(store: Store, kind: str, prefix: str) -> tuple[Any, ...]:
    return store.documents.list(kind, prefix)


def _version(store: Store, name: str, body: Mapping[str, Any], collection: Collection) -> Version:
    key, index = place_of_document(name)
    source, source_index, linked_at = key, index, None
    if "link" in body:
        source, source_index = place_of_document(body["link"])
        linked_at = body["linked_at"]
        found = store.documents.get(VERSION, body["link"])
        if found is None:
            raise ArtifactNotFoundError(f"{collection.key}:v{index} leads to nothing any more.")
        body = found.body
    run = body["run"]
    return Version(
        key=key,
        index=index,
        aliases=collection.aliases_of(index),
        source=source,
        source_index=source_index,
        id=body["id"],
        type=body["type"],
        digest=body["digest"],
        manifest_sha256=body["manifest_sha256"],
        size_bytes=body["size_bytes"],
        file_count=body["file_count"],
        description=body["description"],
        metadata=body["metadata"],
        tags=tuple(body["tags"]),
        ttl_seconds=body["ttl_seconds"],
        ttl_inherited=body["ttl_inherited"],
        created_at=body["created_at"],
        updated_at=body["updated_at"],
        logged_by=None if run is None else RunRef(*run),
        step=body["step"],
        linked_at=linked_at,
    )
