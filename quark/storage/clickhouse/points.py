"""Points of one namespace in ClickHouse.

Which rows count is not ClickHouse's to say: whoever asks says up to which frame each writer's have
been applied. What lies above is of an append that has not ended yet, or never did, and will come
again; a row that came twice is one point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from quark.errors import RecordRejectedError, SchemaValidationError
from quark.storage.bucketing import no_buckets
from quark.storage.clickhouse.arrival import by_arrival, by_frame
from quark.storage.clickhouse.buckets import bucket_series, read_buckets
from quark.storage.clickhouse.engine import ClickHouseEngine
from quark.storage.clickhouse.key_stats import read_keys
from quark.storage.clickhouse.literals import text
from quark.storage.clickhouse.native import Answer
from quark.storage.clickhouse.point_rows import checked_keys, encode_rows
from quark.storage.clickhouse.visible import Positions, bounds, is_visible, place_in
from quark.storage.model import (
    EVERYTHING,
    Buckets,
    Columns,
    KeyStats,
    PointBlock,
    Series,
    StepRange,
)
from quark.storage.selection import Selection, selection

if TYPE_CHECKING:
    from quark.storage.model import Int64Array

_MOST_KEYS_AT_ONCE = 500


class ClickHousePoints:
    """The points of one namespace; creating it asks nothing. Does not own the engine.

    Reads take ``positions``: the runs' writers in their order, and up to which frame each one's
    points count. Rows of writers that are not in it do not exist.
    """

    def __init__(
        self, engine: ClickHouseEngine, namespace_id: str, *, retention_days: int | None = None
    ) -> None:
        self._engine = engine
        self._namespace_id = namespace_id
        self._retention_days = retention_days

    @property
    def target(self) -> str:
        """Where this is, as a URL without secrets."""
        return self._engine.target

    def check_keys(self, blocks: Sequence[PointBlock]) -> None:
        """Refuse blocks with keys that cannot be kept.

        Raises:
            RecordRejectedError: A key is empty, too long, no UTF-8, or twice in a block.
        """
        for block in blocks:
            checked_keys(block.keys)

    def next_arrival(self) -> int:
        """Return the place in the order of arrival of what arrives now."""
        return self._engine.next_arrival()

    def append(
        self,
        run_id: str,
        writer_id: str,
        blocks: Sequence[PointBlock],
        *,
        arrival: int | None = None,
    ) -> None:
        """Store blocks that are not empty. Points that are stored already replace themselves.

        Args:
            arrival: What :meth:`next_arrival` said before the writer's position was looked up. Of
                a point that came twice, the later arrival counts: it is the one that was applied,
                as one that was applied is not stored again.

        Raises:
            RecordRejectedError: A key or a name cannot be kept.
            SessionStoreError: The server cannot take them now; they may be stored.
        """
        if not blocks:
            return
        try:
            rows = encode_rows(
                self._namespace_id,
                run_id,
                writer_id,
                blocks,
                arrival=self.next_arrival() if arrival is None else arrival,
                expires_at=self._engine.expires_at(self._retention_days),
            )
        except UnicodeEncodeError as error:
            raise RecordRejectedError(
                f"Writer {writer_id!r} of run {run_id!r} cannot be written as UTF-8."
            ) from error
        self._engine.insert(rows)

    def delete_run(self, run_id: str) -> None:
        """Remove all points of a run.

        Raises:
            SessionStoreError: The server could not be reached, refused, or is not done yet.
        """
        self._engine.delete(self._of_run(run_id))

    def writers(self, run_id: str) -> tuple[str, ...]:
        """Return every writer of which the run has a row, counting or not."""
        answer = self._engine.query(
            f"SELECT CAST(writer_id AS String) AS writer FROM {self._engine.table} "
            f"WHERE {self._of_run(run_id)} GROUP BY writer ORDER BY writer"
        )
        return tuple(answer.strings("writer"))

    def many_series(
        self,
        run_id: str,
        keys: Sequence[str],
        steps: StepRange = EVERYTHING,
        *,
        columns: Columns = "all",
        positions: Positions,
    ) -> dict[str, Series]:
        """Return several keys' points; see :class:`~quark.storage.protocols.PointStore`."""
        chosen = selection(steps)
        found: dict[str, Series] = {}
        askable = [key for key in dict.fromkeys(keys) if _is_utf8(key)]
        if positions and chosen.limit != 0:
            for first in range(0, len(askable), _MOST_KEYS_AT_ONCE):
                asked = askable[first : first + _MOST_KEYS_AT_ONCE]
                found |= self._read(run_id, asked, chosen, columns, positions)
        nothing = Answer({})
        empty = np.empty(0, dtype=np.int64)
        return {
            key: found.get(key) or _series(key, nothing, empty, columns, positions) for key in keys
        }

    def buckets(
        self,
        run_id: str,
        key: str,
        bucket_count: int,
        steps: StepRange = EVERYTHING,
        *,
        positions: Positions,
    ) -> Buckets:
        """Cut a key's points into buckets; see :class:`~quark.storage.protocols.PointStore`."""
        if bucket_count < 1:
            raise SchemaValidationError(f"bucket_count is {bucket_count}; it must be 1 or more.")
        chosen = selection(steps)
        if not positions or not _is_utf8(key):
            return no_buckets(key)
        if chosen.limit is None:
            where = self._where(run_id, [key], chosen, positions)
            return read_buckets(self._engine, where, key, bucket_count)
        series = self.many_series(run_id, [key], steps, columns="step_value", positions=positions)
        return bucket_series(series[key], bucket_count)

    def keys(self, run_id: str, *, positions: Positions) -> dict[str, KeyStats]:
        """Return every key with its count and last point, by first arrival."""
        if not positions:
            return {}
        where = f"{self._of_run(run_id)} AND {is_visible(positions)}"
        return read_keys(self._engine, where)

    def _read(
        self,
        run_id: str,
        keys: Sequence[str],
        chosen: Selection,
        columns: Columns,
        positions: Positions,
    ) -> dict[str, Series]:
        limit = ""
        if chosen.limit is not None:
            count = min(chosen.limit, 2**62)
            limit = f" ORDER BY seq DESC, occurrence DESC LIMIT {count} BY key, writer_id"
        names = ["seq", "occurrence", "step", "value"]
        if columns == "all":
            names += ["epoch", "time_us"]
        if len(positions) > 1:
            names += [f"{place_in('writer_id', positions)} AS writer", "arrival"]
        if len(keys) > 1:
            names.append(f"{place_in('key', keys)} AS key_place")
        where = self._where(run_id, keys, chosen, positions)
        for final in ("", " FINAL"):  # rows that came twice are rare, and FINAL is slow
            table = f"{self._engine.table}{final}"
            answer = self._engine.query(f"SELECT {', '.join(names)} FROM {table} {where}{limit}")
            found = dict(_by_key(answer, keys, chosen, columns, positions))
            if len(found) == len(keys):
                break
        return found

    def _where(
        self, run_id: str, keys: Sequence[str], chosen: Selection, positions: Positions
    ) -> str:
        conditions = [
            self._of_run(run_id),
            f"key IN ({', '.join(map(text, keys))})",
            is_visible(positions),
            *bounds("step", chosen.step),
            *bounds("epoch", chosen.epoch),
        ]
        return f"WHERE {' AND '.join(conditions)}"

    def _of_run(self, run_id: str) -> str:
        return f"namespace_id = {text(self._namespace_id)} AND run_id = {text(run_id)}"


