"""``wandb.sweep`` and ``wandb.agent``: scripts as they are written for W&B."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb import environment, term
from quark.compat.wandb.sweeps import agents
from quark.compat.wandb.sweeps.active import active_trial
from quark.session import RunRequest, TrainingSession
from quark.sweeps import Sweep, Trial

QUIET = {"silent": True, "x_disable_stats": True}
GRID = {
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"a": {"values": [1, 2, 3]}, "o": {"parameters": {"b": {"value": "x"}}}},
}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(agents, "POLL_SECONDS", 0.02)
    term.set_silent(False)
    yield
    wandb.teardown()
    for name in [name for name in os.environ if name.startswith(("WANDB_", "QUARK_"))]:
        os.environ.pop(name)
    environment.forget()


def init(**arguments: Any) -> wandb.Run:
    return wandb.init(settings=QUIET, **arguments)


def trials(sweep_id: str) -> list[Trial]:
    with Sweep.load(sweep_id) as sweep:
        return sweep.trials()


# -- functions -----------------------------------------------------------------------------------


def test_a_function_is_called_with_each_of_the_values() -> None:
    seen: list[dict[str, Any]] = []

    def train() -> None:
        run = init(project="another", config={"a": 9, "own": 1, "o": {"c": 2}})
        run.config.update({"a": 77, "later": True}, allow_val_change=True)
        seen.append(dict(run.config))
        assert (run.project, run.sweep_id) == ("p", sweep_id)
        assert vars(wandb.config)["_items"] == dict(run.config)  # as transformers asks
        assert os.environ["WANDB_SWEEP_ID"] == sweep_id
        assert os.environ["WANDB_RUN_ID"] == run.id
        wandb.log({"loss": run.config.a * 0.5})

    sweep_id = wandb.sweep(GRID, project="p")
    wandb.agent(sweep_id, function=train, count=2)
    assert wandb.run is None
    assert "WANDB_RUN_ID" not in os.environ
    assert "QUARK_STORAGE_DIR" not in os.environ
    wandb.agent(f"local/p/{sweep_id}", train)

    assert seen == [{"a": a, "own": 1, "o": {"b": "x", "c": 2}, "later": True} for a in (1, 2, 3)]
    found = trials(sweep_id)
    assert [(trial.state, trial.metric) for trial in found] == [
        ("completed", 0.5),
        ("completed", 1.0),
        ("completed", 1.5),
    ]
    runs = [wandb.Api().run(f"p/{trial.run_id}") for trial in found]
    assert [run.config for run in runs] == seen
    assert [run.state for run in runs] == ["finished"] * 3
    free = init(project="free")
    assert (free.project, free.sweep_id) == ("free", None)


def test_what_a_function_leaves_behind_ends_with_its_trial(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def train() -> None:
        run = wandb.init(settings={"x_disable_stats": True, "quiet": True})
        if run.config.a == 2:
            raise ValueError("this one fails")
        if run.config.a == 3:
            wandb.finish(exit_code=4)

    sweep_id = wandb.sweep(lambda: GRID, project="p")
    wandb.agent(sweep_id, train)

    found = trials(sweep_id)
    assert [(trial.state, trial.exit_code) for trial in found] == [
        ("completed", 0),
        ("failed", 1),
        ("failed", 4),
    ]
    states = [wandb.Api().run(trial.run_id).state for trial in found]
    assert states == ["finished", "failed", "failed"]
    told = capsys.readouterr().err
    assert "ValueError: this one fails" in told
    assert "in train" in told  # the traceback, as the script would have had it


def test_ctrl_c_ends_the_agent_quietly() -> None:
    def train() -> None:
        init()
        raise KeyboardInterrupt

    sweep_id = wandb.sweep(GRID, project="p")
    wandb.agent(sweep_id, train)

    (trial,) = trials(sweep_id)
    assert trial.state == "interrupted"
    assert wandb.run is None
    assert not agents.is_running()


def test_a_trial_that_is_ordered_to_end_while_its_run_opens_ends_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_session = TrainingSession.open

    def open_slowly(request: RunRequest) -> TrainingSession:
        session, trial = open_session(request), active_trial()
        assert trial is not None
        assert trial.running is not None
        trial.running.stop("the sweep was cancelled")
        return session

    def train() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(TrainingSession, "open", open_slowly)
            run = init()
        run.log({"loss": 1.0})

    sweep_id = wandb.sweep({**GRID, "run_cap": 1}, project="p")
    wandb.agent(sweep_id, train)

    (trial,) = trials(sweep_id)
    assert (trial.state, trial.reason) == ("stopped", "the sweep was cancelled")


def test_a_trial_that_falls_behind_ends_at_its_next_log() -> None:
    swallowed = []

    def train() -> None:
        run = init()
        loss = {1: 0.1, 2: 0.2, 3: 9.0}[run.config.a]
        for step in range(1_000_000 if run.config.a == 3 else 20):
            try:
                wandb.log({"loss": loss})
            except Exception as error:
                swallowed.append(error)
                if len(swallowed) == 2:  # swallowing it once does not help
                    raise
            if step > 50:
                threading.Event().wait(0.001)

    sweep_id = wandb.sweep(
        {**GRID, "early_terminate": {"type": "hyperband", "min_iter": 2}}, project="p"
    )
    wandb.agent(sweep_id, train)

    found = trials(sweep_id)
    assert [trial.state for trial in found] == ["completed", "completed", "stopped"]
    assert found[2].reason is not None
    assert found[2].reason.startswith("hyperband")
    run = wandb.Api().run(found[2].run_id)
    assert run.state == "failed"
    assert "ended early" in str(swallowed[1])
    init(project="p").log({"loss": 1.0})  # others log on


def test_three_agents_in_two_processes_share_thirty_trials(tmp_path: Path) -> None:
    """Two threads here, one process beside it."""
    config = {**GRID, "parameters": {"a": {"min": 1, "max": 30}}}
    sweep_id = wandb.sweep(config, project="p")
    script = f"""
