"""Packs a run's pending segments into chunks.

A merge reads and packs without holding the write lock, and only then swaps segments for chunks in
one transaction; if another process has merged meanwhile, its work is thrown away. So appends never
wait for the packing. A claim in ``meta`` keeps several processes from packing the same points.

When a merge is due: at ``max(65,536, 256 × keys)`` pending points, so that a chunk of a wide run
still holds a few hundred points, or when so many small segments wait that reading them is slow.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from quark.clock import SYSTEM_CLOCK
from quark.errors import DamagedFileError
from quark.storage.axis import Axis, decode_axis
from quark.storage.chunk import decode_chunk
from quark.storage.merge_plan import Tail, plan
from quark.storage.merge_write import PackedGroup, pack_group, write_groups
from quark.storage.run_db import RunDb
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


class _Pending(NamedTuple):
    """What a merge works on, as it was when it began."""

    generation: int
    last_segment_id: int
    segments: list[list[SegmentBlock]]
    tails: dict[int, list[Tail]]
    damaged: list[tuple[int, str]]


def merge_run(run_db: RunDb, *, final: bool) -> None:
    """Pack what is pending if that is due, all of it if ``final``; then also give space back.

    Raises:
        RunNotFoundError: There is no such run.
        DamagedFileError: A pending segment was damaged. It has been moved to the table
            ``damaged``, and all else is packed.
    """
    damaged: list[tuple[int, str]] = []
    while final or _claim(run_db):
        pending = _read(run_db, final=final)
        if not pending.segments and not pending.tails and not pending.damaged:
            break
        groups = [pack_group(group) for group in plan(pending.segments, pending.tails)]
        if _swap(run_db, pending, groups):
            damaged = pending.damaged
            break
        if not final:
            break
    if final:
        run_db.file.shrink()
    if damaged:
        segments = "; ".join(f"segment {segment_id}: {reason}" for segment_id, reason in damaged)
        raise DamagedFileError(
            f"Run {run_db.run_id!r} had damaged points, which are set aside in its table "
            f"'damaged': {segments}"
        )


def _claim(run_db: RunDb) -> bool:
    """Say whether a merge is due and nobody else is at it, and announce it then."""
    with run_db.reading() as connection:
        if not _is_due(connection):
            return False
    with run_db.writing() as connection:
        now_us = SYSTEM_CLOCK.time_us()
        claimed_until_us = _meta(connection, "merge_claimed_until_us")
        # A claim far ahead was made by a clock that has been set back since.
        if now_us < claimed_until_us <= now_us + _CLAIM_US or not _is_due(connection):
            return False
        _set_meta(connection, "merge_claimed_until_us", now_us + _CLAIM_US)
        return True


def _is_due(connection: sqlite3.Connection) -> bool:
    segment_count, point_count = connection.execute(
        "SELECT count(*), coalesce(sum(point_count), 0) FROM segment"
    ).fetchone()
    key_count = connection.execute("SELECT coalesce(max(id) + 1, 0) FROM key").fetchone()[0]
    enough = min(max(MERGE_POINTS, MERGE_POINTS_PER_KEY * key_count), MERGE_POINTS_LIMIT)
    return bool(segment_count >= MERGE_SEGMENTS or point_count >= enough)


def _read(run_db: RunDb, *, final: bool) -> _Pending:
    with run_db.reading() as connection:
        generation = _meta(connection, "merge_generation")
        segments: list[list[SegmentBlock]] = []
        damaged: list[tuple[int, str]] = []
        last_id = 0
        for last_id, body in connection.execute("SELECT id, body FROM segment ORDER BY id"):
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
        tails = _read_tails(connection, pending_keys, final=final)
    return _Pending(generation, last_id, segments, tails, damaged)


def _read_tails(
    connection: sqlite3.Connection, pending_keys: set[int], *, final: bool
) -> dict[int, list[Tail]]:
    """Return the small chunks that this merge is to join, by key."""
    enough = 2 if final else TAIL_CHUNKS
    joined_keys = []
    room = JOINED_POINTS_LIMIT
    for key, chunk_count, point_count in connection.execute(
        "SELECT key_id, count(*), sum(point_count) FROM chunk WHERE is_tail = 1 GROUP BY key_id"
    ):
        if chunk_count + (key in pending_keys) >= enough and point_count <= room:
            room -= point_count
            joined_keys.append(key)
    axes: dict[int, Axis] = {}
    tails: dict[int, list[Tail]] = defaultdict(list)
    for key in joined_keys:
        for chunk_id, axis_id, body in connection.execute(
            "SELECT id, axis_id, body FROM chunk WHERE is_tail = 1 AND key_id = ? ORDER BY id",
            (key,),
        ).fetchall():
            try:
                if axis_id not in axes:
                    axes[axis_id] = _read_axis(connection, axis_id)
                tails[key].append(Tail(chunk_id, axis_id, axes[axis_id], decode_chunk(body)))
            except DamagedFileError:
                tails.pop(key, None)  # left as it is, for the reader of this key to find
                break
    return dict(tails)


def _read_axis(connection: sqlite3.Connection, axis_id: int) -> Axis:
    row = connection.execute("SELECT body FROM axis WHERE id = ?", (axis_id,)).fetchone()
    if row is None:
        raise DamagedFileError(f"Axis {axis_id} is missing.")
    return decode_axis(row[0])


def _swap(run_db: RunDb, pending: _Pending, groups: Sequence[PackedGroup]) -> bool:
    """Put chunks in the place of segments and joined tails; False if another merge was first."""
    with run_db.writing() as connection:
        if _meta(connection, "merge_generation") != pending.generation:
            return False
        _set_meta(connection, "merge_generation", pending.generation + 1)
        _set_meta(connection, "merge_claimed_until_us", 0)
        connection.executemany(
            "INSERT INTO damaged (source, body) "
            "SELECT 'segment ' || id || ': ' || ?, body FROM segment WHERE id = ?",
            [(reason, segment_id) for segment_id, reason in pending.damaged],
        )
        connection.execute("DELETE FROM segment WHERE id <= ?", (pending.last_segment_id,))
        write_groups(connection, groups)
        return True


def _meta(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return int(row[0])


def _set_meta(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute("UPDATE meta SET value = ? WHERE name = ?", (str(value), name))
