"""Reading runs back: ``wandb.Api``, and the summary of a run that wrote none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.session import TrainingSession


def init(**arguments: Any) -> wandb.Run:
    return wandb.init(**{"project": "p", "settings": {"silent": True}, **arguments})


def api_run(run_id: str) -> Any:
    return wandb.Api().run(run_id)


def killed(body: str) -> Any:
    script = (
        "import os, signal\nimport quark.compat.wandb as wandb\n"
        f"run = wandb.init(id='killed', project='p')\n{body}\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    return api_run("killed")


def test_the_summary_of_a_killed_run_is_made_from_what_it_logged() -> None:
    run = killed(
        "wandb.define_metric('loss', summary='min,max')\n"
        "wandb.define_metric('secret', summary='none')\n"
        "run.summary['best'] = 1\nrun.summary['acc'] = 0\n"
        "for value in (3, 1, 2): wandb.log({'loss': value, 'acc': value, 'secret': value})\n"
        "wandb.log({'gone': 1, 'text': 'x'})\nwandb.log({'gone': None})\n"
        "run.summary['late'] = float('inf')\nrun.config.update({'lr': 1})"
    )

    assert run.state == "crashed"
    assert run.config == {"lr": 1}
    assert run.summary == {
        "best": 1,
        "acc": 2,
        "loss": {"min": 1, "max": 3},
        "text": "x",
        "late": float("inf"),
        "_step": 4,
    }


@pytest.fixture
def three_runs() -> None:
    for index, (lr, group) in enumerate([(0.1, "a"), (0.2, "a"), (0.3, "b")]):
        with init(id=f"r{index}", config={"lr": lr, "model": {"depth": index}}, group=group) as run:
            run.log({"acc": [5, 9, 7][index]})
            run.tags = ("even",) if index % 2 == 0 else ()


@pytest.mark.usefixtures("three_runs")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "r0 r1 r2"),
        ({"group": "a"}, "r0 r1"),
        ({"config.lr": {"$gt": 0.1}}, "r1 r2"),
        ({"config.lr.value": 0.1}, "r0"),
        ({"config.model.depth": {"$in": [0, 2]}}, "r0 r2"),
        ({"summary_metrics.acc": {"$gte": 7, "$lt": 9}}, "r2"),
        ({"tags": "even"}, "r0 r2"),
        ({"tags": {"$in": ["even", "odd"]}}, "r0 r2"),
        ({"tags": {"$nin": ["even"]}}, "r1"),
        ({"$or": [{"group": "b"}, {"config.lr": 0.1}]}, "r0 r2"),
        ({"$and": [{"group": "a"}, {"state": "finished"}]}, "r0 r1"),
        ({"state": "failed"}, ""),
        ({"display_name": {"$regex": "-1$"}}, "r0"),
        ({"config.nothing": {"$exists": False}}, "r0 r1 r2"),
        ({"config.nothing": {"$gt": 1}}, ""),
    ],
    ids=str,
)
def test_runs_are_filtered(filters: dict[str, Any], found: str) -> None:
    assert [run.id for run in wandb.Api().runs("p", filters=filters)] == found.split()


@pytest.mark.usefixtures("three_runs")
def test_runs_are_ordered_and_found_by_path() -> None:
    api = wandb.Api()

    assert [run.id for run in api.runs("local/p", order="-summary_metrics.acc")] == [
        *("r1", "r2", "r0")
    ]
    assert len(api.runs("other")) == 0
    assert api.runs()[0].id == api.run("local/p/r0").id == api.run("local/p/runs/r0").id == "r0"
    with pytest.raises(wandb.CommError, match="nothing"):
        api.run("p/nothing")
    with pytest.raises(wandb.CommError, match="of project 'p'"):
        api.run("other/r0")
    with pytest.raises(ValueError, match="Path"):
        api.run("a/b/c/d/e")


def test_history_is_read_in_parts() -> None:
    with init(id="h") as run:
        for step in range(1000):
            run.log({"loss": step / 2, "rare": 1} if step % 100 == 0 else {"loss": step / 2})

    found = api_run("h")
    assert len(list(found.scan_history())) == 1000
    assert [row["_step"] for row in found.scan_history(min_step=5, max_step=8)] == [5, 6, 7]
    rare = list(found.scan_history(keys=["_step", "rare"]))
    assert rare == [{"_step": step, "rare": 1} for step in range(0, 1000, 100)]
    frame = found.history(keys=["loss"])
    assert (len(frame), list(frame.columns)) == (500, ["_step", "loss"])
    assert frame["loss"].tolist()[0::499] == [0.0, 499.5]
    assert len(found.history(samples=7, pandas=False)) == 7
    assert found.lastHistoryStep == 999


def test_the_native_api_reads_what_the_shim_wrote(tmp_path: Path) -> None:
    with init(id="both") as run:
        run.log({"train/loss": 0.5})

    session = TrainingSession.start_run(project="p", storage_dir=tmp_path)
    with session.reading() as store:
        series = store.points.series("both", "train/loss")
    session.end_run()

    assert (series.step.tolist(), series.value.tolist()) == ([0], [0.5])
