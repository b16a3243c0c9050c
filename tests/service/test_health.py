"""Whether a service lives, can answer, and what it counted."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from quark.errors import SessionStoreError
from quark.service.app import create_app
from quark.service.housekeeping import Housekeeping
from quark.service.readiness import Readiness
from quark.service.state import ServiceState
from quark.storage.documents import DocumentChange
from tests.storage.building import batch, losses, run_record
from tests.support.asgi import InProcess
from tests.support.clock import FakeClock
from tests.support.identity import first_key
from tests.support.service import RunningService, running_service, service_config


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running_service(service_config(tmp_path / "root")) as running:
        yield running


@pytest.fixture
def state(tmp_path: Path) -> Iterator[ServiceState]:
    root = tmp_path / "root"
    root.mkdir()
    state = ServiceState(service_config(root), clock=FakeClock())
    yield state
    state.close()


def counted(service: RunningService) -> dict[str, float]:
    """Return the samples of /metrics by name and labels."""
    answer = httpx.get(
        f"{service.url}/metrics",
        headers={"Authorization": f"Bearer {service.key}"},
        timeout=60,
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = (line for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_a_service_that_runs_says_so_to_anybody(service: RunningService) -> None:
    alive, ready = (
        httpx.get(f"{service.url}/{path}", timeout=60) for path in ("healthz", "readyz")
    )

    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


def test_metrics_need_a_key_unless_they_are_public(tmp_path: Path) -> None:
    for is_public, status in ((False, 401), (True, 200)):
        root = tmp_path / str(is_public)
        app = create_app(service_config(root, metrics_public=is_public))
        root.mkdir(exist_ok=True)
        with InProcess(app) as client:
            assert client.get("/metrics").status_code == status
            assert client.get("/metrics", key=first_key(app)).status_code == 200
        app.state.service.close()


def test_what_a_service_did_is_counted_without_names(service: RunningService) -> None:
    store = service.store("secret-folder")
    store.append(batch(1, 1, run_record(), run_id="secret-run"))
    for seq in range(2, 6):
        store.append(batch(seq, seq, losses(seq, [1.0], key="secret-metric"), run_id="secret-run"))
    with pytest.raises(SessionStoreError):
        store.append(batch(6, 6, losses(6, [1.0]), run_id="no-such-secret-run"))
    store.records.get_run("secret-run")
    store.close()

    found = counted(service)

    route = 'route="/api/v1/workspaces/{workspace}/runs/{run_id}/batches"'
    assert found["quark_ingest_batches_total"] == 5
    assert found["quark_ingest_points_total"] == 4
    assert found["quark_ingest_bytes_total"] > 100
    assert found['quark_ingest_refused_total{reason="RunNotFoundError"}'] == 1
    assert found[f'quark_requests_total{{method="POST",{route},status="200"}}'] == 5
    assert found[f'quark_requests_total{{method="POST",{route},status="404"}}'] == 1
    assert found[f"quark_request_seconds_count{{{route}}}"] == 6
    assert found["quark_merge_backlog_points"] == 4
    assert found["quark_ingest_queue_batches"] == 0
    assert found["quark_open_stores"] == 1
    assert found["quark_disk_free_bytes"] > 0
    assert any(name.startswith("quark_build_info{version=") for name in found)
    assert not [name for name in found if re.search("secret|admin|local|qk_", name)]


def test_paths_that_are_no_routes_are_one_label(service: RunningService) -> None:
    for path in ("a", "b", "c"):
        httpx.get(f"{service.url}/{path}", timeout=60)

    found = counted(service)

    unknown = [name for name in found if name.startswith("quark_requests_total") and "/a" in name]
    assert unknown == []
    assert found['quark_requests_total{method="GET",route="unknown",status="401"}'] == 3


def test_a_full_disk_is_not_ready(tmp_path: Path) -> None:
    free_bytes = shutil.disk_usage(tmp_path).free
    with running_service(
        service_config(tmp_path / "root", min_free_bytes=10 * free_bytes)
    ) as service:
        alive, ready = (
            httpx.get(f"{service.url}/{path}", timeout=60) for path in ("healthz", "readyz")
        )

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert list(ready.json()["faults"]) == ["disk"]
    assert "retry-after" in ready.headers


def test_an_engine_that_fails_and_comes_back_is_seen_within_a_second(
    state: ServiceState, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = state.clock
    assert isinstance(clock, FakeClock)
    readiness = Readiness(state)
    looks: list[None] = []

    def down() -> None:
        looks.append(None)
        raise SessionStoreError("postgresql://quark:hunter2@db cannot be reached")

    assert readiness.faults() == {}
    with monkeypatch.context() as patch:
        patch.setattr(state.stores.engines, "check", down)
        assert readiness.faults() == {}, "looked again at once"
        clock.advance(1.5)
        assert readiness.faults() == {"engines": "SessionStoreError"}  # and no password
        assert readiness.faults()
        assert len(looks) == 1
    clock.advance(1.5)
    assert readiness.faults() == {}
    state.begin_to_stop()
    assert readiness.faults() == {"service": "It stops."}


def test_housekeeping_says_that_it_lives_and_forgets_what_was_carried_out(
    state: ServiceState,
) -> None:
    from quark.service.documents import APPLIED
    from quark.service.stores import StoreKey

    clock = state.clock
    assert isinstance(clock, FakeClock)
    documents = state.stores.get(StoreKey("team")).documents
    day_us = 86_400_000_000
    notes = {"old": clock.time_us() - day_us - 1, "new": clock.time_us() - day_us + 1}
    for name, time_us in notes.items():
        documents.apply([DocumentChange(APPLIED, name, {"time_us": time_us})])
    # Clients may write any document, also what looks like a note.
    documents.apply([DocumentChange(APPLIED, "strange", {"time_us": "yesterday"})])
    documents.apply([DocumentChange("comparison_job", "strange", {})])
    keeping = Housekeeping(state)
    processes = state.config.root / "service" / "processes"

    keeping.start()
    alive = [path.name for path in processes.iterdir()]
    keeping.tidy()
    keeping.close(5)

    assert len(alive) == 1
    assert list(processes.iterdir()) == []
    assert [note.name for note in documents.list(APPLIED)] == ["new"]
    assert documents.list("comparison_job") == ()
