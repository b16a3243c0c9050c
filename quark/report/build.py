"""From a run that ends to its report: one analysis, kept in the run, and what there is to say.

What judges is loaded only for runs that are long enough to be judged, so that a run of a few steps
ends at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.records import EventRecord, RunStatus
from quark.report.cost import measure_cost
from quark.report.model import Completeness, Curve, Note, Report
from quark.storage.model import RecordFilter

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.records import AlertRecord, HealthScoreRecord, PhaseRecord
    from quark.session import TrainingSession
    from quark.storage.model import KeyStats
    from quark.storage.protocols import Store

#: With fewer points of every metric, and nothing else to go by, no rule has enough to speak.
MIN_POINTS = 12
#: The type of the events with which other parts say something in the report: ``label``, ``text``
#: and ``details``. The last one of a label counts.
REPORT_NOTE = "report_note"
#: What can be judged however few points there are.
_JUDGED_KINDS = ("layer_summary", "parameter_summary", "training_loop", "batch_diagnostic")
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
        keys = store.points.keys(session.run_id)
        completeness = _completeness(session, store, keys)
        notes = notes_of(store, session.run_id)
        judged = status != RunStatus.COMPLETED or _can_be_judged(store, session.run_id, keys)
    judgement = _judge(session, status, now_us) if judged else Judgement()
    duration = (now_us - session.opened_us) / 1e6
    rows = session.diagnostics().rows_shipped
    return Report(
        run_id=session.run_id,
        run_name=session.context.run.name,
        project=session.project_name,
        status=status,
        generated_at=format_timestamp(now_us),
        started_at=session.context.run.created_at,
        duration_seconds=round(duration, 3),
        last_step=last_step_of(keys),
        folder=str(session.run_path),
        judged=judged,
        curve=judgement.curve,
        phases=judgement.phases,
        alerts=judgement.alerts,
        health_scores=judgement.health_scores,
        completeness=completeness,
        cost=measure_cost(
            log_call_count=rows,
            step_count=judgement.step_count or rows,
            last_row={key: stats.last_value for key, stats in list(keys.items())[:200]},
            hooks_seconds=handle.costs.total_seconds,
            background_seconds=background_seconds,
            duration_seconds=duration,
        ),
        metric_roles=judgement.metric_roles or {},
        faults=session.diagnostics().faults,
        notes=notes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the analysis gave; nothing where there was none."""

    curve: Curve | None = None
    phases: tuple[PhaseRecord, ...] = ()
    alerts: tuple[AlertRecord, ...] = ()
    health_scores: tuple[HealthScoreRecord, ...] = ()
    metric_roles: Mapping[str, tuple[str, ...]] | None = None
    step_count: int = 0


def _can_be_judged(store: Store, run_id: str, keys: Mapping[str, KeyStats]) -> bool:
    if any(stats.count >= MIN_POINTS or stats.nonfinite_count for stats in keys.values()):
        return True
    counts = store.records.count(run_id)
    return any(counts.get(kind) for kind in _JUDGED_KINDS)


def _judge(session: TrainingSession, status: str, now_us: int) -> Judgement:
    """Analyse the run and keep the outcome in it."""
    from quark.analyzers.analysis import analyze_evidence
    from quark.analyzers.engine import AnalyzerEngineConfig, keep_analysis
    from quark.analyzers.gather import gather
    from quark.analyzers.phase_engine import PhaseAnalyzer

    handle = session.handle
    config = AnalyzerEngineConfig()
    started = SYSTEM_CLOCK.monotonic()
    with handle.reading() as store:
        evidence = gather(
            store, session.run_id, overrides=config.overrides, now_us=now_us, ending=str(status)
        )
    analysis = analyze_evidence(
        evidence,
        config.thresholds,
        on_fault=lambda rule_id, error: handle.faults.record(f"rule {rule_id} failed", error),
    )
    seconds = SYSTEM_CLOCK.monotonic() - started
    result = keep_analysis(handle, evidence, analysis, replaces_existing=True, seconds=seconds)
    return Judgement(
        curve=curve_of(evidence),
        phases=PhaseAnalyzer(session).analyze().phases,
        alerts=result.alerts,
        health_scores=result.health_scores,
        metric_roles=result.metric_roles,
        step_count=_steps_since(evidence, session.opened_us),
    )


def _completeness(
    session: TrainingSession, store: Store, keys: Mapping[str, KeyStats]
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


def notes_of(store: Store, run_id: str) -> tuple[Note, ...]:
    """Return the latest note of each part that has one."""
    chosen = RecordFilter(equals={"event_type": REPORT_NOTE})
    notes: dict[str, Note] = {}
    for event in store.records.read(EventRecord, run_id, chosen):
        label, details = str(event.payload.get("label", "")), event.payload.get("details") or ()
        text = str(event.payload.get("text", ""))
        notes[label] = Note(label=label, text=text, details=tuple(map(str, details)))
    return tuple(note for note in notes.values() if note.text)


def last_step_of(keys: Mapping[str, KeyStats]) -> int | None:
    """Return the highest step of any metric; None if nothing has one."""
    return max((one.step_max for one in keys.values() if one.step_max is not None), default=None)


def _steps_since(evidence: RunEvidence, begun_us: int) -> int:
    """Return at how many steps something was logged since the run was opened in this process."""
    loss = next((found for role in _DRAWN if (found := evidence.role(role)) is not None), None)
    if loss is None or not len(loss.time_us):
        return 0
    return int((loss.time_us >= begun_us).sum())


def curve_of(evidence: RunEvidence) -> Curve | None:
    """Return what is drawn of a run: its first metric of :data:`_DRAWN`; None if it has none."""
    import numpy as np

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
