"""Phases read off curves of known shape, off real trainings, and kept in a run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

from quark import (
    MetricsLogger,
    PhaseAnalyzer,
    PhaseAnalyzerConfig,
    PhaseAnalyzerThresholds,
    PhaseRecord,
    SchemaValidationError,
    TrainingSession,
)
from quark.analyzers.evidence import MetricSeries
from quark.analyzers.phase_curve import curve_of
from quark.analyzers.phase_words import DISPLAY_NAMES, phase_rows
from quark.analyzers.phases import PHASE_NAMES, find_phases
from quark.records import AnalysisRecord
from quark.storage.model import RecordFilter
from tests.analyzers.building import series

INIT, RAPID, STABLE, STAGNANT, OVERFIT, DIVERGED = PHASE_NAMES
LIMITS = PhaseAnalyzerThresholds()
NAN = float("nan")


def rows_of(
    train: MetricSeries,
    validation: MetricSeries | None = None,
    *,
    is_accuracy: bool = False,
    limits: PhaseAnalyzerThresholds = LIMITS,
) -> list[dict[str, Any]]:
    curve = curve_of(train, validation, is_accuracy=is_accuracy)
    assert curve is not None
    return phase_rows(curve, find_phases(curve, limits), limits, "analysis_1")


def names_of(*args: Any, **options: Any) -> list[str]:
    return [row["phase_name"] for row in rows_of(*args, **options)]


# -- curves of known shape -----------------------------------------------------------------------


def falling(
    count: int, tau: float, start: float = 2.3, end: float = 0.3, noise: float = 0.0
) -> Any:
    """A loss that falls exponentially, with normal noise."""
    fall = np.exp(-np.arange(count) / tau)
    return end + (start - end) * fall + noisy(count, noise)


def noisy(count: int, width: float) -> Any:
    return np.random.default_rng(7).normal(0.0, width, count)


def replaced(values: Any, start: int, stop: int, by: Any) -> Any:
    changed = np.array(values)
    changed[start:stop] = by
    return changed


HEALTHY = [INIT, RAPID, STABLE, STAGNANT]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(falling(300, 40, noise=0.05), HEALTHY, id="healthy"),
        pytest.param(falling(100, 12, noise=0.05), HEALTHY, id="healthy-and-short"),
        pytest.param(1_000 * falling(300, 40, noise=0.05), HEALTHY, id="healthy-and-huge"),
        pytest.param(falling(300, 40, -1.0, -100.0), HEALTHY, id="a-loss-below-0"),
        pytest.param(
            replaced(falling(400, 50), 250, 252, 500.0), HEALTHY, id="a-spike-is-no-phase"
        ),
        pytest.param(
            replaced(falling(400, 50), 250, 252, NAN), HEALTHY, id="two-nans-are-no-phase"
        ),
        pytest.param(np.full(200, 0.7), [INIT, STAGNANT], id="nothing-happens"),
        pytest.param(0.7 + noisy(500, 0.05), [INIT, STAGNANT], id="nothing-but-noise"),
        pytest.param(noisy(2_000, 1.0), [INIT, STAGNANT], id="noise-around-0"),
        pytest.param(
            np.concatenate([falling(200, 20, end=0.8), falling(200, 20, 0.5, 0.3)]),
            [*HEALTHY, RAPID, STABLE, STAGNANT],
            id="the-learning-rate-drops",
        ),
        pytest.param(
            replaced(falling(600, 40, noise=0.02), 450, 600, np.linspace(0.3, 6, 150)),
            [*HEALTHY, DIVERGED],
            id="it-climbs",
        ),
        pytest.param(
            replaced(falling(400, 50), 300, 400, NAN),
            [INIT, RAPID, STABLE, DIVERGED],
            id="nan-to-end",
        ),
        pytest.param(
            replaced(falling(400, 50), 399, 400, np.inf), [*HEALTHY, DIVERGED], id="inf-at-the-end"
        ),
        pytest.param(
            replaced(falling(400, 50), 100, 140, NAN),
            [INIT, RAPID, DIVERGED, STABLE, STAGNANT],
            id="nan-for-a-while",
        ),
        pytest.param(np.full(30, NAN), [DIVERGED], id="nan-only"),
        pytest.param(2.3 * 1.03 ** np.arange(200), [INIT, DIVERGED], id="up-from-the-start"),
        pytest.param([1.0], [INIT], id="one-point"),
        pytest.param([1.0, 0.5], [INIT], id="two-points"),
        pytest.param([1.0, 0.5, 0.2], [INIT, RAPID], id="three-points"),
    ],
)
def test_a_curve_of_known_shape_has_the_phases_that_one_sees(
    values: Any, expected: list[str]
) -> None:
    assert names_of(series("train/loss", values)) == expected


@pytest.mark.parametrize("onset", [150, 250, 350])
def test_divergence_begins_where_the_loss_turned(onset: int) -> None:
    values = falling(500, 40, noise=0.02)
    values[onset:] += np.linspace(0.0, 5.0, 500 - onset)

    *_, last = rows_of(series("train/loss", values))

    assert last["phase_name"] == DIVERGED
    assert last["step_start"] == pytest.approx(onset, abs=2 * 500 / 48)
    assert last["step_end"] == 499
    regression, from_best = last["evidence"]
    assert regression.observed_value >= regression.threshold_value == 0.15
    assert from_best.threshold_value == 0.25
    best, end = values[onset - 30 : onset].mean(), np.median(values[-10:])
    assert from_best.observed_value == pytest.approx((end - best) / best, rel=0.1)


@pytest.mark.parametrize("per_epoch", [1, 20], ids=["both-by-epoch", "validation-is-sparse"])
def test_overfitting_begins_at_the_best_validation(per_epoch: int) -> None:
    epochs, best = 40, 12
    steps = np.arange(epochs) * per_epoch + per_epoch - 1
    val = falling(epochs, 3, end=0.6) + np.maximum(0, np.arange(epochs) - best) * 0.02
    train = falling(epochs * per_epoch, 8 * per_epoch, end=0.02)

    rows = rows_of(series("train/loss", train), series("val/loss", val, steps))

    assert [row["phase_name"] for row in rows][-1] == OVERFIT
    assert rows[-1]["step_start"] == pytest.approx(steps[best], abs=3 * per_epoch + 1)
    gap, better, worse = rows[-1]["evidence"]
    assert (gap.source, better.source, worse.source) == ("val/loss", "train/loss", "val/loss")
    assert [one.threshold_value for one in (gap, better, worse)] == [0.12, 0.015, 0.015]
    assert worse.observed_value == pytest.approx(val[-1] / val.min() - 1, rel=0.1)
    assert "val/loss rose from" in rows[-1]["summary"]


@pytest.mark.parametrize(
    "val",
    [
        pytest.param(falling(30, 4, end=0.35), id="it-follows"),
        pytest.param(falling(30, 4, end=0.9), id="a-gap-alone-is-none"),
        pytest.param(falling(30, 4, end=0.6, noise=0.08), id="a-noisy-validation"),
        pytest.param(falling(30, 4, end=0.3) * 0.5, id="better-than-the-training"),
        pytest.param([0.5, 0.9], id="two-points-of-which-one-is-worse-before-any-learning"),
        pytest.param([NAN] * 30, id="nan"),
    ],
)
def test_a_validation_that_does_not_turn_is_no_overfitting(val: Any) -> None:
    train = falling(600, 80, end=0.3, noise=0.03)
    steps = np.arange(len(val)) * 20 + 19

    assert OVERFIT not in names_of(series("train/loss", train), series("val/loss", val, steps))


def test_a_falling_accuracy_is_overfitting_and_its_words_have_its_own_unit() -> None:
    train = 100 * (1 - falling(40, 5, 0.9, 0.02))
    val = 1 - falling(40, 5, 0.9, 0.15) - np.maximum(0, np.arange(40) - 12) * 0.005

    rows = rows_of(series("train/acc", train), series("val/acc", val), is_accuracy=True)

    assert [row["phase_name"] for row in rows] == [INIT, RAPID, OVERFIT]
    assert re.match(r"train/acc rose from \d\d\.\d+ to 9\d\.\d+ ", rows[-1]["summary"])
    assert re.search(r"val/acc fell from 0\.[78]\d+ to 0\.7\d+ ", rows[-1]["summary"])
    assert rows[1]["metadata"]["start_value"] > 10


def test_correct_or_not_of_single_samples_is_an_accuracy_too() -> None:
    chances = np.random.default_rng(7).random(2_000)
    correct = (chances < np.linspace(0.01, 0.9, 2_000) ** 0.5).astype(float)
    guessing = (chances < 0.1).astype(float)

    assert names_of(series("train/acc", correct), is_accuracy=True)[1] in (RAPID, STABLE)
    assert names_of(series("train/acc", guessing), is_accuracy=True) == [INIT, STAGNANT]


def test_a_million_points_become_few_blocks_that_begin_finely() -> None:
    values = 0.3 + 2 * np.exp(-np.arange(1_000_000) / 1e5)
    values[::7] = 1e9  # a seventh of all points is wild

    rows = rows_of(series("train/loss", values))

    assert [row["phase_name"] for row in rows] == HEALTHY
    assert rows[0]["step_end"] < 10_000


# -- what holds for all curves -------------------------------------------------------------------

numbers = st.one_of(
    st.floats(-1e6, 1e6, allow_subnormal=False),
    st.sampled_from([0.0, NAN, float("inf"), -float("inf"), 1.0, 1e-300, 1e300]),
)


@settings(max_examples=60)
@given(
    values=st.lists(numbers, min_size=1, max_size=150),
    val=st.lists(numbers, max_size=20),
    gap=st.integers(1, 30),
    is_accuracy=st.booleans(),
)
def test_phases_cover_every_run_in_order_and_once(
    values: list[float], val: list[float], gap: int, is_accuracy: bool
) -> None:
    steps = 5 + np.arange(len(values)) * gap
    validation = series("val", val, 5 + np.arange(len(val)) * gap * 3) if val else None

    with np.errstate(over="ignore", invalid="ignore"):
        rows = rows_of(series("train", values, steps), validation, is_accuracy=is_accuracy)

    assert rows[0]["step_start"] == 5
    assert rows[-1]["step_end"] == steps[-1]
    for row, following in itertools.pairwise(rows):
        assert row["step_end"] + 1 == following["step_start"]
        assert row["phase_name"] != following["phase_name"]
    assert sum(row["metadata"]["point_count"] for row in rows) == len(values)
    bad = sum(not np.isfinite(value) for value in values)
    assert sum(row["metadata"]["nonfinite_count"] for row in rows) == bad
    for row in rows:
        assert row["display_name"] == DISPLAY_NAMES[row["phase_name"]]
        assert row["summary"].endswith(".")
        assert row["evidence"]
        for one in row["evidence"]:
            assert (one.step_start, one.step_end) == (row["step_start"], row["step_end"])
            assert one.observed_value is not None
            assert one.threshold_value is not None


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    factor=st.sampled_from([1e-6, 0.5, 1024.0, 1e9]),
    count=st.integers(1, 400),
)
def test_the_unit_of_a_loss_does_not_matter(seed: int, factor: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(0, 0.5, count) * np.exp(-np.arange(count) / 30) + 0.1

    plain = rows_of(series("train/loss", values))
    scaled = rows_of(series("train/loss", values * factor))

    places = [(row["phase_name"], row["step_start"], row["step_end"]) for row in plain]
    assert places == [(row["phase_name"], row["step_start"], row["step_end"]) for row in scaled]


@settings(max_examples=60)
@given(st.lists(st.floats(0.5, 4.0), min_size=3, max_size=12))
def test_few_points_are_judged_one_by_one_as_the_guide_says(values: list[float]) -> None:
    floor = max(0.1 * (values[0] - min(values)), 1e-12)
    expected = [INIT, INIT]
    for here in range(2, len(values)):
        before, now = values[here - 1], values[here]
        rate = (before - now) / max(before, floor)
        fast = RAPID if rate >= 0.18 else STABLE if rate > 0.01 else STAGNANT
        expected.append(fast)
    curve = curve_of(series("train/loss", values))
    assert curve is not None

    found = find_phases(curve, LIMITS)

    for phase in found:
        blocks = range(phase.first, phase.last + 1)
        kept = [block for block in blocks if expected[block] == phase.name]
        lone = [block for block in blocks if expected[block] != phase.name]
        assert phase.name == DIVERGED or kept
        for block in lone if phase.name != DIVERGED else ():  # between two equals
            assert expected[block] != RAPID
            assert block - 1 in blocks
            assert block + 1 in blocks


@pytest.mark.parametrize("name", ["rapid", "stagnation", "divergence"])
def test_thresholds_decide(name: str) -> None:
    values = [2.0, 2.0, 1.6, 1.28, 1.26, 1.26, 1.26, 1.7, 2.2]
    strict = {
        "rapid": PhaseAnalyzerThresholds(rapid_learning_min_relative_change=0.3),
        "stagnation": PhaseAnalyzerThresholds(stagnation_max_relative_change=0.1),
        "divergence": PhaseAnalyzerThresholds(divergence_from_best_ratio=0.8),
    }[name]
    before = [INIT, RAPID, STABLE, STAGNANT, DIVERGED]
    after = {
        "rapid": [INIT, STABLE, STAGNANT, DIVERGED],
        "stagnation": [INIT, RAPID, STAGNANT, DIVERGED],
        "divergence": [INIT, RAPID, STABLE, STAGNANT],
    }[name]

    assert names_of(series("train/loss", values)) == before
    assert names_of(series("train/loss", values), limits=strict) == after


GUIDE_DEFAULTS = """
    initialization_points=2,
    rapid_learning_min_relative_change=0.18,
    stagnation_max_relative_change=0.01,
    overfitting_min_gap=0.12,
    overfitting_min_train_relative_change=0.015,
    overfitting_min_validation_regression=0.015,
    divergence_min_relative_regression=0.15,
    divergence_from_best_ratio=0.25,
