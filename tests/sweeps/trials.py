"""Trials that take no time: what the tests of agents, and their child processes, run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from quark.session import RunRequest, TrainingSession
from quark.settings import Settings
from quark.sweeps import RunningTrial, Sweep


def settings_in(folder: Path) -> Settings:
    """Settings under which a run costs as little as it can."""
    return Settings(
        storage_dir=str(folder),
        quiet=True,
        live_rules=False,
        report=False,
        capture_environment=False,
        system_sample_seconds=0.0,
    )


def open_run(trial: RunningTrial) -> TrainingSession:
    """Open the run of a trial, with its values."""
    sweep = trial.sweep
    request = RunRequest(
        project=sweep.project, settings=sweep.settings, run_id=trial.run_id, config=trial.values
    )
    return TrainingSession.open(request)


def logging(
    losses: Callable[[Mapping[str, Any]], Sequence[float]],
) -> Callable[[RunningTrial], int]:
    """Return what runs a trial that logs what ``losses`` gives for its values."""

    def execute(trial: RunningTrial) -> int:
        session = open_run(trial)
        for step, loss in enumerate(losses(trial.values)):
            session.log_row({"loss": loss}, step)
        session.end_run("completed")
        return 0

    return execute


def new_sweep(folder: Path, method: str, parameters: Mapping[str, Any], **more: Any) -> Sweep:
    config = {
        "method": method,
        "parameters": parameters,
        "metric": {"name": "loss"},
        "seed": 1,
        **more,
    }
    return Sweep.create(config, project="p", settings=settings_in(folder))
