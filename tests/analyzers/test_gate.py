"""The gate: who passes, who does not, and what it refuses to judge."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from quark import RunNotFoundError, SchemaValidationError, TrainingSession
from quark.analyzers.gate import gate
from quark.analyzers.gate_bands import GateAssertion, MetricBand, parse_assertion, statistic_of
from tests.analyzers.building import series

NAN, INF = math.nan, math.inf


@pytest.fixture(autouse=True)
def _no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARK_REPORT", "0")


Train = Callable[..., TrainingSession]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Keep a run that ends in some way, with one value or several of each metric."""

    def train(
        loss: float | list[float] | None = None,
        *,
        project: str = "nightly",
        status: str = "completed",
        **metrics: Any,
    ) -> TrainingSession:
        session = TrainingSession.start_run(project=project, storage_dir=tmp_path)
        given = {**({} if loss is None else {"val/loss": loss}), **metrics}
        for key, values in given.items():
            for step, value in enumerate(np.atleast_1d(values).tolist()):
                session.log_row({key.replace("__", "/"): value}, step)
        session.end_run(status)
        return session

    return train


def ids(*sessions: TrainingSession) -> tuple[str, ...]:
    return tuple(session.run_id for session in sessions)


# -- against past runs ---------------------------------------------------------------------------


def test_a_run_is_held_against_the_latest_completed_ones_of_its_project(train: Train) -> None:
    first = train([9.0, 0.30])
    past = [train([9.0, loss]) for loss in (0.31, 0.33, 0.32)]
    train(99.0, project="another")
    train(99.0, status="failed")
    good, bad = train([9.0, 0.34]), train([9.0, 0.36])

    passing, failing = gate(good), gate(bad, baseline_count=5)

    assert passing.passed
    assert (passing.exit_code, failing.exit_code) == (0, 1)
    assert passing.baseline_run_ids == ids(past[2], past[1], past[0], first)
    assert failing.baseline_run_ids == ids(good, past[2], past[1], past[0], first)
    status, band = failing.checks
    assert (status.kind, status.passed) == ("status", True)
    assert (band.metric_key, band.observed, band.lower_bound) == ("val/loss", 0.36, None)
    assert band.upper_bound == pytest.approx(0.34 * 1.05)
    assert band.baseline_values == (0.34, 0.32, 0.33, 0.31, 0.30)
    assert "val/loss is 0.36; it must be at most 0.357" in failing.render()
    assert failing.render().splitlines()[1].startswith("  FAIL  ")
    assert gate(good, project="nightly", baseline_count=3).baseline_run_ids == ids(*past[::-1])
    plain = failing.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["checks"][1]["passed"] is False


def test_a_later_run_is_no_past_one(train: Train) -> None:
    runs = [train(loss) for loss in (0.30, 0.31, 0.32, 0.33, 0.34)]

    assert gate(runs[3]).baseline_run_ids == ids(*runs[2::-1])


def test_baselines_are_named_by_session_context_or_id(train: Train, tmp_path: Path) -> None:
    one, other = train(0.5), train(0.6)
    candidate = train(0.62)

    by_id = gate(candidate.run_id, [one, other.context], storage_dir=str(tmp_path))

    assert by_id.passed
    assert by_id == gate(candidate, list(ids(one, other)))
    assert not gate(candidate.context, [one.run_id]).passed  # one is enough where it is named
    with pytest.raises(RunNotFoundError):
        gate(candidate, ["run_none"])
    for wrong in ([candidate], [one, one], []):
        with pytest.raises(SchemaValidationError, match=r"another run|at least 1"):
            gate(candidate, wrong)
    with pytest.raises(SchemaValidationError, match="not a run"):
        gate(3)  # type: ignore[arg-type]


