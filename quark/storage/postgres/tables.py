"""A run's points in PostgreSQL, as merging and reading ask for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from quark.storage.postgres.connection import DeadlineConnection
from quark.storage.postgres.engine import PostgresEngine
from quark.storage.postgres.run_rows import RunRows
from quark.storage.postgres.stored_text import restored, stored
from quark.storage.run_tables import MergeState, NewChunk, Pending, TailRow

if TYPE_CHECKING:
    from quark.storage.axis import AxisStats

#: How many blobs are fetched at once: few at first, as a reader may not want more.
_FIRST_BODIES = 4
_MOST_BODIES = 256

_CHUNK_ROWS = """
SELECT c.id, c.axis_id, c.point_count, c.nonfinite_count, c.minimum, c.maximum, c.total, c.last,
       a.step_min, a.step_max, a.epoch_min, a.epoch_max, a.is_ordered
FROM quark.chunk c JOIN quark.axis a ON a.run = c.run AND a.id = c.axis_id
WHERE c.run = %s AND c.key_id = %s ORDER BY c.id
"""
_STATS = """
SELECT t.key_id, t.point_count, t.nonfinite_count, t.step_min, t.step_max,
       a.last_step, a.last_epoch, a.last_time_us, c.last
FROM (SELECT c.run, c.key_id, sum(c.point_count)::bigint AS point_count,
             sum(c.nonfinite_count)::bigint AS nonfinite_count,
             min(a.step_min) AS step_min, max(a.step_max) AS step_max, max(c.id) AS last_id
      FROM quark.chunk c JOIN quark.axis a ON a.run = c.run AND a.id = c.axis_id
      WHERE c.run = %s GROUP BY c.run, c.key_id) AS t
JOIN quark.chunk c ON c.run = t.run AND c.id = t.last_id
JOIN quark.axis a ON a.run = c.run AND a.id = c.axis_id
"""
_ADD_CHUNKS = """
INSERT INTO quark.chunk (run, axis_id, point_count, id, key_id, nonfinite_count, minimum, maximum,
                         total, last, is_tail, body)
SELECT %s::bigint, %s::bigint, %s::bigint, *
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[],
            %s::float8[], %s::boolean[], %s::bytea[])
"""
_REMOVE_SEGMENTS = """
WITH gone AS (
    DELETE FROM quark.segment WHERE run = %s AND id <= %s RETURNING point_count
)
UPDATE quark.run_state SET pending_segments = pending_segments - counted.segments,
                           pending_points = pending_points - counted.points
FROM (SELECT count(*) AS segments, coalesce(sum(point_count), 0)::bigint AS points FROM gone)
     AS counted
WHERE run = %s
"""


class PostgresRun:
    """A :class:`~quark.storage.run_tables.PackedRun` of one namespace."""

    def __init__(self, engine: PostgresEngine, runs: RunRows, run_id: str) -> None:
        self.run_id = run_id
        self._engine = engine
        self._runs = runs

    def pending_hint(self) -> Pending | None:
        known = self._engine.known_runs.peek(self._runs.namespace, self.run_id)
        return None if known is None else known.pending

    @contextmanager
    def reading(self) -> Iterator[PostgresTables]:
        with self._engine.reading() as connection:
            yield PostgresTables(connection, self._runs.number(self.run_id, connection))

    @contextmanager
    def writing(self) -> Iterator[PostgresTables]:
        with self._engine.writing() as connection:
            tables = PostgresTables(connection, self._runs.lock(self.run_id, connection))
            yield tables
            tables.flush()

    def shrink(self) -> None:
        """Nothing: the server's autovacuum does that."""


