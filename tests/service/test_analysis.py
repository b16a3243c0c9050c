"""Analysis on demand: in processes of its own, once at a time, and whatever becomes of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from quark import jsonio
from quark.analyzers.compared import ComparisonEngineConfig, compare_stored, read_stored
from quark.errors import SessionStoreError
from quark.pipeline.faults import FaultLog
from quark.records import AlertRecord, AnalysisRecord, HealthScoreRecord, PhaseRecord
from quark.service.analysis import judge_run
from quark.service.analysis_jobs import COMPARISONS, JOBS, LOCKS, Jobs, remove_comparisons
from quark.service.analysis_pool import AnalysisPool, Job
from quark.service.config import MIB
from quark.service.ingest import RunPlace
from quark.storage.documents import DocumentChange
from quark.storage.embedded import EmbeddedStore
from quark.storage.memory import MemoryStore
from quark.storage.model import NO_STEP, PointBlock
from quark.storage.protocols import Store
from tests.storage.building import START_US, batch, create_run, losses
from tests.support.clock import FakeClock
from tests.support.service import RunningService, running_service, service_config

BOTH = ("alerts", "phases")


def slow_run(store: Store, run_id: str = "run-1", *, step_ms: float = 700.0) -> None:
    """Log a run whose steps are far too slow, and whose loss falls and then stays."""
    create_run(store, run_id, status="completed")
    loss = [2.3, 2.2, 1.5, 1.0, 0.95, 0.91, 0.909, 0.908, *[0.9075] * 42]
    times = losses(1, [step_ms] * 50, key="system/runtime/step_time_ms")
    store.append(batch(1, 50, losses(1, loss, key="train/loss"), times, run_id=run_id))


def nothing() -> None: ...


# -- what is judged ------------------------------------------------------------------------------


def test_an_analysis_is_stored_whole_and_once_and_takes_the_place_of_the_one_before() -> None:
    store = MemoryStore()
    slow_run(store)

    found = judge_run(store, "run-1", "a", BOTH, nothing)
    judge_run(store, "run-1", "a", BOTH, nothing)  # its process was killed before it could say so
    judge_run(store, "run-1", "b", ("alerts",), nothing)

    assert found["alerts"]["worst"] == "error"
    assert found["alerts"]["scores"]["overall"] < 100
    assert found["phases"]["phases"][0] == "initialization_adaptation"
    analyses = store.records.read(AnalysisRecord, "run-1")
    assert [one.family for one in analyses] == ["alerts", "phases", "alerts"]
    alerts = store.records.read(AlertRecord, "run-1")
    assert [one.rule_id for one in alerts] == ["runtime_bottleneck_risk"] * 2
    (score, *_) = store.records.read(HealthScoreRecord, "run-1")
    assert score.contributing_alert_ids == (alerts[0].id,)
    assert len(store.records.read(PhaseRecord, "run-1")) == len(found["phases"]["phases"])


def test_nothing_is_stored_by_who_has_lost_the_run_to_another() -> None:
    store = MemoryStore()
    slow_run(store)

    def lost() -> None:
        raise SessionStoreError("Another has begun.")

    with pytest.raises(SessionStoreError):
        judge_run(store, "run-1", "a", BOTH, lost)
    assert store.records.read(AnalysisRecord, "run-1") == ()


# -- jobs ----------------------------------------------------------------------------------------


def test_one_job_a_run_also_where_many_ask_and_another_only_when_something_has_changed(
    tmp_path: Path,
) -> None:
    store, clock = EmbeddedStore(tmp_path), FakeClock()
    slow_run(store)
    begun: list[tuple[Any, bool]] = []
    barrier = threading.Barrier(8)

    def begin(*, force: bool = False) -> tuple[Any, bool]:
        # As another process of the service would, with nothing but the store in common.
        return Jobs(store, clock, 60_000_000).begin_analysis(
            "run-1", BOTH, force=force, check_room=nothing
        )

    def ask() -> None:
        barrier.wait()
        begun.append(begin())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({job["job_id"] for job, _ in begun}) == 1
    assert [is_new for _, is_new in begun].count(True) == 1
    name = f"run-1/{begun[0][0]['job_id']}"
    jobs = Jobs(store, clock, 60_000_000)
    jobs.running(JOBS, name)
    judge_run(store, "run-1", "x", BOTH, nothing)
    jobs.ended(JOBS, name, result={})
    assert begin()[1] is False  # what it has found itself is no change
    assert begin(force=True)[1] is True
    store.close()


def test_a_job_whose_process_died_is_lost_after_its_time_and_another_may_begin() -> None:
    store, clock = MemoryStore(), FakeClock()
    slow_run(store)
    jobs = Jobs(store, clock, 60_000_000)
    first, _ = jobs.begin_analysis("run-1", BOTH, force=False, check_room=nothing)
    jobs.running(JOBS, f"run-1/{first['job_id']}")

    clock.advance(59)
    same, _ = jobs.begin_analysis("run-1", BOTH, force=False, check_room=nothing)
    clock.advance(2)
    lost = jobs.of_run("run-1")[0]
    second, is_new = jobs.begin_analysis("run-1", BOTH, force=False, check_room=nothing)

    assert same["job_id"] == first["job_id"]
    assert (lost["state"], "stopped" in lost["reason"]) == ("failed", True)
    assert is_new
    assert store.documents.get(LOCKS, "run-1").body["job_id"] == second["job_id"]  # type: ignore[union-attr]
    assert [job["job_id"] for job in jobs.of_run("run-1")][1:] == [first["job_id"]]


def test_old_jobs_are_forgotten_and_a_full_queue_begins_nothing() -> None:
    store, clock = MemoryStore(), FakeClock()
    slow_run(store)
    jobs = Jobs(store, clock, 60_000_000)
    for _ in range(30):
        body, _ = jobs.begin_analysis("run-1", BOTH, force=True, check_room=nothing)
        jobs.ended(JOBS, f"run-1/{body['job_id']}", result={})

    def full() -> None:
        raise SessionStoreError("full")

    assert len(jobs.of_run("run-1")) == 20
    with pytest.raises(SessionStoreError, match="full"):
        jobs.begin_analysis("run-1", BOTH, force=True, check_room=full)
    assert len(jobs.of_run("run-1")) == 20


# -- processes -----------------------------------------------------------------------------------


class Pooled:
    """A pool of one process that does what a test says, and a job for it."""

    def __init__(self, root: Path, *program: str, **changes: Any) -> None:
        self.store = MemoryStore()
        self.ended = threading.Event()
        self.faults = FaultLog()
        command = {"command": (sys.executable, "-c", *program)} if program else {}
        self.pool = AnalysisPool(
            service_config(root, **changes),
            FakeClock(),
            faults=self.faults,
            on_end=lambda place: self.ended.set(),
            **command,
        )

    def do(self) -> Any:
        """Return what becomes of a job."""
        self.submit("job")
        assert self.ended.wait(60)
        return self.job("job")

    def submit(self, name: str) -> None:
        create = {"state": "queued", "until_us": 2**60, "created_at": "", "job_id": name}
        self.store.documents.apply([DocumentChange(JOBS, name, create)])
        place = RunPlace("local", "", "run-1")
        self.pool.submit(Job(kind=JOBS, name=name, place=place, store=self.store, task={}))

    def job(self, name: str) -> Any:
        return Jobs(self.store, FakeClock(), 1).find(JOBS, name)


READ = "import sys; sys.stdin.read(); "
FAULTS = {
    "hangs": (READ + "import time; time.sleep(600)", "longer than 0.5 s"),
    "says nothing": (READ, "no answer"),
    "says nonsense": (READ + "print('x')", "no answer"),
    "is killed": (READ + "import os; os.kill(os.getpid(), 9)", "-9"),
    "is refused memory": (READ + "sys.exit(77)", "64 MiB of memory"),
    "reports an error": (
        READ + 'print(\'{"error":{"type":"RunNotFoundError","message":"gone"}}\')',
        "RunNotFoundError: gone",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_process_that_fails_is_ended_its_job_says_why_and_the_next_is_done(
    fault: str, tmp_path: Path
) -> None:
    program, reason = FAULTS[fault]
    seconds = 0.5 if fault == "hangs" else 60.0
    pooled = Pooled(
        tmp_path, program, analysis_timeout_seconds=seconds, analysis_memory_bytes=64 * MIB
    )

    failed = pooled.do()
    pooled.ended.clear()
    pooled.pool._command = (sys.executable, "-c", READ + 'print(\'{"result":{"x":1}}\')')
    pooled.pool._config = service_config(tmp_path)
    done = pooled.do()
    pooled.pool.close(30)

    assert (failed["state"], failed["result"]) == ("failed", None)
    assert reason in failed["reason"]
    assert (done["state"], done["result"]) == ("done", {"x": 1})
    assert pooled.faults.counts() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_a_worker_that_eats_memory_is_refused_it(tmp_path: Path) -> None:
    program = """
