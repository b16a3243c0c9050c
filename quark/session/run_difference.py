"""Whether two stores mean the same run by an id.

What a run has gone on with, in one of them or in both, is no difference: frames that only one
store has are left out of the comparison. So are the workspace and what only says where files are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from quark import jsonio
from quark.errors import RunNotFoundError
from quark.records import RunRecord
from quark.session.past import RunPast

if TYPE_CHECKING:
    from quark.storage.batch import EncodedRecord, PointBlock
    from quark.storage.protocols import Store

#: Who tells a service of files, as :mod:`quark.session.sync_files` calls it. Each service is told
#: of other states of them.
FILE_WRITER = "run-files"
_PLACE = ("workspace", "project_id")  # what a service says of a run differently


def find_difference(source: Store, target: Store, run_id: str) -> str | None:
    """Return in what the run of an id differs between two stores; None if it does not, or if
    ``target`` has none.

    Raises:
        RunNotFoundError: ``source`` has none.
        SessionStoreError: A store does not answer.
    """
    try:
        there = target.records.get_run(run_id)
    except RunNotFoundError:
        return None
    here = source.records.get_run(run_id)
    if here.created_at != there.created_at:
        return f"that one was created at {there.created_at}, this one at {here.created_at}"
    mine = RunPast(source, run_id, with_run=True)
    ends = {
        writer_id: min(source.position(run_id, writer_id), target.position(run_id, writer_id))
        for writer_id in mine.writers
        if writer_id != FILE_WRITER
    }
    theirs = RunPast(target, run_id, with_run=True)
    my_records, my_points = _content(mine, run_id, ends)
    their_records, their_points = _content(theirs, run_id, ends)
    if my_records != their_records:
        return "records that both have differ"
    for writer_id, key in my_points.keys() | their_points.keys():
        if my_points.get((writer_id, key)) != their_points.get((writer_id, key)):
            return f"points of {key!r} that both have differ"
    return None


def _content(
    past: RunPast, run_id: str, ends: Mapping[str, int]
) -> tuple[dict[tuple[str, int, int], Any], dict[tuple[str, str], tuple[bytes, ...]]]:
    """Return what the frames up to ``ends`` hold: records by frame, and the bits of points."""
    records: dict[tuple[str, int, int], Any] = {}
    blocks: dict[tuple[str, str], list[PointBlock]] = defaultdict(list)
    for batch in past.batches(run_id):
        end = ends.get(batch.writer_id, 0)
        for record in batch.records:
            if record.seq <= end:
                records[batch.writer_id, record.seq, record.ordinal] = _plain(record)
        for block in batch.blocks:
            blocks[batch.writer_id, block.keys[0]].append(block)
    points = {place: _bits(found, ends.get(place[0], 0)) for place, found in blocks.items()}
    return records, {place: bits for place, bits in points.items() if bits[0]}


def _plain(record: EncodedRecord) -> tuple[Any, ...]:
    body = jsonio.loads(record.body)
    if record.kind == RunRecord.KIND:
        body = {name: value for name, value in body.items() if name not in _PLACE}
    # As text: NaN, which equals nothing, is a word there.
    return (
        record.kind,
        record.step,
        record.epoch,
        record.time_us,
        jsonio.dumps(body, sort_keys=True),
    )


def _bits(blocks: list[PointBlock], end: int) -> tuple[bytes, ...]:
    seq = np.concatenate([block.seq for block in blocks])
    kept = seq <= end
    whole = ("step", "epoch", "time_us")
    columns = [seq, *(np.concatenate([getattr(one, name) for one in blocks]) for name in whole)]
    values = np.concatenate([block.values[:, 0] for block in blocks])
    return (
        *(column[kept].astype("<i8").tobytes() for column in columns),
        values[kept].astype("<f8").tobytes(),
    )