"""


def test_the_defaults_are_the_guides_and_bad_ones_are_refused() -> None:
    printed = re.findall(r"(\w+)=([\d.]+)", GUIDE_DEFAULTS)

    assert {name: float(value) for name, value in printed} == asdict(LIMITS)
    for wrong in (
        {"initialization_points": 1.5},
        {"overfitting_min_gap": -0.1},
        {"divergence_from_best_ratio": NAN},
        {"rapid_learning_min_relative_change": 0.01},
    ):
        with pytest.raises(SchemaValidationError, match=next(iter(wrong))):
            PhaseAnalyzerThresholds(**wrong)  # type: ignore[arg-type]
    with pytest.raises(SchemaValidationError, match="val_loss_metric_keys"):
        PhaseAnalyzerConfig(val_loss_metric_keys="val/loss")  # type: ignore[arg-type]
    with pytest.raises(SchemaValidationError, match="thresholds"):
        PhaseAnalyzerConfig(thresholds={})  # type: ignore[arg-type]


# -- real trainings ------------------------------------------------------------------------------


def train(sample_count: int, learning_rate: float, steps: int) -> tuple[MetricSeries, MetricSeries]:
    """Fit a small net to noisy labels; the loss of every step, and of held-out data at times."""
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)  # such a small net only waits for more
    torch.manual_seed(0)
    inputs = torch.randn(600, 16)
    labels = (inputs @ torch.randn(16, 4) + 1.5 * torch.randn(600, 4)).argmax(1)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses, held_out = [], []
    for step in range(steps):
        batch = torch.randint(0, sample_count, (32,))
        loss = nn.functional.cross_entropy(model(inputs[batch]), labels[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
        if step % 20 == 19:
            with torch.no_grad():
                validation = nn.functional.cross_entropy(model(inputs[400:]), labels[400:])
            held_out.append(validation.item())
    torch.set_rng_state(state)
    torch.set_num_threads(threads)
    places = np.arange(len(held_out)) * 20 + 19
    return series("train/loss", losses), series("val/loss", held_out, places)


def train_apart(steps: int) -> MetricSeries:
    """Fit a line by gradient descent with a learning rate above what its curvature allows."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 4, generator=generator)
    targets = inputs.sum(1)
    weights = torch.zeros(4)
    losses = []
    for _ in range(steps):
        missed = inputs @ weights - targets
        losses.append(missed.square().mean().item())
        weights -= 1.5 * 2 * inputs.T @ missed / len(inputs)
    return series("train/loss", losses)


