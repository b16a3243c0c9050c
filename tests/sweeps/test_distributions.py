"""Each distribution against numpy's generator, and what cannot be one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from quark.errors import SchemaValidationError
from quark.sweeps.beta import beta_cdf, beta_quantile
from quark.sweeps.distributions import FIELDS, Distribution

Sample = Callable[[np.random.Generator, int], Any]

COUNT = 1_000
SAMPLES = 20_000
#: Name, fields, and how W&B's documentation says that it is drawn.
DRAWN: list[tuple[str, dict[str, Any], Sample]] = [
    ("constant", {"value": 3}, lambda rng, n: np.full(n, 3)),
    ("categorical", {"values": [5, 1, 9]}, lambda rng, n: rng.choice([5, 1, 9], n)),
    (
        "categorical_w_probabilities",
        {"values": [1, 2, 3], "probabilities": [0.1, 0.0, 0.9]},
        lambda rng, n: rng.choice([1, 2, 3], n, p=[0.1, 0.0, 0.9]),
    ),
    ("int_uniform", {"min": -2, "max": 4}, lambda rng, n: rng.integers(-2, 5, n)),
    ("uniform", {"min": -0.5, "max": 2.0}, lambda rng, n: rng.uniform(-0.5, 2.0, n)),
    (
        "q_uniform",
        {"min": 0.0, "max": 2.0, "q": 0.25},
        lambda rng, n: np.round(rng.uniform(0.0, 2.0, n) / 0.25) * 0.25,
    ),
    ("log_uniform", {"min": -3.0, "max": 1.0}, lambda rng, n: np.exp(rng.uniform(-3.0, 1.0, n))),
    (
        "log_uniform_values",
        {"min": 1e-4, "max": 1.0},
        lambda rng, n: np.exp(rng.uniform(np.log(1e-4), 0.0, n)),
    ),
    (
        "q_log_uniform",
        {"min": 0, "max": 4, "q": 2},
        lambda rng, n: np.round(np.exp(rng.uniform(0, 4, n)) / 2) * 2,
    ),
    (
        "q_log_uniform_values",
        {"min": 8, "max": 256, "q": 8},
        lambda rng, n: np.round(np.exp(rng.uniform(np.log(8), np.log(256), n)) / 8) * 8,
    ),
    (
        "inv_log_uniform",
        {"min": 0.0, "max": 3.0},
        lambda rng, n: 1 / np.exp(rng.uniform(0.0, 3.0, n)),
    ),
    (
        "inv_log_uniform_values",
        {"min": 0.01, "max": 10.0},
        lambda rng, n: 1 / np.exp(rng.uniform(np.log(1 / 10.0), np.log(1 / 0.01), n)),
    ),
    ("normal", {"mu": 1.0, "sigma": 2.0}, lambda rng, n: rng.normal(1.0, 2.0, n)),
    ("normal", {}, lambda rng, n: rng.normal(0.0, 1.0, n)),
    (
        "q_normal",
        {"mu": 0, "sigma": 10, "q": 5},
        lambda rng, n: np.round(rng.normal(0, 10, n) / 5) * 5,
    ),
    ("log_normal", {"mu": 0.5, "sigma": 0.7}, lambda rng, n: rng.lognormal(0.5, 0.7, n)),
    (
        "q_log_normal",
        {"mu": 2, "sigma": 1, "q": 3},
        lambda rng, n: np.round(rng.lognormal(2, 1, n) / 3) * 3,
    ),
    ("beta", {"a": 2.0, "b": 5.0}, lambda rng, n: rng.beta(2.0, 5.0, n)),
    (
        "q_beta",
        {"a": 0.5, "b": 0.5, "q": 0.1},
        lambda rng, n: np.round(rng.beta(0.5, 0.5, n) / 0.1) * 0.1,
    ),
]


def test_every_distribution_is_compared() -> None:
    assert {kind for kind, _, _ in DRAWN} == set(FIELDS)


@pytest.mark.parametrize(
    ("kind", "fields", "sample"),
    DRAWN,
    ids=[f"{kind}-{index}" for index, (kind, *_) in enumerate(DRAWN)],
)
def test_quantiles_are_those_of_a_sample(kind: str, fields: dict[str, Any], sample: Sample) -> None:
    distribution = Distribution(kind=kind, fields=fields)

    ours = np.sort([float(distribution.quantile((i + 0.5) / COUNT)) for i in range(COUNT)])

    theirs = np.sort(sample(np.random.default_rng(1), SAMPLES).astype(float))
    places = np.unique(np.concatenate([ours, theirs])) + 1e-9
    shares = [
        np.searchsorted(values, places, side="right") / len(values) for values in (ours, theirs)
    ]
    assert np.max(np.abs(shares[0] - shares[1])) < 0.02


@settings(max_examples=30)
@given(
    u=st.floats(0.001, 0.999),
    a=st.floats(0.2, 50.0),
    b=st.floats(0.2, 50.0),
)
@example(u=0.5, a=1.0, b=1.0)
def test_the_quantile_of_beta_undoes_its_distribution_function(
    u: float, a: float, b: float
) -> None:
    x = beta_quantile(u, a, b)

    assert beta_cdf(x, a, b) == pytest.approx(u, abs=1e-6)


def test_the_distribution_function_of_beta_is_an_integral() -> None:
    for a, b in [(2.0, 5.0), (3.5, 1.25), (1.0, 1.0)]:
        x = np.linspace(0.0, 0.3, 20_001)
        density = x ** (a - 1) * (1 - x) ** (b - 1)
        whole = np.linspace(0.0, 1.0, 200_001)
        share = np.trapezoid(density, x) / np.trapezoid(
            whole ** (a - 1) * (1 - whole) ** (b - 1), whole
        )

        assert beta_cdf(0.3, a, b) == pytest.approx(share, rel=1e-4)


def test_values_keep_their_kind_and_their_bounds() -> None:
    whole = Distribution(kind="q_uniform", fields={"min": 1, "max": 10, "q": 4})
    tenths = Distribution(kind="q_uniform", fields={"min": 0.05, "max": 0.72, "q": 0.1})
    ends = [tenths.quantile(u) for u in (0.0, 0.3, 1.0)]

    assert whole.choices == (4, 8)  # rounding does not lead out of 1 to 10
    assert {whole.quantile(u / 20) for u in range(21)} == {4, 8}
    assert ends == [0.1, 0.3, 0.7]  # not 0.30000000000000004
    mixed = Distribution(kind="categorical", fields={"values": [1, True, 1.0, "1", None, 1]})
    assert list(map(repr, mixed.choices or ())) == ["1", "True", "1.0", "'1'", "None"]


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("gauss", {}, "'gauss' is not known"),
        ("uniform", {"min": 1.0}, "needs 'max'"),
        ("uniform", {"min": 2.0, "max": 1.0}, "above max"),
        ("uniform", {"min": "a", "max": 1.0}, "'a', but must be a finite number"),
        ("uniform", {"min": float("nan"), "max": 1.0}, "finite"),
        ("int_uniform", {"min": 1, "max": 2.5}, "whole number"),
        ("int_uniform", {"min": True, "max": 2}, "whole number"),
        ("log_uniform_values", {"min": 0, "max": 1}, "above 0"),
        ("log_uniform", {"min": 1, "max": 1000}, "log_uniform_values"),
        ("normal", {"sigma": 0}, "sigma is 0"),
        ("q_normal", {"q": -1}, "q is -1"),
        ("beta", {"a": 0}, "a is 0"),
        ("categorical", {"values": []}, "at least one"),
        ("categorical", {"values": "abc"}, "a list"),
        ("categorical_w_probabilities", {"values": [1, 2], "probabilities": [1]}, "each value"),
        ("categorical_w_probabilities", {"values": [1, 2], "probabilities": [0.5, 0.6]}, "1.1"),
    ],
)
def test_what_cannot_be_a_distribution_is_refused(
    kind: str, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(SchemaValidationError, match=words):
        Distribution(kind=kind, fields=fields)
