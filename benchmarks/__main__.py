"""``python -m benchmarks [NAME ...]``: measure, print tables, write ``benchmarks/results.json``.

``--rounds N`` sets how often each figure is taken; the table shows medians.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import (
    analysis,
    artifacts,
    ingest,
    lifetimes,
    live,
    log_latency,
    media,
    service,
    store_speed,
    training_overhead,
    watching,
    watching_memory,
)
from benchmarks.measure import table

BENCHMARKS: dict[str, tuple[str, Callable[[int], list[dict[str, Any]]]]] = {
    "latency": ("Latency of log() on the calling thread", log_latency.run),
    "lifetimes": ("Import, init and finish of a run of ten steps", lifetimes.run),
    "ingest": ("From the journal to the disk and back", ingest.run),
    "store": ("The embedded store alone", store_speed.run),
    "overhead": ("Added to a training step", training_overhead.run),
    "watching": ("Added to a training step by watching the model", watching.run),
    "analysis": ("Analysing a long run", analysis.run),
    "live": ("Judging a watched training while it goes on", live.run),
    "scopes": ("Telemetry's step scope alone", watching.run_scopes),
    "media": ("Logging 1,000 images of 256x256", media.run),
    "artifacts": ("Adding large files and folders to an artifact", artifacts.run),
    "service": ("The service under 200 runs", service.run),
    "service-memory": ("The service's memory over ten minutes", service.run_memory),
    "memory": ("Memory over 10,000 watched steps", watching_memory.run),
}


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which; all if none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results.json")
    arguments = parser.parse_args()
    results: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    for name in arguments.names or BENCHMARKS:
        title, run = BENCHMARKS[name]
        results[name] = run(arguments.rounds)
        print(table(title, results[name]), flush=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
