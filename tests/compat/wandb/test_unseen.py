"""What scripts that nobody here had seen do, and what came to light when they were run."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.alert import may_say
from quark.compat.wandb.errors import InvalidSettingError
from tests.support.clock import FakeClock


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(project="p", config={"lr": 1, "model": {"layers": [1, 2]}}, settings=QUIET)


QUIET = {"silent": True}


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda config: pickle.loads(pickle.dumps(config))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_config_in_a_checkpoint_is_its_values_and_changes_no_run(
    run: wandb.Run, copied: Any
) -> None:
    other = copied(wandb.config)
    other.update({"lr": 2, "new": 3}, allow_val_change=True)

    assert dict(other) == {"lr": 2, "model": {"layers": [1, 2]}, "new": 3}
    assert dict(run.config) == {"lr": 1, "model": {"layers": [1, 2]}}
    assert other.model == {"layers": [1, 2]}
    with pytest.raises(AttributeError, match="no key 'missing'"):
        _ = other.missing


def test_saving_without_a_file_does_nothing_as_in_old_scripts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = wandb.init(project="p")
    capsys.readouterr()
    wandb.run.name = "renamed"  # type: ignore[union-attr]

    assert wandb.run.save() == wandb.save() == []  # type: ignore[union-attr]

    assert capsys.readouterr().err.count("save() without a file") == 1
    run.finish()
    assert wandb.Api().run(run.id).name == "renamed"


@pytest.mark.parametrize("argument", ["entity", "project", "id", "name", "notes", "group"])
@pytest.mark.parametrize("value", [5, 0.5, Path("x")], ids=["int", "float", "path"])
def test_what_names_a_run_is_a_text_or_refused_by_its_name(argument: str, value: Any) -> None:
    with pytest.raises(InvalidSettingError, match=rf"^{argument} is .* must be a text"):
        wandb.init(settings=QUIET, **{argument: value})
    assert wandb.run is None


def test_a_new_name_or_new_notes_are_a_text_too(run: wandb.Run) -> None:
    for attribute in ("name", "notes"):
        before = getattr(run, attribute)
        with pytest.raises(InvalidSettingError, match=f"^{attribute} is 7"):
            setattr(run, attribute, 7)
        assert getattr(run, attribute) == before


def test_what_a_sweep_uses_itself_is_not_said_to_be_used_by_the_script() -> None:
    script = (
        "import quark.compat.wandb as wandb\n"
        "wandb.sweep({'method': 'grid', 'parameters': {'a': {'values': [1]}}}, project='p')\n"
        "print([use.name for use in wandb.compat_report() if 'env' in use.name])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )

    assert result.stdout == "[]\n"


def test_an_empty_folder_is_the_working_folder(tmp_path: Path) -> None:
    with wandb.init(dir="", settings=QUIET) as run:
        run.log({"a": 1})

    assert wandb.Api().run(run.id).summary["a"] == 1


def test_a_run_whose_folder_cannot_be_written_is_kept_in_the_one_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    with wandb.init(project="p", dir=tmp_path / "file" / "runs") as run:
        run.log({"a": 1})
        assert Path(run.dir).is_dir()
        assert tmp_path / "temporary" in Path(run.dir).parents

    said = capsys.readouterr().err
    assert "Not a directory" in said
    assert "lost" not in said.replace("nothing is lost", "")
    assert wandb.Api({"dir": tmp_path / "temporary"}).run(run.id).summary["a"] == 1


def test_a_disabled_run_says_no_alert(capsys: pytest.CaptureFixture[str]) -> None:
    with wandb.init(mode="disabled") as run:
        run.alert("title", "text")

    assert "title" not in capsys.readouterr().err


def test_an_alert_in_a_loop_is_kept_each_time_and_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with wandb.init(project="p") as run:
        for step in range(50):
            run.alert("Low accuracy", f"at step {step}", wait_duration=timedelta(minutes=5))
        run.alert("Another", "text")

    said = capsys.readouterr().err
    assert said.count("quark: Low accuracy") == 1
    assert said.count("quark: Another: text") == 1


@pytest.mark.parametrize("wait", [5, 5.0, timedelta(seconds=5)], ids=str)
def test_an_alert_is_said_again_after_its_time(wait: Any, request: pytest.FixtureRequest) -> None:
    clock, run_id = FakeClock(), request.node.name

    assert may_say(run_id, "title", wait, clock)
    clock.advance(4.9)
    assert not may_say(run_id, "title", wait, clock)
    assert may_say(run_id, "other", wait, clock)
    clock.advance(0.2)
    assert may_say(run_id, "title", wait, clock)


@pytest.mark.parametrize("curve", ["roc_curve", "pr_curve"])
def test_the_probabilities_of_one_class_alone_are_refused_with_the_way_out(curve: str) -> None:
    np = pytest.importorskip("numpy")
    truth, of_second = [0, 1, 1], np.array([0.1, 0.5, 0.9])
    draw = getattr(wandb.plot, curve)

    with pytest.raises(IndexError, match=r"shape \(3,\).*\(samples, classes\)"):
        draw(truth, of_second)
    assert draw(truth, np.stack([1 - of_second, of_second], axis=1)).table.data
