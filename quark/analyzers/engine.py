"""``AnalyzerEngine``: from what a run has kept to alerts and health scores."""

from __future__ import annotations

from typing import Any, TypeVar

from quark.analyzers.judged import (
    AnalyzerEngineConfig as AnalyzerEngineConfig,
    AnalyzerResult as AnalyzerResult,
    judge_stored,
    keep_analysis as keep_analysis,
)
from quark.analyzers.outputs import current_outputs, within_steps
from quark.analyzers.questions import check_numbers_from_0, check_word
from quark.records import AlertRecord, HealthScoreRecord, Record
from quark.schema.words import ALERT_CATEGORIES, ALERT_SEVERITIES, HEALTH_SCORE_KEYS
from quark.session.resolve import Target, check_target, open_for_writing, reading

R = TypeVar("R", bound=Record)


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
        with open_for_writing(self._target) as handle, handle.reading() as store:
            return judge_stored(
                store,
                handle,
                config,
                replaces_existing=replaces,
                on_fault=lambda rule_id, error: handle.faults.record(
                    f"rule {rule_id} failed", error
                ),
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
