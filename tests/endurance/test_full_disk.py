"""A disk that is full, or cannot be written, never stops a training."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quark import MetricsLogger
from quark.session.reading import load_context
from quark.settings import Settings

TRAINING = """
import sys
from quark.session import RunRequest, TrainingSession
from quark.settings import Settings
settings = Settings.load(
    storage_dir=sys.argv[1], segment_bytes=262144, memory_ring_bytes=2_000_000,
    ship_interval_seconds=0.02, finish_timeout_seconds=2.0,
)
session = TrainingSession.open(RunRequest(project="full", settings=settings, run_id="run_full"))
for step in range(int(sys.argv[2])):
    session.log_row({"loss": step / 3, "note": "x" * 200}, step)
state = session.diagnostics()
session.end_run()
print(step + 1, session.diagnostics().to_dict()["dropped"])
"""


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own, on ``folder``."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine does not let tests mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def train(folder: Path, steps: int) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, str(folder), str(steps)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_training_goes_on_when_the_disk_runs_full_and_what_was_kept_is_intact(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "small", "size=6m") as folder:
        output, errors = train(folder, 60_000)

        assert output.startswith("60000 ")
        assert errors.count("cannot write to") == 1
        settings = Settings.load(storage_dir=str(folder))
        ballast = folder / ".quark" / "ballast"
        assert not ballast.exists()
        make_room(folder)
        context = load_context("run_full", settings)
        with MetricsLogger(context) as metrics, metrics._handle.reading() as store:
            series = store.points.series("run_full", "loss")
        steps = series.step.tolist()
        assert len(steps) > 1_000
        assert steps == sorted(set(steps))
        assert series.value.tolist() == [step / 3 for step in steps]


def make_room(folder: Path) -> None:
    """Give the file system more room, as an administrator would."""
    subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)


def test_training_goes_on_in_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "readonly", "size=1m") as folder:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)

        output, errors = train(folder, 500)

    assert output.startswith("500 ")
    assert "never_written" in output
    assert errors.count("cannot write to") == 1
