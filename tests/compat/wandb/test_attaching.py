"""A run in several processes: attached to, unpickled, shared."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb

QUIET = {"silent": True}
SPAWN: Any = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    return wandb.init(**{"project": "p", "settings": QUIET, **arguments})


def api_run(run_id: str, folder: Path | None = None) -> Any:
    return wandb.Api({"dir": folder} if folder else None).run(run_id)


def in_child(function: Any, *arguments: Any) -> None:
    child = SPAWN.Process(target=function, args=arguments)
    child.start()
    child.join(60)
    assert child.exitcode == 0


# -- attaching -----------------------------------------------------------------------------------


def log_by_id(attach_id: str, finish: bool) -> None:
    run = wandb.attach(attach_id)
    assert wandb.run is run
    assert (run.project, run.name, run.config["lr"], run.tags) == ("p", "n", 0.1, ("t",))
    assert run.step == 1
    wandb.log({"in child": 2, "shared": 2})
    run.summary["set in child"] = 5
    run.config.update({"set in child": 6})
    if finish:
        run.finish()


@pytest.mark.parametrize("finish", [True, False], ids=["finishes", "just ends"])
@pytest.mark.parametrize("by", ["id", "attach_id"])
def test_a_spawned_child_attaches(by: str, finish: bool, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" if by == "attach_id" else None
    run = init(id="r", name="n", config={"lr": 0.1}, tags=["t"], dir=folder)
    run.log({"in parent": 1, "shared": 1})

    in_child(log_by_id, run.id if by == "id" else run._attach_id, finish)

    assert wandb.run is run
    run.finish()
    found = api_run("r", folder)
    rows = [{k: v for k, v in row.items() if k[0] != "_"} for row in found.scan_history()]
    assert rows == [{"in parent": 1, "shared": 1}, {"in child": 2, "shared": 2}]
    assert found.state == "finished"
    expected = {"in parent": 1, "in child": 2, "shared": 2, "set in child": 5}
    assert {k: v for k, v in found.summary.items() if k[0] != "_"} == expected
    assert found.config == {"lr": 0.1, "set in child": 6}


def test_what_cannot_be_attached_to_is_refused() -> None:
    init(id="over").finish()

    for wrong in ("over", "never-was"):
        with pytest.raises(wandb.UsageError, match=wrong):
            wandb.attach(wrong)
    with pytest.raises(wandb.UsageError, match="either"):
        wandb._attach()
    assert wandb.run is None
    assert api_run("over").state == "finished"


def test_attaching_in_the_same_process_gives_the_run() -> None:
    run = init()

    assert wandb.attach(run._attach_id) is wandb.attach(run_id=run.id) is wandb._attach(run=run)
    assert wandb.run is run


# -- copies --------------------------------------------------------------------------------------


def test_in_its_process_a_run_is_one_object() -> None:
    run = init()
    logger = {"experiment": run, "lr": 0.1}

    assert pickle.loads(pickle.dumps(run)) is run
    assert copy.deepcopy(logger)["experiment"] is run
    assert copy.copy(run) is run
    run.finish()
    assert pickle.loads(pickle.dumps(run)) is run


def log_with(run: wandb.Run) -> None:
    assert (run.id, run.name, run.project, run.group) == ("r", "n", "p", "g")
    assert os.path.isdir(run.dir)
    run.log({"in child": 2})
    assert wandb.run is run
    assert pickle.loads(pickle.dumps(run)) is run


def test_an_unpickled_run_logs_into_the_same_run(tmp_path: Path) -> None:
    run = init(id="r", name="n", group="g", dir=tmp_path / "elsewhere")

    in_child(log_with, run)

    run.log({"in parent": 1})
    run.finish()
    found = api_run("r", tmp_path / "elsewhere")
    assert [row.get("in child") for row in found.scan_history()] == [2]
    assert found.summary["in child"] == 2
    assert found.summary["in parent"] == 1
    assert found.state == "finished"


def look_at(text: bytes, disabled: bool) -> None:
    run = pickle.loads(text)
    assert run.id == "r"
    assert run.disabled is disabled
    if disabled:
        run.log({"a": 1})
    else:
        with pytest.raises(wandb.UsageError, match="finished"):
            run.log({"a": 1})
        assert run.summary["a"] == 0
    assert wandb.run is None


def test_a_run_that_is_over_is_unpickled_as_that() -> None:
    run = init(id="r")
    run.log({"a": 0})
    kept = pickle.dumps(run)
    run.finish()

    in_child(look_at, kept, False)
    in_child(look_at, pickle.dumps(run), False)

    assert len(list(api_run("r").scan_history())) == 1
    assert api_run("r").state == "finished"


def test_a_run_that_is_gone_is_unpickled_as_a_disabled_one(tmp_path: Path) -> None:
    run = init(id="r")
    kept = pickle.dumps(run)
    run.finish()
    (tmp_path / ".quark").rename(tmp_path / "moved")

    in_child(look_at, kept, True)


def test_a_disabled_run_can_be_pickled() -> None:
    run = init(id="r", mode="disabled", config={"lr": 1})

    assert pickle.loads(pickle.dumps(run)) is run
    in_child(look_disabled, run)


def look_disabled(run: wandb.Run) -> None:
    assert run.disabled
    assert run.config["lr"] == 1


# -- shared --------------------------------------------------------------------------------------

RANK = """
import os, sys
import quark.compat.wandb as wandb
rank = int(sys.argv[1])
keywords = eval(sys.argv[2])
settings = wandb.Settings(silent=True, x_label=f"rank {rank}", **keywords)
run = wandb.init(project="p", id="shared", mode="shared", settings=settings, config={f"r{rank}": 1})
for step in range(20):
    wandb.log({"loss": step, f"loss {rank}": step})