def test_too_few_past_runs_are_refused_unless_that_is_said(train: Train) -> None:
    train(0.5)
    train(0.5)
    candidate = train(0.5)

    with pytest.raises(SchemaValidationError, match="There are 2 past runs"):
        gate(candidate)
    assert gate(candidate, min_baselines=2).passed
    with pytest.raises(SchemaValidationError, match="There are 0 past runs"):
        gate(candidate, project="empty", min_baselines=0)
    with pytest.raises(SchemaValidationError, match="Only 0 of 2 past runs have a finite no/such"):
        gate(candidate, min_baselines=2, metrics=["no/such"])
    with pytest.raises(SchemaValidationError, match="baseline_count"):
        gate(candidate, baseline_count=0)


def test_nan_and_missing_fail_in_the_candidate_and_are_passed_over_in_the_past(
    train: Train,
) -> None:
    past = [train(0.5), train(0.6), train(NAN), train(None), train(0.55)]

    for broken in (NAN, INF, [0.5, NAN], None):
        result = gate(train(broken), past, min_baselines=3)
        assert not result.passed
        assert result.checks[1].baseline_values == (0.5, 0.6, 0.55)
    assert "val/loss is missing" in result.render()
    assert gate(train([NAN, 0.5]), past).passed


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_a_run_that_broke_does_not_pass(train: Train, status: str) -> None:
    past = [train(0.5) for _ in range(3)]

    result = gate(train(0.5, status=status), past)

    assert [check.passed for check in result.checks] == [False, True]
    assert f"The run is {status}." in result.render()


def test_without_names_validation_counts_and_without_that_the_training(train: Train) -> None:
    both = {"train/loss": 1.0, "val/loss": 1.0, "val/accuracy": 0.5, "lr": 0.1}
    past = [train(**both) for _ in range(3)]
    trained = [train(**{"train/loss": 1.0}) for _ in range(3)]
    nameless = [train(lr=1.0) for _ in range(3)]
    candidate = train(**{**both, "train/loss": 99.0, "lr": 99.0, "val/accuracy": 0.9})

    result = gate(candidate, past)

    assert [check.metric_key for check in result.checks[1:]] == ["val/loss", "val/accuracy"]
    assert result.passed  # more accuracy is no fault
    assert [check.metric_key for check in gate(candidate, trained).checks[1:]] == ["train/loss"]
    assert not gate(candidate, nameless, metrics=["lr"]).passed  # of lr, neither side is fine
    assert gate(candidate, nameless, bands=[MetricBand(metric_key="lr", tolerance=100.0)]).passed
    with pytest.raises(SchemaValidationError, match="name the metrics"):
        gate(candidate, nameless)


def test_assertions_need_no_past_runs_and_stand_beside_bands(train: Train) -> None:
    candidate = train([0.2, 0.4], val__accuracy=[0.9, 0.8])

    alone = gate(candidate, assertions=["val/loss<=0.4", "best(val/accuracy) >= 0.9"])
    failing = gate(candidate, assertions=["val/loss<0.4", "no/such>0", "mean(val/loss)<=0.3"])
    both = gate(candidate, [train(0.4)], assertions=[parse_assertion("min(val/loss)==0.2")])

    assert alone.passed
    assert alone.baseline_run_ids == ()
    assert [check.passed for check in failing.checks] == [True, False, False, False]
    assert [check.kind for check in both.checks] == ["status", "band", "assertion"]
    assert both.passed


# -- bands and assertions alone ------------------------------------------------------------------


@settings(max_examples=60)
@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=7),
    ratio=st.floats(0, 1),
    tolerance=st.floats(0, 10),
)
def test_a_band_of_few_runs_holds_each_of_them_and_the_tolerance_beside(
    values: list[float], ratio: float, tolerance: float
) -> None:
    band = MetricBand(metric_key="m", tolerance_ratio=ratio, tolerance=tolerance)

    lower, upper = band.bounds(values)

    low, high = sorted(values)[0], sorted(values)[-1]
    assert lower == pytest.approx(low - abs(low) * ratio - tolerance)
    assert upper == pytest.approx(high + abs(high) * ratio + tolerance)
    at_most = MetricBand(metric_key="m", direction="at_most", tolerance_ratio=ratio)
    assert at_most.bounds(values)[0] is None


