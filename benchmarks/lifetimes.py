"""What a small run costs around its logging: import, ``init`` and ``finish``, in milliseconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, child, have_wandb, median


def measure_here(arguments: dict[str, Any]) -> dict[str, float]:
    """In the child: time one run of ten steps."""
    clock = time.perf_counter
    start = clock()
    if arguments["subject"] == "wandb":
        import wandb
    else:
        import quark.compat.wandb as wandb
    imported = clock()
    wandb.init(project="bench", config={"lr": 0.1})
    started = clock()
    for step in range(10):
        wandb.log({"loss": 1.0 / (step + 1), "acc": 0.5})
    logged = clock()
    children = len(_children())
    sockets = sum("socket:" in link for link in _open_files())
    wandb.finish()
    return {
        "import_ms": (imported - start) * 1e3,
        "init_ms": (started - imported) * 1e3,
        "finish_ms": (clock() - logged) * 1e3,
        "children": children,
        "sockets": sockets,
    }


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def _open_files() -> list[str]:
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    return links


def bare_import_ms(statement: str) -> float:
    """Return the wall time of an interpreter that does nothing but ``statement``."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, env=environment, check=True)
    return (time.perf_counter() - begin) * 1e3


def run(rounds: int = 9) -> list[dict[str, Any]]:
    """Measure each subject ``rounds`` times, taking turns; return medians."""
    subjects = ["quark shim", *(["wandb"] if have_wandb() else [])]
    found: dict[str, list[dict[str, float]]] = {subject: [] for subject in subjects}
    whole: dict[str, list[float]] = {subject: [] for subject in subjects}
    for _ in range(rounds):
        bare = bare_import_ms("pass")
        for subject in subjects:
            module = "wandb" if subject == "wandb" else "quark.compat.wandb"
            whole[subject].append(bare_import_ms(f"import {module}") - bare)
            with tempfile.TemporaryDirectory() as folder:
                result = child("benchmarks.lifetimes", {"subject": subject}, Path(folder))
            found[subject].append(result)
    return [
        {
            "subject": subject,
            "import above bare Python, ms": median(whole[subject]),
            **{name: median([r[name] for r in found[subject]]) for name in found[subject][0]},
        }
        for subject in subjects
    ]


if __name__ == "__main__":
    print(json.dumps(measure_here(json.loads(sys.argv[1]))))
