"""What merges have packed of a run: its chunks and their axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from quark.errors import DamagedFileError
from quark.storage.axis import Axis, decode_axis
from quark.storage.chunk import decode_chunk
from quark.storage.model import KeyStats
from quark.storage.run_tables import RunTables
from quark.storage.selection import Selection

if TYPE_CHECKING:
    from quark.storage.model import Float64Array


class ChunkRow(NamedTuple):
    """A chunk as its row tells it, with its axis's numbers; the columns of docs/formats.md."""

    id: int
    axis_id: int
    point_count: int
    nonfinite_count: int
    minimum: float | None
    maximum: float | None
    total: float | None
    last: float | None
    step_min: int | None
    step_max: int | None
    epoch_min: int | None
    epoch_max: int | None
    is_ordered: bool

    def may_hold(self, chosen: Selection) -> bool:
        """Say whether any of its points can be selected, limits aside."""
        ranges = (
            (chosen.step, self.step_min, self.step_max),
            (chosen.epoch, self.epoch_min, self.epoch_max),
        )
        return not any(
            bounds is not None and (low is None or high is None or bounds.misses(low, high))
            for bounds, low, high in ranges
        )


class PackedReader:
    """Reads chunks of one run inside one transaction; axes that keys share are unpacked once."""

    def __init__(self, tables: RunTables, run_id: str, *, steps_only: bool) -> None:
        self._tables = tables
        self._run_id = run_id
        self._steps_only = steps_only
        self._axes: dict[int, Axis] = {}

    def rows(self, key_number: int, chosen: Selection) -> list[ChunkRow]:
        """Return the key's chunks that may hold selected points, in order of arrival."""
        found = map(ChunkRow._make, self._tables.chunk_rows(key_number))
        return [row for row in found if row.may_hold(chosen)]

    def values(self, key: str, rows: Sequence[ChunkRow]) -> Iterator[Float64Array]:
        """Unpack the values of some chunks.

        Raises:
            DamagedFileError: One of them is damaged.
        """
        bodies = self._tables.chunk_bodies([row.id for row in rows])
        for row, body in zip(rows, bodies, strict=True):
            try:
                values = decode_chunk(body)
                if len(values) != row.point_count:
                    raise DamagedFileError(f"It holds {len(values)} values.")
            except DamagedFileError as error:
                raise self._damaged(key, row, f"chunk {row.id}", error) from error
            yield values

    def axes(self, key: str, rows: Sequence[ChunkRow]) -> Iterator[Axis]:
        """Unpack the axes of some chunks.

        Raises:
            DamagedFileError: One of them is damaged.
        """
        unknown = dict.fromkeys(row.axis_id for row in rows if row.axis_id not in self._axes)
        bodies = self._tables.axis_bodies(list(unknown))
        for row in rows:
            axis = self._axes.get(row.axis_id)
            if axis is None:
                try:
                    axis = decode_axis(next(bodies), steps_only=self._steps_only)
                    if len(axis.step) != row.point_count:
                        raise DamagedFileError(f"It holds {len(axis.step)} rows.")
                except DamagedFileError as error:
                    what = f"axis {row.axis_id} of chunk {row.id}"
                    raise self._damaged(key, row, what, error) from error
                self._axes[row.axis_id] = axis
            yield axis

    def _damaged(
        self, key: str, row: ChunkRow, what: str, error: DamagedFileError
    ) -> DamagedFileError:
        steps = f"steps {row.step_min} to {row.step_max}"
        return DamagedFileError(
            f"Run {self._run_id!r}, key {key!r}: {what} with {row.point_count} points ({steps}) "
            f"is damaged: {error} Other keys can still be read."
        )


def packed_stats(tables: RunTables, names: Sequence[str]) -> dict[int, KeyStats]:
    """Return the stats of every key that has chunks, by key number."""
    return {
        number: KeyStats(
            key=names[number],
            count=count,
            nonfinite_count=nonfinite,
            step_min=step_min,
            step_max=step_max,
            last_step=last_step,
            last_epoch=last_epoch,
            last_time_us=last_time_us,
            last_value=math.nan if last is None else last,
        )
        for (
            number, count, nonfinite, step_min, step_max, last_step, last_epoch, last_time_us, last,
        ) in tables.packed_stats()
    }  # fmt: skip