print("ready", flush=True)
sys.stdin.readline()
run.finish()
"""


def start(rank: int, **settings: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RANK, str(rank), repr(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(rank: subprocess.Popen[str]) -> None:
    assert rank.stdout is not None
    assert rank.stdout.readline() == "ready\n"


def end(rank: subprocess.Popen[str]) -> None:
    rank.communicate("\n", timeout=60)
    assert rank.returncode == 0


def check_shared(ranks: int) -> None:
    found = api_run("shared")
    rows = list(found.scan_history())
    for rank in range(ranks):
        assert [row[f"loss {rank}"] for row in rows if f"loss {rank}" in row] == list(range(20))
        assert found.summary[f"loss {rank}"] == 19
        assert found.config[f"r{rank}"] == 1
    assert [row["loss"] for row in rows] == sorted([*range(20)] * ranks)
    assert found.summary["loss"] == 19


def test_processes_that_start_together_share_one_run() -> None:
    ranks = [start(rank) for rank in range(3)]
    for rank in ranks:
        wait_for(rank)
    assert api_run("shared").state == "running"
    for rank in ranks:
        end(rank)

    check_shared(3)
    assert api_run("shared").state == "finished"


@pytest.mark.parametrize("primary_first", [True, False])
def test_the_primary_process_ends_the_run(primary_first: bool) -> None:
    settings = [{"x_primary": True}, {"x_primary": False}]
    order = (0, 1) if primary_first else (1, 0)
    ranks = {}
    for rank in order:
        ranks[rank] = start(rank, **settings[rank])
        wait_for(ranks[rank])

    end(ranks[1])
    assert api_run("shared").state == "running"
    end(ranks[0])

    check_shared(2)
    assert api_run("shared").state == "finished"


def test_a_worker_may_outlive_the_primary_process() -> None:
    primary, worker = start(0), start(1, x_update_finish_state=False)  # whichever comes first
    wait_for(primary)
    wait_for(worker)
    end(primary)
    assert api_run("shared").state == "finished"
    end(worker)
    late = start(2, x_primary=False)
    wait_for(late)
    end(late)

    check_shared(3)
    assert api_run("shared").state == "finished"


def test_a_killed_worker_does_not_end_the_run() -> None:
    primary, worker = start(0, x_primary=True), start(1, x_primary=False)
    wait_for(primary)
    wait_for(worker)
    worker.kill()
    worker.communicate()

    assert api_run("shared").state == "running"
    end(primary)
    check_shared(2)


def test_a_run_that_is_open_elsewhere_is_refused_unless_it_is_asked_for() -> None:
    other = start(0)
    wait_for(other)

    for arguments in ({}, {"resume": "never"}):
        with pytest.raises(wandb.UsageError, match=r"running|exists"):
            init(id="shared", **arguments)
    assert wandb.run is None
    end(other)
    check_shared(1)


def test_a_forked_childs_values_are_in_the_summary() -> None:
    run = init(id="forked")
    run.log({"loss": 3})
    assert api_run("forked").summary["loss"] == 3  # the last value is the one that arrived last
    child = os.fork()
    if child == 0:
        run.log({"loss": 2, "in child": 1}, step=5)
        run.finish()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    run.finish()

    summary = api_run("forked").summary
    assert (summary["loss"], summary["in child"]) == (2, 1)
