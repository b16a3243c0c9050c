"""What ``quark doctor`` looks at in an embedded store, and in what waits for a service."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from quark.cli.checks import Check, counted, in_bytes
from quark.cli.leftovers import Leftovers, find_leftovers
from quark.cli.progress import Tell
from quark.errors import QuarkError, RunNotFoundError

if TYPE_CHECKING:
    from quark.storage.sqlite_open import Schema

_SHOWN = 3


def check_store(root: Path, progress: Tell) -> Iterator[Check]:
    """Look at the files of an embedded store."""
    from quark.storage import layout
    from quark.storage.embedded_documents import DOCUMENTS_SCHEMA
    from quark.storage.embedded_records import DELETING_PREFIX
    from quark.storage.index_db import INDEX_SCHEMA

    if not root.is_dir():
        yield Check("store", "ok", f"there is none yet; the first run makes {root}")
        return
    folders = sorted(path for path in (root / "runs").glob("*") if path.is_dir())
    runs = [path for path in folders if not path.name.startswith(DELETING_PREFIX)]
    damaged = yield from _check_runs(root, runs, progress)
    for about, path, schema in (
        ("index", layout.index_path(root), INDEX_SCHEMA),
        ("documents", layout.documents_path(root), DOCUMENTS_SCHEMA),
    ):
        if path.exists():
            wrong = _fault(path, schema)
            todo = _TODO[about]
            said = wrong or f"sound, format {schema.version}"
            yield Check(about, "problem" if wrong else "ok", said, todo if wrong else None)
    yield from _check_index(root, runs, damaged)
    doomed = len(folders) - len(runs)
    if doomed:
        said = f"{counted(doomed, 'deletion')} of runs did not come to an end"
        yield Check("deletions", "warning", said, "quark reindex removes what is left of them.")


_TODO = {
    "index": "quark reindex makes it again from the runs' own files.",
    "documents": "Bring documents.db back from a backup: versions of artifacts are only in it.",
}


def _check_runs(
    root: Path, folders: list[Path], progress: Tell
) -> Generator[Check, None, set[str]]:
    """Look into every run's own file; return the ids of those that cannot be read."""
    from quark.storage.layout import run_db_path
    from quark.storage.run_db import RUN_SCHEMA

    wrong: dict[str, str] = {}
    count = size_bytes = 0
    for number, folder in enumerate(folders, 1):
        path = run_db_path(root, folder.name)
        progress(number, len(folders))
        if not path.exists():
            continue  # its first batch is still in the journal
        count += 1
        size_bytes += path.stat().st_size
        fault = _fault(path, RUN_SCHEMA)
        if fault is not None:
            wrong[folder.name] = fault
    if wrong:
        shown = "; ".join(f"{name}: {fault}" for name, fault in list(wrong.items())[:_SHOWN])
        yield Check(
            "runs",
            "problem",
            f"{len(wrong)} of {counted(count, 'file')} cannot be read: {shown}",
            "Bring run.db back from a backup; `quark verify` says what of a run is whole.",
        )
    else:
        said = (
            f"{counted(count, 'run')}, {in_bytes(size_bytes)}, sound, format {RUN_SCHEMA.version}"
        )
        yield Check("runs", "ok", said)
    return set(wrong)


def _fault(path: Path, schema: Schema) -> str | None:
    """Return what SQLite says is wrong with a file."""
    from quark.storage.sqlite_file import SqliteFile

    file = SqliteFile(path, schema)
    try:
        with file.reading() as connection:
            rows = connection.execute("PRAGMA quick_check(1)").fetchall()
    except FileNotFoundError:
        return None  # deleted meanwhile
    except QuarkError as error:
        return str(error)
    finally:
        file.close()
    said = str(rows[0][0]) if rows else "ok"
    return None if said == "ok" else said


def _check_index(root: Path, folders: list[Path], damaged: set[str]) -> Iterator[Check]:
    """Compare the list of runs with the folders that there are."""
    from quark.persistence.open import open_store
    from quark.settings import Settings
    from quark.storage.layout import run_db_path, storage_dir

    store = open_store(Settings(storage_dir=str(storage_dir(root)), quiet=True))
    try:
        listed = {run.id for run in store.records.list_runs()}
        there = set()
        for folder in folders:
            if folder.name in damaged or not run_db_path(root, folder.name).exists():
                continue
            try:
                there.add(store.records.get_run(folder.name).id)
            except RunNotFoundError:
                continue
    except QuarkError:
        return  # said already
    finally:
        store.close()
    unlisted, gone = there - listed, listed - there - damaged
    if unlisted or gone:
        parts = []
        if unlisted:
            parts.append(f"{counted(len(unlisted), 'run')} there and not listed")
        if gone:
            parts.append(f"{counted(len(gone), 'run')} listed and not there")
        yield Check("list of runs", "warning", ", ".join(parts), "quark reindex")


def check_leftovers(root: Path, *, for_service: bool) -> Iterator[Check]:
    """Look at what waits to be delivered."""
    from quark.storage.layout import refused_path

    if not root.is_dir():
        return
    found = find_leftovers(root)
    yield from _journal_checks(found, root)
    if found.quarantined_count:
        yield Check(
            "quarantine",
            "problem",
            f"{counted(found.quarantined_count, 'frame')} that the store refused",
            f"The reasons are in {root}/runs/*/quarantine/*.json; "
            "quark sync --quarantined tries again.",
        )
    if found.payload_count or found.draft_count:
        said = (
            f"{counted(found.payload_count, 'payload')} ({in_bytes(found.payload_bytes)}) and "
            f"{counted(found.draft_count, 'version')} of artifacts wait for a service"
        )
        todo = "quark sync" if for_service else "quark sync --url URL, with the service's URL"
        yield Check("outbox", "warning", said, todo)
    if found.refused_payload_count:
        yield Check(
            "refused payloads",
            "problem",
            f"{counted(found.refused_payload_count, 'payload')} that a service refused",
            f"The reasons are in {refused_path(root)}; quark sync --quarantined tries again.",
        )
    if found.refused_draft_count:
        said = (
            f"{counted(found.refused_draft_count, 'version')} of artifacts that a service refused"
        )
        todo = f"The reasons are in {root}/drafts/quarantine; quark sync --quarantined tries again."
        yield Check("drafts", "problem", said, todo)


def _journal_checks(found: Leftovers, root: Path) -> Iterator[Check]:
    if found.dead_runs:
        names = ", ".join(found.dead_runs[:_SHOWN]) + (" …" * (len(found.dead_runs) > _SHOWN))
        yield Check(
            "journals",
            "warning",
            f"{counted(len(found.dead_runs), 'run')} left {in_bytes(found.journal_bytes)} to "
            f"deliver ({names})",
            f"quark sync {root.parent}",
        )
    living = len(found.living_runs)
    if living or not found.dead_runs:
        said = (
            f"{counted(living, 'run')} going on; nothing is left over"
            if living
            else "nothing is left over"
        )
        if found.dead_runs:
            said = f"{counted(living, 'run')} going on"
        yield Check("journals", "ok", said)
