"""What live rules take while a watched training goes on, and how much later its records arrive.

The same training runs with live rules and without, in turns, each in a process of its own: a 3×256
MLP on the CPU, ``watch(log="all", log_freq=10)``, one row a step. ``share`` is what Quark itself
has measured and kept in the run (CPU time of the thread that judges, over the run's time); the
time of a step and of a ``flush`` (from a row to the store) are taken from outside.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import child, median, percentiles

SECONDS, FLUSH_EVERY_STEPS = 40.0, 50


def measure_here(arguments: dict[str, Any]) -> dict[str, Any]:
    """In the child: train for a while; return figures of the training and of what judged it."""
    import os

    os.environ["QUARK_LIVE_RULES"] = "1" if arguments["live"] else "0"
    import torch

    import quark.compat.wandb as wandb
    from quark import EventLogger
    from quark.session import registry

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        *(layer for _ in range(3) for layer in (torch.nn.Linear(256, 256), torch.nn.ReLU())),
        torch.nn.Linear(256, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs, targets = torch.randn(64, 256), torch.randint(0, 10, (64,))
    wandb.init(project="bench")
    wandb.watch(model, log="all", log_freq=10)
    session = registry.latest()
    assert session is not None
    steps, flushes, in_flush = 0, [], 0.0
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        wandb.log({"train/loss": loss.item(), "lr": 0.01, "train/acc": 0.5})
        steps += 1
        if steps % FLUSH_EVERY_STEPS == 0:
            start = time.perf_counter_ns()
            session.flush()
            flushes.append(time.perf_counter_ns() - start)
            in_flush += flushes[-1] / 1e9
    seconds = time.perf_counter() - began
    start = time.perf_counter()
    wandb.finish()
    finish_ms = (time.perf_counter() - start) * 1e3
    with EventLogger(session) as events:
        summaries = events.read(event_type="live_rules_summary")
    summary = summaries[0].payload if summaries else {}
    found = percentiles(flushes)
    return {
        "step, µs": (seconds - in_flush) / steps * 1e6,
        "flush p50, ms": found["p50_us"] / 1e3,
        "flush p99, ms": found["p99_us"] / 1e3,
        "finish, ms": finish_ms,
        "judgements": summary.get("judged_count", 0),
        "probes skipped": summary.get("skipped_probe_count", 0),
        "CPU, s": summary.get("seconds", 0.0),
        "share, %": 100 * summary.get("share_of_wall_time", 0.0),
    }


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Measure with and without, in turns; return medians."""
    found: dict[bool, list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for live in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                result = child("benchmarks.live", {"live": live}, Path(folder))
            found.setdefault(live, []).append(result)
    return [
        {
            "live rules": "on" if live else "off",
            **{name: median([one[name] for one in results]) for name in results[0]},
        }
        for live, results in found.items()
    ]


if __name__ == "__main__":
    print(json.dumps(measure_here(json.loads(sys.argv[1]))))
