"""Whether memory grows while a model is watched: 10,000 steps of a small MLP, everything on.

From step 2,000 on, when all buffers have their size, to step 10,000: the memory of the process, and
in a run of its own, because that slows everything down, what ``tracemalloc`` says.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

from benchmarks.measure import child, have_wandb

STEPS, SETTLED = 10_000, 2_000
MIB = 2**20


def measure_here(arguments: dict[str, Any]) -> dict[str, float]:
    """In the child: train, and return by how much memory grew, in MiB."""
    import psutil
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    wandb: Any
    if arguments["subject"] == "wandb":
        import wandb
    else:
        import quark.compat.wandb as wandb
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    inputs, targets = torch.randn(16, 64), torch.randint(0, 10, (16,))
    run = wandb.init(project="bench", settings=wandb.Settings(x_disable_stats=True, console="off"))
    wandb.watch(model, log="all", log_freq=10)
    if arguments["trace"]:
        tracemalloc.start()
    process = psutil.Process()

    def used_mib() -> float:
        gc.collect()
        used = (
            tracemalloc.get_traced_memory()[0] if arguments["trace"] else process.memory_info().rss
        )
        return float(used) / MIB

    settled = 0.0
    for step in range(STEPS):
        if step == SETTLED:
            settled = used_mib()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        run.log({"train/loss": loss.item()})
    grown = used_mib() - settled
    run.finish()
    return {"settled": settled, "grown": grown}


def run(rounds: int = 1) -> list[dict[str, Any]]:
    """Measure each subject once, whatever ``rounds`` says: growth needs no median."""
    import quark.compat.wandb as shim

    if not callable(getattr(shim, "watch", None)):
        print("watch is not there yet: left out", file=sys.stderr)
        return []
    rows = []
    for subject in ("quark shim", *(["wandb"] if have_wandb() else [])):
        plain, traced = (_in_child(subject, trace) for trace in (False, True))
        rows.append(
            {
                "subject": subject,
                f"RSS at step {SETTLED:,}, MiB": plain["settled"],
                f"RSS grown by step {STEPS:,}, MiB": plain["grown"],
                "traced memory grown, MiB": traced["grown"],
                "load": os.getloadavg()[0],
            }
        )
    return rows


def _in_child(subject: str, trace: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        arguments = {"subject": subject, "trace": trace}
        return child("benchmarks.watching_memory", arguments, Path(folder))


if __name__ == "__main__":
    print(json.dumps(measure_here(json.loads(sys.argv[1]))))
