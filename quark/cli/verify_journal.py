"""What was logged and is still in a journal, against what the store says that it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from quark.cli.checks import Check, counted
from quark.cli.leftovers import is_living
from quark.errors import DamagedFileError, RunNotFoundError, SchemaValidationError
from quark.pipeline.quarantine import QUARANTINE
from quark.pipeline.recovery import (
    WriterFiles,
    find_journals,
    find_writers,
    is_meant_for,
    read_segment,
    segment_meta,
)
from quark.storage.layout import journal_path, run_db_path, run_path

if TYPE_CHECKING:
    from quark.cli.verify_points import Traces
    from quark.records import RunRecord
    from quark.storage.protocols import Store

#: Events that say that a run holds a part of another one, so that frames are left out on purpose.
_BRANCHES = ("run_forked", "run_rewound", "run_archived")


def journaled_runs(store: Store, root: Path) -> Iterator[str]:
    """Yield the runs that have journals below ``root`` which are for the store."""
    for journal_dir in find_journals(root):
        metas = (segment_meta(files.segments[0]) for files in find_writers(journal_dir))
        if any(meta is not None and is_meant_for(meta, store) for meta in metas):
            yield journal_dir.parent.name


def check_journal(store: Store, run_id: str, root: Path) -> Iterator[Check]:
    """Compare the journals that lie below ``root`` with what the store has."""
    writers = find_writers(journal_path(root, run_id))
    pending = 0
    for files in writers:
        wrong, count = _compare(store, run_id, files)
        living = is_living(files.lock_path)
        yield from (Check("journal", "problem", one, "quark sync") for one in wrong)
        if count and not living:
            said = f"{counted(count, 'frame')} of writer {files.writer_id} are not stored yet"
            yield Check("journal", "problem", said, f"quark sync {root.parent}")
        pending += count if living else 0
    refused = sum(1 for _ in (run_path(root, run_id) / QUARANTINE).glob("*.qj"))
    if refused:
        said = f"the store refused {counted(refused, 'frame')}"
        todo = f"The reasons are in {run_path(root, run_id) / QUARANTINE}."
        yield Check("quarantine", "problem", said, todo)
    if pending:
        said = f"{counted(pending, 'frame')} on the way: the run goes on"
        yield Check("journal", "ok", said)
    elif not writers:
        yield Check("journal", "ok", "everything was delivered")


def _compare(store: Store, run_id: str, files: WriterFiles) -> tuple[list[str], int]:
    """Return what is wrong with a writer's segments, and how many frames are to be stored yet."""
    seqs: list[int] = []
    wrong = []
    for path in files.segments:
        try:
            _, frames, damaged = read_segment(path)
        except FileNotFoundError:
            continue  # delivered meanwhile
        except (DamagedFileError, SchemaValidationError, OSError) as error:
            wrong.append(f"{path.name} cannot be read: {error}")
            continue
        seqs += [frame.seq for frame in frames]
        if damaged and not is_living(files.lock_path):
            wrong.append(f"{path.name} is damaged in {counted(damaged, 'place')}")
    # Asked after they were read: what is delivered meanwhile is then known to be.
    try:
        position = store.position(run_id, files.writer_id)
    except RunNotFoundError:
        position = 0  # nothing of the run was delivered yet
    waiting = sorted(seq for seq in set(seqs) if seq > position)
    expected = position + 1
    for seq in waiting:
        if seq != expected:
            wrong.append(
                f"frames {expected} to {seq - 1} of writer {files.writer_id} are neither stored "
                "nor in the journal"
            )
        expected = seq + 1
    return wrong, len(waiting)


def check_frames(store: Store, run: RunRecord, traces: Traces) -> Iterator[Check]:
    """Look for frames of which nothing is in the store."""
    silent = frame_count = 0
    writers = _writers(store, run.id, traces)
    for writer_id in writers:
        frames = traces.frames_of(writer_id)
        position = store.position(run.id, writer_id)
        frame_count += position
        silent += max(0, position - int((frames <= position).sum()))
        beyond = traces.last.get(writer_id, 0)
        if beyond > position:
            said = f"writer {writer_id} is at frame {position}, but frame {beyond} is stored"
            yield Check("frames", "problem", said, "Bring the run back from a backup.")
    if not silent:
        said = f"all {frame_count:,} of {counted(len(writers), 'writer')} are there"
        yield Check("frames", "ok", said)
        return
    said = f"{counted(silent, 'frame')} of {frame_count:,} hold nothing"
    if _is_branch(store, run.id):
        yield Check("frames", "ok", f"{said}: the run is a part of another one")
        return
    yield Check(
        "frames",
        "warning",
        said,
        "Empty rows leave nothing, nor do values under keys that cannot be. If the training "
        "logged neither, points were removed from the store.",
    )


def _writers(store: Store, run_id: str, traces: Traces) -> list[str]:
    """Return all writers of a run, where the store knows them, or those that left something."""
    positions = getattr(store, "positions", None)  # an embedded one does
    return list(traces.seqs if positions is None else positions(run_id))


def _is_branch(store: Store, run_id: str) -> bool:
    from quark.records import EventRecord
    from quark.storage.model import RecordFilter

    chosen = RecordFilter(equals={"event_type": _BRANCHES})
    return bool(store.records.read(EventRecord, run_id, chosen))


def check_run_file(root: Path, run_id: str, record_count: int) -> Iterator[Check]:
    """Look into the file of a run of an embedded store for what was removed or set aside.

    Records are never removed from it, and each has a number, so a number that is missing says that
    somebody did.
    """
    from quark.storage.run_db import RunDb

    path = run_db_path(root, run_id)
    run_db = RunDb(path, run_id)
    try:
        with run_db.reading() as connection:
            damaged = connection.execute("SELECT count(*) FROM damaged").fetchone()[0]
            ever = connection.execute(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'record'"
            ).fetchone()[0]
            kept = connection.execute("SELECT count(*) FROM record").fetchone()[0]
    finally:
        run_db.close()
    if ever > kept:
        said = f"{counted(ever - kept, 'record')} of {ever:,} were removed from {path}"
        yield Check("records", "problem", said, "Bring run.db back from a backup.")
    if damaged:
        said = f"{counted(damaged, 'part')} of the points were damaged and are kept apart"
        yield Check("points", "problem", said, f"They are in the table damaged of {path}.")
    if record_count > kept:
        yield Check("records", "problem", f"{record_count} are served, and {kept} are kept")
