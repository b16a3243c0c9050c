"""Records in memory: every question is answered by looking at all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from quark import ids, jsonio
from quark.clock import format_timestamp
from quark.records import ProjectRecord, Record, RunRecord
from quark.records.codec import decode_record
from quark.storage.judgements import JUDGING_KINDS, overall_health
from quark.storage.model import (
    EncodedRecord,
    RecordFilter,
    RunChanges,
    RunHealth,
    RunQuery,
    StoredRecord,
)
from quark.storage.run_state import creation_time_us, matches_query
from quark.storage.selection import Bounds, check_filters, selection

if TYPE_CHECKING:
    from quark.storage.memory import MemoryRuns

R = TypeVar("R", bound=Record)


class MemoryRecords:
    """A :class:`~quark.storage.protocols.RecordStore` over lists."""

    def __init__(self, runs: MemoryRuns) -> None:
        self._runs = runs

    def get_run(self, run_id: str) -> RunRecord:
        with self._runs.lock:
            return self._runs.find(run_id).row

    def list_runs(self, query: RunQuery = RunQuery()) -> tuple[RunRecord, ...]:
        rows = [row for row in self._all_rows() if matches_query(row, query)]
        rows.sort(key=lambda row: (creation_time_us(row), row.id), reverse=query.newest_first)
        end = None if query.limit is None else query.offset + query.limit
        return tuple(rows[query.offset : end])

    def changed_runs(self, known: Mapping[str, object]) -> RunChanges:
        rows = self._all_rows()
        changed = tuple(row for row in rows if known.get(row.id) != row)
        return RunChanges({row.id: row for row in rows}, changed)

    def healths(self) -> dict[str, RunHealth]:
        self._runs.check_open()
        with self._runs.lock:
            judged = {
                run_id: overall_health(
                    (one.kind, one.body) for _, one in run.records if one.kind in JUDGING_KINDS
                )
                for run_id, run in self._runs.by_id.items()
            }
        return {run_id: health for run_id, health in judged.items() if health is not None}

    def list_projects(self) -> tuple[ProjectRecord, ...]:
        projects: dict[tuple[str, str], list[RunRecord]] = {}
        for row in self._all_rows():
            projects.setdefault((row.project_name, row.workspace), []).append(row)
        return tuple(
            ProjectRecord(
                id=ids.project_id(workspace, name),
                name=name,
                workspace=workspace,
                created_at=min(row.created_at for row in rows),
                updated_at=max(row.updated_at for row in rows),
            )
            for (name, workspace), rows in sorted(projects.items())
        )

    def delete_run(self, run_id: str) -> None:
        with self._runs.lock:
            self._runs.find(run_id)
            del self._runs.by_id[run_id]

    def read(
        self, kind: type[R], run_id: str, where: RecordFilter = RecordFilter()
    ) -> tuple[R, ...]:
        equals = check_filters(kind, where.equals)
        chosen = selection(where.steps)
        with self._runs.lock:
            stored = [
                (writer_id, encoded)
                for writer_id, encoded in self._runs.find(run_id).records
                if encoded.kind == kind.KIND
                and _lies_in(encoded.step, chosen.step)
                and _lies_in(encoded.epoch, chosen.epoch)
            ]
        records = [_decode(kind, run_id, writer_id, encoded) for writer_id, encoded in stored]
        records = [record for record in records if _has(record, equals)]
        return tuple(records if chosen.limit is None else records[-chosen.limit or len(records) :])

    def scan(
        self, run_id: str, kinds: Collection[str], *, after: int = 0
    ) -> Iterator[Sequence[StoredRecord]]:
        with self._runs.lock:
            stored = self._runs.find(run_id).records[after:]
        part = [
            StoredRecord(place, writer_id, *encoded)
            for place, (writer_id, encoded) in enumerate(stored, start=after + 1)
            if encoded.kind in kinds
        ]
        if part:
            yield part

    def count(self, run_id: str) -> dict[str, int]:
        with self._runs.lock:
            records = self._runs.find(run_id).records
            return dict(Counter(encoded.kind for _, encoded in records))

    def _all_rows(self) -> list[RunRecord]:
        self._runs.check_open()
        with self._runs.lock:
            return [run.row for run in self._runs.by_id.values()]


def _lies_in(number: int | None, bounds: Bounds | None) -> bool:
    return bounds is None or (number is not None and bounds.low <= number <= bounds.high)


def _has(record: Record, equals: dict[str, tuple[Any, ...]]) -> bool:
    return all(getattr(record, name) in alternatives for name, alternatives in equals.items())


def _decode(kind: type[R], run_id: str, writer_id: str, encoded: EncodedRecord) -> R:
    is_run = encoded.kind == RunRecord.KIND
    own_id = ids.record_id(writer_id, encoded.seq, encoded.ordinal)
    return decode_record(
        kind,
        jsonio.loads(encoded.body),
        record_id=run_id if is_run else own_id,
        run_id=run_id,
        timestamp=format_timestamp(encoded.time_us),
    )
