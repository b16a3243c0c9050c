"""Artifacts as files in a folder: written, compared, and cleared of what is not in them.

Files are copies, if possible of the kind that share their blocks until one is written. They are
never links into the store: who edits such a file in place would change the artifact.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from quark import ids
from quark.catalog.known_files import KnownFiles
from quark.catalog.manifest import Manifest, ManifestEntry, as_base64
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import DamagedFileError, SchemaValidationError
from quark.storage.file_copy import FileStamp, digest_file
from quark.storage.protocols import BlobStore


def path_within(folder: Path, name: str) -> Path:
    """Return where the file ``name`` of an artifact lies below ``folder``.

    Raises:
        SchemaValidationError: It would not lie below it.
    """
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute():
        raise SchemaValidationError(
            f"The path {name!r} in an artifact is not valid: it must be relative, and must not "
            "lead out of the artifact."
        )
    return folder.joinpath(*parts)


def write_file(
    blobs: BlobStore,
    entry: ManifestEntry,
    folder: Path,
    known: KnownFiles | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Path:
    """Write a file of an artifact below ``folder``, unless it lies there already; say where.

    ``known`` says what lies there without reading it, where it can.

    Raises:
        DamagedFileError: Its content is not in the store.
        OSError: It cannot be written.
        SchemaValidationError: It is a reference, or its path leads out of the folder.
    """
    path = path_within(folder, entry.path)
    if entry.sha256 is None:
        raise SchemaValidationError(
            f"{entry.path!r} is a reference to {entry.ref}; its content is not in the store."
        )
    if _is_there(path, entry, known, clock):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name[:200]}.{ids.random_id()}")
    try:
        blobs.copy_to(entry.sha256, fresh)
        fresh.replace(path)
    except KeyError as error:
        raise DamagedFileError(
            f"The content of {entry.path!r} ({entry.sha256}) is not in the store any more."
        ) from error
    finally:
        fresh.unlink(missing_ok=True)
    return path


def remove_others(manifest: Manifest, folder: Path) -> list[Path]:
    """Remove the files below ``folder`` that are not in the artifact; return them."""
    others = list(_others(manifest, folder))
    for path in others:
        path.unlink()
    return others


def first_fault(manifest: Manifest, folder: Path) -> str | None:
    """Return what is wrong with a folder that should hold the files of an artifact; None if
    nothing is. References are not looked at."""
    for other in _others(manifest, folder):
        return f"{other} is not in the artifact"
    for entry in manifest.entries.values():
        if entry.ref is not None:
            continue
        path = path_within(folder, entry.path)
        if not path.is_file():
            return f"{entry.path} is missing"
        if as_base64(digest_file(path).md5) != entry.digest:
            return f"{entry.path} has another content: its digest is not {entry.digest}"
    return None


def _others(manifest: Manifest, folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.relative_to(folder).as_posix() not in manifest.entries:
                yield path


def _is_there(path: Path, entry: ManifestEntry, known: KnownFiles | None, clock: Clock) -> bool:
    try:
        stamp = FileStamp.of(path.lstat())
        if stamp.size_bytes != entry.size_bytes or not path.is_file() or path.is_symlink():
            return False
        found = None if known is None else known.find(stamp)
        if found is None:
            started_us = clock.time_us()
            found = digest_file(path)
            if known is not None and FileStamp.of(path.lstat()) == stamp:
                known.remember(stamp, found, started_us)
        return found.sha256 == entry.sha256
    except (FileNotFoundError, NotADirectoryError):
        return False
