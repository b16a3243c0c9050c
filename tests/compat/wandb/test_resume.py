"""Going on with a run: every ``resume=`` against a run in every state."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import quark.compat.wandb as wandb

#: Leaves the run "r" after two rows in the state that is asked for.
CHILD = """
import os, signal, sys
import quark.compat.wandb as wandb
run = wandb.init(project="p", id="r", name="n", tags=["t"], notes="noted", config={"lr": 1},
                 settings={"silent": True, "console": "off"})
run.define_metric("loss", summary="min")
run.log({"loss": 3.0, "n": {"x": 1}}, step=4)
run.log({"loss": 5.0}, step=7)
run.summary["best"] = 9
state = sys.argv[1]
if state == "finished":
    run.finish()
elif state == "failed":
    run.finish(exit_code=3)
elif state == "crashed":
    os.kill(os.getpid(), signal.SIGKILL)
elif state == "interrupted":
    os.kill(os.getpid(), signal.SIGTERM)
print("ready", flush=True)
sys.stdin.readline()
"""
STATES = ("finished", "failed", "crashed", "interrupted", "running")


@contextlib.contextmanager
def left(state: str) -> Iterator[None]:
    """Have another process leave the run "r" in a state; it ends when this does."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdout, child.stdin:
        child.stdout.readline()
        yield
    child.wait(60)


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    return wandb.init(**{"project": "p", "settings": {"silent": True}, **arguments})


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("resume", ["allow", "must", "auto", True])
def test_a_known_run_is_gone_on_with(resume: Any, state: str) -> None:
    with left(state):
        run = init(id="r", resume=resume)

        assert (run.id, run.resumed, run.step, run.starting_step) == ("r", True, 8, 8)
        assert (run.name, run.tags, run.notes) == ("n", ("t",), "noted")
        assert dict(run.config) == {"lr": 1}
        assert run.summary["loss"]["min"] == 3
        assert (run.summary["n"]["x"], run.summary["best"]) == (1, 9)
        run.log({"loss": 4})
        assert run.summary["loss"]["min"] == 3
        run.log({"loss": 2})
        assert run.summary["loss"]["min"] == 2
        run.finish()

    found = wandb.Api().run("r")
    assert [row["_step"] for row in found.scan_history(keys=["_step", "loss"])] == [4, 7, 8, 9]
    assert found.state == "finished"
    assert found.summary["loss"] == {"min": 2}


@pytest.mark.parametrize("state", STATES)
def test_never_refuses_a_known_run(state: str) -> None:
    with left(state), pytest.raises(wandb.UsageError, match="exists"):
        init(id="r", resume="never")


@pytest.mark.parametrize("state", STATES)
def test_auto_without_an_id_goes_on_only_with_what_did_not_end_well(state: str) -> None:
    with left(state):
        run = init(resume="auto")

        assert (run.id == "r") == run.resumed == (state in ("failed", "crashed", "interrupted"))
        run.finish()


@pytest.mark.parametrize("resume", ["allow", "never", "auto", True, False, None])
def test_an_unknown_run_is_started(resume: Any) -> None:
    run = init(id="new", resume=resume)

    assert (run.id, run.resumed, run.step) == ("new", False, 0)


@pytest.mark.parametrize("run_id", ["new", None])
def test_must_refuses_an_unknown_run(run_id: str | None) -> None:
    with pytest.raises(wandb.UsageError):
        init(id=run_id, resume="must")


def test_what_is_given_anew_counts() -> None:
    init(id="r", name="old", tags=["a"], config={"lr": 1, "depth": 2}).finish()

    run = init(id="r", resume="must", name="new", tags=["b"], config={"lr": 5})

    assert (run.name, run.tags, dict(run.config)) == ("new", ("b",), {"lr": 5, "depth": 2})


def test_a_run_that_is_killed_twice_has_one_summary() -> None:
    script = (
        "import os, signal\nimport quark.compat.wandb as wandb\n"
        "run = wandb.init(id='r', project='p', resume='allow', settings={'silent': True})\n"
        "run.define_metric('loss', summary='mean,first')\n"
        "run.log({'loss': run.step, 'n': {'x': run.step}})\nrun.log({'loss': 10}, step=run.step)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", script], check=False, cwd=os.getcwd())
        assert ended.returncode == -signal.SIGKILL

    found = wandb.Api().run("r")
    assert [row["loss"] for row in found.scan_history()] == [0, 10, 2, 10]
    assert found.summary["loss"] == {"mean": 5.5, "first": 0}
    assert found.summary["n"] == {"x": 2}
    assert found.lastHistoryStep == 3


def test_a_deleted_run_is_unknown() -> None:
    with init(id="r") as run:
        run.log({"a": 1})
    wandb.Api().run("r").delete()

    with pytest.raises(wandb.UsageError, match="no run 'r'"):
        init(id="r", resume="must")
    with init(id="r", resume="allow") as run:
        assert (run.resumed, run.step) == (False, 0)
        run.log({"a": 2})
    assert [row["a"] for row in wandb.Api().run("r").scan_history()] == [2]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing put into the store."""
    monkeypatch.setenv("QUARK_MODE", "offline")


KILLED = """
import os, signal
import quark.compat.wandb as wandb
run = wandb.init(id="r", project="p", resume="allow", config={"lr": 1}, settings={"silent": True})
run.define_metric("loss", summary="min")
run.log({"loss": 3 + run.step, "n": {"x": 1}})
run.summary["best"] = 9
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("resume", ["allow", "must", "auto"])
def test_a_run_that_nothing_was_delivered_of_is_gone_on_with(
    resume: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED], check=False, cwd=os.getcwd())

    run = init(resume=resume, **({} if resume == "auto" else {"id": "r"}))

    assert (run.id, run.resumed, run.step, dict(run.config)) == ("r", True, 2, {"lr": 1})
    assert (run.summary["loss"]["min"], run.summary["best"], run.summary["n"]["x"]) == (3, 9, 1)
    run.log({"loss": 1})
    assert [row["loss"] for row in wandb.Api().run("r").scan_history()] == [3, 4, 1]
    run.finish()
    with init(id="r", resume="must") as run:
        assert run.step == 3
        run.log({"loss": 7})
    with pytest.raises(wandb.UsageError, match="exists"):
        init(id="r", resume="never")
    with pytest.raises(wandb.UsageError):
        init(id="unknown", resume="must")
    with pytest.raises(wandb.CommError, match="offline"):
        init(fork_from="r?_step=1")
    assert len(wandb.Api().runs("p")) == 0

    monkeypatch.delenv("QUARK_MODE")
    found = wandb.Api().run("r")  # now everything is delivered, in the order in which it came
    assert [row["loss"] for row in found.scan_history()] == [3, 4, 1, 7]
    assert (found.state, found.summary["loss"], found.config) == ("finished", {"min": 1}, {"lr": 1})
    assert [run.id for run in wandb.Api().runs("p")] == ["r"]


@pytest.mark.usefixtures("offline")
def test_auto_begins_anew_where_all_ended_well() -> None:
    init(id="r").finish()

    with init(resume="auto") as run:
        assert (run.id == "r", run.resumed) == (False, False)
