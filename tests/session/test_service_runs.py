"""Runs that a real service keeps: what it is like for a training, and when the service is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import quark
from quark import (
    ArtifactStore,
    AuthenticationError,
    EventLogger,
    InvalidRunStateError,
    MetricsLogger,
    RunNotFoundError,
    SessionStoreError,
    TrainingSession,
)
from quark.session import RunRequest
from quark.settings import Settings
from quark.storage.protocols import Store
from tests.support.over_service import ServicePlace
from tests.support.proxy import Link, Proxy

CUT = Link(accepts=False)


@pytest.fixture
def proxy(place: ServicePlace) -> Iterator[Proxy]:
    with Proxy(place.port) as proxy:
        yield proxy


def request_by_way_of(
    url: str,
    place: ServicePlace,
    **changes: object,
) -> RunRequest:
    values = {
        "persistence_url": place.url_by_way_of(url),
        "user_key": place.key,
        "storage_dir": str(Path.cwd()),
        "persistence_timeout_seconds": 10.0,
        "finish_timeout_seconds": 2.0,
        **changes,
    }
    return RunRequest(project="p", settings=Settings.load(**values))


def losses(store: Store, run_id: str) -> list[float]:
    values: list[float] = store.points.series(run_id, "loss").value.tolist()
    return values


def left_over(folder: Path) -> list[str]:
    """Return what lies in ``.quark`` beside the files of runs' folders."""
    paths = (path.relative_to(folder / ".quark") for path in (folder / ".quark").rglob("*"))
    return sorted(
        str(path)
        for path in paths
        if not (path.parts[0] == "runs" and len(path.parts) == 3)
        and len(path.parts) != 1
        and path.parts != ("runs", path.parts[-1])
    )


# -- all is well -----------------------------------------------------------------------------------


def test_a_run_is_in_the_service_and_nothing_of_it_stays_here_but_its_folder(
    over_service: ServicePlace,
    tmp_path: Path,
) -> None:
    with TrainingSession.start_run(project="p", config={"lr": 0.1}, tags=["a"]) as session:
        with MetricsLogger(session) as metrics, EventLogger(session) as events:
            for step in range(500):
                metrics.log("train/loss", 1.0 / (step + 1), step=step)
            events.log("checkpoint", step=3)
            assert len(metrics.read()) == 500
        artifact = ArtifactStore(session).store("notes", "hello", "world")
        assert ArtifactStore(session).load(artifact) == "world"
        session.add_tag("b")
        assert session.context.run.workspace == "local"  # the name of the key's workspace
        assert session.reload().run.tags == ("a", "b")

    assert left_over(tmp_path) == []
    store = over_service.store()
    run = store.records.get_run(session.run_id)
    assert (run.status, run.config, run.tags) == ("completed", {"lr": 0.1}, ("a", "b"))
    series = store.points.series(session.run_id, "train/loss")
    assert series.value.tolist() == [1.0 / (step + 1) for step in range(500)]
    assert store.records.count(session.run_id)["artifact"] == 1
    store.close()


