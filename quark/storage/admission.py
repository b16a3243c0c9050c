"""What every store checks before it takes a batch.

A refusal here is for good (:class:`~quark.errors.RecordRejectedError`): the same batch would be
refused again. So only what can never be kept is refused; anything merely odd is stored.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from quark import jsonio
from quark.errors import RecordRejectedError, SchemaValidationError
from quark.records import RECORD_KINDS
from quark.storage.model import MAX_KEY_BYTES, Batch, EncodedRecord, PointBlock

MAX_RUN_ID_BYTES = 200


def is_run_id(run_id: str) -> bool:
    """Say whether ``run_id`` can name a run: it becomes the name of a folder.

    >>> is_run_id("run_4k2j9x0a7bqc"), is_run_id("../etc"), is_run_id("")
    (True, False, False)
    """
    if not run_id or run_id.startswith(".") or "/" in run_id or "\\" in run_id:
        return False
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in run_id):
        return False
    return len(run_id.encode()) <= MAX_RUN_ID_BYTES


def check_batch(batch: Batch) -> None:
    """Refuse what no store could keep, keys excepted (:func:`check_keys`).

    Raises:
        RecordRejectedError: The run id, a record, or the shape of a block is not valid.
    """
    if not is_run_id(batch.run_id):
        raise RecordRejectedError(
            f"Run id {batch.run_id!r} is not valid: it names a folder, so it must not be empty, "
            "start with '.', or hold '/', '\\' or control characters, and it must be at most "
            f"{MAX_RUN_ID_BYTES} bytes long."
        )
    if not 0 < batch.first_seq <= batch.last_seq + 1 <= 2**63:
        raise RecordRejectedError(
            f"A batch of writer {batch.writer_id!r} claims frames {batch.first_seq} to "
            f"{batch.last_seq}; frames count from 1."
        )
    for record in batch.records:
        _check_record(batch, record)
    for block in batch.blocks:
        _check_block(batch, block)


def check_keys(keys: Sequence[str]) -> None:
    """Refuse metric keys that cannot be kept.

    Raises:
        RecordRejectedError: A key is empty, too long, no UTF-8, or there twice.
    """
    for key in keys:
        try:
            size_bytes = len(key.encode())
        except UnicodeEncodeError as error:
            raise RecordRejectedError(f"Metric key {key!r} cannot be written as UTF-8.") from error
        if not 1 <= size_bytes <= MAX_KEY_BYTES:
            raise RecordRejectedError(
                f"Metric key {key[:80]!r} is {size_bytes} bytes long; a key must have 1 to "
                f"{MAX_KEY_BYTES} bytes of UTF-8."
            )
    if len(set(keys)) != len(keys):
        raise RecordRejectedError(
            "A block of points holds the same key twice; use one column a key."
        )


def new_records(batch: Batch, position: int) -> list[EncodedRecord]:
    """Return the batch's records above ``position``, in their order."""
    return [record for record in batch.records if record.seq > position]


def new_blocks(batch: Batch, position: int) -> list[PointBlock]:
    """Return the rows of the batch's blocks above ``position``, without empty blocks."""
    blocks = (block_above(block, position) for block in batch.blocks)
    return [block for block in blocks if block is not None]


def block_above(block: PointBlock, position: int) -> PointBlock | None:
    """Return the rows of ``block`` whose ``seq`` is above ``position``, or None if none is."""
    if block.values.size == 0 or block.seq[-1] <= position:
        return None
    if block.seq[0] > position:
        return block
    first = int(block.seq.searchsorted(position, side="right"))
    return PointBlock(
        keys=block.keys,
        seq=block.seq[first:],
        step=block.step[first:],
        epoch=block.epoch[first:],
        time_us=block.time_us[first:],
        values=block.values[first:],
    )


def _check_record(batch: Batch, record: EncodedRecord) -> None:
    place = f"Record {record.ordinal} of frame {record.seq} of writer {batch.writer_id!r}"
    if record.kind not in RECORD_KINDS:
        raise RecordRejectedError(
            f"{place} is of the unknown kind {record.kind!r}; known are: "
            f"{', '.join(sorted(RECORD_KINDS))}."
        )
    if not batch.first_seq <= record.seq <= batch.last_seq:
        raise RecordRejectedError(
            f"{place} lies outside of its batch ({batch.first_seq} to {batch.last_seq})."
        )
    numbers = (record.step or 0, record.epoch or 0, record.time_us, record.ordinal)
    if not all(-(2**63) <= number < 2**63 for number in numbers):
        raise RecordRejectedError(f"{place} has a step, epoch or time beyond 64 bits: {numbers}.")
    try:
        body = jsonio.loads(record.body)
    except SchemaValidationError as error:
        raise RecordRejectedError(f"{place} ({record.kind}) has a body that is no JSON.") from error
    if not isinstance(body, dict):
        raise RecordRejectedError(
            f"{place} ({record.kind}) has a body that is no JSON object but a "
            f"{type(body).__name__}."
        )


def _check_block(batch: Batch, block: PointBlock) -> None:
    rows = len(block.seq)
    columns = (block.step, block.epoch, block.time_us)
    if block.values.shape != (rows, len(block.keys)) or any(len(c) != rows for c in columns):
        raise RecordRejectedError(
            f"A block of writer {batch.writer_id!r} has {rows} rows and {len(block.keys)} keys, "
            f"but values of shape {block.values.shape} and columns of "
            f"{[len(column) for column in columns]} rows."
        )
    if rows and not batch.first_seq <= int(block.seq[0]) <= int(block.seq[-1]) <= batch.last_seq:
        raise RecordRejectedError(
            f"A block of writer {batch.writer_id!r} holds frames {int(block.seq[0])} to "
            f"{int(block.seq[-1])}, outside of its batch ({batch.first_seq} to {batch.last_seq})."
        )
