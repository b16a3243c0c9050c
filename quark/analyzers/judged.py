"""Judging a run that is in a store, and keeping what was found: without a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from quark.analyzers.alerts import alert_fields, score_fields
from quark.analyzers.analysis import analyze_evidence
from quark.analyzers.gather import gather
from quark.analyzers.metric_keys import check_keys
from quark.analyzers.outputs import close_analysis, new_analysis_id, write_outputs
from quark.analyzers.thresholds import AnalyzerThresholds
from quark.clock import SYSTEM_CLOCK
from quark.errors import SchemaValidationError
from quark.records import AlertRecord, HealthScoreRecord

if TYPE_CHECKING:
    from quark.analyzers.analysis import Analysis
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.judge import OnFault
    from quark.analyzers.outputs import OutputWriter
    from quark.storage.protocols import Store

_KEY_FIELDS = {
    "step_time_metric_keys": "step_time_ms",
    "data_time_metric_keys": "data_time_ms",
    "compute_time_metric_keys": "compute_time_ms",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerEngineConfig:
    """How a run is analysed.

    ``replace_existing_outputs`` is what ``analyze`` does where it is not told. The metric keys are
    looked at in their order; of each tuple the first that was logged counts. ``metric_roles`` names
    the metrics that play a role of :data:`quark.analyzers.roles.ROLES` where their names do not say
    so.

    Raises:
        SchemaValidationError: A field is not what it must be.

    >>> AnalyzerEngineConfig(metric_roles={"train_loss": ("objective",)}).replace_existing_outputs
    True
    """

    thresholds: AnalyzerThresholds = field(default_factory=AnalyzerThresholds)
    replace_existing_outputs: bool = True
    step_time_metric_keys: tuple[str, ...] = (
        "system/runtime/step_time_ms",
        "system/step_time_ms",
    )
    data_time_metric_keys: tuple[str, ...] = (
        "system/runtime/data_time_ms",
        "system/data_time_ms",
    )
    compute_time_metric_keys: tuple[str, ...] = (
        "system/runtime/compute_time_ms",
        "system/compute_time_ms",
    )
    metric_roles: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from quark.analyzers.roles import ROLES

        if not isinstance(self.thresholds, AnalyzerThresholds):
            raise SchemaValidationError(
                f"thresholds is {self.thresholds!r}, but must be an AnalyzerThresholds."
            )
        for name in _KEY_FIELDS:
            check_keys(name, getattr(self, name))
        for role, keys in self.metric_roles.items():
            if role not in ROLES:
                raise SchemaValidationError(
                    f"Role {role!r} in metric_roles is not known. Roles are {', '.join(ROLES)}."
                )
            check_keys(f"metric_roles[{role!r}]", keys)

    @property
    def overrides(self) -> dict[str, tuple[str, ...]]:
        """The metric keys by role."""
        times = {role: getattr(self, name) for name, role in _KEY_FIELDS.items()}
        return {**times, **self.metric_roles}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzerResult:
    """What one analysis gave: alerts, the worst first, and health scores, the overall one first.

    ``metric_roles`` says which metrics were taken for what.
    """

    run_id: str
    analysis_id: str
    alerts: tuple[AlertRecord, ...]
    health_scores: tuple[HealthScoreRecord, ...]
    metric_roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts and lists."""
        return {
            "run_id": self.run_id,
            "analysis_id": self.analysis_id,
            "alerts": [alert.to_dict() for alert in self.alerts],
            "health_scores": [score.to_dict() for score in self.health_scores],
            "metric_roles": {role: list(keys) for role, keys in self.metric_roles.items()},
        }


def judge_stored(
    store: Store,
    writer: OutputWriter,
    config: AnalyzerEngineConfig,
    *,
    replaces_existing: bool,
    on_fault: OnFault,
) -> AnalyzerResult:
    """Judge a run by what ``store`` has of it, and write the outcome.

    Raises:
        RunNotFoundError: There is no such run.
        SessionStoreError: What was logged cannot be read.
    """
    started = SYSTEM_CLOCK.monotonic()
    evidence = gather(
        store, writer.run_id, overrides=config.overrides, now_us=SYSTEM_CLOCK.time_us()
    )
    analysis = analyze_evidence(evidence, config.thresholds, on_fault=on_fault)
    return keep_analysis(
        writer,
        evidence,
        analysis,
        replaces_existing=replaces_existing,
        seconds=SYSTEM_CLOCK.monotonic() - started,
    )


def keep_analysis(
    writer: OutputWriter,
    evidence: RunEvidence,
    analysis: Analysis,
    *,
    replaces_existing: bool,
    seconds: float,
) -> AnalyzerResult:
    """Write what an analysis gave into its run."""
    analysis_id = new_analysis_id()
    alerts = write_outputs(
        writer, AlertRecord, (alert_fields(one, analysis_id) for one in analysis.diagnoses)
    )
    ids = [alert.id for alert in alerts]
    scores = write_outputs(
        writer,
        HealthScoreRecord,
        (score_fields(one, analysis.diagnoses, ids, analysis_id) for one in analysis.scores),
    )
    close_analysis(
        writer,
        "alerts",
        analysis_id,
        replaces_existing=replaces_existing,
        output_count=len(alerts),
        metadata={
            "roles": {role: list(keys) for role, keys in evidence.roles.keys.items()},
            "seconds": round(seconds, 6),
        },
    )
    return AnalyzerResult(
        run_id=writer.run_id,
        analysis_id=analysis_id,
        alerts=alerts,
        health_scores=scores,
        metric_roles=dict(evidence.roles.keys),
    )
