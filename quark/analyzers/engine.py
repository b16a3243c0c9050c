"""``AnalyzerEngine``: from what a run has kept to alerts and health scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from quark.analyzers.alerts import alert_fields, score_fields
from quark.analyzers.analysis import analyze_evidence
from quark.analyzers.gather import gather
from quark.analyzers.metric_keys import check_keys
from quark.analyzers.outputs import (
    close_analysis,
    current_outputs,
    new_analysis_id,
    within_steps,
    write_outputs,
)
from quark.analyzers.questions import check_numbers_from_0, check_word
from quark.analyzers.thresholds import AnalyzerThresholds
from quark.clock import SYSTEM_CLOCK
from quark.errors import SchemaValidationError
from quark.records import AlertRecord, HealthScoreRecord, Record
from quark.schema.words import ALERT_CATEGORIES, ALERT_SEVERITIES, HEALTH_SCORE_KEYS
from quark.session.resolve import Target, check_target, open_for_writing, reading

if TYPE_CHECKING:
    from quark.analyzers.analysis import Analysis
    from quark.analyzers.evidence import RunEvidence
    from quark.session.handle import RunHandle

R = TypeVar("R", bound=Record)

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


class AnalyzerEngine:
    """Judges one run by what it has kept so far.

    It works on metrics alone, and sees more with layer summaries, parameter summaries, telemetry
    and data diagnostics. A run may be analysed while it goes on, and any time later.

    Args:
        session: The run: a ``TrainingSession`` or a ``RunContext``.
        config: Thresholds and metric keys.

    Raises:
        SchemaValidationError: ``session`` is no run.

    >>> import tempfile
    >>> from quark import MetricsLogger, TrainingSession
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     with MetricsLogger(session) as metrics:
    ...         for step in range(50):
    ...             _ = metrics.log("system/runtime/step_time_ms", 700.0, step=step)
    ...     result = AnalyzerEngine(session).analyze()
    >>> [(alert.rule_id, alert.severity) for alert in result.alerts]
    [('runtime_bottleneck_risk', 'error')]
    """

    def __init__(self, session: Target, *, config: AnalyzerEngineConfig | None = None) -> None:
        check_target(session)
        self._target = session
        self._config = config or AnalyzerEngineConfig()

    def analyze(self, *, replace_existing: bool | None = None) -> AnalyzerResult:
        """Judge the run and keep the outcome.

        Args:
            replace_existing: Put the outcome in the place of earlier ones, or beside them; by
                default what the configuration says.

        Raises:
            SessionStoreError: What was logged cannot be read.
        """
        config = self._config
        replaces = config.replace_existing_outputs if replace_existing is None else replace_existing
        started = SYSTEM_CLOCK.monotonic()
        with open_for_writing(self._target) as handle:
            with handle.reading() as store:
                evidence = gather(
                    store,
                    handle.run_id,
                    overrides=config.overrides,
                    now_us=SYSTEM_CLOCK.time_us(),
                )
            analysis = analyze_evidence(
                evidence,
                config.thresholds,
                on_fault=lambda rule_id, error: handle.faults.record(
                    f"rule {rule_id} failed", error
                ),
            )
            return keep_analysis(
                handle,
                evidence,
                analysis,
                replaces_existing=replaces,
                seconds=SYSTEM_CLOCK.monotonic() - started,
            )

    def read_alerts(
        self,
        *,
        rule_id: str | None = None,
        category: str | None = None,
        severity: str | None = None,
        step: int | None = None,
        step_min: int | None = None,
        step_max: int | None = None,
        limit: int | None = None,
    ) -> tuple[AlertRecord, ...]:
        """Return the alerts that count now, the worst of each analysis first.

        Args:
            rule_id: Only those of this rule; likewise ``category`` and ``severity``.
            step: Only those whose range of steps has it; likewise ``step_min`` and ``step_max``,
                which that range must meet.
            limit: How many at most.

        Raises:
            SchemaValidationError: A word that no alert can have, or a step or limit that is no
                whole number of 0 or more.
            SessionStoreError: The store does not answer.
        """
        check_word("category", category, ALERT_CATEGORIES)
        check_word("severity", severity, ALERT_SEVERITIES)
        check_numbers_from_0(step=step, step_min=step_min, step_max=step_max, limit=limit)
        equals = {"rule_id": rule_id, "category": category, "severity": severity}
        return within_steps(
            self._read(AlertRecord, equals),
            step=step,
            step_min=step_min,
            step_max=step_max,
            limit=limit,
        )

    def read_health_scores(
        self,
        *,
        score_key: str | None = None,
        category: str | None = None,
        limit: int | None = None,
    ) -> tuple[HealthScoreRecord, ...]:
        """Return the health scores that count now, the overall one first.

        Args:
            score_key: ``overall`` or a category; ``category`` means the same.
            limit: How many at most.

        Raises:
            SchemaValidationError: A word that no score can have, or a limit that is no whole
                number of 0 or more.
            SessionStoreError: The store does not answer.
        """
        check_word("score_key", score_key, HEALTH_SCORE_KEYS)
        check_word("category", category, HEALTH_SCORE_KEYS)
        check_numbers_from_0(limit=limit)
        found = self._read(HealthScoreRecord, {"score_key": score_key, "category": category})
        return found if limit is None else found[:limit]

    def _read(self, kind: type[R], equals: dict[str, Any]) -> tuple[R, ...]:
        given = {name: value for name, value in equals.items() if value is not None}
        with reading(self._target) as (store, run_id):
            return current_outputs(store, run_id, kind, "alerts", given)


def keep_analysis(
    handle: RunHandle,
    evidence: RunEvidence,
    analysis: Analysis,
    *,
    replaces_existing: bool,
    seconds: float,
) -> AnalyzerResult:
    """Write what an analysis gave into its run."""
    analysis_id = new_analysis_id()
    alerts = write_outputs(
        handle, AlertRecord, (alert_fields(one, analysis_id) for one in analysis.diagnoses)
    )
    ids = [alert.id for alert in alerts]
    scores = write_outputs(
        handle,
        HealthScoreRecord,
        (score_fields(one, analysis.diagnoses, ids, analysis_id) for one in analysis.scores),
    )
    close_analysis(
        handle,
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
        run_id=handle.run_id,
        analysis_id=analysis_id,
        alerts=alerts,
        health_scores=scores,
        metric_roles=dict(evidence.roles.keys),
    )
