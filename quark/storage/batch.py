"""What is handed to a store: a batch of frames, decoded into columns. Data alone.

A *frame* is what one call journaled; its number within its writer is ``seq``, from 1. A *batch* is
what a shipper delivers at once: a run of frames of one writer. Points come as *blocks*: all rows
that hold the same keys, so that the axis (seq, step, epoch, time) is stored once for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Int64Array = NDArray[np.int64]
    Float64Array = NDArray[np.float64]

#: In an int64 column of steps or epochs: there is none.
NO_STEP = -(2**63)
MAX_KEY_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointBlock:
    """``len(seq)`` rows that all hold exactly ``keys``; ``values`` is rows × keys, C order.

    ``seq`` never decreases. ``step`` and ``epoch`` hold :data:`NO_STEP` where there is none.
    ``time_us`` is microseconds since the epoch.
    """

    keys: tuple[str, ...]
    seq: Int64Array
    step: Int64Array
    epoch: Int64Array
    time_us: Int64Array
    values: Float64Array


class EncodedRecord(NamedTuple):
    """A record that is no point: its place, and its body as JSON (``records.codec``).

    ``ordinal`` counts records that came out of the same frame, from 0.
    """

    seq: int
    ordinal: int
    kind: str
    step: int | None
    epoch: int | None
    time_us: int
    body: bytes


class StoredRecord(NamedTuple):
    """A record as it rests; ``body`` is JSON, ``position`` is where a scan goes on after."""

    position: int
    writer_id: str
    seq: int
    ordinal: int
    kind: str
    step: int | None
    epoch: int | None
    time_us: int
    body: str | bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Frames ``first_seq`` to ``last_seq`` of one writer, decoded.

    A store that has already seen frames of this writer up to some number takes only what is
    above it. So a batch may be delivered again, or overlap an earlier one, without harm.
    """

    run_id: str
    writer_id: str
    first_seq: int
    last_seq: int
    blocks: tuple[PointBlock, ...] = ()
    records: tuple[EncodedRecord, ...] = ()

    @property
    def point_count(self) -> int:
        return sum(block.values.size for block in self.blocks)
