"""Collecting the payloads of a service's stores, where all that is still needed is seen.

The service may go on meanwhile: what it is sent, or asked for, stays. Uploads that are under way
are no payloads yet; those that were abandoned are removed, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quark.catalog.garbage import GRACE_SECONDS, find_garbage
from quark.catalog.removal import collect, expired
from quark.clock import SYSTEM_CLOCK, Clock
from quark.service.parts_bucket import PartsBucket
from quark.service.parts_folder import PartsFolder
from quark.service.stores import StoreKey, Stores
from quark.service.uploads import ABANDONED_AFTER_SECONDS
from quark.storage.layout import STORE_FOLDER
from quark.storage.object_blobs import ObjectBlobs

if TYPE_CHECKING:
    from pathlib import Path

    from quark.service.config import ServiceConfig
    from quark.storage.protocols import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreGarbage:
    """What collecting one store removed, or would. ``version_count`` are versions of
    artifacts that have outlived their time; ``upload_count`` abandoned uploads."""

    key: StoreKey
    version_count: int
    payload_count: int
    payload_bytes: int
    upload_count: int | None  # None if it was not counted


def store_keys(config: ServiceConfig, stores: Stores, workspace: str) -> list[StoreKey]:
    """Return the stores of a workspace that hold anything."""
    folder = config.root / "workspaces" / workspace / "stores"
    found = {StoreKey(workspace, below) for below in _stores_below(folder)}
    for namespace in stores.engines.namespaces():
        name, _, storage_dir = namespace.partition("/")
        if name == workspace:
            found.add(StoreKey(workspace, storage_dir))
    return sorted(found)


def look(
    stores: Stores,
    key: StoreKey,
    *,
    grace_seconds: float = GRACE_SECONDS,
    clock: Clock = SYSTEM_CLOCK,
) -> StoreGarbage:
    """Return what :func:`collect_store` would remove.

    Raises:
        DamagedFileError: It is not known what a run or a version needs.
    """
    store = stores.get(key)
    found = find_garbage(store, grace_seconds=grace_seconds, served=True, clock=clock)
    return StoreGarbage(
        key=key,
        version_count=len(expired(store, clock)),
        payload_count=len(found.payloads),
        payload_bytes=found.size_bytes,
        upload_count=None,
    )


def collect_store(
    config: ServiceConfig,
    stores: Stores,
    key: StoreKey,
    *,
    grace_seconds: float = GRACE_SECONDS,
    clock: Clock = SYSTEM_CLOCK,
) -> StoreGarbage:
    """Remove what nothing refers to from one store, and return what that was.

    Raises:
        DamagedFileError: It is not known what a run or a version needs; then no payload is removed.
    """
    store = stores.get(key)
    done = collect(store, grace_seconds=grace_seconds, served=True, clock=clock)
    before_us = clock.time_us() - ABANDONED_AFTER_SECONDS * 1_000_000
    return StoreGarbage(
        key=key,
        version_count=done.version_count,
        payload_count=done.payload_count,
        payload_bytes=done.payload_bytes,
        upload_count=_parts(config, store, key).remove_abandoned(before_us),
    )


def _parts(config: ServiceConfig, store: Store, key: StoreKey) -> PartsFolder | PartsBucket:
    if isinstance(store.blobs, ObjectBlobs):
        return PartsBucket(store.blobs.bucket)
    return PartsFolder(config.root / "incoming-parts" / key.workspace)


def _stores_below(folder: Path, path: str = "") -> Iterator[str]:
    """Yield the paths below a folder in which there is a store."""
    if not folder.is_dir():
        return
    if (folder / STORE_FOLDER).is_dir():
        yield path
    for below in folder.iterdir():
        if below.is_dir() and not below.name.startswith("."):
            yield from _stores_below(below, f"{path}/{below.name}" if path else below.name)
