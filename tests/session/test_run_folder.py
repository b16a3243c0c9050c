"""The files that a run's folder gets before training, and that nothing can stop a training."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from quark import jsonio, redact, settings
from quark.session import environment
from quark.session.run_folder import complete_git_status, write_run_folder

CREATED_AT = "2026-05-07T00:00:00.000000Z"
SECRET = "hunter2hunter2"


@pytest.fixture
def run_path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "runs" / "run_1"


def read(path: Path) -> Any:
    return jsonio.loads(path.read_bytes())


def test_the_folder_says_how_to_repeat_the_run_and_holds_no_secret(
    run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "train.yaml"
    source.write_text(
        "lr: 0.1  # good\n"
        f"hf_token: {SECRET}\n"
        "credentials:\n"
        "  user: bob\n"
        "  inner:\n"
        f"    - {SECRET}\n"
        "\n"
        f"    - name: {SECRET}\n"
        "private_key: |\n"
        f"  {SECRET}\n"
        "max_tokens:\n"
        "  train: 512\n"
    )
    base = tmp_path / "base.toml"
    base.write_text('lr = 1\nurl = "https://bob:hunter2hunter2@example.com/x"\n')
    for name, value in {
        "HF_TOKEN": SECRET,
        "NCCL_DEBUG": "INFO",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "SLURM_JOB_ID": "77",
        "SLURM_PROCID": "3",
        "RANK": "3",
        "WORLD_SIZE": "8",
        "RANKING": "no",
        "MY_PRIVATE_THING": "no",
        "QUARK_USER_KEY": SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    argv = ["train.py", "--api-key", SECRET, "--lr", "0.1"]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "x", f"--password={SECRET}"])

    failures = write_run_folder(
        run_path,
        config={"z": 1, "a": {"api_key": SECRET, "in": Path("/data"), "seed": 3}, "m": ("x",)},
        created_at=CREATED_AT,
        config_path=source,
        base_config_path=base,
    )

    assert failures == ()
    assert sorted(path.name for path in run_path.iterdir()) == [
        "base_config_source.toml",
        "config_source.yaml",
        "resolved_config.json",
        "run_metadata.json",
        "runtime_env.json",
    ]
    for path in run_path.iterdir():
        assert SECRET not in path.read_text(encoding="utf-8")

    resolved = (run_path / "resolved_config.json").read_text(encoding="utf-8")
    assert jsonio.loads(resolved) == {
        "schema_version": 1,
        "config": {
            "z": 1,
            "a": {"api_key": "[redacted]", "in": "/data", "seed": 3},
            "m": ["x"],
        },
        "config_path": str(source),
        "base_config_path": str(base),
        "dataset_seed": 3,
    }
    assert resolved.index('"a"') < resolved.index('"m"') < resolved.index('"z"')
    assert (run_path / "config_source.yaml").read_text() == (
        "lr: 0.1  # good\nhf_token: [redacted]\ncredentials:\n  user: [redacted]\n"
        "  inner:\n    - [redacted]\n\n    - name: [redacted]\nprivate_key: |\n  [redacted]\n"
        "max_tokens:\n  train: 512\n"
    )
    assert (run_path / "base_config_source.toml").read_text() == (
        'lr = 1\nurl = "https://[redacted]@example.com/x"\n'
    )

    runtime = read(run_path / "runtime_env.json")
    variables = runtime["environment"]
    assert variables["NCCL_DEBUG"] == "INFO"
    assert variables["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert variables["RANK"] == "3"
    assert variables["HF_TOKEN"] == variables["QUARK_USER_KEY"] == redact.REDACTED
    assert not {"RANKING", "MY_PRIVATE_THING"} & variables.keys()
    assert runtime["python"]["version"] == sys.version.split()[0]
    assert runtime["cpu_count"] >= runtime["usable_cpu_count"] >= 1
    assert runtime["hostname"]
    assert runtime["platform"]["system"] == "Linux" or sys.platform != "linux"

    written = read(run_path / "run_metadata.json")
    assert written["created_at"] == CREATED_AT
    assert written["launcher"]["argv"] == ["train.py", "--api-key", "[redacted]", "--lr", "0.1"]
    assert written["launcher"]["command"] == ["python", "-m", "x", "--password=[redacted]"]
    assert (written["launcher"]["rank"], written["launcher"]["world_size"]) == (3, 8)
    assert written["launcher"]["slurm"] == {"job_id": "77", "procid": "3"}
    assert written["launcher"]["cwd"] == str(Path.cwd())


def test_versions_are_those_that_importlib_says_and_no_package_is_imported_for_them(
    run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, origin in {
        "trl-1.2.3+local.dist-info": '{"url": "https://x:hunter2@example.com/trl", '
        '"vcs_info": {"vcs": "git", "commit_id": "0a1b"}}',
        "ms_swift-4.0.dist-info": '{"url": "file:///src", "dir_info": {"editable": true}}',
        "peft-0.1.dist-info": "broken",
        "unknown_thing-1.0.dist-info": "{}",
    }.items():
        (tmp_path / "site" / folder).mkdir(parents=True)
        (tmp_path / "site" / folder / "direct_url.json").write_text(origin)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path, "/no/such/folder"])
    before = set(sys.modules)

    assert write_run_folder(run_path, config={}, created_at=CREATED_AT) == ()

    assert not (set(sys.modules) - before) & {"torch", "transformers", "pandas", "scipy", "trl"}
    origins = read(run_path / "run_metadata.json")["upstream"]
    packages = read(run_path / "runtime_env.json")["packages"]
    assert packages == {name: origin["version"] for name, origin in origins.items()}
    assert origins.pop("trl") == {
        "version": "1.2.3+local",
        "url": "https://[redacted]@example.com/trl",
        "commit": "0a1b",
    }
    assert origins.pop("ms-swift") == {"version": "4.0", "url": "file:///src", "editable": True}
    assert origins.pop("peft") == {"version": "0.1"}
    assert "numpy" in origins
    for name, origin in origins.items():
        assert origin["version"] == metadata.version(name)


@pytest.mark.parametrize(
    ("config", "seed"),
    [
        ({}, None),
        ({"seed": 1}, 1),
        ({"seed": 1, "dataset_seed": 2, "random_seed": 3}, 2),
        ({"random_seed": 3, "data": {"dataset_seed": 4}}, 3),
        ({"data": {"seed": 4}}, 4),
        ({"seed": "one", "deep": {"er": {"seed": 5}}}, None),
        ({"seed": True}, None),
        ({"seed": 0}, 0),
    ],
)
def test_the_seed_is_found_at_the_top_of_the_configuration_or_one_level_below(
    run_path: Path, config: dict[str, Any], seed: int | None
) -> None:
    write_run_folder(run_path, config=config, created_at=CREATED_AT)

    assert read(run_path / "resolved_config.json")["dataset_seed"] == seed


def test_what_cannot_be_written_is_returned_with_the_reason_and_the_rest_is_written(
    run_path: Path, tmp_path: Path
) -> None:
    binary = tmp_path / "base.bin"
    binary.write_bytes(b"\xff\xfe\x00")
    endless: dict[str, Any] = {}
    endless["again"] = endless
    (run_path / "runtime_env.json").mkdir(parents=True)

    failures = write_run_folder(
        run_path,
        config=endless,
        created_at=CREATED_AT,
        config_path=tmp_path / "missing.yaml",
        base_config_path=binary,
    )

    assert [failure.partition(":")[0] for failure in failures] == [
        "resolved_config.json",
        "runtime_env.json",
        "config_source.yaml",
        "base_config_source.bin",
    ]
    assert "nests deeper than 200 levels" in failures[0]
    assert "Is a directory" in failures[1]
    assert "No such file or directory" in failures[2]
    assert "is not text in UTF-8" in failures[3]
    assert sorted(path.name for path in run_path.iterdir()) == [
        "run_metadata.json",
        "runtime_env.json",
    ]

    (tmp_path / "file").write_text("")
    (failure,) = write_run_folder(tmp_path / "file" / "run", config={}, created_at=CREATED_AT)
    assert failure.endswith("Not a directory")


def test_nothing_of_the_surroundings_is_written_if_they_are_not_wanted(run_path: Path) -> None:
    write_run_folder(run_path, config={}, created_at=CREATED_AT, capture_environment=False)

    assert sorted(path.name for path in run_path.iterdir()) == [
        "resolved_config.json",
        "run_metadata.json",
    ]
    written = read(run_path / "run_metadata.json")
    assert written["launcher"] is None
    assert written["upstream"] == {}
    assert written["git_sha"] is None


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "code"
    root.mkdir()
    for arguments in (
        ["init", "-q", "-b", "main"],
        ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "1"],
    ):
        subprocess.run(["git", "-C", str(root), *arguments], check=True)
    monkeypatch.chdir(root)
    return root


def test_the_state_of_the_repository_is_completed_later_without_touching_the_rest(
    run_path: Path, repository: Path
) -> None:
    write_run_folder(run_path, config={}, created_at=CREATED_AT)
    before = read(run_path / "run_metadata.json")
    assert len(before["git_sha"]) == 40
    assert before["git_branch"] == "main"
    assert before["git_root"] == str(repository.resolve())
    assert before["git_dirty"] is None

    (repository / "new.py").write_text("")
    assert complete_git_status(run_path, repository) is None

    assert read(run_path / "run_metadata.json") == {
        **before,
        "git_dirty": True,
        "git_status_porcelain": "?? new.py\n",
    }
    assert [path.name for path in run_path.iterdir() if path.name.startswith(".")] == []


def test_what_only_git_can_read_is_asked_of_git_and_a_failure_is_written_down(
    run_path: Path, repository: Path, tmp_path: Path
) -> None:
    write_run_folder(run_path, config={}, created_at=CREATED_AT)
    before = read(run_path / "run_metadata.json")
    unread = {**before, "git_sha": None, "git_branch": None}
    (run_path / "run_metadata.json").write_bytes(jsonio.dumps(unread))

    assert complete_git_status(run_path, repository) is None
    completed = read(run_path / "run_metadata.json")
    assert completed["git_sha"] == before["git_sha"]
    assert completed["git_branch"] == "main"
    assert completed["git_dirty"] is False

    assert "not a git repository" in str(complete_git_status(run_path, tmp_path))
    assert "not a git repository" in read(run_path / "run_metadata.json")["git_status_error"]

    reason = complete_git_status(run_path / "gone", repository)
    assert reason == "run_metadata.json: No such file or directory"


def test_every_variable_that_says_a_rank_is_captured() -> None:
    ranks = {name for pair in settings._LAUNCHERS for name in pair}
    prefixes = tuple(name for name in environment.TRAINING_VARIABLES if name.endswith("_"))

    missed = {name for name in ranks if not name.startswith(prefixes)}
    assert missed <= set(environment.TRAINING_VARIABLES)
