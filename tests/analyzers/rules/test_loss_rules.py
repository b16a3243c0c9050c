"""Rules on losses, learning rates and numbers that are not finite: when they speak, when not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from quark.analyzers.evidence import DataFacts, MetricSeries, RunEvidence, RunFacts, Table
from quark.analyzers.findings import Finding
from quark.analyzers.limits.loss import LossLimits
from quark.analyzers.loss_curve import curve_of, shortest_row
from quark.analyzers.rates import count_rises
from quark.analyzers.roles import MetricRoles
from quark.analyzers.rules.amp_scale_collapse import amp_scale_collapse
from quark.analyzers.rules.gradient_norm_spike import gradient_norm_spike, gradient_norms
from quark.analyzers.rules.learning_rate_schedule import learning_rate_schedule
from quark.analyzers.rules.learning_rate_too_high import learning_rate_too_high
from quark.analyzers.rules.learning_rate_too_low import learning_rate_too_low
from quark.analyzers.rules.learning_rate_zero import learning_rate_zero
from quark.analyzers.rules.loss_divergence import loss_divergence
from quark.analyzers.rules.loss_not_decreasing import loss_not_decreasing
from quark.analyzers.rules.loss_scale import loss_scale
from quark.analyzers.rules.loss_spike import loss_spike
from quark.analyzers.rules.non_finite_values import non_finite_values
from quark.analyzers.rules.oscillating_loss import oscillating_loss, turning_points
from quark.analyzers.run_config import config_number, started_trained
from quark.analyzers.thresholds import AnalyzerThresholds
from quark.errors import SchemaValidationError
from tests.analyzers.building import by_role, having, layer, parameter, series, table

LIMITS = AnalyzerThresholds()
NAN, INF = math.nan, math.inf
RULES = (
    non_finite_values,
    loss_divergence,
    loss_spike,
    oscillating_loss,
    loss_not_decreasing,
    learning_rate_zero,
    learning_rate_schedule,
    learning_rate_too_high,
    learning_rate_too_low,
    gradient_norm_spike,
    loss_scale,
    amp_scale_collapse,
)
Check = Callable[[RunEvidence, AnalyzerThresholds], Iterator[Finding]]


# -- curves ----------------------------------------------------------------------------------------


def scatter(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=count)


def learning(
    count: int = 300, *, start: float = 2.3, end: float = 0.2, noise: float = 0.1, seed: int = 0
) -> Any:
    """A loss that falls and settles, with noise relative to its level."""
    place = np.arange(count) / count
    return (end + (start - end) * np.exp(-6 * place)) * np.exp(noise * scatter(count, seed))


def flat(level: float = 2.3, count: int = 300, noise: float = 0.01, seed: int = 0) -> Any:
    return level * (1.0 + noise * scatter(count, seed))


def single_samples(count: int = 1500, seed: int = 0) -> Any:
    """A loss by batches of one: the mean falls, single values are anything."""
    return learning(count, noise=0.0) * np.random.default_rng(seed).exponential(size=count)


def with_points(values: Any, points: dict[int, float]) -> Any:
    values = np.array(values, np.float64)
    for place, value in points.items():
        values[place] = value
    return values


def ended(config: dict[str, Any] | None = None, **metrics: Any) -> RunEvidence:
    """Evidence of a run that is over."""
    run = RunFacts(status="completed", config=config or {})
    return having(by_role(**metrics), run=run)


def at(values: Any, steps: Any, key: str = "val/loss") -> MetricSeries:
    return series(key, values, steps)


def evaluations(values: Any, count: int = 300, key: str = "val/loss") -> MetricSeries:
    """Values that are spread evenly over a run of ``count`` steps."""
    steps = np.linspace(0, count - 1, len(values) + 1).astype(np.int64)[1:]
    return series(key, values, steps)


def accuracies(values: Any, count: int = 300) -> MetricSeries:
    return evaluations(values, count, "val/accuracy")


def one(check: Check, evidence: RunEvidence) -> Finding:
    found = list(check(evidence, LIMITS))
    assert len(found) == 1, found
    assert found[0].rule_id == check.__name__
    return found[0]


def loud(check: Check, evidence: RunEvidence) -> list[Finding]:
    return [finding for finding in check(evidence, LIMITS) if finding.severity != "info"]


# -- healthy runs: not one of the rules says anything ----------------------------------------------

COSINE = 0.5 * (1.0 + np.cos(np.pi * np.arange(300) / 300))
HEALTHY: dict[str, RunEvidence] = {
    "nothing": RunEvidence(),
    "nine-points": ended(train_loss=learning(9)),
    "learning": ended(train_loss=learning()),
    "short": ended(train_loss=learning(60)),
    "long": ended(train_loss=learning(50_000, noise=0.3)),
    "very-noisy": ended(train_loss=learning(1000, noise=0.6)),
    "batches-of-one": ended(train_loss=single_samples(), val_loss=evaluations([1.5, 0.8, 0.4])),
    "full-batch": ended(train_loss=learning(noise=0.0)),
    "converged-to-nothing": ended(train_loss=learning(2000, end=1e-7)),
    "good-from-the-start": ended(
        train_loss=flat(0.05, noise=0.3),
        val_loss=evaluations([0.06] * 6 + 1e-4 * scatter(6)),
        val_accuracy=accuracies([0.97, 0.97, 0.98, 0.97, 0.98, 0.97]),
    ),
    "fine-tuning-by-loss-alone": ended(train_loss=flat(0.9, 1000, noise=0.1)),
    "resumed": ended(train_loss=series("train/loss", flat(0.5), np.arange(300) + 40_000)),
    "huge-values": ended(train_loss=learning(start=3e9, end=1e8)),
    "constant": ended(train_loss=np.full(400, 1.0), gradient_norm=np.full(400, 0.5)),
    "density-below-zero": ended(
        train_loss=2.0 - 30.0 * (1.0 - np.exp(-np.arange(300) / 60)) + 0.3 * scatter(300)
    ),
    "late-take-off": ended(
        train_loss=0.3 + 2.0 / (1 + np.exp((np.arange(400) - 200) / 15)) + 0.03 * scatter(400)
    ),
    "warm-up-and-cosine": ended(
        train_loss=learning(),
        learning_rate=1e-3 * COSINE * np.minimum(1.0, np.arange(300) / 30),
    ),
    "ends-at-zero": ended(
        train_loss=learning(), learning_rate=np.maximum(0.0, 1.0 - np.arange(300) / 285)
    ),
    "one-jump": ended(train_loss=with_points(learning(), {150: 9.0})),
    "percent-accuracy": ended(
        train_loss=learning(), val_accuracy=accuracies([20.0, 60.0, 80.0, 91.0])
    ),
    "reinforcement": ended(
        {"env_id": "CartPole-v1"}, train_loss=np.cumsum(scatter(400)) ** 2, learning_rate=COSINE
    ),
    "heavy-gradient-norms": ended(
        train_loss=learning(1000), gradient_norm=np.exp(2.0 * scatter(1000, 3))
    ),
    "scale-that-grows": ended(
        train_loss=learning(), grad_scale=np.repeat(2.0 ** np.array([16, 13, 14, 15, 16]), 60)
    ),
    "flat-while-it-goes-on": by_role(
        train_loss=flat(count=300), val_accuracy=accuracies([0.1, 0.11, 0.1])
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_no_rule_raises_an_alarm_over_a_healthy_run(name: str) -> None:
    found = [finding for check in RULES for finding in loud(check, HEALTHY[name])]

    assert found == []


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.sampled_from([8, 30, 120, 500]),
    noise=st.sampled_from([0.01, 0.1, 0.3]),
    scale=st.sampled_from([1e-3, 1.0, 1e6]),
)
def test_scale_length_and_noise_of_a_loss_that_falls_do_not_matter(
    seed: int, count: int, noise: float, scale: float
) -> None:
    evidence = ended(train_loss=scale * learning(count, noise=noise, seed=seed))

    assert [finding for check in RULES for finding in loud(check, evidence)] == []


# -- values that are not finite --------------------------------------------------------------------


def test_a_loss_that_stays_nan_is_critical_and_the_first_layer_and_the_samples_are_named() -> None:
    norms, bad = [1.0] * 6, [0, 0, 0, 7, 9, 9]
    evidence = having(
        ended(
            train_loss=[1.0] * 30 + [NAN] * 30,
            gradient_norm=[1.0] * 30 + [NAN] * 30,
        ),
        activations=(
            layer(norms, name="stem", kind="activation", place=0),
            layer(norms, name="block", kind="activation", place=1, nonfinite_count=bad),
            layer(norms, name="head", kind="activation", place=2, nonfinite_count=bad),
        ),
        gradients=(
            layer(norms, name="stem", place=0, nonfinite_count=bad),
            layer(norms, name="head", place=2, nonfinite_count=bad),
        ),
        parameters=(parameter(6, name="stem.weight", value_nonfinite_count=[0, 0, 0, 0, 1, 1]),),
        data=DataFacts(sample_ids_at={30: ("img-7", "img-9")}),
    )

    finding = one(non_finite_values, evidence)

    assert finding.severity == "critical"
    assert finding.subject == "train/loss"
    assert finding.step_range == (30, 59)
    assert "NaN at step 30" in finding.fact
    assert "block (Linear)" in finding.fact
    assert finding.metadata["first_activation"] == "block"
    assert finding.metadata["first_gradient"] == "head"
    assert finding.metadata["first_parameter"] == "stem.weight"
    assert finding.metadata["sample_ids"] == ["img-7", "img-9"]
    assert {seen.source for seen in finding.observations} == {
        "block",
        "head",
        "stem.weight",
        "grad_norm",
        "batch",
    }


@pytest.mark.parametrize(
    ("evidence", "severity", "subject"),
    [
        pytest.param(
            ended(train_loss=[1.0] * 20 + [NAN]), "critical", "train/loss", id="at-its-end"
        ),
        pytest.param(
            by_role(train_loss=[1.0] * 20 + [NAN]), "error", "train/loss", id="latest-point"
        ),
        pytest.param(
            ended(train_loss=with_points(learning(), {100: NAN})),
            "warning",
            "train/loss",
            id="one-batch",
        ),
        pytest.param(
            ended(train_loss=with_points(learning(), {100: NAN, 150: NAN, 200: INF})),
            "error",
            "train/loss",
            id="a-batch-every-epoch",
        ),
        pytest.param(ended(train_loss=[NAN] * 20), "critical", "train/loss", id="from-the-start"),
        pytest.param(
            ended(train_loss=learning(), val_loss=evaluations([1.0, NAN, NAN, NAN])),
            "warning",
            "val/loss",
            id="validation-only",
        ),
        pytest.param(
            ended(train_loss=learning(), gradient_norm=[1.0] * 200 + [INF] * 100),
            "error",
            "grad_norm",
            id="gradients-for-good",
        ),
        pytest.param(
            having(
                ended(train_loss=learning()),
                parameters=(parameter(4, value_nonfinite_count=[0, 0, 2, 2]),),
            ),
            "critical",
            "layer.weight",
            id="weights",
        ),
        pytest.param(
            having(
                ended(),
                activations=(
                    layer([1.0] * 8, kind="activation", nonfinite_count=[0] * 4 + [5] * 4),
                ),
            ),
            "critical",
            "layer",
            id="layers-alone",
        ),
        pytest.param(
            having(
                ended(train_loss=learning()),
                rank_metrics={
                    0: {"train/loss": series("train/loss", learning())},
                    1: {"train/loss": series("train/loss", [1.0] * 9 + [NAN] * 9)},
                },
                nonfinite_counts={"train/loss": 9},
            ),
            "critical",
            "train/loss of rank 1",
            id="another-rank",
        ),
        pytest.param(
            having(
                ended(train_loss=learning(20)),
                events=Table(
                    step=np.array([5, 20]),
                    objects={
                        "event_type": ("debug", "non_finite_metric"),
                        "payload": (None, {"metric_key": "train/loss", "value": "NaN"}),
                    },
                ),
            ),
            "critical",
            "train/loss",
            id="refused-by-the-logger",
        ),
    ],
)
def test_non_finite_values_are_told_by_where_and_for_how_long_they_are(
    evidence: RunEvidence, severity: str, subject: str
) -> None:
    finding = one(non_finite_values, evidence)

    assert (finding.severity, finding.subject) == (severity, subject)
    assert finding.step_range is not None


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(ended(train_loss=learning()), id="all-finite"),
        pytest.param(
            ended(train_loss=learning(), val_loss=evaluations([INF, 1.0, 0.9, 0.8])),
            id="infinity-for-none-yet",
        ),
        pytest.param(
            ended(train_loss=np.where(np.arange(300) % 10 == 0, learning(), NAN)),
            id="nan-where-nothing-was-measured",
        ),
        pytest.param(
            ended(
                train_loss=learning(),
                gradient_norm=with_points(np.ones(300), {0: INF, 1: INF, 200: INF}),
                grad_scale=np.full(300, 1024.0),
            ),
            id="overflows-of-mixed-precision",
        ),
        pytest.param(
            having(
                ended(train_loss=learning()),
                metrics={"ap/cat": series("ap/cat", [NAN] * 10)},
                nonfinite_counts={"ap/cat": 10},
            ),
            id="a-class-that-is-absent",
        ),
        pytest.param(
            having(
                ended(train_loss=learning()),
                activations=(layer([1.0] * 8, kind="activation", nonfinite_count=[64] * 8),),
            ),
            id="a-mask-of-infinities",
        ),
    ],
)
def test_what_need_not_be_a_fault_raises_no_alarm(evidence: RunEvidence) -> None:
    assert loud(non_finite_values, evidence) == []


# -- the shape of the loss -------------------------------------------------------------------------

FALLS_THEN_LOST = np.concatenate((learning(200), flat(2.2, 100, noise=0.05)))
WAVES = 1.5 + np.sin(np.arange(400) / 12.0) + 0.05 * scatter(400)


@pytest.mark.parametrize(
    ("losses", "severity"),
    [
        pytest.param(2.3 * np.exp(np.arange(200) / 50), "critical", id="explodes"),
        pytest.param(
            np.concatenate((learning(100), flat(9.0, 100))), "error", id="above-its-start"
        ),
        pytest.param(FALLS_THEN_LOST, "error", id="all-is-lost-again"),
        pytest.param(
            np.concatenate((learning(200), flat(1.4, 100, noise=0.05))), "error", id="half-is-lost"
        ),
    ],
)
def test_a_loss_that_rises_and_stays_there_has_diverged(losses: Any, severity: str) -> None:
    finding = one(loss_divergence, ended(train_loss=losses))

    assert finding.severity == severity
    assert finding.step_range is not None
    assert finding.step_range[1] == len(losses) - 1


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param(learning(19), id="one-point-too-few"),
        pytest.param(
            np.concatenate((learning(200), flat(2.2, 40), learning(100, start=0.5))),
            id="came-down-again",
        ),
        pytest.param(np.concatenate((learning(270), flat(2.2, 20))), id="for-too-short-a-time"),
        pytest.param(np.concatenate((learning(200), flat(0.6, 100))), id="a-small-part"),
        pytest.param(learning(400, end=1e-5, noise=1.0), id="noise-about-nothing"),
    ],
)
def test_a_rise_that_passes_or_is_small_is_no_divergence(losses: Any) -> None:
    assert list(loss_divergence(ended(train_loss=losses), LIMITS)) == []


def test_spikes_that_come_back_are_a_warning_and_one_is_not() -> None:
    spike = dict.fromkeys(range(100, 106), 3.0)
    spikes = spike | {place: 2.0 for start in (160, 240) for place in range(start, start + 5)}

    once = one(loss_spike, ended(train_loss=with_points(learning(), spike)))
    often = one(loss_spike, ended(train_loss=with_points(learning(), spikes)))

    assert once.severity == "info"
    assert (often.severity, often.observed) == ("warning", 3.0)
    assert [seen.step_range for seen in often.observations] == [
        (100, 105),
        (160, 164),
        (240, 244),
    ]


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param(with_points(learning(), dict.fromkeys((90, 150, 210, 260), 8.0)), id="points"),
        pytest.param(single_samples(3000, seed=4), id="batches-of-one"),
        pytest.param(with_points(learning(), dict.fromkeys(range(295, 300), 3.0)), id="at-the-end"),
        pytest.param(with_points(learning(59), dict.fromkeys(range(40, 45), 3.0)), id="too-few"),
    ],
)
def test_single_points_and_heavy_tails_are_no_spikes(losses: Any) -> None:
    assert list(loss_spike(ended(train_loss=losses), LIMITS)) == []


def test_a_loss_that_swings_or_scatters_without_falling_oscillates() -> None:
    stuck = np.concatenate((flat(2.3, 20, noise=0.02), flat(2.6, 280, noise=0.3)))

    swings = one(oscillating_loss, ended(train_loss=WAVES))
    noise = one(oscillating_loss, ended(train_loss=stuck))

    # half a period is 12 pi = 37.7 points: 400 of them hold ten turns
    assert swings.observed == pytest.approx(400 / (12 * math.pi), abs=1)
    assert swings.severity == noise.severity == "warning"
    assert noise.observed is not None
    assert noise.observed > LIMITS.loss.oscillating_loss_noise_growth


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(
            ended(train_loss=WAVES, learning_rate=1.0 + np.cos(np.arange(400) / 12.0)),
            id="with-the-rate",
        ),
        pytest.param(
            ended(train_loss=np.concatenate((WAVES[:200], learning(400, start=1.0)))),
            id="settled-down",
        ),
        pytest.param(ended(train_loss=flat(2.3, noise=0.4)), id="noise-from-the-start"),
        pytest.param(ended(train_loss=WAVES[:39]), id="too-few"),
    ],
)
def test_swings_of_the_rate_and_noise_of_the_batches_are_no_oscillation(
    evidence: RunEvidence,
) -> None:
    assert list(oscillating_loss(evidence, LIMITS)) == []


# -- not learning ----------------------------------------------------------------------------------

FROZEN = 2.3141592 + 0.0 * np.arange(6)


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(
            ended(train_loss=flat(), val_accuracy=accuracies([0.1, 0.09, 0.11, 0.1])),
            "error",
            id="accuracy-at-chance",
        ),
        pytest.param(
            ended({"num_classes": 10}, train_loss=flat(math.log(10))), "error", id="at-ln-classes"
        ),
        pytest.param(
            ended(train_loss=np.linspace(2.4, 2.3, 300), val_accuracy=accuracies([0.1, 0.09, 0.1])),
            "error",
            id="down-to-guessing",
        ),
        pytest.param(
            ended(train_loss=learning(), val_loss=evaluations(FROZEN)), "error", id="frozen"
        ),
        pytest.param(
            having(
                ended(train_loss=flat(1.0)),
                roles=MetricRoles(
                    keys={"train_loss": ("train/loss",), "val_loss": ("val_mse",)},
                ),
            ),
            "warning",
            id="the-mean-of-standardised-targets",
        ),
        pytest.param(
            having(
                ended(
                    train_loss=with_points(flat(1.0, noise=0.2, seed=1), {0: 1.3, 1: 1.4}),
                    val_loss=evaluations([0.94, 0.943, 0.939, 0.941, 0.94]),
                ),
                roles=MetricRoles(
                    keys={"train_loss": ("train/loss", "mae"), "val_loss": ("val/loss",)}
                ),
            ),
            "warning",
            id="noise-but-validation-stands",
        ),
        pytest.param(ended(train_loss=flat(4.2)), "info", id="no-witness"),
    ],
)
def test_a_loss_that_stays_where_it_began_is_told_with_its_witness(
    evidence: RunEvidence, severity: str
) -> None:
    assert one(loss_not_decreasing, evidence).severity == severity


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(ended(train_loss=flat(count=99)), id="one-point-too-few"),
        pytest.param(by_role(train_loss=flat(count=499)), id="too-few-while-it-goes-on"),
        pytest.param(
            ended(train_loss=flat(), val_accuracy=accuracies([0.9, 0.92, 0.91])), id="good-already"
        ),
        pytest.param(ended({"num_classes": 10}, train_loss=flat(0.4)), id="far-below-guessing"),
        pytest.param(ended({"pretrained": True}, train_loss=flat()), id="began-trained"),
        pytest.param(ended(train_loss=flat(noise=0.5)), id="noise-may-hide-a-fall"),
        pytest.param(
            ended(train_loss=flat(), val_loss=evaluations([2.3, 2.2, 2.1, 2.0])),
            id="validation-falls",
        ),
        pytest.param(
            ended(train_loss=learning(), val_loss=evaluations(np.round(FROZEN, 2))),
            id="rounded-losses",
        ),
        pytest.param(
            ended(train_loss=learning(), val_loss=evaluations([*FROZEN[:3], 2.31])),
            id="moved-at-last",
        ),
    ],
)
def test_a_flat_loss_of_a_good_or_unknown_model_raises_no_alarm(evidence: RunEvidence) -> None:
    assert loud(loss_not_decreasing, evidence) == []


# -- learning rates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(
            ended(train_loss=flat(), learning_rate=np.zeros(300)), "error", id="throughout"
        ),
        pytest.param(
            ended(train_loss=learning(), learning_rate=np.where(np.arange(300) < 200, 1e-3, 0.0)),
            "warning",
            id="the-last-third",
        ),
        pytest.param(ended({"optim": {"lr": 0}}, train_loss=flat()), "error", id="by-config"),
        pytest.param(
            having(
                ended(train_loss=flat()),
                parameters=(parameter(30, learning_rate=0.0), parameter(30, learning_rate=0.0)),
            ),
            "error",
            id="by-snapshots",
        ),
    ],
)
def test_a_rate_of_zero_is_told_where_training_goes_on(
    evidence: RunEvidence, severity: str
) -> None:
    assert one(learning_rate_zero, evidence).severity == severity


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(
            ended(train_loss=learning(), learning_rate=np.where(np.arange(300) < 241, 1e-3, 0.0)),
            id="just-too-short",
        ),
        pytest.param(
            ended(
                train_loss=learning(60),
                learning_rate=series("lr", [1e-3] * 60 + [0.0] * 60),
            ),
            id="after-the-training",
        ),
        pytest.param(
            having(
                ended(train_loss=learning(), learning_rate=np.zeros(300)),
                metrics={
                    "train/loss": series("train/loss", learning()),
                    "lr/backbone": series("lr/backbone", np.zeros(300)),
                    "lr/head": series("lr/head", np.full(300, 1e-3)),
                },
                roles=MetricRoles(
                    keys={
                        "train_loss": ("train/loss",),
                        "learning_rate": ("lr/backbone", "lr/head"),
                    }
                ),
            ),
            id="one-group-is-frozen",
        ),
    ],
)
def test_a_rate_of_zero_at_the_end_or_of_one_group_is_healthy(evidence: RunEvidence) -> None:
    assert list(learning_rate_zero(evidence, LIMITS)) == []


STEPPED_PER_BATCH = 0.1 * 0.8 ** np.arange(300)
STOPS_EARLY = np.concatenate((np.linspace(2.3, 2.0, 25), flat(2.0, 275)))


def test_a_rate_that_is_gone_early_or_cycles_is_a_wrong_schedule() -> None:
    gone = one(
        learning_rate_schedule, ended(train_loss=STOPS_EARLY, learning_rate=STEPPED_PER_BATCH)
    )
    alone = one(learning_rate_schedule, ended(learning_rate=STEPPED_PER_BATCH))
    cycling = one(
        learning_rate_schedule,
        ended(train_loss=learning(), learning_rate=1.0 + np.cos(np.pi * np.arange(300) / 10)),
    )

    below = int(np.argmax(0.8 ** np.arange(300) < 1e-3))
    assert gone.step_range == alone.step_range == (below, 299)
    assert (gone.severity, alone.severity, cycling.severity) == ("error", "warning", "warning")
    assert cycling.observed == 15  # of a cosine that is up again after every 20 points


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(ended(train_loss=learning(), learning_rate=np.full(300, 0.1)), id="constant"),
        pytest.param(
            ended(train_loss=learning(end=0.01), learning_rate=0.95 ** np.arange(300)),
            id="learned-in-time",
        ),
        pytest.param(
            ended(
                train_loss=np.concatenate((learning(60, end=1.0), flat(1.0, 240))),
                learning_rate=np.where(np.arange(300) < 100, 0.1, 1e-5),
            ),
            id="lowered-on-a-plateau",
        ),
        pytest.param(
            ended(
                train_loss=learning(),
                learning_rate=np.tile(0.5 * (1 + np.cos(np.pi * np.arange(30) / 30)), 10),
            ),
            id="warm-restarts",
        ),
        pytest.param(
            ended(
                train_loss=learning(),
                learning_rate=0.6 + 0.4 * np.cos(np.pi * np.arange(300) / 10),
            ),
            id="cyclic-above-zero",
        ),
        pytest.param(
            ended(train_loss=STOPS_EARLY[:29], learning_rate=STEPPED_PER_BATCH[:29]), id="too-few"
        ),
    ],
)
def test_schedules_that_people_choose_are_healthy(evidence: RunEvidence) -> None:
    assert list(learning_rate_schedule(evidence, LIMITS)) == []


@pytest.mark.parametrize(
    ("losses", "severity"),
    [
        pytest.param(
            np.concatenate(([2.3], flat(40.0, 40, noise=0.1), flat(2.4, 259))), "error", id="stuck"
        ),
        pytest.param(
            np.concatenate(([2.3, 48.0, 2.9], flat(2.33, 297))), "error", id="one-jump-and-stuck"
        ),
        pytest.param(
            np.concatenate(([2.3], flat(30.0, 30, noise=0.1), learning(269, end=1.0))),
            "warning",
            id="got-over-it-badly",
        ),
        pytest.param(
            np.concatenate(([2.3], flat(9.0, 12), learning(400, end=0.01))), "info", id="got-over"
        ),
        pytest.param(
            np.concatenate((3.0 * 8.0 ** np.arange(12), np.full(200, NAN))), "critical", id="to-nan"
        ),
    ],
)
def test_a_loss_that_jumps_right_after_the_start_had_too_high_a_rate(
    losses: Any, severity: str
) -> None:
    assert one(learning_rate_too_high, ended(train_loss=losses)).severity == severity


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param(np.concatenate((learning(200), flat(9.0, 100))), id="late"),
        pytest.param(flat(0.02, noise=0.8), id="began-by-chance-below-its-noise"),
        pytest.param(np.concatenate(([2.3], flat(3.3, 299))), id="not-high-enough"),
        pytest.param(np.concatenate((learning(100), np.full(100, NAN))), id="nan-out-of-the-blue"),
        pytest.param(with_points(flat(count=29), {3: 50.0, 4: 50.0, 5: 50.0}), id="too-few"),
    ],
)
def test_other_rises_do_not_speak_of_the_rate(losses: Any) -> None:
    assert loud(learning_rate_too_high, ended(train_loss=losses)) == []


def test_an_unusual_rate_is_worth_knowing_for_the_optimizer_it_is_given_to() -> None:
    adam = ended({"optimizer": "AdamW", "lr": 0.1}, train_loss=learning())
    sgd = ended({"optimizer": "SGD", "lr": 0.1}, train_loss=learning())
    unknown = ended({"lr": 0.1}, train_loss=learning())

    assert one(learning_rate_too_high, adam).severity == "info"
    assert [list(learning_rate_too_high(run, LIMITS)) for run in (sgd, unknown)] == [[], []]


CREEPING = np.linspace(2.3, 2.2, 300) + 0.01 * scatter(300)
CHANCE = accuracies([0.1, 0.11, 0.12])


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(ended(train_loss=CREEPING, val_accuracy=CHANCE), id="straight"),
        pytest.param(
            ended(train_loss=flat(3.7, noise=0.2), learning_rate=np.full(300, 1e-7)), id="tiny-rate"
        ),
        pytest.param(
            ended({"optimizer": "sgd", "lr": 1e-4}, train_loss=flat(3.7, noise=0.2)), id="tiny-sgd"
        ),
        pytest.param(
            ended(
                train_loss=flat(3.7, noise=0.2),
                val_loss=evaluations(np.linspace(3.8, 3.7, 8)),
            ),
            id="validation-creeps",
        ),
    ],
)
def test_a_loss_that_creeps_down_has_too_low_a_rate(evidence: RunEvidence) -> None:
    assert one(learning_rate_too_low, evidence).severity == "warning"


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(ended(train_loss=CREEPING[:99], val_accuracy=CHANCE), id="too-few"),
        pytest.param(by_role(train_loss=CREEPING, val_accuracy=CHANCE), id="it-goes-on"),
        pytest.param(
            ended(train_loss=CREEPING, val_accuracy=accuracies([0.8, 0.82, 0.83])), id="good"
        ),
        pytest.param(ended(train_loss=CREEPING), id="no-witness"),
        pytest.param(
            ended(train_loss=flat(0.9), val_loss=evaluations(0.9 + 0.03 * 0.5 ** np.arange(8))),
            id="validation-settles",
        ),
        pytest.param(
            ended(train_loss=learning(end=2.2, noise=0.01), val_accuracy=CHANCE), id="a-plateau"
        ),
        pytest.param(
            ended(train_loss=np.linspace(2.3, 2.0, 300), val_accuracy=CHANCE), id="13-percent"
        ),
        pytest.param(
            ended(
                train_loss=CREEPING, val_accuracy=CHANCE, learning_rate=np.linspace(0, 1e-3, 300)
            ),
            id="still-warming-up",
        ),
    ],
)
def test_a_slow_loss_for_another_reason_does_not_speak_of_the_rate(evidence: RunEvidence) -> None:
    assert list(learning_rate_too_low(evidence, LIMITS)) == []


# -- gradient norms, scales ------------------------------------------------------------------------

SPIKY_STEPS = (100, 160, 220)
SPIKY_NORMS = with_points(np.exp(0.1 * scatter(300)), dict.fromkeys(SPIKY_STEPS, 60.0))


def test_gradient_spikes_alarm_only_if_the_loss_follows() -> None:
    hurt = with_points(
        learning(), {place + more: 3.0 for place in SPIKY_STEPS for more in range(1, 5)}
    )

    harmless = one(gradient_norm_spike, ended(train_loss=learning(), gradient_norm=SPIKY_NORMS))
    harmful = one(gradient_norm_spike, ended(train_loss=hurt, gradient_norm=SPIKY_NORMS))

    assert (harmless.severity, harmful.severity) == ("info", "warning")
    assert harmful.step_range == (100, 220)
    assert harmful.observed == pytest.approx(60.0, rel=0.2)


def test_the_norm_of_the_whole_gradient_is_put_together_from_parameters() -> None:
    tracks = (parameter(5, gradient_norm=3.0), parameter(5, gradient_norm=4.0), parameter(5))

    whole = gradient_norms(having(RunEvidence(), parameters=tracks))

    assert whole is not None
    assert whole.value.tolist() == [5.0] * 5
    assert gradient_norms(RunEvidence()) is None


def down_with(loss: Any, count: int = 8) -> MetricSeries:
    """Validation losses read off a training loss."""
    steps = np.linspace(40, len(loss) - 1, count).astype(np.int64)
    return series("val/loss", np.asarray(loss)[steps], steps)


RIGHT = np.linspace(0.2, 0.85, 8)
LIKELIHOOD = np.interp(np.arange(300), np.linspace(40, 299, 8), -RIGHT, left=-0.1)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        pytest.param(
            ended({"batch_size": 32}, train_loss=32 * learning(), val_loss=down_with(learning())),
            "sum over the batch",
            id="a-sum-by-the-validation-loss",
        ),
        pytest.param(
            ended(
                {"batch_size": 32, "num_classes": 10},
                train_loss=32 * learning(),
                val_accuracy=accuracies(RIGHT),
            ),
            "batch size",
            id="a-sum-by-the-classes",
        ),
        pytest.param(
            ended(train_loss=learning(start=900.0), val_accuracy=accuracies(RIGHT)),
            "far too large",
            id="a-huge-start",
        ),
        pytest.param(
            ended(
                train_loss=-2.3 * np.exp(np.arange(300) / 40),
                val_accuracy=accuracies([0.12, 0.05, 0.04]),
            ),
            "wrong sign",
            id="the-sign-by-accuracy",
        ),
        pytest.param(
            ended(
                train_loss=-1.0 * np.exp(np.arange(300) / 60),
                val_loss=evaluations([1.0, 3.0, 60.0]),
            ),
            "wrong sign",
            id="the-sign-by-validation",
        ),
        pytest.param(
            ended(train_loss=-1.0 * np.exp(np.arange(300) / 20)),
            "wrong sign",
            id="the-sign-by-growth",
        ),
        pytest.param(
            ended(
                train_loss=LIKELIHOOD,
                val_loss=down_with(LIKELIHOOD),
                val_accuracy=series("val/accuracy", RIGHT, np.linspace(40, 299, 8).astype(int)),
            ),
            "logarithm is missing",
            id="no-logarithm",
        ),
        pytest.param(
            ended(
                {"num_classes": 10},
                train_loss=learning(start=2.3, end=1.56, noise=0.01),
                val_loss=evaluations([2.0, 1.7, 1.62, 1.6, 1.6, 1.6]),
                val_accuracy=accuracies([0.4, 0.7, 0.85, 0.86, 0.86, 0.86]),
            ),
            "ends in a softmax",
            id="two-softmaxes",
        ),
    ],
)
def test_a_loss_of_a_size_or_sign_that_it_cannot_have_is_explained(
    evidence: RunEvidence, words: str
) -> None:
    finding = one(loss_scale, evidence)

    assert finding.severity in ("warning", "error")
    assert words in finding.inference


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(
            ended({"batch_size": 32}, train_loss=learning(), val_loss=down_with(learning())),
            id="means",
        ),
        pytest.param(
            ended({"batch_size": 32}, train_loss=4 * learning(), val_loss=down_with(learning())),
            id="a-sum-of-four-losses",
        ),
        pytest.param(ended(train_loss=learning(start=900.0)), id="numbers-not-classes"),
        pytest.param(
            ended(train_loss=learning(start=9.0), val_accuracy=accuracies(RIGHT)),
            id="many-classes",
        ),
        pytest.param(
            ended(
                train_loss=-np.linspace(0.1, 0.95, 300),
                val_loss=evaluations([-0.7, -0.9, -0.95]),
                val_accuracy=evaluations([0.3, 0.5, 0.6], key="val/accuracy"),
            ),
            id="a-similarity",
        ),
        pytest.param(
            ended(
                train_loss=-1.0 - np.linspace(0, 300, 300), val_accuracy=accuracies([0.2, 0.6, 0.9])
            ),
            id="below-zero-and-right",
        ),
        pytest.param(
            ended(
                {"num_classes": 10},
                train_loss=learning(start=2.3, end=1.0, noise=0.01),
                val_loss=evaluations([2.2, 2.0, 1.8, 1.55]),
                val_accuracy=accuracies([0.5, 0.7, 0.8, 0.83]),
            ),
            id="unsure-but-on-its-way",
        ),
    ],
)
def test_losses_that_are_legal_are_left_alone(evidence: RunEvidence) -> None:
    assert list(loss_scale(evidence, LIMITS)) == []


def test_a_loss_scale_that_falls_for_ever_collapses() -> None:
    halving = 65536.0 * 0.5 ** np.arange(40)
    late = np.concatenate((np.full(100, 65536.0), 65536.0 * 0.5 ** np.arange(12)))
    found = [one(amp_scale_collapse, ended(grad_scale=scale)) for scale in (halving, late)]
    skipping = having(
        ended(train_loss=learning()),
        telemetry=table(100, skipped_step_count=np.floor(np.arange(100) * 0.3)),
    )

    assert [finding.severity for finding in found] == ["error", "error"]
    assert found[0].observed == halving[-1]
    assert one(amp_scale_collapse, skipping).severity == "warning"


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(
            ended(grad_scale=np.concatenate((2.0 ** np.arange(32, 16, -1), [65536.0] * 60))),
            id="finds-its-size",
        ),
        pytest.param(ended(grad_scale=np.ones(100)), id="not-in-use"),
        pytest.param(ended(grad_scale=65536.0 * 0.5 ** np.arange(19)), id="too-few"),
        pytest.param(
            having(
                ended(), telemetry=table(1000, skipped_step_count=np.minimum(4, np.arange(1000)))
            ),
            id="a-few-steps-left-out",
        ),
    ],
)
def test_a_scale_at_work_is_healthy(evidence: RunEvidence) -> None:
    assert list(amp_scale_collapse(evidence, LIMITS)) == []


# -- parts -----------------------------------------------------------------------------------------


def test_a_curve_measures_levels_and_noise_like_numpy_does() -> None:
    noise = 0.2 * scatter(20_000)
    curve = curve_of(series("loss", 5.0 + noise))
    running = curve_of(series("loss", 5.0 + np.convolve(noise, np.ones(8) / 8, "same")))

    assert curve.level == pytest.approx([np.median(part) for part in np.split(5.0 + noise, 40)])
    assert curve.noise == pytest.approx(noise.std(), rel=0.05)
    assert curve.memory == pytest.approx(1.0, abs=0.1)
    assert running.memory > 4.0
    spread = float(np.std(running.level))
    assert spread / 2 < running.level_error < 2 * spread


def test_rows_that_chance_makes_are_shorter_than_the_shortest_that_counts() -> None:
    rng = np.random.default_rng(0)
    count, share = 500, 0.2
    length = shortest_row(share, count, 0.05)

    marks = rng.random((400, count)) < share
    windows = np.lib.stride_tricks.sliding_window_view(marks, length, axis=1)
    rows = np.any(np.all(windows, axis=2), axis=1)

    assert rows.mean() <= 0.05


def test_turns_and_rises_are_counted_where_they_are() -> None:
    wave = np.sin(np.arange(100) / 5.0)

    turns = turning_points(wave, 1.0)

    assert [round(abs(float(wave[place])), 1) for place in turns[1:-1]] == [1.0] * len(turns[1:-1])
    assert turning_points(np.zeros(10), 1.0) == [0]
    assert count_rises(series("lr", np.abs(np.cos(np.arange(100) * 3 * np.pi / 99))), 0.1) == 3
    assert count_rises(series("lr", np.zeros(10)), 0.1) == 0


def test_a_config_is_read_whatever_its_shape() -> None:
    config = {"optimizer": {"args": {"LR": 0.01}}, "train.batch_size": 8, "lr_decay": 3}

    assert config_number(config, ("lr",)) == 0.01
    assert config_number(config, ("batch_size",)) == 8
    assert config_number({"lr": 1, "model": {"lr": 2}}, ("lr",)) is None
    assert started_trained(ended({"model": {"init_from": "gpt2"}}, train_loss=flat()))
    assert not started_trained(ended({"init_from": "scratch"}, train_loss=flat()))


def test_thresholds_refuse_what_is_no_number() -> None:
    with pytest.raises(SchemaValidationError, match="loss_spike_rise"):
        LossLimits(loss_spike_rise=-1.0)
