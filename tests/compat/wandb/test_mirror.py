"""The opt-in mirror: the real ``wandb`` gets the run too, and can never hold the training up."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from quark.compat.wandb import Api
from tests.compat.wandb.offline_file import OfflineRun, read_offline_run

TRAINING = """
import sys
import numpy as np
import quark.compat.wandb as wandb

run = wandb.init(
    project="digits", name="first", notes="a note", tags=["a", "b"], group="g", job_type="train",
    config={"lr": 0.1, "model": {"depth": 3}}, mode="offline",
)
run.define_metric("val/loss", summary="min")
for step in range(50):
    if step % 10 == 9:
        wandb.log({"val/loss": abs(step - 25) + 0.5}, commit=False)
    wandb.log({"train/loss": 1 / (step + 1), "epoch": step // 10})
wandb.log({"text": "done", "nested": {"a": 1}, "bad": float("nan")})
wandb.log({"counts": wandb.Histogram([1, 2, 2, 3])})
wandb.log({"image": wandb.Image(np.full((8, 9, 3), 7, np.uint8), caption="seven")})
wandb.log({"table": wandb.Table(columns=["n", "word"], data=[[1, "a"], [2, None]])})
model = wandb.Artifact("weights", type="model", metadata={"accuracy": 0.5})
with model.new_file("weights.txt") as file:
    file.write("0.1 0.2")
run.log_artifact(model, aliases=["best"])
run.config.update({"late": True})
run.summary["best"] = 0.25
print("said by the training")
run.finish(exit_code=int(sys.argv[1]))
print(run._session.run_path)
"""


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "QUARK_WANDB_MIRROR": "1", "WANDB_SILENT": "false", **extra}


def trained(folder: Path, exit_code: int, **extra: str) -> tuple[Path, str]:
    """Run the training and return the run's folder and what was said."""
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, str(exit_code)],
        cwd=folder,
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1]), done.stderr


def mirrored(run_path: Path, said: str) -> OfflineRun:
    """Wait until the mirror has sent everything, and read what it sent."""
    found = re.search(r"goes on in process (\d+)", said)
    deadline = time.monotonic() + 90
    while found and is_alive(int(found.group(1))):
        assert time.monotonic() < deadline, (run_path / "mirror.log").read_text()
        threading.Event().wait(0.1)
    files = list((run_path / "mirror").glob("wandb/offline-run-*/run-*.wandb"))
    assert len(files) == 1, (run_path / "mirror.log").read_text()
    return read_offline_run(files[0])


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


@pytest.mark.wandb_parity
@pytest.mark.parametrize("exit_code", [0, 3])
def test_the_real_wandb_gets_what_quark_keeps(tmp_path: Path, exit_code: int) -> None:
    run_path, said = trained(tmp_path, exit_code)
    real = mirrored(run_path, said)

    ours = Api(overrides={"dir": str(tmp_path)}).run(run_path.name)
    assert (real.run_id, real.project, real.name) == (ours.id, "digits", "first")
    assert (real.notes, real.group, real.job_type, real.tags) == (
        "a note",
        "g",
        "train",
        ("a", "b"),
    )
    assert {key: real.config[key] for key in ours.config} == ours.config
    assert real.exit_code == exit_code

    rows = list(ours.scan_history())
    assert len(rows) == 54
    assert len(real.history) == len(rows)
    for theirs, row in zip(real.history, rows, strict=True):
        assert theirs["_step"] == row["_step"]
        for key in ("train/loss", "val/loss", "epoch", "text"):
            assert theirs.get(key) == row.get(key), (key, row["_step"])
    assert real.history[51]["counts.values"] == rows[51]["counts"]["values"]
    image = {word: rows[52]["image"][word] for word in ("_type", "width", "height", "caption")}
    assert image == {"_type": "image-file", "width": 9, "height": 8, "caption": "seven"}
    assert {word: real.history[52][f"image.{word}"] for word in image} == image
    assert (real.history[53]["table.nrows"], real.history[53]["table.ncols"]) == (2, 2)
    assert real.summary["best"] == 0.25
    assert real.summary["val/loss"] == {"min": 4.5}
    assert (run_path / "report.json").is_file()


@pytest.mark.wandb_parity
def test_a_mirror_that_is_killed_or_cannot_run_costs_the_training_nothing(tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    broken = tmp_path / "broken"
    (broken / "wandb" / "sdk").mkdir(parents=True)
    (broken / "wandb" / "sdk" / "wandb_run.py").touch()
    (broken / "wandb" / "__init__.py").write_text("raise RuntimeError('no such luck')")

    run_path, said = trained(tmp_path, 0, PYTHONPATH=f"{broken}{os.pathsep}{Path.cwd()}")

    found = re.search(r"goes on in process (\d+)", said)
    if found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(found.group(1)), signal.SIGKILL)
    assert len(list(Api(overrides={"dir": str(tmp_path)}).run(run_path.name).scan_history())) == 54
    again = subprocess.run(
        [
            *(sys.executable, "-m", "quark.compat.wandb.mirror", run_path.name),
            *("--storage-dir", str(tmp_path), "--mode", "offline"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert again.returncode == 0, again.stderr
    assert len(mirrored(run_path, "").history) == 54
