"""What was asked to be analysed, as documents: all processes of the service see the same jobs.

A run has one lock, a document that names its newest job. Who begins a job puts itself there in the
place of what it found, which goes wrong if somebody else was faster; so no run is analysed twice
at once. A job that is not done by the time that its document says counts as lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from quark import ids, jsonio
from quark.clock import Clock, format_timestamp, parse_timestamp
from quark.errors import DocumentConflictError, SessionStoreError
from quark.service.run_writing import digest
from quark.storage.documents import NEW, DocumentChange, update

if TYPE_CHECKING:
    from quark.storage.documents import Document
    from quark.storage.protocols import DocumentStore, Store

JOBS, LOCKS, COMPARISONS = "analysis_job", "analysis_lock", "comparison_job"
ACTIVE = frozenset({"queued", "running"})

#: A comparison that has ended stays for as long; for less once its result was read.
_STAYS_US, _READ_STAYS_US = 86_400_000_000, 3_600_000_000
_REMOVED_AT_ONCE = 500

#: What an analysis itself writes, and what does not make another one worth while.
_OUTPUTS = frozenset({"alert", "analysis", "health_score", "phase"})
_MAX_KEPT = 20
_MAX_ATTEMPTS = 20

Body = dict[str, Any]


class Jobs:
    """The jobs of one store.

    Args:
        store: Where the runs are.
        clock: What stamps.
        lease_us: After how many microseconds a job that is begun now counts as lost.
    """

    def __init__(self, store: Store, clock: Clock, lease_us: int) -> None:
        self._store = store
        self._clock = clock
        self._lease_us = lease_us

    def begin_analysis(
        self, run_id: str, families: Collection[str], *, force: bool, check_room: Callable[[], None]
    ) -> tuple[Body, bool]:
        """Return the job that analyses a run, and whether it is a new one.

        It is an old one if that has not ended yet, or if nothing has changed since it began.

        Raises:
            RunNotFoundError: There is no such run.
            SessionStoreError: What ``check_room`` raises.
        """
        state = self._state_of(run_id)
        documents = self._store.documents
        for _ in range(_MAX_ATTEMPTS):
            lock = documents.get(LOCKS, run_id)
            found = None if lock is None else self.find(JOBS, f"{run_id}/{lock.body['job_id']}")
            if found is not None:
                is_same = found["run_state"] == state and set(families) <= set(found["families"])
                if found["state"] in ACTIVE or (found["state"] == "done" and is_same and not force):
                    return found, False
            check_room()
            job_id = f"job_{ids.random_id(12)}"
            body = self._new(job_id, {"families": sorted(families), "run_state": state})
            body["run_id"] = run_id
            revision = NEW if lock is None else lock.revision
            changes = [
                DocumentChange(LOCKS, run_id, {"job_id": job_id}, revision),
                DocumentChange(JOBS, f"{run_id}/{job_id}", body, NEW),
                *self._surplus(run_id),
            ]
            with suppress(DocumentConflictError):
                documents.apply(changes)
                return body, True
        raise SessionStoreError(f"Too many want run {run_id!r} analysed at once; try again.")

    def begin_comparison(
        self, asked: Body, *, force: bool, check_room: Callable[[], None]
    ) -> tuple[Body, bool]:
        """Return the job that compares two runs, and whether it has to be done now.

        Raises:
            RunNotFoundError: One is not there.
            SessionStoreError: What ``check_room`` raises.
        """
        states = [self._state_of(asked[name], "alert") for name in ("primary", "reference")]
        job_id = f"cmp_{digest(jsonio.dumps([asked, states]).decode())}"
        found = self.find(COMPARISONS, job_id)
        is_done = found is not None and found["state"] == "done"
        if found is not None and (found["state"] in ACTIVE or (is_done and not force)):
            return found, False
        check_room()
        body = self._new(job_id, asked)
        before = self._store.documents.get(COMPARISONS, job_id)
        change = DocumentChange(
            COMPARISONS, job_id, body, NEW if before is None else before.revision
        )
        try:
            self._store.documents.apply([change])
        except DocumentConflictError:  # somebody else has just begun the same
            return self.find(COMPARISONS, job_id) or body, False
        return body, True

    def find(self, kind: str, name: str) -> Body | None:
        """Return a job as it is now; a lost one has failed."""
        found = self._store.documents.get(kind, name)
        return None if found is None else self._shown(found)

    def note_read(self, comparison: Body) -> None:
        """Note that the outcome of a comparison was read, if it has one."""
        if comparison["state"] in ACTIVE or "read_us" in comparison:
            return
        read_us = self._clock.time_us()
        with suppress(SessionStoreError):  # it is removed later, then
            update(
                self._store.documents,
                COMPARISONS,
                comparison["job_id"],
                lambda body: None if body is None else {"read_us": read_us, **body},
            )

    def of_run(self, run_id: str) -> list[Body]:
        """Return the jobs of a run, the newest first.

        Raises:
            RunNotFoundError: There is no such run.
        """
        self._store.records.get_run(run_id)
        jobs = [self._shown(one) for one in self._store.documents.list(JOBS, f"{run_id}/")]
        return sorted(jobs, key=lambda job: (job["created_at"], job["job_id"]), reverse=True)

    def note(self, kind: str, name: str, **changes: Any) -> None:
        """Change a job's document; nothing happens if it is gone."""
        update(
            self._store.documents,
            kind,
            name,
            lambda body: None if body is None else {**body, **changes},
        )

    def running(self, kind: str, name: str) -> None:
        """Note that a job is being done."""
        now_us = self._clock.time_us()
        until_us = now_us + self._lease_us
        now = format_timestamp(now_us)
        self.note(kind, name, state="running", started_at=now, until_us=until_us)

    def ended(self, kind: str, name: str, *, result: Any = None, reason: str | None = None) -> None:
        """Note how a job has ended: with a result, or why not."""
        state = "done" if reason is None else "failed"
        now = format_timestamp(self._clock.time_us())
        self.note(kind, name, state=state, ended_at=now, result=result, reason=reason)

    def _new(self, job_id: str, asked: Body) -> Body:
        now_us = self._clock.time_us()
        return {
            "job_id": job_id,
            "state": "queued",
            "created_at": format_timestamp(now_us),
            "started_at": None,
            "ended_at": None,
            "reason": None,
            "result": None,
            "until_us": now_us + self._lease_us,
            **asked,
        }

    def _shown(self, found: Document) -> Body:
        body = found.body
        if body["state"] in ACTIVE and body["until_us"] < self._clock.time_us():
            reason = "The process of the service that was to do it has stopped. Ask again."
            return {**body, "state": "failed", "reason": reason}
        return body

    def _surplus(self, run_id: str) -> list[DocumentChange]:
        old = self._store.documents.list(JOBS, f"{run_id}/")
        by_age = sorted(old, key=lambda one: one.revision, reverse=True)
        return [DocumentChange(JOBS, one.name, None) for one in by_age[_MAX_KEPT - 1 :]]

    def _state_of(self, run_id: str, *outputs: str) -> str:
        """Return what changes whenever something was logged; ``outputs`` count, too."""
        run = self._store.records.get_run(run_id)
        counts = self._store.records.count(run_id)
        points = sum(one.count for one in self._store.points.keys(run_id).values())
        kept = {
            kind: count for kind, count in sorted(counts.items()) if kind not in _OUTPUTS or outputs
        }
        return digest(jsonio.dumps([run.timestamp, run.status, kept, points]).decode())


def remove_comparisons(documents: DocumentStore, now_us: int) -> int:
    """Remove comparisons that were read, and those that are a day old; return how many there were.

    Nothing else refers to them, and asking for one again makes it again.
    """
    due = [
        DocumentChange(COMPARISONS, one.name, None, one.revision)
        for one in documents.list(COMPARISONS)
        if _is_over(one.body, now_us)
    ]
    removed = 0
    for first in range(0, len(due), _REMOVED_AT_ONCE):
        some = due[first : first + _REMOVED_AT_ONCE]
        with suppress(DocumentConflictError):  # one was begun again; the others go the next time
            documents.apply(some)
            removed += len(some)
    return removed


def _is_over(body: Body, now_us: int) -> bool:
    try:
        if body["state"] in ACTIVE and body["until_us"] >= now_us:
            return False
        is_old = parse_timestamp(body["created_at"]) < now_us - _STAYS_US
        return is_old or body.get("read_us", now_us) < now_us - _READ_STAYS_US
    except (KeyError, TypeError, ValueError):  # clients may write any document
        return True
