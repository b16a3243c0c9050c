"""Packs groups of keys into chunks and axes, and writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from quark.storage.axis import AxisStats, axis_stats, encode_axis
from quark.storage.chunk import CHUNK_POINTS, ChunkStats, chunk_stats, encode_chunks
from quark.storage.merge_plan import Group, Tail
from quark.storage.run_tables import NewChunk, RunTables

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


def write_groups(tables: RunTables, groups: Iterable[PackedGroup]) -> None:
    """Write groups, and remove the chunks that they replace, inside of an open transaction."""
    for group in groups:
        if group.replaced:
            tables.remove_chunks([tail.chunk_id for tail in group.replaced])
            tables.release_axes(Counter(tail.axis_id for tail in group.replaced))
        for piece in group.slices:
            _write_slice(tables, group.key_numbers, piece)


def _write_slice(tables: RunTables, key_numbers: list[int], piece: _PackedSlice) -> None:
    is_small = piece.point_count < SMALL_CHUNK_POINTS
    if not is_small:
        # What comes before a large chunk is no key's end any more.
        tables.end_tails(key_numbers)
    axis_id = tables.add_axis(len(key_numbers), piece.axis_stats, piece.axis)
    chunks = zip(key_numbers, piece.chunk_stats, piece.chunks, strict=True)
    tables.add_chunks(
        axis_id,
        (
            NewChunk(number, piece.point_count, stats, is_small, chunk)
            for number, stats, chunk in chunks
        ),
    )
