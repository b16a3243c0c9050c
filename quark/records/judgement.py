"""What the analyzers say about a run: evidence, alerts, health scores and phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from quark import jsonio
from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecord:
    """One observation that an alert, a score or a phase rests on."""

    kind: str
    source: str
    summary: str
    observed_value: float | None = None
    threshold_value: float | None = None
    step_start: int | None = None
    step_end: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the evidence as a plain dict."""
        return {item.name: jsonio.to_plain(getattr(self, item.name)) for item in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord(Record):
    """A finding of a rule: what was observed, what it probably means, and on what evidence."""

    KIND: ClassVar[str] = "alert"
    ESSENTIAL: ClassVar[bool] = True
    FILTERS: ClassVar[tuple[str, ...]] = ("rule_id", "category", "severity")

    rule_id: str
    category: str  # "optimization", "representation", "generalization" or "runtime"
    severity: str  # "info", "warning", "error" or "critical"
    title: str
    summary: str
    fact: str
    inference: str
    step_start: int | None = None
    step_end: int | None = None
    evidence: tuple[EvidenceRecord, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthScoreRecord(Record):
    """How well one side of a run is doing, 0 to 100."""

    KIND: ClassVar[str] = "health_score"
    ESSENTIAL: ClassVar[bool] = True
    FILTERS: ClassVar[tuple[str, ...]] = ("score_key", "category")

    score_key: str  # "overall" or a category
    category: str
    score: float
    status: str  # "healthy", "watch", "degraded" or "critical"
    summary: str = ""
    evidence: tuple[EvidenceRecord, ...] = ()
    contributing_alert_ids: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRecord(Record):
    """A stretch of training with one character."""

    KIND: ClassVar[str] = "phase"
    ESSENTIAL: ClassVar[bool] = True
    FILTERS: ClassVar[tuple[str, ...]] = ("phase_name",)

    phase_name: str
    display_name: str
    summary: str
    step_start: int | None = None
    step_end: int | None = None
    evidence: tuple[EvidenceRecord, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRecord(Record):
    """One analysis of the run, written when all it had to say is written.

    Its alerts, scores or phases carry ``analysis_id`` in their metadata; without this record they
    count as not there. ``replaces_existing`` puts it in the place of every earlier analysis of the
    same ``family``.
    """

    KIND: ClassVar[str] = "analysis"
    ESSENTIAL: ClassVar[bool] = True
    FILTERS: ClassVar[tuple[str, ...]] = ("family", "analysis_id")

    family: str  # "alerts" or "phases"
    analysis_id: str
    replaces_existing: bool = True
    output_count: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
