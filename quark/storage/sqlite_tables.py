"""A run's points in its own SQLite file, as merging and reading ask for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from quark.storage.run_tables import MergeState, NewChunk, Pending, TailRow

if TYPE_CHECKING:
    from quark.storage.axis import AxisStats
    from quark.storage.run_db import RunDb

_CHUNK_ROWS = """
SELECT chunk.id, axis_id, point_count, nonfinite_count, minimum, maximum, total, last,
       step_min, step_max, epoch_min, epoch_max, is_ordered
FROM chunk JOIN axis ON axis.id = axis_id WHERE key_id = ? ORDER BY chunk.id
"""

_STATS = """
SELECT totals.key_id, totals.point_count, totals.nonfinite_count, totals.step_min, totals.step_max,
       axis.last_step, axis.last_epoch, axis.last_time_us, chunk.last
FROM (SELECT key_id, sum(point_count) AS point_count, sum(nonfinite_count) AS nonfinite_count,
             min(step_min) AS step_min, max(step_max) AS step_max, max(chunk.id) AS last_id
      FROM chunk JOIN axis ON axis.id = axis_id GROUP BY key_id) AS totals
JOIN chunk ON chunk.id = totals.last_id JOIN axis ON axis.id = chunk.axis_id
"""


class SqlitePackedRun:
    """A :class:`~quark.storage.run_tables.PackedRun` over a run's file, which it does not own."""

    def __init__(self, run_db: RunDb) -> None:
        self._run_db = run_db

    @property
    def run_id(self) -> str:
        return self._run_db.run_id

    def pending_hint(self) -> None:
        """Nothing: it costs as little to ask the file."""

    @contextmanager
    def reading(self) -> Iterator[SqliteTables]:
        with self._run_db.reading() as connection:
            yield SqliteTables(connection)

    @contextmanager
    def writing(self) -> Iterator[SqliteTables]:
        with self._run_db.writing() as connection:
            yield SqliteTables(connection)

    def shrink(self) -> None:
        self._run_db.file.shrink()


class SqliteTables:
    """A :class:`~quark.storage.run_tables.RunTables` on one connection's open transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def keys_from(self, number: int) -> Iterable[tuple[str, int]]:
        return self._connection.execute("SELECT name, id FROM key WHERE id >= ?", (number,))

    def add_keys(self, numbered: Sequence[tuple[str, int]]) -> None:
        self._connection.executemany("INSERT INTO key (name, id) VALUES (?, ?)", numbered)

    def key_numbers(self, keys: Sequence[str]) -> dict[str, int]:
        numbers = {}
        for key in keys:
            row = self._connection.execute("SELECT id FROM key WHERE name = ?", (key,)).fetchone()
            if row is not None:
                numbers[key] = int(row[0])
        return numbers

    def key_names(self) -> list[str]:
        return [row[0] for row in self._connection.execute("SELECT name FROM key ORDER BY id")]

    def writers(self) -> tuple[str, ...]:
        rows = self._connection.execute("SELECT name FROM writer ORDER BY id")
        return tuple(row[0] for row in rows)

    def pending(self) -> Pending:
        segment_count, point_count = self._connection.execute(
            "SELECT count(*), coalesce(sum(point_count), 0) FROM segment"
        ).fetchone()
        row = self._connection.execute("SELECT coalesce(max(id) + 1, 0) FROM key").fetchone()
        return Pending(segment_count, point_count, row[0])

    def segments(self) -> Iterator[tuple[int, bytes]]:
        return self._connection.execute("SELECT id, body FROM segment ORDER BY id")

    def chunk_rows(self, key_number: int) -> Iterable[Sequence[Any]]:
        return self._connection.execute(_CHUNK_ROWS, (key_number,))

    def chunk_bodies(self, chunk_ids: Sequence[int]) -> Iterator[bytes]:
        return self._bodies("SELECT body FROM chunk WHERE id = ?", chunk_ids)

    def axis_bodies(self, axis_ids: Sequence[int]) -> Iterator[bytes]:
        return self._bodies("SELECT body FROM axis WHERE id = ?", axis_ids)

    def packed_stats(self) -> Iterable[Sequence[Any]]:
        return self._connection.execute(_STATS)

    def tail_counts(self) -> Iterable[tuple[int, int, int]]:
        return self._connection.execute(
            "SELECT key_id, count(*), sum(point_count) FROM chunk WHERE is_tail = 1 GROUP BY key_id"
        )

    def tails(self, key_numbers: Collection[int]) -> Iterable[TailRow]:
        for number in key_numbers:
            for chunk_id, axis_id, body in self._connection.execute(
                "SELECT id, axis_id, body FROM chunk WHERE is_tail = 1 AND key_id = ? ORDER BY id",
                (number,),
            ):
                yield TailRow(number, chunk_id, axis_id, body)

    def merge_state(self) -> MergeState:
        return MergeState(self._meta("merge_generation"), self._meta("merge_claimed_until_us"))

    def set_merge_state(self, state: MergeState) -> None:
        self._connection.executemany(
            "UPDATE meta SET value = ? WHERE name = ?",
            [
                (str(state.generation), "merge_generation"),
                (str(state.claimed_until_us), "merge_claimed_until_us"),
            ],
        )

    def set_aside(self, damaged: Sequence[tuple[int, str]]) -> None:
        self._connection.executemany(
            "INSERT INTO damaged (source, body) "
            "SELECT 'segment ' || id || ': ' || ?, body FROM segment WHERE id = ?",
            [(reason, segment_id) for segment_id, reason in damaged],
        )

    def remove_segments(self, last_id: int) -> None:
        self._connection.execute("DELETE FROM segment WHERE id <= ?", (last_id,))

    def end_tails(self, key_numbers: Sequence[int]) -> None:
        self._connection.executemany(
            "UPDATE chunk SET is_tail = 0 WHERE is_tail = 1 AND key_id = ?",
            [(number,) for number in key_numbers],
        )

    def add_axis(self, use_count: int, stats: AxisStats, body: bytes) -> int:
        row_id = self._connection.execute(
            "INSERT INTO axis (use_count, step_min, step_max, epoch_min, epoch_max, time_min_us, "
            "time_max_us, last_step, last_epoch, last_time_us, is_ordered, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (use_count, *stats, body),
        ).lastrowid
        assert row_id is not None
        return row_id

    def add_chunks(self, axis_id: int, chunks: Iterable[NewChunk]) -> None:
        self._connection.executemany(
            "INSERT INTO chunk (key_id, axis_id, point_count, nonfinite_count, minimum, maximum, "
            "total, last, is_tail, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (number, axis_id, point_count, *stats, is_tail, body)
                for number, point_count, stats, is_tail, body in chunks
            ),
        )

    def remove_chunks(self, chunk_ids: Sequence[int]) -> None:
        self._connection.executemany(
            "DELETE FROM chunk WHERE id = ?", [(chunk_id,) for chunk_id in chunk_ids]
        )

    def release_axes(self, use_counts: Mapping[int, int]) -> None:
        for axis_id, use_count in use_counts.items():
            self._connection.execute(
                "UPDATE axis SET use_count = use_count - ? WHERE id = ?", (use_count, axis_id)
            )
            self._connection.execute("DELETE FROM axis WHERE id = ? AND use_count <= 0", (axis_id,))

    def _bodies(self, sql: str, row_ids: Sequence[int]) -> Iterator[bytes]:
        for row_id in row_ids:
            row = self._connection.execute(sql, (row_id,)).fetchone()
            yield bytes(row[0]) if row is not None else b""

    def _meta(self, name: str) -> int:
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return int(row[0])
