"""Hard batches, exposure and summaries against slower ways to get the same numbers."""

from __future__ import annotations

import json
import math
import random
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from quark import (
    BatchDiagnosticRecord,
    DataDiagnostics,
    DataDiagnosticsConfig,
    HardBatchFinding,
    MappingBatchMetadataAdapter,
    TrainingSession,
)
from quark.writers.batch_summary import summarize
from quark.writers.exposure import summarize_exposure
from quark.writers.hard_batches import find_hard_batches

CONFIG = DataDiagnosticsConfig()
SPIKE = [1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0, 1.1, 0.9, 1.0, 1.05, 9.0]


def batch(step: int | None, loss: float, **fields: Any) -> BatchDiagnosticRecord:
    envelope: dict[str, Any] = {
        "id": f"w-{step}",
        "run_id": "r",
        "timestamp": "2026-05-07T00:00:00Z",
    }
    return BatchDiagnosticRecord(**envelope, loss=loss, step=step, **fields)


def batches(losses: list[float]) -> list[BatchDiagnosticRecord]:
    return [batch(step, loss) for step, loss in enumerate(losses)]


def found(
    records: list[BatchDiagnosticRecord], config: DataDiagnosticsConfig = CONFIG
) -> list[tuple[int | None, set[str]]]:
    findings = find_hard_batches(records, config, None)
    assert [finding.rank for finding in findings] == list(range(1, len(findings) + 1))
    return [(f.step, {reason.rule for reason in f.reasons}) for f in findings]


# -- a slower way --------------------------------------------------------------------------------


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def broken_rules(losses: list[float], config: DataDiagnosticsConfig) -> dict[int, set[str]]:
    broken = {step: {"non_finite_loss"} for step, x in enumerate(losses) if not math.isfinite(x)}
    finite = [x for x in losses if math.isfinite(x)]
    if len(finite) < config.min_batches_for_outlier_detection or max(finite) == min(finite):
        return broken
    mean, std = statistics.fmean(finite), statistics.pstdev(finite)
    first, third = percentile(finite, 0.25), percentile(finite, 0.75)
    limits = {
        "loss_z_score": mean + std * config.outlier_z_score_threshold,
        "loss_iqr": third + config.outlier_iqr_multiplier * (third - first),
        "loss_percentile": percentile(finite, config.hard_batch_percentile),
    }
    for step, x in enumerate(losses):
        rules = {name for name, limit in limits.items() if x > limit and math.isfinite(x)}
        if rules:
            broken[step] = rules
    return broken


LOSSES = st.lists(
    # Thousandths: no limit is met but for rounding, on which the two ways may differ.
    st.one_of(
        st.integers(0, 5_000).map(lambda n: n / 1000 + 0.0001 * (n % 7)),
        st.sampled_from([math.nan, math.inf, -math.inf, 50.0]),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(losses=LOSSES, z=st.sampled_from([0.51, 1.3, 2.5]), share=st.sampled_from([0.5, 0.77, 0.9]))
def test_the_rules_find_what_a_plain_loop_finds(
    losses: list[float], z: float, share: float
) -> None:
    config = DataDiagnosticsConfig(outlier_z_score_threshold=z, hard_batch_percentile=share)

    assert dict(found(batches(losses), config)) == broken_rules(losses, config)


@settings(max_examples=50)
@given(losses=LOSSES, seed=st.integers(0, 2**32))
def test_the_order_of_logging_changes_nothing(losses: list[float], seed: int) -> None:
    records = batches(losses)
    shuffled = random.Random(seed).sample(records, len(records))

    first = summarize(records, CONFIG, None).to_dict()
    second = summarize(shuffled, CONFIG, None).to_dict()

    assert first == second
    assert json.loads(json.dumps(first)) == first


# -- by hand -------------------------------------------------------------------------------------


def test_a_spike_breaks_all_three_rules_with_its_numbers() -> None:
    (finding,) = find_hard_batches(
        [*batches(SPIKE[:-1]), batch(11, 9.0, epoch=2, sample_ids=("a", "b"), batch_size=2)],
        CONFIG,
        1,
    )

    assert (finding.rank, finding.step, finding.epoch, finding.loss) == (1, 11, 2, 9.0)
    assert (finding.sample_ids, finding.batch_size, finding.record_id) == (("a", "b"), 2, "w-11")
    assert finding.score == pytest.approx(
        (9.0 - statistics.fmean(SPIKE)) / statistics.pstdev(SPIKE)
    )
    by_rule = {reason.rule: reason for reason in finding.reasons}
    assert by_rule["loss_z_score"].observed == finding.score
    assert by_rule["loss_z_score"].threshold == 2.5
    assert by_rule["loss_iqr"].observed == 9.0
    assert by_rule["loss_percentile"].threshold == pytest.approx(percentile(SPIKE, 0.9))


def test_losses_that_are_not_finite_come_first_and_spoil_nothing() -> None:
    losses = [*SPIKE, math.inf, math.nan, -math.inf]

    assert found(batches(losses)) == [
        (12, {"non_finite_loss"}),
        (13, {"non_finite_loss"}),
        (14, {"non_finite_loss"}),
        *found(batches(SPIKE)),
    ]
    assert found(batches([1.0, math.nan])) == [(1, {"non_finite_loss"})]
    findings = find_hard_batches(batches(losses), CONFIG, 2)
    assert [(finding.step, finding.score) for finding in findings] == [
        (12, math.inf),
        (13, math.inf),
    ]


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param([], id="none"),
        pytest.param([0.1] * 50, id="constant"),
        pytest.param([0.1] * 40 + [0.1 * (1 + 1e-12)], id="constant-but-for-rounding"),
        pytest.param([1.0, 1.0, 1.0, 99.0], id="too-few"),
        pytest.param([-1e9, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0], id="below-is-not-hard"),
    ],
)
def test_keeps_quiet(losses: list[float]) -> None:
    assert found(batches(losses)) == []


