"""Which trials come, in which order, and that a model does better than chance."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from quark.errors import SchemaValidationError
from quark.sweeps.config import SweepConfig, parse_config
from quark.sweeps.proposal import Proposal, at_random, from_units, point_of, units_of
from quark.sweeps.search import propose
from quark.sweeps.trial import COMPLETED, FAILED, LOST, RUNNING, Trial, trial_of

GRID = {
    "b": {"values": ["x", "y"]},
    "a": {"min": 1, "max": 3},
    "c": {"parameters": {"q": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.5}}},
    "d": {"value": None},
}


def config_of(method: str, parameters: Mapping[str, Any], **more: Any) -> SweepConfig:
    return parse_config(
        {"method": method, "parameters": parameters, "metric": {"name": "loss"}, **more}
    )


def trial(number: int, proposal: Proposal, state: str = COMPLETED, **more: Any) -> Trial:
    return Trial(
        sweep_id="s",
        number=number,
        run_id=f"r{number}",
        values=proposal.values,
        point=proposal.point,
        units=proposal.units,
        state=state,
        **more,
    )


def all_trials(config: SweepConfig, seed: int = 1, at_most: int = 100) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(1, at_most + 1):
        proposal = propose(config, seed, number, trials)
        if proposal is None:
            break
        trials.append(trial(number, proposal))
    return trials


def test_a_grid_goes_through_all_combinations_once_and_ends() -> None:
    found = [dict(item.values) for item in all_trials(config_of("grid", GRID))]

    expected = itertools.product((1, 2, 3), ("x", "y"), (0.0, 0.5, 1.0))
    assert found == [{"a": a, "b": b, "c": {"q": q}, "d": None} for a, b, q in expected]


def test_a_grid_offers_again_what_was_lost_but_not_for_ever() -> None:
    config = config_of("grid", {"a": {"values": [1, 2]}})
    trials: list[Trial] = []
    states = iter([LOST, FAILED, LOST, LOST])
    for number, state in enumerate(states, start=1):
        proposal = propose(config, 0, number, trials)
        assert proposal is not None
        trials.append(trial(number, proposal, state))

    assert [item.values["a"] for item in trials] == [1, 1, 2, 2]
    last = propose(config, 0, 5, trials)
    assert last is not None
    assert last.values == {"a": 2}
    assert propose(config, 0, 6, [*trials, trial(5, last, LOST)]) is None


def test_a_grid_knows_the_runs_from_before() -> None:
    config = config_of("grid", GRID)

    assert point_of(config, {"a": 1, "b": "y", "c": {"q": 0}, "d": None, "more": 1}) == 3
    assert point_of(config, {"a": 9, "b": "y", "c": {"q": 0.0}, "d": None}) is None
    assert point_of(config, {"a": 1}) is None


def test_a_cap_ends_every_method() -> None:
    counts = [
        len(all_trials(config_of(method, {"a": {"values": [1, 2, 3, 4]}}, run_cap=3)))
        for method in ("grid", "random", "bayes")
    ]

    assert counts == [3, 3, 3]


def test_the_same_seed_gives_the_same_trials_in_any_process_and_order() -> None:
    parameters = {"a": {"min": 0.0, "max": 1.0}, "b": {"values": list("abcdef")}}
    one = config_of("random", parameters)
    other = config_of("random", {**dict(reversed(parameters.items())), "c": {"value": 1}})

    first = [at_random(one, 5, number).values for number in range(1, 9)]
    again = [dict(at_random(other, 5, number).values) for number in range(8, 0, -1)][::-1]

    assert [{**values, "c": 1} for values in first] == again
    assert len({values["a"] for values in first}) == 8
    assert at_random(one, 6, 1).values != first[0]


def test_a_custom_method_is_left_to_a_controller() -> None:
    with pytest.raises(SchemaValidationError, match="controller"):
        propose(config_of("custom", {"a": {"value": 1}}), 0, 1, [])


@settings(max_examples=15)
@given(st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6))
def test_values_have_a_place_on_the_unit_interval_that_leads_back_to_them(
    places: list[float],
) -> None:
    config = config_of(
        "bayes",
        {
            "a": {"min": -3, "max": 5},
            "b": {"distribution": "log_uniform_values", "min": 1e-5, "max": 10},
            "c": {"values": ["x", None, 3]},
            "d": {"values": [1, 2, 3], "probabilities": [0.2, 0.0, 0.8]},
            "e": {"distribution": "q_normal", "mu": 0, "sigma": 4, "q": 0.5},
            "f": {"distribution": "beta", "a": 2, "b": 3},
        },
    )
    values = from_units(config, dict(zip("abcdef", places, strict=True))).values

    units = units_of(config, values)

    assert units is not None
    again = from_units(config, units).values
    assert {name: again[name] for name in "acde"} == {name: values[name] for name in "acde"}
    assert again["b"] == pytest.approx(values["b"])
    assert again["f"] == pytest.approx(values["f"], abs=1e-9)


# -- the model -----------------------------------------------------------------------------------


def bowl(values: Mapping[str, Any]) -> float:
    """Lowest, 0, at lr = 1e-3, x = 0.3 and b."""
    penalty = {"a": 0.5, "b": 0.0, "c": 1.0}[values["opt"]]
    return float((math.log10(values["lr"]) + 3) ** 2 + 4 * (values["x"] - 0.3) ** 2 + penalty)


BOWL = {
    "lr": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1.0},
    "x": {"min": -2.0, "max": 2.0},
    "opt": {"values": ["a", "b", "c"]},
    "fixed": {"value": 1},
}


def search(
    method: str,
    seed: int,
    score: Callable[[Mapping[str, Any]], float],
    count: int = 30,
    **more: Any,
) -> list[Trial]:
    config = config_of(method, BOWL, **more)
    trials: list[Trial] = []
    for number in range(1, count + 1):
        proposal = propose(config, seed, number, trials)
        assert proposal is not None
        trials.append(trial(number, proposal, metric=score(proposal.values)))
    return trials


def test_bayes_comes_closer_than_chance() -> None:
    best = {
        method: statistics.median(
            min(item.metric or 0.0 for item in search(method, seed, bowl)) for seed in range(6)
        )
        for method in ("bayes", "random")
    }

    assert best["bayes"] < best["random"] / 2


def test_bayes_maximizes_where_that_is_the_goal() -> None:
    upwards = search(
        "bayes", 3, lambda values: -bowl(values), metric={"name": "l", "goal": "maximize"}
    )
    downwards = search("bayes", 3, bowl)

    assert [item.values for item in upwards] == [item.values for item in downwards]


def test_bayes_follows_from_the_trials_alone_and_leaves_optuna_as_it_was() -> None:
    import optuna

    config = config_of("bayes", BOWL)
    trials = search("bayes", 1, bowl, count=12)
    before = optuna.logging.get_verbosity()

    proposals = [propose(config, 1, 13, [trial_of(t.to_body()) for t in trials]) for _ in range(2)]

    assert proposals[0] == proposals[1]
    assert optuna.logging.get_verbosity() == before


def test_agents_that_ask_at_once_get_different_values() -> None:
    config = config_of("bayes", BOWL)
    trials = search("bayes", 1, bowl, count=12)

    asked = []
    for number in range(13, 19):
        proposal = propose(config, 1, number, trials)
        assert proposal is not None
        asked.append(proposal.values["lr"])
        trials.append(trial(number, proposal, RUNNING))

    assert len(set(asked)) == 6


def test_bayes_keeps_away_from_what_fails() -> None:
    """Below a learning rate of 0.01 everything fails, and says nothing of the metric."""
    config = config_of("bayes", {"lr": BOWL["lr"]})
    trials: list[Trial] = []
    for number in range(1, 41):
        proposal = propose(config, 2, number, trials)
        assert proposal is not None
        lr = proposal.values["lr"]
        if lr < 0.01:
            trials.append(trial(number, proposal, FAILED))
        else:
            trials.append(trial(number, proposal, metric=abs(math.log10(lr))))
    failed = [item.state == FAILED for item in trials]

    assert sum(failed[20:]) < sum(failed[:20]) / 2
