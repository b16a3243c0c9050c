"""What the tests of sweeps run in processes of their own:
``python -m tests.sweeps.children NAME FOLDER SWEEP``."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from quark.sweeps import Agent, AgentConfig, RunningTrial, Sweep
from tests.sweeps.trials import logging, open_run, settings_in

FAST = AgentConfig(poll_seconds=0.02)


def work(folder: Path, sweep_id: str) -> None:
    """Run trials until there is none left."""
    with Sweep.load(sweep_id, settings_in(folder)) as sweep:
        Agent(sweep, logging(lambda values: [float(values["a"])]), config=FAST).run()


def work_with_two_threads(folder: Path, sweep_id: str) -> None:
    """Be two agents in one process."""
    agents = [threading.Thread(target=work, args=(folder, sweep_id)) for _ in range(2)]
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join()


def hang_in_third_trial(folder: Path, sweep_id: str) -> None:
    """Run two trials, and stay in the third one after it has logged something."""

    def execute(trial: RunningTrial) -> int:
        if trial.number < 3:
            return logging(lambda values: [float(values["a"])])(trial)
        session = open_run(trial)
        session.log_row({"loss": 0.25}, 0)
        print("hanging", flush=True)
        signal.pause()
        return 0

    with Sweep.load(sweep_id, settings_in(folder)) as sweep:
        Agent(sweep, execute, config=FAST).run()


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
