"""``wandb.controller``: a sweep whose trials are chosen here."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb import term
from quark.compat.wandb.sweeps import agents, controller as controllers
from quark.compat.wandb.sweeps.controller_configuration import ControllerError, SweepRun

QUIET = {"silent": True, "x_disable_stats": True}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(agents, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(controllers, "STEP_SECONDS", 0.01)
    yield
    wandb.teardown()
    os.environ.pop("WANDB_PROJECT", None)


def train() -> None:
    run = wandb.init(settings=QUIET)
    run.log({"loss": run.config.a})


def run_with_an_agent(tuner: Any) -> list[int]:
    """Run a controller to its end, with one agent beside it; return the values of the trials."""
    agent = threading.Thread(target=wandb.agent, args=(tuner.sweep_id, train))
    agent.start()
    tuner.run(print_status=False)
    agent.join(60)
    assert not agent.is_alive()
    return [run.config["a"] for run in wandb.Api().sweep(tuner.sweep_id).runs]


def test_a_sweep_is_put_together_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    tuner = wandb.controller(project="p")
    tuner.configure_search("grid")
    tuner.configure_program("train.py")
    tuner.configure_name("n")
    tuner.configure_description("d")
    tuner.configure_metric("loss", goal="maximize")
    tuner.configure_parameter("a", values=[3, 1, 2])
    tuner.configure_parameter("b", value=0)
    tuner.configure_stopping("hyperband", min_iter=5)
    tuner.configure_controller(type="local")
    with pytest.raises(ControllerError, match="create"):
        tuner.run()
    sweep_id = tuner.create()

    assert tuner.sweep_id == sweep_id
    assert tuner.sweep_config["early_terminate"] == {"type": "hyperband", "min_iter": 5}
    assert run_with_an_agent(tuner) == [3, 1, 2]
    assert tuner.done()
    term.set_silent(False)  # the function's runs were
    tuner.print_status()
    assert f"Sweep: {sweep_id} (grid,hyperband) | Runs: 3 (Finished: 3)" in capsys.readouterr().err
    with pytest.raises(ControllerError, match="started"):
        tuner.configure_search("random")


def test_functions_search_and_stop() -> None:
    seen: list[list[Any]] = []
    asked_to_stop: list[Any] = []

    def search(config: dict[str, Any], runs: list[SweepRun]) -> SweepRun | None:
        if any(run.state == "running" for run in runs):
            return None if len(runs) > 2 else SweepRun(config={"a": {"value": 10 * len(runs)}})
        seen.append([run.summary_metrics.get("loss") for run in runs])
        if len(runs) == 3:
            return None
        return SweepRun(config={"a": {"value": 10 * len(runs)}})

    def stopping(keywords: dict[str, Any]) -> Any:
        asked_to_stop.append(keywords)
        return lambda config, runs: []

    tuner = wandb.controller(project="p")
    tuner.configure({"parameters": {"a": {"values": [1]}}, "metric": {"name": "loss"}})
    tuner.configure_search(search)
    tuner.configure_stopping(stopping, patience=3)
    tuner.create()

    assert run_with_an_agent(tuner) == [0, 10, 20]
    assert asked_to_stop == [{"patience": 3}]
    assert seen[0] == []


def test_a_step_schedules_one_trial_at_most() -> None:
    tuner = wandb.controller(
        {"method": "grid", "parameters": {"a": {"values": [1, 2]}}}, project="p"
    )
    sweep_id = tuner.sweep_id
    assert sweep_id is not None
    again = wandb.controller(sweep_id)

    for _ in range(3):
        again.step()
    wandb.agent(sweep_id, train, count=1)
    again.step()
    wandb.agent(sweep_id, train, count=1)

    assert [run.config["a"] for run in wandb.Api().sweep(sweep_id).runs] == [1, 2]
    assert not again.done()
    again.step()
    assert again.done()


def test_what_a_controller_cannot_do_is_said() -> None:
    sweep_id = wandb.sweep({"method": "random", "parameters": {"a": {"value": 1}}}, project="p")

    with pytest.raises(ControllerError, match="local controller"):
        wandb.controller(sweep_id).step()
    with pytest.raises(ControllerError, match="not from a int"):
        wandb.controller(3)  # type: ignore[arg-type]
    with pytest.raises(ControllerError, match="Configure"):
        wandb.controller().create()
    tuner = wandb.controller({"method": "random", "parameters": {"a": {"value": 1}}})
    with pytest.raises(ControllerError, match="made already"):
        tuner.create()
    with pytest.raises(wandb.CommError, match="nobody"):
        wandb.controller("nobody")
