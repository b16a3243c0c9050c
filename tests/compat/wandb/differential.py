"""Runs one file of behaviours on both packages, each in a fresh process, and compares them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.compat.wandb.driver import REAL, SHIM

_TIMEOUT_SECONDS = 200
_ABSENT = "<nothing>"


@dataclass(frozen=True)
class Behaviour:
    """One observation and what the two packages showed."""

    name: str
    real: Any
    shim: Any

    @property
    def same(self) -> bool:
        """Whether the shim did the same. Whatever catches W&B's exception must catch the shim's."""
        real, shim = self.real, self.shim
        if _raised(real) is not None and _raised(shim) is not None:
            return set(_raised(real) or ()) <= set(_raised(shim) or ())
        return bool(real == shim)


def observe(module: str, folder: Path) -> list[Behaviour]:
    """Return everything that the functions of ``module`` showed on both packages."""
    with ThreadPoolExecutor(2) as pool:
        real, shim = pool.map(lambda package: _run(package, module, folder), (REAL, SHIM))
    found = []
    for name in real:
        for part in real[name]:
            ours, theirs = shim[name].get(part, {}), real[name][part]
            found += [
                Behaviour(f"{name}: {label}", theirs.get(label, _ABSENT), ours.get(label, _ABSENT))
                for label in {**theirs, **ours}
            ]
    return found


def _run(package: str, module: str, folder: Path) -> dict[str, Any]:
    place = folder / package.replace(".", "-")
    place.mkdir()
    output = place / "seen.json"
    environment = {name: text for name, text in os.environ.items() if not name.startswith("WANDB")}
    environment |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    result = subprocess.run(
        [sys.executable, "-m", "tests.compat.wandb.driver", package, module, str(output)],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    assert result.returncode == 0, f"{package}: {result.stderr[-3000:]}"
    return dict(json.loads(output.read_text()))


def _raised(value: Any) -> list[str] | None:
    if isinstance(value, dict) and value.keys() == {"raised"}:
        return list(value["raised"])
    return None