class PostgresTables:
    """A :class:`~quark.storage.run_tables.RunTables` on one connection's open transaction."""

    def __init__(self, connection: DeadlineConnection, run: int) -> None:
        self._connection = connection
        self._run = run
        self._last_axis: int | None = None
        self._last_chunk = 0

    def keys_from(self, number: int) -> Iterable[tuple[str, int]]:
        rows = self._ask(
            "SELECT name, id FROM quark.metric_key WHERE run = %s AND id >= %s", self._run, number
        )
        return [(restored(name), key_id) for name, key_id in rows]

    def add_keys(self, numbered: Sequence[tuple[str, int]]) -> None:
        self._ask(
            "INSERT INTO quark.metric_key (run, name, id) "
            "SELECT %s::bigint, * FROM unnest(%s::text[], %s::bigint[])",
            self._run,
            [stored(name) for name, _ in numbered],
            [number for _, number in numbered],
        )

    def key_numbers(self, keys: Sequence[str]) -> dict[str, int]:
        rows = self._ask(
            "SELECT name, id FROM quark.metric_key WHERE run = %s AND name = ANY(%s::text[])",
            self._run,
            [stored(key) for key in keys],
        )
        return {restored(name): key_id for name, key_id in rows}

    def key_names(self) -> list[str]:
        rows = self._ask("SELECT name FROM quark.metric_key WHERE run = %s ORDER BY id", self._run)
        return [restored(name) for (name,) in rows]

    def writers(self) -> tuple[str, ...]:
        rows = self._ask("SELECT name FROM quark.writer WHERE run = %s ORDER BY id", self._run)
        return tuple(name for (name,) in rows)

    def pending(self) -> Pending:
        (row,) = self._ask(
            "SELECT pending_segments, pending_points, "
            "(SELECT coalesce(max(id) + 1, 0) FROM quark.metric_key k WHERE k.run = s.run) "
            "FROM quark.run_state s WHERE run = %s",
            self._run,
        )
        return Pending._make(row)

    def segments(self) -> Iterator[tuple[int, bytes]]:
        last_id, size = 0, _FIRST_BODIES
        while True:
            rows = self._ask(
                "SELECT id, body FROM quark.segment WHERE run = %s AND id > %s ORDER BY id "
                "LIMIT %s",
                *(self._run, last_id, size),
            )
            yield from rows
            if len(rows) < size:
                return
            last_id, size = rows[-1][0], min(4 * size, _MOST_BODIES)

    def chunk_rows(self, key_number: int) -> Iterable[Sequence[Any]]:
        return self._ask(_CHUNK_ROWS, self._run, key_number)

    def chunk_bodies(self, chunk_ids: Sequence[int]) -> Iterator[bytes]:
        return self._bodies("chunk", chunk_ids)

    def axis_bodies(self, axis_ids: Sequence[int]) -> Iterator[bytes]:
        return self._bodies("axis", axis_ids)

    def packed_stats(self) -> Iterable[Sequence[Any]]:
        return self._ask(_STATS, self._run)

    def tail_counts(self) -> Iterable[tuple[int, int, int]]:
        rows = self._ask(
            "SELECT key_id, count(*), sum(point_count)::bigint FROM quark.chunk "
            "WHERE run = %s AND is_tail GROUP BY key_id ORDER BY key_id",
            self._run,
        )
        return [(key, chunks, points) for key, chunks, points in rows]

    def tails(self, key_numbers: Collection[int]) -> Iterable[TailRow]:
        rows = self._ask(
            "SELECT key_id, id, axis_id, body FROM quark.chunk "
            "WHERE run = %s AND is_tail AND key_id = ANY(%s::bigint[]) ORDER BY key_id, id",
            self._run,
            list(key_numbers),
        )
        return map(TailRow._make, rows)

    def merge_state(self) -> MergeState:
        (row,) = self._ask(
            "SELECT merge_generation, merge_claimed_until_us FROM quark.run_state WHERE run = %s",
            self._run,
        )
        return MergeState._make(row)

    def set_merge_state(self, state: MergeState) -> None:
        self._ask(
            "UPDATE quark.run_state SET merge_generation = %s, merge_claimed_until_us = %s "
            "WHERE run = %s",
            *(*state, self._run),
        )

    def set_aside(self, damaged: Sequence[tuple[int, str]]) -> None:
        for segment_id, reason in damaged:
            self._ask(
                "INSERT INTO quark.damaged (run, source, body) "
                "SELECT run, 'segment ' || id || ': ' || %s::text, body FROM quark.segment "
                "WHERE run = %s AND id = %s",
                *(stored(reason), self._run, segment_id),
            )

    def remove_segments(self, last_id: int) -> None:
        self._ask(_REMOVE_SEGMENTS, self._run, last_id, self._run)

    def end_tails(self, key_numbers: Sequence[int]) -> None:
        self._ask(
            "UPDATE quark.chunk SET is_tail = false "
            "WHERE run = %s AND is_tail AND key_id = ANY(%s::bigint[])",
            *(self._run, list(key_numbers)),
        )

    def add_axis(self, use_count: int, stats: AxisStats, body: bytes) -> int:
        self._load_ids()
        assert self._last_axis is not None
        self._last_axis += 1
        self._ask(
            "INSERT INTO quark.axis (run, id, use_count, step_min, step_max, epoch_min, "
            "epoch_max, time_min_us, time_max_us, last_step, last_epoch, last_time_us, is_ordered, "
            f"body) VALUES ({', '.join(['%s'] * 14)})",
            *(self._run, self._last_axis, use_count, *stats, body),
        )
        return self._last_axis

    def add_chunks(self, axis_id: int, chunks: Iterable[NewChunk]) -> None:
        self._load_ids()
        rows = list(chunks)
        first = self._last_chunk + 1
        self._last_chunk += len(rows)
        self._ask(
            _ADD_CHUNKS,
            *(self._run, axis_id, rows[0].point_count),
            list(range(first, first + len(rows))),
            [row.key_number for row in rows],
            *map(list, zip(*(row.stats for row in rows), strict=True)),
            [row.is_tail for row in rows],
            [row.body for row in rows],
        )

    def remove_chunks(self, chunk_ids: Sequence[int]) -> None:
        self._ask(
            "DELETE FROM quark.chunk WHERE run = %s AND id = ANY(%s::bigint[])",
            *(self._run, list(chunk_ids)),
        )

    def release_axes(self, use_counts: Mapping[int, int]) -> None:
        self._ask(
            "UPDATE quark.axis a SET use_count = use_count - u.uses "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS u (id, uses) "
            "WHERE a.run = %s AND a.id = u.id",
            *(list(use_counts), list(use_counts.values()), self._run),
        )
        self._ask(
            "DELETE FROM quark.axis WHERE run = %s AND id = ANY(%s::bigint[]) AND use_count <= 0",
            *(self._run, list(use_counts)),
        )

    def flush(self) -> None:
        """Note which ids have been given; before the end of a transaction that writes."""
        if self._last_axis is not None:
            self._ask(
                "UPDATE quark.run_state SET last_axis = %s, last_chunk = %s WHERE run = %s",
                *(self._last_axis, self._last_chunk, self._run),
            )

    def _load_ids(self) -> None:
        if self._last_axis is None:
            sql = "SELECT last_axis, last_chunk FROM quark.run_state WHERE run = %s"
            ((self._last_axis, self._last_chunk),) = self._ask(sql, self._run)

    def _bodies(self, table: str, row_ids: Sequence[int]) -> Iterator[bytes]:
        first, size = 0, _FIRST_BODIES
        while first < len(row_ids):
            part = row_ids[first : first + size]
            rows = self._ask(
                f"SELECT id, body FROM quark.{table} WHERE run = %s AND id = ANY(%s::bigint[])",
                *(self._run, list(part)),
            )
            found = dict(rows)
            yield from (found.get(row_id, b"") for row_id in part)
            first, size = first + size, min(4 * size, _MOST_BODIES)

    def _ask(self, sql: str, *values: Any) -> list[Any]:
        cursor = self._connection.ask(sql, values)
        return cursor.fetchall() if cursor.description else []
