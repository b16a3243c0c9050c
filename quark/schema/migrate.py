"""Brings an embedded store that an older Quark left behind to the current schema.

Every SQLite file of a store carries its version (``PRAGMA user_version``). A store migrates a
file by itself when it opens it; this does it for all files at once, before anything is read. All
files are looked at before the first one is changed, and each is changed in one transaction, so a
failure leaves files of the old and of the new version, never a broken one, and can be repeated.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Final

from quark import jsonio
from quark.clock import SYSTEM_CLOCK, format_timestamp, parse_timestamp
from quark.errors import SchemaMigrationError, SchemaValidationError
from quark.schema.version import CURRENT_SCHEMA_VERSION

#: Brings the content of one file from one version to the next, inside a transaction.
Migration = Callable[[sqlite3.Connection], None]

#: By file name; the n-th leads from version n to n + 1. Append only: what was released stays.
#: Version 1 is the first that was released, so nothing leads to it.
MIGRATIONS: Final[Mapping[str, Sequence[Migration]]] = MappingProxyType({})

STORE_FOLDER: Final = ".quark"
INDEX_FILE: Final = "index.db"
RUN_FILE: Final = "run.db"
NOTE_FILE: Final = "migration.json"


def migrate_store(
    storage_dir: str | os.PathLike[str],
    *,
    generated_at: str | None = None,
    migrations: Mapping[str, Sequence[Migration]] = MIGRATIONS,
) -> int:
    """Bring the store in ``storage_dir/.quark`` to the current schema.

    A store that is current already is left untouched. If anything was migrated, a note of it is
    left in ``.quark/migration.json``.

    Args:
        storage_dir: The storage directory that the runs were written with.
        generated_at: The time in that note, ISO 8601; the current time if left out.
        migrations: By file name (``"index.db"``, ``"run.db"``): what leads from each version to
            the next.

    Returns:
        The current schema version.

    Raises:
        SchemaMigrationError: There is no store, a file cannot be read or was written by a newer
            Quark, or no migration leads from its version to the current one.
        SchemaValidationError: ``generated_at`` is not ISO 8601.
    """
    moment = _checked_time(generated_at)
    root = Path(storage_dir) / STORE_FOLDER
    outdated = [
        (path, version)
        for path in _files(root)
        if (version := _version(path)) is not None and version != CURRENT_SCHEMA_VERSION
    ]
    for path, version in outdated:
        _check_way(path, version, migrations)
    for path, _ in outdated:
        _migrate(path, migrations[path.name])
    if outdated:
        _write_note(root, moment, [path for path, _ in outdated])
    return CURRENT_SCHEMA_VERSION


def _checked_time(generated_at: str | None) -> str:
    if generated_at is None:
        return format_timestamp(SYSTEM_CLOCK.time_us())
    try:
        parse_timestamp(generated_at)
    except (TypeError, ValueError) as error:
        raise SchemaValidationError(
            f"generated_at is {generated_at!r}, but must be a time in ISO 8601, such as "
            "'2026-05-07T00:00:00Z'."
        ) from error
    return generated_at


def _files(root: Path) -> list[Path]:
    try:
        run_folders = sorted(root.glob("runs/*"))
        is_there = root.is_dir() and ((root / INDEX_FILE).exists() or (root / "runs").is_dir())
    except OSError as error:
        raise SchemaMigrationError(f"{root} cannot be read: {error}.") from error
    if not is_there:
        raise SchemaMigrationError(
            f"There is no store at {root}. Pass the storage directory, which holds the folder "
            f"{STORE_FOLDER!r}."
        )
    candidates = [root / INDEX_FILE, *(folder / RUN_FILE for folder in run_folders)]
    return [path for path in candidates if path.exists()]


def _version(path: Path) -> int | None:
    """Return the file's version; None if nothing was ever written to it."""
    try:
        with closing(_connect(path, "ro")) as connection:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    except sqlite3.Error as error:
        raise SchemaMigrationError(
            f"{path} cannot be read as a SQLite file: {error}. Restore it from a backup, or move "
            "it away."
        ) from error
    if version > CURRENT_SCHEMA_VERSION:
        raise SchemaMigrationError(
            f"{path} has schema version {version}, but this Quark knows versions up to "
            f"{CURRENT_SCHEMA_VERSION}; install a newer Quark."
        )
    return version if version or tables else None


def _check_way(path: Path, version: int, migrations: Mapping[str, Sequence[Migration]]) -> None:
    if version < 0 or len(migrations.get(path.name, ())) < CURRENT_SCHEMA_VERSION:
        raise SchemaMigrationError(
            f"{path} has schema version {version}, and nothing leads from it to version "
            f"{CURRENT_SCHEMA_VERSION}. Open it with the version of Quark that wrote it."
        )


def _migrate(path: Path, steps: Sequence[Migration]) -> None:
    try:
        with closing(_connect(path, "rw")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            # Asked again inside the transaction: another process may have been faster.
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            for step in steps[version:CURRENT_SCHEMA_VERSION]:
                step(connection)
            connection.execute(f"PRAGMA user_version={CURRENT_SCHEMA_VERSION}")
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise SchemaMigrationError(
            f"{path} could not be migrated and was left as it was: {error}."
        ) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # Closing a connection rolls back what it did not commit.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
    )


def _write_note(root: Path, moment: str, migrated: Sequence[Path]) -> None:
    note = {
        "generated_at": moment,
        "schema_version": CURRENT_SCHEMA_VERSION,
        "migrated": [path.relative_to(root).as_posix() for path in migrated],
    }
    written = root / f"{NOTE_FILE}.tmp"
    try:
        written.write_bytes(jsonio.dumps(note, indent=True) + b"\n")
        written.replace(root / NOTE_FILE)
    except OSError as error:
        raise SchemaMigrationError(
            f"The store at {root} was migrated, but {NOTE_FILE} could not be written: {error}."
        ) from error
