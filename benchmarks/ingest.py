"""From the journal to the disk: points a second, bytes a point, and reading back.

Two shapes: rows of 20 keys, and rows of 10,000 keys. Values are training-like: a noisy decaying
curve rounded to float32, as ``.item()`` of a tensor gives; steps count up by one; times are
jittered around 1 ms a step. The rows are journaled first and delivered afterwards, so that the
figure is the delivery's alone: reading frames, checking, decoding, appending, merging.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import child, median


def measure_here(arguments: dict[str, Any]) -> dict[str, float]:
    """In the child: journal, deliver, merge, read."""
    import numpy as np

    from quark import TrainingSession
    from quark.clock import SYSTEM_CLOCK
    from quark.session import RunRequest
    from quark.settings import Settings

    keys, rows = arguments["keys"], arguments["rows"]
    settings = Settings.load(ship_interval_seconds=3600.0, finish_timeout_seconds=600.0)
    session = TrainingSession.open(RunRequest(project="bench", settings=settings))
    random = np.random.default_rng(0)
    names = [f"train/metric_{n}" for n in range(keys)]
    now = SYSTEM_CLOCK.time_us()
    clock = time.perf_counter
    journaling = 0.0
    for step in range(rows):
        curve = np.exp(-3 * step / rows) + 0.05 * random.standard_normal(keys)
        row = dict(zip(names, curve.astype(np.float32).astype(float).tolist(), strict=True))
        now += 1000 + int(random.integers(-100, 100))
        begin = clock()
        session.log_row(row, step, now)
        journaling += clock() - begin
    begin = clock()
    assert session.flush(600) == 0
    with session.reading() as store:
        store.points.merge(session.run_id, final=True)
    delivery = clock() - begin
    state = session.diagnostics()
    assert state.points_shipped == keys * rows, state
    size = _database_bytes(session.run_path)
    session.end_run()
    points = keys * rows
    return {
        "points": points,
        "journal, M points/s": points / journaling / 1e6,
        "delivery, M points/s": points / delivery / 1e6,
        "bytes per point": size / points,
        **_read_back(session, names[0], arguments),
    }


def _read_back(session: Any, key: str, arguments: dict[str, Any]) -> dict[str, float]:
    clock = time.perf_counter
    if arguments["keys"] != 1:
        return {}
    with session.reading() as store:
        begin = clock()
        series = store.points.series(session.run_id, key)
        whole = clock() - begin
        assert len(series) == arguments["rows"]
        begin = clock()
        store.points.series(session.run_id, key, columns="step_value")
        narrow = clock() - begin
        begin = clock()
        store.points.buckets(session.run_id, key, 1_000)
        buckets = clock() - begin
    return {
        "read all columns, ms": whole * 1e3,
        "read step and value, ms": narrow * 1e3,
        "1,000 buckets, ms": buckets * 1e3,
    }


def _database_bytes(run_path: Path) -> int:
    return sum(path.stat().st_size for path in run_path.glob("run.db*"))


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Measure each shape ``rounds`` times, taking turns; return medians."""
    shapes = {
        "20 keys a row": {"keys": 20, "rows": 100_000},
        "10,000 keys a row": {"keys": 10_000, "rows": 200},
        "1 key, 1 M points": {"keys": 1, "rows": 1_000_000},
    }
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for name, shape in shapes.items():
            with tempfile.TemporaryDirectory() as folder:
                found.setdefault(name, []).append(child("benchmarks.ingest", shape, Path(folder)))
    columns = list(found["1 key, 1 M points"][0])
    return [
        {
            "workload": name,
            **{
                column: median([r[column] for r in results]) if column in results[0] else None
                for column in columns
            },
        }
        for name, results in found.items()
    ]


if __name__ == "__main__":
    print(json.dumps(measure_here(json.loads(sys.argv[1]))))
