"""What rules on batches say, and what they say nothing of: hard, duplicated, mostly padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from quark.analyzers.data_tally import DataTally
from quark.analyzers.evidence import DataFacts, RunEvidence
from quark.analyzers.findings import Finding
from quark.analyzers.rules import BY_ID
from quark.analyzers.thresholds import AnalyzerThresholds
from tests.analyzers.building import table

LIMITS = AnalyzerThresholds()
RANDOM = np.random.default_rng(0)
FALLING = 2.0 * np.exp(-np.arange(400) / 80.0) + 0.2
NOISY = FALLING * (1 + 0.1 * RANDOM.normal(size=400))


def said(rule_id: str, evidence: RunEvidence) -> list[Finding]:
    return list(BY_ID[rule_id].check(evidence, LIMITS))


def batches(loss: Any, **data: Any) -> RunEvidence:
    loss = np.asarray(loss, float)
    return RunEvidence(batches=table(len(loss), loss=loss), data=DataFacts(**data))


def at(values: Any, places: Any, value: float) -> Any:
    changed = np.array(values, float)
    changed[places] = value
    return changed


def tallied(batch_ids: list[list[str]], epochs: list[int] | None = None) -> RunEvidence:
    """What batches with these ids amount to, by the tally that real runs go through."""
    tally = DataTally()
    for step, ids in enumerate(batch_ids):
        epoch = None if epochs is None else epochs[step]
        tally.add(step, {"loss": 1.0, "sample_ids": ids, "batch_size": len(ids), "epoch": epoch})
    return RunEvidence(batches=table(len(batch_ids), loss=1.0), data=tally.facts())


def epochs_of(ids: list[str], count: int, size: int = 20) -> tuple[list[list[str]], list[int]]:
    """Every id once in each epoch, shuffled."""
    found: list[list[str]] = []
    epochs: list[int] = []
    for epoch in range(count):
        order = RANDOM.permutation(ids).tolist()
        found += [order[start : start + size] for start in range(0, len(order), size)]
        epochs += [epoch] * (len(found) - len(epochs))
    return found, epochs


IDS = [f"s{number}" for number in range(200)]


# -- hard_batches --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity", "steps"),
    [
        pytest.param(batches(at(NOISY, [150, 250], 3.0)), "info", (150, 250), id="two-are-hard"),
        pytest.param(batches(at(NOISY, [390], 1.2)), "info", (390, 390), id="late-and-lower"),
        pytest.param(
            batches(np.tile(at(NOISY, [150], 30.0), 30)), "info", None, id="in-a-long-run"
        ),
        pytest.param(
            batches(
                at(NOISY, [100, 180], np.nan),
                sample_ids_at={100: ("a", "bad", "c"), 180: ("d", "bad")},
            ),
            "warning",
            (100, 180),
            id="not-finite",
        ),
        pytest.param(batches(at(NOISY, [399], np.inf)), "warning", (399, 399), id="the-last-one"),
    ],
)
def test_hard_batches_speaks(
    evidence: RunEvidence, severity: str, steps: tuple[int, int] | None
) -> None:
    (finding,) = said("hard_batches", evidence)

    assert finding.severity == severity
    if steps is not None:
        assert finding.step_range == steps


def test_the_sample_that_broken_batches_share_is_named() -> None:
    evidence = batches(
        at(NOISY, [100, 180, 260], np.nan),
        sample_ids_at={100: ("a", "bad"), 180: ("bad", "b"), 260: ("c", "bad", "a")},
    )

    (finding,) = said("hard_batches", evidence)

    assert "All of them had sample bad." in finding.fact
    assert finding.metadata["sample_ids"] == ["bad"]


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(batches(NOISY), id="noise"),
        pytest.param(batches(FALLING * 100), id="the-beginning-is-high"),
        pytest.param(batches(at(NOISY[:19], [9], 99.0)), id="too-few"),
        pytest.param(batches(at(NOISY, slice(200, None), np.nan)), id="broken-for-good"),
        pytest.param(batches(RANDOM.lognormal(0, 0.5, 400)), id="batches-of-one"),
        pytest.param(batches(np.tile(at(NOISY, [5], 40.0)[:10], 40)), id="one-in-ten"),
        pytest.param(batches(np.full(400, 0.7)), id="constant"),
        pytest.param(batches(-NOISY), id="negative"),
    ],
)
def test_hard_batches_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("hard_batches", evidence) == []


# -- duplicate_samples ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(
            tallied([["x", "y", *IDS[start : start + 8]] for start in range(190)]),
            "warning",
            id="two-samples-in-every-batch",
        ),
        pytest.param(
            tallied(
                [*epochs_of(IDS, 3)[0], *[["x"]] * 40],
                [*epochs_of(IDS, 3)[1], *[2] * 40],
            ),
            "info",
            id="one-sample-too-often",
        ),
        pytest.param(
            tallied(
                [ids * 2 for ids in epochs_of(IDS, 4)[0]],
                epochs_of(IDS, 4)[1],
            ),
            "warning",
            id="every-sample-twice-an-epoch",
        ),
        pytest.param(tallied(epochs_of(IDS, 4)[0], [0] * 40), "info", id="the-epoch-never-changes"),
    ],
)
def test_duplicate_samples_speaks(evidence: RunEvidence, severity: str) -> None:
    (finding,) = said("duplicate_samples", evidence)

    assert finding.severity == severity
    assert finding.step_range is not None


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(tallied(*epochs_of(IDS, 20)), id="once-an-epoch"),
        pytest.param(tallied(epochs_of(IDS, 20)[0]), id="epochs-are-not-told"),
        pytest.param(tallied([["x"] * 499]), id="too-few"),
        pytest.param(tallied([IDS[:49]] * 40, list(range(40))), id="a-tiny-set"),
        pytest.param(
            tallied([RANDOM.choice(IDS, 20).tolist() for _ in range(30)], [0] * 10 + [1] * 20),
            id="drawn-with-replacement",
        ),
        pytest.param(
            tallied(
                [RANDOM.choice(10_000, 20).astype(str).tolist() for _ in range(200)], [0] * 200
            ),
            id="few-of-many-drawn-with-replacement",
        ),
    ],
)
def test_duplicate_samples_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("duplicate_samples", evidence) == []


# -- padding_waste -------------------------------------------------------------------------------


def padded(share: float, count: int = 20) -> RunEvidence:
    return batches(
        [1.0] * count,
        batch_count=count,
        padded_length=10_000,
        given_length=round(10_000 * (1 - share)),
    )


@pytest.mark.parametrize(
    ("share", "severity"), [(0.5, "info"), (0.75, "warning"), (0.9, "error"), (1.0, "error")]
)
def test_padding_waste_speaks(share: float, severity: str) -> None:
    (finding,) = said("padding_waste", padded(share))

    assert finding.severity == severity
    assert finding.observed == pytest.approx(share)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(padded(0.499), id="just-below"),
        pytest.param(padded(0.95, 19), id="too-few"),
        pytest.param(batches([1.0] * 50, batch_count=50), id="no-sequences"),
    ],
)
def test_padding_waste_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("padding_waste", evidence) == []


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=8), min_size=20, max_size=25))
def test_the_share_of_padding_is_that_of_the_padded_batches(lengths: list[list[int]]) -> None:
    tally = DataTally()
    for step, one in enumerate(lengths):
        tally.add(step, {"loss": 1.0, "sequence_lengths": one})
    elements = [place < length for one in lengths for length in one for place in range(max(one))]
    padding = elements.count(False)

    found = said("padding_waste", RunEvidence(data=tally.facts()))

    assert bool(found) == (bool(elements) and 2 * padding >= len(elements))
    if found:
        assert found[0].observed == pytest.approx(padding / len(elements))