def test_real_trainings_learn_overfit_and_fall_apart() -> None:
    healthy = names_of(*train(400, 2e-3, 200))
    overfit_loss, overfit_val = train(40, 5e-3, 200)
    overfit = rows_of(overfit_loss, overfit_val)
    apart = names_of(train_apart(300))

    assert healthy[0] == INIT
    assert {RAPID, STABLE} & set(healthy)
    assert not {OVERFIT, DIVERGED} & set(healthy)
    assert overfit[-1]["phase_name"] == OVERFIT
    best = overfit_val.step[overfit_val.value.argmin()]
    assert overfit[-1]["step_start"] == pytest.approx(best, abs=40)
    assert apart == [INIT, DIVERGED]


# -- kept in a run -------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report at a run's end analyses it too."""
    monkeypatch.setenv("QUARK_REPORT", "0")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    session = TrainingSession.start_run(project="phases", storage_dir=tmp_path)
    yield session
    if not session.ended:
        session.end_run()


def log(
    session: TrainingSession, key: str, values: Any, place: Callable[[int], dict[str, Any]]
) -> None:
    with MetricsLogger(session) as metrics:
        for number, value in enumerate(np.asarray(values).tolist()):
            metrics.log(key, value, **place(number))


def by_step(number: int) -> dict[str, Any]:
    return {"step": number}


