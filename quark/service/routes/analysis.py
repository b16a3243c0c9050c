"""Alerts, health scores and phases of a run, and having runs analysed and compared."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from quark.analyzers.outputs import current_outputs, within_steps
from quark.errors import RunNotFoundError
from quark.records import AlertRecord, HealthScoreRecord, PhaseRecord
from quark.service.analysis_jobs import ACTIVE, COMPARISONS, JOBS, Jobs
from quark.service.analysis_pool import Job
from quark.service.ingest import RunPlace
from quark.service.models_analysis import (
    AlertsOut,
    AnalysisIn,
    AnalysisJobOut,
    AnalysisJobsOut,
    ComparisonIn,
    ComparisonJobOut,
    HealthScoresOut,
    PhasesOut,
)
from quark.service.routes.asked import Reader, RunId, WaitSeconds, Writer
from quark.service.routes.records import json_answer
from quark.service.state import ServiceState, state_of

router = APIRouter(tags=["analysis"])

Category = Literal["optimization", "representation", "generalization", "runtime"]
Severity = Literal["info", "warning", "error", "critical"]
ScoreKey = Literal["overall", "optimization", "representation", "generalization", "runtime"]
_Step = Annotated[
    int | None,
    Query(ge=0, lt=2**63, description="Only those whose range of steps has it, or meets the rest."),
]
_Limit = Annotated[int, Query(ge=0, le=10_000, description="How many at most.")]
_JobId = Annotated[str, Path(max_length=64, examples=["job_4k2j9x0a7bqc"])]
#: What a job's document has and nobody needs to see.
_INNER = frozenset({"run_state", "until_us", "read_us"})
_BEGUN: dict[int | str, dict[str, Any]] = {
    200: {"description": "It was begun before, and nothing has changed since."},
}


@router.get("/runs/{run_id}/alerts", summary="Read alerts", response_model=AlertsOut)
def read_alerts(
    run_id: RunId,
    access: Reader,
    rule_id: Annotated[str | None, Query(max_length=200, description="A rule's id.")] = None,
    category: Category | None = None,
    severity: Severity | None = None,
    step: _Step = None,
    step_min: _Step = None,
    step_max: _Step = None,
    limit: _Limit = 1000,
) -> Response:
    """Return the alerts that count now, the worst of each analysis first."""
    equals = _given(rule_id=rule_id, category=category, severity=severity)
    found = current_outputs(access.store, run_id, AlertRecord, "alerts", equals)
    chosen = within_steps(found, step=step, step_min=step_min, step_max=step_max, limit=limit)
    return json_answer({"alerts": [alert.to_dict() for alert in chosen]})


@router.get(
    "/runs/{run_id}/health-scores", summary="Read health scores", response_model=HealthScoresOut
)
def read_health_scores(
    run_id: RunId,
    access: Reader,
    score_key: ScoreKey | None = None,
    limit: _Limit = 1000,
) -> Response:
    """Return the health scores that count now, the overall one first."""
    equals = _given(score_key=score_key)
    found = current_outputs(access.store, run_id, HealthScoreRecord, "alerts", equals)
    return json_answer({"health_scores": [score.to_dict() for score in found[:limit]]})


@router.get("/runs/{run_id}/phases", summary="Read phases", response_model=PhasesOut)
def read_phases(
    run_id: RunId,
    access: Reader,
    phase_name: Annotated[str | None, Query(max_length=200, examples=["rapid_learning"])] = None,
    step: _Step = None,
    step_min: _Step = None,
    step_max: _Step = None,
    limit: _Limit = 1000,
) -> Response:
    """Return the phases that count now, by their steps."""
    equals = _given(phase_name=phase_name)
    found = current_outputs(access.store, run_id, PhaseRecord, "phases", equals)
    chosen = within_steps(found, step=step, step_min=step_min, step_max=step_max, limit=limit)
    return json_answer({"phases": [phase.to_dict() for phase in chosen]})


@router.post(
    "/runs/{run_id}/analyses",
    summary="Analyse a run",
    status_code=202,
    response_model=AnalysisJobOut,
    responses={200: {**_BEGUN[200], "model": AnalysisJobOut}},
)
async def analyse_run(
    run_id: RunId,
    request: Request,
    access: Writer,
    sent: AnalysisIn | None = None,
    wait_seconds: WaitSeconds = 0,
) -> Response:
    """Have a run judged in the background, and return the job.

    A run that is being analysed is not analysed beside; where nothing has changed since the last
    time, that job is returned as it was. With `wait_seconds` this waits for the end of the job.
    """
    state, asked = state_of(request), sent or AnalysisIn.model_validate({})
    jobs = state.analyses.jobs(access.store)
    body, is_new = await run_in_threadpool(
        jobs.begin_analysis,
        run_id,
        asked.families,
        force=asked.force,
        check_room=state.analyses.check_room,
    )
    name = f"{run_id}/{body['job_id']}"
    place = RunPlace(access.workspace, access.storage_dir, run_id)
    if is_new:
        task = {"kind": "analysis", **{key: body[key] for key in ("run_id", "job_id", "families")}}
        state.analyses.submit(Job(kind=JOBS, name=name, place=place, store=access.store, task=task))
    found = await _ended(request, state, jobs, JOBS, name, place, wait_seconds)
    return json_answer(_shown(found), status=202 if found["state"] in ACTIVE or is_new else 200)


@router.get("/runs/{run_id}/analyses", summary="List analyses", response_model=AnalysisJobsOut)
def list_analyses(run_id: RunId, request: Request, access: Reader) -> Response:
    """Return the latest analyses that were asked for, the newest first."""
    found = state_of(request).analyses.jobs(access.store).of_run(run_id)
    return json_answer({"analyses": [_shown(job) for job in found]})


@router.get(
    "/runs/{run_id}/analyses/{job_id}", summary="Read an analysis", response_model=AnalysisJobOut
)
async def get_analysis(
    run_id: RunId,
    job_id: _JobId,
    request: Request,
    access: Reader,
    wait_seconds: WaitSeconds = 0,
) -> Response:
    """Return a job, after it has ended or the time is over."""
    state = state_of(request)
    jobs = state.analyses.jobs(access.store)
    place = RunPlace(access.workspace, access.storage_dir, run_id)
    found = await _ended(request, state, jobs, JOBS, f"{run_id}/{job_id}", place, wait_seconds)
    return json_answer(_shown(found))


@router.post(
    "/comparisons",
    summary="Compare two runs",
    status_code=202,
    response_model=ComparisonJobOut,
    responses={200: {**_BEGUN[200], "model": ComparisonJobOut}},
)
async def compare_runs(
    sent: ComparisonIn, request: Request, access: Writer, wait_seconds: WaitSeconds = 0
) -> Response:
    """Have two runs compared in the background, and return the job.

    Nothing is analysed for it: of alerts and phases those are compared that are there.
    """
    state = state_of(request)
    jobs = state.analyses.jobs(access.store)
    asked = sent.model_dump(exclude={"force", "targets"})
    asked["targets"] = [[one.metric_key, one.target_value, one.direction] for one in sent.targets]
    body, is_new = await run_in_threadpool(
        jobs.begin_comparison, asked, force=sent.force, check_room=state.analyses.check_room
    )
    name = body["job_id"]
    place = RunPlace(access.workspace, access.storage_dir, sent.primary)
    if is_new:
        task = {"kind": "comparison", **asked}
        state.analyses.submit(
            Job(kind=COMPARISONS, name=name, place=place, store=access.store, task=task)
        )
    found = await _ended(request, state, jobs, COMPARISONS, name, place, wait_seconds)
    await run_in_threadpool(jobs.note_read, found)
    return json_answer(_shown(found), status=202 if found["state"] in ACTIVE or is_new else 200)


@router.get("/comparisons/{job_id}", summary="Read a comparison", response_model=ComparisonJobOut)
async def get_comparison(
    job_id: _JobId, request: Request, access: Reader, wait_seconds: WaitSeconds = 0
) -> Response:
    """Return a job, after it has ended or the time is over."""
    state = state_of(request)
    jobs = state.analyses.jobs(access.store)
    body = await run_in_threadpool(_job, jobs, COMPARISONS, job_id)
    place = RunPlace(access.workspace, access.storage_dir, body["primary"])
    found = await _ended(request, state, jobs, COMPARISONS, job_id, place, wait_seconds)
    await run_in_threadpool(jobs.note_read, found)
    return json_answer(_shown(found))


async def _ended(
    request: Request,
    state: ServiceState,
    jobs: Jobs,
    kind: str,
    name: str,
    place: RunPlace,
    wait_seconds: float,
) -> dict[str, Any]:
    """Return a job when it has ended, or when the time is over."""
    return await state.live.answer(
        request,
        place=place,
        key=(place, kind, name),
        read=lambda: _job(jobs, kind, name),
        is_empty=lambda body: body["state"] in ACTIVE,
        has_changed=lambda: _job(jobs, kind, name)["state"] not in ACTIVE,
        wait_seconds=wait_seconds,
    )


def _job(jobs: Jobs, kind: str, name: str) -> dict[str, Any]:
    found = jobs.find(kind, name)
    if found is None:
        raise RunNotFoundError(f"There is no job {name.rpartition('/')[2]!r} here.")
    return found


def _shown(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in _INNER}


def _given(**equals: str | None) -> dict[str, str]:
    return {name: value for name, value in equals.items() if value is not None}
