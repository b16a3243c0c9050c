"""What the ``WANDB_*`` variables do here beyond what W&B does with them offline."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import quark.compat.wandb as wandb
from quark.compat.wandb.environment import read_environment, setting_of
from quark.compat.wandb.settings import KNOWN


@pytest.fixture(autouse=True)
def _no_run_stays_open() -> Iterator[None]:
    yield
    wandb.teardown()


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_them(**texts: str) -> None:
        monkeypatch.setenv("WANDB_SILENT", "true")
        for name, text in texts.items():
            monkeypatch.setenv(f"WANDB_{name}", text)

    return set_them


def metadata(run: wandb.Run) -> dict[str, Any]:
    path = Path(".quark", "runs", run.id, "run_metadata.json")
    return dict(json.loads(path.read_text()))


def test_what_is_said_of_the_launch_is_kept(variables: Any) -> None:
    variables(
        PROGRAM="train.py",
        ARGS="--lr 0.1 --api-key secret",
        HOST="node-7",
        USERNAME="ada",
        NOTEBOOK_NAME="try.ipynb",
        X_LABEL="rank 0",
        GIT_COMMIT="0" * 39 + "1",
        GIT_REMOTE_URL="https://example.com/me/repo.git",
    )

    found = metadata(wandb.init())

    expected = {
        "program": "train.py",
        "argv": ["--lr", "0.1", "--api-key", "[redacted]"],
        "host": "node-7",
        "username": "ada",
        "notebook": "try.ipynb",
        "label": "rank 0",
    }
    assert found["launcher"].items() >= expected.items()
    assert found["launcher"]["world_size"] == 1
    assert found["git_sha"] == "0" * 39 + "1"
    assert found["git_remote_url"] == "https://example.com/me/repo.git"


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def test_git_can_be_left_alone(variables: Any, python: str) -> None:
    git("init", "-b", "main")
    Path("train.py").write_text(
        "import quark.compat.wandb as wandb\nprint(wandb.init(id='r', reinit=True).id)\n"
    )
    git("add", "train.py")
    git("commit", "-m", "first")

    def trained() -> dict[str, Any]:
        subprocess.run([python, "train.py"], check=True, capture_output=True)
        return dict(json.loads(Path(".quark/runs/r/run_metadata.json").read_text()))

    variables(DISABLE_GIT="false")
    assert trained()["git_branch"] == "main"
    variables(DISABLE_GIT="true")
    found = trained()
    assert (found["git_sha"], found["git_branch"], found["git_root"]) == (None, None, None)


@pytest.mark.parametrize(
    ("texts", "saved"),
    [
        ({"SAVE_CODE": "true"}, True),
        ({"SAVE_CODE": "true", "DISABLE_CODE": "true"}, False),
        ({}, False),
    ],
    ids=["save", "disabled", "nothing said"],
)
def test_the_script_is_saved_if_that_is_asked_for(
    texts: dict[str, str], saved: bool, variables: Any
) -> None:
    Path("src").mkdir()
    Path("src/train.py").write_text("print('training')")
    variables(**texts, PROGRAM="src/train.py")

    run = wandb.init()

    assert Path(run.dir, "code", "src", "train.py").exists() is saved


def test_config_files_are_read(variables: Any) -> None:
    pytest.importorskip("yaml")
    Path("config-defaults.yaml").write_text("a: {value: 1}\nb: {value: 1}\nc: {value: 1}\n")
    Path("one.yaml").write_text("b: {value: 2}\nc: {value: 2}\n")
    Path("two.yaml").write_text("c: 3\nd: 3\n")
    variables(CONFIG_PATHS="one.yaml,two.yaml")

    assert dict(wandb.init(config={"d": 4}).config) == {"a": 1, "b": 2, "c": 3, "d": 4}


def test_a_config_file_that_is_not_there_is_an_error(variables: Any) -> None:
    variables(CONFIG_PATHS="nowhere.yaml")

    with pytest.raises(wandb.Error, match=r"nowhere\.yaml"):
        wandb.init()


@pytest.mark.parametrize(("text", "disabled"), [("true", True), ("1", True), ("false", False)])
def test_the_old_word_for_disabled_counts(text: str, disabled: bool, variables: Any) -> None:
    variables(DISABLED=text)

    run = wandb.init()

    assert run.disabled is disabled
    assert isinstance(run, wandb.sdk.lib.RunDisabled) is disabled


def test_values_have_their_kinds(variables: Any) -> None:
    variables(
        INIT_TIMEOUT="12.5",
        X_FILE_STREAM_RETRY_MAX="3",
        QUIET="yes",
        SYMLINK="False",
        TAGS="a, b,,",
        RESUME="allow",
        _DISABLE_META="1",
        WATCH="all",
        PROJECT="",
    )

    found = read_environment()

    assert found["init_timeout"] == 12.5
    assert found["x_file_stream_retry_max"] == 3
    assert (found["quiet"], found["symlink"], found["x_disable_meta"]) == (True, False, True)
    assert found["run_tags"] == ("a", "b")
    assert found["resume"] == "allow"
    assert "project" not in found
    assert found.keys() - KNOWN == {"watch"}


def test_a_variable_that_makes_no_sense_is_refused(variables: Any) -> None:
    variables(RESUME="perhaps")

    with pytest.raises(ValueError, match="perhaps"):
        wandb.init()


def test_variables_name_settings() -> None:
    assert {setting_of(name) for name in ("DIR", "HTTP_TIMEOUT", "USER_EMAIL")} <= KNOWN
