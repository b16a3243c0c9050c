"""What a store is asked and what it answers. Data alone; numpy arrays for columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from quark.storage.batch import (
    MAX_KEY_BYTES as MAX_KEY_BYTES,
    NO_STEP as NO_STEP,
    Batch as Batch,
    EncodedRecord as EncodedRecord,
    PointBlock as PointBlock,
    StoredRecord as StoredRecord,
)

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.batch import Float64Array as Float64Array, Int64Array as Int64Array


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


class RunHealth(NamedTuple):
    """How well a run is doing as a whole, as it was judged last: 0 to 100, and the word for it."""

    score: float
    status: str


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


class RunChanges(NamedTuple):
    """What a store's runs are now, for who knows what they were.

    ``marks`` holds of every run that there is a mark, which is another one as soon as the run's row
    changes; marks are only compared. ``changed`` are the runs whose marks were not known, in any
    order.
    """

    marks: dict[str, object]
    changed: tuple[RunRecord, ...]
