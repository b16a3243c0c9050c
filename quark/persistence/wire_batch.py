"""A batch as it goes over the wire: columns and bodies as they are, under one checksum.

Layout in docs/formats.md. Nothing here is trusted: lengths are checked before they are believed,
and what a decoded batch may hold is checked by the store that takes it.
"""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quark import jsonio
from quark.errors import DamagedFileError, RecordRejectedError, SchemaValidationError
from quark.storage.batch import Batch, EncodedRecord, PointBlock
from quark.storage.blob_frame import seal, unseal
from quark.storage.columns import pack_ints, packed_size, unpack_ints
from quark.storage.segment import narrowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH_MAGIC = b"QWB1"

_HEAD = struct.Struct("<qqqHHII")  # first, last, follows; bytes of names; blocks; records
_BLOCK_HEAD = struct.Struct("<IIIB")  # rows, keys, bytes of the keys' JSON, bytes of a value
_RECORD_HEAD = struct.Struct("<qIHBqqqI")  # seq, ordinal, bytes of kind, flags, …, bytes of body
_HAS_STEP, _HAS_EPOCH = 1, 2
#: Of ``follows``: the sender does not know what it delivered before.
_UNKNOWN = -1
_MAX_ROWS = 1 << 26
_MAX_REMEMBERED_BYTES = 1 << 16


class SentBatch(NamedTuple):
    """A batch, and the frame of the same writer that its sender had delivered before.

    ``follows`` lets a service notice that a batch overtook another one; None if the sender does
    not know.
    """

    batch: Batch
    follows: int | None


def encode_batch(batch: Batch, follows: int | None = None) -> bytes:
    """Pack a batch; blocks that hold no value are left out.

    Raises:
        RecordRejectedError: It holds a number or a name that the format has no place for.
    """
    blocks = [block for block in batch.blocks if block.values.size]
    try:
        run_id, writer_id = batch.run_id.encode(), batch.writer_id.encode()
        head = _HEAD.pack(
            batch.first_seq,
            batch.last_seq,
            _UNKNOWN if follows is None else follows,
            len(run_id),
            len(writer_id),
            len(blocks),
            len(batch.records),
        )
        parts = [head, run_id, writer_id]
        for block in blocks:
            parts += _encoded_block(block)
        for record in batch.records:
            parts += _encoded_record(record)
    except (struct.error, UnicodeEncodeError, SchemaValidationError) as error:
        raise RecordRejectedError(
            f"Frames {batch.first_seq} to {batch.last_seq} of writer {batch.writer_id!r} cannot "
            f"be sent: {error}."
        ) from error
    return seal(BATCH_MAGIC, b"".join(parts))


def decode_batch(body: bytes) -> SentBatch:
    """Return what :func:`encode_batch` packed.

    Raises:
        RecordRejectedError: It is no batch, or a damaged one.
    """
    try:
        view = unseal(BATCH_MAGIC, body)
        first, last, follows, run_size, writer_size, block_count, record_count = _HEAD.unpack_from(
            view
        )
        reader = _Reader(view, _HEAD.size)
        run_id, writer_id = reader.text(run_size), reader.text(writer_size)
        blocks = tuple(_decoded_block(reader) for _ in range(block_count))
        records = tuple(_decoded_record(reader) for _ in range(record_count))
        reader.check_end()
    except (
        DamagedFileError, SchemaValidationError, UnicodeDecodeError, struct.error, ValueError
    ) as error:  # fmt: skip
        raise RecordRejectedError(f"The body is no whole batch: {error}") from error
    batch = Batch(
        run_id=run_id,
        writer_id=writer_id,
        first_seq=first,
        last_seq=last,
        blocks=blocks,
        records=records,
    )
    return SentBatch(batch, None if follows == _UNKNOWN else follows)


