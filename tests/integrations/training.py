"""Runs a program with the alias on in a process of its own, and reads back what it left."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from quark.compat.wandb.api_run import ApiRun
from quark.compat.wandb.public_api import Api
from quark.persistence.open import open_store
from quark.settings import Settings

HERE = Path(__file__).parent
SAID = "said.json"  # what the library itself says of its training, written by the program

_TIMEOUT_SECONDS = 240


@dataclass(frozen=True)
class Trained:
    """What a program said, what it printed, and the runs that it left, in the order of their
    start."""

    said: Any
    printed: str
    runs: tuple[ApiRun, ...] = field(repr=False)

    @property
    def run(self) -> ApiRun:
        """The only run."""
        (run,) = self.runs
        return run


def trained(
    program: str | Path, *words: str, needs: tuple[str, ...] = (), **variables: str
) -> Trained:
    """Run a program as it is, in the working folder, which is empty.

    Args:
        program: The name of one in ``programs/``, or the path of a script.
        words: Its arguments.
        needs: Packages; if one is missing, the test is skipped.
        variables: Environment variables.
    """
    missing = [name for name in ("torch", *needs) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed; `make test-integrations` has it")
    path = program if isinstance(program, Path) else HERE / "programs" / f"{program}.py"
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "KERAS_BACKEND": "torch",
        "MPLBACKEND": "agg",
        "GLOO_SOCKET_IFNAME": "lo",
        **variables,
    }
    result = subprocess.run(
        [sys.executable, "-m", "quark.compat.wandb", str(path), *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    printed = result.stdout + result.stderr
    assert result.returncode == 0, printed[-6000:]
    said = json.loads(Path(SAID).read_text()) if Path(SAID).exists() else None
    runs = sorted(Api({"dir": _storage()}).runs(), key=lambda run: run.created_at)
    assert all(run.state == "finished" for run in runs), printed[-6000:]
    return Trained(said=said, printed=printed, runs=tuple(runs))


def _storage() -> Path:
    """Return where the program has kept its runs: here, or in what it gave as ``dir``."""
    return next(Path.cwd().rglob(".quark"), Path(".quark")).parent


def column(run: ApiRun, key: str, x: str = "_step") -> list[tuple[Any, Any]]:
    """Return the values of a key, each with that of ``x`` in its row.

    They are read by the Api's ``scan_history``, and compared with the points that Quark's own
    store has.
    """
    found = run.scan_history(keys=sorted({"_step", key, x}))
    rows = [(row["_step"], row[x], row[key]) for row in found]
    assert rows, f"{run.name} has no row with {key} and {x}"
    store = open_store(Settings.load(storage_dir=str(_storage())))
    try:
        series = store.points.series(run.id, key)
    finally:
        store.close()
    native = dict(zip(series.step.tolist(), series.value.tolist(), strict=True))
    assert {step: value for step, _, value in rows}.items() <= native.items()
    return [(place, value) for _, place, value in rows]


def values(run: ApiRun, key: str) -> list[Any]:
    """Return the values of a key, in order."""
    return [value for _, value in column(run, key)]


def artifacts(run: ApiRun, kind: str) -> list[Any]:
    """Return the artifacts of a type that a run has logged, the newest first."""
    return [one for one in run.logged_artifacts() if one.type == kind]


def opened(run: ApiRun, name: str) -> Any:
    """Return an image of a run's files."""
    from PIL import Image

    with run.file(name).download(root="read", exist_ok=True) as file:
        path = file.name
    with Image.open(path) as image:
        image.load()
        return image


def table(run: ApiRun, key: str) -> dict[str, Any]:
    """Return the columns and rows of the table that a run has logged last under a key."""
    kept = run.summary[key]
    assert kept["_type"] == "table-file"
    with run.file(kept["path"]).download(root="read", exist_ok=True) as file:
        content = json.loads(file.read())
    assert (kept["nrows"], kept["ncols"]) == (len(content["data"]), len(content["columns"]))
    return {"columns": content["columns"], "data": content["data"]}