def _by_key(
    answer: Answer,
    keys: Sequence[str],
    chosen: Selection,
    columns: Columns,
    positions: Positions,
) -> Iterator[tuple[str, Series]]:
    """Yield the series of the keys, without those of which a row came twice."""
    seq, occurrence = answer.ints("seq"), answer.ints("occurrence")
    several = len(positions) > 1
    writer = answer.ints("writer") if several else np.broadcast_to(np.int64(0), len(seq))
    rows_of = [np.arange(len(seq))]
    if len(keys) > 1:
        place = answer.ints("key_place")
        by_place = np.argsort(place, kind="stable")
        ends = np.searchsorted(place[by_place], np.arange(1, len(keys)))
        rows_of = np.split(by_place, ends)
    for key, rows in zip(keys, rows_of, strict=True):
        order = by_frame(writer[rows], seq[rows], occurrence[rows])
        if order is None:
            continue
        if several and len(order):
            order = by_arrival(writer[rows], answer.ints("arrival")[rows], order)
        if chosen.limit is not None:
            order = order[max(0, len(order) - chosen.limit) :]
        yield key, _series(key, answer, rows[order], columns, positions)


def _series(
    key: str, answer: Answer, rows: Int64Array, columns: Columns, positions: Positions
) -> Series:
    empty = rows[:0]
    wanted = rows if columns == "all" else empty
    zeros = np.zeros(len(wanted), dtype=np.int64)
    return Series(
        key=key,
        writers=tuple(positions),
        writer=answer.ints("writer")[wanted] if len(positions) > 1 and len(wanted) else zeros,
        seq=answer.ints("seq")[wanted],
        step=answer.ints("step")[rows],
        epoch=answer.ints("epoch")[wanted],
        time_us=answer.ints("time_us")[wanted],
        value=answer.floats("value")[rows],
    )


def _is_utf8(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
