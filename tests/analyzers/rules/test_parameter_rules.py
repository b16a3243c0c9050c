"""Rules on parameters: how they begin, whether they move, and how far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quark.analyzers.evidence import ParameterTrack, RunEvidence
from quark.analyzers.findings import Finding
from quark.analyzers.rules.diverging_weights import diverging_weights
from quark.analyzers.rules.parameters_all_zero import parameters_all_zero
from quark.analyzers.rules.parameters_unchanged import parameters_unchanged
from quark.analyzers.rules.parameters_without_gradient import parameters_without_gradient
from quark.analyzers.rules.poor_initialization import poor_initialization
from quark.analyzers.rules.update_ratio import update_ratio
from quark.analyzers.thresholds import AnalyzerThresholds
from tests.analyzers.building import by_role, having, layer, parameter

NAN = float("nan")
FLAT = 2.3 + 0.02 * np.sin(np.arange(100.0))
FALLING = np.geomspace(2.3, 0.3, 100) + 0.01 * np.sin(np.arange(100.0))
SIZE = 12
MOVING = {
    "value_norm": np.linspace(5.0, 6.0, SIZE),
    "value_mean": np.linspace(0.0, 0.01, SIZE),
    "value_std": np.linspace(0.2, 0.25, SIZE),
}
STILL = {"value_norm": 5.0, "value_mean": 0.01, "value_std": 0.2, "value_min": -1, "value_max": 1}


def weight(name: str = "a.weight", size: int = SIZE, **columns: Any) -> ParameterTrack:
    return parameter(size, name=name, **columns)


def having_weights(
    *tracks: ParameterTrack, loss: Any = None, calls: tuple[str, ...] = (), **metrics: Any
) -> RunEvidence:
    if loss is not None:
        metrics["train_loss"] = loss
    called = tuple(layer([1.0] * 3, name=name, kind="activation") for name in calls)
    return having(by_role(**metrics), parameters=tracks, activations=called)


def moving(name: str = "moving.weight", **columns: Any) -> ParameterTrack:
    return weight(name, **{**MOVING, "gradient_norm": 0.1, **columns})


def still(name: str = "still.weight", **columns: Any) -> ParameterTrack:
    return weight(name, **{**STILL, "gradient_norm": 0.1, **columns})


def speak(rule: Any, evidence: RunEvidence) -> list[Finding]:
    return [one for one in rule(evidence, AnalyzerThresholds()) if one.severity != "info"]


def updates(ratio_in_a_step: float, name: str = "a.weight", **columns: Any) -> ParameterTrack:
    """Snapshots every ten steps: what is measured is ten times what a step does."""
    ratios = [NAN, *[10 * ratio_in_a_step] * (SIZE - 1)]
    return moving(name, update_to_value_ratio=ratios, **columns)


def drawn(scale: float, elements: int = 4096, name: str = "a.weight", **columns: Any) -> Any:
    """A square weight, uniformly drawn and so many times as large as its size asks for."""
    std = scale * elements**-0.25
    return weight(
        name,
        element_count=elements,
        **{
            "value_mean": 0.0,
            "value_std": std,
            "value_norm": std * elements**0.5,
            "value_min": -(3**0.5) * std,
            "value_max": 3**0.5 * std,
            **columns,
        },
    )


SPEAKS: dict[str, tuple[Any, RunEvidence, str]] = {
    "steps overwrite the weights": (
        update_ratio,
        having_weights(updates(0.1), updates(0.3, "b.weight"), loss=FLAT),
        "warning",
    ),
    "steps are larger than the weights": (
        update_ratio,
        having_weights(updates(11.0), updates(12.0, "b.weight")),
        "critical",
    ),
    "watched means and deviations move too far": (
        update_ratio,
        having_weights(
            *(
                weight(name, value_norm=3.0, value_std=0.1, value_mean=[0.0, 2.0] * 6)
                for name in ("a.weight", "b.weight")
            ),
            loss=FLAT,
        ),
        "error",
    ),
    "steps are tiny and the loss stays": (
        update_ratio,
        having_weights(updates(9e-6), updates(2e-6, "b.weight"), loss=FLAT),
        "warning",
    ),
    "steps are all but nothing": (update_ratio, having_weights(updates(1e-9)), "warning"),
    "nothing moves": (parameters_unchanged, having_weights(still(), still("b.bias")), "critical"),
    "nothing moves, and gradients were not looked at": (
        parameters_unchanged,
        having_weights(still(gradient_norm=NAN)),
        "critical",
    ),
    "nothing moves in 20 steps at a learning rate of 0": (
        parameters_unchanged,
        having_weights(still(size=3, learning_rate=0.0)),
        "critical",
    ),
    "most does not move": (
        parameters_unchanged,
        having_weights(still(), moving("head.weight"), loss=FLAT),
        "error",
    ),
    "most does not move though the head learns": (
        parameters_unchanged,
        having_weights(still(), moving("head.weight"), loss=FALLING),
        "warning",
    ),
    "a little does not move": (
        parameters_unchanged,
        having_weights(still(element_count=10), moving()),
        "warning",
    ),
    "frozen as it was drawn": (
        parameters_unchanged,
        having_weights(
            drawn(0.6, requires_grad=False),
            drawn(0.6, name="b.weight", requires_grad=False),
            moving("head.weight"),
            loss=FLAT,
        ),
        "warning",
    ),
    "one weight is zero": (
        parameters_all_zero,
        having_weights(weight(value_norm=0.0, element_count=10), moving()),
        "warning",
    ),
    "most weights are zero": (
        parameters_all_zero,
        having_weights(weight(value_norm=0.0), moving()),
        "error",
    ),
    "all weights are zero": (
        parameters_all_zero,
        having_weights(weight(value_norm=[NAN, *[0.0] * 11])),
        "critical",
    ),
    "weights have decayed to zero": (
        parameters_all_zero,
        having_weights(weight(value_norm=[*[1.0] * 9, 0.0, 0.0, 0.0])),
        "critical",
    ),
    "a module that was called gets no gradient": (
        parameters_without_gradient,
        having_weights(moving(), still("body.0.weight", gradient_norm=NAN), calls=("body.0",)),
        "error",
    ),
    "a small module that was called gets no gradient": (
        parameters_without_gradient,
        having_weights(
            moving(), still("body.0.weight", gradient_norm=NAN, element_count=9), calls=("body.0",)
        ),
        "warning",
    ),
    "nothing is known of modules": (
        parameters_without_gradient,
        having_weights(moving(), still(gradient_norm=NAN, element_count=200), loss=FLAT),
        "warning",
    ),
    "gradients are zeros": (
        parameters_without_gradient,
        having_weights(moving(), still(gradient_norm=0.0)),
        "error",
    ),
    "weights begin all zero": (
        poor_initialization,
        having_weights(weight(value_norm=0.0, value_std=0.0, value_mean=0.0)),
        "error",
    ),
    "weights begin all alike": (
        poor_initialization,
        having_weights(weight(value_norm=3.2, value_std=0.0, value_mean=0.1)),
        "error",
    ),
    "weights began alike before the first probe": (
        poor_initialization,
        having_weights(
            weight(value_norm=3.2, value_std=0.03, value_mean=0.1), moving("head.weight")
        ),
        "error",
    ),
    "weights begin a hundredfold": (
        poor_initialization,
        having_weights(drawn(58.0), drawn(36.0, name="b.weight"), drawn(0.6, name="c.weight")),
        "error",
    ),
    "activations grow from layer to layer": (
        poor_initialization,
        RunEvidence(
            activations=tuple(
                layer([100.0 * 20**place] * 3, kind="activation", place=place, name=f"l{place}")
                for place in range(4)
            )
        ),
        "error",
    ),
    "weights grow tenfold and the loss does not fall": (
        diverging_weights,
        having_weights(weight(value_norm=np.geomspace(1, 20, SIZE)), loss=[*FLAT, *FLAT + 2]),
        "warning",
    ),
    "weights grow without end": (
        diverging_weights,
        having_weights(weight(value_norm=np.geomspace(1, 1e5, SIZE)), moving()),
        "error",
    ),
    "weights become infinite": (
        diverging_weights,
        having_weights(weight(value_norm=[1.0] * 8 + [float("inf")] * 4), loss=FLAT),
        "critical",
    ),
}


@pytest.mark.parametrize("name", SPEAKS)
def test_parameter_rules_speak(name: str) -> None:
    rule, evidence, severity = SPEAKS[name]

    (finding,) = rule(evidence, AnalyzerThresholds())

    assert finding.severity == severity
    assert finding.rule_id == rule.__name__
    assert finding.step_range is not None
    assert finding.step_range[0] <= finding.step_range[1]
    assert finding.observed is not None
    assert np.isfinite(finding.observed)
    assert finding.threshold is not None


QUIET: dict[str, tuple[Any, ...]] = {
    "no evidence": (
        update_ratio,
        parameters_unchanged,
        parameters_all_zero,
        parameters_without_gradient,
        poor_initialization,
        diverging_weights,
        RunEvidence(),
    ),
    "a healthy weight": (
        update_ratio,
        parameters_unchanged,
        parameters_all_zero,
        parameters_without_gradient,
        poor_initialization,
        diverging_weights,
        having_weights(
            updates(1e-3),
            drawn(0.6, name="b.weight", value_norm=np.linspace(4, 6, SIZE), gradient_norm=0.1),
            loss=FLAT,
        ),
    ),
    "nothing was measured": (
        update_ratio,
        parameters_unchanged,
        parameters_all_zero,
        parameters_without_gradient,
        poor_initialization,
        diverging_weights,
        having_weights(weight(), weight("b.weight")),
    ),
    "large steps while it learns": (
        update_ratio,
        having_weights(updates(0.2), updates(0.2, "b.weight"), loss=FALLING),
    ),
    "just below": (update_ratio, having_weights(updates(0.099), updates(0.099, "b.weight"))),
    "one weight alone": (update_ratio, having_weights(updates(0.3), loss=FLAT)),
    "a bias that began at 0": (
        update_ratio,
        having_weights(updates(5.0, role="bias"), updates(5.0, "b.bias", role="bias")),
    ),
    "too few snapshots": (
        update_ratio,
        having_weights(weight(size=3, value_norm=5.0, update_to_value_ratio=[NAN, 20.0, 20.0])),
    ),
    "small steps of a fine-tuning": (update_ratio, having_weights(updates(2e-5), loss=FLAT)),
    "small steps of a warm-up": (
        update_ratio,
        having_weights(updates(1e-6), loss=FLAT, learning_rate=np.linspace(0, 1e-3, 100)),
    ),
    "small steps of a network that has converged": (
        update_ratio,
        having_weights(updates(1e-6), loss=[0.001] * 100),
    ),
    "small steps in few steps": (
        update_ratio,
        having_weights(updates(1e-6, size=SIZE, every=5), loss=FLAT),
    ),
    "two probes": (
        parameters_unchanged,
        having_weights(
            still(size=2),
            moving(size=2, value_norm=[1.0, 2.0], value_mean=0.0, value_std=0.1),
        ),
    ),
    "gradients are accumulated": (parameters_unchanged, having_weights(still(every=4))),
    "no gradient to move by": (
        parameters_unchanged,
        having_weights(still(gradient_norm=NAN), moving()),
    ),
    "a gradient too small to be seen": (
        parameters_unchanged,
        having_weights(still(gradient_norm=1e-9), moving()),
    ),
    "an expert that was used once": (
        parameters_unchanged,
        having_weights(still(gradient_norm=[0.3, *[NAN] * 11]), moving()),
    ),
    "frozen on purpose": (
        parameters_unchanged,
        parameters_without_gradient,
        parameters_all_zero,
        having_weights(still(requires_grad=False, gradient_norm=NAN), moving(), loss=FALLING),
    ),
    "pretrained and frozen while the head does not learn yet": (
        parameters_unchanged,
        having_weights(
            *(
                drawn(0.6, name=name, requires_grad=False, value_max=0.9, value_min=-1.1)
                for name in ("a.weight", "b.weight")
            ),
            moving("head.weight"),
            loss=FLAT,
        ),
    ),
    "a group whose learning rate is 0": (
        parameters_unchanged,
        having_weights(still(learning_rate=0.0), moving(learning_rate=0.1)),
    ),
    "changed once, in the middle": (
        parameters_unchanged,
        having_weights(still(value_norm=[5.0] * 6 + [5.1] * 6), moving()),
    ),
    "begins at zero": (
        parameters_all_zero,
        poor_initialization,
        having_weights(
            weight("lora_B.weight", value_norm=[0.0, *np.linspace(0.1, 1, 11)], value_mean=0.0),
            drawn(0.6, name="lora_A.weight"),
        ),
    ),
    "zero at two probes": (
        parameters_all_zero,
        having_weights(weight(value_norm=[1.0] * 10 + [0.0] * 2)),
    ),
    "zero within few steps": (parameters_all_zero, having_weights(weight(value_norm=0.0, every=1))),
    "a bias of zeros": (
        parameters_all_zero,
        having_weights(weight("a.bias", role="bias", value_norm=0.0)),
    ),
    "a scale of zeros": (
        parameters_all_zero,
        having_weights(weight("n.weight", module_type="BatchNorm2d", value_norm=0.0)),
    ),
    "a head that is not used": (
        parameters_without_gradient,
        having_weights(moving(), still("pooler.weight", gradient_norm=NAN), calls=("body",)),
    ),
    "an idle expert, without hooks": (
        parameters_without_gradient,
        having_weights(moving(), still(gradient_norm=NAN), loss=FALLING),
    ),
    "gradients that were not finite": (
        parameters_without_gradient,
        having_weights(moving(), still(gradient_norm=NAN, gradient_nonfinite_count=3)),
    ),
    "no parameter has a gradient": (
        parameters_without_gradient,
        having_weights(still(gradient_norm=NAN), still("b.weight", gradient_norm=NAN)),
    ),
    "one large weight of three": (
        poor_initialization,
        having_weights(drawn(9.0), drawn(0.6, name="b.weight"), drawn(0.6, name="c.weight")),
    ),
    "large embeddings": (
        poor_initialization,
        having_weights(
            *(drawn(8.0, name=name, module_type="Embedding") for name in ("a.weight", "b.weight"))
        ),
    ),
    "weights that training made large": (
        poor_initialization,
        having_weights(
            *(
                drawn(20.0, name=name, value_norm=np.linspace(1000, 4000, SIZE))
                for name in ("a.weight", "b.weight")
            )
        ),
    ),
    "norm weights begin at 1": (
        poor_initialization,
        having_weights(
            weight("n.weight", module_type="LayerNorm", value_norm=8, value_std=0, value_mean=1)
        ),
    ),
    "weights before a normalisation grow": (
        diverging_weights,
        having_weights(weight(value_norm=np.geomspace(1, 90, SIZE)), loss=FALLING),
    ),
    "weights grow a little": (
        diverging_weights,
        having_weights(weight(value_norm=np.geomspace(1, 9.9, SIZE)), loss=FLAT),
    ),
    "a weight that began at 0": (
        diverging_weights,
        having_weights(weight(value_norm=[0.0, *np.geomspace(1e-6, 5, 11)]), moving(), loss=FLAT),
    ),
    "weights were large for a moment": (
        diverging_weights,
        having_weights(weight(value_norm=[1.0] * 5 + [1e9] + [1.0] * 6), loss=FLAT),
    ),
}


@pytest.mark.parametrize("name", QUIET)
def test_parameter_rules_keep_quiet(name: str) -> None:
    *rules, evidence = QUIET[name]

    for rule in rules:
        assert speak(rule, evidence) == [], name


def test_what_is_meant_or_not_used_is_worth_knowing() -> None:
    group = having_weights(still(learning_rate=0.0), moving(learning_rate=0.1))
    head = having_weights(moving(), still("pooler.weight", gradient_norm=NAN), calls=("body",))
    limits = AnalyzerThresholds()

    assert [one.severity for one in parameters_unchanged(group, limits)] == ["info"]
    assert [one.severity for one in parameters_without_gradient(head, limits)] == ["info"]


def test_gradients_and_values_of_different_rows_are_put_together() -> None:
    """wandb.watch has rows of values alone, and of gradients alone."""
    values, gradients = [5.0, NAN] * 6, [NAN, 0.1] * 6
    columns: dict[str, Any] = {
        "value_mean": values,
        "value_std": values,
        "gradient_norm": gradients,
    }
    evidence = having_weights(weight(value_norm=values, **columns))

    assert [one.severity for one in speak(parameters_unchanged, evidence)] == ["critical"]
    assert speak(parameters_without_gradient, evidence) == []


def test_a_finding_names_the_largest_and_lists_the_others() -> None:
    evidence = having_weights(still("a.weight", element_count=9), still("b.weight"), moving())

    (finding,) = speak(parameters_unchanged, evidence)

    assert finding.subject == "b.weight"
    assert [one.source for one in finding.observations] == ["a.weight", "b.weight"]
    assert "2 of 3 trainable parameters (50% of the elements)" in finding.fact
