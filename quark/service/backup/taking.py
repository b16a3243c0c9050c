"""Taking a backup, and bringing one back."""

from __future__ import annotations

import shutil
from pathlib import Path

from quark import __version__
from quark.clock import SYSTEM_CLOCK, Clock, format_timestamp
from quark.errors import SessionStoreError
from quark.service.backup import database
from quark.service.backup.folder import (
    content_of,
    copy_databases,
    copy_others,
    copy_payloads,
)
from quark.service.backup.manifest import FORMAT, Manifest, check_files, read_manifest
from quark.service.config import ServiceConfig
from quark.storage.file_copy import digest_file
from quark.storage.reindex import reindex

_FILES = "files"
_UNFINISHED = ".unfinished"


def back_up(
    config: ServiceConfig,
    target: Path,
    *,
    previous: Path | None = None,
    payloads: bool = True,
    clock: Clock = SYSTEM_CLOCK,
) -> Manifest:
    """Copy everything that a service keeps into the new folder ``target``.

    The service may go on meanwhile; each run is kept as it was at one moment between the
    beginning and the end. Payloads in an object store are not copied: it has its own ways.

    Args:
        previous: An older backup on the same file system; payloads that it has are linked.
        payloads: Whether to copy those that lie below the root.

    Raises:
        DamagedFileError: A file of the service is damaged.
        SessionStoreError: ``target`` is there already, or an engine refuses.
    """
    if target.exists():
        raise SessionStoreError(f"{target} is there already; name a folder that is not.")
    begun_at = format_timestamp(clock.time_us())
    unfinished = target.with_name(target.name + _UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)  # of a backup that was interrupted
    files = unfinished / _FILES
    files.mkdir(parents=True)
    found = content_of(config.root)
    digests = {}
    if config.db_url is not None:
        dump = unfinished / database.FILE_NAME
        database.dump_database(config.db_url, dump)
        digests[database.FILE_NAME] = digest_file(dump).sha256
    copied = copy_databases(config.root, found.databases, files)
    copied |= copy_others(config.root, found.others, files)
    digests |= {f"{_FILES}/{name}": digest for name, digest in copied.items()}
    # Listed again: what the records above name was there when they were copied.
    names = content_of(config.root).payloads if payloads else []
    copied_payloads = copy_payloads(
        config.root, names, files, previous / _FILES if previous else None
    )
    manifest = Manifest(
        format=FORMAT,
        quark_version=__version__,
        begun_at=begun_at,
        ended_at=format_timestamp(clock.time_us()),
        engines=engines_of(config),
        files=digests,
        payload_count=copied_payloads.payload_count,
        payload_bytes=copied_payloads.size_bytes,
    )
    manifest.write(unfinished)
    unfinished.rename(target)
    return manifest


def restore(backup: Path, config: ServiceConfig) -> Manifest:
    """Bring a backup back below an empty root, and into empty engines.

    Raises:
        DamagedFileError: The backup has changed since it was taken.
        SessionStoreError: It is not whole, it is of other engines, or something is in the way.
    """
    manifest = read_manifest(backup)
    wanted = engines_of(config)
    if manifest.engines != wanted:
        raise SessionStoreError(
            f"{backup} was taken of {' and '.join(manifest.engines)}, but the service is set to "
            f"{' and '.join(wanted)}. Restore it with the same engines."
        )
    if config.root.exists() and any(config.root.iterdir()):
        raise SessionStoreError(
            f"{config.root} is not empty; restore into an empty folder and point the service there."
        )
    check_files(backup, manifest)
    if config.db_url is not None:
        database.restore_database(config.db_url, backup / database.FILE_NAME)
    files = backup / _FILES
    content = content_of(files)
    copy_others(files, content.databases + content.others, config.root)
    copy_payloads(files, content.payloads, config.root)
    for index in sorted(config.root.rglob("index.db")):
        reindex(index.parent)  # it was copied at another moment than the runs
    return manifest


def engines_of(config: ServiceConfig) -> tuple[str, ...]:
    """Return what a service keeps things in, without saying where.

    >>> engines_of(ServiceConfig(root=Path("/srv/quark"), db_url="postgresql://db/quark"))
    ('files', 'postgresql')
    """
    named = (
        (config.db_url, "postgresql"),
        (config.points_url, "clickhouse"),
        (config.blobs_url, "object store"),
    )
    return ("files", *(name for url, name in named if url is not None))
