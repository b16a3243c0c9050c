"""A run's points: packed chunks, and behind them what is still pending. In any database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SchemaValidationError
from quark.storage.axis import Axis, joined
from quark.storage.merge import merge_run
from quark.storage.model import EVERYTHING, Buckets, Columns, KeyStats, Series, StepRange
from quark.storage.packed import ChunkRow, PackedReader, packed_stats
from quark.storage.packed_buckets import bucket_points, read_buckets
from quark.storage.pending import Piece, pending_pieces, pending_stats
from quark.storage.run_tables import PackedRun, RunTables
from quark.storage.selection import Selection, selection

if TYPE_CHECKING:
    from quark.storage.model import Int64Array


class PackedPoints:
    """A :class:`~quark.storage.protocols.PointStore` of packed runs, which ``use`` gives by id."""

    def __init__(
        self,
        use: Callable[[str], AbstractContextManager[PackedRun]],
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._use = use
        self._clock = clock

    def series(
        self, run_id: str, key: str, steps: StepRange = EVERYTHING, *, columns: Columns = "all"
    ) -> Series:
        return self.many_series(run_id, [key], steps, columns=columns)[key]

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
    ) -> dict[str, Series]:
        chosen = selection(steps)
        steps_only = columns == "step_value" and chosen.epoch is None
        with self._use(run_id) as run, run.reading() as tables:
            numbers = _numbers(tables, keys)
            pending = pending_pieces(tables, run_id, numbers.values())
            reader = PackedReader(tables, run_id, steps_only=steps_only)
            writers = tables.writers()
            series = {}
            for key in keys:
                number = numbers.get(key, -1)
                rows = reader.rows(number, chosen)
                newest_first = _newest_first(reader, key, rows, pending.get(number, []))
                piece = _selected(newest_first, chosen, steps_only)
                series[key] = _series(key, writers, piece, columns)
        return series

    def buckets(
        self, run_id: str, key: str, bucket_count: int, steps: StepRange = EVERYTHING
    ) -> Buckets:
        if bucket_count < 1:
            raise SchemaValidationError(f"bucket_count is {bucket_count}; it must be 1 or more.")
        chosen = selection(steps)
        if chosen.epoch is not None or chosen.limit is not None:
            series = self.series(run_id, key, steps, columns="step_value")
            return bucket_points(key, series.step, series.value, bucket_count)
        with self._use(run_id) as run, run.reading() as tables:
            number = _numbers(tables, [key]).get(key, -1)
            pending = pending_pieces(tables, run_id, [number]).get(number, [])
            reader = PackedReader(tables, run_id, steps_only=True)
            rows = reader.rows(number, chosen)
            return read_buckets(reader, key, rows, pending, bucket_count, chosen.step)

    def keys(self, run_id: str) -> dict[str, KeyStats]:
        with self._use(run_id) as run, run.reading() as tables:
            names = tables.key_names()
            packed = packed_stats(tables, names)
            pending = pending_stats(tables, run_id, len(names)).by_number(names)
        stats = (_added(packed.get(n), pending.get(n)) for n in range(len(names)))
        return {each.key: each for each in stats if each is not None}

    def chunk_count(self, run_id: str, keys: Sequence[str], *, at_most: int) -> int:
        """Return how many chunks some keys have together; counting ends at ``at_most``.

        It tells early what reading them costs.

        Raises:
            RunNotFoundError: There is no such run.
        """
        with self._use(run_id) as run, run.reading() as tables:
            chunks = (
                row
                for number in _numbers(tables, keys).values()
                for row in tables.chunk_rows(number)
            )
            return sum(1 for _ in islice(chunks, at_most))

    def merge(self, run_id: str, *, final: bool = False) -> None:
        """Pack what is pending; see :func:`quark.storage.merge.merge_run`.

        Raises:
            DamagedFileError: Something pending was damaged; it has been set aside, and all else
                is packed.
        """
        with self._use(run_id) as run:
            merge_run(run, final=final, clock=self._clock)


def _numbers(tables: RunTables, keys: Sequence[str]) -> dict[str, int]:
    return tables.key_numbers([key for key in keys if _is_utf8(key)])


def _is_utf8(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _newest_first(
    reader: PackedReader, key: str, rows: Sequence[ChunkRow], pending: Sequence[Piece]
) -> Iterator[Piece]:
    yield from reversed(pending)
    newest = rows[::-1]
    for axis, values in zip(reader.axes(key, newest), reader.values(key, newest), strict=True):
        yield Piece(axis, values)


def _selected(newest_first: Iterator[Piece], chosen: Selection, steps_only: bool) -> Piece:
    """Return the selected points in order of arrival; unpack no more than the limit needs."""
    kept: list[Piece] = []
    count = 0
    while chosen.limit is None or count < chosen.limit:
        piece = next(newest_first, None)
        if piece is None:
            break
        if not chosen.is_everything:
            mask = chosen.mask(piece.axis.step, piece.axis.epoch)
            if not mask.all():
                axis = piece.axis
                empty = axis.seq[:0]
                axis = (
                    Axis(empty, empty, axis.step[mask], empty, empty)
                    if steps_only
                    else axis.take(mask)
                )
                piece = Piece(axis, piece.value[mask])
        kept.append(piece)
        count += len(piece.value)
    return _last_of(kept[::-1], count if chosen.limit is None else min(chosen.limit, count))


def _last_of(pieces: Sequence[Piece], count: int) -> Piece:
    if not pieces:
        empty = np.empty(0, dtype=np.int64)
        return Piece(Axis(empty, empty, empty, empty, empty), np.empty(0))
    axis = joined([piece.axis for piece in pieces])
    value = np.concatenate([piece.value for piece in pieces])
    if count == len(value):
        return Piece(axis, value)
    return Piece(Axis(*(_tail(column, count) for column in axis)), value[len(value) - count :])


def _tail(column: Int64Array, count: int) -> Int64Array:
    return column[max(0, len(column) - count) :]


def _series(key: str, writers: tuple[str, ...], piece: Piece, columns: Columns) -> Series:
    axis = piece.axis
    empty = axis.step[:0]
    has_all = columns == "all"
    return Series(
        key=key,
        writers=writers,
        writer=axis.writer if has_all else empty,
        seq=axis.seq if has_all else empty,
        step=axis.step,
        epoch=axis.epoch if has_all else empty,
        time_us=axis.time_us if has_all else empty,
        value=piece.value,
    )


def _added(packed: KeyStats | None, pending: KeyStats | None) -> KeyStats | None:
    """Join what is known of a key's chunks and of its pending points, which came later."""
    if packed is None or pending is None:
        return packed or pending
    lows = [low for low in (packed.step_min, pending.step_min) if low is not None]
    highs = [high for high in (packed.step_max, pending.step_max) if high is not None]
    return KeyStats(
        key=pending.key,
        count=packed.count + pending.count,
        nonfinite_count=packed.nonfinite_count + pending.nonfinite_count,
        step_min=min(lows, default=None),
        step_max=max(highs, default=None),
        last_step=pending.last_step,
        last_epoch=pending.last_epoch,
        last_time_us=pending.last_time_us,
        last_value=pending.last_value,
    )