def test_phases_are_kept_and_read_back_by_name_and_by_step(session: TrainingSession) -> None:
    log(session, "train/loss", falling(300, 40), by_step)
    analyzer = PhaseAnalyzer(session)

    result = analyzer.analyze()

    assert [phase.phase_name for phase in result.phases] == HEALTHY
    assert analyzer.read_phases() == result.phases
    assert all(isinstance(phase, PhaseRecord) for phase in result.phases)
    assert analyzer.read_phases(phase_name=RAPID) == result.phases[1:2]
    for number in (0, 50, 150, 299):
        (found,) = analyzer.read_phases(step=number)
        assert found.step_start is not None
        assert found.step_end is not None
        assert found.step_start <= number <= found.step_end
    assert analyzer.read_phases(step_min=299) == result.phases[-1:]
    assert analyzer.read_phases(step_max=0, limit=3) == result.phases[:1]
    assert analyzer.read_phases(limit=2) == result.phases[:2]
    assert result.metric_roles == {"train_loss": "train/loss"}
    plain = result.to_dict()
    assert plain["phases"][1]["evidence"][0]["threshold_value"] == 0.18
    assert plain["analysis_id"] == result.phases[0].metadata["analysis_id"]
    for wrong in ({"phase_name": "warmup"}, {"step": -1}, {"limit": 1.5}):
        with pytest.raises(SchemaValidationError, match=next(iter(wrong))):
            analyzer.read_phases(**wrong)


