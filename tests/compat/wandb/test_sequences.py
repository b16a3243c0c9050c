"""Random sequences of calls: the shim shows what wandb 0.31 shows, also when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from quark.compat.wandb.public_api import Api
from tests.compat.wandb.driver import REAL, SHIM, kept
from tests.compat.wandb.sequences import calls

COUNT = 200
KILLED_COUNT = 60
_TIMEOUT_SECONDS = 200


def run_all(
    package: str, folder: Path, count: int = COUNT, ending: str = "finished"
) -> dict[str, Any]:
    """Run sequences on a package; return what was seen, by the id of the run."""
    folder.mkdir()
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    module = "tests.compat.wandb.sequences"
    result = subprocess.run(
        [sys.executable, "-m", module, package, str(count), "seen.json", ending],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    expected = 0 if ending == "finished" else -signal.SIGKILL
    assert result.returncode == expected, f"{package}: {result.stderr[-3000:]}"
    return dict(json.loads((folder / "seen.json").read_text())) if ending == "finished" else {}


def in_time(seen: dict[str, Any]) -> dict[str, Any]:
    """Return what was seen without what was logged late."""
    rows = [
        {key: value for key, value in row.items() if not key.startswith("late")}
        for row in seen["history"]
    ]
    # Where W&B shows the summary itself, that is compared: its file does not follow all of it.
    return {
        "steps": seen["steps"],
        "history": [row for row in rows if len(row) > 1],
        "summary": seen.get("summary shown", seen["summary"]),
        "config": seen["config"],
    }


@pytest.mark.wandb_parity
def test_random_sequences_show_what_wandb_shows(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        real, shim = pool.map(lambda name: run_all(name, tmp_path / name), (REAL, SHIM))

    compared = 0
    for seed, run_id in enumerate(real):
        theirs, ours = in_time(real[run_id]), in_time(shim[run_id])
        if seed % 2 == 0:
            ours["summary"] = shim[run_id]["summary"]
        told = "\n".join(text for text, _ in calls(seed))
        for part, seen in theirs.items():
            assert ours[part] == seen, f"sequence {seed}: {part} of\n{told}"
        compared += len(theirs["steps"]) + 3
    record_property("behaviours compared", compared)
    print(f"{len(real)} sequences: {compared} behaviours compared, none differs")


def test_a_killed_run_reads_as_if_it_had_been_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(2) as pool:
        finished, _ = pool.map(
            lambda ending: run_all(SHIM, tmp_path / ending, KILLED_COUNT, ending),
            ("finished", "killed"),
        )
    monkeypatch.chdir(tmp_path / "killed")

    for seed in range(KILLED_COUNT):
        run_id = f"s{seed}"
        told = "\n".join(text for text, _ in calls(seed))
        found = json.loads(json.dumps(kept(SHIM, run_id)))
        for part in ("history", "summary", "config"):
            assert found[part] == finished[run_id][part], f"sequence {seed}: {part} of\n{told}"
    assert Api().run("s0").state == "crashed"
