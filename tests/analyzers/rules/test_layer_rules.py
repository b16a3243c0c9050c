"""Rules on what layers put out and what gradients they get back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from quark.analyzers.evidence import LayerTrack, RunEvidence
from quark.analyzers.findings import Finding
from quark.analyzers.rules.activation_collapse import activation_collapse
from quark.analyzers.rules.exploding_gradients import exploding_gradients
from quark.analyzers.rules.stagnant_layers import stagnant_layers
from quark.analyzers.rules.vanishing_gradients import vanishing_gradients
from quark.analyzers.thresholds import AnalyzerThresholds
from tests.analyzers.building import by_role, having, layer, parameter, series

NAN = float("nan")
FLAT = 2.3 + 0.02 * np.sin(np.arange(100.0))
FALLING = np.geomspace(2.3, 0.3, 100) + 0.01 * np.sin(np.arange(100.0))
SLOW = np.linspace(2.3, 1.8, 100) + 0.02 * np.sin(np.arange(100.0))


def gradients(*norms: Any, loss: Any = None, **changes: Any) -> RunEvidence:
    """Layers from the input on, by their gradient norms."""
    tracks = tuple(
        layer(one, name=f"layer{place}", place=place, **changes) for place, one in enumerate(norms)
    )
    evidence = RunEvidence() if loss is None else by_role(train_loss=loss)
    return having(evidence, gradients=tracks)


def activations(*tracks: LayerTrack, loss: Any = None) -> RunEvidence:
    evidence = RunEvidence() if loss is None else by_role(train_loss=loss)
    return having(evidence, activations=tracks)


def relu(dead: Sequence[float], place: int = 0, **changes: Any) -> LayerTrack:
    return layer(
        np.ones(len(dead)),
        name=f"relu{place}",
        module_type=changes.pop("module_type", "ReLU"),
        kind="activation",
        place=place,
        dead_unit_ratio=dead,
        std=changes.pop("std", 0.5),
        **changes,
    )


def tanh(saturated: Sequence[float], place: int = 0, **changes: Any) -> LayerTrack:
    return layer(
        np.ones(len(saturated)),
        name=f"tanh{place}",
        module_type="Tanh",
        kind="activation",
        place=place,
        saturation_ratio=saturated,
        std=0.9,
        **changes,
    )


def linear(std: Sequence[float], place: int = 0, **changes: Any) -> LayerTrack:
    kind = changes.pop("module_type", "Linear")
    return layer(
        np.ones(len(std)),
        name=f"linear{place}",
        module_type=kind,
        kind="activation",
        place=place,
        std=std,
        dead_unit_ratio=0.0,
        **changes,
    )


def judged(rule: Any, evidence: RunEvidence) -> list[Finding]:
    return list(rule(evidence, AnalyzerThresholds()))


# -- exploding gradients -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(gradients([100.0] * 8), "critical", id="bare-norms-of-100"),
        pytest.param(gradients([100.0]), "critical", id="bare-single-probe"),
        pytest.param(gradients([10.0] * 3), "warning", id="exactly-at-the-warning"),
        pytest.param(gradients([25.0] * 3), "error", id="exactly-at-the-error"),
        pytest.param(gradients([50.0] * 3), "critical", id="exactly-at-the-critical"),
        pytest.param(gradients([0.1] * 5, [NAN, 60.0, 60.0, 70.0]), "critical", id="nan-inside"),
        pytest.param(gradients([float("inf")] * 3), "critical", id="too-large-to-be-squared"),
        pytest.param(
            gradients(np.geomspace(0.01, 30, 9), [0.5] * 9, loss=FLAT),
            "warning",
            id="grown-by-far",
        ),
        pytest.param(
            gradients([40.0] * 6, [1.0] * 6, [0.4] * 6, loss=FLAT), "error", id="grows-with-depth"
        ),
        pytest.param(
            gradients(np.geomspace(0.1, 1e4, 9), [0.5] * 9, loss=FALLING),
            "critical",
            id="grown-by-far-while-the-loss-still-falls",
        ),
        pytest.param(
            by_role(train_loss=FLAT, gradient_norm=np.geomspace(1, 1e4, 100)),
            "critical",
            id="metric-alone",
        ),
        pytest.param(
            RunEvidence(parameters=(parameter(5, gradient_norm=30.0),)), "error", id="weights-alone"
        ),
    ],
)
def test_exploding_gradients_speak(evidence: RunEvidence, severity: str) -> None:
    (finding,) = judged(exploding_gradients, evidence)

    assert finding.severity == severity
    assert finding.observed is not None
    assert finding.threshold is not None
    assert finding.observed >= finding.threshold
    assert np.isfinite(finding.observed)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(gradients([9.99] * 8), id="just-below"),
        pytest.param(gradients([1.0, 1.0, 500.0, 1.0, 1.0]), id="a-single-spike"),
        pytest.param(gradients([NAN, NAN]), id="nothing-measured"),
        pytest.param(
            gradients([60.0] * 8, [50.0] * 8, loss=FALLING), id="a-summed-loss-that-falls"
        ),
        pytest.param(gradients([60.0] * 8, [50.0] * 8, loss=FLAT), id="a-noisy-loss-with-a-scale"),
        pytest.param(
            gradients([300.0] * 6, [1.0] * 6, loss=FALLING), id="larger-with-depth-while-it-learns"
        ),
        pytest.param(
            gradients([60.0] * 8, loss=-np.arange(100.0)), id="a-loss-that-is-not-positive"
        ),
        pytest.param(by_role(train_loss=FLAT, gradient_norm=[300.0] * 100), id="metric-steady"),
        pytest.param(by_role(gradient_norm=[NAN] * 100), id="metric-of-nan"),
    ],
)
def test_exploding_gradients_keep_quiet(evidence: RunEvidence) -> None:
    assert judged(exploding_gradients, evidence) == []


# -- vanishing gradients -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(gradients([1e-6] * 8), "critical", id="bare-all-tiny"),
        pytest.param(gradients([1e-6] * 2, [0.1] * 2), "warning", id="bare-exactly-half-of-four"),
        pytest.param(gradients([1e-6] * 3, [0.1]), "error", id="bare-three-of-four"),
        pytest.param(gradients([0.0] * 9, [0.1]), "critical", id="bare-nine-of-ten"),
        pytest.param(gradients([1e-6, NAN, 1e-6, 1e-6, 1e-6]), "critical", id="nan-inside"),
        pytest.param(
            gradients([1e-9] * 5, [1e-7] * 5, [1e-5] * 5, [0.1] * 5, [0.2] * 5, loss=FLAT),
            "warning",
            id="shrinks-with-depth",
        ),
        pytest.param(
            gradients(*([1e-6] * 5,), *([[0.1] * 5] * 3), loss=SLOW),
            "warning",
            id="a-fifth-is-tiny",
        ),
        pytest.param(gradients([1e-6] * 5, [1e-6] * 5, loss=FLAT), "critical", id="tiny-and-stuck"),
        pytest.param(
            gradients(*([[0.0] * 5] * 4), [0.1] * 5, loss=[*FLAT[:50], *[NAN] * 50]),
            "error",
            id="a-loss-that-became-nan",
        ),
        pytest.param(
            by_role(train_loss=FLAT, gradient_norm=[1e-7] * 100), "critical", id="metric-alone"
        ),
    ],
)
def test_vanishing_gradients_speak(evidence: RunEvidence, severity: str) -> None:
    (finding,) = judged(vanishing_gradients, evidence)

    assert finding.severity == severity


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(gradients([1e-6] * 3), id="too-few-samples"),
        pytest.param(gradients([1e-4] * 8), id="exactly-at-the-norm"),
        pytest.param(gradients([1e-6] * 2, [0.1] * 3), id="fewer-than-half"),
        pytest.param(gradients([1e-6] * 8, [1e-5] * 8, loss=FALLING), id="converged"),
        pytest.param(
            gradients([1e-6] * 8, [2e-6] * 8, loss=[0.001] * 100), id="perfect-from-start"
        ),
        pytest.param(gradients([1e-5] * 8, [2e-5] * 8, loss=SLOW), id="a-huge-batch-that-learns"),
        pytest.param(gradients(np.geomspace(1, 1e-7, 30)), id="settled-without-a-loss"),
        pytest.param(gradients([NAN] * 8), id="nothing-measured"),
        pytest.param(gradients([1e-9] * 5, *([[0.1] * 5] * 9), loss=FLAT), id="one-of-ten-layers"),
    ],
)
def test_vanishing_gradients_keep_quiet(evidence: RunEvidence) -> None:
    assert judged(vanishing_gradients, evidence) == []


# -- stagnant layers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity", "subject"),
    [
        pytest.param(gradients([1e-6] * 8), "critical", "layer0", id="bare-all-tiny"),
        pytest.param(
            gradients([0.1] * 8, [1e-7] * 8, [0.1] * 8), "critical", "layer1", id="one-of-three"
        ),
        pytest.param(gradients([1e-7] * 2), "warning", "layer0", id="two-probes"),
        pytest.param(gradients([1e-7] * 4), "error", "layer0", id="four-probes"),
        pytest.param(gradients([1e-7] * 5), "error", "layer0", id="five-probes"),
        pytest.param(
            gradients([0.1, 0.1, 0.0, 0.0], [0.1] * 4), "warning", "layer0", id="died-half-way"
        ),
        pytest.param(
            gradients([1e-9] * 8, [0.1] * 8, loss=SLOW), "critical", "layer0", id="far-below-others"
        ),
        pytest.param(
            gradients([1e-6] * 8, [1e-6] * 8, loss=FLAT), "critical", "layer0", id="tiny-and-stuck"
        ),
    ],
)
def test_stagnant_layers_speak(evidence: RunEvidence, severity: str, subject: str) -> None:
    (finding,) = judged(stagnant_layers, evidence)

    assert (finding.severity, finding.subject) == (severity, subject)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(gradients([1e-6], [0.1]), id="one-probe"),
        pytest.param(gradients([1e-4] * 8), id="exactly-at-the-norm"),
        pytest.param(gradients([1e-6, 1e-6, 1e-6, 0.1]), id="woke-up"),
        pytest.param(gradients([0.0, 1e-9, 1e-7, 5e-5], [0.1] * 4), id="a-branch-that-wakes-up"),
        pytest.param(gradients([1e-6] * 8, [0.1] * 8, loss=FALLING), id="the-loss-falls"),
        pytest.param(gradients([5e-5] * 8, [9e-4] * 8, loss=SLOW), id="a-huge-batch-that-learns"),
        pytest.param(gradients(np.geomspace(1, 1e-7, 30)), id="settled-without-a-loss"),
    ],
)
def test_stagnant_layers_keep_quiet(evidence: RunEvidence) -> None:
    assert judged(stagnant_layers, evidence) == []


# -- activation collapse -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity", "subject"),
    [
        pytest.param(activations(relu([0.8] * 4)), "warning", "relu0", id="dead-at-the-warning"),
        pytest.param(activations(relu([0.92] * 4)), "error", "relu0", id="dead-at-the-error"),
        pytest.param(activations(relu([0.98])), "critical", "relu0", id="dead-at-a-single-probe"),
        pytest.param(
            activations(relu([0.5] * 4), relu([NAN, 0.9, 0.9, 0.9], 1)),
            "warning",
            "relu1",
            id="nan-inside",
        ),
        pytest.param(
            activations(relu([1.0] * 4), linear([1.0] * 4, 1), loss=FLAT),
            "critical",
            "relu0",
            id="all-dead-and-stuck",
        ),
        pytest.param(
            activations(relu([0.5, 0.5, 0.9, 0.95, 0.95]), loss=SLOW), "error", "relu0", id="dying"
        ),
        pytest.param(
            activations(relu([0.5, 0.5, 1.0, 1.0, 1.0]), loss=np.linspace(2.3, 0.6, 100)),
            "warning",
            "relu0",
            id="all-dead-in-a-network-that-learns",
        ),
        pytest.param(
            activations(tanh([0.99] * 4), linear([1.0] * 4, 1), loss=FLAT),
            "error",
            "tanh0",
            id="saturated-and-stuck",
        ),
        pytest.param(activations(tanh([0.995] * 4)), "critical", "tanh0", id="bare-saturated"),
        pytest.param(activations(linear([0.0005] * 4)), "critical", "linear0", id="bare-flat"),
        pytest.param(activations(linear([0.05] * 4)), "warning", "linear0", id="flat-at-warning"),
        pytest.param(
            activations(linear([0.0] * 4), linear([0.3] * 4, 1), loss=FLAT),
            "critical",
            "linear0",
            id="constant-and-stuck",
        ),
        pytest.param(
            activations(linear([0.5, 0.5, 0.1, 0.02, 0.02, 0.02]), loss=SLOW),
            "warning",
            "linear0",
            id="flattening",
        ),
    ],
)
def test_activation_collapse_speaks(evidence: RunEvidence, severity: str, subject: str) -> None:
    (finding,) = judged(activation_collapse, evidence)

    assert (finding.severity, finding.subject) == (severity, subject)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(activations(relu([0.79] * 4)), id="half-dead-is-usual"),
        pytest.param(activations(relu([0.9])), id="a-single-probe"),
        pytest.param(activations(relu([0.97] * 4), loss=FLAT), id="a-sparse-pretrained-network"),
        pytest.param(
            activations(relu([0.5, 0.9, 0.97, 0.99]), loss=FALLING), id="learned-sparsity"
        ),
        pytest.param(activations(relu([0.9] * 4, module_type="Dropout")), id="dropout"),
        pytest.param(activations(linear([0.001] * 4, module_type="LayerNorm")), id="normalisation"),
        pytest.param(
            activations(linear([1.0] * 4), tanh([1.0] * 4, 1), loss=FLAT), id="decided-output"
        ),
        pytest.param(
            activations(*(linear([0.01] * 4, place) for place in range(5))), id="small-initial-std"
        ),
        pytest.param(activations(linear([0.01] * 4), linear([1.0] * 4, 1), loss=FLAT), id="small"),
        pytest.param(activations(linear([0.0] * 4, element_count=1)), id="a-single-number"),
        pytest.param(activations(relu([NAN] * 4, std=NAN)), id="nothing-measured"),
    ],
)
def test_activation_collapse_keeps_quiet(evidence: RunEvidence) -> None:
    assert [one for one in judged(activation_collapse, evidence) if one.severity != "info"] == []


def test_dead_layers_of_a_network_that_learned_are_only_worth_knowing() -> None:
    evidence = activations(relu([1.0] * 4), linear([1.0] * 4, 1), loss=np.geomspace(2.3, 0.05, 100))

    assert [one.severity for one in judged(activation_collapse, evidence)] == ["info"]


def test_a_loss_that_jumped_and_came_back_has_not_fallen() -> None:
    jumped = [2.3, 900.0, 4_000.0, 70.0, 30.0, *np.geomspace(9, 2.31, 20), *[2.31] * 75]
    evidence = activations(relu([1.0] * 4), linear([1.0] * 4, 1), loss=jumped)

    assert [one.severity for one in judged(activation_collapse, evidence)] == ["critical"]


def test_a_finding_says_where_and_since_when() -> None:
    evidence = gradients([0.2, 0.2, 1e-7, 1e-7, 1e-7], [0.3] * 5)

    (finding,) = judged(stagnant_layers, evidence)

    assert finding.step_range == (20, 40)
    assert finding.onset == 20
    assert "1 of 2 layers" in finding.fact
    assert [one.source for one in finding.observations] == ["layer0"]


def test_a_role_that_says_nothing_yet_leaves_the_thresholds_to_relative_evidence() -> None:
    few = having(by_role(train_loss=FLAT[:9]), gradients=gradients([60.0] * 8).gradients)
    moving = having(
        by_role(train_loss=series("train/loss", FLAT)),
        gradients=gradients([60.0] * 8).gradients,
    )

    assert judged(exploding_gradients, few) == []
    assert judged(exploding_gradients, moving) == []
