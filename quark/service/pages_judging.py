"""Judging runs from the dashboard of a service: by the processes that do all analyses here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quark.errors import SessionStoreError
from quark.service.analysis_jobs import ACTIVE, JOBS
from quark.service.analysis_pool import Job
from quark.service.ingest import RunPlace

if TYPE_CHECKING:
    from quark.service.access import Access
    from quark.service.analysis_jobs import Jobs
    from quark.service.state import ServiceState

_FAMILIES = ("alerts", "phases")
#: How long a page's request waits for the outcome; few may wait at once.
_WAIT_SECONDS = 20.0
_LOOK_SECONDS = 0.1


class ServiceJudge:
    """A :class:`~quark.dashboard.judging.Judge` for one request."""

    def __init__(self, state: ServiceState, access: Access) -> None:
        self._state = state
        self._access = access

    def judge(self, run_id: str) -> dict[str, Any]:
        """Have a run analysed, also where nothing has changed since, and wait a while for it."""
        pool, access = self._state.analyses, self._access
        body, is_new = self._jobs.begin_analysis(
            run_id, _FAMILIES, force=True, check_room=pool.check_room
        )
        name = f"{run_id}/{body['job_id']}"
        if is_new:
            place = RunPlace(access.workspace, access.storage_dir, run_id)
            task = {
                "kind": "analysis",
                **{key: body[key] for key in ("run_id", "job_id", "families")},
            }
            pool.submit(Job(kind=JOBS, name=name, place=place, store=access.store, task=task))
        return self._outcome(run_id, name)

    def is_judging(self, run_id: str) -> bool:
        """Say whether an analysis of the run waits or goes on, in whatever process."""
        return any(job["state"] in ACTIVE for job in self._jobs.of_run(run_id))

    @property
    def _jobs(self) -> Jobs:
        return self._state.analyses.jobs(self._access.store)

    def _outcome(self, run_id: str, name: str) -> dict[str, Any]:
        stopping, waited_seconds = self._state.stopping, 0.0
        while True:
            found = self._jobs.find(JOBS, name)
            if found is None:
                raise SessionStoreError(f"The analysis of run {run_id!r} is gone: try again.")
            if found["state"] not in ACTIVE:
                break
            if waited_seconds >= _WAIT_SECONDS or stopping.wait(_LOOK_SECONDS):
                raise SessionStoreError(
                    f"Run {run_id!r} is still being judged; look again in a while."
                )
            waited_seconds += _LOOK_SECONDS
        if found["state"] != "done":
            raise SessionStoreError(f"Run {run_id!r} was not judged: {found['reason']}")
        result: dict[str, Any] = found["result"]
        return result
