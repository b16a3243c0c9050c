"""Records behind a service."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

from quark import jsonio
from quark.errors import RunNotFoundError
from quark.persistence.service_client import ServiceClient
from quark.records import ProjectRecord, Record, RunRecord
from quark.records.codec import decode_plain, encode_body
from quark.storage.admission import is_run_id
from quark.storage.model import (
    RecordFilter,
    RunChanges,
    RunHealth,
    RunQuery,
    StepRange,
    StoredRecord,
)
from quark.storage.selection import check_filters, selection

R = TypeVar("R", bound=Record)

#: The most records that a service gives with a limit; all of them it gives in pages.
_MOST_RECORDS = 10_000
#: Runs that are asked for at once where all are wanted.
_PAGE = 500


class HttpRecords:
    """A :class:`~quark.storage.protocols.RecordStore` over a service's routes.

    ``forget_run`` is called before a run is removed.
    """

    def __init__(self, http: ServiceClient, *, forget_run: Callable[[str], None]) -> None:
        self._http = http
        self._forget_run = forget_run

    def get_run(self, run_id: str) -> RunRecord:
        return _run(self._http.get(self._run_path(run_id)))

    def list_runs(self, query: RunQuery = RunQuery()) -> tuple[RunRecord, ...]:
        self._http.check_open()
        filters: list[tuple[str, Any]] = [
            (name, wanted)
            for name, wanted in (
                ("project", query.project),
                ("label", query.workspace),
                ("status", query.status),
                ("group", query.group),
                *(("tag", tag) for tag in query.tags),
                ("newest_first", query.newest_first),
            )
            if wanted is not None
        ]
        found: list[RunRecord] = []
        place: tuple[str, Any] = ("offset", query.offset)
        while query.limit is None or len(found) < query.limit:
            wanted = _PAGE if query.limit is None else min(_PAGE, query.limit - len(found))
            page = self._http.get(self._http.path("runs"), [*filters, ("limit", wanted), place])
            found += map(_run, page["runs"])
            if page["next"] is None:
                break
            place = ("after", page["next"])  # an offset means other runs once some have come
        return tuple(found)

    def changed_runs(self, known: Mapping[str, object]) -> RunChanges:
        """As dear as listing all runs: a service's routes know no marks."""
        runs = self.list_runs()
        marks: dict[str, object] = {run.id: sha256(encode_body(run)).digest() for run in runs}
        return RunChanges(marks, tuple(run for run in runs if known.get(run.id) != marks[run.id]))

    def healths(self) -> dict[str, RunHealth]:
        self._http.check_open()
        found = self._http.get(self._http.path("healths"))["healths"]
        return {
            run_id: RunHealth(float(one["score"]), one["status"]) for run_id, one in found.items()
        }

    def list_projects(self) -> tuple[ProjectRecord, ...]:
        self._http.check_open()
        answer = self._http.get(self._http.path("projects"))
        return tuple(decode_plain(ProjectRecord, project) for project in answer["projects"])

    def delete_run(self, run_id: str) -> None:
        path = self._run_path(run_id)
        self._forget_run(run_id)
        self._http.request("DELETE", path, patient=True, removes=True)

    def read(
        self, kind: type[R], run_id: str, where: RecordFilter = RecordFilter()
    ) -> tuple[R, ...]:
        self._http.check_open()
        equals = check_filters(kind, where.equals)
        limit = where.steps.limit
        is_small = limit is not None and limit <= _MOST_RECORDS
        query = step_query(where.steps if is_small else replace(where.steps, limit=None))
        if equals:
            query.append(("equals", jsonio.dumps(equals).decode()))
        path = self._run_path(run_id, "records", kind.KIND)
        found: list[R] = []
        after: list[tuple[str, Any]] = []
        while True:
            page = self._http.get(path, [*query, *after])
            found += (decode_plain(kind, record) for record in page["records"])
            if page["next"] is None:
                break
            after = [("after", page["next"])]
        return tuple(found if limit is None or is_small else found[-limit:])

    def scan(
        self, run_id: str, kinds: Collection[str], *, after: int = 0
    ) -> Iterator[Sequence[StoredRecord]]:
        path = self._run_path(run_id, "scan")
        while True:
            query = [*(("kind", kind) for kind in kinds), ("after", after)]
            rows = self._http.get(path, query)["records"]
            if not rows:
                return
            part = [StoredRecord._make(row) for row in rows]
            yield part
            after = part[-1].position

    def count(self, run_id: str) -> dict[str, int]:
        counts: dict[str, int] = self._http.get(self._run_path(run_id, "counts"))
        return counts

    def _run_path(self, run_id: str, *parts: str) -> str:
        self._http.check_open()
        return run_path(self._http, run_id, *parts)


def run_path(http: ServiceClient, run_id: str, *parts: str) -> str:
    """Return the path of something that belongs to a run.

    Raises:
        RunNotFoundError: No run can have this id.
    """
    if not is_run_id(run_id):
        raise RunNotFoundError(f"There is no run {run_id!r}: no run can have this id.")
    return http.path("runs", run_id, *parts)


def step_query(steps: StepRange) -> list[tuple[str, Any]]:
    """Return a range of steps as a query.

    Raises:
        SchemaValidationError: The limit is negative.
    """
    chosen = selection(steps)
    bounds = (("step", chosen.step), ("epoch", chosen.epoch))
    query: list[tuple[str, Any]] = []
    for name, bound in bounds:
        if bound is not None:
            query += [(f"{name}_min", bound.low), (f"{name}_max", bound.high)]
    if chosen.limit is not None:
        query.append(("limit", min(chosen.limit, 2**62)))
    return query


def _run(plain: Mapping[str, Any]) -> RunRecord:
    run: RunRecord = decode_plain(RunRecord, plain)
    return run
