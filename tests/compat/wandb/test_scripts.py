"""Whole training scripts, written as people write them, run unchanged under wandb and the shim.

Only the import line is another one. History, config, summary and the facts of every run must be
the same, numbers exactly. One script goes on after a crash, which wandb cannot do offline: what it
must leave is what the same script leaves under wandb when nothing crashes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.compat.wandb.driver import REAL, SHIM, flat, shown, without_own

pytestmark = [pytest.mark.wandb_parity, pytest.mark.slow]

SCRIPTS = Path(__file__).parent / "scripts"
CRASHING = "resume_after_crash"
ALONE = sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem != CRASHING)

_IMPORT = re.compile(r"^(\s*)import wandb$", re.MULTILINE)
_TIMEOUT_SECONDS = 200

#: What one run left: ``history``, ``config``, ``summary``, and facts such as its tags.
Kept = dict[str, Any]


#: How torch's process group now and then ends a rank that has nothing more to do, also one that has
#: no run. Seen once so far, on a busy machine.
_GLOO_ABORT = "terminate called without an active exception"


def run_script(package: str, name: str, folder: Path, *arguments: str, again: bool = True) -> None:
    """Run a script in ``folder`` with ``package`` in the place of wandb."""
    text = (SCRIPTS / f"{name}.py").read_text()
    changed, count = _IMPORT.subn(rf"\1import {package} as wandb", text)
    assert count == 1, f"{name}.py must import wandb in one line of its own"
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(text if package == REAL else changed)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "QUARK"))}
    environment |= {
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    result = subprocess.run(
        [sys.executable, "train.py", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if again and result.returncode and _GLOO_ABORT in result.stderr:
        shutil.rmtree(folder)
        run_script(package, name, folder, *arguments, again=False)
        return
    crashes = "--crash-at" in arguments
    assert result.returncode == int(crashes), f"{package}: {result.stderr[-3000:]}"


def kept_by_wandb(folder: Path) -> dict[str, Kept]:
    from tests.compat.wandb.offline_file import read_offline_run

    runs = [read_offline_run(path) for path in folder.glob("wandb/offline-run-*/run-*.wandb")]
    return {run.name: _comparable(run, run.history, run.config, run.summary) for run in runs}


def kept_by_shim(folder: Path) -> dict[str, Kept]:
    from quark.compat.wandb.public_api import Api

    return {
        run.name or "": _comparable(run, list(run.scan_history()), run.config, run.summary)
        for run in Api({"dir": folder}).runs()
    }


def _comparable(run: Any, history: list[Any], config: Any, summary: Any) -> Kept:
    rows = [{"_step": row["_step"], **flat(without_own(row))} for row in history]
    return {
        "history": [row for row in rows if len(row) > 1],
        "config": without_own(config),
        "summary": without_own(summary),
        "facts": shown(
            {
                "project": run.project,
                "group": run.group or "",
                "job type": run.job_type or "",
                "notes": run.notes or "",
                "tags": list(run.tags),
                "exit code": run.exit_code,
            }
        ),
    }


def compare(real: dict[str, Kept], shim: dict[str, Kept]) -> None:
    assert sorted(shim) == sorted(real)
    for name, theirs in real.items():
        assert theirs["history"], f"{name} logged nothing, so nothing would be compared"
        for part in theirs:
            assert shim[name][part] == theirs[part], f"{part} of {name}"


@pytest.mark.parametrize("name", ALONE)
def test_a_script_leaves_the_same_under_both(name: str, tmp_path: Path) -> None:
    places = {REAL: tmp_path / "real", SHIM: tmp_path / "shim"}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda package: run_script(package, name, places[package]), places))

    compare(kept_by_wandb(places[REAL]), kept_by_shim(places[SHIM]))


def test_a_script_that_crashed_and_went_on_leaves_what_it_would_have_without(
    tmp_path: Path,
) -> None:
    with ThreadPoolExecutor(2) as pool:
        whole = pool.submit(run_script, REAL, CRASHING, tmp_path / "real")
        run_script(SHIM, CRASHING, tmp_path / "shim", "--crash-at", "2")
        (crashed,) = kept_by_shim(tmp_path / "shim").values()
        run_script(SHIM, CRASHING, tmp_path / "shim")
        whole.result()

    assert crashed["facts"]["exit code"] == 1
    assert crashed["history"][-1]["epoch"] == 2
    compare(kept_by_wandb(tmp_path / "real"), kept_by_shim(tmp_path / "shim"))


def test_there_are_eighteen_scripts() -> None:
    assert len(ALONE) + 1 == 18


def test_a_difference_would_be_seen() -> None:
    kept = {"history": [{"_step": 0, "loss": 1.0}], "config": {}, "summary": {}, "facts": {}}

    compare({"run": kept}, {"run": dict(kept)})
    with pytest.raises(AssertionError, match="history of run"):
        compare({"run": kept}, {"run": {**kept, "history": [{"_step": 0, "loss": 1.0000001}]}})
