"""Analysing a run of a million points and 100,000 layer summaries: seconds and memory.

The run is written once. Each figure is of a fresh interpreter that opens it, analyses it and keeps
the outcome, so that loading the rules and reading the store are part of it.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import child, median

ROWS, METRICS = 250_000, ("train/loss", "train/accuracy", "lr", "grad_norm")
PROBES, LAYERS = 1_000, 50


def write_run(folder: str) -> str:
    """Write the run that is analysed; return its id."""
    from quark import LayerSummaryRecord, TrainingSession

    with TrainingSession.start_run(project="analysis", storage_dir=folder) as session:
        handle = session.handle
        for step in range(ROWS):
            noise = math.sin(step * 12.9898) * 0.1
            values = (0.1 + 2.0 * math.exp(-step / 50_000) + noise * 0.2, 0.5, 1e-3, 1.0 + noise)
            handle.log_row(dict(zip(METRICS, values, strict=True)), step)
        for probe in range(PROBES):
            rows = [
                {
                    "module_name": f"encoder.{layer}",
                    "module_type": "Linear",
                    "summary_type": kind,
                    "hook_direction": direction,
                    "element_count": 4096,
                    "tensor_shape": (64, 64),
                    "mean": 0.01,
                    "std": 1.0,
                    "norm": 3.0 + 0.1 * math.sin(probe + layer),
                    "variance": 1.0,
                }
                for layer in range(LAYERS)
                for kind, direction in (("activation", "forward"), ("gradient", "backward"))
            ]
            handle.emit_many(
                LayerSummaryRecord,
                rows,
                step=probe * 250,
                epoch=None,
                time_us=1_700_000_000_000_000,
            )
    return session.run_id


def measure_here(arguments: dict[str, Any]) -> dict[str, Any]:
    """In the child: open the run, analyse it, and return what that took."""
    from quark import AnalyzerEngine
    from quark.session.reading import load_context
    from quark.settings import Settings

    context = load_context(arguments["run"], Settings.load(storage_dir=arguments["folder"]))
    start = time.perf_counter()
    result = AnalyzerEngine(context).analyze()
    return {
        "seconds": time.perf_counter() - start,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "alerts": len(result.alerts),
    }


def run(rounds: int) -> list[dict[str, Any]]:
    """Return medians."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = {"folder": folder}
        written = child("benchmarks.analysis", {**arguments, "write": True}, Path(folder))
        arguments["run"] = written["run"]
        found = [child("benchmarks.analysis", arguments, Path(folder)) for _ in range(rounds)]
    return [
        {
            "run": f"{ROWS * len(METRICS):,} points, {PROBES * LAYERS * 2:,} layer summaries",
            "seconds": median([one["seconds"] for one in found]),
            "at most": 2.0,
            "peak MiB of the process": median([one["peak_mib"] for one in found]),
            "not above": 300.0,
        }
    ]


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    if asked.get("write"):
        print(json.dumps({"run": write_run(asked["folder"])}))
    else:
        print(json.dumps(measure_here(asked)))