def test_what_goes_wrong_is_raised_as_the_guide_says(
    over_service: ServicePlace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with TrainingSession.start_run(project="p") as session:
        pass
    with pytest.raises(RunNotFoundError, match="no-such-run"):
        TrainingSession.resume_run(run_id="no-such-run")
    with pytest.raises(InvalidRunStateError, match="completed"):
        TrainingSession.resume_run(run_id=session.run_id)
    elsewhere = f"{over_service.running.url}?storage_dir=../other"
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", elsewhere)
    with pytest.raises(SessionStoreError, match=r"storage_dir '\.\./other'"):
        TrainingSession.start_run(project="p")
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", over_service.url)
    monkeypatch.setenv("QUARK_USER_KEY", over_service.key[:-4] + "0000")
    with pytest.raises(AuthenticationError, match="QUARK_USER_KEY") as caught:
        TrainingSession.start_run(project="p")
    assert over_service.key[:-4] not in str(caught.value)
    monkeypatch.delenv("QUARK_USER_KEY")
    with pytest.raises(SessionStoreError, match="QUARK_USER_KEY"):
        TrainingSession.start_run(project="p")
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", "http://127.0.0.1:9")
    with pytest.raises(SessionStoreError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        TrainingSession.start_run(project="p")
    monkeypatch.delenv("QUARK_PERSISTENCE_URL")
    monkeypatch.setenv("QUARK_REQUIRE_SERVICE", "1")
    with pytest.raises(SessionStoreError, match="QUARK_PERSISTENCE_URL"):
        TrainingSession.start_run(project="p")


# -- the service is away ---------------------------------------------------------------------------


def test_a_cut_of_the_network_delays_no_step_and_loses_nothing(
    place: ServicePlace,
    proxy: Proxy,
) -> None:
    session = TrainingSession.open(request_by_way_of(proxy.url, place))
    slowest = 0.0
    for step in range(3_000):
        if step == 1_000:
            session.flush()
            proxy.link = CUT
            proxy.cut()
        if step == 2_000:
            assert session.flush(0.5) > 0
            proxy.link = Link(cut_after_response_bytes=0, cuts=2)  # answers are lost
        begun = time.perf_counter()
        session.log_row({"loss": float(step)}, step)
        slowest = max(slowest, time.perf_counter() - begun)

    assert session.flush(60) == 0
    session.end_run()

    assert slowest < 8.0  # a request would have waited 10 s
    store = place.store()
    assert losses(store, session.run_id) == [float(step) for step in range(3_000)]
    assert store.records.get_run(session.run_id).status == "completed"
    store.close()


def test_a_run_ends_by_its_deadline_without_the_service_and_tells_where_the_rest_is(
    place: ServicePlace,
    proxy: Proxy,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = TrainingSession.open(request_by_way_of(proxy.url, place))
    artifacts = ArtifactStore(session)
    session.log_row({"loss": 0.0}, 0)
    session.flush()
    proxy.link = Link(forwards_requests=False, forwards_responses=False)  # half-open
    for step in range(1, 100):
        session.log_row({"loss": float(step)}, step)
    begun = time.monotonic()
    session.end_run()
    took_seconds = time.monotonic() - begun
    proxy.link = CUT
    proxy.cut()
    artifacts.close()

    assert took_seconds < 60  # finish_timeout_seconds is 2; the service never answers
    told = capsys.readouterr().err
    journal = tmp_path / ".quark" / "runs" / session.run_id / "journal"
    assert f"records of run {session.run_id} have not reached the store yet" in told
    assert str(journal) in told
    assert place.key not in told

    proxy.link = Link()
    following = TrainingSession.open(request_by_way_of(proxy.url, place))
    following.log_row({"loss": 0.5}, 0)
    result = quark.sync(tmp_path, url=place.url_by_way_of(proxy.url), user_key=place.key)
    following.end_run()

    assert result.waiting == ()
    store = place.store()
    assert losses(store, session.run_id) == [float(step) for step in range(100)]
    assert store.records.get_run(session.run_id).status == "completed"
    assert losses(store, following.run_id) == [0.5]
    store.close()
    assert left_over(tmp_path) == []


def test_payloads_wait_here_for_a_service_that_is_away(
    place: ServicePlace,
    proxy: Proxy,
    tmp_path: Path,
) -> None:
    session = TrainingSession.open(request_by_way_of(proxy.url, place))
    proxy.link = CUT
    proxy.cut()
    artifacts = ArtifactStore(session)
    record = artifacts.store("weights", "big", b"w" * 100_000)
    assert artifacts.load(record) == b"w" * 100_000  # needs nobody
    assert (tmp_path / ".quark" / "outbox").is_dir()
    proxy.link = Link()
    assert session.flush(30) == 0
    artifacts.close()
    session.end_run()

    store = place.store()
    with store.blobs.open(record.sha256) as payload:
        assert payload.read() == b"w" * 100_000
    store.close()
    assert left_over(tmp_path) == []


def test_a_revoked_key_is_told_once_and_a_new_one_delivers_all(
    place: ServicePlace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key_id, key = place.issue_key()
    request = request_by_way_of(place.running.url, place, user_key=key, finish_timeout_seconds=1.0)
    session = TrainingSession.open(request)
    session.log_row({"loss": 0.0}, 0)
    assert session.flush() == 0
    place.revoke_key(key_id)
    for step in range(1, 200):
        session.log_row({"loss": float(step)}, step)
        if step % 50 == 0:
            assert session.flush(0.3) > 0
    session.end_run()

    told = capsys.readouterr().err
    assert told.count("takes nothing of run") == 1
    assert "The run goes on" in told
    assert key not in told
    assert not (tmp_path / ".quark" / "runs" / session.run_id / "quarantine").exists()
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", place.url)
    monkeypatch.setenv("QUARK_USER_KEY", place.key)
    result = quark.sync(tmp_path)
    assert (result.waiting, result.damaged_count, result.refused_count) == ((), 0, 0)
    assert result.run_ids == (session.run_id,)
    again = quark.sync(tmp_path)
    assert (again.run_ids, again.sent_count) == ((), 0)
    store = place.store()
    assert losses(store, session.run_id) == [float(step) for step in range(200)]
    assert store.records.get_run(session.run_id).status == "completed"
    store.close()


def test_offline_nothing_is_sent_before_a_sync(
    place: ServicePlace,
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = request_by_way_of(proxy.url, place, mode="offline")
    with TrainingSession.open(request) as session:
        for step in range(50):
            session.log_row({"loss": float(step)}, step)
        artifacts = ArtifactStore(session)
        record = artifacts.store("notes", "n", "kept")
        assert artifacts.load(record) == "kept"
        artifacts.close()
    assert proxy.traffic.connections == 0

    waiting = quark.sync(tmp_path)  # nobody said where the service is
    assert all("QUARK_PERSISTENCE_URL" in reason for reason in waiting.waiting)
    assert len(waiting.waiting) == 2
    monkeypatch.setenv("QUARK_PERSISTENCE_URL", place.url_by_way_of(proxy.url))
    monkeypatch.setenv("QUARK_USER_KEY", place.key)
    seen: list[quark.SyncProgress] = []
    result = quark.sync(tmp_path, progress=seen.append)

    assert (result.waiting, result.payload_count) == ((), 1)
    assert (seen[-1].done_count, seen[-1].total_count) == (1, 1)
    assert seen[-1].sent_count == result.sent_count
    store = place.store()
    assert losses(store, session.run_id) == [float(step) for step in range(50)]
    with store.blobs.open(record.sha256) as payload:
        assert payload.read() == b"kept"
    store.close()
    assert left_over(tmp_path) == []
