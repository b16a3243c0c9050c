"""When a trial is ended because others are better."""

from __future__ import annotations

import math
import random

import pytest

from quark.sweeps.config import EarlyTermination, Metric
from quark.sweeps.hyperband import best_at, brackets, falls_behind

LOSS = Metric(name="loss")
ACCURACY = Metric(name="acc", goal="maximize")


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (EarlyTermination(min_iter=3), (3, 9, 27, 81)),
        (EarlyTermination(min_iter=1, eta=2), (1, 2, 4, 8)),
        (EarlyTermination(max_iter=27, s=2), (3, 9)),
        (EarlyTermination(max_iter=27, s=2, eta=2), (6, 13)),
        (EarlyTermination(max_iter=4, s=5), (1,)),  # brackets below one value are none
        (EarlyTermination(kind="custom"), ()),
    ],
)
def test_brackets(rule: EarlyTermination, found: tuple[int, ...]) -> None:
    assert brackets(rule)[:4] == found


def test_the_best_at_a_bracket_is_the_best_of_a_slice() -> None:
    rng = random.Random(1)
    history = [rng.choice([rng.random(), math.nan, math.inf]) for _ in range(40)]

    for bounds in [(1, 3, 9, 27, 81), (40,), (41,)]:
        found = best_at(history, bounds, LOSS)

        finite = [
            [v for v in history[:bound] if math.isfinite(v)] for bound in bounds if bound <= 40
        ]
        assert found == tuple(min(values, default=math.inf) for values in finite)
    assert best_at([math.nan], (1,), ACCURACY) == (-math.inf,)


@pytest.mark.parametrize(
    ("own", "latest", "others", "strict", "metric", "behind"),
    [
        pytest.param([], None, [[0.1]] * 9, False, LOSS, False, id="before-the-first-bracket"),
        pytest.param([9.0], 9.0, [], False, LOSS, False, id="alone"),
        pytest.param([0.5], 0.5, [[0.5]] * 9, False, LOSS, False, id="all-alike"),
        pytest.param([0.9], 0.9, [[0.1], [0.2]], False, LOSS, True, id="worst-of-three"),
        pytest.param([0.15], 0.15, [[0.1], [0.2]], False, LOSS, False, id="second-of-three"),
        pytest.param([0.9], 0.9, [[0.1], [0.2]], False, ACCURACY, False, id="best-if-maximized"),
        pytest.param([0.1], 0.1, [[0.9], [0.8]], False, ACCURACY, True, id="worst-if-maximized"),
        pytest.param([math.inf], None, [[0.1], [0.2]], False, LOSS, True, id="no-finite-value"),
        pytest.param([0.9], 0.05, [[0.1], [0.2]], False, LOSS, False, id="has-recovered-since"),
        pytest.param([0.9], 0.05, [[0.1], [0.2]], True, LOSS, True, id="recovered-but-strict"),
        pytest.param(
            [0.1, 0.1], 0.1, [[0.2], [0.3]], False, LOSS, False, id="others-not-there-yet"
        ),
        pytest.param(
            [0.9, 0.8], 0.7, [[0.2], [0.3]], False, LOSS, True, id="alone-there-but-behind"
        ),
        pytest.param([0.9, 0.1], 0.1, [[0.2], [0.3]], True, LOSS, True, id="strict-looks-back"),
    ],
)
def test_who_falls_behind(
    own: list[float],
    latest: float | None,
    others: list[list[float]],
    strict: bool,
    metric: Metric,
    behind: bool,
) -> None:
    rule = EarlyTermination(min_iter=1, strict=strict)

    assert falls_behind(own, latest, others, rule, metric) is behind


def test_a_third_of_many_goes_on() -> None:
    rng = random.Random(2)
    values = [rng.random() for _ in range(300)]
    rule = EarlyTermination(min_iter=1)

    on = [
        value
        for index, value in enumerate(values)
        if not falls_behind(
            [value], value, [[v] for v in values[:index] + values[index + 1 :]], rule, LOSS
        )
    ]

    assert 100 <= len(on) <= 101
    assert max(on) <= sorted(values)[101]
