"""A batch's blocks as rows of the table, one a point."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from quark.storage.admission import check_keys
from quark.storage.clickhouse.native import Column, encode_block, string
from quark.storage.model import PointBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray


@lru_cache(maxsize=256)
def checked_keys(keys: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return the keys as they are inserted.

    Raises:
        RecordRejectedError: One cannot be kept.
    """
    check_keys(keys)
    return tuple(map(string, keys))


def encode_rows(
    namespace_id: str,
    run_id: str,
    writer_id: str,
    blocks: Sequence[PointBlock],
    *,
    arrival: int,
    expires_at: int | None,
) -> bytes:
    """Return one Native block for each block of points.

    Args:
        arrival: The batch's place in the order of arrival.
        expires_at: When the rows may go, in seconds since the epoch, 0 for never; None if the
            table does not have this column.
    """
    constants = [string(namespace_id), string(run_id), string(writer_id)]
    encoded, first_place = [], 0
    for block, occurrence in zip(blocks, _occurrences(blocks), strict=True):
        columns = _columns(constants, block, occurrence, arrival, first_place, expires_at)
        encoded.append(encode_block(columns, block.values.size))
        first_place += len(block.keys)
    return b"".join(encoded)


def _columns(
    constants: Sequence[bytes],
    block: PointBlock,
    occurrence: NDArray[np.uint32],
    arrival: int,
    first_place: int,
    expires_at: int | None,
) -> list[Column]:
    """Return all columns; rows go by key, then by frame, which is the order in which they rest."""
    row_count, key_count, count = len(block.seq), len(block.keys), block.values.size
    namespace_id, run_id, writer_id = (constant * count for constant in constants)
    keys = b"".join(key * row_count for key in checked_keys(block.keys))
    places = np.arange(first_place, first_place + key_count, dtype="<u4")
    columns = [
        Column("namespace_id", "String", namespace_id),
        Column("run_id", "String", run_id),
        Column("key", "String", keys),
        Column("writer_id", "String", writer_id),
        Column("seq", "UInt64", block.seq.astype("<u8").tobytes() * key_count),
        Column("occurrence", "UInt32", np.ascontiguousarray(occurrence.T).tobytes()),
        Column("arrival", "UInt64", arrival.to_bytes(8, "little") * count),
        Column("place", "UInt32", np.repeat(places, row_count).tobytes()),
        Column("step", "Int64", block.step.astype("<i8").tobytes() * key_count),
        Column("epoch", "Int64", block.epoch.astype("<i8").tobytes() * key_count),
        Column("time_us", "Int64", block.time_us.astype("<i8").tobytes() * key_count),
        Column("value", "Float64", np.ascontiguousarray(block.values.T, dtype="<f8").tobytes()),
    ]
    if expires_at is not None:
        columns.append(Column("expires_at", "DateTime", expires_at.to_bytes(4, "little") * count))
    return columns


def _occurrences(blocks: Sequence[PointBlock]) -> list[NDArray[np.uint32]]:
    """Return, for each point, how often the same frame had its key before, rows × keys.

    Frames arrive whole, so this is the same whenever they come again, but for the order of equals.
    """
    seq = np.concatenate([block.seq for block in blocks]) if blocks else np.empty(0, np.int64)
    seq.sort()
    if bool((seq[1:] != seq[:-1]).all()):
        return [np.zeros(block.values.shape, dtype="<u4") for block in blocks]
    numbers: dict[str, int] = {}
    for block in blocks:
        for key in block.keys:
            numbers.setdefault(key, len(numbers))
    key_columns, seq_columns = [], []
    for block in blocks:
        of_keys = np.array([numbers[key] for key in block.keys], dtype=np.int64)
        key_columns.append(np.broadcast_to(of_keys, block.values.shape).ravel())
        seq_columns.append(np.broadcast_to(block.seq[:, None], block.values.shape).ravel())
    key_number, frame = np.concatenate(key_columns), np.concatenate(seq_columns)
    order = np.lexsort((frame, key_number))  # stable: equals stay in the order of blocks and rows
    key_number, frame = key_number[order], frame[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (key_number[1:] != key_number[:-1]) | (frame[1:] != frame[:-1])
    rank = np.arange(len(order))
    occurrence = np.empty(len(order), dtype="<u4")
    occurrence[order] = rank - np.maximum.accumulate(np.where(is_first, rank, 0))
    ends = np.cumsum([block.values.size for block in blocks])[:-1]
    parts = np.split(occurrence, ends)
    return [part.reshape(block.values.shape) for part, block in zip(parts, blocks, strict=True)]
