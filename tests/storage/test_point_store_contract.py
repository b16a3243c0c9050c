"""What every store promises about points. Numbers are compared with a plain-Python second way."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from quark.errors import RunNotFoundError, SchemaValidationError
from quark.storage import merge, merge_write
from quark.storage.model import NO_STEP, StepRange
from quark.storage.protocols import Store
from tests.storage.building import (
    START_US,
    batch,
    bits,
    block,
    bucket_rows,
    create_run,
    log,
    losses,
    plain_stats,
    points_of,
)

ODD_VALUES = [
    0.0,
    -0.0,
    5e-324,
    -2.2e-308,
    1.7976931348623157e308,
    math.inf,
    -math.inf,
    math.nan,
    0.1,
    float(np.float32(0.1)),
    float(2**53),
    -(2.0**63),
    1e300,
]


def odd_nans() -> np.ndarray[Any, Any]:
    """NaNs with a sign, a payload, and a signalling one."""
    patterns = [0xFFF8000000000000, 0x7FF8000000000123, 0x7FF0000000000001]
    return np.array(patterns, dtype=np.uint64).view(np.float64)


def test_a_series_has_every_column_of_every_point(store: Store) -> None:
    create_run(store)
    log(store, block(["loss"], [(1, 10, 0, 100, [0.5]), (2, None, None, 90, [0.25])]))

    series = store.points.series("run-1", "loss")

    assert series.key == "loss"
    assert len(series) == 2
    assert points_of(series) == [
        ("w1", 1, 10, 0, 100, bits(np.array([0.5]))[0]),
        ("w1", 2, NO_STEP, NO_STEP, 90, bits(np.array([0.25]))[0]),
    ]


@pytest.mark.parametrize("value", [*ODD_VALUES, *odd_nans()], ids=repr)
def test_a_value_comes_back_bit_for_bit(store: Store, value: float) -> None:
    create_run(store)
    sent = np.array([1.5, value, value, 2.5])

    log(store, losses(1, sent.tolist()))

    assert bits(store.points.series("run-1", "loss").value) == bits(sent)


def test_values_of_all_sorts_come_back_bit_for_bit_together(store: Store) -> None:
    create_run(store)
    sent = np.array([*ODD_VALUES, *odd_nans()] * 3)

    for first in range(0, len(sent), 7):
        log(store, losses(first + 1, sent[first : first + 7].tolist()))

    assert bits(store.points.series("run-1", "loss").value) == bits(sent)


def test_the_whole_range_of_steps_and_times_comes_back(store: Store) -> None:
    create_run(store)
    edges = [NO_STEP + 1, -1, 0, 2**63 - 1, NO_STEP + 1, None, 2**63 - 1]
    rows = [(seq, edge, edge, edge or 0, [0.0]) for seq, edge in enumerate(edges, 1)]

    log(store, block(["loss"], rows))

    series = store.points.series("run-1", "loss")
    assert series.step.tolist() == [NO_STEP if edge is None else edge for edge in edges]
    assert series.epoch.tolist() == series.step.tolist()
    assert series.time_us.tolist() == [edge or 0 for edge in edges]


def test_blocks_of_one_batch_arrive_by_frame(store: Store) -> None:
    create_run(store)
    both = block(["loss", "lr"], [(2, 2, None, 2, [2.0, 20.0]), (4, 4, None, 4, [4.0, 40.0])])
    alone = block(["loss"], [(seq, seq, None, seq, [float(seq)]) for seq in (1, 3, 4, 5)])

    log(store, both, alone)

    assert store.points.series("run-1", "loss").seq.tolist() == [1, 2, 3, 4, 4, 5]
    assert store.points.series("run-1", "loss").value.tolist() == [1, 2, 3, 4, 4, 5]
    assert store.points.series("run-1", "lr").value.tolist() == [20, 40]
    assert list(store.points.keys("run-1")) == ["loss", "lr"]


def test_nothing_is_sorted_or_merged_by_step(store: Store) -> None:
    create_run(store)
    steps = [5, 3, 3, None, 9, 3]
    rows = [(seq, step, 0, 0, [float(seq)]) for seq, step in enumerate(steps, 1)]

    log(store, block(["loss"], rows))
    log(store, losses(7, [7.0]), writer_id="w2")

    assert store.points.series("run-1", "loss").value.tolist() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("count", [1, 4095, 4096, 4097, 10_000])
def test_a_series_of_any_length_comes_back(store: Store, count: int) -> None:
    create_run(store)
    values = np.random.default_rng(count).standard_normal(count)

    log(store, losses(1, values.tolist()))

    series = store.points.series("run-1", "loss")
    assert bits(series.value) == bits(values)
    assert series.seq.tolist() == list(range(1, count + 1))


def test_many_small_batches_come_back_in_order(store: Store) -> None:
    create_run(store)

    for seq in range(1, 41):
        keys = ["loss"] + (["accuracy"] if seq % 5 == 0 else []) + (["rare"] if seq == 17 else [])
        log(
            store, block(keys, [(seq, seq, None, seq, [seq + place for place in range(len(keys))])])
        )

    assert store.points.series("run-1", "loss").value.tolist() == list(range(1, 41))
    assert store.points.series("run-1", "accuracy").step.tolist() == list(range(5, 41, 5))
    assert store.points.series("run-1", "rare").value.tolist() == [18]


def test_an_unknown_key_is_an_empty_series(store: Store) -> None:
    create_run(store)
    log(store, losses(1, [1.0]))

    assert len(store.points.series("run-1", "nope")) == 0
    assert len(store.points.series("run-1", "\ud800")) == 0
    assert bucket_rows(store.points.buckets("run-1", "nope", 5)) == []


def test_an_unknown_run_is_not_found(store: Store) -> None:
    for call in (
        lambda: store.points.series("nope", "loss"),
        lambda: store.points.many_series("nope", []),
        lambda: store.points.buckets("nope", "loss", 1),
        lambda: store.points.keys("nope"),
        lambda: store.points.merge("nope"),
        lambda: store.points.merge("nope", final=True),
    ):
        with pytest.raises(RunNotFoundError, match="nope"):
            call()


def test_a_run_without_points_has_no_keys(store: Store) -> None:
    create_run(store)

    store.points.merge("run-1", final=True)

    assert store.points.keys("run-1") == {}


# -- a run with some of everything ---------------------------------------------------------------

Plain = list[tuple[int | None, int | None, float]]  # step, epoch and value, by arrival


@pytest.fixture
def mixed(store: Store) -> tuple[Store, Plain]:
    """5,000 points in unequal batches: jumps back, missing steps, duplicates, non-finite values."""
    create_run(store)
    generator = random.Random(7)
    plain: Plain = []
    step = 0
    for index in range(5_000):
        step = max(
            -20, step + generator.choice([0, 1, 1, 1, 1, 2]) - (300 if index == 3_000 else 0)
        )
        value = generator.choice(
            [generator.gauss(0, 1)] * 9 + [math.nan if index % 3 else math.inf]
        )
        has_step = generator.random() > 0.01
        plain.append((step if has_step else None, index // 1_000 or None, value))
    first = 0
    while first < len(plain):
        last = min(len(plain), first + generator.choice([1, 50, 900]))
        rows = [
            (seq, step, epoch, START_US + seq, [value])
            for seq, (step, epoch, value) in enumerate(plain[first:last], first + 1)
        ]
        log(store, block(["loss"], rows))
        first = last
    return store, plain


RANGES = {
    "all": StepRange(),
    "step": StepRange(step=100),
    "step_min": StepRange(step_min=4_000),
    "step_max": StepRange(step_max=50),
    "both": StepRange(step_min=1_000, step_max=1_500),
    "epoch": StepRange(epoch=3),
    "epoch_range": StepRange(epoch_min=1, epoch_max=2),
    "step_and_epoch": StepRange(step_min=2_900, epoch=3),
    "limit": StepRange(limit=700),
    "limit_of_range": StepRange(step_max=2_000, limit=9),
    "limit_0": StepRange(limit=0),
    "large_limit": StepRange(limit=10**30),
    "nothing": StepRange(step_min=10, step_max=5),
    "beyond": StepRange(step_min=10**30),
    "below": StepRange(step_min=-(10**30), step_max=10**30),
}


def plainly_selected(plain: Plain, steps: StepRange) -> Plain:
    """Select points the slow way."""

    def lies_in(number: int | None, exact: int | None, low: int | None, high: int | None) -> bool:
        if exact is None and low is None and high is None:
            return True
        return (
            number is not None
            and (exact is None or number == exact)
            and (low is None or number >= low)
            and (high is None or number <= high)
        )

    chosen = [
        (step, epoch, value)
        for step, epoch, value in plain
        if lies_in(step, steps.step, steps.step_min, steps.step_max)
        and lies_in(epoch, steps.epoch, steps.epoch_min, steps.epoch_max)
    ]
    return chosen if steps.limit is None else chosen[max(0, len(chosen) - steps.limit) :]


@pytest.mark.parametrize("name", RANGES)
def test_points_are_selected_by(mixed: tuple[Store, Plain], name: str) -> None:
    store, plain = mixed
    expected = plainly_selected(plain, RANGES[name])

    series = store.points.series("run-1", "loss", RANGES[name])

    assert bits(series.value) == bits(np.array([value for _, _, value in expected]))
    assert series.step.tolist() == [NO_STEP if s is None else s for s, _, _ in expected]
    assert series.epoch.tolist() == [NO_STEP if e is None else e for _, e, _ in expected]
    assert len(series.writer) == len(series.seq) == len(series.time_us) == len(expected)


@pytest.mark.parametrize("name", RANGES)
def test_step_and_value_alone_are_the_same_points(mixed: tuple[Store, Plain], name: str) -> None:
    store, _ = mixed
    full = store.points.series("run-1", "loss", RANGES[name])

    short = store.points.series("run-1", "loss", RANGES[name], columns="step_value")

    assert short.step.tolist() == full.step.tolist()
    assert bits(short.value) == bits(full.value)
    assert [len(c) for c in (short.writer, short.seq, short.epoch, short.time_us)] == [0] * 4


def test_several_series_are_each_as_if_read_alone(store: Store) -> None:
    create_run(store)
    for seq in range(1, 30):
        keys = [f"k{number}" for number in range(4) if seq % (number + 1) == 0]
        log(store, block(keys, [(seq, seq, None, seq, [seq * 1.5] * len(keys))]))

    wanted = ["k2", "nope", "k0", "k3"]
    found = store.points.many_series("run-1", wanted, StepRange(step_min=5, limit=4))

    assert list(found) == wanted
    for key in wanted:
        alone = store.points.series("run-1", key, StepRange(step_min=5, limit=4))
        assert points_of(found[key]) == points_of(alone)


def test_keys_are_known_with_their_count_and_last_point(mixed: tuple[Store, Plain]) -> None:
    store, plain = mixed
    log(store, block(["other", "z"], [(1, None, None, 5, [1.0, math.nan])]), writer_id="w2")

    stats = store.points.keys("run-1")

    steps = [step for step, _, _ in plain if step is not None]
    assert list(stats) == ["loss", "other", "z"]
    assert plain_stats(stats["loss"]) == tuple(
        repr(expected)
        for expected in (
            "loss",
            len(plain),
            sum(not math.isfinite(value) for _, _, value in plain),
            min(steps),
            max(steps),
            plain[-1][0],
            plain[-1][1],
            START_US + len(plain),
            plain[-1][2],
        )
    )
    assert plain_stats(stats["z"]) == tuple(
        map(repr, ("z", 1, 1, None, None, None, None, 5, math.nan))
    )


def test_the_last_point_of_a_key_in_several_blocks_is_the_latest_frame(store: Store) -> None:
    create_run(store)
    late = block(["loss", "a"], [(1, 1, None, 1, [1.0, 0.0]), (9, 9, None, 9, [-0.0, 0.0])])
    early = block(["loss"], [(2, 2, None, 2, [2.0]), (8, 8, None, 8, [8.0])])

    log(store, late, early)

    stats = store.points.keys("run-1")["loss"]
    assert (stats.count, stats.last_step, stats.last_time_us) == (4, 9, 9)
    assert math.copysign(1, stats.last_value) == -1


# -- buckets -------------------------------------------------------------------------------------


def plain_buckets(plain: Plain, bucket_count: int) -> list[dict[str, Any]]:
    """Cut points into buckets the slow way; see ``quark.storage.bucketing`` for the edges."""
    points = [(step, value) for step, _, value in plain if step is not None]
    if not points:
        return []
    low, high = min(points)[0], max(step for step, _ in points)
    width = math.ceil((high - low + 1) / bucket_count)
    rows = []
    by_start: dict[int, list[tuple[int, float]]] = {}
    for step, value in points:
        by_start.setdefault(step - (step - low) % width, []).append((step, value))
    for start, inside in sorted(by_start.items()):
        finite = [value for _, value in inside if math.isfinite(value)]
        last_step = max(step for step, _ in inside)
        rows.append(
            {
                "step_start": start,
                "step_end": min(start + width - 1, high),
                "count": len(inside),
                "nonfinite_count": len(inside) - len(finite),
                "minimum": min(finite, default=math.nan),
                "maximum": max(finite, default=math.nan),
                "mean": pytest.approx(math.fsum(finite) / len(finite)) if finite else math.nan,
                "last": [value for step, value in inside if step == last_step][-1],
            }
        )
    return rows


@pytest.mark.parametrize("name", RANGES)
def test_buckets_are_those_of_a_slow_count(mixed: tuple[Store, Plain], name: str) -> None:
    store, plain = mixed
    selected = plainly_selected(plain, RANGES[name])

    for bucket_count in (1, 2, 7, 100, 1_000, 10**9):
        found = bucket_rows(store.points.buckets("run-1", "loss", bucket_count, RANGES[name]))

        expected = plain_buckets(selected, bucket_count)
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert {name: value for name, value in mine.items() if value == value} == {
                name: value for name, value in theirs.items() if value == value
            }


def test_a_bucket_without_finite_values_has_no_mean(store: Store) -> None:
    create_run(store)
    log(store, losses(1, [math.nan, math.inf, 1.0, 3.0]))

    first, second = bucket_rows(store.points.buckets("run-1", "loss", 2))

    assert (first["count"], first["nonfinite_count"], first["last"]) == (2, 2, math.inf)
    assert all(math.isnan(first[name]) for name in ("minimum", "maximum", "mean"))
    assert (second["minimum"], second["maximum"], second["mean"]) == (1, 3, 2)


@pytest.mark.parametrize(
    "values", [[1.5e308] * 9 + [-1.0e308], [1.5e308, 1.5e308, -1.5e308] * 40, [-1.7e308] * 3]
)
def test_the_mean_of_large_values_does_not_overflow(store: Store, values: list[float]) -> None:
    create_run(store)
    log(store, losses(1, values))

    (row,) = bucket_rows(store.points.buckets("run-1", "loss", 1))

    assert row["mean"] == pytest.approx(sum(value / len(values) for value in values))


def test_buckets_reach_over_the_whole_range_of_steps(store: Store) -> None:
    create_run(store)
    log(store, block(["x"], [(1, NO_STEP + 1, 0, 0, [1.0]), (2, 2**63 - 1, 0, 0, [2.0])]))

    for bucket_count in (1, 2, 3):
        rows = bucket_rows(store.points.buckets("run-1", "x", bucket_count))
        assert rows[0]["step_start"] == NO_STEP + 1
        assert rows[-1]["step_end"] == 2**63 - 1
        assert sum(row["count"] for row in rows) == 2


@pytest.mark.parametrize("bucket_count", [0, -1])
def test_fewer_than_one_bucket_is_refused(store: Store, bucket_count: int) -> None:
    create_run(store)

    with pytest.raises(SchemaValidationError, match="bucket_count"):
        store.points.buckets("run-1", "loss", bucket_count)


def test_merging_again_changes_nothing(store: Store) -> None:
    create_run(store)
    store.append(batch(1, 3, losses(1, [1.0, 2.0, 3.0])))
    before = points_of(store.points.series("run-1", "loss"))

    for final in (False, True, True, False):
        store.points.merge("run-1", final=final)

    assert points_of(store.points.series("run-1", "loss")) == before


def test_a_merge_of_a_run_that_is_deleted_meanwhile_leaves_the_one_of_the_same_id_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(seq, seq, None, START_US + seq, [1.0, 2.0, 3.0]) for seq in range(1, 301)]
    create_run(store)
    log(store, block(["old", "older", "oldest"], rows))
    original = merge_write.pack_group
    is_written_again = False

    def pack_while_it_is_written_again(group: Any) -> Any:
        write_again()
        return original(group)

    def write_again() -> None:
        nonlocal is_written_again
        if not is_written_again:
            is_written_again = True
            store.records.delete_run("run-1")
            create_run(store)
            log(store, losses(1, [0.5, 0.25]))

    monkeypatch.setattr(merge, "pack_group", pack_while_it_is_written_again)
    store.points.merge("run-1", final=True)
    write_again()  # where merging is not for the store to do

    assert list(store.points.keys("run-1")) == ["loss"]
    series = store.points.series("run-1", "loss")
    assert series.value.tolist() == [0.5, 0.25]
    assert series.writers == ("creator", "w1")
