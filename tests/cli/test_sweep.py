"""``quark sweep`` and ``quark agent``: a program is tried with every value, from the shell."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from quark.cli import config_file
from quark.compat.wandb import Api

PROGRAM = """
import argparse, wandb  # the program knows nothing of Quark
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
given = parser.parse_args()
with wandb.init() as run:
    assert run.config.lr == given.lr
    run.log({"loss": given.lr * 2})
"""

CONFIG = """
program: train.py
method: grid
metric: {name: loss, goal: minimize}
parameters:
  lr: {values: [0.3, 0.1, 0.2]}
"""


def quark(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from quark.cli.main import main; main()", *words],
        cwd=folder,
        env={**os.environ, "WANDB_SILENT": "true"},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_program_is_tried_with_every_value_and_a_paused_sweep_starts_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    (tmp_path / "sweep.yaml").write_text(CONFIG)

    made = quark(tmp_path, "sweep", "sweep.yaml", "--project", "swept", "--json")
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout)
    assert said["agent"] == f"quark agent swept/{said['id']}"

    first = quark(tmp_path, "agent", said["path"], "--count", "1")
    assert first.returncode == 0, first.stderr
    paused = quark(tmp_path, "sweep", said["path"], "--do", "pause", "--json")
    assert json.loads(paused.stdout) == said
    ended = quark(tmp_path, "sweep", said["path"], "--do", "stop")
    assert (ended.returncode, ended.stdout) == (0, f"Sweep {said['path']} is finished.\n")
    stopped = quark(tmp_path, "agent", said["path"])
    sweep = Api(overrides={"dir": str(tmp_path)}).sweep(said["path"])
    assert len(sweep.runs) == 1, stopped.stderr

    again = quark(tmp_path, "sweep", "sweep.yaml", "--project", "swept")
    words = again.stdout.split()
    assert words[:2] == ["quark", "agent"]
    assert quark(tmp_path, *words[1:]).returncode == 0
    sweep = Api(overrides={"dir": str(tmp_path)}).sweep(words[2])
    assert sorted(run.config["lr"] for run in sweep.runs) == [0.1, 0.2, 0.3]
    best = sweep.best_run()
    assert best is not None
    assert best.config["lr"] == 0.1


def test_a_sweep_and_its_trials_are_kept_where_the_options_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    (tmp_path / "sweep.yaml").write_text(CONFIG)
    config_file.set_target("team", {"storage_dir": str(tmp_path / "team")}, choose=False)
    monkeypatch.setenv("QUARK_STORAGE_DIR", str(tmp_path / "elsewhere"))  # weaker than an option

    made = quark(tmp_path, "sweep", "sweep.yaml", "--project", "swept", "--target", "team")
    words = shlex.split(made.stdout)
    assert (made.returncode, words[-2:]) == (0, ["--target", "team"]), made.stderr
    tried = quark(tmp_path, *words[1:], "--count", "2")
    assert tried.returncode == 0, tried.stderr
    listed = quark(tmp_path, "run", "list", "--target", "team", "--json")
    assert len(json.loads(listed.stdout)) == 2
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / ".quark").exists()

    by_folder = quark(tmp_path, *words[1:3], "--storage-dir", "team", "--count", "1")
    assert by_folder.returncode == 0, by_folder.stderr
    monkeypatch.delenv("QUARK_STORAGE_DIR")
    swept = Api(overrides={"dir": str(tmp_path / "team")}).sweep(words[2])
    assert sorted(run.config["lr"] for run in swept.runs) == [0.1, 0.2, 0.3]


def test_what_cannot_be_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("method: guess\nparameters: {lr: {value: 1}}")

    for words, said in (
        (["sweep", "missing.yaml"], "missing.yaml cannot be read"),
        (["sweep", "broken.yaml"], "guess"),
        (["agent", "swept/nosuchid"], "nosuchid"),
    ):
        done = quark(tmp_path, *words)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
