"""Agents: several at once, in several processes, and trials that do not end well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quark.errors import TrainingStoppedError
from quark.session.reading import load_context
from quark.sweeps import Agent, AgentConfig, RunningTrial, Sweep
from quark.sweeps.lease import Lease, is_alive
from quark.sweeps.program import run_program
from tests.sweeps.trials import logging, new_sweep, open_run

FAST = AgentConfig(poll_seconds=0.02)
SCORED = logging(lambda values: [float(values["a"])])


def child(name: str, folder: Path, sweep_id: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.sweeps.children", name, str(folder), sweep_id]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_three_agents_in_two_processes_run_thirty_trials_once_each(tmp_path: Path) -> None:
    with new_sweep(
        tmp_path, "grid", {"a": {"min": 1, "max": 10}, "b": {"values": [1, 2, 3]}}
    ) as sweep:
        children = [child(name, tmp_path, sweep.id) for name in ("work_with_two_threads", "work")]
        for process in children:
            assert process.communicate(timeout=60)[1] == ""

        trials = sweep.trials()
        assert [trial.number for trial in trials] == list(range(1, 31))
        assert sorted(trial.point for trial in trials if trial.point is not None) == list(range(30))
        assert {trial.state for trial in trials} == {"completed"}
        assert [trial.metric for trial in trials] == [float(trial.values["a"]) for trial in trials]
        assert len({trial.run_id for trial in trials}) == 30
        assert len({trial.agent for trial in trials}) == 3
        assert len({trial.pid for trial in trials}) == 2
        assert sweep.state == "finished"
        runs = sweep.store.records.list_runs()
        assert sorted(run.id for run in runs) == sorted(trial.run_id for trial in trials)
        assert {run.status for run in runs} == {"completed"}


def test_a_sweep_goes_on_after_its_agent_was_killed(tmp_path: Path) -> None:
    with new_sweep(tmp_path, "grid", {"a": {"values": [1, 2, 3, 4]}}) as sweep:
        killed = child("hang_in_third_trial", tmp_path, sweep.id)
        assert killed.stdout is not None
        assert killed.stdout.readline() == "hanging\n"
        assert sweep.trial(3).state == "running"
        killed.kill()
        killed.communicate()

        Agent(sweep, SCORED, config=FAST).run()

        trials = sweep.trials()
        assert [(trial.values["a"], trial.state) for trial in trials] == [
            (1, "completed"),
            (2, "completed"),
            (3, "lost"),
            (3, "completed"),
            (4, "completed"),
        ]
        assert (trials[2].metric, trials[2].reason) == (0.25, "process_lost")
        assert load_context(trials[2].run_id, sweep.settings).run.status == "failed"
        assert sweep.state == "finished"


def test_a_failing_trial_does_not_stop_the_sweep(tmp_path: Path) -> None:
    def execute(trial: RunningTrial) -> int:
        if trial.values["a"] == 2:
            raise ValueError("no such thing")
        if trial.values["a"] == 3:
            raise SystemExit(7)
        return SCORED(trial)

    with new_sweep(tmp_path, "grid", {"a": {"values": [1, 2, 3, 4]}}) as sweep:
        Agent(sweep, execute, config=FAST).run()

        assert [(trial.state, trial.exit_code) for trial in sweep.trials()] == [
            ("completed", 0),
            ("failed", 1),
            ("failed", 7),
            ("completed", 0),
        ]
        assert sweep.trial(2).reason == "ValueError: no such thing"
        best = sweep.best_trial()
        assert best is not None
        assert best.values == {"a": 1}


@pytest.mark.parametrize(
    ("config", "failing", "run_count"),
    [
        pytest.param(FAST, {2, 4, 5}, 5, id="three-in-the-first-minute"),
        pytest.param(
            AgentConfig(early_seconds=1e-9, poll_seconds=1),
            {*range(1, 9)},
            5,
            id="five-at-the-start",
        ),
        pytest.param(
            AgentConfig(early_failures=None, consecutive_failures=2),
            {1, 3, 5, 6},
            6,
            id="two-in-a-row",
        ),
        pytest.param(
            AgentConfig(early_failures=None, initial_failures=None), {*range(1, 9)}, 8, id="never"
        ),
    ],
)
def test_an_agent_gives_up_when_too_much_fails(
    tmp_path: Path, config: AgentConfig, failing: set[int], run_count: int
) -> None:
    def execute(trial: RunningTrial) -> int:
        return int(trial.number in failing)

    with new_sweep(tmp_path, "grid", {"a": {"min": 1, "max": 8}}) as sweep:
        assert len(Agent(sweep, execute, config=config).run()) == run_count


def test_ctrl_c_ends_the_agent_and_gives_the_trial_back(tmp_path: Path) -> None:
    def interrupted(trial: RunningTrial) -> int:
        raise KeyboardInterrupt

    with new_sweep(tmp_path, "grid", {"a": {"values": [1, 2]}}) as sweep:
        with pytest.raises(KeyboardInterrupt):
            Agent(sweep, interrupted, config=FAST).run()
        Agent(sweep, SCORED, config=FAST).run(count=1)

        assert [(trial.values["a"], trial.state) for trial in sweep.trials()] == [
            (1, "interrupted"),
            (1, "completed"),
        ]


def test_hyperband_ends_what_falls_behind_while_it_runs(tmp_path: Path) -> None:
    """Trials log for as long as they may; the third is worse than both before it."""

    def execute(trial: RunningTrial) -> int:
        session = open_run(trial)
        base = {1: 0.2, 2: 0.1, 3: 0.9, 4: 0.05}[trial.values["a"]]
        for step in range(10):
            session.log_row({"loss": base / (step + 1)}, step)
            if step == 4 and trial.values["a"] == 3:
                assert trial.stopping.wait(60)
            try:
                trial.check()
            except TrainingStoppedError as error:
                session.end_after(error)
                raise
        session.end_run("completed")
        return 0

    with new_sweep(
        tmp_path,
        "grid",
        {"a": {"values": [1, 2, 3, 4]}},
        early_terminate={"type": "hyperband", "min_iter": 3},
    ) as sweep:
        Agent(sweep, execute, config=FAST).run()

        trials = sweep.trials()
        assert [trial.state for trial in trials] == [
            "completed",
            "completed",
            "stopped",
            "completed",
        ]
        assert trials[2].reason == "hyperband: not among the best after 3 values of loss"
        assert list(trials[2].brackets) == pytest.approx([0.3])
        assert list(trials[3].brackets) == pytest.approx([0.05 / 3, 0.05 / 9])
        run = load_context(trials[2].run_id, sweep.settings).run
        assert run.end_reason == f"stopped by sweep {sweep.id}: {trials[2].reason}"


def test_a_paused_sweep_gives_nothing_away_until_it_is_resumed(tmp_path: Path) -> None:
    with new_sweep(tmp_path, "grid", {"a": {"values": [1, 2]}}) as sweep:
        sweep.pause()
        lease = Lease(sweep.root)
        assert sweep.claim(lease) == "wait"
        agent = threading.Thread(target=Agent(sweep, SCORED, config=FAST).run)
        agent.start()
        assert sweep.trials() == []

        sweep.resume()
        agent.join(60)

        assert [trial.state for trial in sweep.trials()] == ["completed", "completed"]
        lease.release()


def test_a_cancelled_sweep_ends_its_trials_and_a_stopped_one_lets_them_go_on(
    tmp_path: Path,
) -> None:
    def stopping(trial: RunningTrial) -> int:
        trial.sweep.stop()
        return SCORED(trial)

    def cancelling(trial: RunningTrial) -> int:
        Sweep.load(trial.sweep.id, trial.sweep.settings).cancel()
        assert trial.stopping.wait(60)
        trial.check()
        return 0

    for execute, ending in ((stopping, "completed"), (cancelling, "stopped")):
        with new_sweep(tmp_path, "random", {"a": {"values": [1, 2]}}) as sweep:
            Agent(sweep, execute, config=FAST).run()

            assert [trial.state for trial in sweep.trials()] == [ending]
            assert sweep.state in ("stopped", "canceled")


# -- programs --------------------------------------------------------------------------------------

OUTLIVES = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
while True:
    signal.pause()
"""


