"""Every record Quark keeps. A new kind is a file here and a line in :data:`RECORD_KINDS`."""

from quark.records.artifact import ArtifactRecord
from quark.records.base import ENVELOPE, Record
from quark.records.batch import BatchDiagnosticRecord
from quark.records.event import SEVERITIES, ConsoleLineRecord, EventRecord, LogIdentifier
from quark.records.judgement import AlertRecord, EvidenceRecord, HealthScoreRecord, PhaseRecord
from quark.records.layer import LayerSummaryRecord
from quark.records.lifecycle import (
    OBSERVER_TRANSITIONS,
    RUN_TRANSITIONS,
    TERMINAL_STATUSES,
    ObserverStatus,
    RunStatus,
    check_run_transition,
)
from quark.records.metric import (
    HistoryValueRecord,
    MetricDefinitionRecord,
    MetricNoteRecord,
    MetricRecord,
)
from quark.records.parameter import ParameterDistributionRecord, ParameterSummaryRecord
from quark.records.run import (
    ConfigUpdateRecord,
    ProjectRecord,
    RunChange,
    RunContext,
    RunRecord,
    RunUpdateRecord,
    SummaryUpdateRecord,
    fold_run,
)
from quark.records.span import SpanRecord
from quark.records.telemetry import SystemTelemetryRecord

RECORD_KINDS: dict[str, type[Record]] = {
    kind.KIND: kind
    for kind in (
        RunRecord,
        RunUpdateRecord,
        ConfigUpdateRecord,
        SummaryUpdateRecord,
        MetricRecord,
        MetricNoteRecord,
        MetricDefinitionRecord,
        HistoryValueRecord,
        EventRecord,
        ConsoleLineRecord,
        SystemTelemetryRecord,
        LayerSummaryRecord,
        ParameterSummaryRecord,
        ParameterDistributionRecord,
        BatchDiagnosticRecord,
        ArtifactRecord,
        AlertRecord,
        HealthScoreRecord,
        PhaseRecord,
        SpanRecord,
    )
}

__all__ = [
    "ENVELOPE",
    "OBSERVER_TRANSITIONS",
    "RECORD_KINDS",
    "RUN_TRANSITIONS",
    "SEVERITIES",
    "TERMINAL_STATUSES",
    "AlertRecord",
    "ArtifactRecord",
    "BatchDiagnosticRecord",
    "ConfigUpdateRecord",
    "ConsoleLineRecord",
    "EventRecord",
    "EvidenceRecord",
    "HealthScoreRecord",
    "HistoryValueRecord",
    "LayerSummaryRecord",
    "LogIdentifier",
    "MetricDefinitionRecord",
    "MetricNoteRecord",
    "MetricRecord",
    "ObserverStatus",
    "ParameterDistributionRecord",
    "ParameterSummaryRecord",
    "PhaseRecord",
    "ProjectRecord",
    "Record",
    "RunChange",
    "RunContext",
    "RunRecord",
    "RunStatus",
    "RunUpdateRecord",
    "SpanRecord",
    "SummaryUpdateRecord",
    "SystemTelemetryRecord",
    "check_run_transition",
    "fold_run",
]
