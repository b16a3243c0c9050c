"""Quark watches neural-network training: it keeps every run, loses nothing, costs nothing to log.

Names are loaded when they are first used, so that ``import quark`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark._lazy import lazy_names

if TYPE_CHECKING:
    from quark.analyzers.comparison_engine import (
        ComparisonEngine as ComparisonEngine,
        ComparisonEngineConfig as ComparisonEngineConfig,
    )
    from quark.analyzers.comparison_results import (
        AlertChange as AlertChange,
        AlertDiff as AlertDiff,
        Difference as Difference,
        LayerSummaryDiff as LayerSummaryDiff,
        MetricDiff as MetricDiff,
        MetricSummary as MetricSummary,
        MetricTargetSpec as MetricTargetSpec,
        PhaseDiff as PhaseDiff,
        RunComparisonResult as RunComparisonResult,
        TimeToTarget as TimeToTarget,
    )
    from quark.analyzers.engine import (
        AnalyzerEngine as AnalyzerEngine,
        AnalyzerEngineConfig as AnalyzerEngineConfig,
        AnalyzerResult as AnalyzerResult,
    )
    from quark.analyzers.phase_engine import (
        PhaseAnalysisResult as PhaseAnalysisResult,
        PhaseAnalyzer as PhaseAnalyzer,
        PhaseAnalyzerConfig as PhaseAnalyzerConfig,
    )
    from quark.analyzers.phase_thresholds import PhaseAnalyzerThresholds as PhaseAnalyzerThresholds
    from quark.analyzers.thresholds import AnalyzerThresholds as AnalyzerThresholds
    from quark.errors import (
        AuthenticationError as AuthenticationError,
        InvalidRunStateError as InvalidRunStateError,
        PermissionDeniedError as PermissionDeniedError,
        RunNotFoundError as RunNotFoundError,
        SchemaMigrationError as SchemaMigrationError,
        SchemaValidationError as SchemaValidationError,
        SessionStoreError as SessionStoreError,
        TrainingStoppedError as TrainingStoppedError,
    )
    from quark.hooks.config import (
        HookEngineConfig as HookEngineConfig,
        HookScheduleConfig as HookScheduleConfig,
        LayerFilterConfig as LayerFilterConfig,
        ParameterDiagnosticsConfig as ParameterDiagnosticsConfig,
    )
    from quark.hooks.engine import HookEngine as HookEngine
    from quark.hooks.parameters import ParameterDiagnostics as ParameterDiagnostics
    from quark.live.guarding import guard as guard
    from quark.live.reactions import on_alert as on_alert
    from quark.records import (
        AlertRecord as AlertRecord,
        ArtifactRecord as ArtifactRecord,
        BatchDiagnosticRecord as BatchDiagnosticRecord,
        EventRecord as EventRecord,
        EvidenceRecord as EvidenceRecord,
        HealthScoreRecord as HealthScoreRecord,
        LayerSummaryRecord as LayerSummaryRecord,
        LogIdentifier as LogIdentifier,
        MetricRecord as MetricRecord,
        ParameterDistributionRecord as ParameterDistributionRecord,
        ParameterSummaryRecord as ParameterSummaryRecord,
        PhaseRecord as PhaseRecord,
        ProjectRecord as ProjectRecord,
        RunContext as RunContext,
        RunRecord as RunRecord,
        SystemTelemetryRecord as SystemTelemetryRecord,
    )
    from quark.schema import (
        CURRENT_SCHEMA_VERSION as CURRENT_SCHEMA_VERSION,
        dump_record as dump_record,
        migrate_store as migrate_store,
        validate_record as validate_record,
    )
    from quark.session import (
        TrainingSession as TrainingSession,
        add_log as add_log,
        add_tag as add_tag,
        end_run as end_run,
        resume_run as resume_run,
        start_run as start_run,
    )
    from quark.session.sync import sync as sync
    from quark.session.sync_result import (
        SyncProgress as SyncProgress,
        SyncResult as SyncResult,
    )
    from quark.telemetry import (
        SystemTelemetry as SystemTelemetry,
        SystemTelemetryConfig as SystemTelemetryConfig,
    )
    from quark.writers import EventLogger as EventLogger, MetricsLogger as MetricsLogger
    from quark.writers.artifact_files import ARTIFACT_STORAGE_LAYOUT as ARTIFACT_STORAGE_LAYOUT
    from quark.writers.artifacts import ArtifactStore as ArtifactStore
    from quark.writers.batch_config import DataDiagnosticsConfig as DataDiagnosticsConfig
    from quark.writers.batch_metadata import (
        BatchMetadata as BatchMetadata,
        BatchMetadataAdapter as BatchMetadataAdapter,
        MappingBatchMetadataAdapter as MappingBatchMetadataAdapter,
    )
    from quark.writers.batch_results import (
        DataDiagnosticsSummary as DataDiagnosticsSummary,
        DistributionSummary as DistributionSummary,
        EpochExposure as EpochExposure,
        ExposureSummary as ExposureSummary,
        HardBatchFinding as HardBatchFinding,
        OutlierReason as OutlierReason,
        SampleExposure as SampleExposure,
    )
    from quark.writers.data_diagnostics import DataDiagnostics as DataDiagnostics

__version__ = "0.1.0"

#: Every public name and the module it is in.
_HOMES = {
    "TrainingSession": "quark.session",
    "start_run": "quark.session",
    "resume_run": "quark.session",
    "end_run": "quark.session",
    "add_tag": "quark.session",
    "add_log": "quark.session",
    "sync": "quark.session.sync",
    "SyncResult": "quark.session.sync_result",
    "SyncProgress": "quark.session.sync_result",
    "HookEngine": "quark.hooks.engine",
    "HookEngineConfig": "quark.hooks.config",
    "HookScheduleConfig": "quark.hooks.config",
    "LayerFilterConfig": "quark.hooks.config",
    "ParameterDiagnostics": "quark.hooks.parameters",
    "ParameterDiagnosticsConfig": "quark.hooks.config",
    "MetricsLogger": "quark.writers",
    "EventLogger": "quark.writers",
    "ArtifactStore": "quark.writers.artifacts",
    "ARTIFACT_STORAGE_LAYOUT": "quark.writers.artifact_files",
    "DataDiagnostics": "quark.writers.data_diagnostics",
    "DataDiagnosticsConfig": "quark.writers.batch_config",
    "BatchMetadata": "quark.writers.batch_metadata",
    "BatchMetadataAdapter": "quark.writers.batch_metadata",
    "MappingBatchMetadataAdapter": "quark.writers.batch_metadata",
    "DataDiagnosticsSummary": "quark.writers.batch_results",
    "DistributionSummary": "quark.writers.batch_results",
    "EpochExposure": "quark.writers.batch_results",
    "ExposureSummary": "quark.writers.batch_results",
    "HardBatchFinding": "quark.writers.batch_results",
    "OutlierReason": "quark.writers.batch_results",
    "SampleExposure": "quark.writers.batch_results",
    "SystemTelemetry": "quark.telemetry",
    "SystemTelemetryConfig": "quark.telemetry",
    "AnalyzerEngine": "quark.analyzers.engine",
    "AnalyzerEngineConfig": "quark.analyzers.engine",
    "AnalyzerResult": "quark.analyzers.engine",
    "AnalyzerThresholds": "quark.analyzers.thresholds",
    "PhaseAnalyzer": "quark.analyzers.phase_engine",
    "PhaseAnalyzerConfig": "quark.analyzers.phase_engine",
    "PhaseAnalyzerThresholds": "quark.analyzers.phase_thresholds",
    "PhaseAnalysisResult": "quark.analyzers.phase_engine",
    "ComparisonEngine": "quark.analyzers.comparison_engine",
    "ComparisonEngineConfig": "quark.analyzers.comparison_engine",
    "MetricTargetSpec": "quark.analyzers.comparison_results",
    "RunComparisonResult": "quark.analyzers.comparison_results",
    "MetricDiff": "quark.analyzers.comparison_results",
    "MetricSummary": "quark.analyzers.comparison_results",
    "Difference": "quark.analyzers.comparison_results",
    "TimeToTarget": "quark.analyzers.comparison_results",
    "AlertDiff": "quark.analyzers.comparison_results",
    "AlertChange": "quark.analyzers.comparison_results",
    "PhaseDiff": "quark.analyzers.comparison_results",
    "LayerSummaryDiff": "quark.analyzers.comparison_results",
    "guard": "quark.live.guarding",
    "on_alert": "quark.live.reactions",
    "AlertRecord": "quark.records",
    "ArtifactRecord": "quark.records",
    "BatchDiagnosticRecord": "quark.records",
    "EventRecord": "quark.records",
    "EvidenceRecord": "quark.records",
    "HealthScoreRecord": "quark.records",
    "LayerSummaryRecord": "quark.records",
    "LogIdentifier": "quark.records",
    "MetricRecord": "quark.records",
    "ParameterDistributionRecord": "quark.records",
    "ParameterSummaryRecord": "quark.records",
    "PhaseRecord": "quark.records",
    "ProjectRecord": "quark.records",
    "RunContext": "quark.records",
    "RunRecord": "quark.records",
    "SystemTelemetryRecord": "quark.records",
    "CURRENT_SCHEMA_VERSION": "quark.schema",
    "validate_record": "quark.schema",
    "dump_record": "quark.schema",
    "migrate_store": "quark.schema",
    "SchemaValidationError": "quark.errors",
    "SchemaMigrationError": "quark.errors",
    "SessionStoreError": "quark.errors",
    "RunNotFoundError": "quark.errors",
    "AuthenticationError": "quark.errors",
    "PermissionDeniedError": "quark.errors",
    "InvalidRunStateError": "quark.errors",
    "TrainingStoppedError": "quark.errors",
}

__all__ = sorted(_HOMES)


__getattr__, _names = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
