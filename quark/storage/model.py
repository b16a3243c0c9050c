"""What is handed to a store and what it hands back. Data alone; numpy arrays for columns.

A *frame* is what one call journaled; its number within its writer is ``seq``, from 1. A *batch* is
what a shipper delivers at once: a run of frames of one writer, decoded into columns. Points come
as *blocks*: all rows that hold the same keys, so that the axis (seq, step, epoch, time) is stored
once for all their keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRange:
    """Which steps and epochs to read; bounds are inclusive, None means no bound.

    A point or record without a step (epoch) is outside of every step (epoch) filter that is set.
    ``limit`` keeps the newest ones by order of arrival; they are still returned oldest first.
    """

    step: int | None = None
    step_min: int | None = None
    step_max: int | None = None
    epoch: int | None = None
    epoch_min: int | None = None
    epoch_max: int | None = None
    limit: int | None = None


EVERYTHING = StepRange()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """Which records of a kind to read.

    ``equals`` maps a field named in the kind's ``FILTERS`` (or ``id``) to the value it must have,
    or to a tuple of values of which it must have one.
    """

    steps: StepRange = EVERYTHING
    equals: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """All points of one key in the order in which they arrived, column by column.

    ``writer`` holds indices into ``writers``. Columns that were not asked for are empty.
    """

    key: str
    writers: tuple[str, ...]
    writer: Int64Array
    seq: Int64Array
    step: Int64Array
    epoch: Int64Array
    time_us: Int64Array
    value: Float64Array

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Buckets:
    """A series cut into equal ranges of steps, for plots; buckets without points are left out.

    ``minimum``, ``maximum`` and ``mean`` are over finite values (NaN where a bucket has none);
    ``last`` is the value at the highest step (of equals, the latest to arrive).
    """

    key: str
    step_start: Int64Array
    step_end: Int64Array
    count: Int64Array
    nonfinite_count: Int64Array
    minimum: Float64Array
    maximum: Float64Array
    mean: Float64Array
    last: Float64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStats:
    """What a store knows of a key without decoding its points.

    ``last_*`` are of the point that arrived last.
    """

    key: str
    count: int
    nonfinite_count: int
    step_min: int | None
    step_max: int | None
    last_step: int | None
    last_epoch: int | None
    last_time_us: int
    last_value: float


Columns = Literal["all", "step_value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs to list. ``tags``: all of them must be there."""

    project: str | None = None
    workspace: str | None = None
    status: str | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()
    newest_first: bool = True
    limit: int | None = None
    offset: int = 0
