"""Records in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from quark import ids, jsonio
from quark.clock import format_timestamp
from quark.records import ProjectRecord, Record, RunRecord
from quark.records.codec import decode_record
from quark.storage.judgements import overall_health
from quark.storage.model import RecordFilter, RunChanges, RunHealth, RunQuery, StoredRecord
from quark.storage.postgres.engine import PostgresEngine
from quark.storage.postgres.run_rows import RunRows
from quark.storage.postgres.stored_text import storable
from quark.storage.selection import check_filters, default_of, parse_record_id, selection

R = TypeVar("R", bound=Record)

#: Records that are fetched at once.
_PART = 5_000
_HIGHEST = 2**63 - 1


class PostgresRecords:
    """A :class:`~quark.storage.protocols.RecordStore` of one namespace."""

    def __init__(
        self, engine: PostgresEngine, runs: RunRows, check_open: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._runs = runs
        self._check_open = check_open

    def get_run(self, run_id: str) -> RunRecord:
        self._check_open()
        return self._runs.get(run_id)

    def list_runs(self, query: RunQuery = RunQuery()) -> tuple[RunRecord, ...]:
        self._check_open()
        return self._runs.list_runs(query)

    def changed_runs(self, known: Mapping[str, object]) -> RunChanges:
        self._check_open()
        return self._runs.changed_runs(known)

    def healths(self) -> dict[str, RunHealth]:
        self._check_open()
        found: dict[str, list[tuple[str, str]]] = {}
        for run_id, kind, body in self._runs.judgements():
            found.setdefault(run_id, []).append((kind, body))
        judged = {run_id: overall_health(records) for run_id, records in found.items()}
        return {run_id: health for run_id, health in judged.items() if health is not None}

    def list_projects(self) -> tuple[ProjectRecord, ...]:
        self._check_open()
        return tuple(
            ProjectRecord(
                id=ids.project_id(workspace, name),
                name=name,
                workspace=workspace,
                created_at=created_at,
                updated_at=updated_at,
            )
            for name, workspace, created_at, updated_at in self._runs.list_projects()
        )

    def delete_run(self, run_id: str) -> None:
        self._check_open()
        self._runs.delete(run_id)

    def read(
        self, kind: type[R], run_id: str, where: RecordFilter = RecordFilter()
    ) -> tuple[R, ...]:
        self._check_open()
        equals = check_filters(kind, where.equals)
        chosen = selection(where.steps)
        number = self._runs.number(run_id)
        conditions = ["r.run = %s", "r.kind = %s"]
        values: list[Any] = [number, kind.KIND]
        for column, bounds in (("step", chosen.step), ("epoch", chosen.epoch)):
            if bounds is not None:
                conditions.append(f"r.{column} BETWEEN %s AND %s")
                values += bounds
        if "id" in equals and not _narrow_to_ids(kind, run_id, equals["id"], conditions, values):
            return ()
        fields = {name: wanted for name, wanted in equals.items() if name != "id"}
        found: list[R] = []
        limit = _HIGHEST if chosen.limit is None else chosen.limit
        for part in self._newest_first(conditions, values, limit if not fields else None):
            for writer_id, seq, ordinal, time_us, text in part:
                body = jsonio.loads(text)
                if len(found) < limit and _matches(kind, body, fields):
                    found.append(_decode(kind, run_id, writer_id, seq, ordinal, time_us, body))
            if len(found) >= limit:
                break
        return tuple(reversed(found))

    def scan(
        self, run_id: str, kinds: Collection[str], *, after: int = 0
    ) -> Iterator[Sequence[StoredRecord]]:
        self._check_open()
        number = self._runs.number(run_id)
        while True:
            rows = self._engine.ask(
                "SELECT r.position, w.name, r.seq, r.ordinal, r.kind, r.step, r.epoch, r.time_us, "
                "r.body FROM quark.record r JOIN quark.writer w "
                "ON w.run = r.run AND w.id = r.writer_id WHERE r.run = %s AND r.position > %s "
                "AND r.kind = ANY(%s::text[]) ORDER BY r.position LIMIT %s",
                (number, after, list(kinds), _PART),
            )
            if rows:
                yield [StoredRecord._make(row) for row in rows]
                after = rows[-1][0]
            if len(rows) < _PART:
                return

    def count(self, run_id: str) -> dict[str, int]:
        self._check_open()
        number = self._runs.number(run_id)
        sql = "SELECT kind, count(*) FROM quark.record WHERE run = %s GROUP BY kind"
        return dict(self._engine.ask(sql, (number,)))

    def _newest_first(
        self, conditions: Sequence[str], values: Sequence[Any], limit: int | None
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield rows in parts; all at once if it is known how many are wanted."""
        before = _HIGHEST
        size = _PART if limit is None else min(limit, _HIGHEST)
        while True:
            rows = self._engine.ask(
                "SELECT r.position, w.name, r.seq, r.ordinal, r.time_us, r.body "
                "FROM quark.record r JOIN quark.writer w ON w.run = r.run AND w.id = r.writer_id "
                f"WHERE {' AND '.join(conditions)} AND r.position < %s "
                "ORDER BY r.position DESC LIMIT %s",
                (*values, before, size),
            )
            yield [row[1:] for row in rows]
            if limit is not None or len(rows) < size:
                return
            before = rows[-1][0]


def _narrow_to_ids(
    kind: type[Record],
    run_id: str,
    wanted: Sequence[Any],
    conditions: list[str],
    values: list[Any],
) -> bool:
    """Add what selects records by id; False if none can have one of these."""
    if kind.KIND == RunRecord.KIND:
        return run_id in wanted
    places = [place for place in map(parse_record_id, wanted) if place and _is_stored(place[0])]
    conditions.append(
        "(w.name, r.seq, r.ordinal) IN "
        "(SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[]))"
    )
    values += [list(column) for column in zip(*places, strict=True)] or [[], [], []]
    return bool(places)


def _is_stored(writer_id: str) -> bool:
    return "\0" not in writer_id and storable(writer_id)


def _matches(
    kind: type[Record], body: Mapping[str, Any], fields: Mapping[str, tuple[Any, ...]]
) -> bool:
    # A body leaves out a field without value; it is read as the field's default.
    for name, wanted in fields.items():
        value = body.get(name)
        if (default_of(kind, name) if value is None else value) not in wanted:
            return False
    return True


def _decode(
    kind: type[R], run_id: str, writer_id: str, seq: int, ordinal: int, time_us: int, body: Any
) -> R:
    is_run = kind.KIND == RunRecord.KIND
    return decode_record(
        kind,
        body,
        record_id=run_id if is_run else ids.record_id(writer_id, seq, ordinal),
        run_id=run_id,
        timestamp=format_timestamp(time_us),
    )
