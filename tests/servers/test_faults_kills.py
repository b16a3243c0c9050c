"""A service that is killed again and again while trainings log: nothing is lost, nothing waits.

Real processes, real SIGKILL. What each training noted that ``log`` returned for is held against
what the service has in the end.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quark.storage.protocols import Store
from tests.servers.ground_truth import check_artifacts, check_everything_is_there
from tests.servers.training import Training
from tests.support.processes import ServiceProcess, wait_until

KILLS = 20
KINDS = ("native", "shim", "native", "shim")


@contextlib.contextmanager
def trainings(folder: Path, environment: dict[str, str]) -> Iterator[list[Training]]:
    """Four trainings at once; those that are left are killed at the end."""
    folder.mkdir()
    started = [
        Training(kind, folder / f"{kind}-{number}", environment=environment)
        for number, kind in enumerate(KINDS)
    ]
    try:
        yield started
    finally:
        for training in started:
            training.kill()


def have_opened(started: list[Training]) -> None:
    for training in started:
        _has_opened(training)


def _has_opened(training: Training) -> None:
    wait_until(lambda: bool(training.logged()) or not training.running, what="the training begins")
    assert training.running, training.said()


def _has_more(store: Store, started: list[Training]) -> None:
    """Wait until a store has more of the trainings than it has now."""
    before = stored(store, started)
    wait_until(lambda: stored(store, started) > before, what="deliveries go on")


def stored(store: Store, started: list[Training]) -> int:
    """Return how many points a store has of all of them."""
    counts = (store.points.keys(training.run_id).values() for training in started)
    return sum(key.count for keys in counts for key in keys)


def figures(started: list[Training]) -> dict[str, float]:
    """Return what the calls of these trainings took, in milliseconds."""
    calls = [np.array(training.note["call_seconds"]) * 1e3 for training in started]
    every = np.concatenate(calls)
    return {
        "calls": len(every),
        "p50_ms": float(max(np.median(of_one) for of_one in calls)),
        "p99_ms": float(np.quantile(every, 0.99)),
        "max_ms": float(every.max()),
    }


@pytest.mark.timeout(900)
def test_a_service_killed_twenty_times_under_four_trainings_has_all_of_it_once(
    tmp_path: Path,
) -> None:
    chance = random.Random(7)
    outages = []
    with ServiceProcess(tmp_path / "service") as service:
        reach = {
            "QUARK_PERSISTENCE_URL": service.url,
            "QUARK_USER_KEY": service.key or "",
            "TRAINING_PAYLOADS": "1",
        }
        with trainings(tmp_path / "remote", reach) as remote:
            have_opened(remote)
            store = service.store()
            for _ in range(KILLS):
                _has_more(store, remote)
                threading.Event().wait(chance.uniform(0, 0.2))
                service.kill()
                began = time.monotonic()
                service.start()
                outages.append(time.monotonic() - began)
            for training in remote:
                training.stop()
            codes = [training.wait() for training in remote]

        assert codes == [0, 0, 0, 0], [training.said()[-2000:] for training in remote]
        calls = sum(check_everything_is_there(store, training) for training in remote)
        assert all(check_artifacts(store, training) for training in remote[1::2])
        store.close()
        assert service.stop() in (0, -15)
    with trainings(tmp_path / "local", {}) as local:
        have_opened(local)
        threading.Event().wait(5)
        for training in local:
            training.stop()
        assert [training.wait() for training in local] == [0, 0, 0, 0]

    with_service, without = figures(remote), figures(local)
    print(f"killed {KILLS} times, {calls} calls")
    print(f"outages {min(outages):.2f}-{max(outages):.2f} s")
    print(f"with a service:    {with_service}")
    print(f"without a service: {without}")
    assert with_service["calls"] == calls
    # Calls did not wait for a service that was away: at each outage, every training would have. A
    # machine that stands still for a moment may hold up a few. The usual one costs what it costs
    # locally.
    seconds = np.concatenate([training.note["call_seconds"] for training in remote])
    assert np.count_nonzero(seconds > min(outages)) < KILLS
    assert with_service["p50_ms"] < 5 * without["p50_ms"]
