"""What all benchmarks share: children with clean interpreters, percentiles, tables."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def have_wandb() -> bool:
    """Say whether the real W&B client is installed to be measured in the same run."""
    return importlib.util.find_spec("wandb") is not None


def child(module: str, arguments: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run ``module`` in a fresh interpreter in ``folder``; it prints one line of JSON last."""
    environment = {
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "",  # an installed package has its bytecode
        "PYTHONPATH": str(ROOT),
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB_DIR": str(folder),
        "QUARK_STORAGE_DIR": str(folder),
        "QUARK_QUIET": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", module, json.dumps(arguments)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise RuntimeError(f"{module} {arguments} failed:\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def percentiles(nanoseconds: list[int]) -> dict[str, float]:
    """Return median and tail in microseconds."""
    ordered = sorted(nanoseconds)
    last = len(ordered) - 1
    return {
        f"p{name}_us": ordered[min(last, int(len(ordered) * share))] / 1000
        for name, share in (("50", 0.5), ("99", 0.99), ("99.9", 0.999))
    }


def median(values: list[float]) -> float:
    """Return the middle value."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def table(title: str, rows: list[dict[str, Any]]) -> str:
    """Draw rows of equal keys as a Markdown table."""
    if not rows:
        return f"\n## {title}\n\n(nothing measured)\n"
    names = list(rows[0])
    lines = [
        f"\n## {title}\n",
        "| " + " | ".join(names) + " |",
        "|" + "|".join("---" if isinstance(rows[0][n], str) else "--:" for n in names) + "|",
    ]
    lines += ["| " + " | ".join(_shown(row.get(name)) for name in names) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return "" if value is None else str(value)
