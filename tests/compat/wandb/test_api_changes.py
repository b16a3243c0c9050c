"""``wandb.Api`` beyond reading rows: files, changes, projects, people, deleting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb


def init(**arguments: Any) -> wandb.Run:
    return wandb.init(**{"project": "p", "settings": {"silent": True}, **arguments})


def api_run(run_id: str) -> Any:
    return wandb.Api().run(run_id)


# -- files ---------------------------------------------------------------------------------------


@pytest.fixture
def with_files() -> Any:
    with init(id="f", settings={"silent": True, "console": "off"}) as run:
        (Path(run.dir) / "weights").mkdir()
        (Path(run.dir) / "weights" / "last.ckpt").write_bytes(b"12345")
        (Path(run.dir) / "notes.txt").write_text("hello")
    return api_run("f")


def test_files_are_listed(with_files: Any) -> None:
    files = with_files.files()

    described = ["config.yaml", "wandb-metadata.json", "wandb-summary.json"]
    assert [file.name for file in files] == sorted([*described, "notes.txt", "weights/last.ckpt"])
    assert (len(files), files[4].size, files[1].mimetype) == (5, 5, "text/plain")
    assert [file.name for file in with_files.files(names=["notes.txt"])] == ["notes.txt"]
    assert [file.name for file in with_files.files(pattern="%.ckpt")] == ["weights/last.ckpt"]


def test_a_file_is_downloaded(with_files: Any, tmp_path: Path) -> None:
    file = with_files.file("weights/last.ckpt")
    target = tmp_path / "out" / "weights" / "last.ckpt"

    with file.download(root=tmp_path / "out") as opened:
        assert (Path(opened.name), opened.read()) == (target, "12345")
    with pytest.raises(ValueError, match="exists already"):
        file.download(root=tmp_path / "out")
    target.write_text("changed")
    file.download(root=tmp_path / "out", exist_ok=True).close()
    assert target.read_text() == "changed"
    file.download(root=tmp_path / "out", replace=True).close()
    assert target.read_text() == "12345"

    file.delete()
    assert len(with_files.files()) == 4
    for name in ("weights/last.ckpt", "nothing", "../run.db"):
        with pytest.raises(wandb.CommError, match="no file"):
            with_files.file(name)


# -- changes -------------------------------------------------------------------------------------


def changed(run: Any) -> None:
    run.name, run.notes, run.group = "renamed", "noted", "g"
    run.tags.append("new")
    run.config["lr"] = 2
    del run.config["gone"]
    run.summary["acc"] = 0.5
    run.summary["n"] = {"x": [1]}
    del run.summary["old"]
    run.update()


def facts(run: Any) -> dict[str, Any]:
    return {
        "fields": (run.name, run.notes, run.group, run.tags),
        "config": run.config,
        "summary": {key: item for key, item in run.summary.items() if key[0] != "_"},
    }


EXPECTED = {
    "fields": ("renamed", "noted", "g", ["t", "new"]),
    "config": {"lr": 2, "depth": 3},
    "summary": {"loss": 1, "acc": 0.5, "n": {"x": [1]}},
}


def start() -> wandb.Run:
    run = init(id="r", name="first", tags=["t"], config={"lr": 1, "depth": 3, "gone": 0})
    run.log({"loss": 1, "old": 2})
    return run


def test_a_finished_run_is_changed_for_good() -> None:
    start().finish()
    run = api_run("r")

    changed(run)

    assert facts(run) == facts(api_run("r")) == EXPECTED
    assert run.state == "finished"
    assert run.summary["_step"] == 0
    api_run("r").summary.update({"acc": 0.75})
    assert api_run("r").summary["acc"] == 0.75
    assert [found.id for found in wandb.Api().runs("p", {"summary_metrics.acc": 0.75})] == ["r"]


def test_what_was_changed_is_there_when_the_run_goes_on() -> None:
    start().finish()
    changed(api_run("r"))

    run = init(id="r", resume="must")
    run.log({"loss": 0})

    assert (run.name, run.tags, dict(run.config)) == ("renamed", ("t", "new"), EXPECTED["config"])
    assert {key: run.summary[key] for key in ("loss", "acc")} == {"loss": 0, "acc": 0.5}
    run.finish()
    assert api_run("r").summary["acc"] == 0.5


def test_an_open_run_is_changed_in_this_process() -> None:
    run = start()
    found = api_run("r")
    found.name, found.tags = "renamed", ["t", "new"]
    found.config["lr"] = 2
    found.summary["acc"] = 0.5
    found.update()

    assert (run.name, run.tags, run.config.lr, run.summary["acc"]) == (
        *("renamed", ("t", "new"), 2, 0.5),
    )
    run.finish()
    assert api_run("r").summary["acc"] == 0.5


def test_an_update_without_a_change_changes_nothing() -> None:
    start().finish()
    before = facts(api_run("r"))

    api_run("r").update()
    api_run("r").save()

    assert facts(api_run("r")) == before
    run = api_run("r")
    run.tags = ["x" * 65]
    with pytest.raises(ValueError, match="Tag"):
        run.update()


def test_a_run_is_deleted() -> None:
    start().finish()
    run, again = api_run("r"), api_run("r")

    run.delete()

    with pytest.raises(wandb.CommError, match="No run"):
        api_run("r")
    assert len(wandb.Api().runs("p")) == 0
    for call in (again.delete, again.update, again.load):
        with pytest.raises(wandb.CommError):
            call()


# -- the rest ------------------------------------------------------------------------------------


def test_projects_and_people_are_listed() -> None:
    for project in ("b", "a"):
        with init(project=project):
            pass
    api = wandb.Api()

    assert [project.name for project in api.projects()] == ["a", "b"]
    assert api.project("a").path == ["local", "a"]
    assert len(api.projects("nobody")) == 0
    assert api.default_entity == api.viewer.entity == api.runs("a")[0].user.username == "local"
    with pytest.raises(wandb.CommError, match="nothing"):
        api.project("nothing")


def test_runs_are_read_when_they_are_asked_for() -> None:
    runs = wandb.Api().runs("p")
    with init(id="r"):
        pass

    assert [run.id for run in runs] == ["r"]
    assert runs
    assert len(runs[0:1]) == len(runs) == 1
    with pytest.raises(ValueError, match=r"\$near"):
        wandb.Api().runs("p", filters={"$or": [{"config.lr": {"$near": 1}}]})


def test_metadata_says_where_it_ran() -> None:
    with init(id="r"):
        pass

    found = api_run("r").metadata

    assert found["cpu_count"] > 0
    assert found["python"].count(".") == 2
    assert found["startedAt"] == api_run("r").created_at


def test_a_path_names_one_run() -> None:
    with init(id="r", entity="team"):
        pass
    api = wandb.Api()

    for path in ("r", "p/r", "/p/r", "p/runs/r", "team/p/r", "team/p/runs/r"):
        assert api.run(path).path == ["team", "p", "r"]
    for path in ("q/r", "other/p/r", "p/s"):
        with pytest.raises(wandb.CommError):
            api.run(path)
    for path in ("", "a/b/c/d"):
        with pytest.raises(ValueError, match="Path"):
            api.run(path)