def test_a_program_that_does_not_go_when_it_is_asked_to_is_killed(tmp_path: Path) -> None:
    pipe = tmp_path / "there"
    os.mkfifo(pipe)
    with new_sweep(tmp_path, "random", {"a": {"value": 1}}, run_cap=1) as sweep:
        lease = Lease(sweep.root)

        def cancel_once_it_is_there() -> None:
            pipe.read_bytes()
            sweep.cancel()

        def execute(trial: RunningTrial) -> int:
            threading.Thread(target=cancel_once_it_is_there).start()
            command = [sys.executable, "-c", OUTLIVES, str(pipe)]
            return run_program(trial, command, {}, lease, kill_delay_seconds=0.3)

        Agent(sweep, execute, config=FAST, lease=lease).run()

        (trial,) = sweep.trials()
        assert (trial.state, trial.exit_code) == ("stopped", -signal.SIGKILL)


def test_an_agent_is_there_as_long_as_a_program_of_its_is(tmp_path: Path) -> None:
    lease = Lease(tmp_path)
    waiting = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, pass_fds=(lease.descriptor,)) as program:
        assert is_alive(tmp_path, lease.agent_id)
        os.close(lease.descriptor)  # as if the agent had been killed
        assert is_alive(tmp_path, lease.agent_id)

        program.communicate(b"\n")

    assert not is_alive(tmp_path, lease.agent_id)
    assert not is_alive(tmp_path, "agent-unknown")
