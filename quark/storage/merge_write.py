"""Packs groups of keys into chunks and axes, and writes them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from quark.storage.axis import AxisStats, axis_stats, encode_axis
from quark.storage.chunk import CHUNK_POINTS, ChunkStats, chunk_stats, encode_chunks
from quark.storage.merge_plan import Group, Tail

#: A chunk below this many points, at the end of its key, may be joined with what follows. A wide
#: run's chunks are just above it, so that ten thousand of them are not packed again and again.
SMALL_CHUNK_POINTS = 256


class _PackedSlice(NamedTuple):
    """Up to ``CHUNK_POINTS`` points of every key of a group."""

    point_count: int
    axis: bytes
    axis_stats: AxisStats
    chunks: list[bytes]
    chunk_stats: list[ChunkStats]


class PackedGroup(NamedTuple):
    """A group of keys, ready to be written."""

    key_numbers: list[int]
    slices: list[_PackedSlice]
    replaced: list[Tail]


def pack_group(group: Group) -> PackedGroup:
    """Cut a group into chunks and pack them."""
    slices = []
    for first in range(0, group.axis.row_count, CHUNK_POINTS):
        rows = slice(first, first + CHUNK_POINTS)
        axis, values = group.axis.take(rows), group.values[:, rows]
        slices.append(
            _PackedSlice(
                axis.row_count,
                encode_axis(axis),
                axis_stats(axis),
                encode_chunks(values),
                chunk_stats(values),
            )
        )
    return PackedGroup(group.key_numbers.tolist(), slices, group.replaced)


def write_groups(connection: sqlite3.Connection, groups: Iterable[PackedGroup]) -> None:
    """Write groups, and remove the chunks that they replace, inside of an open transaction."""
    for group in groups:
        _remove(connection, group.replaced)
        for piece in group.slices:
            _write_slice(connection, group.key_numbers, piece)


def _write_slice(
    connection: sqlite3.Connection, key_numbers: list[int], piece: _PackedSlice
) -> None:
    is_small = piece.point_count < SMALL_CHUNK_POINTS
    if not is_small:
        # What comes before a large chunk is no key's end any more.
        connection.executemany(
            "UPDATE chunk SET is_tail = 0 WHERE is_tail = 1 AND key_id = ?",
            [(number,) for number in key_numbers],
        )
    axis_id = connection.execute(
        "INSERT INTO axis (use_count, step_min, step_max, epoch_min, epoch_max, time_min_us, "
        "time_max_us, last_step, last_epoch, last_time_us, is_ordered, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (len(key_numbers), *piece.axis_stats, piece.axis),
    ).lastrowid
    connection.executemany(
        "INSERT INTO chunk (key_id, axis_id, point_count, nonfinite_count, minimum, maximum, "
        "total, last, is_tail, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (number, axis_id, piece.point_count, *stats, is_small, chunk)
            for number, stats, chunk in zip(
                key_numbers, piece.chunk_stats, piece.chunks, strict=True
            )
        ),
    )


def _remove(connection: sqlite3.Connection, tails: list[Tail]) -> None:
    connection.executemany("DELETE FROM chunk WHERE id = ?", [(tail.chunk_id,) for tail in tails])
    for axis_id, use_count in Counter(tail.axis_id for tail in tails).items():
        connection.execute(
            "UPDATE axis SET use_count = use_count - ? WHERE id = ?", (use_count, axis_id)
        )
        connection.execute("DELETE FROM axis WHERE id = ? AND use_count <= 0", (axis_id,))
