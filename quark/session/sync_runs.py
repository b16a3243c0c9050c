"""Copying whole runs from one store into another, exactly once and resumably.

Writers and frames keep their numbers, so the other store knows what it has. A run that goes on
meanwhile, or later, is brought up to date by copying it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from quark import ids
from quark.errors import RunNotFoundError
from quark.records import RunRecord
from quark.session.past import RunPast, frame_count
from quark.session.sync_catalog import copy_artifacts, named_workspace
from quark.session.sync_files import copy_files
from quark.session.sync_result import Progress, SyncResult, counted
from quark.session.sync_sweeps import copy_sweeps
from quark.storage.many_payloads import copy_payloads

if TYPE_CHECKING:
    from quark.storage.protocols import Store

_DIGEST = re.compile(rb'"([0-9a-f]{64})"')


def sync_runs(
    source: Store, target: Store, run_ids: Iterable[str], *, progress: Progress
) -> SyncResult:
    """Have everything that ``source`` has of some runs in ``target`` too: also their files, the
    versions of artifacts that they logged or used, and the sweeps that they belong to.

    Raises:
        SessionStoreError: A store does not answer.
    """
    result = SyncResult()
    wanted = list(run_ids)
    for index, run_id in enumerate(wanted):
        result = result.plus(_copy(source, target, run_id))
        counted(progress, run_id, index + 1, len(wanted), result.sent_count)
    artifact_count = copy_artifacts(source, target, result.run_ids)
    place = getattr(target, "service", target)
    document_count, waiting = copy_sweeps(source, place, result.run_ids, named_workspace(target))
    return replace(
        result,
        artifact_count=artifact_count,
        sweep_document_count=document_count,
        waiting=(*result.waiting, *waiting),
    )


def _copy(source: Store, target: Store, run_id: str) -> SyncResult:
    past = RunPast(source, run_id, with_run=True)
    there = _run_in(target, run_id)
    if there is not None and there.created_at != past.first.created_at:
        reason = (
            f"{target.target} has another run {run_id!r}, of {there.created_at}; this one is of "
            f"{past.first.created_at}. Delete or rename one of them."
        )
        return SyncResult(waiting=(reason,))
    payload_count = _copy_payloads(source, target, past)
    workspace = named_workspace(target) or past.first.workspace
    past.rename_run(
        replace(
            past.first,
            workspace=workspace,
            project_id=ids.project_id(workspace, past.first.project_name),
        )
    )
    sent = skipped = 0
    positions = {
        writer_id: target.position(run_id, writer_id) if there else 0 for writer_id in past.writers
    }
    for batch in past.batches(run_id):
        count = frame_count(batch)
        if batch.last_seq <= positions[batch.writer_id]:
            skipped += count
            continue
        target.append(batch)
        sent += count
    target.points.merge(run_id, final=True)
    return SyncResult(
        run_ids=(run_id,),
        sent_count=sent,
        skipped_count=skipped,
        payload_count=payload_count,
        file_count=copy_files(source, getattr(target, "service", target), run_id),
    )


def _run_in(store: Store, run_id: str) -> RunRecord | None:
    try:
        return store.records.get_run(run_id)
    except RunNotFoundError:
        return None


def _copy_payloads(source: Store, target: Store, past: RunPast) -> int:
    """Copy what records refer to by SHA-256 and ``target`` has not; return how many those were."""
    wanted = tuple(dict.fromkeys(_digests(past)))
    return sum(done.sent_count for done in copy_payloads(source.blobs, target.blobs, wanted))


def _digests(past: RunPast) -> Iterator[str]:
    for record in past.records:
        body = record.body.encode() if isinstance(record.body, str) else record.body
        for found in _DIGEST.finditer(body):
            yield found[1].decode()
