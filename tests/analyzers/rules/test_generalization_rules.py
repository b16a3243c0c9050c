"""How training and validation compare: where the rules speak, and where they keep quiet."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from quark.analyzers.evidence import RunEvidence, RunFacts
from quark.analyzers.findings import Finding
from quark.analyzers.limits.generalization import GeneralizationLimits
from quark.analyzers.roles import MetricRoles, choose_roles
from quark.analyzers.rules import (
    accuracy_at_chance as chance,
    generalization_gap as gap,
    overfitting_onset as overfitting,
    overtraining as overtrained,
    validation_bad_from_start as bad_start,
    validation_better_than_training as better,
)
from quark.analyzers.side_by_side import MAX_POINTS, losses_side_by_side
from quark.analyzers.thresholds import AnalyzerThresholds
from quark.analyzers.turning import find_turn
from tests.analyzers.building import by_role, having, layer, series

RULES = (
    overfitting.RULE,
    gap.RULE,
    overtrained.RULE,
    better.RULE,
    bad_start.RULE,
    chance.RULE,
)
LIMITS = AnalyzerThresholds()
NAN = float("nan")


def run(
    train: Any = (),
    val: Any = (),
    *,
    every: int = 1,
    val_accuracy: Any = (),
    train_accuracy: Any = (),
    config: dict[str, Any] | None = None,
) -> RunEvidence:
    """A run whose validation is at every ``every``-th step of training, at the end of each part."""
    metrics: dict[str, Any] = {}
    for role, key, values, apart in (
        ("train_loss", "train/loss", train, 1),
        ("train_accuracy", "train/accuracy", train_accuracy, 1),
        ("val_loss", "val/loss", val, every),
        ("val_accuracy", "val/accuracy", val_accuracy, every),
    ):
        if len(values):
            metrics[role] = series(key, values, (np.arange(len(values)) + 1) * apart - 1)
    return having(by_role(**metrics), run=RunFacts(config=config or {}))


def speaks(rule: Any, evidence: RunEvidence, limits: AnalyzerThresholds = LIMITS) -> Finding:
    (found,) = rule.check(evidence, limits)
    assert found.rule_id == rule.rule_id
    assert found.fact.endswith(".")
    assert found.inference.endswith(".")
    assert found.observed is not None
    assert found.threshold is not None
    assert found.step_range is not None
    assert found.step_range[0] <= found.step_range[1]
    assert isinstance(found, Finding)
    return found


def decay(start: float, end: float, count: int, *, fast: float = 5.0) -> Any:
    """An exponential fall."""
    return end + (start - end) * np.exp(-fast * np.arange(count) / count)


def noisy(values: Any, width: float, seed: int = 0) -> Any:
    return values * np.exp(width * np.random.default_rng(seed).standard_normal(len(values)))


# -- overfitting_onset -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "val", "severity", "observed"),
    [
        # The guide's words: a gap over three points, training falls, validation rises.
        ([1.5, 1.2, 1.0], [1.0, 1.1, 1.25], "warning", 0.25),
        ([0.9, 0.8, 0.7], [0.8, 0.9, 1.0], "error", 0.3 / 0.7),
        ([0.9, 0.6, 0.4], [0.9, 0.95, 1.1], "critical", 0.7 / 0.4),
        ([2.0, 1.0, 0.5, 0.25, 0.1], [2.0, 1.2, 1.3, 1.5, 1.7], "critical", 1.6 / 0.1),
        ([2.0, 1.0, NAN, 0.5, 0.4], [NAN, 1.0, 1.2, 1.4, 1.6], "critical", 1.2 / 0.4),
    ],
)
def test_a_turn_of_validation_while_training_falls_is_overfitting(
    train: list[float], val: list[float], severity: str, observed: float
) -> None:
    found = speaks(overfitting.RULE, run(train, val))

    assert found.severity == severity
    assert found.observed == pytest.approx(observed)
    assert found.observations[0].source == "val/loss"


def test_overfitting_begins_at_the_best_evaluation() -> None:
    val = np.concatenate((decay(2.3, 0.9, 10), np.linspace(0.95, 1.6, 10)))
    found = speaks(overfitting.RULE, run(noisy(decay(2.3, 0.01, 400), 0.1), val, every=20))

    assert found.step_range is not None
    assert found.onset in (179, 199)
    assert found.step_range[1] == 399
    assert "val/loss rose from 0.9" in found.fact


TURNED = [2.0, 1.2, 1.0, 1.2, 1.4, 1.6]
FALLING = [2.0, 1.0, 0.5, 0.3, 0.2, 0.1]


@pytest.mark.parametrize(
    ("train", "val"),
    [
        pytest.param([], TURNED, id="no-training"),
        pytest.param(FALLING, [], id="no-validation"),
        pytest.param([1.0, 0.5], [1.0, 1.5], id="one-point-too-few"),
        pytest.param([1.0, 0.5, 0.2], [1.0, 0.9, 1.2], id="one-rise-too-few"),
        pytest.param(FALLING, [2.0, 1.2, 1.0, 1.0, 1.0, 1.0], id="stands-still"),
        pytest.param(FALLING, [2.0, 1.2, 1.0, 1.03, 1.06, 1.09], id="rises-by-less-than-a-tenth"),
        pytest.param(FALLING, [2.0, 0.1, 0.05, 0.06, 0.07, 0.08], id="a-hundredth-of-what-it-won"),
        pytest.param(FALLING, [2.0, 1.2, 1.0, 1.6, 1.8, 1.1], id="comes-back"),
        pytest.param(FALLING[::-1], TURNED, id="training-rises-too"),
        pytest.param([2.0, 1.0, 0.5, 0.5, 0.5, 0.4999], TURNED, id="training-stands-still"),
        pytest.param([3.0, 2.9, 2.8, 2.7, 2.6, 2.5], TURNED, id="no-gap"),
        pytest.param([NAN] * 6, TURNED, id="no-finite-training"),
        pytest.param(decay(2.3, 1e-6, 300), decay(2.3, 0.08, 300), id="a-huge-gap-in-health"),
        pytest.param(
            noisy(decay(2.3, 0.5, 300), 0.3), noisy(decay(2.3, 0.6, 300), 0.15, 1), id="noise"
        ),
        pytest.param(
            [0.33, 0.12, 0.11, 0.075, 0.079], [0.2, 0.11, 0.08, 0.1, 0.23], id="one-bad-evaluation"
        ),
        pytest.param([0.0] * 6, [0.0] * 6, id="constant"),
        pytest.param(decay(1e30, 1e20, 50), decay(1e30, 1e20, 50), id="huge"),
        pytest.param([-1.0, -2.0, -3.0, -4.0, -5.0, -6.0], [-1.0, -2, -3, -4, -5, -5.8], id="nll"),
    ],
)
def test_health_is_not_overfitting(train: Any, val: Any) -> None:
    assert list(overfitting.RULE.check(run(train, val), LIMITS)) == []


def test_accuracy_that_still_rises_makes_overfitting_only_worth_knowing() -> None:
    rising = run(FALLING, TURNED, val_accuracy=[0.3, 0.5, 0.6, 0.65, 0.7, 0.75])
    standing = run(FALLING, TURNED, val_accuracy=[0.3, 0.5, 0.6, 0.61, 0.6, 0.61])

    assert speaks(overfitting.RULE, rising).severity == "info"
    assert speaks(overfitting.RULE, standing).severity == "critical"


@pytest.mark.parametrize(
    ("accuracy", "severity"),
    [
        pytest.param([0.90, 0.96, 0.97, 0.97, 0.97, 0.97], "info", id="high-and-held"),
        pytest.param([0.90, 0.96, 0.98, 0.98, 0.96, 0.96], "critical", id="high-and-falling"),
        pytest.param([0.90, 0.92, 0.94, 0.94, 0.94, 0.94], "critical", id="held-below"),
    ],
)
def test_an_accuracy_that_is_high_and_holds_makes_it_only_worth_knowing(
    accuracy: list[float], severity: str
) -> None:
    evidence = run(FALLING, TURNED, val_accuracy=accuracy)

    assert speaks(overfitting.RULE, evidence).severity == severity


def test_the_guides_thresholds_are_heeded() -> None:
    evidence = run([0.9, 0.8, 0.7], [0.8, 0.9, 1.0])

    higher = AnalyzerThresholds(
        overfitting_warning_gap=0.5, overfitting_error_gap=0.6, overfitting_critical_gap=0.7
    )
    more = AnalyzerThresholds(overfitting_min_points=4)

    assert list(overfitting.RULE.check(evidence, higher)) == []
    assert list(overfitting.RULE.check(evidence, more)) == []


def test_losses_of_two_kinds_are_compared_from_the_turn_on() -> None:
    keys = {"train_loss": ("train/loss",), "val_loss": ("val/mse",)}
    evidence = RunEvidence(
        roles=MetricRoles(keys=keys),
        metrics={
            "train/loss": series("train/loss", [200.0, 100.0, 80.0, 60.0, 50.0]),
            "val/mse": series("val/mse", [0.9, 0.5, 0.6, 0.7, 0.8]),
        },
    )

    found = speaks(overfitting.RULE, evidence)

    assert found.observed == pytest.approx((160.0 - 50.0) / 50.0)
    assert list(gap.RULE.check(evidence, LIMITS)) == []


# -- generalization_gap ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity", "observed"),
    [
        pytest.param(
            run(decay(2.3, 0.01, 240, fast=20), [2.0, 1.1] + [0.9] * 10, every=20),
            "warning",
            0.44,  # training begins at 2.05, as the median of its first steps
            id="loss",
        ),
        pytest.param(
            run(decay(2.3, 0.01, 12, fast=20), [2.3] + [1.9] * 11), "error", 0.825, id="loss-error"
        ),
        pytest.param(
            run(train_accuracy=[0.5] + [1.0] * 9, val_accuracy=[0.5] + [0.88] * 9),
            "warning",
            0.12,
            id="accuracy",
        ),
        pytest.param(
            run(train_accuracy=[50.0] + [100.0] * 9, val_accuracy=[50.0] + [70.0] * 9),
            "error",
            0.3,
            id="percent",
        ),
    ],
)
def test_a_standing_gap_is_found(evidence: RunEvidence, severity: str, observed: float) -> None:
    found = speaks(gap.RULE, evidence)

    assert found.severity == severity
    assert found.observed == pytest.approx(observed, abs=0.01)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(run(), id="no-evidence"),
        pytest.param(run(decay(2.3, 0.01, 4, fast=20), [2.0, 0.9, 0.9, 0.9]), id="too-few"),
        pytest.param(run(decay(2.3, 0.01, 12), decay(2.3, 0.6, 12, fast=1.5)), id="closing"),
        pytest.param(run(decay(2.3, 1e-4, 300), decay(2.3, 0.1, 300)), id="healthy"),
        pytest.param(run([0.5] + [0.3] * 11, [0.5] + [0.42] * 11), id="fine-tuning"),
        pytest.param(
            run([0.25] + [0.01] * 9, [0.1] + [0.09] * 9), id="first-loss-is-the-mean-of-an-epoch"
        ),
        pytest.param(run(decay(2.3, 1.5, 12), [2.3] * 12), id="training-hardly-learns"),
        pytest.param(
            run(decay(2.3, 0.01, 12), [2.0] + [0.9] * 11, val_accuracy=np.linspace(0.4, 0.8, 12)),
            id="accuracy-rises",
        ),
        pytest.param(
            run(train_accuracy=[0.99] * 10, val_accuracy=[0.93] * 10), id="a-small-accuracy-gap"
        ),
        pytest.param(run(decay(-1.0, -9.0, 12), decay(-1.0, -8.9, 12)), id="negative"),
        pytest.param(run([NAN] * 12, [2.0] + [0.9] * 11), id="nan"),
    ],
)
def test_health_has_no_standing_gap(evidence: RunEvidence) -> None:
    assert list(gap.RULE.check(evidence, LIMITS)) == []


def test_a_loss_gap_at_a_good_accuracy_is_only_worth_knowing() -> None:
    evidence = run(
        decay(2.3, 0.01, 240, fast=20),
        [2.0, 1.1] + [0.9] * 10,
        every=20,
        val_accuracy=[0.5] + [0.97] * 11,
    )

    assert speaks(gap.RULE, evidence).severity == "info"


# -- overtraining ----------------------------------------------------------------------------------


def test_steps_after_the_best_evaluation_are_counted() -> None:
    stands = run(decay(2.0, 0.5, 30, fast=20), np.append(decay(2.0, 0.6, 10), [0.61] * 20))
    falls_back = run(decay(2.0, 0.1, 30), np.append(decay(2.0, 0.6, 10), np.linspace(0.6, 1.2, 20)))

    assert speaks(overtrained.RULE, stands).severity == "info"
    found = speaks(overtrained.RULE, falls_back)
    assert found.severity == "warning"
    assert found.observed == pytest.approx(20 / 29, abs=0.05)


def test_accuracy_is_looked_at_where_there_is_no_loss() -> None:
    up, down = np.linspace(0.2, 0.8, 8), np.linspace(0.8, 0.5, 22)

    assert speaks(overtrained.RULE, run(val_accuracy=np.append(up, down))).severity == "warning"
    assert speaks(overtrained.RULE, run(val_accuracy=np.append(up, [0.8] * 22))).severity == "info"


def test_accuracy_that_falls_while_training_improves_is_enough() -> None:
    # A third of the labels are wrong; the loss has not turned by a tenth of what it gained.
    val = [1.1, 0.66, 0.52, 0.43, 0.41, 0.4, 0.37, 0.4, 0.43, 0.42, 0.41, 0.39, 0.42]
    accuracy = [0.66, 0.88, 0.91, 0.93, 0.94, 0.93, 0.94, 0.9, 0.89, 0.85, 0.88, 0.87, 0.87]
    learning, failing = decay(1.8, 0.03, 260), np.append(decay(1.8, 0.5, 100), [0.9] * 160)

    found = speaks(overtrained.RULE, run(learning, val, every=20, val_accuracy=accuracy))

    assert found.severity == "warning"
    assert found.source == "val/accuracy"
    evidence = run(failing, val, every=20, val_accuracy=accuracy)
    assert list(overtrained.RULE.check(evidence, LIMITS)) == []


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(run(), id="no-evidence"),
        pytest.param(run(FALLING, TURNED), id="less-than-patience"),
        pytest.param(run(decay(2, 0.1, 30), decay(2, 0.2, 30)), id="still-improves"),
        pytest.param(run([1.0] * 100, np.append(decay(2, 0.2, 88), [0.3] * 12)), id="a-short-end"),
        pytest.param(run(val=[NAN] * 30), id="nan"),
    ],
)
def test_a_run_that_improves_is_not_overtrained(evidence: RunEvidence) -> None:
    assert list(overtrained.RULE.check(evidence, LIMITS)) == []


# -- validation_better_than_training ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(run([73.0, 60.0, 50.0], [2.3, 1.9, 1.6]), "warning", id="sum-against-mean"),
        pytest.param(run(decay(2, 0.4, 20), decay(2, 0.1, 20)), "info", id="dropout"),
        pytest.param(
            run(decay(2.3, 1.8, 10), decay(2.3, 1.1, 10), val_accuracy=[0.9] * 10),
            "warning",
            id="noisy-labels",
        ),
        pytest.param(
            run(
                decay(2.3, 1.8, 10),
                decay(2.3, 1.1, 10),
                val_accuracy=[0.9] * 10,
                config={"data": {"mixup_alpha": 0.2}},
            ),
            "info",
            id="mixup",
        ),
        pytest.param(
            run(
                decay(2.3, 1.8, 10),
                decay(2.3, 1.1, 10),
                val_accuracy=[90.0] * 10,
                config={"dropout": 0.0, "label_smoothing": None},
            ),
            "warning",
            id="no-mixup",
        ),
        pytest.param(run(decay(2.3, 1.8, 10), decay(2.3, 1.1, 10)), "info", id="easier-validation"),
    ],
)
def test_validation_far_better_than_training_is_seen(evidence: RunEvidence, severity: str) -> None:
    assert speaks(better.RULE, evidence).severity == severity


def test_a_layer_of_dropout_explains_it() -> None:
    evidence = having(
        run(decay(2.3, 1.8, 10), decay(2.3, 1.1, 10), val_accuracy=[0.9] * 10),
        activations=(layer([1.0], module_type="Dropout", kind="activation"),),
    )

    assert speaks(better.RULE, evidence).severity == "info"


def test_a_layer_of_dropout_does_not_explain_any_distance() -> None:
    evidence = having(
        run(decay(2.3, 1.8, 10), decay(2.3, 0.7, 10), val_accuracy=[0.9] * 10),
        activations=(layer([1.0], module_type="Dropout", kind="activation"),),
    )

    assert speaks(better.RULE, evidence).severity == "warning"


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(run(), id="no-evidence"),
        pytest.param(run([60.0, 50.0], [2.0, 1.5]), id="too-few"),
        pytest.param(run(decay(2, 0.4, 20), decay(2, 0.35, 20)), id="a-little-better"),
        pytest.param(run(decay(2, 0.4, 20), [*decay(2, 0.1, 19), 0.5]), id="not-each-time"),
        pytest.param(run([-60.0] * 9, [-90.0] * 9), id="negative"),
        pytest.param(run([0.0] * 9, [0.0] * 9), id="zero"),
    ],
)
def test_validation_somewhat_better_is_health(evidence: RunEvidence) -> None:
    assert list(better.RULE.check(evidence, LIMITS)) == []


# -- validation_bad_from_start ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("val", "severity"),
    [
        pytest.param([4.0] * 10, "error", id="flat"),
        pytest.param(np.linspace(4.0, 9.0, 10), "error", id="rises"),
        pytest.param([4.0, 3.9, 4.5, 6, 2.0, 4, 3.9, 4, 4.1, 4], "error", id="wavers"),
    ],
)
def test_validation_that_nothing_reaches_is_found(val: Any, severity: str) -> None:
    found = speaks(bad_start.RULE, run(decay(2.3, 0.1, 100), val, every=10))

    assert found.severity == severity


def test_little_above_training_is_a_warning() -> None:
    assert speaks(bad_start.RULE, run(decay(2.3, 1.0, 10), [4.0] * 10)).severity == "warning"


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(run(), id="no-evidence"),
        pytest.param(run(decay(2.3, 0.1, 3), [4.0] * 3), id="too-few"),
        pytest.param(run(decay(2.3, 0.1, 10), decay(4.0, 0.3, 10)), id="comes-down"),
        pytest.param(run(decay(2.3, 0.1, 10), [2.3, *[4.0] * 9]), id="begins-side-by-side"),
        pytest.param(run(decay(2.3, 2.0, 10), [4.0] * 10), id="training-hardly-learns"),
        pytest.param(
            run(decay(2.3, 0.1, 10), [4.0] * 10, val_accuracy=np.linspace(0.1, 0.6, 10)),
            id="accuracy-rises",
        ),
        pytest.param(run(decay(2.3, -1.0, 10), [4.0] * 10), id="training-below-zero"),
    ],
)
def test_validation_that_learns_is_not_bad_from_the_start(evidence: RunEvidence) -> None:
    assert list(bad_start.RULE.check(evidence, LIMITS)) == []


# -- accuracy_at_chance ----------------------------------------------------------------------------

LONG = [2.31] * 100


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(
            run(LONG, [2.31, 2.305, 2.303], every=30, val_accuracy=[0.1, 0.11, 0.09]),
            "error",
            id="ten-classes",
        ),
        pytest.param(
            run([0.7] * 100, [0.695] * 10, every=10, val_accuracy=[50.0, 49, 51, 52, 50] * 2),
            "error",
            id="two-classes-in-percent",
        ),
        pytest.param(
            run(LONG, [2.4, 2.45, 2.5, 2.6], every=25, val_accuracy=[0.06, 0.05, 0.07, 0.06]),
            "warning",
            id="labels-learned-by-heart",
        ),
        pytest.param(
            run([2.31] * 200, train_accuracy=noisy(np.full(200, 0.1), 0.2)),
            "error",
            id="training-alone",
        ),
        pytest.param(
            run(LONG, decay(5.0, 2.3, 10), every=10, val_accuracy=[0.1] * 10),
            "warning",
            id="always-the-same-answer",
        ),
        pytest.param(
            run(LONG, [2.3] * 9, every=10, val_accuracy=[0.1] * 9), "error", id="nothing-moves"
        ),
        pytest.param(
            run(LONG, [2.31, 2.305, 2.303], every=30, val_accuracy=[0.15, 0.11, 0.09]),
            "error",
            id="one-lucky-evaluation",
        ),
    ],
)
def test_guessing_is_found(evidence: RunEvidence, severity: str) -> None:
    assert speaks(chance.RULE, evidence).severity == severity


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(run(), id="no-evidence"),
        pytest.param(run(LONG[1:], [2.3] * 9, val_accuracy=[0.1] * 9), id="one-step-too-few"),
        pytest.param(run(LONG, [2.3] * 2, every=30, val_accuracy=[0.1] * 2), id="too-few"),
        pytest.param(
            run(LONG, [2.3, 2.25, 2.1], every=30, val_accuracy=[0.1, 0.1, 0.2]), id="just-begins"
        ),
        pytest.param(
            run(LONG, decay(2.3, 0.1, 10), every=10, val_accuracy=decay(0.1, 0.97, 10)), id="learns"
        ),
        pytest.param(
            run([0.1] * 100, [0.1, 0.09, 0.1] * 3, every=10, val_accuracy=[0.97, 0.975, 0.97] * 3),
            id="good-from-the-start",
        ),
        pytest.param(
            run([3.5] * 100, [3.5, 3.4, 3.45], every=30, val_accuracy=[0.35, 0.34, 0.35]),
            id="a-thousand-classes-fine-tuned",
        ),
        pytest.param(
            run(LONG, [1.0, 0.9, 0.95], every=30, val_accuracy=[0.0, 0.0, 0.0]), id="exact-matches"
        ),
        pytest.param(
            run(LONG, [0.2, 0.19, 0.2] * 2, every=10, val_accuracy=[0.3] * 6), id="of-another-kind"
        ),
        pytest.param(run(LONG, [NAN] * 5, every=20, val_accuracy=[0.1] * 5), id="nan"),
    ],
)
def test_learning_and_hard_tasks_are_not_guessing(evidence: RunEvidence) -> None:
    assert list(chance.RULE.check(evidence, LIMITS)) == []


def test_a_constant_accuracy_that_is_good_is_only_worth_knowing() -> None:
    evidence = run(LONG, decay(1.0, 0.1, 10), every=10, val_accuracy=[0.9] * 10)

    assert speaks(chance.RULE, evidence).severity == "info"


# -- all of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("steps", "every", "noise_width", "start", "end"),
    [
        pytest.param(100, 25, 0.05, 2.3, 0.1, id="tiny"),
        pytest.param(600, 45, 0.2, 2.3, 0.01, id="digits"),
        pytest.param(3000, 100, 0.8, 2.3, 0.3, id="batches-of-one"),
        pytest.param(20_000, 1000, 0.05, 10.8, 3.0, id="language-model"),
        pytest.param(2000, 100, 0.1, 0.3, 0.2, id="fine-tuning"),
        pytest.param(600, 20, 0.1, 1e6, 1e3, id="regression-unscaled"),
    ],
)
def test_healthy_runs_give_no_alarm(
    steps: int, every: int, noise_width: float, start: float, end: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    truth = decay(start, end, steps, fast=random.uniform(3, 30))
    val = truth[every - 1 :: every] + random.uniform(0.0, 0.03) * (start - end)
    evidence = run(
        noisy(truth, noise_width, seed),
        noisy(val, 0.02, seed + 1),
        every=every,
        val_accuracy=np.clip(np.exp(-val / 2), 0.02, 1.0) if start < 20 else (),
    )

    found = [one for rule in RULES for one in rule.check(evidence, LIMITS)]

    assert [one for one in found if one.severity != "info"] == []


@settings(max_examples=80)
@given(
    st.lists(st.floats(), max_size=30),
    st.lists(st.floats(), max_size=12),
    st.integers(1, 7),
)
def test_any_numbers_are_taken(train: list[float], val: list[float], every: int) -> None:
    evidence = run(train, val, every=every, val_accuracy=val, train_accuracy=train)

    found = [one for rule in RULES for one in rule.check(evidence, LIMITS)]

    assert len(found) == len({one.rule_id for one in found})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.rule_id))
def test_every_rule_names_what_to_try(rule: Any) -> None:
    assert 2 <= len(rule.advice) <= 4
    assert rule.category == "generalization"


# -- side by side ----------------------------------------------------------------------------------


def test_training_is_the_mean_since_the_evaluation_before() -> None:
    train = np.random.default_rng(0).random(1000)
    steps = np.array([99, 249, 300, 301, 999])
    evidence = by_role(train_loss=train, val_loss=series("val/loss", np.ones(5), steps))

    both = losses_side_by_side(evidence)

    assert both is not None
    slow = [train[: 99 + 1], train[100:250], train[250:301], train[301:302], train[302:]]
    assert both.train[1:] == pytest.approx([part.mean() for part in slow[1:]])


@pytest.mark.parametrize("way", ["steps", "epochs", "times"])
def test_validation_finds_its_place_however_it_is_counted(way: str) -> None:
    train, val = np.arange(100.0), np.arange(4.0)
    made = {
        "steps": series("val/loss", val, [24, 49, 74, 99]),
        "epochs": series("val/loss", val, [0, 1, 2, 3]),
        "times": dataclasses.replace(
            series("val/loss", val, [0, 1, 2, 3]),
            time_us=(1_000_000_000 + np.array([24, 49, 74, 99]) * 1e6).astype(np.int64),
        ),
    }
    evidence = by_role(train_loss=series("train/loss", train, step_seconds=1.0), val_loss=made[way])

    both = losses_side_by_side(evidence)

    assert both is not None
    assert both.train[1:].tolist() == [37.0, 62.0, 87.0]


def test_long_runs_become_short_curves_with_the_same_mean() -> None:
    count = 123_457
    train, val = np.random.default_rng(1).random((2, count))

    both = losses_side_by_side(by_role(train_loss=train, val_loss=val))

    assert both is not None
    assert len(both) == MAX_POINTS
    assert both.val.mean() == pytest.approx(val.mean(), rel=1e-4)
    assert both.train[1:].mean() == pytest.approx(train.mean(), rel=1e-3)


def test_the_pair_that_measures_the_same_is_taken() -> None:
    metrics = {
        "train/loss": series("train/loss", [9.0] * 4),
        "train/mse": series("train/mse", [2.0] * 4),
        "val/mse": series("val/mse", [3.0] * 4),
    }

    both = losses_side_by_side(RunEvidence(metrics=metrics, roles=choose_roles(list(metrics))))

    assert both is not None
    assert (both.train_key, both.val_key) == ("train/mse", "val/mse")
    assert both.is_comparable


def test_a_turn_lies_beyond_the_noise() -> None:
    values = noisy(np.full(60, 1.0), 0.15, 3)
    values[:10] += np.linspace(1.0, 0.0, 10)

    assert find_turn(values, 2.0, GeneralizationLimits(), min_points=3) is None
    turned = find_turn(values + np.linspace(0, 2, 60), 2.0, GeneralizationLimits(), min_points=3)
    assert turned is not None
    assert turned.place < 20


def test_a_steady_rise_shows_through_the_noise() -> None:
    # A classifier of digits, a third of whose labels are wrong, as it was measured.
    val = """2.252 1.589 0.997 0.838 0.863 0.686 0.772 0.772 0.798 0.713 0.846 0.914 0.665 0.838
        0.676 0.814 0.893 1.11 0.853 1.013 1.068 1.039 1.15"""
    values = np.array([float(value) for value in val.split()])
    shuffled = values.copy()
    np.random.default_rng(0).shuffle(shuffled[3:])

    assert find_turn(values, 2.3, GeneralizationLimits(), min_points=3) is not None
    assert find_turn(shuffled, 2.3, GeneralizationLimits(), min_points=3) is None
