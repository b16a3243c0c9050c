"""The closed vocabularies: fields that hold one of a few words, by kind of record."""

from __future__ import annotations

from quark.records import SEVERITIES, RunStatus

RUN_STATUSES = tuple(status.value for status in RunStatus)
ALERT_SEVERITIES = ("info", "warning", "error", "critical")
ALERT_CATEGORIES = ("optimization", "representation", "generalization", "runtime")
HEALTH_SCORE_KEYS = ("overall", *ALERT_CATEGORIES)
HEALTH_STATUSES = ("healthy", "watch", "degraded", "critical")
TELEMETRY_BOUNDARIES = ("step", "time")
SUMMARY_TYPES = ("activation", "gradient")
HOOK_DIRECTIONS = ("forward", "backward")
PARAMETER_ROLES = ("weight", "bias", "other")
DISTRIBUTION_TYPES = ("value", "gradient", "update")
ANALYSIS_FAMILIES = ("alerts", "phases")
PAYLOAD_FORMATS = ("json", "text", "bytes")
STREAMS = ("stdout", "stderr")
SPAN_STATUSES = ("ok", "error")
METRIC_SUMMARIES = ("min", "max", "mean", "first", "last", "best", "none", "copy")
METRIC_GOALS = ("minimize", "maximize")

#: By kind and field. A field that may be None may still be None.
WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("run", "status"): RUN_STATUSES,
    ("event", "severity"): SEVERITIES,
    ("console_line", "stream"): STREAMS,
    ("system_telemetry", "boundary"): TELEMETRY_BOUNDARIES,
    ("layer_summary", "summary_type"): SUMMARY_TYPES,
    ("layer_summary", "hook_direction"): HOOK_DIRECTIONS,
    ("parameter_summary", "parameter_role"): PARAMETER_ROLES,
    ("parameter_distribution", "parameter_role"): PARAMETER_ROLES,
    ("parameter_distribution", "distribution_type"): DISTRIBUTION_TYPES,
    ("artifact", "payload_format"): PAYLOAD_FORMATS,
    ("alert", "category"): ALERT_CATEGORIES,
    ("alert", "severity"): ALERT_SEVERITIES,
    ("analysis", "family"): ANALYSIS_FAMILIES,
    ("health_score", "score_key"): HEALTH_SCORE_KEYS,
    ("health_score", "category"): HEALTH_SCORE_KEYS,
    ("health_score", "status"): HEALTH_STATUSES,
    ("span", "status"): SPAN_STATUSES,
    ("metric_definition", "goal"): METRIC_GOALS,
    ("metric_definition", "summary"): METRIC_SUMMARIES,
}
