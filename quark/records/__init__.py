"""Every record Quark keeps. A new kind is a file here and a line in :data:`RECORD_KINDS`.

The classes are loaded when they are first used: a dataclass takes a millisecond to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from quark._lazy import LazyClasses, lazy_names

if TYPE_CHECKING:
    from quark.records.architecture import (
        ArchitectureEdge as ArchitectureEdge,
        ArchitectureModule as ArchitectureModule,
        ArchitectureNode as ArchitectureNode,
        ModelArchitectureRecord as ModelArchitectureRecord,
    )
    from quark.records.artifact import (
        ArtifactRecord as ArtifactRecord,
    )
    from quark.records.base import (
        ENVELOPE as ENVELOPE,
        Record as Record,
    )
    from quark.records.batch import (
        BatchDiagnosticRecord as BatchDiagnosticRecord,
    )
    from quark.records.event import (
        SEVERITIES as SEVERITIES,
        ConsoleLineRecord as ConsoleLineRecord,
        EventRecord as EventRecord,
        LogIdentifier as LogIdentifier,
    )
    from quark.records.judgement import (
        AlertRecord as AlertRecord,
        AnalysisRecord as AnalysisRecord,
        EvidenceRecord as EvidenceRecord,
        HealthScoreRecord as HealthScoreRecord,
        PhaseRecord as PhaseRecord,
    )
    from quark.records.layer import (
        LayerSummaryRecord as LayerSummaryRecord,
    )
    from quark.records.lifecycle import (
        OBSERVER_TRANSITIONS as OBSERVER_TRANSITIONS,
        RUN_TRANSITIONS as RUN_TRANSITIONS,
        TERMINAL_STATUSES as TERMINAL_STATUSES,
        ObserverStatus as ObserverStatus,
        RunStatus as RunStatus,
        check_run_transition as check_run_transition,
    )
    from quark.records.loop import (
        TrainingLoopRecord as TrainingLoopRecord,
    )
    from quark.records.metric import (
        HistoryValueRecord as HistoryValueRecord,
        LateRowRecord as LateRowRecord,
        MetricDefinitionRecord as MetricDefinitionRecord,
        MetricNoteRecord as MetricNoteRecord,
        MetricRecord as MetricRecord,
        NestedKeyRecord as NestedKeyRecord,
    )
    from quark.records.parameter import (
        ParameterDistributionRecord as ParameterDistributionRecord,
        ParameterSummaryRecord as ParameterSummaryRecord,
    )
    from quark.records.run import (
        ConfigUpdateRecord as ConfigUpdateRecord,
        ProjectRecord as ProjectRecord,
        RunChange as RunChange,
        RunContext as RunContext,
        RunRecord as RunRecord,
        RunUpdateRecord as RunUpdateRecord,
        SummaryUpdateRecord as SummaryUpdateRecord,
        fold_run as fold_run,
    )
    from quark.records.span import (
        SpanRecord as SpanRecord,
    )
    from quark.records.telemetry import (
        SystemTelemetryRecord as SystemTelemetryRecord,
    )

_MODULES = {
    "architecture": (
        "ArchitectureEdge",
        "ArchitectureModule",
        "ArchitectureNode",
        "ModelArchitectureRecord",
    ),
    "artifact": ("ArtifactRecord",),
    "base": (
        "ENVELOPE",
        "Record",
    ),
    "batch": ("BatchDiagnosticRecord",),
    "event": (
        "ConsoleLineRecord",
        "EventRecord",
        "LogIdentifier",
        "SEVERITIES",
    ),
    "judgement": (
        "AlertRecord",
        "AnalysisRecord",
        "EvidenceRecord",
        "HealthScoreRecord",
        "PhaseRecord",
    ),
    "layer": ("LayerSummaryRecord",),
    "lifecycle": (
        "OBSERVER_TRANSITIONS",
        "ObserverStatus",
        "RUN_TRANSITIONS",
        "RunStatus",
        "TERMINAL_STATUSES",
        "check_run_transition",
    ),
    "loop": ("TrainingLoopRecord",),
    "metric": (
        "HistoryValueRecord",
        "LateRowRecord",
        "MetricDefinitionRecord",
        "MetricNoteRecord",
        "MetricRecord",
        "NestedKeyRecord",
    ),
    "parameter": (
        "ParameterDistributionRecord",
        "ParameterSummaryRecord",
    ),
    "run": (
        "ConfigUpdateRecord",
        "ProjectRecord",
        "RunChange",
        "RunContext",
        "RunRecord",
        "RunUpdateRecord",
        "SummaryUpdateRecord",
        "fold_run",
    ),
    "span": ("SpanRecord",),
    "telemetry": ("SystemTelemetryRecord",),
}

#: The class of every kind, by the word that is written to disk.
RECORD_KINDS: Mapping[str, type[Record]] = LazyClasses(
    __name__,
    {
        "run": "RunRecord",
        "run_update": "RunUpdateRecord",
        "config_update": "ConfigUpdateRecord",
        "summary_update": "SummaryUpdateRecord",
        "metric": "MetricRecord",
        "metric_note": "MetricNoteRecord",
        "metric_definition": "MetricDefinitionRecord",
        "history_value": "HistoryValueRecord",
        "nested_key": "NestedKeyRecord",
        "late_row": "LateRowRecord",
        "event": "EventRecord",
        "console_line": "ConsoleLineRecord",
        "system_telemetry": "SystemTelemetryRecord",
        "layer_summary": "LayerSummaryRecord",
        "parameter_summary": "ParameterSummaryRecord",
        "parameter_distribution": "ParameterDistributionRecord",
        "model_architecture": "ModelArchitectureRecord",
        "training_loop": "TrainingLoopRecord",
        "batch_diagnostic": "BatchDiagnosticRecord",
        "artifact": "ArtifactRecord",
        "alert": "AlertRecord",
        "analysis": "AnalysisRecord",
        "health_score": "HealthScoreRecord",
        "phase": "PhaseRecord",
        "span": "SpanRecord",
    },
)

_HOMES = {name: f"quark.records.{module}" for module, names in _MODULES.items() for name in names}

__all__ = [*sorted(_HOMES), "RECORD_KINDS"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
