"""Records in the embedded store: each run's in its own file, the list of runs in the index."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from quark import ids, jsonio
from quark.clock import format_timestamp
from quark.errors import QuarkError, RunNotFoundError, SessionStoreError
from quark.records import ProjectRecord, Record, RunRecord
from quark.records.codec import decode_record
from quark.storage import layout
from quark.storage.admission import is_run_id
from quark.storage.index_db import IndexDb
from quark.storage.judgements import Judged
from quark.storage.model import RecordFilter, RunChanges, RunHealth, RunQuery, StoredRecord
from quark.storage.open_runs import OpenRuns
from quark.storage.run_db import RunDb
from quark.storage.selection import check_filters, default_of, parse_record_id, selection

R = TypeVar("R", bound=Record)

#: Folders of runs that are being deleted start with this, which no run id does.
DELETING_PREFIX = ".deleting-"
#: Records that a scan takes at once, and about how many bytes of them.
SCAN_PART = 5_000
_SCAN_PART_BYTES = 16 << 20


class EmbeddedRecords:
    """A :class:`~quark.storage.protocols.RecordStore` over the files of one folder."""

    def __init__(self, runs: OpenRuns, index: IndexDb) -> None:
        self._runs = runs
        self._index = index
        self._unnoted: dict[str, Judged] = {}  # where the index cannot be written

    def get_run(self, run_id: str) -> RunRecord:
        with self._runs.use(run_id) as run_db:
            return run_db.get()[0]

    def list_runs(self, query: RunQuery = RunQuery()) -> tuple[RunRecord, ...]:
        self._runs.check_open()
        return self._index.list_runs(query)

    def changed_runs(self, known: Mapping[str, object]) -> RunChanges:
        self._runs.check_open()
        return self._index.changed_runs(known)

    def healths(self) -> dict[str, RunHealth]:
        """As the index says; what it does not know yet is read once in the runs' own files."""
        self._runs.check_open()
        known = self._index.judged()
        unknown = [run_id for run_id, judged in known.items() if judged is None]
        if unknown:
            known |= self._judged_themselves(unknown)
        return {
            run_id: judged.health
            for run_id, judged in known.items()
            if judged is not None and judged.health is not None
        }

    def list_projects(self) -> tuple[ProjectRecord, ...]:
        self._runs.check_open()
        return self._index.list_projects()

    def delete_run(self, run_id: str) -> None:
        """Remove the run's folder and its row in the index.

        Payloads in the blob store stay: they are shared by content, also with what other runs'
        journals still hold.
        """
        self._runs.check_open()
        if is_run_id(run_id):
            is_listed = self._index.remove(run_id)
            if self._remove_folder(run_id) or is_listed:
                return
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
                rows = connection.execute(sql, (after, *kinds, SCAN_PART))
                part, is_cut = _part_of(rows)
                rows.close()
            if part:
                yield part
                after = part[-1].position
            if len(part) < SCAN_PART and not is_cut:
                return

    def count(self, run_id: str) -> dict[str, int]:
        with self._runs.use(run_id) as run_db, run_db.reading() as connection:
            return dict(connection.execute("SELECT kind, count(*) FROM record GROUP BY kind"))

    def _judged_themselves(self, run_ids: Sequence[str]) -> dict[str, Judged]:
        found: dict[str, Judged] = {}
        for run_id in run_ids:
            judged = self._unnoted.get(run_id) or self._judged_itself(run_id)
            if judged is not None:
                found[run_id] = judged
        try:
            self._index.put_judged(found)
        except (SessionStoreError, FileNotFoundError):  # the folder may be somebody else's
            self._unnoted = found
        return found

    def _judged_itself(self, run_id: str) -> Judged | None:
        # Not one of those that are kept open: thousands of runs would push those out.
        run_db = RunDb(layout.run_db_path(self._runs.root, run_id), run_id)
        try:
            return run_db.judged()
        except QuarkError:  # deleted meanwhile, or damaged, which its own page will say
            return None
        finally:
            run_db.close()

    def _remove_folder(self, run_id: str) -> bool:
        folder = layout.run_path(self._runs.root, run_id)
        # Moved first, so that nobody ever sees half a run.
        doomed = folder.with_name(f"{DELETING_PREFIX}{ids.random_id()}")
        try:
            with self._runs.alone(run_id):
                folder.rename(doomed)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise SessionStoreError(f"Run {run_id!r} cannot be deleted: {error}.") from error
        from shutil import rmtree  # loads all compression formats

        rmtree(doomed, ignore_errors=True)
        return True


def _part_of(rows: Iterable[tuple[Any, ...]]) -> tuple[list[StoredRecord], bool]:
    """Return records up to a size, and whether that cut them."""
    part = []
    size_bytes = 0
    for row in rows:
        part.append(StoredRecord._make(row))
        size_bytes += len(part[-1].body)
        if size_bytes > _SCAN_PART_BYTES:
            return part, True
    return part, False


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