def test_a_threshold_that_is_met_is_not_passed() -> None:
    # Mean 2, population standard deviation 2: 6 lies at exactly 2.
    losses = [1.0, 1.0, 1.0, 1.0, 6.0]
    at = DataDiagnosticsConfig(outlier_z_score_threshold=2.0)
    below = DataDiagnosticsConfig(outlier_z_score_threshold=1.99)

    assert "loss_z_score" not in found(batches(losses), at)[0][1]
    assert "loss_z_score" in found(batches(losses), below)[0][1]


def test_long_sequences_stand_out_by_the_longest_of_a_batch() -> None:
    lengths = [10, 12, 11, 9, 10, 11, 12, 10, 11, 10, 512]
    records = [
        batch(step, 1.0, sequence_lengths=(1, length, 3)) for step, length in enumerate(lengths)
    ]
    records += [batch(11, 1.0), batch(12, 1.0, sequence_lengths=(99,), batch_size=1)]

    findings = find_hard_batches(records, CONFIG, None)

    assert [(f.step, {r.rule for r in f.reasons}, f.max_sequence_length) for f in findings] == [
        (10, {"sequence_length_z_score", "sequence_length_iqr"}, 512),
        (12, {"sequence_length_iqr"}, 99),
    ]
    longest = [*lengths, 99]
    z_score = next(r for r in findings[0].reasons if r.rule == "sequence_length_z_score")
    expected = (512 - statistics.fmean(longest)) / statistics.pstdev(longest)
    assert z_score.observed == pytest.approx(expected)
    assert findings[0].score == 0.0


def test_equal_losses_are_ordered_by_step_and_then_by_arrival() -> None:
    records = [batch(None, 9.0, epoch=1), batch(7, 9.0), batch(3, 9.0), batch(None, 9.0, epoch=2)]
    records += batches([1.0] * 40)

    findings: tuple[HardBatchFinding, ...] = find_hard_batches(records, CONFIG, None)

    assert [(f.step, f.epoch) for f in findings] == [(3, None), (7, None), (None, 1), (None, 2)]


