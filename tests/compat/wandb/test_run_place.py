"""``<dir>/wandb/run-<time>-<id>``: the folder that scripts and libraries look into."""

from __future__ import annotations

import glob
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb

QUIET = {"silent": True}


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


def init(**arguments: Any) -> wandb.Run:
    return wandb.init(**{"project": "p", "settings": QUIET, **arguments})


def test_the_folder_is_laid_out_as_wandbs(tmp_path: Path) -> None:
    run = init(id="k3x9q0ab")

    folder = Path(run.dir).parent
    assert re.fullmatch(r"run-\d{8}_\d{6}-k3x9q0ab", folder.name)
    assert folder.parent == tmp_path / "wandb"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("files", "logs", "run-k3x9q0ab.wandb", "tmp"),
    ]
    assert "kept by Quark" in (folder / "run-k3x9q0ab.wandb").read_text()
    assert os.path.samefile(tmp_path / "wandb" / "latest-run", folder)


def test_what_libraries_look_for_is_there(tmp_path: Path) -> None:
    init(id="one").finish()
    run = init(id="two", dir=tmp_path)

    (latest,) = glob.glob("wandb/latest-run/run-*")  # as lerobot finds its id
    found = re.search(r"run-([^\.]+).wandb", latest)
    assert found is not None
    assert found.group(1) == run.id == "two"
    ids = {Path(path).stem for path in glob.glob("wandb/*run-*/run-*.wandb")}  # as ultralytics
    assert ids == {"run-one", "run-two"}


def test_what_is_written_into_run_dir_is_the_runs() -> None:
    run = init(id="r")
    Path(run.dir, "model.txt").write_text("weights")
    run.finish()

    assert Path(".quark/runs/r/files/model.txt").read_text() == "weights"
    assert Path(run.dir, "model.txt").exists()


@pytest.mark.parametrize("mode", ["online", "offline", "shared", "dryrun"])
def test_settings_say_where_it_is(mode: str) -> None:
    run = init(mode=mode)

    settings = run.settings
    assert settings.files_dir == run.dir
    assert settings.sync_dir == run.sync_dir == os.path.dirname(run.dir)
    assert settings.wandb_dir == os.path.join(os.getcwd(), "wandb")
    assert settings.run_mode == ("offline-run" if mode in ("offline", "dryrun") else "run")
    assert os.path.basename(run.sync_dir) == f"{settings.run_mode}-{settings.timespec}-{run.id}"
    assert os.path.exists(settings.sync_file)
    assert os.path.isdir(settings.log_dir)
    with pytest.raises(ValueError, match="timespec"):
        settings.timespec = "now"


def test_a_relative_folder_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = init(dir=Path("out"))
    (tmp_path / "x.txt").write_text("x")

    assert run.dir == f"out/wandb/run-{run.settings.timespec}-{run.id}/files"
    assert wandb.save("x.txt") == [f"{run.dir}/x.txt"]
    monkeypatch.chdir(tmp_path / "out")
    assert os.path.isdir(run.dir), "also after the script has gone elsewhere"


def test_a_folder_that_is_moved_is_still_whole(tmp_path: Path) -> None:
    run = init(dir="out")
    Path(run.dir, "a.txt").write_text("a")
    run.finish()

    shutil.move("out", "moved")

    assert (tmp_path / "moved" / "wandb" / "latest-run" / "files" / "a.txt").read_text() == "a"


def test_where_it_is_put(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def folder(**arguments: Any) -> Path:
        with init(**arguments) as run:
            return Path(run.settings.wandb_dir).parent.relative_to(tmp_path)

    monkeypatch.setenv("QUARK_STORAGE_DIR", str(tmp_path / "kept"))
    assert folder() == Path("kept")
    assert folder(dir=tmp_path / "out") == Path("out")
    wandb.teardown()
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "from-variable"))
    assert folder() == Path("from-variable")
    assert len(list((tmp_path / "kept" / ".quark" / "runs").iterdir())) == 3
    (tmp_path / "hidden" / ".wandb").mkdir(parents=True)
    with init(dir=tmp_path / "hidden") as run:
        assert ".wandb" in run.dir


def test_without_links_there_is_no_latest_run() -> None:
    run = init(settings={"silent": True, "symlink": False})

    assert not Path("wandb/latest-run").exists()
    assert os.path.isdir(run.dir)


def test_latest_run_follows(tmp_path: Path) -> None:
    for _ in range(3):
        with init() as run:
            assert os.path.samefile("wandb/latest-run", os.path.dirname(run.dir))
    assert [path.name for path in tmp_path.glob("wandb/.*")] == []


@pytest.mark.parametrize("obstacle", ["a file in the way", "no links"])
def test_a_place_that_cannot_be_made_is_no_error(
    obstacle: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if obstacle == "no links":

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError("links are not possible here")

        monkeypatch.setattr(Path, "symlink_to", refuse)
    else:
        (tmp_path / "wandb").write_text("")

    run = wandb.init(id="r")

    assert Path(run.dir) == tmp_path / ".quark" / "runs" / "r" / "files"
    Path(run.dir, "a.txt").write_text("a")
    wandb.save("*.nothing")
    run.finish()
    assert "cannot be made" in capsys.readouterr().err


def test_where_nothing_can_be_written_run_dir_is_temporary(tmp_path: Path) -> None:
    (tmp_path / "wandb").write_text("")
    (tmp_path / ".quark" / "runs" / "r").mkdir(parents=True)
    (tmp_path / ".quark" / "runs" / "r" / "files").write_text("in the way")

    run = init(id="r")

    assert os.path.isdir(run.dir)
    assert not Path(run.dir).is_relative_to(tmp_path / ".quark")
    run.log({"a": 1})
    run.finish()
    shutil.rmtree(run.dir)


def test_what_ignore_globs_means_is_not_saved(tmp_path: Path) -> None:
    for name in ("a.txt", "b.pt"):
        (tmp_path / name).write_text(name)
    run = init(settings={"silent": True, "ignore_globs": ["*.pt"]})

    assert wandb.save("*.*") == [f"{run.dir}/a.txt"]
    assert os.listdir(run.dir) == ["a.txt"]
