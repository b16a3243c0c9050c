"""The service under the load of many runs, and mlflow's server beside it.

Batches of 1,000 points, as 20 keys x 50 rows and as 1,000 keys x 1 row, of 200 runs at once: first
as fast as they go, then at 400,000 points a second, where a batch's latency counts from when it was
due. Meanwhile a series of a million points is read in 1,000 buckets. The client is lean: it
speaks HTTP by hand, so that the cores are the service's; ``Quark's client`` is the
real one, whose own work shares the cores.

``foreign`` is the share of the machine that neither the server nor its client spent: figures with
much of it mean little. The environment variable ``QUARK_BENCH_DB`` names a PostgreSQL to use.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import numpy as np

from benchmarks import service_mlflow
from benchmarks.measure import median
from benchmarks.service_load import Run
from benchmarks.service_process import QuarkServer, Spending, load_child

RUNS = 200
SECONDS = 15.0
HALF_POINTS_PER_SECOND = 400_000
MEMORY_SECONDS = 600.0
SHAPES = {"20 keys x 50 rows": (20, 50), "1,000 keys x 1 row": (1000, 1)}
_READ_PAUSE_SECONDS = 0.5
_SERIES_POINTS = 1_000_000


def run(rounds: int = 3) -> list[dict[str, Any]]:
    """Measure every load ``rounds`` times; return the round with the least foreign work."""
    db_url = os.environ.get("QUARK_BENCH_DB")
    rows = [
        _quietest([_measure(name, keys, height, rate, db_url) for _ in range(rounds)])
        for name, (keys, height) in SHAPES.items()
        for rate in (None, HALF_POINTS_PER_SECOND)
    ]
    rows.append(_quietest([_client(db_url) for _ in range(rounds)]))
    rows.append(_quietest([service_mlflow.measure(SECONDS) for _ in range(rounds)]))
    few = [_measure("20 keys x 50 rows", 20, 50, None, db_url, runs=8) for _ in range(rounds)]
    rows.append({**_quietest(few), "load": "mlflow's load: 8 runs, 20 keys x 50 rows"})
    return rows


def run_memory(rounds: int = 1) -> list[dict[str, Any]]:
    """Look at the service's memory over ten minutes of half the load."""
    with QuarkServer() as quark:
        samples: list[tuple[float, int]] = []
        ended = threading.Event()

        def look() -> None:
            begin = time.monotonic()
            while not ended.wait(10):
                samples.append((time.monotonic() - begin, quark.server.rss_bytes))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            arguments = _load(quark, 20, 50, HALF_POINTS_PER_SECOND, RUNS)
            figures = load_child(
                "benchmarks.service_load", {**arguments, "seconds": MEMORY_SECONDS}
            )
        finally:
            ended.set()
            looking.join()
    half = len(samples) // 2
    slope = np.polyfit(
        [seconds / 60 for seconds, _ in samples[half:]],
        [size / 2**20 for _, size in samples[half:]],
        1,
    )[0]
    return [
        {
            "load": "20 keys x 50 rows, 200 runs, ten minutes",
            "M points/s": figures["points"] / figures["seconds"] / 1e6,
            "p99, ms": figures["p99_ms"],
            "RSS after 1 minute, MB": samples[5][1] / 2**20,
            "RSS at the end, MB": samples[-1][1] / 2**20,
            "growth in the second half, MB/minute": float(slope),
        }
    ]


def _load(
    quark: QuarkServer, keys: int, rows: int, points_per_second: int | None, runs: int
) -> dict[str, Any]:
    return {
        "port": quark.server.port,
        "user_key": quark.user_key,
        "name": "run",
        "keys": keys,
        "rows": rows,
        "runs": runs,
        "seconds": SECONDS,
        "points_per_second": points_per_second,
    }


def _measure(
    name: str,
    keys: int,
    rows: int,
    points_per_second: int | None,
    db_url: str | None,
    *,
    runs: int = RUNS,
) -> dict[str, Any]:
    with QuarkServer(db_url=db_url) as quark:
        reads_ms: list[float] = []
        ended = threading.Event()
        reading = threading.Thread(target=_read, args=(quark, reads_ms, ended))
        if points_per_second is not None:
            _fill(quark)
            reading.start()
        spending = Spending(quark.server)
        try:
            arguments = _load(quark, keys, rows, points_per_second, runs)
            figures = load_child("benchmarks.service_load", arguments)
        finally:
            ended.set()
            if reading.ident is not None:
                reading.join()
        shares = spending.shares(figures["client_cpu_seconds"])
        rss_bytes = quark.server.rss_bytes
    pace = "as fast as it goes" if points_per_second is None else f"{points_per_second:,} points/s"
    return {
        "load": f"{name}, {runs} runs, {pace}",
        "M points/s": figures["points"] / figures["seconds"] / 1e6,
        "p50, ms": figures["p50_ms"],
        "p99, ms": figures["p99_ms"],
        "put off": sum(figures["refused"].values()),
        "server CPU, µs/batch": shares["server_seconds"] / figures["batches"] * 1e6,
        "1 M points in 1,000 buckets, ms": median(reads_ms) if reads_ms else None,
        "RSS, MB": rss_bytes / 2**20,
        "foreign": shares["foreign_ratio"],
    }


def _fill(quark: QuarkServer) -> None:
    """Give a run a series of a million points, packed."""
    store = _store(quark)
    source = Run("long", 1, 50_000, 0)
    store.append(source.start_batch())
    for _, batch in zip(range(_SERIES_POINTS // 50_000), source.point_batches(), strict=False):
        store.append(batch)
    store.points.merge("long", final=True)
    while len(store.points.buckets("long", source.keys[0], 10).count) != 10:
        time.sleep(0.1)
    time.sleep(2)
    store.close()


def _read(quark: QuarkServer, found_ms: list[float], ended: threading.Event) -> None:
    store = _store(quark)
    while not ended.wait(_READ_PAUSE_SECONDS):
        begin = time.perf_counter()
        store.points.buckets("long", "train/metric_0", 1000)
        found_ms.append((time.perf_counter() - begin) * 1e3)
    store.close()


def _client(db_url: str | None) -> dict[str, Any]:
    """Send with Quark's own client, eight runs from eight threads."""
    with QuarkServer(db_url=db_url) as quark:
        spending = Spending(quark.server)
        arguments = _load(quark, 20, 50, None, 8)
        figures = load_child("benchmarks.service_client_load", arguments)
        shares = spending.shares(figures["client_cpu_seconds"])
        rss_bytes = quark.server.rss_bytes
    return {
        "load": "Quark's client, 20 keys x 50 rows, 8 runs",
        "M points/s": figures["points"] / figures["seconds"] / 1e6,
        "p50, ms": figures["p50_ms"],
        "p99, ms": figures["p99_ms"],
        "put off": 0,
        "server CPU, µs/batch": shares["server_seconds"] / figures["batches"] * 1e6,
        "1 M points in 1,000 buckets, ms": None,
        "RSS, MB": rss_bytes / 2**20,
        "foreign": shares["foreign_ratio"],
    }


def _store(quark: QuarkServer) -> Any:
    from quark.persistence.http_store import HttpStore
    from quark.persistence.service_client import ServiceClient

    return HttpStore(ServiceClient(quark.url, quark.user_key, timeout_seconds=120))


def _quietest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return min(rows, key=lambda row: row["foreign"])
