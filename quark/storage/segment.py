"""A segment: the points of one batch, waiting to be merged into chunks. Cheap to write.

Layout in docs/formats.md. Values stay rows × keys as they came, so that a batch of one row and ten
thousand keys is one copy; a reader of one key takes its column out of each block.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quark.errors import DamagedFileError
from quark.storage.axis import Axis
from quark.storage.blob_frame import SEGMENT_MAGIC, seal, unseal
from quark.storage.columns import pack_ints, packed_size, unpack_ints
from quark.storage.model import PointBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.model import Float64Array, Int64Array

_SEGMENT_HEAD = struct.Struct("<II")  # writer number, blocks
_BLOCK_HEAD = struct.Struct("<IIB")  # rows, keys, bytes of a value


@dataclass(frozen=True, slots=True)
class SegmentBlock:
    """A block as it rests in a segment; its axis is unpacked only when asked for.

    ``values`` is rows × keys, in float32 or float64.
    """

    writer_number: int
    row_count: int
    key_numbers: Int64Array
    packed_axis: tuple[memoryview, ...]
    values: NDArray[np.floating]

    def axis(self) -> Axis:
        """Unpack writer, seq, step, epoch and time of each row."""
        seq, step, epoch, time_us = (
            unpack_ints(column, self.row_count) for column in self.packed_axis
        )
        writer = np.full(self.row_count, self.writer_number, dtype=np.int64)
        return Axis(writer, seq, step, epoch, time_us)

    def seq(self) -> Int64Array:
        return unpack_ints(self.packed_axis[0], self.row_count)

    def column(self, key_number: int) -> int | None:
        """Return which column holds the key, or None."""
        places = np.flatnonzero(self.key_numbers == key_number)
        return int(places[0]) if len(places) else None

    def values_of(self, column: int) -> Float64Array:
        return self.values[:, column].astype(np.float64)


def encode_segment(
    writer_number: int, blocks: Sequence[PointBlock], packed_keys: Sequence[bytes]
) -> bytes:
    """Pack the blocks of one batch; ``packed_keys`` are the numbers of each block's keys."""
    parts = [_SEGMENT_HEAD.pack(writer_number, len(blocks))]
    for block, keys in zip(blocks, packed_keys, strict=True):
        values = narrowed(np.ascontiguousarray(block.values, dtype="<f8"))
        parts.append(_BLOCK_HEAD.pack(len(block.seq), len(block.keys), values.itemsize))
        parts.append(keys)
        for column in (block.seq, block.step, block.epoch, block.time_us):
            parts.append(pack_ints(np.asarray(column, dtype=np.int64), deflate=False))
        parts.append(values.tobytes())
    return seal(SEGMENT_MAGIC, b"".join(parts))


def decode_segment(blob: bytes) -> list[SegmentBlock]:
    """Return the blocks of a segment, in the order in which they were given.

    Raises:
        DamagedFileError: The blob is damaged.
    """
    body = unseal(SEGMENT_MAGIC, blob)
    try:
        writer_number, block_count = _SEGMENT_HEAD.unpack_from(body)
        offset = _SEGMENT_HEAD.size
        blocks = []
        for _ in range(block_count):
            block, offset = _decode_block(body, offset, writer_number)
            blocks.append(block)
    except (struct.error, ValueError) as error:
        raise DamagedFileError(f"A segment cannot be read: {error}.") from error
    return blocks


def _decode_block(body: memoryview, offset: int, writer_number: int) -> tuple[SegmentBlock, int]:
    row_count, key_count, value_size = _BLOCK_HEAD.unpack_from(body, offset)
    offset += _BLOCK_HEAD.size
    columns = []
    for _ in range(5):
        end = offset + packed_size(body, offset)
        columns.append(body[offset:end])
        offset = end
    values = np.frombuffer(body, f"<f{value_size}", row_count * key_count, offset)
    block = SegmentBlock(
        writer_number=writer_number,
        row_count=row_count,
        key_numbers=unpack_ints(columns[0], key_count),
        packed_axis=tuple(columns[1:]),
        values=values.reshape(row_count, key_count),
    )
    return block, offset + values.nbytes


def narrowed(values: Float64Array) -> NDArray[np.floating]:
    """Return the values as float32 if that loses no bit."""
    with np.errstate(all="ignore"):
        singles = values.astype("<f4")
        back = singles.astype(np.float64)
    return singles if np.array_equal(back.view(np.int64), values.view(np.int64)) else values
