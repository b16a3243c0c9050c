"""The load of some runs through Quark's own client, from a thread for each."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from benchmarks.service_load import Run, figures
from quark.persistence.http_store import HttpStore
from quark.persistence.service_client import ServiceClient


def measure_here(arguments: dict[str, Any]) -> dict[str, Any]:
    """Send for ``seconds`` from a thread for each run, and return the figures."""
    http = ServiceClient(f"http://127.0.0.1:{arguments['port']}", arguments["user_key"])
    store = HttpStore(http)
    runs = [
        Run(f"{arguments['name']}-{n}", arguments["keys"], arguments["rows"], n)
        for n in range(arguments["runs"])
    ]
    for run in runs:
        store.append(run.start_batch())
    latencies_ns: list[int] = []
    begin, cpu = time.monotonic(), time.process_time()
    end = begin + arguments["seconds"]

    def drive(run: Run) -> None:
        for batch in run.point_batches():
            now = time.monotonic()
            if now >= end:
                return
            store.append(batch)
            latencies_ns.append(int((time.monotonic() - now) * 1e9))

    threads = [threading.Thread(target=drive, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = figures(latencies_ns, arguments["keys"] * arguments["rows"])
    found["seconds"] = time.monotonic() - begin
    found["client_cpu_seconds"] = time.process_time() - cpu
    store.close()
    return found


if __name__ == "__main__":
    print(json.dumps(measure_here(json.loads(sys.argv[1]))))
