"""Reading an export of runs into a store: all of it is checked before anything is written.

What is in the store afterwards is copied out of what was checked: databases are copied while they
are read, so nobody changes them in between, and everything else is known by its SHA-256.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from quark.clock import parse_timestamp
from quark.errors import DamagedFileError, RunNotFoundError, SessionStoreError
from quark.persistence.open import open_store
from quark.records import ArtifactRecord
from quark.session.export_manifest import (
    CHECKSUM_NAME,
    FILE_NAME,
    ExportManifest,
    check_file,
    is_name,
    read_manifest,
)
from quark.session.run_difference import find_difference
from quark.session.sync_files import FILES, PATH_NAME
from quark.session.sync_result import Progress, SyncResult
from quark.session.sync_runs import sync_runs
from quark.settings import Settings
from quark.storage.file_copy import copy_file, digest_file

if TYPE_CHECKING:
    from quark.storage.protocols import Store

_PIECE_BYTES = 1 << 20
_BROKEN_ARCHIVE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError)


def import_runs(export: Path, target: Store, *, progress: Progress | None = None) -> SyncResult:
    """Have the runs of an export, a folder or a tar archive, in ``target`` too, with all that
    belongs to them.

    A second time changes nothing. A run that is there, and has gone on since, stays as it is.

    Args:
        export: What :mod:`quark.session.run_export` wrote.
        target: Where to.
        progress: Called after each run.

    Raises:
        DamagedFileError: It is damaged, cut off or no export. Nothing was written.
        SessionStoreError: ``target`` has another run of the same id, in which case nothing was
            written; or it does not answer.
    """
    if export.is_dir():
        return _import_folder(export, target, progress)
    try:
        stream = export.open("rb")
    except OSError as error:
        raise SessionStoreError(f"{export} cannot be read: {error.strerror}.") from error
    with stream:
        return import_stream(stream, target, name=str(export), progress=progress)


def import_stream(
    stream: BinaryIO, target: Store, *, name: str = "stdin", progress: Progress | None = None
) -> SyncResult:
    """Do what :func:`import_runs` does with an archive, also a compressed one, that is read once.

    Raises:
        As :func:`import_runs`.
    """
    with tempfile.TemporaryDirectory(prefix="quark-import-") as place:
        _unpack(stream, Path(place), name)
        found = [path for path in Path(place).iterdir() if (path / FILE_NAME).is_file()]
        if len(found) != 1:
            raise DamagedFileError(
                f"{name} is no export of runs, or one that was cut off: it has {len(found)} files "
                f"{FILE_NAME} and not one. Nothing was imported."
            )
        try:
            return _import_folder(found[0], target, progress)
        except DamagedFileError as error:
            said = str(error).replace(f"{found[0]}/", f"{name}: ").replace(str(found[0]), name)
            raise DamagedFileError(said) from error


def _import_folder(folder: Path, target: Store, progress: Progress | None) -> SyncResult:
    manifest = read_manifest(folder)
    with _staged(folder, manifest) as staged:
        store = open_store(Settings(storage_dir=os.fspath(staged), quiet=True))
        try:
            wanted = [run.id for run in manifest.runs]
            for run_id in wanted:
                _check_run(store, target, run_id)
            for run_id in wanted:
                _leave_out_known_files(store, target, run_id)
            return sync_runs(store, target, wanted, progress=progress or (lambda state: None))
        finally:
            store.close()


def _check_run(store: Store, target: Store, run_id: str) -> None:
    try:
        store.records.get_run(run_id)
    except RunNotFoundError as error:
        raise DamagedFileError(
            f"The export lists run {run_id!r} and does not hold it. Nothing was imported."
        ) from error
    difference = find_difference(store, target, run_id)
    if difference is not None:
        raise SessionStoreError(
            f"{target.target} has another run {run_id!r}: {difference}. Nothing was imported, as "
            "no run is ever overwritten; import into another store, or delete the run there first."
        )


@contextmanager
def _staged(folder: Path, manifest: ExportManifest) -> Iterator[Path]:
    """Give a storage directory that holds exactly what the manifest lists, once that was checked.

    Databases are copies, as whoever opens one may write to it; other files are links where they
    still have the time that they were exported with.
    """
    with tempfile.TemporaryDirectory(prefix="quark-import-") as place:
        staged = Path(place)
        for name, file in manifest.files.items():
            original, path = check_file(folder, name, file), staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            own_time = f"/{FILES}/" not in name or original.stat().st_mtime_ns == file.modified_ns
            if own_time and not _is_database(name):
                path.symlink_to(original.absolute())
                continue
            with original.open("rb") as source, path.open("wb") as copy:
                copy_file(source.fileno(), copy.fileno())
            os.utime(path, ns=(file.modified_ns, file.modified_ns))
            if digest_file(path).sha256 != file.sha256:
                raise DamagedFileError(
                    f"{original} is being changed. Nothing was imported; try again when nobody "
                    "writes to it."
                )
        yield staged


def _is_database(name: str) -> bool:
    return name.endswith(".db") and f"/{FILES}/" not in name


def _leave_out_known_files(store: Store, target: Store, run_id: str) -> None:
    """Take from the staged files of a run those whose content ``target`` has, and those of which
    it has a later state."""
    try:
        target.records.get_run(run_id)
    except RunNotFoundError:
        return
    here, there = store.run_dir(run_id), target.run_dir(run_id)
    if here is None or not (here / FILES).is_dir():
        return
    told = {} if there is not None else _told(target, run_id)
    for path in list((here / FILES).rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(here / FILES).as_posix()
        if there is not None:
            known = there / FILES / name
            if not known.is_file():
                continue
            later = known.stat().st_mtime_ns >= path.stat().st_mtime_ns
        elif name in told:
            later = told[name] >= path.stat().st_mtime_ns
        else:
            continue
        if later or (there is not None and digest_file(known).sha256 == digest_file(path).sha256):
            path.unlink()


def _told(target: Store, run_id: str) -> dict[str, int]:
    """Return when a service was told of each file last, in nanoseconds."""
    return {
        str(record.metadata[PATH_NAME]): parse_timestamp(record.timestamp) * 1000
        for record in target.records.read(ArtifactRecord, run_id)
        if PATH_NAME in record.metadata
    }


def _unpack(stream: BinaryIO, folder: Path, name: str) -> None:
    """Write the files of an archive that an export may have, and nothing outside ``folder``."""
    try:
        with tarfile.open(fileobj=stream, mode="r|*") as tar:
            for member in tar:
                place = _inside(member.name) if member.isreg() else None
                content = tar.extractfile(member) if place else None
                if content is not None and place is not None:
                    _write(content, folder / place)
    except FileExistsError as error:
        raise DamagedFileError(
            f"{name} holds {error.filename!r} twice, which no export does. Nothing was imported."
        ) from error
    except _BROKEN_ARCHIVE as error:
        raise DamagedFileError(
            f"{name} is damaged, cut off or no tar archive: {error}. Nothing was imported; copy "
            "it again, or make another with `quark export`."
        ) from error
    except OSError as error:
        raise SessionStoreError(
            f"{name} cannot be unpacked: {error}. Nothing was imported. It is unpacked in "
            f"{folder.parent}; TMPDIR names another place."
        ) from error


def _write(content: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while piece := content.read(_PIECE_BYTES):
            file.write(piece)


def _inside(name: str) -> str | None:
    """Return where a member of an archive goes, or None if no export has such a file.

    There may be one folder around it, of any name.
    """
    parts = [part for part in name.split("/") if part != "."]
    for rest in ("/".join(parts), "/".join(parts[1:])):
        if rest in (FILE_NAME, CHECKSUM_NAME) or is_name(rest):
            around = "/".join(parts)[: -len(rest)].rstrip("/")
            return None if around == ".." else f"{around or '_'}/{rest}"
    return None