class _Reader:
    """Takes parts off a body, one after the other, and never beyond its end."""

    def __init__(self, view: memoryview, offset: int) -> None:
        self.view = view
        self.offset = offset

    def take(self, size_bytes: int) -> memoryview:
        end = self.offset + size_bytes
        if end > len(self.view):
            raise DamagedFileError("It ends in the middle of a part.")
        part = self.view[self.offset : end]
        self.offset = end
        return part

    def text(self, size_bytes: int) -> str:
        return str(self.take(size_bytes), "utf-8")

    def unpack(self, head: struct.Struct) -> tuple[int, ...]:
        return head.unpack(self.take(head.size))

    def ints(self, count: int) -> NDArray[np.int64]:
        return unpack_ints(self.take(packed_size(self.view, self.offset)), count)

    def check_end(self) -> None:
        if self.offset != len(self.view):
            raise DamagedFileError(f"{len(self.view) - self.offset} bytes come after its end.")


def _encoded_block(block: PointBlock) -> list[bytes]:
    values = narrowed(np.ascontiguousarray(block.values, dtype="<f8"))
    keys = jsonio.dumps(block.keys)
    parts = [_BLOCK_HEAD.pack(len(block.seq), len(block.keys), len(keys), values.itemsize), keys]
    if len(block.seq):
        for column in (block.seq, block.step, block.epoch, block.time_us):
            parts.append(pack_ints(np.asarray(column, dtype=np.int64), deflate=False))
    parts.append(values.tobytes())
    return parts


def _decoded_block(reader: _Reader) -> PointBlock:
    rows, key_count, keys_size, value_size = reader.unpack(_BLOCK_HEAD)
    text = bytes(reader.take(keys_size))
    keys = _remembered_keys(text) if keys_size <= _MAX_REMEMBERED_BYTES else _decoded_keys(text)
    if len(keys) != key_count or rows > _MAX_ROWS or value_size not in (4, 8):
        raise DamagedFileError(f"A block of {rows} rows and {key_count} keys cannot be read.")
    # What a few bytes can claim is bounded by the values, which are here in full.
    if reader.offset + rows * key_count * value_size > len(reader.view):
        raise DamagedFileError("A block ends beyond its batch.")
    if rows and not key_count:
        raise DamagedFileError("A block has rows and no keys.")
    columns = [reader.ints(rows) if rows else np.empty(0, np.int64) for _ in range(4)]
    content = reader.take(rows * key_count * value_size)
    values = np.frombuffer(content, f"<f{value_size}").astype(np.float64)
    return PointBlock(
        keys=keys,
        seq=columns[0],
        step=columns[1],
        epoch=columns[2],
        time_us=columns[3],
        values=values.reshape(rows, key_count),
    )


def _decoded_keys(text: bytes) -> tuple[str, ...]:
    keys = jsonio.loads(text)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise DamagedFileError("The keys of a block are no list of strings.")
    return tuple(keys)


#: Most batches have the same keys as one before them, and to whom these are the same object, they
#: are compared at once.
_remembered_keys = functools.lru_cache(maxsize=512)(_decoded_keys)


def _encoded_record(record: EncodedRecord) -> tuple[bytes, bytes, bytes]:
    kind = record.kind.encode()
    flags = _HAS_STEP * (record.step is not None) | _HAS_EPOCH * (record.epoch is not None)
    head = _RECORD_HEAD.pack(
        record.seq,
        record.ordinal,
        len(kind),
        flags,
        record.step or 0,
        record.epoch or 0,
        record.time_us,
        len(record.body),
    )
    return head, kind, record.body


def _decoded_record(reader: _Reader) -> EncodedRecord:
    seq, ordinal, kind_size, flags, step, epoch, time_us, body_size = reader.unpack(_RECORD_HEAD)
    return EncodedRecord(
        seq,
        ordinal,
        reader.text(kind_size),
        step if flags & _HAS_STEP else None,
        epoch if flags & _HAS_EPOCH else None,
        time_us,
        bytes(reader.take(body_size)),
    )
