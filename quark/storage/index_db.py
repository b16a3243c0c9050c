"""``index.db``: the list of runs of a store, for questions about many runs at once.

It only mirrors the rows that rest in the runs' own files, so it can be lost and made again
(:mod:`quark.storage.reindex`). A row never goes back to an older version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from quark import ids, jsonio
from quark.records import ProjectRecord, RunRecord
from quark.records.codec import encode_body
from quark.storage.judgements import Judged
from quark.storage.model import RunChanges, RunHealth, RunQuery
from quark.storage.run_state import creation_time_us, decode_run
from quark.storage.sqlite_file import SqliteFile
from quark.storage.sqlite_open import Schema

INDEX_SCHEMA = Schema(
    "index",
    (
        (
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            "CREATE TABLE run (run_id TEXT PRIMARY KEY, version INTEGER NOT NULL, "
            "workspace TEXT NOT NULL, project_id TEXT NOT NULL, project_name TEXT NOT NULL, "
            "status TEXT NOT NULL, run_group TEXT, tags TEXT NOT NULL, "
            "creation_time_us INTEGER NOT NULL, created_at TEXT NOT NULL, "
            "updated_at TEXT NOT NULL, timestamp TEXT NOT NULL, body TEXT NOT NULL)",
            "CREATE INDEX run_by_creation ON run (creation_time_us, run_id)",
            "CREATE INDEX run_by_project ON run (project_name, workspace, created_at, updated_at)",
        ),
    ),
)

_PUT = """
INSERT INTO run (run_id, version, workspace, project_id, project_name, status, run_group, tags,
                 creation_time_us, created_at, updated_at, timestamp, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT))
ON CONFLICT (run_id) DO UPDATE SET
    version = excluded.version, workspace = excluded.workspace,
    project_id = excluded.project_id, project_name = excluded.project_name,
    status = excluded.status, run_group = excluded.run_group, tags = excluded.tags,
    creation_time_us = excluded.creation_time_us, created_at = excluded.created_at,
    updated_at = excluded.updated_at, timestamp = excluded.timestamp, body = excluded.body
WHERE excluded.version > run.version
"""
# Made when it is needed, and of no version: it may be missing, and then is found in the runs.
_HEALTH = """
CREATE TABLE IF NOT EXISTS health (run_id TEXT PRIMARY KEY, position INTEGER NOT NULL, score REAL,
                                   status TEXT) WITHOUT ROWID
