"""From a run that ends to its report: one analysis, kept in the run, and what there is to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.analysis import analyze_evidence
from quark.analyzers.engine import AnalyzerEngineConfig, keep_analysis
from quark.analyzers.gather import gather
from quark.analyzers.phase_engine import PhaseAnalyzer
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.report.cost import measure_cost
from quark.report.model import Completeness, Curve, Report

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.session import TrainingSession
    from quark.storage.model import KeyStats
    from quark.storage.protocols import Store

#: The metrics that are drawn, the best first.
_DRAWN = ("train_loss", "val_loss", "val_accuracy", "train_accuracy", "val_score", "train_score")
#: Points of a curve that are kept in the report.
MAX_CURVE_POINTS = 400


def build_report(
    session: TrainingSession, status: str, *, background_seconds: float | None = None
) -> Report:
    """Analyse the run, keep the outcome in it, and return its report.

    Args:
        session: The run, still open, with everything delivered.
        status: How it ends.
        background_seconds: What Quark's threads took of the processor.

    Raises:
        SessionStoreError: What was logged cannot be read.
    """
    handle = session.handle
    now_us = SYSTEM_CLOCK.time_us()
    with handle.reading() as store:
        config = AnalyzerEngineConfig()
        evidence = gather(store, session.run_id, overrides=config.overrides, now_us=now_us)
        keys = store.points.keys(session.run_id)
        completeness = _completeness(session, store, keys)
    started = SYSTEM_CLOCK.monotonic()
    analysis = analyze_evidence(
        evidence,
        config.thresholds,
        on_fault=lambda rule_id, error: handle.faults.record(f"rule {rule_id} failed", error),
    )
    result = keep_analysis(
        handle,
        evidence,
        analysis,
        replaces_existing=True,
        seconds=SYSTEM_CLOCK.monotonic() - started,
    )
    phases = PhaseAnalyzer(session).analyze().phases
    run = session.context.run
    begun = session.opened_us
    duration = (now_us - begun) / 1e6
    last_step = _last_step(keys)
    return Report(
        run_id=session.run_id,
        run_name=run.name,
        project=session.project_name,
        status=status,
        generated_at=format_timestamp(now_us),
        started_at=run.created_at,
        duration_seconds=round(duration, 3),
        last_step=last_step,
        folder=str(session.run_path),
        curve=_curve(evidence),
        phases=phases,
        alerts=result.alerts,
        health_scores=result.health_scores,
        completeness=completeness,
        cost=measure_cost(
            log_call_count=session.diagnostics().rows_shipped,
            step_count=_steps_since(evidence, begun) or session.diagnostics().rows_shipped,
            last_row={key: stats.last_value for key, stats in list(keys.items())[:200]},
            hooks_seconds=handle.costs.total_seconds,
            background_seconds=background_seconds,
            duration_seconds=duration,
        ),
        metric_roles=result.metric_roles,
        faults=session.diagnostics().faults,
    )


def _completeness(
    session: TrainingSession, store: Store, keys: dict[str, KeyStats]
) -> Completeness:
    """Compare what was logged with what the store says it has of this writer."""
    found = session.diagnostics()
    lost = dict(found.dropped)
    if found.quarantined:
        lost["record: refused by the store, set aside"] = found.quarantined
    if found.damaged:
        lost["record: damaged in the journal"] = found.damaged
    return Completeness(
        logged=found.accepted,
        stored=min(found.accepted, store.position(session.run_id, found.writer_id)),
        point_count=sum(stats.count for stats in keys.values()),
        metric_count=len(keys),
        lost=lost,
    )


def _last_step(keys: dict[str, KeyStats]) -> int | None:
    return max((one.step_max for one in keys.values() if one.step_max is not None), default=None)


def _steps_since(evidence: RunEvidence, begun_us: int) -> int:
    """Return at how many steps something was logged since the run was opened in this process."""
    loss = next((found for role in _DRAWN if (found := evidence.role(role)) is not None), None)
    if loss is None or not len(loss.time_us):
        return 0
    return int(np.count_nonzero(loss.time_us >= begun_us))


def _curve(evidence: RunEvidence) -> Curve | None:
    series = next((found for role in _DRAWN if (found := evidence.role(role)) is not None), None)
    if series is None:
        return None
    finite = series.finite()
    if len(finite) < 2:
        return None
    rises = not _role_of(evidence, series.key).endswith("loss")
    best = int(np.argmax(finite.value) if rises else np.argmin(finite.value))
    places = np.unique(np.linspace(0, len(series) - 1, MAX_CURVE_POINTS).astype(np.int64))
    return Curve(
        key=series.key,
        steps=tuple(series.step[places].tolist()),
        values=tuple(series.value[places].tolist()),
        first=float(finite.value[0]),
        last=float(series.value[-1]),
        best=float(finite.value[best]),
        best_step=int(finite.step[best]),
        point_count=len(series),
    )


def _role_of(evidence: RunEvidence, key: str) -> str:
    return next((role for role in _DRAWN if evidence.roles.key(role) == key), "")
