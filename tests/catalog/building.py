"""Artifacts for tests: small, and made in one line."""

from __future__ import annotations

import hashlib
from typing import Any

from quark.catalog.commit import commit
from quark.catalog.manifest import Manifest, ManifestEntry, as_base64
from quark.catalog.model import CollectionKey, Draft, RunRef, Version
from quark.clock import SYSTEM_CLOCK, Clock
from quark.storage.protocols import Store

KEY = CollectionKey("local", "vision", "digits")
RUN = RunRef("run-1", "vision", "local")


def entry(store: Store, path: str, content: bytes) -> ManifestEntry:
    """Put a payload and return the entry of it."""
    sha256, size_bytes = store.blobs.put(content)
    digest = as_base64(hashlib.md5(content).hexdigest())
    return ManifestEntry(path=path, digest=digest, size_bytes=size_bytes, sha256=sha256)


def manifest(store: Store, **contents: str) -> Manifest:
    """Return a manifest of files named like the keywords."""
    return Manifest({name: entry(store, name, text.encode()) for name, text in contents.items()})


def log(
    store: Store,
    contents: dict[str, str],
    *,
    key: CollectionKey = KEY,
    clock: Clock = SYSTEM_CLOCK,
    run: RunRef | None = RUN,
    **fields: Any,
) -> Version:
    """Log a version."""
    fields.setdefault("type", "dataset")
    draft = Draft(key=key, manifest=manifest(store, **contents), run=run, **fields)
    version = commit(store, draft, clock=clock)
    assert version is not None
    return version
