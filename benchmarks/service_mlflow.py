"""mlflow's server with its SQLite store under the same kind of load, for the ratio.

It is installed into an environment of its own in the temporary folder. A request of its takes at
most 1,000 metrics, so a batch is the same 1,000 points; eight runs send at once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.service_load import Load, Run
from benchmarks.service_process import Server, Spending, free_port, load_child

VERSION = "mlflow==3.17.2"
RUNS = 8
_API = "/api/2.0/mlflow"


class MlflowRun(Run):
    """The same points as mlflow's REST interface takes them."""

    def bodies(self) -> Iterator[bytes]:
        for batch in self.point_batches():
            block = batch.blocks[0]
            metrics = [
                {"key": key, "value": float(value), "timestamp": time_us // 1000, "step": step}
                for step, time_us, row in zip(
                    block.step.tolist(), block.time_us.tolist(), block.values, strict=True
                )
                for key, value in zip(block.keys, row, strict=True)
            ]
            yield json.dumps({"run_id": self.run_id, "metrics": metrics}).encode()


class MlflowLoad(Load):
    """Sends them."""

    def runs(self) -> list[Run]:
        given = self.arguments
        experiment = _post(given["port"], "experiments/create", {"name": "bench"})
        return [
            MlflowRun(_new_run(given["port"], experiment["experiment_id"]), 20, 50, number)
            for number in range(given["runs"])
        ]

    def head(self, run: Run) -> bytes:
        lines = (
            f"POST {_API}/runs/log-batch HTTP/1.1",
            "Host: localhost",
            "Content-Type: application/json",
        )
        return ("\r\n".join(lines) + "\r\nContent-Length: ").encode()


def measure(seconds: float) -> dict[str, Any]:
    """Start mlflow's server, load it, and return its row of the table."""
    python = _python()
    with tempfile.TemporaryDirectory(prefix="mlflow-bench-") as name:
        folder = Path(name)
        port = free_port()
        command = [str(python), "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        server = Server(command, port, "/health", folder)
        try:
            spending = Spending(server)
            arguments = {"port": port, "keys": 20, "rows": 50, "runs": RUNS, "seconds": seconds}
            figures = load_child("benchmarks.service_mlflow", arguments)
            shares = spending.shares(figures["client_cpu_seconds"])
            rss_bytes = server.rss_bytes
        finally:
            server.close()
    return {
        "load": f"{VERSION}, SQLite: 8 runs, 20 keys x 50 rows",
        "M points/s": figures["points"] / figures["seconds"] / 1e6,
        "p50, ms": figures["p50_ms"],
        "p99, ms": figures["p99_ms"],
        "put off": sum(figures["refused"].values()),
        "server CPU, µs/batch": shares["server_seconds"] / figures["batches"] * 1e6,
        "1 M points in 1,000 buckets, ms": None,
        "RSS, MB": rss_bytes / 2**20,
        "foreign": shares["foreign_ratio"],
    }


def _python() -> Path:
    """Return an interpreter that has mlflow; the first time this takes a minute."""
    folder = Path(tempfile.gettempdir()) / "venv-mlflow"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if subprocess.run([str(python), "-c", "import mlflow"], capture_output=True).returncode:
        install = [str(python), "-m", "pip", "install", "--quiet", VERSION]
        subprocess.run(install, check=True)
    return python


def _new_run(port: int, experiment_id: str) -> str:
    made = _post(port, "runs/create", {"experiment_id": experiment_id, "start_time": 0})
    run_id: str = made["run"]["info"]["run_id"]
    return run_id


def _post(port: int, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{_API}/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(MlflowLoad(json.loads(sys.argv[1])).go())))
