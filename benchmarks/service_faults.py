"""What a training notices of a service that is killed again and again: how long its calls take.

Four trainings in processes of their own log for a while: with a service that is killed and started
every few seconds, with one that is left alone, and without one. The tests in
``tests/servers/test_faults_kills.py`` hold what is stored against what was logged; here it is the
time that counts.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.servers.training import Training
from tests.support.processes import ServiceProcess, wait_until

KINDS = ("native", "shim", "native", "shim")
SECONDS = 30.0
BETWEEN_KILLS_SECONDS = 2.0


def run(rounds: int) -> list[dict[str, Any]]:
    """Return a row for each way; ``rounds`` multiplies the time."""
    seconds = SECONDS * rounds
    return [_row(way, seconds) for way in ("killed", "left alone", "none")]


def _row(way: str, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        environment, service = {}, None
        if way != "none":
            service = stack.enter_context(ServiceProcess(folder / "service"))
            environment = {
                "QUARK_PERSISTENCE_URL": service.url,
                "QUARK_USER_KEY": service.key or "",
            }
        trainings = [
            stack.enter_context(Training(kind, folder / f"{number}", environment=environment))
            for number, kind in enumerate(KINDS)
        ]
        for training in trainings:
            wait_until(lambda each=training: bool(each.logged()))
        outages = _kill_for(service, seconds) if service and way == "killed" else []
        if way != "killed":
            threading.Event().wait(seconds)
        for training in trainings:
            training.stop()
        codes = [training.wait() for training in trainings]
        assert not any(codes), [training.said() for training in trainings]
        calls_ms = np.concatenate([training.note["call_seconds"] for training in trainings]) * 1e3
        return {
            "service": way,
            "kills": len(outages),
            "longest outage s": round(max(outages, default=0.0), 1),
            "calls": len(calls_ms),
            "p50 ms": round(float(np.median(calls_ms)), 3),
            "p99 ms": round(float(np.quantile(calls_ms, 0.99)), 3),
            "max ms": round(float(calls_ms.max()), 1),
            "finish s": round(max(training.note["ended_seconds"] for training in trainings), 2),
        }


def _kill_for(service: ServiceProcess, seconds: float) -> list[float]:
    """Kill and start it until so much time has passed; return how long it was away each time."""
    outages = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        threading.Event().wait(BETWEEN_KILLS_SECONDS)
        service.kill()
        began = time.monotonic()
        service.start()
        outages.append(time.monotonic() - began)
    return outages
