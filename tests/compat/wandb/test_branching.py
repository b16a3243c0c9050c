"""``fork_from`` and ``resume_from``: runs that begin with the past of another, or of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.branching import RunMoment


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    settings = {"silent": True, "console": "off"}
    return wandb.init(**{"project": "p", "settings": settings, **arguments})


def rows(run_id: str, *keys: str) -> list[Any]:
    found = wandb.Api().run(run_id).scan_history()
    return [tuple(row.get(key) for key in ("_step", *keys)) for row in found]


def first_run(**arguments: Any) -> None:
    """Leave the run "r": rows 0 to 9, a minimum, texts, a config that changes before row 5."""
    with init(id="r", name="n", config={"lr": 1, "depth": 2}, tags=["t"], **arguments) as run:
        run.define_metric("loss", summary="min")
        for step in range(10):
            if step == 5:
                run.config.update({"lr": 5}, allow_val_change=True)
                run.summary["best"] = "five"
            run.log({"loss": 10 - step, "text": f"t{step}", "n": {"x": step}})
        run.summary["best"] = "end"


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_fork_goes_on_from_a_step_of_another_run(mode: str) -> None:
    first_run(mode=mode)

    run = init(fork_from="r?_step=6", config={"own": 1}, mode=mode)

    assert run.id != "r"
    assert (run.resumed, run.step, run.starting_step) == (False, 7, 7)
    assert dict(run.config) == {"lr": 5, "depth": 2, "own": 1}
    assert (run.summary["loss"]["min"], run.summary["best"]) == (4, "five")
    assert (run.summary["text"], run.summary["n"]["x"]) == ("t6", 6)
    assert run.tags == ()
    run.log({"loss": 2})
    run.log({"loss": 8})
    run.finish()

    expected = [(step, 10 - step, f"t{step}") for step in range(7)]
    assert rows(run.id, "loss", "text") == [*expected, (7, 2, None), (8, 8, None)]
    found, source = wandb.Api().run(run.id), wandb.Api().run("r")
    assert found.summary["loss"] == {"min": 2}
    runtimes = [row["_runtime"] for row in found.scan_history()]
    assert runtimes[:7] == [row["_runtime"] for row in source.scan_history()][:7]
    assert all(0 <= runtime < 60 for runtime in runtimes)
    assert len(rows("r")) == 10
    assert source.summary["best"] == "end"

    child = init(fork_from=RunMoment(run.id, 3), id="child")
    assert (child.id, child.step, child.config["lr"]) == ("child", 4, 1)
    assert "best" not in child.summary
    child.finish()
    assert rows("child", "loss") == [(step, 10 - step) for step in range(4)]


def test_a_run_is_wound_back_and_nothing_is_lost() -> None:
    first_run()
    before = rows("r", "loss", "text")

    run = init(resume_from="r?_step=4", tags=["again"])

    assert (run.id, run.name, run.tags) == ("r", "n", ("again",))
    assert (run.resumed, run.step) == (True, 5)
    assert dict(run.config) == {"lr": 1, "depth": 2}
    assert run.summary["loss"]["min"] == 6
    assert "best" not in run.summary
    run.log({"loss": 100})
    run.finish()

    assert rows("r", "loss", "text") == [*before[:5], (5, 100, None)]
    found = wandb.Api().run("r")
    assert (found.summary["loss"], found.lastHistoryStep) == ({"min": 6}, 5)
    assert rows("r~1", "loss", "text") == before
    assert wandb.Api().run("r~1").summary["best"] == "end"
    assert wandb.Api().run("r~1").config["lr"] == 5
    assert [run.id for run in wandb.Api().runs("p")] == ["r"]

    init(resume_from="r?_step=0", id="r").finish()
    assert rows("r", "loss") == [(0, 10)]
    assert len(rows("r~2")) == 6
    init(resume="must", id="r").finish()


def test_files_survive_winding_back() -> None:
    with init(id="r") as run:
        run.log({"a": 1})
        (Path(run.dir) / "model.bin").write_bytes(b"weights")

    with init(resume_from="r?_step=0") as run:
        assert (Path(run.dir) / "model.bin").read_bytes() == b"weights"
        (Path(run.dir) / "model.bin").write_bytes(b"changed")

    assert wandb.Api().run("r~1").file("model.bin").size == len(b"weights")


def test_a_killed_run_is_forked_and_wound_back() -> None:
    script = (
        "import os, signal\nimport quark.compat.wandb as wandb\n"
        "run = wandb.init(id='r', project='p', settings={'silent': True, 'console': 'off'})\n"
        "for step in range(10): run.log({'a': step})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, cwd=os.getcwd())
    assert ended.returncode == -signal.SIGKILL

    with init(fork_from="r?_step=3", id="f") as fork:
        fork.log({"a": 44})
    with init(resume_from="r?_step=5") as run:
        run.log({"a": 66})

    assert rows("f", "a") == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 44)]
    assert rows("r", "a") == [*((step, step) for step in range(6)), (6, 66)]
    assert [run.state for run in wandb.Api().runs("p")] == ["finished", "finished"]


@pytest.mark.parametrize("way", ["fork_from", "resume_from"])
@pytest.mark.parametrize(
    "text",
    [
        *("r", "r?", "?_step=1", "r?_step", "r?_step=", "r?_step=x", "r?loss=1"),
        *("r?_step=1&a=2", "r/x?_step=1", "r?_step=1#x", "r?_step=nan", 3),
    ],
)
def test_what_is_no_moment_is_refused(way: str, text: Any) -> None:
    with pytest.raises(ValueError, match="moment"):
        init(**{way: text})
    with pytest.raises(ValueError, match="moment"):
        wandb.Settings(**{way: text})
    assert wandb.run is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"fork_from": "r?_step=1", "resume_from": "r?_step=1"},
        {"fork_from": "r?_step=1", "resume": "allow"},
        {"resume_from": "r?_step=1", "resume": "must"},
        {"fork_from": "r?_step=1", "id": "r"},
        {"resume_from": "r?_step=1", "id": "other"},
        {"fork_from": "nothing?_step=1"},
        {"resume_from": "nothing?_step=1"},
        {"fork_from": "r?_step=1", "id": "known"},
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(arguments: dict[str, Any]) -> None:
    first_run()
    init(id="known").finish()

    with pytest.raises(wandb.UsageError):
        init(**arguments)

    assert wandb.run is None
    assert [run.id for run in wandb.Api().runs("p")] == ["r", "known"]


def test_a_run_that_is_open_cannot_be_wound_back_but_forked() -> None:
    run = init(id="r")
    for step in range(3):
        run.log({"a": step})

    with pytest.raises(wandb.UsageError, match="still open"):
        init(resume_from="r?_step=1", reinit="create_new")
    with init(fork_from="r?_step=1", reinit="create_new", id="f"):
        run.log({"a": 3})
    run.finish()

    assert rows("f", "a") == [(0, 0), (1, 1)]
    assert len(rows("r")) == 4


def test_a_disabled_branch_is_a_disabled_run() -> None:
    assert init(fork_from="r?_step=1", mode="disabled").disabled