def test_a_new_analysis_replaces_or_stands_beside_also_after_the_end(
    session: TrainingSession,
) -> None:
    log(session, "train/loss", falling(300, 40), by_step)
    analyzer = PhaseAnalyzer(session)
    analyzer.analyze()
    second = analyzer.analyze()
    assert analyzer.read_phases() == second.phases

    third = analyzer.analyze(replace_existing=False)
    assert analyzer.read_phases() == (*second.phases, *third.phases)

    session.end_run()
    appending = PhaseAnalyzer(
        session.context, config=PhaseAnalyzerConfig(replace_existing_outputs=False)
    )
    fourth = appending.analyze()
    assert appending.read_phases() == (*second.phases, *third.phases, *fourth.phases)
    last = appending.analyze(replace_existing=True)
    assert analyzer.read_phases() == last.phases
    assert session.reload().status == "completed"
    with session.reading() as store:
        kept = store.records.read(
            AnalysisRecord, session.run_id, RecordFilter(equals={"family": "phases"})
        )
    assert [one.replaces_existing for one in kept] == [True, True, False, False, True]


@pytest.mark.parametrize(
    ("logged", "config", "roles"),
    [
        pytest.param({}, {}, {}, id="nothing"),
        pytest.param({"lr": 0.1, "reward": 1.0}, {}, {}, id="nothing-that-fits"),
        pytest.param(
            {"training/loss": 1.0, "val/loss": 1.0, "train/acc": 1.0},
            {},
            {"train_loss": "training/loss", "val_loss": "val/loss"},
            id="losses-first",
        ),
        pytest.param(
            {"train/loss": 1.0, "train/acc": 1.0, "val/acc": 1.0},
            {},
            {"train_accuracy": "train/acc", "val_accuracy": "val/acc"},
            id="a-pair-before-one-alone",
        ),
        pytest.param(
            {"train/loss": 1.0, "objective/ce": 2.0},
            {"train_loss_metric_keys": ("objective/ce",)},
            {"train_loss": "objective/ce"},
            id="as-configured",
        ),
        pytest.param(
            {"loss": 1.0, "val_loss": 1.0},
            {},
            {"train_loss": "loss", "val_loss": "val_loss"},
            id="names-that-are-recognised",
        ),
    ],
)
def test_the_metrics_are_those_configured_or_else_recognised(
    session: TrainingSession,
    logged: dict[str, float],
    config: dict[str, Any],
    roles: dict[str, str],
) -> None:
    for number in range(5):
        session.log_row(logged, number)

    result = PhaseAnalyzer(session, config=PhaseAnalyzerConfig(**config)).analyze()

    assert result.metric_roles == roles
    assert (result.phases == ()) == (not roles)


