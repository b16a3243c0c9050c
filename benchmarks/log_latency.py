"""How long one ``log`` call keeps the calling thread: Quark's two doors and the real W&B.

Back to back and paced at 1 kHz; alone and with another Python thread that never rests; 1, 10 and
100 scalars a call. Subjects take turns within one run, each in a fresh process, so that the ratio
holds although the machine's speed drifts. The child part runs with ``python -m``.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import child, have_wandb, median, percentiles

COUNTS = {"burst": 20_000, "paced": 2_000}
SHAPES: dict[str, str] = {
    "1": "1 scalar",
    "10": "10 scalars",
    "100": "100 scalars",
    "same-step": "1 scalar, same step= for 4 calls",
    "commit-false": "1 scalar, commit=False",
    "nested": "3 scalars in a nested dict",
    "torch": "1 torch scalar",
    "define-step": "10 scalars, define_metric('*', step_metric=...)",
    "define-min": "10 scalars, define_metric('loss', summary='min')",
}


def measure_here(arguments: dict[str, Any]) -> dict[str, float]:
    """In the child: time each call."""
    subject, shape, pace = arguments["subject"], arguments["shape"], arguments["pace"]
    call, finish = _subject(subject, shape)
    count = COUNTS[pace] if subject != "wandb" else COUNTS[pace] // 10
    stop = threading.Event()
    if arguments["busy"]:
        threading.Thread(target=_never_rest, args=(stop,), daemon=True).start()
    for step in range(200):
        call(step)
    taken = []
    clock = time.perf_counter_ns
    due = clock()
    for step in range(200, 200 + count):
        if pace == "paced":
            due += 1_000_000
            while (left := due - clock()) > 0:
                time.sleep(left / 2e9)
        begin = clock()
        call(step)
        taken.append(clock() - begin)
    stop.set()
    finish()
    return percentiles(taken)


def _never_rest(stop: threading.Event) -> None:
    total = 0
    while not stop.is_set():
        for number in range(1_000):
            total += number


def _subject(subject: str, shape: str) -> tuple[Callable[[int], object], Callable[[], object]]:
    if subject == "quark native":
        return _native(int(shape))
    if subject == "wandb":
        import wandb
    else:
        import quark.compat.wandb as wandb
    wandb.init(project="bench")
    return _wandb_call(wandb, shape), wandb.finish


def _wandb_call(wandb: Any, shape: str) -> Callable[[int], object]:
    log = wandb.log
    if shape.isdigit():
        data = {f"train/metric_{n}": 0.1234567 * n + 0.5 for n in range(int(shape))}
        return lambda step: log(data)
    if shape == "same-step":
        return lambda step: log({"train/loss": 0.5}, step=step // 4)
    if shape == "commit-false":
        return lambda step: log({"train/loss": 0.5}, commit=False)
    if shape == "nested":
        return lambda step: log({"train": {"loss": 0.5, "acc": 0.25}, "lr": 0.1})
    if shape.startswith("define"):
        return _defined_call(wandb, shape)
    import torch

    value = torch.tensor(0.5)
    return lambda step: log({"train/loss": value})


def _defined_call(wandb: Any, shape: str) -> Callable[[int], object]:
    """Log ten scalars a call into a run with definitions, the step metric in every other row."""
    log = wandb.log
    row = {"loss": 0.5, **{f"train/metric_{n}": 0.1234567 * n + 0.5 for n in range(9)}}
    if shape == "define-min":
        wandb.define_metric("loss", summary="min")
        return lambda step: log(row)
    wandb.define_metric("*", step_metric="global_step")
    rows = (row, {**row, "global_step": 7})
    return lambda step: log(rows[step % 2])


def _native(count: int) -> tuple[Callable[[int], object], Callable[[], object]]:
    from quark import MetricsLogger, TrainingSession

    session = TrainingSession.start_run(project="bench")
    metrics = MetricsLogger(session)
    keys = [f"train/metric_{n}" for n in range(count)]

    def call(step: int) -> None:
        for key in keys:
            metrics.log(key, 0.5, step=step)

    return call, session.end_run


def cases() -> list[dict[str, Any]]:
    """Return what is measured: subject by subject within each setting."""
    settings = [
        *({"shape": s, "pace": "burst", "busy": False} for s in SHAPES),
        *({"shape": s, "pace": "paced", "busy": False} for s in ("1", "10", "100")),
        *({"shape": s, "pace": "burst", "busy": True} for s in ("1", "10", "100")),
    ]
    subjects = ["quark shim", "quark native", *(["wandb"] if have_wandb() else [])]
    return [
        {"subject": subject, **setting}
        for setting in settings
        for subject in subjects
        if subject != "quark native" or setting["shape"].isdigit()
    ]


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Measure every case ``rounds`` times, taking turns; return medians, one row per case."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for case in cases():
            with tempfile.TemporaryDirectory() as folder:
                result = child("benchmarks.log_latency", case, Path(folder))
            found.setdefault(json.dumps(case), []).append(result)
    rows = []
    for text, results in found.items():
        case = json.loads(text)
        row = {
            "calls": SHAPES[case["shape"]],
            "pace": case["pace"] + (", busy thread" if case["busy"] else ""),
            "subject": case["subject"],
            **{name: median([result[name] for result in results]) for name in results[0]},
        }
        rows.append(row)
    for row in rows:
        peer = next((r for r in rows if r["subject"] == "wandb" and _same_setting(r, row)), None)
        row["times faster than wandb"] = peer["p50_us"] / row["p50_us"] if peer else None
    return rows


def _same_setting(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["calls"] == other["calls"] and one["pace"] == other["pace"])


if __name__ == "__main__":
    print(json.dumps(measure_here(json.loads(sys.argv[1]))))
