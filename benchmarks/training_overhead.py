"""What logging adds to a small training step: a 3×256 MLP on the CPU, 3 scalars a step.

Bare and logged steps alternate in blocks within one process, so that the ratio holds although the
machine's speed drifts.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import child, have_wandb, median

BLOCK, BLOCKS = 100, 20


def measure_here(arguments: dict[str, Any]) -> dict[str, float]:
    """In the child: alternate blocks of bare and logged steps."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        *(layer for _ in range(3) for layer in (torch.nn.Linear(256, 256), torch.nn.ReLU())),
        torch.nn.Linear(256, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs, targets = torch.randn(64, 256), torch.randint(0, 10, (64,))
    if arguments["subject"] == "wandb":
        import wandb
    else:
        import quark.compat.wandb as wandb
    wandb.init(project="bench")

    def step(logged: bool) -> None:
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if logged:
            wandb.log({"train/loss": loss.item(), "train/lr": 0.01, "train/acc": 0.5})

    def block(logged: bool) -> float:
        begin = time.perf_counter()
        for _ in range(BLOCK):
            step(logged)
        return (time.perf_counter() - begin) / BLOCK * 1e6

    block(True)
    pairs = [(block(False), block(True)) for _ in range(BLOCKS)]
    wandb.finish()
    bare = median([pair[0] for pair in pairs])
    added = median([logged - plain for plain, logged in pairs])
    return {"bare step, µs": bare, "added, µs": added, "added, %": 100 * added / bare}


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Measure each subject ``rounds`` times, taking turns; return medians."""
    subjects = ["quark shim", *(["wandb"] if have_wandb() else [])]
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for subject in subjects:
            with tempfile.TemporaryDirectory() as folder:
                result = child("benchmarks.training_overhead", {"subject": subject}, Path(folder))
            found.setdefault(subject, []).append(result)
    return [
        {"subject": s, **{n: median([r[n] for r in results]) for n in results[0]}}
        for s, results in found.items()
    ]


if __name__ == "__main__":
    print(json.dumps(measure_here(json.loads(sys.argv[1]))))