import sys
from quark.service import analysis, analysis_worker
def eat(*arguments, **named):
    return {"size": len(bytearray(2 << 30))}
analysis.compare_runs = eat
analysis_worker.main()
"""
    pooled = Pooled(tmp_path, program, analysis_memory_bytes=256 * MIB)
    place = RunPlace("local", "", "run-1")
    task = {
        "kind": "comparison",
        "primary": "a",
        "reference": "b",
        "baseline": False,
        "targets": [],
    }
    body = {"state": "queued", "until_us": 2**60}
    pooled.store.documents.apply([DocumentChange(JOBS, "job", body)])
    pooled.pool.submit(Job(kind=JOBS, name="job", place=place, store=pooled.store, task=task))
    assert pooled.ended.wait(60)
    pooled.pool.close(30)

    assert "256 MiB of memory" in pooled.job("job")["reason"]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_an_analysis_that_is_too_hungry_is_ended_and_told_and_hurts_nobody(tmp_path: Path) -> None:
    config = service_config(tmp_path, analysis_memory_bytes=64 * MIB)
    with running_service(config) as service:
        store = service.store("team")
        slow_run(store, "small")
        create_run(store, "large", status="completed")
        rows = np.arange(1, 2_000_001)
        for part in np.split(rows, 8):
            content = PointBlock(
                keys=("train/loss",),
                seq=part,
                step=part - 1,
                epoch=np.full(len(part), NO_STEP),
                time_us=START_US + part,
                values=np.sqrt(part).reshape(-1, 1),
            )
            store.append(batch(int(part[0]), int(part[-1]), content, run_id="large"))

        def analysed(run_id: str) -> Any:
            path = store.http.path("runs", run_id, "analyses")
            job = store.http.post(path, {}, {"wait_seconds": 10})
            while job["state"] in ("queued", "running"):  # on a busy machine
                job = store.http.get(f"{path}/{job['job_id']}", {"wait_seconds": 10})
            return job

        failed, done = analysed("large"), analysed("small")
        more = losses(2_000_001, [0.5], key="train/loss")
        store.append(batch(2_000_001, 2_000_001, more, run_id="large"))
        count = store.points.keys("large")["train/loss"].count
        store.close()

    assert failed["state"] == "failed"
    assert "more than 64 MiB of memory" in failed["reason"]
    assert done["state"] == "done", done["reason"]
    assert count == 2_000_001


def test_a_pool_that_is_closed_ends_what_runs_and_drops_what_waits(tmp_path: Path) -> None:
    started = tmp_path / "started"
    program = READ + f"open({str(started)!r}, 'w').close(); import time; time.sleep(600)"
    pooled = Pooled(tmp_path, program, analysis_queue=2)
    for name in ("a", "b", "c"):
        pooled.submit(name)
    while not started.exists():
        threading.Event().wait(0.01)

    with pytest.raises(SessionStoreError, match="analyses wait"):
        pooled.pool.check_room()
    pooled.pool.close(30)

    reasons = [pooled.job(name)["reason"] for name in ("a", "b", "c")]
    assert all("The service stopped" in reason for reason in reasons)
    with pytest.raises(SessionStoreError):
        pooled.pool.check_room()


# -- over HTTP -----------------------------------------------------------------------------------


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running_service(service_config(tmp_path)) as service:
        yield service


def test_comparisons_that_were_read_or_are_old_are_removed() -> None:
    store, clock = MemoryStore(), FakeClock()
    jobs = Jobs(store, clock, lease_us=60_000_000)
    for run_id in ("a", "b", "c", "d"):
        create_run(store, run_id)

    def begin(reference: str) -> dict[str, Any]:
        asked = {"primary": "a", "reference": reference}
        return jobs.begin_comparison(asked, force=False, check_room=lambda: None)[0]

    def left() -> set[str]:
        remove_comparisons(store.documents, clock.time_us())
        return {one.name for one in store.documents.list(COMPARISONS)}

    read, unread, going = begin("b")["job_id"], begin("c")["job_id"], begin("d")["job_id"]
    jobs.note_read(begin("d"))
    for name in (read, unread):
        jobs.ended(COMPARISONS, name, result={"much": "text"})
    found = jobs.find(COMPARISONS, read)
    assert found is not None
    jobs.note_read(found)
    store.documents.apply([DocumentChange(COMPARISONS, "strange", {"state": 5})])

    assert left() == {read, unread, going}
    clock.advance(3601)
    jobs.running(COMPARISONS, going)
    jobs.note_read(found)  # as somebody who had it from before
    assert left() == {unread, going}
    clock.advance(86_400 - 3601)
    assert left() == {unread, going}
    clock.advance(1)
    assert left() == set()
    assert begin("c")["state"] == "queued", "it is made again"
    store.close()


def test_runs_are_analysed_and_compared_through_the_service(
    service: RunningService, tmp_path: Path
) -> None:
    store = service.store("team")
    slow_run(store, "slow")
    slow_run(store, "fast", step_ms=5.0)
    headers = {"Authorization": f"Bearer {service.key}", "Quark-Storage-Dir": "team"}
    base_url = f"{service.url}/api/v1/workspaces/-/"

    def ask(method: str, path: str, status: int = 200, **what: Any) -> Any:
        answer = httpx.request(method, base_url + path, headers=headers, timeout=60, **what)
        assert answer.status_code == status, answer.text
        return jsonio.loads(answer.content)

    def find(path: str, **query: Any) -> list[Any]:
        (found,) = ask("GET", f"runs/slow/{path}", params=query).values()
        return list(found)

    waited = {"wait_seconds": 55}
    job = ask("POST", "runs/slow/analyses", 202, params=waited)
    again = ask("POST", "runs/slow/analyses")
    ask("POST", "runs/fast/analyses", 202, params=waited)
    sent = {"primary": "fast", "reference": "slow", "baseline": True}
    compared = ask("POST", "comparisons", 202, json=sent, params=waited)

    assert job["state"] == "done", job["reason"]
    assert again == job == ask("GET", f"runs/slow/analyses/{job['job_id']}")
    assert find("analyses") == [job]
    assert [one["rule_id"] for one in find("alerts")] == ["runtime_bottleneck_risk"]
    assert find("alerts", severity="info") == find("alerts", step_min=10_000) == []
    assert find("alerts", category="runtime") == find("alerts")
    assert [one["score_key"] for one in find("health-scores", score_key="runtime")] == ["runtime"]
    assert find("health-scores")[0]["score_key"] == "overall"
    names = [one["phase_name"] for one in find("phases")]
    assert names == job["result"]["phases"]["phases"]
    assert len(find("phases", phase_name=names[0], limit=1)) == 1
    assert compared["state"] == "done", compared["reason"]
    assert compared == ask("GET", f"comparisons/{compared['job_id']}")
    assert compared == ask("POST", "comparisons", json=sent)
    expected = compare_stored(
        read_stored(store, "fast"),
        read_stored(store, "slow"),
        ComparisonEngineConfig(),
        baseline=True,
    ).to_dict()
    for plain in (expected, compared["result"]):
        plain.pop("generated_at")
    assert compared["result"] == jsonio.loads(jsonio.dumps(expected))
    ask("POST", "runs/gone/analyses", 404)
    ask("GET", "runs/slow/analyses/job_unknown", 404)
    ask("GET", "comparisons/unknown", 404)
    ask("POST", "comparisons", 404, json={**sent, "reference": "gone"})
    store.close()
