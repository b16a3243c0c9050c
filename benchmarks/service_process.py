"""A service in a process of its own, and what it and the machine spend."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

import psutil

from benchmarks.measure import ROOT

_QUARK = (sys.executable, "-c", "from quark.cli.main import main; main()")


class Server:
    """A server that is started by a command and answers on a port. Owns its process."""

    def __init__(self, command: list[str], port: int, path: str, folder: Path) -> None:
        self.port = port
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
                return
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    log = (folder / "server.log").read_text()[-4000:]
                    raise RuntimeError(f"the server did not start: {log}") from error
                time.sleep(0.1)

    @property
    def processes(self) -> list[psutil.Process]:
        """Itself and its children."""
        process = psutil.Process(self._process.pid)
        return [process, *process.children(recursive=True)]

    @property
    def rss_bytes(self) -> int:
        return sum(process.memory_info().rss for process in self.processes)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class QuarkServer:
    """``quark serve`` on a root of its own, and a key for it. Owns both."""

    def __init__(self, *arguments: str, db_url: str | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="quark-bench-"))
        root = self._folder / "root"
        engine = ["--db", db_url] if db_url else []
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        bootstrap = ["admin", "bootstrap", "--json", "--force-new-key", "--root", str(root)]
        done = subprocess.run(
            [*_QUARK, *bootstrap, *engine],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        self.user_key: str = json.loads(done.stdout)["user_key"]
        port = free_port()
        command = [*_QUARK, "serve", "--root", str(root), "--port", str(port), *engine, *arguments]
        self.server = Server(command, port, "/healthz", self._folder)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.server.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Spending:
    """Seconds of all cores: those of a server, and those of everybody else on the machine."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._begin = self._now()

    def shares(self, client_seconds: float) -> dict[str, float]:
        """Return the server's CPU seconds, and the share of the machine that was somebody's."""
        wall, busy, own = (now - then for now, then in zip(self._now(), self._begin, strict=True))
        cores = psutil.cpu_count() or 1
        foreign = max(0.0, busy - own - client_seconds)
        return {"server_seconds": own, "foreign_ratio": foreign / (wall * cores)}

    def _now(self) -> tuple[float, float, float]:
        times = psutil.cpu_times()
        busy = sum(times) - times.idle - getattr(times, "iowait", 0.0)
        own = 0.0
        for process in self._server.processes:
            spent = process.cpu_times()
            own += spent.user + spent.system
        return time.monotonic(), busy, own


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def load_child(module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run a load in a process of its own and return its figures."""
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed:\n{done.stderr[-4000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
