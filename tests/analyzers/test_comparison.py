"""Two runs side by side: every number by a second way, and what holds for any two runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from quark import (
    AlertRecord,
    ComparisonEngine,
    ComparisonEngineConfig,
    LayerSummaryRecord,
    MetricTargetSpec,
    PhaseAnalyzer,
    RunNotFoundError,
    SchemaValidationError,
    TrainingSession,
)
from quark.analyzers.comparison import (
    ComparedRun,
    alert_diff,
    better_of,
    difference,
    layer_diffs,
    metric_diffs,
    phase_diffs,
)
from quark.analyzers.metric_directions import metric_directions
from quark.analyzers.outputs import close_analysis
from quark.records import MetricDefinitionRecord, PhaseRecord
from tests.analyzers.building import layer, series

NAN, INF = math.nan, math.inf
Start = Callable[..., TrainingSession]


@pytest.fixture(autouse=True)
def _no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report at a run's end analyses it too."""
    monkeypatch.setenv("QUARK_REPORT", "0")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start runs that are ended with the test."""
    started: list[TrainingSession] = []

    def start(**columns: Any) -> TrainingSession:
        session = TrainingSession.start_run(project="compared", storage_dir=tmp_path)
        started.append(session)
        for key, values in columns.items():
            for step, value in enumerate(values):
                session.log_row({key.replace("__", "/"): value}, step)
        return session

    yield start
    for session in started:
        if not session.ended:
            session.end_run()


# -- real runs -----------------------------------------------------------------------------------


def test_metrics_of_two_runs_are_compared_number_by_number(start: Start) -> None:
    ours = [1.0, 0.6, 0.5, 0.3, 0.4]
    theirs = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    primary = start(val__loss=ours, lr=[0.1, 0.2], only__here=[1.0])
    reference = start(val__loss=theirs, lr=[0.1, 0.1], only__there=[2.0])
    target = MetricTargetSpec("val/loss", 0.5, "at_most")

    found = ComparisonEngine.compare_runs(
        primary, reference, baseline=True, config=ComparisonEngineConfig(metric_targets=(target,))
    )

    assert (found.mode, found.primary.id, found.reference.id) == (
        "baseline",
        primary.run_id,
        reference.run_id,
    )
    assert [one.metric_key for one in found.metric_diffs] == [
        *("lr", "only/here", "only/there", "val/loss")
    ]
    assert [one.presence for one in found.metric_diffs] == ["both", "primary", "reference", "both"]
    loss = found.metric("val/loss")
    assert loss is not None
    assert loss.primary is not None
    assert loss.reference is not None
    assert loss.direction == "at_most"
    assert (loss.primary.count, loss.primary.min, loss.primary.max) == (5, 0.3, 1.0)
    assert (loss.primary.last, loss.primary.best, loss.primary.best_step) == (0.4, 0.3, 3)
    assert loss.last.absolute == pytest.approx(0.4 - 0.5)
    assert loss.last.relative == pytest.approx((0.4 - 0.5) / 0.5)
    assert loss.best.absolute == pytest.approx(0.3 - 0.5)
    assert loss.mean.primary == pytest.approx(sum(ours) / 5)
    assert loss.mean.absolute == pytest.approx(sum(ours) / 5 - sum(theirs) / 6)
    assert (loss.better, loss.better_at_best) == ("primary", "primary")
    assert (loss.count_difference, loss.last_step_difference) == (-1, -1)
    reached = loss.time_to_target_step
    assert reached is not None
    assert (reached.primary, reached.reference, reached.difference) == (2, 5, -3)
    rate = found.metric("lr")
    assert rate is not None
    assert (rate.direction, rate.better) == (None, None)
    assert rate.last.absolute == pytest.approx(0.1)
    alone = found.metric("only/here")
    assert alone is not None
    assert (alone.reference, alone.last.absolute, alone.last_step_difference) == (None, None, None)
    assert found.metric("none") is None


def test_a_reference_is_a_session_a_context_or_an_id(start: Start, tmp_path: Path) -> None:
    primary, reference = start(loss=[1.0]), start(loss=[2.0])
    engine = ComparisonEngine(primary)
    by_session = engine.compare(reference)
    reference.end_run()

    others = [
        engine.compare(reference.context),
        engine.compare(reference.run_id),
        ComparisonEngine(primary.context).compare(reference.run_id),
    ]

    assert by_session.mode == "pairwise"
    assert engine.compare_to_baseline(reference.run_id).mode == "baseline"
    for other in others:
        assert other.metric_diffs == by_session.metric_diffs
        assert other.reference.status == "completed"
    with pytest.raises(RunNotFoundError):
        engine.compare("run_none")
    for wrong in (3, None):
        with pytest.raises(SchemaValidationError, match="not a run"):
            engine.compare(wrong)  # type: ignore[arg-type]
    with pytest.raises(SchemaValidationError, match="not a run"):
        ComparisonEngine(primary.run_id)  # type: ignore[arg-type]


def test_a_comparison_is_plain_json_with_what_the_guide_names(start: Start) -> None:
    primary = start(train__loss=np.linspace(2, 1, 30), bad=[NAN, INF])
    reference = start(train__loss=np.linspace(2, 0.5, 30), bad=[0.0, -INF])
    for session in (primary, reference):
        PhaseAnalyzer(session).analyze()
        put_layers(session)

    plain = ComparisonEngine(primary).compare(reference).to_dict()

    assert set(plain) == {
        *("schema_version", "generated_at", "mode", "primary", "reference"),
        *("metric_diffs", "alert_diff", "phase_diffs", "layer_summary_diffs"),
    }
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["primary"]["project_name"] == "compared"
    bad = plain["metric_diffs"][0]
    assert (bad["primary"]["last"], bad["reference"]["last"]) == ("Infinity", "-Infinity")
    assert bad["primary"]["nonfinite_count"] == 2
    assert (bad["primary"]["min"], bad["best"]["primary"]) == (None, None)


def put_layers(session: TrainingSession, scale: float = 1.0) -> None:
    for step in range(3):
        for name, kind in (("fc", "activation"), ("fc", "gradient"), ("", "activation")):
            session.emit(
                LayerSummaryRecord,
                step=step,
                module_name=name,
                module_type="Linear",
                summary_type=kind,
                hook_direction="forward" if kind == "activation" else "backward",
                element_count=8,
                mean=0.0,
                std=1.0,
                norm=scale * (step + 1),
                dead_unit_ratio=0.25 if kind == "activation" else None,
            )


def put_alerts(session: TrainingSession, *alerts: tuple[str, str, str], replaces: bool) -> None:
    analysis_id = f"analysis_{len(alerts)}_{replaces}"
    for rule_id, subject, severity in alerts:
        session.emit(
            AlertRecord,
            rule_id=rule_id,
            category="optimization",
            severity=severity,
            title=rule_id.title(),
            summary="s",
            fact="f",
            inference="i",
            metadata={"analysis_id": analysis_id, "subject": subject},
        )
    close_analysis(
        session.handle,
        "alerts",
        analysis_id,
        replaces_existing=replaces,
        output_count=len(alerts),
    )


def test_alerts_that_count_now_are_added_resolved_or_common(start: Start) -> None:
    primary, reference = start(), start()
    put_alerts(primary, ("old", "", "critical"), replaces=True)
    put_alerts(
        primary,
        *[("spike", "loss", "warning"), ("spike", "val", "error"), ("dead", "fc", "critical")],
        replaces=True,
    )
    put_alerts(reference, ("dead", "fc", "warning"), ("slow", "", "info"), replaces=True)

    found = ComparisonEngine(primary).compare(reference).alert_diff

    assert [(one.rule_id, one.subject, one.primary_severity) for one in found.added] == [
        ("spike", "val", "error"),
        ("spike", "loss", "warning"),
    ]
    assert [(one.rule_id, one.reference_severity) for one in found.resolved] == [("slow", "info")]
    (common,) = found.common
    assert (common.primary_severity, common.reference_severity) == ("critical", "warning")
    assert found.primary_severity_counts == {"info": 0, "warning": 1, "error": 1, "critical": 1}
    assert found.reference_severity_counts == {"info": 1, "warning": 1, "error": 0, "critical": 0}


def test_phases_and_layers_of_two_runs_are_compared(start: Start) -> None:
    falling = 0.3 + 2 * np.exp(-np.arange(300) / 40)
    primary = start(train__loss=falling)
    reference = start(train__loss=np.full(200, 0.7))
    put_layers(primary)
    put_layers(reference, scale=2.0)

    unanalysed = ComparisonEngine(primary).compare(reference)
    for session in (primary, reference):
        PhaseAnalyzer(session).analyze()
    found = ComparisonEngine(primary).compare(reference)

    assert unanalysed.phase_diffs == ()  # a comparison runs no analysis
    by_name = {one.phase_name: one for one in found.phase_diffs}
    assert list(by_name) == [
        *("initialization_adaptation", "rapid_learning", "stabilization", "stagnation")
    ]
    assert sum(one.primary_steps for one in found.phase_diffs) == 300
    assert sum(one.reference_steps for one in found.phase_diffs) == 200
    assert sum(one.primary_ratio or 0 for one in found.phase_diffs) == pytest.approx(1.0)
    rapid = by_name["rapid_learning"]
    assert (rapid.primary_count, rapid.reference_count) == (1, 0)
    assert rapid.difference_steps == rapid.primary_steps > 0
    layers = found.layer_summary_diffs
    assert [(one.module_name, one.summary_type) for one in layers] == [
        *(("", "activation"), ("fc", "activation"), ("fc", "gradient"))
    ]
    assert {one.presence for one in layers} == {"both"}
    assert [one.mean_norm.absolute for one in layers] == [2.0 - 4.0] * 3
    assert [one.mean_dead_unit_ratio.primary for one in layers] == [0.25, 0.25, None]
    assert {one.primary_probe_count for one in layers} == {3}


# -- single numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("primary", "reference", "direction", "better"),
    [
        (0.4, 0.5, "at_most", "primary"),
        (0.4, 0.5, "at_least", "reference"),
        (0.5, 0.5, "at_most", "equal"),
        (NAN, 1e300, "at_most", "reference"),
        (NAN, INF, "at_most", "reference"),
        (-INF, NAN, "at_least", "primary"),
        (NAN, NAN, "at_least", "equal"),
        (INF, INF, "at_most", "equal"),
        (0.4, 0.5, None, None),
        (None, 0.5, "at_most", None),
    ],
)
def test_nan_is_worse_than_any_number(
    primary: float | None, reference: float | None, direction: str | None, better: str | None
) -> None:
    assert better_of(primary, reference, direction) == better


@pytest.mark.parametrize(
    ("values", "target", "step"),
    [
        pytest.param(
            [0.1, 0.5, 0.8, 0.9], MetricTargetSpec("m", 0.8, "at_least"), 20, id="exactly"
        ),
        pytest.param([0.9, 0.1, 0.1], MetricTargetSpec("m", 0.8), 0, id="at-once-and-not-later"),
        pytest.param([NAN, NAN, 0.2], MetricTargetSpec("m", 0.5, "at_most"), 20, id="after-nan"),
        pytest.param([NAN, NAN], MetricTargetSpec("m", 0.5, "at_most"), None, id="nan-never"),
        pytest.param([NAN], MetricTargetSpec("m", -INF, "at_least"), None, id="nan-not-even-that"),
        pytest.param([0.9], MetricTargetSpec("m", 0.5, "at_most"), None, id="never"),
    ],
)
def test_a_target_is_reached_at_the_first_step_that_is_as_good(
    values: list[float], target: MetricTargetSpec, step: int | None
) -> None:
    run = ComparedRun(metrics={"m": series("m", values, np.arange(len(values)) * 10)})

    (diff,) = metric_diffs(run, ComparedRun(), {}, [target])

    assert diff.time_to_target_step is not None
    assert diff.time_to_target_step.primary == step
    assert (diff.time_to_target_step.reference, diff.time_to_target_step.difference) == (None, None)
    assert diff.direction == target.direction
    slow = [n * 10 for n, value in enumerate(values) if target.is_reached_by(value)]
    assert step == (slow[0] if slow else None)


def test_directions_are_told_by_definitions_and_else_by_names() -> None:
    def defined(name: str, **fields: Any) -> MetricDefinitionRecord:
        return MetricDefinitionRecord(id="", run_id="", timestamp="", name=name, **fields)

    keys = ["train/loss", "val/acc", "lr", "x/a", "x/b", "val/ppl", "custom"]
    told = [
        defined("x/*", goal="maximize"),
        defined("x/b", summary=("min",)),
        defined("custom", summary=("min", "max")),
    ]

    assert metric_directions(keys, told) == {
        "train/loss": "at_most",
        "val/acc": "at_least",
        "x/a": "at_least",
        "x/b": "at_most",
        "val/ppl": "at_most",
    }
    assert metric_directions(["policy_loss", "train/loss"]) == {}
    assert metric_directions(["train/loss"], [defined("train/loss", goal="maximize")]) == {
        "train/loss": "at_least"
    }


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: MetricTargetSpec("", 1.0), "metric_key"),
        (lambda: MetricTargetSpec("m", NAN), "target_value"),
        (lambda: MetricTargetSpec("m", True), "target_value"),
        (lambda: MetricTargetSpec("m", 1.0, "max"), "direction"),
        (lambda: ComparisonEngineConfig(metric_targets=["m"]), "metric_targets"),  # type: ignore[arg-type]
        (
            lambda: ComparisonEngineConfig(
                metric_targets=(MetricTargetSpec("m", 1.0), MetricTargetSpec("m", 2.0))
            ),
            "more than once",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Callable[[], object], word: str) -> None:
    with pytest.raises(SchemaValidationError, match=word):
        make()


# -- what holds for any two runs -----------------------------------------------------------------

floats = st.floats(allow_subnormal=False)
curves = st.dictionaries(
    st.sampled_from(["train/loss", "val/acc", "lr", "x"]), st.lists(floats, min_size=1, max_size=6)
)
phases = st.lists(
    st.tuples(st.sampled_from(["stagnation", "divergence", "own"]), st.integers(0, 9)), max_size=4
)
alerts = st.lists(
    st.tuples(
        st.sampled_from(["spike", "dead"]),
        st.sampled_from(["", "fc"]),
        st.sampled_from(["info", "error"]),
    ),
    max_size=4,
)


def run_of(
    metrics: dict[str, list[float]],
    phases: list[tuple[str, int]],
    alerts: list[tuple[str, str, str]],
) -> ComparedRun:
    envelope: dict[str, Any] = {"id": "", "run_id": "", "timestamp": ""}
    words: dict[str, Any] = {"title": "t", "summary": "s", "fact": "f", "inference": "i"}
    return ComparedRun(
        metrics={key: series(key, values) for key, values in metrics.items()},
        phases=[
            PhaseRecord(
                **envelope,
                phase_name=name,
                display_name=name,
                summary="s",
                step_start=0,
                step_end=length,
            )
            for name, length in phases
        ],
        alerts=[
            AlertRecord(
                **envelope,
                **words,
                rule_id=rule_id,
                category="runtime",
                severity=severity,
                metadata={"subject": subject},
            )
            for rule_id, subject, severity in alerts
        ],
        layers=[
            layer(values, name=key, kind="activation", std=1.0)
            for key, values in metrics.items()
            if key != "x"
        ],
    )


runs = st.builds(run_of, curves, phases, alerts)
DIRECTIONS = {"train/loss": "at_most", "val/acc": "at_least"}
MIRRORED = {"primary": "reference", "reference": "primary", "both": "both", "equal": "equal"}


def negated(one: float | None, other: float | None) -> bool:
    """Whether two numbers are opposites; NaN is its own, and so is None."""
    if one is None or other is None:
        return one is other
    return (one != one and other != other) or one == -other


@settings(max_examples=60)
@given(runs, runs)
def test_the_other_way_round_everything_is_mirrored(one: ComparedRun, other: ComparedRun) -> None:
    there, back = (
        metric_diffs(one, other, DIRECTIONS, [MetricTargetSpec("x", 0.0)]),
        metric_diffs(other, one, DIRECTIONS, [MetricTargetSpec("x", 0.0)]),
    )
    assert [diff.metric_key for diff in there] == sorted({*one.metrics, *other.metrics})
    for a, b in zip(there, back, strict=True):
        assert a.presence == MIRRORED[b.presence]
        assert MIRRORED.get(a.better or "") == b.better
        assert MIRRORED.get(a.better_at_best or "") == b.better_at_best
        for part in ("last", "best", "mean"):
            assert negated(getattr(a, part).absolute, getattr(b, part).absolute)
        assert a.count_difference == -b.count_difference
        assert (a.time_to_target_step is None) == (a.metric_key != "x")
        if a.time_to_target_step is not None and b.time_to_target_step is not None:
            assert negated(a.time_to_target_step.difference, b.time_to_target_step.difference)
    alerts, alerts_back = alert_diff(one, other), alert_diff(other, one)
    assert len(alerts.added) == len(alerts_back.resolved)
    assert len(alerts.common) == len(alerts_back.common)
    identities = [(a.rule_id, a.subject) for a in (*alerts.added, *alerts.resolved, *alerts.common)]
    assert len(identities) == len(set(identities))
    for p, q in zip(phase_diffs(one, other), phase_diffs(other, one), strict=True):
        assert p.difference_steps == -q.difference_steps
        assert (p.primary_count, p.reference_ratio) == (q.reference_count, q.primary_ratio)
    for m, n in zip(layer_diffs(one, other), layer_diffs(other, one), strict=True):
        assert m.presence == MIRRORED[n.presence]
        assert negated(m.mean_norm.absolute, n.mean_norm.absolute)


@settings(max_examples=40)
@given(runs)
def test_a_run_does_not_differ_from_itself(run: ComparedRun) -> None:
    for diff in metric_diffs(run, run, DIRECTIONS):
        assert diff.better == (None if diff.direction is None else "equal")
        for part in (diff.last, diff.best, diff.mean):
            assert part.absolute in (0.0, None) or math.isnan(part.absolute or 0.0)
    found = alert_diff(run, run)
    assert (found.added, found.resolved) == ((), ())
    assert {diff.difference_steps for diff in phase_diffs(run, run)} <= {0}


@given(floats, floats)
def test_a_difference_is_what_subtraction_says(one: float, other: float) -> None:
    found = difference(one, other)

    assert found.absolute is not None
    if math.isfinite(one) and math.isfinite(other):
        assert found.absolute == one - other
        if other:
            assert found.relative == pytest.approx((one - other) / abs(other), nan_ok=True)
