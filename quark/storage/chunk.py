"""A chunk: up to 4,096 values of one key, packed; its rows are described by an axis.

Layout in docs/formats.md.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quark.errors import DamagedFileError
from quark.storage.blob_frame import CHUNK_MAGIC, seal, unseal
from quark.storage.columns import pack_values, unpack_values

if TYPE_CHECKING:
    from quark.storage.model import Float64Array

CHUNK_POINTS = 4_096
_HEAD = struct.Struct("<I")  # values


class ChunkStats(NamedTuple):
    """What is known of a chunk's values without unpacking them.

    ``minimum``, ``maximum`` and ``total`` are over finite values; the first two are None where
    there is none. ``last`` and ``total`` are None if they are NaN, as SQLite has it; ``total`` is
    infinite or NaN where the sum overflows.
    """

    nonfinite_count: int
    minimum: float | None
    maximum: float | None
    total: float | None
    last: float | None


def encode_chunks(matrix: Float64Array) -> list[bytes]:
    """Pack each row of keys × points as one chunk."""
    head = _HEAD.pack(matrix.shape[1])
    return [seal(CHUNK_MAGIC, head + column) for column in pack_values(matrix)]


def decode_chunk(blob: bytes) -> Float64Array:
    """Unpack a chunk.

    Raises:
        DamagedFileError: The blob is damaged.
    """
    body = unseal(CHUNK_MAGIC, blob)
    if len(body) < _HEAD.size:
        raise DamagedFileError("A chunk ends before its values.")
    return unpack_values(body[_HEAD.size :], _HEAD.unpack_from(body)[0])


def chunk_stats(matrix: Float64Array) -> list[ChunkStats]:
    """Look at every value of each row of keys × points."""
    finite = np.isfinite(matrix)
    with np.errstate(over="ignore", invalid="ignore"):
        if finite.all():
            minima, maxima, totals = matrix.min(axis=1), matrix.max(axis=1), matrix.sum(axis=1)
        else:
            minima = np.where(finite, matrix, np.inf).min(axis=1)
            maxima = np.where(finite, matrix, -np.inf).max(axis=1)
            totals = np.where(finite, matrix, 0.0).sum(axis=1)
    nonfinite = matrix.shape[1] - np.count_nonzero(finite, axis=1)
    has_finite = nonfinite < matrix.shape[1]
    columns = (nonfinite, has_finite, minima, maxima, totals, matrix[:, -1])
    return [
        ChunkStats(
            count,
            low if has_any else None,
            high if has_any else None,
            total if total == total else None,
            last if last == last else None,
        )
        for count, has_any, low, high, total, last in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
