"""The embedded store alone, from ready-made numpy blocks: write, merge, read, list.

``python -m benchmarks.store_speed [--rounds N] [--json FILE]`` prints tables and one line of JSON.

The points: every value is a float32 widened to float64, as ``.item()`` of a tensor gives it, on
the curve ``2 exp(-step / 20,000) + 0.3`` with 5 % Gaussian noise of its own for every key. Steps
count up by one, epochs are missing, times are 1.4 ms apart with up to 0.4 ms of jitter, in
microseconds. Batches hold about 10,000 points; ``merge`` is called after each, as the shipper
does, and finally once more. Bytes are those of the run's folder after the final merge. Every
figure is the median of the rounds, each in a fresh folder.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import median, table
from quark import jsonio
from quark.records import EventRecord
from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import run_path
from quark.storage.model import NO_STEP, Batch, EncodedRecord, PointBlock

#: Name, keys, rows and rows in a batch.
SHAPES = (
    ("1 key", 1, 1_000_000, 10_000),
    ("20 keys", 20, 200_000, 500),
    ("10,000 keys", 10_000, 512, 1),
)
BATCH_RECORDS = 500


def run(rounds: int) -> list[dict[str, Any]]:
    """Measure every shape of points; one row each."""
    return [_median_of([_measure(*shape) for _ in range(rounds)]) for shape in SHAPES]


def run_records(rounds: int) -> list[dict[str, Any]]:
    """Measure creating and listing runs, and records."""
    return [_median_of([_measure_records() for _ in range(rounds)])]


def _measure(name: str, key_count: int, rows: int, batch_rows: int) -> dict[str, Any]:
    keys = tuple(f"layer_{number}/metric" for number in range(key_count))
    batches = list(_batches(keys, rows, batch_rows))
    point_count = key_count * rows
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / ".quark")
        store.append(_creation("run"))
        append_seconds, longest = 0.0, 0.0
        begin, cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            append_begin = time.perf_counter()
            store.append(batch)
            took = time.perf_counter() - append_begin
            append_seconds += took
            longest = max(longest, took)
            store.points.merge("run")
        final_begin = time.perf_counter()
        store.points.merge("run", final=True)
        end = time.perf_counter()
        cpu = time.process_time() - cpu
        size_bytes = sum(path.stat().st_size for path in run_path(store.root, "run").iterdir())
        row = {
            "shape": name,
            "points": point_count,
            "M points/s": point_count / (end - begin) / 1e6,
            "M points/CPU s": point_count / cpu / 1e6,
            "append, ms a batch": append_seconds / len(batches) * 1e3,
            "longest append, ms": longest * 1e3,
            "final merge, ms": (end - final_begin) * 1e3,
            "bytes/point": size_bytes / point_count,
            "series, ms": _median_ms(lambda: store.points.series("run", keys[0])),
            "steps+values, ms": _median_ms(
                lambda: store.points.series("run", keys[0], columns="step_value")
            ),
            "1,000 buckets, ms": _median_ms(lambda: store.points.buckets("run", keys[0], 1_000)),
            "keys, ms": _median_ms(lambda: store.points.keys("run")),
        }
        store.close()
    return row


def _measure_records() -> dict[str, Any]:
    run_count, record_count = 2_000, 100_000
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / ".quark")
        begin = time.perf_counter()
        for number in range(run_count):
            store.append(_creation(f"run-{number}"))
        creation = (time.perf_counter() - begin) / run_count
        listing = _median_ms(store.records.list_runs) * 10_000 / run_count
        body = jsonio.dumps({"event_type": "checkpoint", "severity": "info", "payload": {"n": 1}})
        batches = [
            Batch(
                run_id="run-0",
                writer_id="w",
                first_seq=first,
                last_seq=first + BATCH_RECORDS - 1,
                records=tuple(
                    EncodedRecord(seq, 0, "event", seq, None, 10**15 + seq, body)
                    for seq in range(first, first + BATCH_RECORDS)
                ),
            )
            for first in range(1, record_count, BATCH_RECORDS)
        ]
        begin = time.perf_counter()
        for batch in batches:
            store.append(batch)
        writing = time.perf_counter() - begin
        reading = _median_ms(lambda: store.records.read(EventRecord, "run-0"), times=1)
        store.close()
    return {
        "create a run, ms": creation * 1e3,
        "list 10,000 runs, ms": listing,
        "k records/s written": record_count / writing / 1e3,
        "k records/s read": record_count / reading,
    }


def _batches(keys: tuple[str, ...], rows: int, batch_rows: int) -> Any:
    random = np.random.default_rng(0)
    for first in range(0, rows, batch_rows):
        step = np.arange(first, min(rows, first + batch_rows))
        curve = 2 * np.exp(-step / 20_000) + 0.3
        noise = 1 + 0.05 * random.standard_normal((len(step), len(keys)))
        values = (curve[:, None] * noise).astype(np.float32).astype(np.float64)
        yield Batch(
            run_id="run",
            writer_id="w",
            first_seq=first + 1,
            last_seq=first + len(step),
            blocks=(
                PointBlock(
                    keys=keys,
                    seq=step + 1,
                    step=step,
                    epoch=np.full(len(step), NO_STEP),
                    time_us=10**15 + step * 1_400 + random.integers(0, 400, len(step)),
                    values=values,
                ),
            ),
        )


def _creation(run_id: str) -> Batch:
    body = jsonio.dumps({"project_id": "p", "project_name": "bench", "config": {"lr": 0.1}})
    record = EncodedRecord(1, 0, "run", None, None, 10**15, body)
    return Batch(run_id=run_id, writer_id="creator", first_seq=1, last_seq=1, records=(record,))


def _median_ms(call: Callable[[], object], times: int = 7) -> float:
    """Return the median of some calls; the first, which fills caches, is left out."""
    taken = []
    for _ in range(times + 1):
        begin = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begin) * 1e3)
    return median(taken[1:])


def _median_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str) else median([row[name] for row in rows])
        for name, value in rows[0].items()
    }


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    points, records = run(arguments.rounds), run_records(arguments.rounds)
    print(table("Points in the embedded store", points))
    print(table("Runs and records in the embedded store", records))
    figures = json.dumps({"points": points, "records": records})
    print(figures)
    if arguments.json is not None:
        arguments.json.write_text(figures + "\n")


if __name__ == "__main__":
    main()
