"""What a sweep's configuration may hold, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from quark.errors import SchemaValidationError
from quark.sweeps.config import filled_in, parse_config
from quark.sweeps.hyperband import brackets

LR = {"lr": {"min": 0.001, "max": 0.1}}
LOSS = {"name": "loss", "goal": "minimize"}


def test_a_whole_configuration_is_read() -> None:
    source = {
        "method": "bayes",
        "name": "first",
        "description": "what for",
        "program": "train.py",
        "command": ["${env}", "python", "${program}", "${args}"],
        "metric": {"name": "val/acc", "goal": "maximize", "target": 0.99},
        "early_terminate": {"type": "hyperband", "max_iter": 27, "s": 2, "eta": 3},
        "run_cap": 40,
        "seed": 7,
        "project": "p",
        "parameters": {
            "lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1},
            "epochs": {"value": 3},
            "optimizer": {
                "parameters": {"name": {"values": ["sgd", "adam"]}, "b": {"mu": 0, "sigma": 1}}
            },
            "layers": {"min": 1, "max": 4},
            "size": {"values": [1, 2], "probabilities": [0.5, 0.5]},
        },
    }

    config = parse_config(source)

    assert {item.name: item.distribution.kind for item in config.parameters} == {
        "epochs": "constant",
        "layers": "int_uniform",
        "lr": "log_uniform_values",
        "optimizer.b": "normal",
        "optimizer.name": "categorical",
        "size": "categorical_w_probabilities",
    }
    assert config.metric is not None
    assert (config.metric.goal, config.metric.target) == ("maximize", 0.99)
    assert config.early_termination is not None
    assert brackets(config.early_termination) == (3, 9)
    assert (config.run_cap, config.expected_trial_count, config.seed) == (40, 40, 7)
    assert config.doubts == ()
    assert config.source == source


def test_what_means_nothing_is_named_and_kept() -> None:
    config = parse_config(
        {
            "method": "random",
            "metod": "grid",
            "metric": {**LOSS, "gaol": "x"},
            "parameters": {
                "lr": {"min": 0.1, "max": 0.2, "step": 3},
                "n": {"parameters": {"a": {"value": 1, "vaule": 2}}},
            },
        }
    )

    assert [doubt.split()[0] for doubt in config.doubts] == [
        "'metod'",
        "'lr.step'",
        "'n.a.vaule'",
        "'metric.gaol'",
    ]


def test_ranges_are_given_their_distribution_and_nothing_else_is_changed() -> None:
    source: dict[str, Any] = {
        "parameters": {"a": {"min": 1, "max": 2}, "b": {"min": 0.5, "max": 1.0}, "c": {"value": 1}}
    }

    assert filled_in(source)["parameters"] == {
        "a": {"min": 1, "max": 2, "distribution": "int_uniform"},
        "b": {"min": 0.5, "max": 1.0, "distribution": "uniform"},
        "c": {"value": 1},
    }
    assert "distribution" not in source["parameters"]["a"]
    assert filled_in({"method": "grid"}) == {"method": "grid"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": None}, "method is None"),
        ({"method": "annealing"}, "grid, random, bayes"),
        ({"parameters": {}}, "at least one parameter"),
        ({"parameters": [1]}, "must be a dict"),
        ({"parameters": {"lr": 0.1}}, "'lr' is 0.1"),
        ({"parameters": {"lr": {}}}, "'lr' has nothing"),
        ({"parameters": {"lr": {"min": 1}}}, "no distribution follows"),
        ({"parameters": {"lr": {"min": 0, "max": 0.5}}}, "ambiguous"),
        ({"parameters": {"a": {"parameters": {"b": {"min": 2, "max": 1}}}}}, "'a.b'.*above max"),
        ({"parameters": {"a": {"parameters": {}}}}, "parameters of a"),
        ({"method": "bayes", "metric": None}, "needs a metric"),
        ({"metric": {"goal": "minimize"}}, "no name"),
        ({"metric": {"name": "loss", "goal": "lower"}}, "metric.goal is 'lower'"),
        ({"metric": "loss"}, "metric is 'loss'"),
        ({"run_cap": 0}, "run_cap is 0"),
        ({"run_cap": "3"}, "run_cap is '3'"),
        ({"command": "python train.py"}, "list of words"),
        ({"program": 3}, "program is 3"),
        ({"early_terminate": {"type": "median"}}, "hyperband"),
        ({"early_terminate": {"min_iter": 1}}, "no type"),
        ({"early_terminate": {"type": "hyperband"}}, "either min_iter"),
        ({"early_terminate": {"type": "hyperband", "max_iter": 9}}, "needs s"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 1}}, "eta is 1"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 1}, "metric": None}, "needs one"),
        ({"method": "grid"}, "'lr' is uniform.*a grid cannot"),
        ({"method": "grid", "parameters": {"n": {"min": 0, "max": 10**9}}}, "too many"),
        ({"seed": 0.5}, "seed is 0.5"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], words: str) -> None:
    source = {"method": "random", "metric": LOSS, "parameters": LR, **change}

    with pytest.raises(SchemaValidationError, match=words):
        parse_config(source)


@pytest.mark.parametrize("missing", ["method", "parameters"])
def test_what_is_needed_is_asked_for(missing: str) -> None:
    source = {
        name: part
        for name, part in {"method": "random", "parameters": LR}.items()
        if name != missing
    }

    with pytest.raises(SchemaValidationError, match=f"no {missing}"):
        parse_config(source)
