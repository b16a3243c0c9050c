"""Copies what a service keeps in files below its root, while the service goes on.

SQLite's own online backup gives one state of each file, without making anybody wait. Records are
copied before payloads: what a record names is stored before the record is.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from quark.errors import DamagedFileError
from quark.storage.embedded_records import DELETING_PREFIX
from quark.storage.file_copy import copy_file, digest_file
from quark.storage.layout import STORE_FOLDER

_DIGEST = re.compile(r"[0-9a-f]{64}")
#: Folders of what is only on its way, or only says that a process lives, by what they lie in.
#: Elsewhere these are names like others: of a workspace, of a store below one, of a run.
_PASSING_BELOW_ROOT = (("incoming-parts",), ("service", "processes"))
_PASSING_IN_STORE = frozenset({"staging", "sweeps"})
#: SQLite's files beside a database; a backup of the database holds what is in them.
_BESIDE = ("-wal", "-shm", "-journal")
_LOCKS = (".lock", ".pid", ".sock")


class FolderContent(NamedTuple):
    """What lies below a root, as relative paths."""

    databases: list[str]
    payloads: list[str]
    others: list[str]


class PayloadCount(NamedTuple):
    """How many payloads were copied, and their size in bytes."""

    payload_count: int
    size_bytes: int


def content_of(root: Path) -> FolderContent:
    """List what is to be kept of a root."""
    found = FolderContent([], [], [])
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".db":
            found.databases.append(name)
        elif _DIGEST.fullmatch(path.name) and path.parent.parent.parent.name == "blobs":
            found.payloads.append(name)
        elif not path.name.endswith((*_BESIDE, *_LOCKS)):
            found.others.append(name)
    return found


def copy_databases(root: Path, names: list[str], target: Path) -> dict[str, str]:
    """Copy SQLite files and return the SHA-256 of each copy; one that is gone is left out."""
    digests = {}
    for name in names:
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if _copy_database(root / name, copy):
            digests[name] = digest_file(copy).sha256
    return digests


def copy_others(root: Path, names: list[str], target: Path) -> dict[str, str]:
    """Copy plain files and return the SHA-256 of each copy; one that is gone is left out."""
    digests = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            copy_plain(root / name, target / name)
            digests[name] = digest_file(target / name).sha256
    return digests


def copy_payloads(
    root: Path, names: list[str], target: Path, previous: Path | None = None
) -> PayloadCount:
    """Copy payloads; those that the backup ``previous`` has are linked, as they never change."""
    count = size_bytes = 0
    for name in names:
        with contextlib.suppress(FileNotFoundError):  # removed by a collector meanwhile
            copy = target / name
            older = previous / name if previous else None
            if older is None or not _linked(older, copy, (root / name).stat().st_size):
                copy_plain(root / name, copy)
            count += 1
            size_bytes += copy.stat().st_size
    return PayloadCount(count, size_bytes)


def copy_plain(source: Path, target: Path) -> None:
    """Copy a file as cheaply as the file systems can, and have the disk take it.

    Raises:
        FileNotFoundError: It is gone.
    """
    with source.open("rb") as original:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as copy:
            copy_file(original.fileno(), copy.fileno())
            os.fsync(copy.fileno())


def _copy_database(source: Path, target: Path) -> bool:
    """Copy one state of a SQLite file; False if it is gone."""
    try:
        with (
            contextlib.closing(_opened(source)) as original,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            original.backup(copy)
            # Whoever opens it chooses the journal again; a copy is one file.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        target.unlink(missing_ok=True)
        if not source.exists():
            return False
        raise DamagedFileError(
            f"{source} cannot be backed up: {error}. Delete the run, or bring its file back from "
            "an older backup, and try again."
        ) from error
    return True


def _opened(path: Path) -> sqlite3.Connection:
    place = path.absolute().as_posix().lstrip("/")
    for character in "%?#":
        place = place.replace(character, f"%{ord(character):02x}")
    return sqlite3.connect(f"file:///{place}?mode=rw", uri=True, timeout=30.0)


def _linked(older: Path, copy: Path, size_bytes: int) -> bool:
    try:
        if older.stat().st_size != size_bytes:
            return False
        copy.parent.mkdir(parents=True, exist_ok=True)
        os.link(older, copy)
    except OSError:
        return False
    return True


def _passes(place: tuple[str, ...]) -> bool:
    """Say whether a folder, by the names from the root on, is none that has to be kept."""
    if place in _PASSING_BELOW_ROOT or place[-1].startswith(DELETING_PREFIX):
        return True
    if STORE_FOLDER not in place:
        return False
    in_store = place[place.index(STORE_FOLDER) + 1 :]  # no name before it begins with a dot
    match in_store:
        case ("blobs", "incoming") | ("runs", _, "journal"):
            return True
        case (name,):
            return name in _PASSING_IN_STORE
    return False


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        place = Path(folder).relative_to(root).parts
        folders[:] = sorted(name for name in folders if not _passes((*place, name)))
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path
