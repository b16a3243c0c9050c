"""Rules on the training loop: at which records they speak, and at which they keep quiet.

Real loops, broken and healthy, are in ``tests/hooks/test_loop.py``; here are the edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quark.analyzers.evidence import RunEvidence, Table
from quark.analyzers.findings import Finding
from quark.analyzers.rules import BY_ID
from quark.analyzers.thresholds import AnalyzerThresholds
from tests.analyzers.building import by_role, having, layer, table

NAN = np.nan
#: A healthy step of a classifier of 5 classes with batches of 40, looked at every 10 steps.
HEALTHY: dict[str, Any] = {
    "forward_count": 10.0,
    "eval_mode_forward_count": 0.0,
    "no_grad_forward_count": 0.0,
    "train_mode_no_grad_forward_count": 0.0,
    "no_grad_burst_count": 0.0,
    "backward_count": 10.0,
    "optimizer_step_count": 10.0,
    "closure_step_count": 0.0,
    "unfed_step_count": 0.0,
    "foreign_step_count": 0.0,
    "mode_module_count": 2.0,
    "trainable_parameter_count": 4.0,
    "trainable_element_count": 1000.0,
    "outside_parameter_count": 0.0,
    "outside_element_count": 0.0,
    "sampled_change_norm": 0.1,
    "step_is_late": 0.0,
    "window_backward_count": 1.0,
    "stale_gradient_norm": 0.0,
    "backward_gradient_norm": 2.0,
    "step_gradient_norm": 2.0,
    "input_dimensions": 2.0,
    "input_is_integer": 0.0,
    "input_row_count": 40.0,
    "input_mean": 0.0,
    "input_std": 1.0,
    "input_min": -3.0,
    "input_max": 3.0,
    "input_levels": 20.0,
    "sampled_row_count": 40.0,
    "sampled_column_count": 20.0,
    "duplicate_row_ratio": 0.0,
    "padding_ratio": 0.0,
    "output_dimensions": 2.0,
    "output_row_count": 40.0,
    "output_column_count": 5.0,
    "output_min": -2.0,
    "output_max": 2.0,
    "probability_row_ratio": 0.0,
    "top_prediction_ratio": 0.4,
    "output_gradient_norm": 0.1,
    "loss_direction": 1.0,
    "loss_row_scale": 1 / 40,
    "target_row_count": 40.0,
    "distinct_target_count": 5.0,
    "top_target_ratio": 0.25,
}
SGD = {"class_name": "SGD", "groups": [{"lr": 0.1, "momentum": 0.9, "parameter_count": 4}]}
ADAM = {"class_name": "AdamW", "groups": [{"lr": 0.1, "beta1": 0.9, "parameter_count": 4}]}
COUNTS = {str(number): 8 for number in range(5)}
METADATA: dict[str, Any] = {
    "loss": "cross_entropy",
    "optimizers": [SGD],
    "target_counts": COUNTS,
    "device": "cpu",
}


def watched(
    size: int = 20, *, more: dict[str, Any] | None = None, name: str = "Net", **columns: Any
) -> Table:
    """Records of a healthy loop, with some columns and metadata replaced."""
    metadata = {**METADATA, **(more or {})}
    return table(
        size,
        every=10,
        **{**HEALTHY, **columns},
        metadata=tuple(metadata for _ in range(size)),
        model_name=(name,) * size,
    )


def said(rule_id: str, loop: Table, evidence: RunEvidence | None = None) -> list[Finding]:
    given = having(evidence or RunEvidence(), loop=loop)
    return list(BY_ID[rule_id].check(given, AnalyzerThresholds()))


def mostly(value: float, other: float, size: int = 20, of: int = 18) -> Any:
    """A column of which ``of`` of ``size`` are ``value``."""
    return np.where(np.arange(size) < of, value, other)


ONE_CLASS = {"target_counts": {"3": 40}}
SPEAKS: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "missing_zero_grad": [
        ("always there", {"stale_gradient_norm": 1.5}, "error"),
        ("just enough probes", {"size": 3, "stale_gradient_norm": 1.5}, "error"),
        ("at the share", {"stale_gradient_norm": mostly(1.5, 0.0)}, "error"),
        ("unknown at first", {"stale_gradient_norm": mostly(NAN, 1.5, of=5)}, "error"),
    ],
    "step_without_backward": [
        ("never fed", {"unfed_step_count": 10.0}, "error"),
        ("at the share", {"unfed_step_count": 6.0}, "error"),
        (
            "a batch behind",
            {"unfed_step_count": mostly(1.0, 0.0, of=1), "step_is_late": 1.0},
            "warning",
        ),
    ],
    "parameters_outside_optimizer": [
        (
            "the head alone",
            {
                "outside_parameter_count": 2.0,
                "outside_element_count": 600.0,
                "outside_change_norm": 0.0,
            },
            "error",
        ),
        (
            "one layer",
            {
                "outside_parameter_count": 1.0,
                "outside_element_count": 10.0,
                "outside_change_norm": mostly(NAN, 0.0, of=1),
            },
            "warning",
        ),
        (
            "another model",
            {
                "optimizer_step_count": 0.0,
                "foreign_step_count": 10.0,
                "outside_change_norm": 0.0,
            },
            "critical",
        ),
    ],
    "training_in_eval_mode": [
        ("always", {"eval_mode_forward_count": 10.0}, "warning"),
        (
            "from the first evaluation on",
            {"eval_mode_forward_count": mostly(0.0, 10.0, of=5)},
            "warning",
        ),
    ],
    "softmax_before_loss": [
        ("probabilities", {"probability_row_ratio": 1.0}, "warning"),
        ("two softmaxes", {"more": {"loss": "double_softmax"}}, "warning"),
        ("no logarithm", {"more": {"loss": "probability_as_nll"}}, "warning"),
        (
            "two sigmoids",
            {"more": {"loss": "binary"}, "output_min": 0.1, "output_max": 0.9},
            "warning",
        ),
        (
            "by the criterion alone",
            {
                "more": {"loss": "", "criterion": "CrossEntropyLoss"},
                "loss_direction": NAN,
                "probability_row_ratio": 1.0,
            },
            "warning",
        ),
    ],
    "loss_reduction": [
        ("sum", {"loss_row_scale": 1.0}, "warning"),
        ("sum, in half precision", {"loss_row_scale": 1.015}, "warning"),
    ],
    "loss_sign": [
        ("negated", {"loss_direction": -1.0}, "error"),
        ("negated, where it is known", {"loss_direction": mostly(0.0, -1.0, of=10)}, "error"),
    ],
    "clipping_always_active": [
        ("to a hundredth", {"step_gradient_norm": 0.02 * (1 + 0.1 * np.arange(20))}, "warning"),
        ("to a thousandth", {"step_gradient_norm": 0.002 * (1 + 0.1 * np.arange(20))}, "error"),
        (
            "under Adam",
            {
                "step_gradient_norm": 0.002 * (1 + 0.1 * np.arange(20)),
                "more": {"optimizers": [ADAM]},
            },
            "warning",
        ),
    ],
    "accumulation_unscaled": [
        ("eight", {"window_backward_count": 8.0}, "warning"),
        ("two", {"window_backward_count": 2.0}, "info"),
    ],
    "momentum_extreme": [
        ("SGD", {"more": {"optimizers": [{**SGD, "groups": [{"momentum": 0.995}]}]}}, "warning"),
        (
            "Adam",
            {"more": {"optimizers": [SGD, {**ADAM, "groups": [{"beta1": 0.999}]}]}},
            "warning",
        ),
    ],
    "unscaled_inputs": [
        ("pixels", {"input_min": 0.0, "input_max": 255.0, "input_std": 75.0}, "warning"),
        ("raw features", {"input_min": -9e4, "input_max": 3.0, "input_std": 2e3}, "warning"),
    ],
    "padded_inputs": [
        ("tokens", {"input_is_integer": 1.0, "padding_ratio": 0.75}, "warning"),
        ("vectors", {"input_dimensions": 3.0, "padding_ratio": 0.92}, "error"),
    ],
    "duplicate_inputs": [
        ("half", {"duplicate_row_ratio": 0.5}, "warning"),
        ("at the limit", {"duplicate_row_ratio": 0.3}, "warning"),
        ("tokens", {"duplicate_row_ratio": 0.5, "input_is_integer": 1.0}, "warning"),
    ],
    "collapsed_predictions": [
        ("always", {"top_prediction_ratio": 1.0}, "warning"),
        ("at the end", {"top_prediction_ratio": mostly(0.4, 0.97, of=12)}, "warning"),
    ],
    "class_imbalance": [
        ("60 to 1", {"more": {"target_counts": {"0": 60, "1": 40, "2": 1}}}, "warning"),
        ("99 to 1", {"size": 5, "more": {"target_counts": {"0": 39.6, "1": 0.4}}}, "warning"),
        ("one class", {"more": ONE_CLASS}, "warning"),
    ],
    "class_missing": [
        ("one of five", {"more": {"target_counts": {str(n): 10 for n in range(4)}}}, "warning"),
        (
            "one of two",
            {"output_column_count": 2.0, "more": {"target_counts": {"1": 40}}},
            "warning",
        ),
    ],
    "unshuffled_data": [
        ("one a batch", {"distinct_target_count": 1.0, "top_target_ratio": 1.0}, "warning"),
        ("two a batch", {"distinct_target_count": 2.0, "top_target_ratio": 0.6}, "warning"),
    ],
}
QUIET: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "missing_zero_grad": [
        ("too few probes", {"size": 2, "stale_gradient_norm": 1.5}),
        ("below the share", {"stale_gradient_norm": mostly(1.5, 0.0, of=17)}),
        ("rounding", {"stale_gradient_norm": 0.019}),
        ("unknown", {"stale_gradient_norm": NAN}),
        ("no backward pass", {"window_backward_count": 0.0, "stale_gradient_norm": 1.5}),
    ],
    "step_without_backward": [
        ("below the share", {"unfed_step_count": 5.0}),
        ("too few steps", {"size": 1, "optimizer_step_count": 4.0, "unfed_step_count": 4.0}),
        ("closures", {"closure_step_count": 10.0}),
        ("primed", {"unfed_step_count": mostly(1.0, 0.0, of=1)}),
        ("rows closed between", {"step_is_late": 1.0}),
        (
            "primed, and mostly in time",
            {"unfed_step_count": mostly(1.0, 0.0, of=1), "step_is_late": mostly(1.0, 0.0, of=19)},
        ),
    ],
    "parameters_outside_optimizer": [
        (
            "updated all the same",
            {
                "outside_parameter_count": 2.0,
                "outside_element_count": 600.0,
                "outside_change_norm": 0.1,
            },
        ),
        ("not known to stay", {"outside_parameter_count": 2.0, "outside_element_count": 600.0}),
        (
            "too early",
            {
                "size": 3,
                "optimizer_step_count": 3.0,
                "outside_parameter_count": 2.0,
                "outside_element_count": 600.0,
                "outside_change_norm": 0.0,
            },
        ),
        (
            "taken in later",
            {
                "outside_parameter_count": mostly(2.0, 0.0, of=10),
                "outside_element_count": mostly(600.0, 0.0, of=10),
                "outside_change_norm": 0.0,
            },
        ),
        (
            "sharded optimizer",
            {
                "optimizer_step_count": 0.0,
                "foreign_step_count": 10.0,
                "outside_change_norm": mostly(0.0, 0.01, of=3),
            },
        ),
        ("nothing steps", {"optimizer_step_count": 0.0, "outside_change_norm": 0.0}),
    ],
    "training_in_eval_mode": [
        ("no module minds", {"eval_mode_forward_count": 10.0, "mode_module_count": 0.0}),
        ("below the share", {"eval_mode_forward_count": 8.0}),
        ("nothing is trained", {"eval_mode_forward_count": 10.0, "optimizer_step_count": 0.0}),
        ("without backward passes", {"eval_mode_forward_count": 10.0, "backward_count": 1.0}),
        ("too few", {"size": 1, "eval_mode_forward_count": 10.0}),
        ("at first only", {"eval_mode_forward_count": mostly(10.0, 0.0, of=8)}),
    ],
    "softmax_before_loss": [
        ("too few probes", {"size": 2, "probability_row_ratio": 1.0}),
        (
            "the logarithm is taken outside",
            {"probability_row_ratio": 1.0, "more": {"loss": "log_of_probability"}},
        ),
        ("by chance", {"probability_row_ratio": mostly(1.0, 0.0, of=17)}),
        ("logits of both signs", {"more": {"loss": "binary"}, "output_max": 0.9}),
        (
            "another criterion",
            {
                "more": {"loss": "", "criterion": "BCELoss"},
                "loss_direction": NAN,
                "probability_row_ratio": 1.0,
            },
        ),
    ],
    "loss_reduction": [
        ("one row", {"loss_row_scale": 1.0, "output_row_count": 1.0}),
        ("seven rows", {"loss_row_scale": 1.0, "output_row_count": 7.0}),
        ("sum over time, mean over the batch", {"loss_row_scale": 1 / 4}),
        ("scaled", {"loss_row_scale": 65536 / 40}),
        ("unknown", {"loss_row_scale": NAN}),
        ("too few probes", {"size": 2, "loss_row_scale": 1.0}),
    ],
    "loss_sign": [
        ("both signs, as with advantages", {"loss_direction": mostly(-1.0, 1.0, of=15)}),
        ("rows that weigh differently", {"loss_direction": -1.0, "loss_row_scale": NAN}),
        ("several passes, as in GANs", {"loss_direction": -1.0, "window_backward_count": 3.0}),
        (
            "maximized",
            {
                "loss_direction": -1.0,
                "more": {"optimizers": [{"class_name": "SGD", "groups": [{"maximize": True}]}]},
            },
        ),
        ("too few probes", {"size": 2, "loss_direction": -1.0}),
    ],
    "clipping_always_active": [
        ("by half", {"step_gradient_norm": 1.0 + 0.01 * np.arange(20)}),
        ("now and then", {"step_gradient_norm": mostly(0.02, 2.0, of=17)}),
        ("divided by hand", {"step_gradient_norm": 0.02}),
        (
            "under Adam",
            {"step_gradient_norm": 0.1 * (1 + 0.1 * np.arange(20)), "more": {"optimizers": [ADAM]}},
        ),
        (
            "a scaler between",
            {"step_gradient_norm": 0.02 * (1 + 0.1 * np.arange(20)), "more": {"grad_scaler": True}},
        ),
        (
            "ranks between",
            {"step_gradient_norm": 0.02 * (1 + 0.1 * np.arange(20)), "more": {"distributed": True}},
        ),
        ("too few probes", {"size": 5, "step_gradient_norm": 0.02 * (1 + 0.1 * np.arange(5))}),
        ("no gradient", {"backward_gradient_norm": 0.0, "step_gradient_norm": 0.0}),
    ],
    "accumulation_unscaled": [
        ("scaled", {"window_backward_count": 8.0, "loss_row_scale": 1 / 320}),
        ("one pass", {}),
        ("unknown", {"window_backward_count": 8.0, "loss_row_scale": NAN}),
        ("no reset", {"window_backward_count": 8.0, "stale_gradient_norm": 1.0}),
    ],
    "momentum_extreme": [
        ("usual", {}),
        ("just below", {"more": {"optimizers": [{**SGD, "groups": [{"momentum": 0.994}]}]}}),
        ("Adam's 0.98", {"more": {"optimizers": [{**ADAM, "groups": [{"beta1": 0.98}]}]}}),
        ("no optimizer known", {"more": {"optimizers": []}}),
        (
            "too early",
            {
                "size": 1,
                "optimizer_step_count": 9.0,
                "more": {"optimizers": [{**SGD, "groups": [{"momentum": 0.999}]}]},
            },
        ),
    ],
    "unscaled_inputs": [
        ("decibels", {"input_min": -80.0, "input_max": 0.0, "input_std": 18.0}),
        ("one outlier", {"input_max": 5e3, "input_std": 2.0}),
        ("tokens", {"input_is_integer": 1.0, "input_max": 5e4, "input_std": 9e3}),
        ("exactly at the limits", {"input_max": 100.0, "input_std": 30.0}),
        ("too few probes", {"size": 2, "input_max": 255.0, "input_std": 75.0}),
        ("nothing finite", {"input_std": NAN, "input_max": NAN, "input_min": NAN}),
    ],
    "padded_inputs": [
        ("a third", {"input_is_integer": 1.0, "padding_ratio": 0.3}),
        ("half", {"input_is_integer": 1.0, "padding_ratio": 0.74}),
        ("vectors of numbers", {"padding_ratio": 0.95}),
        ("images", {"input_dimensions": 4.0, "padding_ratio": 0.95}),
        (
            "short rows",
            {"input_is_integer": 1.0, "padding_ratio": 0.9, "sampled_column_count": 4.0},
        ),
    ],
    "duplicate_inputs": [
        ("with replacement", {"duplicate_row_ratio": 0.1}),
        ("just below", {"duplicate_row_ratio": 0.29}),
        ("one-hot", {"duplicate_row_ratio": 0.9, "input_levels": 2.0}),
        ("few columns", {"duplicate_row_ratio": 0.9, "sampled_column_count": 3.0}),
        ("small batches", {"duplicate_row_ratio": 0.5, "sampled_row_count": 4.0}),
        ("now and then", {"duplicate_row_ratio": mostly(0.0, 0.9, of=11)}),
    ],
    "collapsed_predictions": [
        ("at first only", {"top_prediction_ratio": mostly(1.0, 0.5, of=19)}),
        ("as the targets are", {"top_prediction_ratio": 1.0, "top_target_ratio": 0.99}),
        ("too few probes", {"size": 7, "top_prediction_ratio": 1.0}),
        ("tokens", {"top_prediction_ratio": 1.0, "output_dimensions": 3.0}),
        ("targets unknown", {"top_prediction_ratio": 1.0, "target_row_count": NAN}),
    ],
    "class_imbalance": [
        ("ten to one", {"more": {"target_counts": {"0": 40, "1": 4}}}),
        ("too few targets", {"size": 4, "more": {"target_counts": {"0": 39}}}),
        (
            "too few to tell a rare one",
            {"size": 4, "more": {"target_counts": {"0": 60, "1": 60, "2": 1}}},
        ),
        ("tokens", {"output_dimensions": 3.0, "more": ONE_CLASS}),
        ("flattened tokens", {"output_row_count": 4000.0, "more": ONE_CLASS}),
    ],
    "class_missing": [
        ("all there", {}),
        ("too few targets", {"size": 4, "more": {"target_counts": {str(n): 10 for n in range(4)}}}),
        (
            "rare ones among the others",
            {"more": {"target_counts": {"0": 37, "1": 1, "2": 1, "3": 0.25}}},
        ),
        ("a wider output", {"output_column_count": 1000.0}),
        ("pixels", {"output_dimensions": 4.0, "more": ONE_CLASS}),
    ],
    "unshuffled_data": [
        ("in random order", {}),
        ("two of one", {"distinct_target_count": 1.0, "more": ONE_CLASS, "top_target_ratio": 1.0}),
        ("few of many, as in retrieval", {"distinct_target_count": 2.0, "top_target_ratio": 0.5}),
        (
            "single rows",
            {"target_row_count": 1.0, "distinct_target_count": 1.0, "top_target_ratio": 1.0},
        ),
        ("too few probes", {"size": 4, "distinct_target_count": 1.0, "top_target_ratio": 1.0}),
    ],
}


@pytest.mark.parametrize(
    ("rule_id", "columns", "severity"),
    [
        pytest.param(rule_id, columns, severity, id=f"{rule_id}: {name}")
        for rule_id, cases in SPEAKS.items()
        for name, columns, severity in cases
    ],
)
def test_speaks(rule_id: str, columns: dict[str, Any], severity: str) -> None:
    (finding,) = said(rule_id, watched(**columns))

    assert (finding.rule_id, finding.severity) == (rule_id, severity)
    assert finding.observed is not None
    assert finding.threshold is not None
    assert finding.step_range is not None
    assert finding.subject == ""
    for text in (finding.fact, finding.inference):
        assert text.endswith(".")
        assert "nan" not in text


@pytest.mark.parametrize(
    ("rule_id", "columns"),
    [
        pytest.param(rule_id, columns, id=f"{rule_id}: {name}")
        for rule_id, cases in QUIET.items()
        for name, columns in cases
    ],
)
def test_keeps_quiet(rule_id: str, columns: dict[str, Any]) -> None:
    assert said(rule_id, watched(**columns)) == []


LOOP_RULES = (*SPEAKS, "evaluation_in_train_mode")


@pytest.mark.parametrize("rule_id", LOOP_RULES)
def test_nothing_is_said_of_a_healthy_loop_or_of_none(rule_id: str) -> None:
    assert said(rule_id, watched()) == []
    assert said(rule_id, Table()) == []
    assert said(rule_id, watched(1)) == []
    nothing: dict[str, Any] = dict.fromkeys(HEALTHY, NAN)
    assert said(rule_id, watched(**nothing)) == []


# -- evaluation ------------------------------------------------------------------------------------


def evaluated(every: int, batches: float, wrong: float) -> Table:
    """A loop with an evaluation of so many batches in every so-manieth record."""
    is_there = np.arange(20) % every == 0
    return watched(
        no_grad_forward_count=np.where(is_there, batches, 0.0),
        train_mode_no_grad_forward_count=np.where(is_there, wrong, 0.0),
        no_grad_burst_count=np.where(is_there, 1.0, 0.0),
    )


def test_an_evaluation_in_train_mode_is_worth_a_warning_where_something_is_validated() -> None:
    loop = evaluated(5, 4.0, 4.0)

    (alone,) = said("evaluation_in_train_mode", loop)
    (validated,) = said("evaluation_in_train_mode", loop, by_role(val_loss=[1.0, 0.9, 0.8]))

    assert (alone.severity, validated.severity) == ("info", "warning")
    assert "16 of 16 forward passes" in validated.fact


@pytest.mark.parametrize(
    "loop",
    [
        pytest.param(evaluated(5, 4.0, 0.0), id="in evaluation mode"),
        pytest.param(evaluated(5, 4.0, 3.0), id="now and then, as with Monte Carlo dropout"),
        pytest.param(evaluated(20, 4.0, 4.0), id="once, to see that it runs"),
        pytest.param(
            watched(
                no_grad_forward_count=10.0,
                train_mode_no_grad_forward_count=10.0,
                no_grad_burst_count=10.0,
            ),
            id="in every step, as in GANs",
        ),
    ],
)
def test_an_evaluation_is_left_in_peace(loop: Table) -> None:
    assert said("evaluation_in_train_mode", loop, by_role(val_loss=[1.0, 0.9, 0.8])) == []


# -- with what else is known -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "rule_ids"),
    [(1.0, {"loss_reduction"}), (1 / 40, set()), (1 / 8, set())],
)
def test_the_reduction_of_a_squared_error_is_told_from_its_value(
    scale: float, rule_ids: set[str]
) -> None:
    rng = np.random.default_rng(0)
    distances = rng.normal(size=(20, 40))
    loss = scale * np.square(distances).sum(axis=1)
    norms = np.sqrt(np.square(2 * scale * distances).sum(axis=1))
    evidence = by_role(train_loss=np.repeat(loss, 10))
    loop = watched(
        loss_direction=NAN,
        loss_row_scale=NAN,
        output_column_count=1.0,
        output_gradient_norm=norms,
    )

    found = {rule_id for rule_id in LOOP_RULES if said(rule_id, loop, evidence)}

    assert found == rule_ids


def test_unscaled_accumulation_of_a_squared_error_is_told_from_its_value() -> None:
    norms = np.full(20, 0.3)
    evidence = by_role(train_loss=np.full(200, 40 * 0.3**2 / 4))
    columns: dict[str, Any] = {
        "loss_direction": NAN,
        "output_column_count": 1.0,
        "output_gradient_norm": norms,
    }

    (finding,) = said(
        "accumulation_unscaled", watched(**columns, window_backward_count=4.0), evidence
    )

    assert finding.severity == "warning"
    assert said("accumulation_unscaled", watched(**columns), evidence) == []


FALLING = -np.geomspace(2.0, 80.0, 60)


@pytest.mark.parametrize(
    ("metrics", "speaks"),
    [
        pytest.param({"train_loss": FALLING, "val_loss": [2.0, 9.0, 50.0]}, True, id="contrary"),
        pytest.param(
            {"train_loss": FALLING, "val_accuracy": [0.1, 0.0, 0.0]}, True, id="no accuracy"
        ),
        pytest.param({"train_loss": FALLING, "val_loss": -FALLING[::-1]}, False, id="falls too"),
        pytest.param({"train_loss": FALLING, "val_loss": FALLING}, False, id="a density"),
        pytest.param(
            {"train_loss": FALLING, "val_accuracy": [0.1, 0.6, 0.8]}, False, id="gets better"
        ),
        pytest.param({"train_loss": FALLING}, False, id="nothing beside it"),
        pytest.param({"train_loss": -FALLING, "val_loss": [2.0, 9.0, 50.0]}, False, id="positive"),
        pytest.param(
            {"train_loss": FALLING[:19], "val_loss": [2.0, 9.0, 50.0]}, False, id="too few"
        ),
    ],
)
def test_a_loss_of_the_wrong_sign_is_seen_in_metrics_alone(
    metrics: dict[str, Any], speaks: bool
) -> None:
    found = said("loss_sign", Table(), by_role(**metrics))

    assert [finding.severity for finding in found] == ["error"] * speaks


def test_inputs_that_the_model_scales_itself_are_left_in_peace() -> None:
    pixels: dict[str, Any] = {"input_min": 0.0, "input_max": 255.0, "input_std": 75.0}

    def with_first_layer(rms: float, module_type: str) -> RunEvidence:
        norms = np.full(3, rms * np.sqrt(1_000))
        first = layer(norms, kind="activation", module_type=module_type)
        return RunEvidence(activations=(first,))

    assert said("unscaled_inputs", watched(**pixels), with_first_layer(0.5, "Conv2d")) == []
    assert said("unscaled_inputs", watched(**pixels), with_first_layer(50.0, "BatchNorm2d")) == []
    assert said("unscaled_inputs", watched(**pixels), with_first_layer(50.0, "Conv2d")) != []


def test_each_model_is_judged_by_its_own_records() -> None:
    def columns(one: Table, other: Table) -> Table:
        both = zip(one.numbers.items(), other.numbers.values(), strict=True)
        return Table(
            step=np.stack([one.step, other.step], 1).ravel(),
            time_us=np.stack([one.time_us, other.time_us], 1).ravel(),
            rank=np.stack([one.rank, other.rank], 1).ravel(),
            numbers={name: np.stack([a, b], 1).ravel() for (name, a), b in both},
            objects={
                name: [
                    item
                    for pair in zip(one.object(name), other.object(name), strict=True)
                    for item in pair
                ]
                for name in one.objects
            },
        )

    loop = columns(watched(name="Generator"), watched(name="Critic", stale_gradient_norm=1.5))

    (finding,) = said("missing_zero_grad", loop)

    assert finding.subject == "Critic"
    assert "(Critic)" in finding.fact
