"""What the routes of alerts, scores, phases and analyses take and give."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from quark.analyzers.comparison_results import (
    AlertDiff,
    LayerSummaryDiff,
    MetricDiff,
    PhaseDiff,
)
from quark.records import AlertRecord, HealthScoreRecord, PhaseRecord
from quark.service.models import Number, RunOut, Shown, model_of
from quark.service.models_writing import Sent

Family = Literal["alerts", "phases"]
JobState = Literal["queued", "running", "done", "failed"]

AlertOut: Any = model_of(AlertRecord)
HealthScoreOut: Any = model_of(HealthScoreRecord)
PhaseOut: Any = model_of(PhaseRecord)
_MetricDiffOut: Any = model_of(MetricDiff)
_AlertDiffOut: Any = model_of(AlertDiff)
_PhaseDiffOut: Any = model_of(PhaseDiff)
_LayerDiffOut: Any = model_of(LayerSummaryDiff)


class AlertsOut(Shown):
    """The alerts that count now, the worst of each analysis first."""

    alerts: list[AlertOut]


class HealthScoresOut(Shown):
    """The health scores that count now, the overall one first."""

    health_scores: list[HealthScoreOut]


class PhasesOut(Shown):
    """The phases that count now, by their steps."""

    phases: list[PhaseOut]


class AnalysisIn(Sent):
    """What to look for."""

    families: list[Family] = Field(["alerts", "phases"], min_length=1, max_length=2)
    force: bool = Field(False, description="Also if nothing has changed since the last time.")


class FoundAlertsOut(Shown):
    """An analysis for alerts in short."""

    analysis_id: str
    alert_count: int
    worst: str | None = Field(description="The severity of the worst.")
    scores: dict[str, Number]


class FoundPhasesOut(Shown):
    """An analysis for phases in short."""

    analysis_id: str
    phases: list[str]


class FoundOut(Shown):
    """What an analysis has found, in short; all of it is in alerts, health-scores and phases."""

    alerts: FoundAlertsOut | None = None
    phases: FoundPhasesOut | None = None
    faults: dict[str, str] = Field(description="Rules that failed, and how.")


class _JobOut(Shown):
    job_id: str
    state: JobState
    created_at: str
    started_at: str | None
    ended_at: str | None
    reason: str | None = Field(description="Why it failed.")


class AnalysisJobOut(_JobOut):
    """An analysis that was asked for."""

    run_id: str
    families: list[Family]
    result: FoundOut | None


class AnalysisJobsOut(Shown):
    """The analyses of a run, the newest first; older ones are forgotten."""

    analyses: list[AnalysisJobOut]


class TargetIn(Sent):
    """A value that a metric is to reach."""

    metric_key: str = Field(min_length=1, max_length=512, examples=["val/accuracy"])
    target_value: float = Field(examples=[0.8], allow_inf_nan=False)
    direction: Literal["at_least", "at_most"] = "at_least"


class ComparisonIn(Sent):
    """Two runs to compare. Differences are the primary's numbers less the reference's."""

    primary: str = Field(min_length=1, max_length=200, description="A run's id.")
    reference: str = Field(min_length=1, max_length=200, description="Another run's id.")
    baseline: bool = Field(False, description="The primary is to be as good as the reference.")
    targets: list[TargetIn] = Field([], max_length=100)
    force: bool = Field(False, description="Also if nothing has changed since the last time.")


class ComparisonResultOut(Shown):
    """Two runs side by side."""

    schema_version: int
    generated_at: str
    mode: Literal["baseline", "pairwise"]
    primary: RunOut
    reference: RunOut
    metric_diffs: list[_MetricDiffOut]
    alert_diff: _AlertDiffOut
    phase_diffs: list[_PhaseDiffOut]
    layer_summary_diffs: list[_LayerDiffOut]


class ComparisonJobOut(_JobOut):
    """A comparison that was asked for."""

    primary: str
    reference: str
    baseline: bool
    targets: list[tuple[str, float, str]]
    result: ComparisonResultOut | None
