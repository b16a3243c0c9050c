"""Runs as rows: how they are found, written, listed and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from quark.errors import RunNotFoundError
from quark.records import AnalysisRecord, HealthScoreRecord, RunRecord
from quark.records.codec import encode_body
from quark.storage.admission import is_run_id
from quark.storage.judgements import OVERALL
from quark.storage.model import RunChanges, RunQuery
from quark.storage.postgres.connection import DeadlineConnection
from quark.storage.postgres.engine import PostgresEngine
from quark.storage.postgres.schema import RUN_TABLES
from quark.storage.postgres.stored_text import restored, storable, stored
from quark.storage.run_state import creation_time_us, decode_run

_NUMBER = """
SELECT r.number FROM quark.run r JOIN quark.namespace n ON n.id = r.namespace_id
WHERE n.name = %s AND r.run_id = %s
"""
_LOCK = f"SELECT s.run FROM quark.run_state s WHERE s.run = ({_NUMBER}) FOR UPDATE"
_COLUMNS = (
    *("version", "workspace", "project_id", "project_name", "status", "run_group", "tags"),
    *("creation_time_us", "created_at", "updated_at", "timestamp", "body"),
)
_INSERT = f"""
WITH added AS (
    INSERT INTO quark.run (namespace_id, run_id, {", ".join(_COLUMNS)})
    VALUES (%s, %s, {", ".join(["%s"] * len(_COLUMNS))})
    ON CONFLICT (namespace_id, run_id) DO NOTHING RETURNING number
)
INSERT INTO quark.run_state (run, merge_generation)
SELECT number, (random() * (2::bigint ^ 62))::bigint FROM added RETURNING run
"""
_UPDATE = f"UPDATE quark.run SET {', '.join(f'{name} = %s' for name in _COLUMNS)} WHERE number = %s"
# A score of one side is left where it is; JSON may also write letters as escapes.
_JUDGEMENTS = r"""
SELECT r.run_id, e.kind, e.body FROM quark.run r
JOIN quark.namespace n ON n.id = r.namespace_id JOIN quark.record e ON e.run = r.number
WHERE n.name = %s AND (e.kind = %s OR e.kind = %s AND (e.body LIKE %s OR strpos(e.body, '\u') > 0))
ORDER BY e.run, e.position
"""
#: Deleting may have to touch much.
_DELETION_SECONDS = 600


class RunRows:
    """The rows of one namespace's runs."""

    def __init__(self, engine: PostgresEngine, namespace: str) -> None:
        self._engine = engine
        self.namespace = namespace

    def not_found(self, run_id: str) -> RunNotFoundError:
        """Return the error to raise."""
        where = f"namespace {self.namespace!r} of {self._engine.target}"
        return RunNotFoundError(f"There is no run {run_id!r} in {where}.")

    def number(self, run_id: str, connection: DeadlineConnection | None = None) -> int:
        """Return a run's number.

        Raises:
            RunNotFoundError: There is no such run.
        """
        return self._found(_NUMBER, run_id, connection)

    def lock(self, run_id: str, connection: DeadlineConnection) -> int:
        """Return a run's number, and keep all others from changing the run until the end of the
        transaction. What is read after this is what they have left.

        Raises:
            RunNotFoundError: There is no such run.
        """
        return self._found(_LOCK, run_id, connection)

    def get(self, run_id: str) -> RunRecord:
        """Return the run.

        Raises:
            RunNotFoundError: There is no such run.
        """
        rows = self._rows(
            "SELECT r.body, r.timestamp FROM quark.run r JOIN quark.namespace n "
            "ON n.id = r.namespace_id WHERE n.name = %s AND r.run_id = %s",
            run_id,
        )
        if not rows:
            raise self.not_found(run_id)
        return decode_run(run_id, *rows[0])

    def list_runs(self, query: RunQuery) -> tuple[RunRecord, ...]:
        """Return the runs that ``query`` asks for."""
        conditions, values = _conditions(query)
        if not all(storable(text) for text in _texts(values)):
            return ()
        order = "DESC" if query.newest_first else "ASC"
        rows = self._engine.ask(
            "SELECT r.run_id, r.body, r.timestamp FROM quark.run r "
            "JOIN quark.namespace n ON n.id = r.namespace_id "
            f"WHERE {' AND '.join(['n.name = %s', *conditions])} "
            f"ORDER BY r.creation_time_us {order}, r.run_id {order} LIMIT %s OFFSET %s",
            (self.namespace, *values, query.limit, query.offset),
        )
        return tuple(decode_run(restored(run_id), body, time) for run_id, body, time in rows)

    def changed_runs(self, known: Mapping[str, object]) -> RunChanges:
        """Return the runs whose rows are not those that ``known`` marks."""
        # A row has the mark of its own version, or of one before: it is given again then.
        rows = self._engine.ask(
            "SELECT r.number, r.run_id, r.version, r.creation_time_us FROM quark.run r "
            "JOIN quark.namespace n ON n.id = r.namespace_id WHERE n.name = %s",
            (self.namespace,),
        )
        marks: dict[str, object] = {restored(row[1]): (row[0], *row[2:]) for row in rows}
        wanted = [row[0] for row in rows if known.get(restored(row[1])) != (row[0], *row[2:])]
        if not wanted:
            return RunChanges(marks, ())
        found = self._engine.ask(
            "SELECT r.run_id, r.body, r.timestamp FROM quark.run r "
            "WHERE r.number = ANY(%s::bigint[])",
            (wanted,),
        )
        runs = tuple(decode_run(restored(run_id), body, time) for run_id, body, time in found)
        return RunChanges(marks, runs)

    def judgements(self) -> Iterator[tuple[str, str, str]]:
        """Yield run, kind and body of what says how runs are doing as a whole, in order of arrival
        within each run; and maybe a little more."""
        rows = self._engine.ask(
            _JUDGEMENTS,
            (self.namespace, AnalysisRecord.KIND, HealthScoreRecord.KIND, f"%{OVERALL}%"),
        )
        return ((restored(run_id), kind, body) for run_id, kind, body in rows)

    def list_projects(self) -> list[tuple[str, str, str, str]]:
        """Return name, workspace, first creation and last update of every project."""
        rows = self._engine.ask(
            "SELECT project_name, workspace, min(created_at), max(updated_at) FROM quark.run r "
            "JOIN quark.namespace n ON n.id = r.namespace_id WHERE n.name = %s "
            "GROUP BY project_name, workspace",
            (self.namespace,),
        )
        return sorted(
            (restored(name), restored(workspace), restored(created), restored(updated))
            for name, workspace, created, updated in rows
        )

    def insert(
        self, connection: DeadlineConnection, namespace_id: int, run: RunRecord
    ) -> int | None:
        """Create a run and return its number; None if somebody else was faster."""
        values = (namespace_id, stored(run.id), *_values(run, 1))
        row = connection.ask(_INSERT, values).fetchone()
        return None if row is None else int(row[0])

    def update(
        self, connection: DeadlineConnection, number: int, run: RunRecord, version: int
    ) -> None:
        """Write a run's row anew."""
        connection.ask(_UPDATE, (*_values(run, version), number))

    def delete(self, run_id: str) -> None:
        """Remove a run and everything that hangs on it.

        Raises:
            RunNotFoundError: There is no such run.
        """
        with self._engine.writing() as connection:
            number = self.lock(run_id, connection)
            with connection.patience(_DELETION_SECONDS):
                for table in RUN_TABLES:
                    column = "number" if table == "run" else "run"
                    connection.ask(f"DELETE FROM quark.{table} WHERE {column} = %s", (number,))
        self._engine.known_runs.drop(self.namespace, run_id)

    def _found(self, sql: str, run_id: str, connection: DeadlineConnection | None) -> int:
        rows = self._rows(sql, run_id, connection)
        if not rows:
            raise self.not_found(run_id)
        return int(rows[0][0])

    def _rows(
        self, sql: str, run_id: str, connection: DeadlineConnection | None = None
    ) -> list[tuple[Any, ...]]:
        if not is_run_id(run_id):
            raise RunNotFoundError(f"There is no run {run_id!r}: no run can have this id.")
        values = (self.namespace, stored(run_id))
        if connection is None:
            return self._engine.ask(sql, values)
        return connection.ask(sql, values).fetchall()


def _values(run: RunRecord, version: int) -> tuple[Any, ...]:
    return (
        version,
        stored(run.workspace),
        stored(run.project_id),
        stored(run.project_name),
        stored(run.status),
        None if run.group is None else stored(run.group),
        [stored(tag) for tag in run.tags],
        creation_time_us(run),
        stored(run.created_at),
        stored(run.updated_at),
        run.timestamp,
        encode_body(run).decode(),
    )


def _conditions(query: RunQuery) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if query.project is not None:
        conditions.append("(project_name = %s OR project_id = %s)")
        values += [stored(query.project)] * 2
    for column, wanted in (
        ("workspace", query.workspace),
        ("status", query.status),
        ("run_group", query.group),
    ):
        if wanted is not None:
            conditions.append(f"{column} = %s")
            values.append(stored(wanted))
    if query.tags:
        conditions.append("tags @> %s::text[]")
        values.append([stored(tag) for tag in query.tags])
    return conditions, values


def _texts(values: list[Any]) -> list[str]:
    return [text for value in values for text in ([value] if isinstance(value, str) else value)]
