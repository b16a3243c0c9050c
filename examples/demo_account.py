"""Reads a run back through the native API and prints a short account of it.

``python examples/demo_account.py [RUN_ID | latest] [--storage-dir DIR]``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from quark.persistence.open import open_store
from quark.records import (
    ConsoleLineRecord,
    HistoryValueRecord,
    LayerSummaryRecord,
    MetricDefinitionRecord,
    ParameterSummaryRecord,
    RunRecord,
    SystemTelemetryRecord,
)
from quark.session.reading import load_context
from quark.settings import Settings
from quark.storage.batch import NO_STEP
from quark.storage.model import RunQuery
from quark.storage.protocols import Store

LATEST = "latest"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", nargs="?", default=LATEST, help="the id of a run, or 'latest'")
    parser.add_argument("--storage-dir", default=None, help="where runs are kept")
    return parser.parse_args()


def find_run(store: Store, wanted: str) -> RunRecord | None:
    """Return the run that is asked for; None if nothing is kept here."""
    if wanted != LATEST:
        return store.records.get_run(wanted)
    return next(iter(store.records.list_runs(RunQuery(limit=1))), None)


def account(store: Store, run: RunRecord) -> list[str]:
    """Return the lines that tell what is kept of a run."""
    keys = store.points.keys(run.id)
    points = sum(stats.count for stats in keys.values())
    values = len(store.records.read(HistoryValueRecord, run.id))
    lines = [
        f"run        {run.name or run.id} ({run.id}) of project {run.project_name}",
        f"status     {run.status}, {run.created_at} to {run.ended_at or 'now'}",
        f"resumed    {run.resume_count or 'never'}",
        f"config     {', '.join(f'{name}={value}' for name, value in run.config.items())}",
    ]
    steps: list[set[int]] = []
    for key, stats in keys.items():
        series = store.points.series(run.id, key, columns="step_value")
        steps.append({step for step in series.step.tolist() if step != NO_STEP})
        read = len(series)
        if key.startswith("system/") and read == stats.count:
            continue  # summed up below
        same = "as stored" if read == stats.count else f"BUT {stats.count} ARE STORED"
        lines.append(
            f"metric     {key:16} {read:6} points read, {same}; lowest {series.value.min():.4g}, "
            f"highest {series.value.max():.4g}, last {stats.last_value:.4g}"
        )
    rules = {rule.name: rule for rule in store.records.read(MetricDefinitionRecord, run.id)}
    for rule in rules.values():
        parts = [f"counted by {rule.step_metric}"] if rule.step_metric else []
        parts += [f"summary {', '.join(rule.summary)}"] if rule.summary else []
        lines.append(f"defined    {rule.name:16} {'; '.join(parts)}".rstrip())
    for name, value in run.summary.items():
        if not name.startswith(("_", "gradients/", "parameters/")):
            lines.append(f"summary    {name} = {value}")
    rows = len(set().union(*steps))
    logged = int(run.summary.get("_step", rows - 1)) + 1
    lines += measured(store, run)
    console = store.records.read(ConsoleLineRecord, run.id)
    if console:
        lines.append(f"console    {len(console)} lines; the last: {console[-1].text}")
    verdict = "nothing is missing" if rows == logged else f"{logged - rows} ARE MISSING"
    lines.append(f"in all     {points} points of {len(keys)} metrics, {values} other values")
    lines.append(f"           {logged} rows logged, {rows} rows stored: {verdict}")
    return lines


def measured(store: Store, run: RunRecord) -> list[str]:
    """Return what is kept besides what the script logged: of the machine, layers and parameters."""
    lines = []
    samples = store.records.read(SystemTelemetryRecord, run.id)
    series = [key for key in store.points.keys(run.id) if key.startswith("system/")]
    if samples:
        memory_mib = max((sample.process_rss_bytes or 0) for sample in samples) / 2**20
        lines.append(
            f"system     {len(samples)} samples in {len(series)} series; the process had up to "
            f"{memory_mib:.0f} MiB"
        )
    layers = store.records.read(LayerSummaryRecord, run.id)
    if layers:
        gradients = [one for one in layers if one.summary_type == "gradient"]
        steepest = max(gradients, key=lambda one: one.norm or 0.0)
        lines.append(
            f"layers     {len(layers)} summaries of {len({one.module_name for one in layers})} "
            f"layers at {len({one.step for one in layers})} steps; the largest gradient norm was "
            f"{steepest.norm:.3g}, of layer {steepest.module_name} at step {steepest.step}"
        )
    parameters = store.records.read(ParameterSummaryRecord, run.id)
    if parameters:
        histograms = [
            one
            for one in store.records.read(HistoryValueRecord, run.id)
            if one.key.startswith(("gradients/", "parameters/"))
        ]
        names = {(one.module_name, one.parameter_name) for one in parameters}
        lines.append(
            f"parameters {len(parameters)} summaries of {len(names)} parameters at "
            f"{len({one.step for one in parameters})} steps, and {len(histograms)} histograms"
        )
    return lines


def sizes(folder: Path) -> list[str]:
    """Return the run's files with their sizes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"files      {folder}"]
    lines += [
        f"           {path.relative_to(folder)}  {path.stat().st_size:,} bytes" for path in files
    ]
    return lines


def main() -> int:
    args = parse_args()
    settings = Settings.load(storage_dir=args.storage_dir)
    store = open_store(settings)
    try:
        run = find_run(store, args.run)
        if run is None:
            print(f"No run is kept in {settings.storage_path}.", file=sys.stderr)
            return 1
        run = load_context(run.id, settings).run  # with what a dead process left of it
        lines = account(store, run)
        folder = store.run_dir(run.id)
    finally:
        store.close()
    print("\n".join(lines + (sizes(folder) if folder is not None else [])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