"""
_HAS_HEALTH = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'health'"
_PUT_HEALTH = """
INSERT INTO health (run_id, position, score, status) VALUES (?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET
    position = excluded.position, score = excluded.score, status = excluded.status
WHERE excluded.position > health.position
"""
#: A run that has just been made was not judged, whatever one before it of this id was.
_FORGET_HEALTH = """
INSERT OR REPLACE INTO health (run_id, position) SELECT ?, 0
WHERE NOT EXISTS (SELECT 1 FROM run WHERE run_id = ?)
"""


class IndexedRun(NamedTuple):
    """A run's row and how often it has been changed."""

    run: RunRecord
    version: int


class IndexDb:
    """The index of one store. Owns its connections."""

    def __init__(self, path: Path, project_root: str) -> None:
        self._file = SqliteFile(path, INDEX_SCHEMA)
        self._project_root = project_root

    def put(self, rows: Iterable[IndexedRun]) -> None:
        """Add runs or bring them up to date."""
        rows = list(rows)
        values = [_columns(row) for row in rows]
        new = [(row.run.id, row.run.id) for row in rows if row.version == 1]
        with self._file.writing(create=True) as connection:
            if new:
                connection.execute(_HEALTH)
                connection.executemany(_FORGET_HEALTH, new)
            connection.executemany(_PUT, values)

    def replace_all(self, rows: Collection[IndexedRun], keep: Collection[str]) -> None:
        """Make the index hold ``rows``, and of its old rows only the runs named in ``keep``."""
        values = [_columns(row) for row in rows]
        kept = {row.run.id for row in rows} | set(keep)
        with self._file.writing(create=True) as connection:
            known = [row[0] for row in connection.execute("SELECT run_id FROM run")]
            gone = [(run_id,) for run_id in known if run_id not in kept]
            stale = [(row.run.id,) for row in rows]
            connection.executemany("DELETE FROM run WHERE run_id = ?", gone + stale)
            connection.execute("DROP TABLE IF EXISTS health")
            connection.executemany(_PUT, values)

    def remove(self, run_id: str) -> bool:
        """Remove a run; say whether it was there."""
        try:
            with self._file.writing() as connection:
                return (
                    connection.execute("DELETE FROM run WHERE run_id = ?", (run_id,)).rowcount > 0
                )
        except FileNotFoundError:
            return False

    def list_runs(self, query: RunQuery) -> tuple[RunRecord, ...]:
        """Return the runs that ``query`` asks for."""
        conditions, values = _conditions(query)
        order = "DESC" if query.newest_first else "ASC"
        sql = (
            "SELECT run_id, body, timestamp FROM run"
            + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
            + f" ORDER BY creation_time_us {order}, run_id {order} LIMIT ? OFFSET ?"
        )
        limit = -1 if query.limit is None else query.limit
        return tuple(decode_run(*row) for row in self._rows(sql, (*values, limit, query.offset)))

    def changed_runs(self, known: Mapping[str, object]) -> RunChanges:
        """Return the runs whose rows are not those that ``known`` marks."""
        try:
            with self._file.reading() as connection:
                rows = connection.execute("SELECT run_id, version, creation_time_us FROM run")
                marks: dict[str, object] = {row[0]: row[1:] for row in rows}
                wanted = [run_id for run_id, mark in marks.items() if known.get(run_id) != mark]
                sql = "SELECT run_id, body, timestamp FROM run"
                if len(wanted) < len(marks):
                    sql += " WHERE run_id IN (SELECT value FROM json_each(?))"
                    found = connection.execute(sql, (jsonio.dumps(wanted).decode(),)).fetchall()
                else:
                    found = connection.execute(sql).fetchall()
        except FileNotFoundError:
            return RunChanges({}, ())
        return RunChanges(marks, tuple(decode_run(*row) for row in found))

    def judged(self) -> dict[str, Judged | None]:
        """Return how each run was judged; None for those of which that is not known here."""
        try:
            with self._file.reading() as connection:
                if connection.execute(_HAS_HEALTH).fetchone() is None:
                    return dict.fromkeys(
                        row[0] for row in connection.execute("SELECT run_id FROM run")
                    )
                rows = connection.execute(
                    "SELECT run.run_id, health.position, health.score, health.status "
                    "FROM run LEFT JOIN health ON health.run_id = run.run_id"
                ).fetchall()
        except FileNotFoundError:
            return {}
        return {row[0]: None if row[1] is None else _judged(*row[1:]) for row in rows}

    def put_judged(self, found: Mapping[str, Judged]) -> None:
        """Note how runs were judged; of two the one with the higher position stays."""
        with self._file.writing() as connection:
            connection.execute(_HEALTH)
            connection.executemany(
                _PUT_HEALTH, [_health_columns(run_id, one) for run_id, one in found.items()]
            )

    def list_projects(self) -> tuple[ProjectRecord, ...]:
        """Return the projects of all runs."""
        rows = self._rows(
            "SELECT workspace, project_name, min(created_at), max(updated_at) FROM run "
            "GROUP BY project_name, workspace ORDER BY project_name, workspace",
            (),
        )
        return tuple(
            ProjectRecord(
                id=ids.project_id(workspace, name),
                name=name,
                workspace=workspace,
                root_path=self._project_root,
                created_at=created_at,
                updated_at=updated_at,
            )
            for workspace, name, created_at, updated_at in rows
        )

    def close(self) -> None:
        self._file.close()

    def _rows(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            with self._file.reading() as connection:
                return connection.execute(sql, values).fetchall()
        except FileNotFoundError:
            return []


def _columns(row: IndexedRun) -> tuple[Any, ...]:
    run = row.run
    return (
        run.id,
        row.version,
        run.workspace,
        run.project_id,
        run.project_name,
        run.status,
        run.group,
        jsonio.dumps(run.tags).decode(),
        creation_time_us(run),
        run.created_at,
        run.updated_at,
        run.timestamp,
        encode_body(run),
    )


def _judged(position: int, score: float | None, status: str | None) -> Judged:
    if status is None:
        return Judged(position, None)
    return Judged(position, RunHealth(float("nan") if score is None else score, status))


def _health_columns(run_id: str, judged: Judged) -> tuple[Any, ...]:
    return (run_id, judged.position, *(judged.health or (None, None)))


def _conditions(query: RunQuery) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if query.project is not None:
        conditions.append("(project_name = ? OR project_id = ?)")
        values += [query.project, query.project]
    for column, wanted in (
        ("workspace", query.workspace),
        ("status", query.status),
        ("run_group", query.group),
    ):
        if wanted is not None:
            conditions.append(f"{column} = ?")
            values.append(wanted)
    for tag in query.tags:
        conditions.append("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)")
        values.append(tag)
    return conditions, values
