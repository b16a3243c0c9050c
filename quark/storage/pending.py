"""What a run has that no merge has packed yet: its pending segments, in order of arrival."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quark.errors import DamagedFileError
from quark.storage.axis import Axis, joined, step_or_none
from quark.storage.model import NO_STEP, KeyStats
from quark.storage.run_tables import RunTables
from quark.storage.segment import SegmentBlock, decode_segment

if TYPE_CHECKING:
    from quark.storage.model import Float64Array


class Piece(NamedTuple):
    """Some points of one key, in order of arrival."""

    axis: Axis
    value: Float64Array


def pending_segments(tables: RunTables, run_id: str) -> Iterator[list[SegmentBlock]]:
    """Yield the blocks of each pending segment.

    Raises:
        DamagedFileError: A segment is damaged.
    """
    for segment_id, body in tables.segments():
        try:
            yield decode_segment(body)
        except DamagedFileError as error:
            raise DamagedFileError(
                f"Segment {segment_id} of run {run_id!r} is damaged: {error} The next merge sets "
                "it aside."
            ) from error


def pending_pieces(
    tables: RunTables, run_id: str, key_numbers: Collection[int]
) -> dict[int, list[Piece]]:
    """Return what is pending of each key, one piece a segment that holds it."""
    pieces: dict[int, list[Piece]] = defaultdict(list)
    for blocks in pending_segments(tables, run_id):
        axes: dict[int, Axis] = {}
        for number in key_numbers:
            found = [
                (index, column)
                for index, block in enumerate(blocks)
                if (column := block.column(number)) is not None
            ]
            if not found:
                continue
            for index, _ in found:
                if index not in axes:
                    axes[index] = blocks[index].axis()
            pieces[number].append(
                _by_arrival(
                    [axes[index] for index, _ in found],
                    [blocks[index].values_of(column) for index, column in found],
                )
            )
    return pieces


def pending_stats(tables: RunTables, run_id: str, key_count: int) -> PendingStats:
    """Look at every pending point of every key at once."""
    stats = PendingStats(key_count)
    for blocks in pending_segments(tables, run_id):
        # Of a key that is in several blocks, the frame with the highest number came last.
        for block in sorted(blocks, key=lambda block: int(block.seq()[-1])):
            stats.add(block)
    return stats


class PendingStats:
    """Counts and last points of all keys, as columns indexed by key number."""

    def __init__(self, key_count: int) -> None:
        self._count = np.zeros(key_count, dtype=np.int64)
        self._nonfinite = np.zeros(key_count, dtype=np.int64)
        self._step_min = np.full(key_count, np.iinfo(np.int64).max)
        self._step_max = np.full(key_count, NO_STEP)
        self._last_step = np.full(key_count, NO_STEP)
        self._last_epoch = np.full(key_count, NO_STEP)
        self._last_time_us = np.zeros(key_count, dtype=np.int64)
        self._last_value = np.zeros(key_count)

    def add(self, block: SegmentBlock) -> None:
        """Take in a block whose rows came after all others'."""
        axis = block.axis()
        keys = block.key_numbers
        self._count[keys] += block.row_count
        self._nonfinite[keys] += block.row_count - np.isfinite(block.values).sum(axis=0)
        steps = axis.step[axis.step != NO_STEP]
        if len(steps):
            self._step_min[keys] = np.minimum(self._step_min[keys], steps.min())
            self._step_max[keys] = np.maximum(self._step_max[keys], steps.max())
        self._last_step[keys] = axis.step[-1]
        self._last_epoch[keys] = axis.epoch[-1]
        self._last_time_us[keys] = axis.time_us[-1]
        self._last_value[keys] = block.values[-1]

    def by_number(self, names: list[str]) -> dict[int, KeyStats]:
        """Return the stats of every key that has pending points."""
        columns = (
            self._count,
            self._nonfinite,
            self._step_min,
            self._step_max,
            self._last_step,
            self._last_epoch,
            self._last_time_us,
            self._last_value,
        )
        present = np.flatnonzero(self._count)
        rows = zip(present.tolist(), *(column[present].tolist() for column in columns), strict=True)
        return {
            number: KeyStats(
                key=names[number],
                count=count,
                nonfinite_count=nonfinite,
                step_min=None if step_max == NO_STEP else step_min,
                step_max=step_or_none(step_max),
                last_step=step_or_none(last_step),
                last_epoch=step_or_none(last_epoch),
                last_time_us=time_us,
                last_value=value,
            )
            for number, count, nonfinite, step_min, step_max, last_step, last_epoch, time_us, value
            in rows
        }  # fmt: skip


def _by_arrival(axes: list[Axis], values: list[Float64Array]) -> Piece:
    if len(axes) == 1:
        return Piece(axes[0], values[0])
    axis = joined(axes)
    order = np.argsort(axis.seq, kind="stable")
    return Piece(axis.take(order), np.concatenate(values)[order])