def test_exposure_counts_what_a_plain_loop_counts() -> None:
    rng = random.Random(5)
    records = []
    for n in range(200):
        ids = tuple(str(rng.randrange(300)) for _ in range(4))
        counts = Counter(rng.choice("aaabbc") for _ in range(4))
        fields = {"sample_ids": ids, "class_counts": dict(counts), "batch_size": 4}
        records.append(batch(n, 1.0, epoch=None if n < 3 else n // 70, **(fields if n % 9 else {})))

    summary = summarize_exposure(records)

    ids_seen = [name for record in records for name in record.sample_ids or ()]
    classes = Counter[str]()
    for record in records:
        classes.update(record.class_counts or {})
    assert list(summary.class_counts.items()) == classes.most_common()
    assert summary.class_ratios == {name: classes[name] / classes.total() for name in classes}
    assert summary.imbalance_ratio == classes["a"] / classes["c"]
    assert summary.batch_count == 200
    assert summary.sample_count == len(ids_seen) == 4 * sum(n % 9 != 0 for n in range(200))
    assert summary.distinct_sample_count == len(set(ids_seen))
    times = Counter(ids_seen)
    assert summary.repeated_sample_count == sum(count > 1 for count in times.values())
    ranked = sorted(times.items(), key=lambda entry: (-entry[1], entry[0]))[:10]
    assert [(seen.sample_id, seen.count) for seen in summary.repeated_samples] == ranked
    for epoch, seen in zip((0, 1, 2), summary.epochs, strict=True):
        own = [name for r in records if r.epoch == epoch for name in r.sample_ids or ()]
        assert (seen.epoch, seen.sample_count) == (epoch, len(own))
        assert seen.distinct_sample_count == len(set(own))
        assert seen.repeat_count == len(own) - len(set(own))
        assert seen.coverage_ratio == len(set(own)) / len(set(ids_seen))


def test_nothing_is_summarised_as_nothing() -> None:
    nothing = summarize([], CONFIG, 10)
    one_class = summarize_exposure([batch(0, 1.0, class_counts={"a": 3, "b": 0})])
    only_nan = summarize(batches([math.nan, math.inf]), CONFIG, 10)

    assert (nothing.loss_summary, nothing.sequence_length_summary) == (None, None)
    assert (nothing.hard_batches, nothing.exposure.class_counts) == ((), {})
    assert (one_class.class_counts, one_class.imbalance_ratio) == ({"a": 3}, None)
    assert only_nan.loss_summary is not None
    assert (only_nan.loss_summary.count, only_nan.loss_summary.non_finite_count) == (0, 2)
    assert only_nan.loss_summary.mean is None


def test_the_guides_example_holds(tmp_path: Path) -> None:
    adapter = MappingBatchMetadataAdapter(
        sample_id_key="sample_ids",
        label_key="labels",
        sequence_length_key="lengths",
        metadata_keys=("loader",),
    )
    train_loader = [
        {"sample_ids": [n, n + 1], "labels": [n % 2, 1], "lengths": [n + 3, 5], "loader": "main"}
        for n in range(12)
    ]
    with (
        TrainingSession.start_run(project="data-diagnostics-demo", storage_dir=tmp_path) as session,
        DataDiagnostics(
            session, config=DataDiagnosticsConfig(batch_size=32, adapter=adapter)
        ) as diagnostics,
    ):
        for step, one in enumerate(train_loader):
            diagnostics.log_batch(SPIKE[step], step=step, epoch=step // 6, batch=one)

        summary = diagnostics.summarize(hard_batch_limit=5)
        exposure = diagnostics.summarize_exposure()
        hard_batches = diagnostics.find_hard_batches(limit=5)
        first_half = diagnostics.summarize(step_max=5)

    assert summary.loss_summary is not None
    losses = summary.loss_summary.to_dict()
    assert losses["mean"] == pytest.approx(statistics.fmean(SPIKE))
    assert losses["std"] == pytest.approx(statistics.pstdev(SPIKE))
    assert (losses["min"], losses["max"], losses["count"]) == (0.8, 9.0, 12)
    assert losses["median"] == statistics.median(SPIKE)
    for name, value in losses["quantiles"].items():
        assert value == pytest.approx(percentile(SPIKE, int(name[1:]) / 100)), name
    assert summary.sequence_length_summary is not None
    assert summary.sequence_length_summary.count == 24
    assert exposure.to_dict()["class_counts"] == {"1": 18, "0": 6}
    assert summary.exposure == exposure
    assert summary.hard_batches == hard_batches
    assert hard_batches[0].to_dict()["step"] == 11
    assert hard_batches[0].sample_ids == ("11", "12")
    assert (first_half.batch_count, first_half.sample_count) == (6, 12)
    assert first_half.exposure.epochs[0].epoch == 0
    json.dumps(summary.to_dict())
