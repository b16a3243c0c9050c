"""Packs a run's pending segments into chunks.

A merge reads and packs without holding the write lock, and only then swaps segments for chunks in
one transaction; if another process has merged meanwhile, its work is thrown away. So appends never
wait for the packing. A claim beside the run keeps several processes from packing the same points.

When a merge is due: at ``max(65,536, 256 × keys)`` pending points, so that a chunk of a wide run
still holds a few hundred points, or when so many small segments wait that reading them is slow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import DamagedFileError
from quark.storage.axis import Axis, decode_axis
from quark.storage.chunk import decode_chunk
from quark.storage.merge_plan import Tail, plan
from quark.storage.merge_write import PackedGroup, pack_group, write_groups
from quark.storage.run_tables import MergeState, PackedRun, Pending, RunTables
from quark.storage.segment import SegmentBlock, decode_segment

MERGE_POINTS = 65_536
MERGE_POINTS_PER_KEY = 256
#: However many keys a run has, no more points than this wait (and are packed at once).
MERGE_POINTS_LIMIT = 1 << 22
MERGE_SEGMENTS = 512
#: Small chunks at a key's end are joined when there are so many of them (two at a final merge),
TAIL_CHUNKS = 16
#: but one merge joins no more points than this; the keys left over are joined by a later one.
JOINED_POINTS_LIMIT = 1 << 20
_CLAIM_US = 60_000_000


class _Work(NamedTuple):
    """What a merge works on, as it was when it began."""

    generation: int
    last_segment_id: int
    segments: list[list[SegmentBlock]]
    tails: dict[int, list[Tail]]
    damaged: list[tuple[int, str]]


def merge_run(run: PackedRun, *, final: bool, clock: Clock = SYSTEM_CLOCK) -> None:
    """Pack what is pending if that is due, all of it if ``final``; then also give space back.

    Raises:
        RunNotFoundError: There is no such run.
        DamagedFileError: A pending segment was damaged. It has been moved to the table
            ``damaged``, and all else is packed.
    """
    damaged: list[tuple[int, str]] = []
    while final or _claim(run, clock):
        work = _read(run, final=final)
        if not work.segments and not work.tails and not work.damaged:
            break
        groups = [pack_group(group) for group in plan(work.segments, work.tails)]
        if _swap(run, work, groups):
            damaged = work.damaged
            break
        if not final:
            break
    if final:
        run.shrink()
    if damaged:
        segments = "; ".join(f"segment {segment_id}: {reason}" for segment_id, reason in damaged)
        raise DamagedFileError(
            f"Run {run.run_id!r} had damaged points, which are set aside in its table "
            f"'damaged': {segments}"
        )


def is_due(pending: Pending) -> bool:
    """Say whether so much is pending that it should be packed."""
    enough = min(max(MERGE_POINTS, MERGE_POINTS_PER_KEY * pending.key_count), MERGE_POINTS_LIMIT)
    return pending.segment_count >= MERGE_SEGMENTS or pending.point_count >= enough


def _claim(run: PackedRun, clock: Clock) -> bool:
    """Say whether a merge is due and nobody else is at it, and announce it then."""
    hint = run.pending_hint()
    if hint is not None and not is_due(hint):
        return False
    with run.reading() as tables:
        if not is_due(tables.pending()):
            return False
    with run.writing() as tables:
        now_us = clock.time_us()
        state = tables.merge_state()
        # A claim far ahead was made by a clock that has been set back since.
        is_claimed = now_us < state.claimed_until_us <= now_us + _CLAIM_US
        if is_claimed or not is_due(tables.pending()):
            return False
        tables.set_merge_state(MergeState(state.generation, now_us + _CLAIM_US))
        return True


def _read(run: PackedRun, *, final: bool) -> _Work:
    with run.reading() as tables:
        generation = tables.merge_state().generation
        segments: list[list[SegmentBlock]] = []
        damaged: list[tuple[int, str]] = []
        last_id = 0
        for last_id, body in tables.segments():
            try:
                segments.append(decode_segment(body))
            except DamagedFileError as error:
                damaged.append((last_id, str(error)))
        key_sets = {
            block.key_numbers.tobytes(): block.key_numbers.tolist()
            for blocks in segments
            for block in blocks
        }
        pending_keys = {number for numbers in key_sets.values() for number in numbers}
        tails = _read_tails(tables, pending_keys, final=final)
    return _Work(generation, last_id, segments, tails, damaged)


def _read_tails(tables: RunTables, pending_keys: set[int], *, final: bool) -> dict[int, list[Tail]]:
    """Return the small chunks that this merge is to join, by key."""
    enough = 2 if final else TAIL_CHUNKS
    joined_keys = []
    room = JOINED_POINTS_LIMIT
    for key, chunk_count, point_count in tables.tail_counts():
        if chunk_count + (key in pending_keys) >= enough and point_count <= room:
            room -= point_count
            joined_keys.append(key)
    rows = list(tables.tails(joined_keys))
    axis_ids = list(dict.fromkeys(row.axis_id for row in rows))
    bodies = dict(zip(axis_ids, tables.axis_bodies(axis_ids), strict=True))
    axes: dict[int, Axis] = {}
    tails: dict[int, list[Tail]] = defaultdict(list)
    spoiled: set[int] = set()  # left as they are, for the readers of these keys to find
    for key, chunk_id, axis_id, body in rows:
        try:
            if axis_id not in axes:
                axes[axis_id] = decode_axis(bodies[axis_id])
            tails[key].append(Tail(chunk_id, axis_id, axes[axis_id], decode_chunk(body)))
        except DamagedFileError:
            spoiled.add(key)
    return {key: found for key, found in tails.items() if key not in spoiled}


def _swap(run: PackedRun, work: _Work, groups: Sequence[PackedGroup]) -> bool:
    """Put chunks in the place of segments and joined tails; False if another merge was first."""
    with run.writing() as tables:
        if tables.merge_state().generation != work.generation:
            return False
        tables.set_merge_state(MergeState(work.generation + 1, 0))
        tables.set_aside(work.damaged)
        tables.remove_segments(work.last_segment_id)
        write_groups(tables, groups)
        return True
