"""Writing runs into an export: a folder, or a tar archive of one, that needs nothing else.

The folder is an embedded store with just these runs, so it can also be looked at where it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal

from quark import __version__, ids
from quark.clock import SYSTEM_CLOCK, format_timestamp, parse_timestamp
from quark.errors import SessionStoreError
from quark.persistence.open import open_store
from quark.records import ArtifactRecord
from quark.session.export_manifest import (
    CHECKSUM_NAME,
    FILE_NAME,
    FORMAT,
    ExportedFile,
    ExportedRun,
    ExportManifest,
    names_below,
)
from quark.session.sync_files import FILES, PATH_NAME, RUN_FILE
from quark.session.sync_result import Progress
from quark.session.sync_runs import sync_runs
from quark.settings import Settings
from quark.storage.file_copy import digest_file

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: The folder in an archive.
ARCHIVED_AS = "quark-export"
_MEDIA = "media"


def export_runs(
    source: Store, run_ids: Sequence[str], folder: Path, *, progress: Progress | None = None
) -> ExportManifest:
    """Write runs into a new folder: all that ``source`` has of them, their files, the versions of
    artifacts that they logged or used, and the sweeps that they belong to.

    The folder appears when it is whole. A run that goes on is exported as it is now.

    Args:
        source: Where the runs are.
        run_ids: Their ids.
        folder: Where to; not there yet, or empty.
        progress: Called after each run.

    Raises:
        SessionStoreError: ``folder`` is not free, or a store does not answer.
        RunNotFoundError: There is no such run.
        OSError: A file cannot be read, or written.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SessionStoreError(
            f"{folder} is there already, and an export replaces nothing; name another place."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _draft(folder) as draft:
        draft.mkdir()
        manifest = _fill(source, run_ids, draft, progress or (lambda state: None))
        draft.replace(folder)
    return manifest


def export_archive(
    source: Store, run_ids: Sequence[str], archive: Path, *, progress: Progress | None = None
) -> ExportManifest:
    """Write runs into a new file, as :func:`export_runs` into a folder: a tar archive, compressed
    if its name ends in ``.gz`` or ``.tgz``. The file appears when it is whole.

    Raises:
        As :func:`export_runs`.
    """
    archive = archive.absolute()
    if archive.exists():
        raise SessionStoreError(
            f"{archive} is there already, and an export replaces nothing; name another file."
        )
    archive.parent.mkdir(parents=True, exist_ok=True)
    with _draft(archive) as folder, _draft(archive) as draft:
        manifest = export_runs(source, run_ids, folder, progress=progress)
        with draft.open("xb") as stream:
            write_archive(folder, stream, compressed=archive.suffix in (".gz", ".tgz"))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(archive)
    return manifest


def export_stream(
    source: Store, run_ids: Sequence[str], stream: BinaryIO, *, progress: Progress | None = None
) -> ExportManifest:
    """Write runs as a tar archive into a stream, which need not be seekable.

    Raises:
        As :func:`export_runs`.
    """
    with tempfile.TemporaryDirectory(prefix="quark-export-") as place:
        folder = Path(place, ARCHIVED_AS)
        manifest = export_runs(source, run_ids, folder, progress=progress)
        write_archive(folder, stream, compressed=False)
    return manifest


def write_archive(folder: Path, stream: BinaryIO, *, compressed: bool) -> None:
    """Write an export that is a folder as an archive, its manifest last: who has that has all."""
    mode: Literal["w|gz", "w|"] = "w|gz" if compressed else "w|"
    with tarfile.open(fileobj=stream, mode=mode, format=tarfile.PAX_FORMAT) as tar:
        for name in (*names_below(folder), CHECKSUM_NAME, FILE_NAME):
            with (folder / name).open("rb") as file:
                member = tar.gettarinfo(arcname=f"{ARCHIVED_AS}/{name}", fileobj=file)
                member.type, member.linkname = tarfile.REGTYPE, ""
                member.size = os.fstat(file.fileno()).st_size
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                tar.addfile(member, file)


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` for what is not whole yet, and remove what is left of it."""
    draft = path.with_name(f".{path.name}.{ids.random_id()}.tmp")
    try:
        yield draft
    finally:
        if draft.is_dir():
            shutil.rmtree(draft)
        else:
            draft.unlink(missing_ok=True)


def _fill(
    source: Store, run_ids: Sequence[str], folder: Path, progress: Progress
) -> ExportManifest:
    wanted = list(dict.fromkeys(run_ids))
    for run_id in wanted:
        source.records.get_run(run_id)  # before anything is copied
    store = open_store(Settings(storage_dir=os.fspath(folder), quiet=True))
    try:
        sync_runs(source, store, wanted, progress=progress)
        missing: set[str] = set()
        for run_id in wanted:
            records = store.records.read(ArtifactRecord, run_id)
            missing.update(
                r.sha256 for r in records if r.sha256 and not store.blobs.exists(r.sha256)
            )
            if source.run_dir(run_id) is None:
                _write_files(store, run_id, records)
        runs = [store.records.get_run(run_id) for run_id in wanted]
    finally:
        store.close()
    names = list(names_below(folder))
    for name in names:
        if name.endswith(".db") and f"/{FILES}/" not in name:
            _seal(folder / name)
    manifest = ExportManifest(
        format=FORMAT,
        quark_version=__version__,
        made_at=format_timestamp(SYSTEM_CLOCK.time_us()),
        runs=tuple(
            ExportedRun(
                run.id, run.name, run.project_name, run.workspace, run.status, run.created_at
            )
            for run in runs
        ),
        missing_payloads=tuple(sorted(missing)),
        files={name: _described(folder / name) for name in names},
    )
    manifest.write(folder)
    return manifest


def _write_files(store: Store, run_id: str, records: Iterable[ArtifactRecord]) -> None:
    """Make the files of a run, of whose latest states a service's records tell, files again."""
    run_dir = store.run_dir(run_id)
    latest = {
        str(record.metadata.get(PATH_NAME)): record
        for record in records
        if record.artifact_type == RUN_FILE
    }
    for name, record in latest.items():
        parts = PurePosixPath(name).parts
        plain = parts and not {"", ".", "..", "/"} & set(parts) and "\0" not in name
        if run_dir is None or not plain or parts[0] == _MEDIA or not record.sha256:
            continue
        path = run_dir.joinpath(FILES, *parts)
        # A payload may be missing, which is told; a file may once have been where a folder is now.
        with contextlib.suppress(KeyError, FileExistsError, NotADirectoryError, IsADirectoryError):
            path.parent.mkdir(parents=True, exist_ok=True)
            store.blobs.copy_to(record.sha256, path)
            time_ns = parse_timestamp(record.timestamp) * 1000
            os.utime(path, ns=(time_ns, time_ns))


def _seal(path: Path) -> None:
    """Let a database be one file, which can be read from where nothing can be written."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()


def _described(path: Path) -> ExportedFile:
    found = digest_file(path)
    return ExportedFile(found.sha256, found.size_bytes, path.stat().st_mtime_ns)