def test_a_band_of_many_runs_is_not_moved_by_one_wild_one() -> None:
    past = [0.30, 0.31, 0.29, 0.305, 0.295, 0.302, 0.298, 50.0]

    lower, upper = MetricBand(metric_key="m", tolerance_ratio=0.0).bounds(past)

    middle = statistics.median(past)
    deviation = statistics.median(abs(value - middle) for value in past)
    assert lower == pytest.approx(middle - 7 * 1.4826 * deviation)
    assert upper == pytest.approx(middle + 7 * 1.4826 * deviation)
    lower, upper = MetricBand(metric_key="m").bounds([2.0] * 8)
    assert (lower, upper) == (1.9, 2.1)  # the tolerance stays


def test_healthy_runs_seldom_fail_against_their_own_kind() -> None:
    rng = np.random.default_rng(3)
    band = MetricBand(metric_key="val/loss", direction="at_most")
    failed = 0
    for _ in range(500):
        losses = rng.normal(0.3, 0.01, 11)
        _, upper = band.bounds(losses[:10].tolist())
        failed += losses[10] > (upper or 0)

    assert failed <= 5


@pytest.mark.parametrize(
    ("statistic", "direction", "expected"),
    [
        ("last", None, 2.0),
        ("best", "at_most", 1.0),
        ("best", "at_least", 5.0),
        ("best", None, 2.0),
        ("min", None, 1.0),
        ("max", None, 5.0),
        ("mean", None, 3.0),
        ("mean_of_last", None, 2.5),
    ],
)
def test_statistics_are_what_they_say(
    statistic: str, direction: str | None, expected: float
) -> None:
    values = [5.0, 4.0, 1.0, 3.0, 2.0]

    assert statistic_of(series("m", values), statistic, direction, 2) == expected
    unfinished = statistic_of(series("m", [*values, NAN]), statistic, direction, 2)
    is_middle = statistic in ("min", "max") or (statistic, direction != None) == ("best", True)  # noqa: E711
    assert unfinished == expected if is_middle else math.isnan(unfinished or 0.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("val/loss<=0.3", ("val/loss", "<=", 0.3, "last")),
        (" val/loss  >  -1e-3 ", ("val/loss", ">", -1e-3, "last")),
        ("max(val/accuracy)>=0.9", ("val/accuracy", ">=", 0.9, "max")),
        ("mean( a b )!=2", ("a b", "!=", 2.0, "mean")),
        ("f1(macro)==1", ("f1(macro)", "==", 1.0, "last")),
        ("mAP@IoU=0.50>=0.3", ("mAP@IoU=0.50", ">=", 0.3, "last")),
        ("loss<inf", ("loss", "<", INF, "last")),
    ],
)
def test_assertions_are_read(text: str, expected: tuple[str, str, float, str]) -> None:
    found = parse_assertion(text)

    assert (found.metric_key, found.comparison, found.value, found.statistic) == expected
    assert parse_assertion(found.text) == found


@pytest.mark.parametrize(
    "text", ["", "val/loss", "<=0.3", "val/loss<=", "val/loss<=x", "val/loss<=nan", "a<b<1", "a=1"]
)
def test_what_is_no_assertion_is_refused(text: str) -> None:
    with pytest.raises(SchemaValidationError, match="is no assertion"):
        parse_assertion(text)


@pytest.mark.parametrize("comparison", ["<=", ">=", "<", ">", "==", "!="])
def test_nan_meets_no_assertion(comparison: str) -> None:
    assertion = GateAssertion(metric_key="m", comparison=comparison, value=0.0)

    assert not assertion.is_met_by(NAN)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"metric_key": ""}, "metric_key"),
        ({"direction": "up"}, "direction"),
        ({"statistic": "median"}, "statistic"),
        ({"tolerance_ratio": -0.1}, "tolerance_ratio"),
        ({"tolerance": NAN}, "tolerance"),
        ({"last_count": 0}, "last_count"),
    ],
)
def test_bad_bands_are_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(SchemaValidationError, match=word):
        MetricBand(**{"metric_key": "m", **fields})
