"""``AnalyzerEngine`` on real runs: what it keeps, what counts of it, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quark import (
    AlertRecord,
    AnalyzerEngine,
    AnalyzerEngineConfig,
    AnalyzerThresholds,
    MetricsLogger,
    SchemaValidationError,
    TrainingSession,
)
from quark.records import AnalysisRecord


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    session = TrainingSession.start_run(project="slow", storage_dir=tmp_path)
    with MetricsLogger(session) as metrics:
        for step in range(60):
            metrics.log("perf/step_ms", 2_000.0, step=step)
    yield session
    if not session.ended:
        session.end_run()


#: Of no type that is taken.
WRONG: Any = "run_1"
CONFIG = AnalyzerEngineConfig(step_time_metric_keys=("nothing", "perf/step_ms"))


def test_an_analysis_is_kept_with_its_alerts_its_scores_and_what_it_took_for_what(
    session: TrainingSession,
) -> None:
    engine = AnalyzerEngine(session, config=CONFIG)

    result = engine.analyze()

    (alert,) = result.alerts
    assert (alert.rule_id, alert.category) == ("runtime_bottleneck_risk", "runtime")
    assert alert.severity == "critical"
    assert alert.fact
    assert alert.inference
    assert (alert.step_start, alert.step_end) == (0, 59)
    assert alert.evidence[0].observed_value == 2_000.0
    assert alert.evidence[0].threshold_value == 1_000.0
    assert alert.metadata["advice"]
    assert engine.read_alerts() == (alert,)
    assert engine.read_health_scores() == result.health_scores
    scores = {score.score_key: score for score in result.health_scores}
    assert list(scores) == [
        *("overall", "optimization", "representation", "generalization", "runtime")
    ]
    assert scores["runtime"].status == "critical"
    assert scores["runtime"].contributing_alert_ids == (alert.id,)
    assert scores["optimization"].score == 100.0
    assert result.metric_roles["step_time_ms"] == ("perf/step_ms",)
    assert result.to_dict()["alerts"][0]["rule_id"] == "runtime_bottleneck_risk"


def test_a_new_analysis_takes_the_place_of_the_old_one_or_stands_beside_it(
    session: TrainingSession,
) -> None:
    engine = AnalyzerEngine(session, config=CONFIG)
    first = engine.analyze()
    second = engine.analyze()
    assert engine.read_alerts() == second.alerts

    third = engine.analyze(replace_existing=False)
    assert engine.read_alerts() == (*second.alerts, *third.alerts)

    appending = AnalyzerEngineConfig(
        step_time_metric_keys=("perf/step_ms",), replace_existing_outputs=False
    )
    fourth = AnalyzerEngine(session, config=appending).analyze()
    assert len(engine.read_alerts()) == 3
    last = AnalyzerEngine(session, config=appending).analyze(replace_existing=True)

    assert engine.read_alerts() == last.alerts
    assert len(engine.read_health_scores()) == 5
    assert len({one.analysis_id for one in (first, second, third, fourth, last)}) == 5
    with session.reading() as store:
        assert len(store.records.read(AlertRecord, session.run_id)) == 5  # nothing is deleted


def test_half_an_analysis_does_not_count(session: TrainingSession) -> None:
    engine = AnalyzerEngine(session, config=CONFIG)
    before = engine.analyze()
    session.emit(
        AlertRecord,
        rule_id="x",
        category="runtime",
        severity="error",
        title="",
        summary="",
        fact="",
        inference="",
        metadata={"analysis_id": "died-before-its-end"},
    )

    assert engine.read_alerts() == before.alerts
    session.emit(AnalysisRecord, family="alerts", analysis_id="died-before-its-end")
    assert [alert.rule_id for alert in engine.read_alerts()] == ["x"]


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(lambda session: session, id="ended-session"),
        pytest.param(lambda session: session.context, id="context"),
    ],
)
def test_a_run_that_has_ended_can_be_analysed_and_stays_ended(
    session: TrainingSession, target: Callable[[TrainingSession], Any]
) -> None:
    session.end_run()
    engine = AnalyzerEngine(target(session), config=CONFIG)

    result = engine.analyze()

    assert [alert.rule_id for alert in result.alerts] == ["runtime_bottleneck_risk"]
    assert engine.read_alerts() == result.alerts
    assert session.reload().status == "completed"


def test_alerts_are_selected_by_rule_category_severity_and_steps(session: TrainingSession) -> None:
    engine = AnalyzerEngine(session, config=CONFIG)
    (alert,) = engine.analyze().alerts

    taken: dict[str, Any]
    left_out: dict[str, Any]
    for taken in (
        {"rule_id": "runtime_bottleneck_risk"},
        {"category": "runtime"},
        {"severity": "critical"},
        {"step": 30},
        {"step_min": 59},
        {"step_max": 0},
        {"limit": 1},
    ):
        assert engine.read_alerts(**taken) == (alert,), taken
    for left_out in (
        {"rule_id": "exploding_gradients"},
        {"category": "optimization"},
        {"severity": "warning"},
        {"step": 60},
        {"step_min": 60},
        {"limit": 0},
    ):
        assert engine.read_alerts(**left_out) == (), left_out
    assert [s.category for s in engine.read_health_scores(category="runtime")] == ["runtime"]
    assert [s.score_key for s in engine.read_health_scores(limit=1)] == ["overall"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.read_alerts(category="speed"), "category is 'speed', but must be one of"),
        (lambda e: e.read_alerts(severity="fatal"), "severity is 'fatal'"),
        (lambda e: e.read_alerts(step=-1), "step is -1"),
        (lambda e: e.read_alerts(limit=1.5), "limit is 1.5"),
        (lambda e: e.read_health_scores(score_key="total"), "score_key is 'total'"),
        (lambda e: AnalyzerEngine(WRONG), "is not a run"),
        (lambda e: AnalyzerEngineConfig(thresholds=WRONG), "must be an AnalyzerThresholds"),
        (lambda e: AnalyzerEngineConfig(step_time_metric_keys=WRONG), "must be a tuple"),
        (lambda e: AnalyzerEngineConfig(metric_roles={"loss": ("a",)}), "Role 'loss'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_way_out(
    session: TrainingSession, call: Callable[[AnalyzerEngine], Any], message: str
) -> None:
    with pytest.raises(SchemaValidationError, match=message):
        call(AnalyzerEngine(session))


def test_other_thresholds_are_heard(session: TrainingSession) -> None:
    lenient = AnalyzerThresholds(
        runtime_warning_step_time_ms=3_000.0,
        runtime_error_step_time_ms=4_000.0,
        runtime_critical_step_time_ms=5_000.0,
    )
    config = AnalyzerEngineConfig(thresholds=lenient, step_time_metric_keys=("perf/step_ms",))

    assert AnalyzerEngine(session, config=config).analyze().alerts == ()
