"""Reading runs back: ``wandb.Api``, and the summary of a run that wrote none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.session import TrainingSession
from tests.compat.wandb.driver import without_own


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
    assert without_own(run.summary) == {
        "best": 1,
        "acc": 2,
        "loss": {"min": 1, "max": 3},
        "text": "x",
        "late": "inf",
    }
    assert (run.summary["_step"], run.lastHistoryStep) == (4, 4)
    assert 0 < run.summary["_runtime"] < 60


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
    assert list(found.scan_history(keys=["_step"]))[-1] == {"_step": 999}
    assert list(found.scan_history(keys=["nothing"])) == []
    assert found.lastHistoryStep == 999


def test_history_is_complete_and_says_when_it_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with init(id="h", settings={"quiet": True}) as run:
        for step in range(1000):
            run.log({"loss": step / 2, "count": step})
        run.log({"rare": 1, "text": "x"})
    found = api_run("h")

    frame = found.history()
    some = found.history(samples=5, keys=["loss"])
    rows = found.history(samples=2, pandas=False)

    assert len(frame) == len(found.history(pandas=False)) == 1001
    assert list(frame.columns[:4]) == ["_step", "loss", "count", "rare"]
    assert frame["loss"].dtype == frame["count"].dtype == float  # the last row has neither
    assert frame["_step"].tolist() == list(range(1001))
    assert frame["text"].tolist()[-1] == "x"
    assert frame["rare"].isna().sum() == 1000
    assert (list(some.columns), some["_step"].tolist()) == (
        ["_step", "loss"],
        [0, 250, 500, 749, 999],
    )
    assert found.history(keys=["count"])["count"].dtype == int
    assert [row["_step"] for row in rows] == [0, 1000]
    assert rows[1].keys() == {"_step", "_timestamp", "_runtime", "rare", "text"}
    assert "5 of the 1000 rows" in capsys.readouterr().err


def test_a_long_run_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quark.compat.wandb.history.PART_ROWS", 7)
    with init(id="h") as run:
        for step in range(100):
            run.log({"a": step, "text": "x"} if step % 5 == 0 else {"a": step}, step=step * 3)
    found = api_run("h")

    rows = list(found.scan_history())

    assert [(row["_step"], row["a"]) for row in rows] == [(3 * n, n) for n in range(100)]
    assert sum("text" in row for row in rows) == 20
    steps = [row["_step"] for row in found.scan_history(min_step=10, max_step=31)]
    assert steps == [12, 15, 18, 21, 24, 27, 30]
    assert found.history()["a"].tolist() == list(range(100))


def test_a_late_row_is_a_row_of_its_own_only_where_it_has_to_be() -> None:
    with init(id="late") as run:
        run.log({"loss": 1})
        run.log({"loss": 2})
        run.log({"trial": 7}, step=0)
        run.log({"loss": 5}, step=1)

    found = api_run("late")
    rows = [(row["_step"], row.get("loss"), row.get("trial")) for row in found.scan_history()]
    assert rows == [(0, 1, 7), (1, 2, None), (1, 5, None)]
    assert found.history()["loss"].tolist() == [1, 2, 5]
    assert found.summary["loss"] == 2
    assert "trial" not in found.summary


def test_a_run_can_be_read_while_it_is_written(python: str) -> None:
    script = (
        "import sys\nimport quark.compat.wandb as wandb\n"
        "run = wandb.init(id='live', project='p', settings={'silent': True, 'console': 'off'})\n"
        "run.define_metric('a', summary='max')\n"
        "run.log({'a': 2, 'n': {'x': 1}})\nrun.log({'a': 1}, step=5)\n"
        "print('ready', flush=True)\nsys.stdin.readline()"
    )
    child = subprocess.Popen(
        [python, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    with child.stdout, child.stdin:
        child.stdout.readline()
        found = api_run("live")
        assert found.state == "running"
        assert [row["a"] for row in found.scan_history()] == [2, 1]
        assert without_own(found.summary) == {"a": {"max": 2}, "n": {"x": 1}}
        with pytest.raises(wandb.CommError, match="still being written"):
            found.delete()
    assert child.wait(60) == 0

    own = init(id="own")
    own.log({"a": 1})
    assert [row["a"] for row in api_run("own").scan_history()] == [1]
    own.log({"a": 2})
    assert [row["a"] for row in api_run("own").scan_history()] == [1, 2]
    assert api_run("own").summary["a"] == 2
    own.finish()


def test_the_native_api_reads_what_the_shim_wrote(tmp_path: Path) -> None:
    with init(id="both") as run:
        run.log({"train/loss": 0.5})

    session = TrainingSession.start_run(project="p", storage_dir=tmp_path)
    with session.reading() as store:
        series = store.points.series("both", "train/loss")
    session.end_run()

    assert (series.step.tolist(), series.value.tolist()) == ([0], [0.5])


def test_what_was_set_inside_of_a_summed_up_dict_leaves_the_rest_summed_up() -> None:
    run = killed(
        "wandb.define_metric('n.a', summary='min')\n"
        "wandb.log({'n': {'a': 3, 'b': 1}})\nrun.summary['n']['own'] = 7\n"
        "wandb.log({'n': {'a': 5}})"
    )

    assert run.summary["n"] == {"a": {"min": 3}, "b": 1, "own": 7}
