"""An axis: who wrote a row of points, as which frame, at which step, epoch and time.

Keys that were always logged together share one axis, which is what makes a point cheap. Layout in
docs/formats.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quark.errors import DamagedFileError
from quark.storage.blob_frame import AXIS_MAGIC, seal, unseal
from quark.storage.columns import pack_ints, packed_size, unpack_ints
from quark.storage.model import NO_STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.model import Int64Array

_HEAD = struct.Struct("<I")  # rows
_COLUMNS = ("writer", "seq", "step", "epoch", "time_us")


class Axis(NamedTuple):
    """Five columns of one length. ``writer`` is the number of a writer in the run."""

    writer: Int64Array
    seq: Int64Array
    step: Int64Array
    epoch: Int64Array
    time_us: Int64Array

    @property
    def row_count(self) -> int:
        return len(self.seq)

    def take(self, rows: slice | NDArray[np.generic]) -> Axis:
        """Return the axis of some rows."""
        return Axis(*(column[rows] for column in self))


class AxisStats(NamedTuple):
    """What is known of an axis without unpacking it; None where no row has a step (an epoch).

    ``is_ordered``: every row has a step, and steps never decrease.
    """

    step_min: int | None
    step_max: int | None
    epoch_min: int | None
    epoch_max: int | None
    time_min_us: int
    time_max_us: int
    last_step: int | None
    last_epoch: int | None
    last_time_us: int
    is_ordered: bool


def joined(axes: Sequence[Axis]) -> Axis:
    """Put at least one axis behind each other. Columns of one value stay one value, read-only."""
    return Axis(*(_joined_column(columns) for columns in zip(*axes, strict=True)))


def _joined_column(columns: Sequence[Int64Array]) -> Int64Array:
    first = columns[0]
    if all(len(column) and column.strides == (0,) for column in columns) and all(
        column[0] == first[0] for column in columns
    ):
        return np.broadcast_to(first[:1], sum(map(len, columns)))
    return np.concatenate(columns)


def axis_stats(axis: Axis) -> AxisStats:
    """Look at every row of an axis that has at least one."""
    step_min, step_max = _present_range(axis.step)
    epoch_min, epoch_max = _present_range(axis.epoch)
    has_all_steps = bool((axis.step != NO_STEP).all())
    return AxisStats(
        step_min,
        step_max,
        epoch_min,
        epoch_max,
        int(axis.time_us.min()),
        int(axis.time_us.max()),
        step_or_none(int(axis.step[-1])),
        step_or_none(int(axis.epoch[-1])),
        int(axis.time_us[-1]),
        has_all_steps and bool((axis.step[1:] >= axis.step[:-1]).all()),
    )


def step_or_none(step: int) -> int | None:
    """Return what a column of steps or epochs holds, without :data:`NO_STEP`."""
    return None if step == NO_STEP else step


def encode_axis(axis: Axis) -> bytes:
    """Pack an axis of at least one row."""
    columns = [pack_ints(np.ascontiguousarray(column)) for column in axis]
    return seal(AXIS_MAGIC, _HEAD.pack(axis.row_count) + b"".join(columns))


def decode_axis(blob: bytes, *, steps_only: bool = False) -> Axis:
    """Unpack an axis; with ``steps_only`` the other columns come back empty.

    Raises:
        DamagedFileError: The blob is damaged.
    """
    body = unseal(AXIS_MAGIC, blob)
    if len(body) < _HEAD.size:
        raise DamagedFileError("An axis ends before its first column.")
    row_count = _HEAD.unpack_from(body)[0]
    packed = dict(zip(_COLUMNS, _packed_columns(body), strict=True))
    empty = np.empty(0, dtype=np.int64)
    wanted = ("step",) if steps_only else _COLUMNS
    return Axis(
        *(unpack_ints(packed[name], row_count) if name in wanted else empty for name in _COLUMNS)
    )


def _packed_columns(body: memoryview) -> Iterator[memoryview]:
    offset = _HEAD.size
    for _ in _COLUMNS:
        end = offset + packed_size(body, offset)
        yield body[offset:end]
        offset = end


def _present_range(column: Int64Array) -> tuple[int, int] | tuple[None, None]:
    present = column[column != NO_STEP]
    return (int(present.min()), int(present.max())) if len(present) else (None, None)
