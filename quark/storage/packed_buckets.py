"""Reads one key of a run as buckets, unpacking only chunks that no bucket holds as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quark.storage.bucketing import Cut, Summaries, combine, cut, no_buckets, summarise
from quark.storage.model import NO_STEP, Buckets
from quark.storage.packed import ChunkRow, PackedReader
from quark.storage.pending import Piece
from quark.storage.selection import Bounds

if TYPE_CHECKING:
    from quark.storage.model import Float64Array, Int64Array


class _Points(NamedTuple):
    """Unpacked points; ``order`` is the place of each in the order of arrival."""

    step: Int64Array
    value: Float64Array
    order: Int64Array


class _PlacedChunk(NamedTuple):
    """A chunk, and how many of the key's points arrived before it."""

    row: ChunkRow
    offset: int


def read_buckets(
    reader: PackedReader,
    key: str,
    rows: Sequence[ChunkRow],
    pending: Sequence[Piece],
    bucket_count: int,
    bounds: Bounds | None,
) -> Buckets:
    """Cut a key's chunks and pending points, those whose step is within ``bounds``, into buckets.

    Raises:
        DamagedFileError: A chunk that had to be unpacked is damaged.
    """
    offsets = np.cumsum([0, *(row.point_count for row in rows)]).tolist()
    chunks = [_PlacedChunk(row, offset) for row, offset in zip(rows, offsets, strict=False)]
    summed_up = [chunk for chunk in chunks if _is_summed_up(chunk.row, bounds)]
    others = [chunk for chunk in chunks if not _is_summed_up(chunk.row, bounds)]
    points = _unpacked(reader, key, others) + _arrived(pending, offsets[-1])
    points = [part for part in (_selected(part, bounds) for part in points) if len(part.step)]
    lows = [int(part.step.min()) for part in points]
    highs = [int(part.step.max()) for part in points]
    lows += [chunk.row.step_min for chunk in summed_up if chunk.row.step_min is not None]
    highs += [chunk.row.step_max for chunk in summed_up if chunk.row.step_max is not None]
    if not lows:
        return no_buckets(key)
    where = cut(min(lows), max(highs), bucket_count)
    whole = [chunk for chunk in summed_up if _bucket_of(where, chunk.row) is not None]
    points += _unpacked(
        reader, key, [chunk for chunk in summed_up if _bucket_of(where, chunk.row) is None]
    )
    parts = [_summaries(where, whole)] if whole else []
    if points:
        parts.append(summarise(where, *_joined(points)))
    return combine(key, where, parts)


def bucket_points(key: str, step: Int64Array, value: Float64Array, bucket_count: int) -> Buckets:
    """Cut points that are in memory, in order of arrival, into buckets."""
    points = _selected(_Points(step, value, np.arange(len(step))), None)
    if not len(points.step):
        return no_buckets(key)
    where = cut(int(points.step.min()), int(points.step.max()), bucket_count)
    return combine(key, where, [summarise(where, *points)])


def _is_summed_up(row: ChunkRow, bounds: Bounds | None) -> bool:
    """Say whether the chunk's row tells all of it: all its points have a step and are selected."""
    if not row.is_ordered or row.step_min is None or row.step_max is None:
        return False
    has_sum = row.total is not None and math.isfinite(row.total)
    return has_sum and (bounds is None or bounds.covers(row.step_min, row.step_max))


def _bucket_of(where: Cut, row: ChunkRow) -> int | None:
    """Return the bucket that the whole chunk lies in, or None."""
    if row.step_min is None or row.step_max is None:
        return None
    first = where.bucket(row.step_min)
    return first if first == where.bucket(row.step_max) else None


def _unpacked(reader: PackedReader, key: str, chunks: Sequence[_PlacedChunk]) -> list[_Points]:
    rows = [chunk.row for chunk in chunks]
    pieces = zip(chunks, reader.axes(key, rows), reader.values(key, rows), strict=True)
    return [
        _Points(axis.step, values, np.arange(chunk.offset, chunk.offset + len(values)))
        for chunk, axis, values in pieces
    ]


def _arrived(pending: Sequence[Piece], offset: int) -> list[_Points]:
    points = []
    for piece in pending:
        order = np.arange(offset, offset + len(piece.value))
        points.append(_Points(piece.axis.step, piece.value, order))
        offset += len(piece.value)
    return points


def _selected(points: _Points, bounds: Bounds | None) -> _Points:
    chosen = points.step != NO_STEP
    if bounds is not None:
        chosen &= (points.step >= bounds.low) & (points.step <= bounds.high)
    if chosen.all():
        return points
    return _Points(*(column[chosen] for column in points))


def _joined(points: Iterable[_Points]) -> _Points:
    by_arrival = sorted(points, key=lambda part: int(part.order[0]))
    return _Points(*(np.concatenate(columns) for columns in zip(*by_arrival, strict=True)))


def _summaries(where: Cut, chunks: Sequence[_PlacedChunk]) -> Summaries:
    rows = [chunk.row for chunk in chunks]
    finite_counts = [row.point_count - row.nonfinite_count for row in rows]
    return Summaries(
        bucket=np.array([_bucket_of(where, row) for row in rows], dtype=np.uint64),
        point_count=np.array([row.point_count for row in rows]),
        nonfinite_count=np.array([row.nonfinite_count for row in rows]),
        minimum=np.array([math.inf if row.minimum is None else row.minimum for row in rows]),
        maximum=np.array([-math.inf if row.maximum is None else row.maximum for row in rows]),
        mean=np.array(
            [
                (row.total or 0.0) / max(count, 1)
                for row, count in zip(rows, finite_counts, strict=True)
            ]
        ),
        last=np.array([math.nan if row.last is None else row.last for row in rows]),
        last_step=np.array([row.step_max for row in rows]),
        last_order=np.array([chunk.offset + chunk.row.point_count - 1 for chunk in chunks]),
    )