def test_a_run_by_epochs_alone_has_phases_without_steps(session: TrainingSession) -> None:
    log(session, "train/loss", falling(30, 4), lambda number: {"epoch": number})

    result = PhaseAnalyzer(session).analyze()

    direct = names_of(series("train/loss", falling(30, 4)))
    assert [phase.phase_name for phase in result.phases] == direct
    assert {phase.step_start for phase in result.phases} == {None}
    assert result.phases[0].metadata["epoch_start"] == 0
    assert result.phases[-1].metadata["epoch_end"] == 29
    assert "points: it learned fast" in result.phases[1].summary


def test_a_run_that_was_gone_on_with_from_a_checkpoint_counts_once(tmp_path: Path) -> None:
    whole = falling(300, 40)
    session = TrainingSession.start_run(project="phases", storage_dir=tmp_path)
    log(session, "train/loss", replaced(whole, 200, 300, 50.0)[:250], by_step)
    session.end_run("interrupted")
    with TrainingSession.resume_run(run_id=session.run_id, storage_dir=tmp_path) as resumed:
        for number in range(200, 300):
            resumed.log_row({"train/loss": whole[number]}, number)

        found = PhaseAnalyzer(resumed).analyze().phases

    direct = rows_of(series("train/loss", whole))
    assert [(one.phase_name, one.step_start, one.step_end) for one in found] == [
        (row["phase_name"], row["step_start"], row["step_end"]) for row in direct
    ]


def test_only_a_run_can_be_analysed() -> None:
    with pytest.raises(SchemaValidationError, match="not a run"):
        PhaseAnalyzer("run_1")  # type: ignore[arg-type]
