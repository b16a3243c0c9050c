"""Records in the embedded store: each run's in its own file, the list of runs in the index."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from quark import ids, jsonio
from quark.clock import format_timestamp
from quark.errors import RunNotFoundError, SessionStoreError
from quark.records import ProjectRecord, Record, RunRecord
from quark.records.codec import decode_record
from quark.storage import layout
from quark.storage.admission import is_run_id
from quark.storage.index_db import IndexDb
from quark.storage.model import RecordFilter, RunQuery, StoredRecord
from quark.storage.open_runs import OpenRuns
from quark.storage.selection import check_filters, default_of, parse_record_id, selection

R = TypeVar("R", bound=Record)

#: Folders of runs that are being deleted start with this, which no run id does.
DELETING_PREFIX = ".deleting-"
#: Records that a scan takes at once.
SCAN_PART = 5_000


class EmbeddedRecords:
    """A :class:`~quark.storage.protocols.RecordStore` over the files of one folder."""

    def __init__(self, runs: OpenRuns, index: IndexDb) -> None:
        self._runs = runs
        self._index = index

    def get_run(self, run_id: str) -> RunRecord:
        with self._runs.use(run_id) as run_db:
            return run_db.get()[0]

    def list_runs(self, query: RunQuery = RunQuery()) -> tuple[RunRecord, ...]:
        self._runs.check_open()
        return self._index.list_runs(query)

    def list_projects(self) -> tuple[ProjectRecord, ...]:
        self._runs.check_open()
        return self._index.list_projects()

    def delete_run(self, run_id: str) -> None:
        """Remove the run's folder and its row in the index.

        Payloads in the blob store stay: they are shared by content, also with what other runs'
        journals still hold.
        """
        self._runs.check_open()
        self._runs.forget(run_id)
        is_listed = is_run_id(run_id) and self._index.remove(run_id)
        if is_run_id(run_id) and self._remove_folder(run_id):
            return
        if not is_listed:
            raise RunNotFoundError(f"There is no run {run_id!r} in {self._runs.root}.")

    def read(
        self, kind: type[R], run_id: str, where: RecordFilter = RecordFilter()
    ) -> tuple[R, ...]:
        equals = check_filters(kind, where.equals)
        conditions = ["kind = ?"]
        values: list[Any] = [kind.KIND]
        chosen = selection(where.steps)
        for column, bounds in (("step", chosen.step), ("epoch", chosen.epoch)):
            if bounds is not None:
                conditions.append(f"{column} BETWEEN ? AND ?")
                values += bounds
        more, more_values = _field_conditions(kind, run_id, equals)
        sql = (
            "SELECT writer.name, seq, ordinal, time_us, body FROM record "
            f"JOIN writer ON writer.id = writer_id WHERE {' AND '.join(conditions + more)} "
            "ORDER BY record.position DESC LIMIT ?"
        )
        limit = -1 if chosen.limit is None else min(chosen.limit, 2**62)
        with self._runs.use(run_id) as run_db, run_db.reading() as connection:
            rows = connection.execute(sql, (*values, *more_values, limit)).fetchall()
        return tuple(_decode(kind, run_id, *row) for row in reversed(rows))

    def scan(
        self, run_id: str, kinds: Collection[str], *, after: int = 0
    ) -> Iterator[Sequence[StoredRecord]]:
        marks = ", ".join("?" * len(kinds))
        # The plus keeps SQLite from collecting all records of a kind to sort them by position.
        sql = (
            "SELECT record.position, writer.name, seq, ordinal, kind, step, epoch, time_us, body "
            "FROM record JOIN writer ON writer.id = writer_id "
            f"WHERE record.position > ? AND +kind IN ({marks}) ORDER BY record.position LIMIT ?"
        )
        while True:
            with self._runs.use(run_id) as run_db, run_db.reading() as connection:
                found = connection.execute(sql, (after, *kinds, SCAN_PART)).fetchall()
            part = [StoredRecord._make(row) for row in found]
            if part:
                yield part
                after = part[-1].position
            if len(part) < SCAN_PART:
                return

    def count(self, run_id: str) -> dict[str, int]:
        with self._runs.use(run_id) as run_db, run_db.reading() as connection:
            return dict(connection.execute("SELECT kind, count(*) FROM record GROUP BY kind"))

    def _remove_folder(self, run_id: str) -> bool:
        folder = layout.run_path(self._runs.root, run_id)
        # Moved first, so that nobody ever sees half a run.
        doomed = folder.with_name(f"{DELETING_PREFIX}{ids.random_id()}")
        try:
            folder.rename(doomed)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise SessionStoreError(f"Run {run_id!r} cannot be deleted: {error}.") from error
        from shutil import rmtree  # loads all compression formats

        rmtree(doomed, ignore_errors=True)
        return True


def _field_conditions(
    kind: type[Record], run_id: str, equals: Mapping[str, tuple[Any, ...]]
) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    for name, alternatives in equals.items():
        if name != "id":
            # A body leaves out a field without value; it is read as the field's default.
            field = f"coalesce(json_extract(body, '$.{name}'), ?)"
            default = default_of(kind, name)
            conditions.append(
                f"({field} IN (SELECT value FROM json_each(?)) OR ({field} IS NULL AND ?))"
            )
            values += [default, _json(alternatives), default, None in alternatives]
        elif kind.KIND == RunRecord.KIND:
            conditions.append("?")
            values.append(run_id in alternatives)
        else:
            conditions.append(
                "(writer.name, seq, ordinal) IN (SELECT json_extract(value, '$[0]'), "
                "json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?))"
            )
            values.append(_json([place for place in map(parse_record_id, alternatives) if place]))
    return conditions, values


def _json(values: Sequence[Any]) -> str:
    return jsonio.dumps(values).decode()


def _decode(
    kind: type[R], run_id: str, writer_id: str, seq: int, ordinal: int, time_us: int, body: str
) -> R:
    is_run = kind.KIND == RunRecord.KIND
    return decode_record(
        kind,
        jsonio.loads(body),
        record_id=run_id if is_run else ids.record_id(writer_id, seq, ordinal),
        run_id=run_id,
        timestamp=format_timestamp(time_us),
    )
