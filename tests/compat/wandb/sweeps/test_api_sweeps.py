"""Sweeps as they are read back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.sweeps import agents

QUIET = {"silent": True, "x_disable_stats": True}


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    wandb.teardown()
    os.environ.pop("WANDB_PROJECT", None)


def a_sweep(goal: str = "minimize", **more: object) -> str:
    def train() -> None:
        run = wandb.init(settings=QUIET)
        for step in range(3):
            run.log({"val": {"loss": abs(run.config.a - 2) + step * 0.1}})

    sweep_id = wandb.sweep(
        {
            "method": "grid",
            "metric": {"name": "val.loss", "goal": goal},
            "parameters": {"a": {"values": [1, 2, 4]}},
            **more,
        },
        project="p",
    )
    agents.agent(sweep_id, train)
    return sweep_id


def test_a_sweep_is_read_back() -> None:
    sweep_id = a_sweep(name="first")

    sweep = wandb.Api().sweep(f"local/p/{sweep_id}")

    assert (sweep.id, sweep.name, sweep.project, sweep.entity) == (sweep_id, "first", "p", "local")
    assert (sweep.state, sweep.expected_run_count, sweep.url) == ("FINISHED", 3, None)
    assert sweep.config["parameters"] == {"a": {"values": [1, 2, 4]}}
    assert sweep.order == "+summary_metrics.val.loss"
    assert sweep.path == ["local", "p", sweep_id]
    assert sweep.load()["runCount"] == len(sweep.runs) == 3
    assert [run.config["a"] for run in sweep.runs] == [1, 2, 4]
    assert [run.config["a"] for run in sweep.runs[1:]] == [2, 4]
    best = sweep.best_run()
    assert best is not None
    assert best.config["a"] == 2
    ways = {"-summary_metrics.val.loss": 4, "+config.a": 1, "-config.a": 4, "-created_at": 4}
    for order, a in ways.items():
        found = sweep.best_run(order)
        assert found is not None
        assert found.config["a"] == a
    assert sweep.best_run("+summary_metrics.nothing") is None


def test_a_run_knows_its_sweep() -> None:
    sweep_id = a_sweep(goal="maximize")
    wandb.init(project="p", settings=QUIET).finish()
    api = wandb.Api()

    runs = list(api.runs("p", filters={"sweep": sweep_id}))

    assert len(runs) == 3
    assert {run.sweep_name for run in runs} == {sweep_id}
    first = runs[0].sweep
    assert first is not None
    assert first.id == sweep_id
    best = first.best_run()
    assert best is not None
    assert best.config["a"] == 4
    (other,) = [run for run in api.runs("p") if run.id not in {run.id for run in runs}]
    assert (other.sweep, other.sweep_name) == (None, None)


def test_a_sweep_is_steered() -> None:
    sweep_id = wandb.sweep({"method": "random", "parameters": {"a": {"value": 1}}}, project="p")
    sweep = wandb.Api().sweep(sweep_id)

    states = []
    for state in ("PAUSED", "RUNNING", "FINISHED", "CANCELED"):
        sweep.set_state(state)
        states.append(wandb.Api().sweep(sweep_id).state)

    assert states == ["PAUSED", "RUNNING", "FINISHED", "CANCELED"]
    with pytest.raises(wandb.CommError, match="canceled"):
        sweep.set_state("RUNNING")
    with pytest.raises(ValueError, match="'ASLEEP'"):
        sweep.set_state("ASLEEP")
    assert sweep.best_run() is None
    assert (sweep.order, len(sweep.runs), sweep.expected_run_count) == (None, 0, None)


@pytest.mark.parametrize("path", ["nobody", "p/nobody", "q/{}", "other/p/{}"])
def test_a_sweep_that_is_not_there_is_an_error_of_both_families(path: str) -> None:
    sweep_id = wandb.sweep({"method": "random", "parameters": {"a": {"value": 1}}}, project="p")

    with pytest.raises(wandb.CommError, match="Could not find sweep") as caught:
        wandb.Api().sweep(path.format(sweep_id))

    assert isinstance(caught.value, ValueError)
