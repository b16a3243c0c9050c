"""The demo: a W&B script with one import changed, and the account of what it kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def run(python: str, name: str, *arguments: str) -> str:
    command = [python, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_the_demo_keeps_everything_it_logs(python: str) -> None:
    common = ("--epochs", "3", "--storage-dir", "kept", "--checkpoint", "state.pt")
    first = run(python, "wandb_digits.py", *common, "--stop-after", "1")
    second = run(python, "wandb_digits.py", *common)

    told = run(python, "demo_account.py", "latest", "--storage-dir", "kept")

    assert "preempted" in first
    assert "at epoch 1, step 23" in second
    assert not Path("state.pt").exists()
    assert "status     completed" in told
    assert "resumed    1\n" in told
    assert "69 rows logged, 69 rows stored: nothing is missing" in told
    assert "defined    val/loss         summary min" in told
    assert "best_accuracy" in told
    assert "files/best.pt" in told


def test_only_the_import_is_not_wandbs_own() -> None:
    lines = (EXAMPLES / "wandb_digits.py").read_text().splitlines()

    assert [line for line in lines if "quark" in line] == [
        "import quark.compat.wandb as wandb  # was: import wandb"
    ]


def test_an_empty_folder_has_nothing_to_tell(python: str) -> None:
    command = [python, str(EXAMPLES / "demo_account.py"), "--storage-dir", "empty"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert "No run is kept" in result.stderr
