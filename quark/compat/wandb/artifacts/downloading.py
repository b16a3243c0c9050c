"""Where artifacts are written by default, and how one entry is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from quark import ids
from quark.catalog.checkout import path_within, write_file
from quark.catalog.known_files import KnownFiles
from quark.catalog.reading import find_by_id, read_manifest
from quark.compat.wandb.artifacts.entry import ArtifactManifestEntry
from quark.compat.wandb.artifacts.references import fetch, source_of
from quark.compat.wandb.env import ARTIFACT_DIR
from quark.settings import environment

if TYPE_CHECKING:
    from quark.storage.protocols import Store


def default_root(name: str) -> str:
    """Return ``artifacts/<name>`` in the working folder, or in ``WANDB_ARTIFACT_DIR``."""
    folder = environment((ARTIFACT_DIR,)).get(ARTIFACT_DIR) or os.path.join(".", "artifacts")
    return os.path.join(os.path.abspath(folder), name)


def fetch_entry(
    store: Store, entry: ArtifactManifestEntry, folder: Path, known: KnownFiles
) -> Path:
    """Write an entry below ``folder`` unless it is there; return where that is.

    Raises:
        FileNotFoundError: A reference leads to nothing.
        ValueError: A reference cannot be read, or is not what it was.
    """
    if entry.ref is None:
        return write_file(store.blobs, entry.kept(), folder, known)
    inner = source_of(entry)
    path = path_within(folder, entry.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name[:200]}.{ids.random_id()}")
    try:
        if inner is None:
            fetch(entry, fresh)
        else:
            _fetch_inner(store, *inner, fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def _fetch_inner(store: Store, id: str, path: str, target: Path) -> None:
    """Write a file of another artifact."""
    version = find_by_id(store, id)
    entry = None if version is None else read_manifest(store, version).entries.get(path)
    if entry is None or entry.sha256 is None:
        raise FileNotFoundError(f"The artifact that holds {path!r} is not there any more.")
    store.blobs.copy_to(entry.sha256, target)
