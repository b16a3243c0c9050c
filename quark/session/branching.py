"""Branches of a run: a new run that begins with the rows of another, and a run that is wound back.

Nothing is lost by winding back: the whole run is first copied under another id (``<id>~1``,
``<id>~2`` …), and only then made anew from what came before the cut. Where the process dies in
between, the next :func:`rewind_run` begins with what was copied; so does who opens the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark.clock import SYSTEM_CLOCK, parse_timestamp
from quark.errors import InvalidRunStateError, RunNotFoundError
from quark.records import (
    RECORD_KINDS,
    ConfigUpdateRecord,
    EventRecord,
    Record,
    RunRecord,
    RunStatus,
)
from quark.records.codec import encode_body
from quark.session.branch_events import (
    ARCHIVED,
    BRANCHED,
    FORKED,
    REWOUND,
    read_events,
    unfinished_branch,
)
from quark.session.copying import copy_file, link_file
from quark.session.past import RunPast, write_run
from quark.storage.model import Batch, EncodedRecord

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: Between a run's id and the number of an earlier state of it that was kept.
ARCHIVE_MARK = "~"

#: What a fork begins with. Events, console, samples of the machine and judgements are of the run
#: that they were made in.
FORK_KINDS = frozenset(
    {
        *("history_value", "late_row", "nested_key", "metric_definition", "metric_note"),
        *(
            "config_update",
            "summary_update",
            "artifact",
            "layer_summary",
            "parameter_summary",
            "parameter_distribution",
        ),
        *("batch_diagnostic", "model_architecture", "training_loop"),
    }
)
#: What is in the row of a run that is made anew already.
_FOLDED_KINDS = frozenset({"run_update"})
_FILES = "files"
_FOLDERS = (_FILES, "artifacts")


def is_archived(run: RunRecord) -> bool:
    """Say whether a run is an earlier state of another one, kept when that was wound back."""
    original, mark, number = run.id.rpartition(ARCHIVE_MARK)
    return bool(mark) and number.isdigit() and run.parent_run_id == original


def begun_us(store: Store, run_id: str) -> dict[str, int]:
    """Return for the writers of a fork's first rows when the run that they wrote into began, in
    microseconds since 1970. Other writers wrote into the run itself.

    Raises:
        RunNotFoundError: There is no such run.
    """
    found: dict[str, int] = {}
    for event in read_events(store, run_id, FORKED, REWOUND):
        found.update(event.payload.get("begun_us", {}))
    return found


def fork_run(store: Store, source_id: str, target: RunRecord, *, last_step: int) -> RunRecord:
    """Create ``target`` with the rows of another run up to ``last_step``; return it.

    Its configuration and summary are those of that step; what ``target`` has of a configuration
    goes over it. Files that the rows refer to are copied too.

    Raises:
        RunNotFoundError: There is no run ``source_id``.
        SessionStoreError: The store does not take it.
    """
    source = store.records.get_run(source_id)
    past = RunPast(store, source_id, last_step, FORK_KINDS, without_step=False)
    begun = dict.fromkeys(past.writers, parse_timestamp(source.created_at))
    begun.update(begun_us(store, source_id))
    own = target.config
    target = replace(
        target,
        config={**past.first.config, **own},
        parent_run_id=source_id,
        lineage_root_run_id=source.lineage_root_run_id or source_id,
    )
    writer_id = write_run(store, target, past, _about(FORKED, source_id, last_step, begun_us=begun))
    for name in past.files():
        _copy_named(store, source_id, target.id, name)
    _mark_whole(store, target.id, writer_id, config=own)
    return store.records.get_run(target.id)


def rewind_run(store: Store, run_id: str, *, last_step: int) -> str:
    """Cut a run back to its rows up to ``last_step``; return the id under which all of it is kept.

    Its id, names, creation time and files stay.

    Raises:
        RunNotFoundError: There is no such run.
        InvalidRunStateError: The run is still being written.
        SessionStoreError: The store does not take it.
    """
    kept_id = _left_by_a_dead_process(store, run_id)
    if kept_id is None:
        run = store.records.get_run(run_id)
        if run.status == RunStatus.RUNNING:
            raise InvalidRunStateError(
                f"Run {run_id!r} is still open and cannot be wound back; finish it first."
            )
        kept_id = _archive(store, run, last_step)
    run = _as_it_was(store, kept_id, run_id)
    if _exists(store, run_id):
        store.records.delete_run(run_id)
    past = RunPast(store, kept_id, last_step, RECORD_KINDS.keys() - _FOLDED_KINDS)
    cut = replace(run, config=past.first.config, summary={})
    about = _about(REWOUND, kept_id, last_step, begun_us=begun_us(store, kept_id))
    writer_id = write_run(store, cut, past, about)
    for path, relative in _all_files(store, kept_id):
        copy_file(path, _folder(store, run_id) / relative)
    _mark_whole(store, run_id, writer_id)
    return kept_id


# -- what is kept of a run that is wound back ------------------------------------------------------


def _archive(store: Store, run: RunRecord, last_step: int) -> str:
    kept_id = _archive_id(run.id, len(_archives(store, run.id)) + 1)
    past = RunPast(store, run.id)
    lineage = {"parent_run_id": run.parent_run_id, "root_run_id": run.lineage_root_run_id}
    about = _about(ARCHIVED, run.id, last_step, lineage=lineage)
    target = replace(past.first, id=kept_id, run_id=kept_id, parent_run_id=run.id)
    writer_id = write_run(store, target, past, about)
    for path, relative in _all_files(store, run.id):
        link_file(path, _folder(store, kept_id) / relative)  # the other name is given up
    _mark_whole(store, kept_id, writer_id)
    return kept_id


def _left_by_a_dead_process(store: Store, run_id: str) -> str | None:
    """Return what was kept of the run if it could not be made anew; None if all is well."""
    archives = _archives(store, run_id)
    if not archives or unfinished_branch(store, archives[-1]):
        return None
    if _exists(store, run_id) and not unfinished_branch(store, run_id):
        return None
    return archives[-1]


def _as_it_was(store: Store, kept_id: str, run_id: str) -> RunRecord:
    """Return the row of the run that was kept under ``kept_id``."""
    run = replace(store.records.get_run(kept_id), id=run_id, run_id=run_id)
    lineage = read_events(store, kept_id, ARCHIVED)[-1].payload["lineage"]
    return replace(
        run,
        parent_run_id=lineage["parent_run_id"],
        lineage_root_run_id=lineage["root_run_id"],
    )


def _archive_id(run_id: str, number: int) -> str:
    return f"{run_id}{ARCHIVE_MARK}{number}"


def _archives(store: Store, run_id: str) -> list[str]:
    found: list[str] = []
    while _exists(store, _archive_id(run_id, len(found) + 1)):
        found.append(_archive_id(run_id, len(found) + 1))
    return found


def _exists(store: Store, run_id: str) -> bool:
    try:
        store.records.get_run(run_id)
    except RunNotFoundError:
        return False
    return True


# -- events ----------------------------------------------------------------------------------------


def _about(event_type: str, other_id: str, step: int, **more: Any) -> dict[str, Any]:
    payload = {"run_id": other_id, "step": step, **more}
    return {"event_type": event_type, "severity": "info", "payload": payload}


def _mark_whole(
    store: Store, run_id: str, writer_id: str, config: Mapping[str, Any] | None = None
) -> None:
    """Say that everything is there, and set ``config`` in the configuration."""
    event = EventRecord(id="", run_id=run_id, timestamp="", event_type=BRANCHED)
    records: list[Record] = [event]
    if config:
        records.append(ConfigUpdateRecord(id="", run_id=run_id, timestamp="", values=config))
    now_us = SYSTEM_CLOCK.time_us()
    encoded = tuple(
        EncodedRecord(2, ordinal, record.KIND, None, None, now_us, encode_body(record))
        for ordinal, record in enumerate(records)
    )
    store.append(
        Batch(run_id=run_id, writer_id=writer_id, first_seq=2, last_seq=2, records=encoded)
    )


# -- files -----------------------------------------------------------------------------------------


def _folder(store: Store, run_id: str) -> Path:
    folder = store.run_dir(run_id)
    assert folder is not None, "a store without folders has no files either"
    return folder


def _copy_named(store: Store, source_id: str, target_id: str, name: str) -> None:
    source = store.run_dir(source_id)
    if source is not None:
        files, path = (source / _FILES).resolve(), (source / _FILES / name).resolve()
        if files in path.parents and path.is_file():
            copy_file(path, _folder(store, target_id) / _FILES / name)


def _all_files(store: Store, run_id: str) -> Iterator[tuple[Path, Path]]:
    """Yield the files of a run with their places below its folder."""
    folder = store.run_dir(run_id)
    if folder is None:
        return
    for name in _FOLDERS:
        for path in sorted((folder / name).rglob("*")):
            if path.is_file():
                yield path, path.relative_to(folder)
    for path in sorted(folder.glob("*.json")):
        yield path, path.relative_to(folder)
