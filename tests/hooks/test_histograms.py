"""Histograms and statistics of copied arrays, against numpy and against their definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings
from numpy.typing import NDArray

from quark.hooks.histograms import histogram, statistics_of

Array = NDArray[Any]

#: What real parameters look like, and what is hard: ties on edges, far from zero, huge, tiny.
SHAPES: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda random, count: random.normal(size=count),
    "integers": lambda random, count: random.integers(-5, 6, size=count) * 1.0,
    "on edges": lambda random, count: random.integers(0, 100, size=count) * 0.1,
    "far away": lambda random, count: 1000 + random.normal(size=count) * 1e-3,
    "huge": lambda random, count: random.normal(size=count) * 1e36,
    "tiny": lambda random, count: random.normal(size=count) * 1e-36,
}


@settings(max_examples=150)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    count=st.sampled_from([1, 2, 7, 300, 40_000]),
    bins=st.sampled_from([1, 2, 7, 32, 64, 1000, 5000]),
    kind=st.sampled_from([np.float32, np.float64]),
    nonfinite=st.lists(st.sampled_from([np.nan, np.inf, -np.inf]), max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
def test_counts_are_those_of_numpy_in_float64_without_what_is_not_finite(
    shape: str, count: int, bins: int, kind: type, nonfinite: list[float], seed: int
) -> None:
    random = np.random.default_rng(seed)
    finite: Array = SHAPES[shape](random, count).astype(kind)
    mixed = np.append(finite, np.array(nonfinite, kind))
    random.shuffle(mixed)

    edges, counts, nonfinite_count = histogram(mixed, bins)

    exact = finite.astype(np.float64)
    bounds = None
    if exact.min() == exact.max():
        half = 0.5 if abs(exact[0]) < 2**40 else abs(exact[0]) / 2
        bounds = (exact[0] - half, exact[0] + half)
    expected, expected_edges = np.histogram(exact, bins, range=bounds)
    assert counts.tolist() == expected.tolist()
    assert edges.tolist() == expected_edges.tolist()
    assert nonfinite_count == len(nonfinite)


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf]])
def test_nothing_finite_has_no_bins(values: list[float]) -> None:
    edges, counts, nonfinite_count = histogram(np.array(values, np.float32), 8)

    assert (len(edges), len(counts), nonfinite_count) == (0, 0, len(values))


@pytest.mark.parametrize("value", [0.0, -3.5, 1e-30, 1e20, -1e300, 1.7976931348623157e308])
def test_equal_elements_lie_inside_of_a_range_around_them(value: float) -> None:
    edges, counts, _ = histogram(np.full(5, value), 4)

    assert edges[0] < value <= edges[-1]
    assert np.isfinite(edges).all()
    assert counts.sum() == 5


@pytest.mark.parametrize("values", [[-1.7e308, 1.7e308, 0.0], [0.0, 5e-324], [1e308, -1e308]])
def test_a_range_that_float64_cannot_subtract_is_counted_all_the_same(values: list[float]) -> None:
    edges, counts, _ = histogram(np.array(values), 4)

    assert counts.sum() == len(values)
    assert counts[0] == 1
    assert counts[-1] == 1
    assert (edges[0], edges[-1]) == (min(values), max(values))


@settings(max_examples=100)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    count=st.sampled_from([1, 2, 300, 20_000]),
    kind=st.sampled_from([np.float32, np.float64]),
    nonfinite=st.lists(st.sampled_from([np.nan, np.inf, -np.inf]), max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
@example(shape="far away", count=20_000, kind=np.float64, nonfinite=[], seed=0)
def test_statistics_are_those_of_the_definitions(
    shape: str, count: int, kind: type, nonfinite: list[float], seed: int
) -> None:
    finite: Array = SHAPES[shape](np.random.default_rng(seed), count).astype(kind)
    total = count + len(nonfinite)

    found = statistics_of(np.append(finite, np.array(nonfinite, kind)), 0.05)

    exact = [float(value) for value in finite]
    mean = math.fsum(exact) / count
    variance = math.fsum((value - mean) ** 2 for value in exact) / count
    assert found.mean == pytest.approx(mean, rel=1e-12, abs=1e-12 * max(map(abs, exact)))
    assert found.std == pytest.approx(math.sqrt(variance), rel=1e-5)
    assert found.norm == pytest.approx(math.sqrt(math.fsum(v * v for v in exact)), rel=1e-12)
    assert (found.minimum, found.maximum) == (min(exact), max(exact))
    assert found.near_zero_ratio == sum(abs(v) <= np.float64(0.05) for v in exact) / total
    assert (found.element_count, found.nonfinite_count) == (total, len(nonfinite))


def test_statistics_of_nothing_finite_are_only_counts() -> None:
    found = statistics_of(np.array([np.nan, np.inf], np.float32), 0.0)

    assert found[:2] == (2, 2)
    assert set(found[2:]) == {None}
