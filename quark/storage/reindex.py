"""Makes ``index.db`` again from the runs' own files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from quark import ids
from quark.errors import DamagedFileError, QuarkError, RunNotFoundError
from quark.storage import layout
from quark.storage.embedded_records import DELETING_PREFIX
from quark.storage.index_db import IndexDb, IndexedRun
from quark.storage.run_db import RunDb


@dataclass(frozen=True, slots=True, kw_only=True)
class ReindexReport:
    """What :func:`reindex` found.

    ``damaged`` maps the folder name of each run that cannot be read to the reason.
    ``set_aside`` is where the old index was moved to, if that could not be used.
    """

    run_count: int
    damaged: dict[str, str]
    set_aside: Path | None = None


def reindex(root: Path) -> ReindexReport:
    """Rebuild the index of the store in ``root``; a damaged run keeps its old row, if it has one.

    Other processes may go on using the store meanwhile. What deletions left behind is removed.

    Raises:
        SessionStoreError: The index cannot be written.
    """
    rows: list[IndexedRun] = []
    damaged: dict[str, str] = {}
    for folder in sorted((root / "runs").glob("*")):
        if folder.name.startswith(DELETING_PREFIX):
            shutil.rmtree(folder, ignore_errors=True)
            continue
        run_db = RunDb(layout.run_db_path(root, folder.name), folder.name)
        try:
            rows.append(IndexedRun(*run_db.get()))
        except RunNotFoundError:
            continue  # a folder in which no run has been stored yet
        except QuarkError as error:
            damaged[folder.name] = str(error)
        finally:
            run_db.close()
    set_aside = _write(root, rows, list(damaged))
    return ReindexReport(run_count=len(rows), damaged=damaged, set_aside=set_aside)


def _write(root: Path, rows: list[IndexedRun], keep: list[str]) -> Path | None:
    path = layout.index_path(root)
    try:
        _replace_all(path, root, rows, keep)
    except DamagedFileError:
        aside = path.with_name(f"{path.name}.damaged-{ids.random_id()}")
        path.replace(aside)
        for suffix in ("-wal", "-shm"):  # they belong to the old file and would harm the new one
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        _replace_all(path, root, rows, keep)
        return aside
    return None


def _replace_all(path: Path, root: Path, rows: list[IndexedRun], keep: list[str]) -> None:
    index = IndexDb(path, str(layout.storage_dir(root)))
    try:
        index.replace_all(rows, keep)
    finally:
        index.close()