import quark.compat.wandb as wandb
def train():
    with wandb.init(settings={QUIET!r}) as run:
        run.log({{"loss": run.config.a}})
wandb.agent({sweep_id!r}, train)
"""

    def train() -> None:
        with init(reinit="create_new") as run:
            run.log({"loss": run.config.a})

    with subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True
    ) as other:
        threads = [threading.Thread(target=wandb.agent, args=(sweep_id, train)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = other.communicate(timeout=60)[1]
    assert other.returncode == 0, told

    found = trials(sweep_id)
    assert [trial.number for trial in found] == list(range(1, 31))
    assert sorted(trial.values["a"] for trial in found) == list(range(1, 31))
    assert {trial.state for trial in found} == {"completed"}
    assert [trial.metric for trial in found] == [trial.values["a"] for trial in found]
    sweep = wandb.Api().sweep(f"p/{sweep_id}")
    assert len(sweep.runs) == 30
    assert {run.config["a"] for run in sweep.runs} == set(range(1, 31))


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="ambiguous"):
        wandb.sweep({"method": "random", "parameters": {"a": {"min": 0, "max": 1.0}}})
    with pytest.raises(wandb.UsageError, match="method"):
        wandb.sweep({"parameters": {"a": {"value": 1}}})
    with pytest.raises(wandb.UsageError, match="a dict or a function"):
        wandb.sweep(3)  # type: ignore[arg-type]
    with pytest.raises(wandb.CommError, match="no run 'gone'"):
        wandb.sweep(GRID, project="p", prior_runs=["gone"])
    with pytest.raises(wandb.CommError, match="'nobody'"):
        wandb.agent("nobody", print)
    sweep_id = wandb.sweep(GRID, project="p")
    with pytest.raises(wandb.CommError, match="project is 'p', not 'q'"):
        wandb.agent(sweep_id, print, project="q")
    with pytest.raises(wandb.UsageError, match="has no program"):
        wandb.agent(sweep_id)
    os.environ["WANDB_AGENT_MAX_INITIAL_FAILURES"] = "many"
    with pytest.raises(wandb.UsageError, match="'many'"):
        wandb.agent(sweep_id, print)


def test_a_configuration_is_read_from_a_file_and_from_the_environment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("sweep.yaml").write_text(
        "method: grid\nmetod: x\nproject: from-file\nparameters:\n  a:\n    values: [1, 2]\n"
    )
    Path("broken.yaml").write_text("a: [1")
    Path("empty.yaml").write_text("")

    sweep_id = wandb.sweep("sweep.yaml")

    assert "'metod' is not known" in capsys.readouterr().err
    with Sweep.load(sweep_id) as sweep:
        assert (sweep.project, sweep.config.grid_size) == ("from-file", 2)
    assert os.environ["WANDB_PROJECT"] == "from-file"  # as W&B does, for what is started next
    for name in ("broken.yaml", "empty.yaml", "gone.yaml"):
        with pytest.raises(wandb.UsageError, match=name):
            wandb.sweep(name)


# -- programs ------------------------------------------------------------------------------------

PROGRAM = """
import json, sys
import wandb
run = wandb.init(config={"own": 1, "lr": 7}, settings={"silent": True, "x_disable_stats": True})
assert wandb.__name__ == "quark.compat.wandb", wandb.__name__
wandb.log({"loss": run.config.lr * 2})
with open(f"seen-{run.id}.json", "w") as file:
    json.dump([sys.argv[1:], run.config.as_dict(), run.sweep_id], file)
sys.exit(3 if run.config.lr == 0.25 else 0)
"""


def test_a_program_is_started_for_each_trial() -> None:
    Path("train.py").write_text(PROGRAM)
    sweep_id = wandb.sweep(
        {
            "method": "grid",
            "program": "train.py",
            "metric": {"name": "loss"},
            "parameters": {"lr": {"values": [0.5, 0.25, 1e-05]}, "fast": {"value": True}},
            "command": ["${env}", "${interpreter}", "${program}", "${args_no_boolean_flags}", "x"],
        },
        project="p",
    )

    wandb.agent(sweep_id)

    found = trials(sweep_id)
    assert [(trial.state, trial.exit_code, trial.metric) for trial in found] == [
        ("completed", 0, 1.0),
        ("failed", 3, 0.5),
        ("completed", 0, 2e-05),
    ]
    seen = [json.loads(Path(f"seen-{trial.run_id}.json").read_text()) for trial in found]
    assert seen == [
        [["--fast", f"--lr={lr}", "x"], {"own": 1, "lr": lr, "fast": True}, sweep_id]
        for lr in (0.5, 0.25, 1e-05)
    ]
    assert os.environ.get("PYTHONPATH", "").count("alias") == 0


WAITS = """
import signal
import wandb
run = wandb.init(settings={"silent": True, "x_disable_stats": True})
open("there", "w").close()
signal.pause()
"""


def test_a_signal_ends_the_agent_with_its_program() -> None:
    Path("wait.py").write_text(WAITS)
    os.mkfifo("there")
    sweep_id = wandb.sweep({**GRID, "program": "wait.py"}, project="p")
    script = f"import quark.compat.wandb as w; w.agent({sweep_id!r}, forward_signals=True)"

    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) as agent:
        Path("there").read_bytes()  # until the program has come there
        agent.terminate()
        agent.communicate(timeout=60)

    assert agent.returncode == 0
    (trial,) = trials(sweep_id)
    assert trial.state == "interrupted"
    assert wandb.Api().run(trial.run_id).state == "failed"
