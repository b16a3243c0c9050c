"""Quark watches neural-network training: it keeps every run, loses nothing, costs nothing to log.

Names are loaded when they are first used, so that ``import quark`` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark._lazy import lazy_names

if TYPE_CHECKING:
    from quark.errors import (
        InvalidRunStateError as InvalidRunStateError,
        RunNotFoundError as RunNotFoundError,
        SchemaMigrationError as SchemaMigrationError,
        SchemaValidationError as SchemaValidationError,
        SessionStoreError as SessionStoreError,
    )
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
    from quark.writers import EventLogger as EventLogger, MetricsLogger as MetricsLogger

__version__ = "0.1.0"

#: Every public name and the module it is in.
_HOMES = {
    "TrainingSession": "quark.session",
    "start_run": "quark.session",
    "resume_run": "quark.session",
    "end_run": "quark.session",
    "add_tag": "quark.session",
    "add_log": "quark.session",
    "MetricsLogger": "quark.writers",
    "EventLogger": "quark.writers",
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
    "InvalidRunStateError": "quark.errors",
}

__all__ = sorted(_HOMES)


__getattr__, _names = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
