"""A network that cuts, stalls, crawls and loses answers: everything arrives once, nothing waits."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quark import TrainingSession
from quark.errors import SessionStoreError
from quark.pipeline.frames import SegmentMeta
from quark.pipeline.journal import Journal
from quark.pipeline.shipper import Shipper
from quark.records import EventRecord
from quark.session import RunRequest
from quark.settings import Settings
from quark.storage.model import RecordFilter
from quark.storage.protocols import Store
from tests.storage.building import batch, create_run, losses, record
from tests.support.clock import FakeClock
from tests.support.processes import wait_until
from tests.support.proxy import Link, Proxy
from tests.support.service import RunningService, running_service, service_config

#: Longer than the network is given in these tests, and shorter than any of them would hang.
GENEROUS_SECONDS = 20.0


@pytest.fixture(autouse=True)
def _requests_end() -> Iterator[None]:
    """Wait for a shipper that was left in the middle of a request: it ends with its timeout."""
    yield
    wait_until(
        lambda: not any(thread.name == "quark-shipper" for thread in threading.enumerate()),
        seconds=30,
        what="the shipper ends",
    )


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running_service(service_config(tmp_path / "service")) as running:
        yield running


@pytest.fixture
def proxy(service: RunningService) -> Iterator[Proxy]:
    with Proxy(int(service.url.rpartition(":")[2]), seed=3) as proxy:
        yield proxy


def settings(proxy: Proxy, service: RunningService, tmp_path: Path, **changes: Any) -> Settings:
    values = {
        "persistence_url": proxy.url,
        "user_key": service.key,
        "storage_dir": str(tmp_path / "local"),
        "ship_interval_seconds": 0.01,
        "persistence_timeout_seconds": 8.0,
        "finish_timeout_seconds": 60.0,
        "capture_environment": False,
        **changes,
    }
    return Settings.load(**values)


def opened(chosen: Settings, run_id: str = "run_net") -> TrainingSession:
    return TrainingSession.open(RunRequest(project="net", settings=chosen, run_id=run_id))


def log_steps(session: TrainingSession, first: int, count: int) -> None:
    for step in range(first, first + count):
        session.log_row({"loss": step / 3}, step)
        if step % 10 == 0:
            session.add_log(f"step {step}", step=step)


def check(store: Store, steps: int, *, run_id: str = "run_net", status: str = "completed") -> None:
    """Everything is there, once and in order."""
    series = store.points.series(run_id, "loss")
    assert series.step.tolist() == list(range(steps))
    assert series.value.tolist() == [step / 3 for step in range(steps)]
    where = RecordFilter(equals={"event_type": "user_log"})
    logs = store.records.read(EventRecord, run_id, where)
    assert [event.step for event in logs] == list(range(0, steps, 10))
    assert store.records.get_run(run_id).status == status


def seen_directly(service: RunningService, steps: int, **how: str) -> None:
    """As :func:`check`, past the proxy."""
    from quark.persistence.http_store import HttpStore
    from quark.persistence.service_client import ServiceClient

    store = HttpStore(ServiceClient(service.url, service.key))
    check(store, steps, **how)
    store.close()


FAULTS = (
    Link(accepts=False),
    Link(cut_after_request_bytes=0, cut_by="fin"),
    Link(cut_after_request_bytes=300),
    Link(cut_after_response_bytes=0),
    Link(cut_after_response_bytes=40, cut_by="fin"),
    Link(forwards_requests=False, forwards_responses=False),
    Link(forwards_responses=False),
    Link(latency_seconds=0.02, jitter_seconds=0.05),
    Link(bytes_per_second=20_000),
    Link(),
)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_the_network_does_everything_arrives_once_and_no_step_waits(
    proxy: Proxy, service: RunningService, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    session = opened(settings(proxy, service, tmp_path))
    weather = [*FAULTS, *chance.choices(FAULTS, k=6)]
    chance.shuffle(weather)
    step, took_seconds = 0, []
    for link in weather:
        proxy.link = link
        if chance.random() < 0.5:
            proxy.cut(chance.choice(["rst", "fin"]))
        until = time.monotonic() + chance.uniform(0.1, 0.6)
        while time.monotonic() < until:
            began = time.perf_counter()
            log_steps(session, step, 20)
            took_seconds.append(time.perf_counter() - began)
            step += 20
            threading.Event().wait(0.005)
    proxy.link = Link()
    proxy.cut()
    session.end_run()

    assert session.handle.journal.pending == 0
    seen_directly(service, step)
    took_seconds.sort()
    print(f"{step} steps, {proxy.traffic}, slowest 20 calls {took_seconds[-1] * 1e3:.1f} ms")
    # The shortest that the client waits for anything; once, the machine itself may stand still.
    assert took_seconds[-2] < 8.0
    assert proxy.traffic.cut > 0


def test_an_answer_that_is_lost_after_the_commit_stores_nothing_twice(
    proxy: Proxy, service: RunningService
) -> None:
    """Not when the connection dies, not when the client gives up, and not out of order."""
    from quark.persistence.http_store import HttpStore
    from quark.persistence.service_client import ServiceClient

    store = HttpStore(ServiceClient(proxy.url, service.key, timeout_seconds=8.0))
    create_run(store)
    for seq, link in enumerate(
        (
            Link(cut_after_response_bytes=0, cuts=1),
            Link(cut_after_response_bytes=0),
            Link(cut_after_response_bytes=12, cut_by="fin"),
            Link(forwards_responses=False),
        ),
        start=1,
    ):
        proxy.link = link
        one = batch(seq, seq, losses(seq, [float(seq)]), record(seq))
        if link.cuts:
            assert store.append(one) == 0, "sent again by itself; it was stored the first time"
        else:
            with pytest.raises(SessionStoreError, match=r"cannot be reached|did not answer"):
                store.append(one)
            proxy.link = Link()
            proxy.cut()
            assert store.append(one) == 0, "it was stored, and is stored once"

    proxy.link = Link()
    assert store.points.series("run-1", "loss").seq.tolist() == [1, 2, 3, 4]
    assert len(store.records.read(EventRecord, "run-1")) == 4
    assert store.position("run-1", "w1") == 4
    store.close()


def test_a_request_that_ends_in_the_middle_of_its_body_stores_nothing(
    proxy: Proxy, service: RunningService
) -> None:
    from quark.persistence.http_store import HttpStore
    from quark.persistence.service_client import ServiceClient

    store = HttpStore(ServiceClient(proxy.url, service.key, timeout_seconds=60.0))
    create_run(store)
    one = batch(1, 5_000, losses(1, [1.0] * 5_000))
    for by in ("rst", "fin"):
        proxy.link = Link(cut_after_request_bytes=2_000, cut_by=by)
        with pytest.raises(SessionStoreError, match="cannot be reached"):
            store.append(one)
        proxy.link = Link()
        assert store.position("run-1", "w1") == 0
        assert store.points.keys("run-1") == {}

    assert store.append(one) == 5_000
    assert len(store.points.series("run-1", "loss")) == 5_000
    store.close()


def test_a_slow_link_delays_and_never_starves(
    proxy: Proxy, service: RunningService, tmp_path: Path
) -> None:
    """A batch that needs longer than the deadline of a request gets through, too."""
    chosen = settings(proxy, service, tmp_path)
    session = opened(chosen)
    log_steps(session, 0, 10)
    assert session.flush() == 0
    with proxy.during(Link(bytes_per_second=15_000)):
        before = proxy.traffic.request_bytes
        began = time.monotonic()
        log_steps(session, 10, 5_990)
        wait_until(lambda: session.handle.journal.pending == 0, what="it got through")
        seconds = time.monotonic() - began
        sent_bytes = proxy.traffic.request_bytes - before
    session.end_run()

    seen_directly(service, 6_000)
    print(f"{sent_bytes} bytes in {seconds:.1f} s")
    assert seconds > chosen.persistence_timeout_seconds
    assert sent_bytes < 250_000, "nothing is sent twice"


def test_an_outage_of_a_day_is_over_half_a_minute_after_the_network_is_back(
    proxy: Proxy, service: RunningService, tmp_path: Path
) -> None:
    from quark.persistence.http_store import HttpStore
    from quark.persistence.service_client import ServiceClient

    store = HttpStore(ServiceClient(proxy.url, service.key))
    create_run(store)
    clock = FakeClock()
    meta = SegmentMeta(
        run_id="run-1", writer_id="w9", project="net", workspace="local", rank=0, owner=True,
        created_at="2026-01-01T00:00:00Z", store_target=proxy.url, host="here", pid=1,
    )  # fmt: skip
    journal = Journal(tmp_path / "run-1" / "journal", meta)
    shipper = Shipper(journal, store, clock=clock)
    proxy.link = Link(accepts=False)
    proxy.cut()
    asked = 0
    for hour in range(24):
        journal.append(1, b'{"loss":%d.5}' % hour, hour)
        for _ in range(120):
            clock.advance(30)
            shipper._tick()
            asked += 1

    assert (journal.pending, type(shipper.last_error)) == (24, SessionStoreError)
    proxy.link = Link()
    clock.advance(30)
    shipper._tick()
    assert (journal.pending, shipper.last_error) == (0, None)
    assert store.points.series("run-1", "loss").step.tolist() == list(range(24))
    assert shipper.close(1) == 0
    journal.close()
    store.close()


# -- where an answer is needed, and where none comes -----------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(Link(accepts=False), id="refused"),
        pytest.param(Link(cut_after_request_bytes=0), id="reset"),
        pytest.param(Link(forwards_requests=False), id="half-open"),
        pytest.param(Link(forwards_responses=False), id="never-answers"),
        pytest.param(Link(bytes_per_second=40), id="crawls"),
    ],
)
def test_a_service_that_is_away_at_the_start_is_an_error_within_the_timeout(
    proxy: Proxy, service: RunningService, tmp_path: Path, link: Link
) -> None:
    proxy.link = link
    chosen = settings(proxy, service, tmp_path, finish_timeout_seconds=1.0)
    began = time.monotonic()

    with pytest.raises(
        SessionStoreError, match=r"could not be started|cannot be reached|did not answer"
    ):
        opened(chosen)

    assert time.monotonic() - began < 2 * chosen.persistence_timeout_seconds + GENEROUS_SECONDS


def test_a_name_that_is_not_known_is_said_and_one_that_stops_being_known_is_waited_for(
    proxy: Proxy, service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    known = threading.Event()

    def resolve(host: Any, *others: Any, **more: Any) -> Any:
        if host in ("quark.example", b"quark.example"):
            if not known.is_set():
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            host = "127.0.0.1"
        return real(host, *others, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    url = f"http://quark.example:{proxy.port}"
    chosen = settings(proxy, service, tmp_path, persistence_url=url)

    with pytest.raises(SessionStoreError, match="Name or service not known"):
        opened(chosen)
    known.set()
    session = opened(chosen, "run_dns")
    log_steps(session, 0, 100)
    session.flush()
    known.clear()
    proxy.cut()
    log_steps(session, 100, 100)
    wait_until(lambda: session.handle.last_error is not None)
    known.set()
    session.end_run()

    seen_directly(service, 200, run_id="run_dns")


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(Link(accepts=False), id="refused"),
        pytest.param(Link(forwards_requests=False, forwards_responses=False), id="half-open"),
        pytest.param(Link(forwards_responses=False), id="never-answers"),
    ],
)
def test_a_run_that_ends_during_an_outage_ends_in_time_and_is_delivered_by_the_next(
    proxy: Proxy,
    service: RunningService,
    tmp_path: Path,
    link: Link,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chosen = settings(proxy, service, tmp_path, finish_timeout_seconds=1.0)
    session = opened(chosen)
    log_steps(session, 0, 300)
    assert session.flush() == 0
    proxy.link = link
    if not link.accepts:
        proxy.cut()
    log_steps(session, 300, 300)
    began = time.monotonic()

    session.end_run()

    seconds = time.monotonic() - began
    said = capsys.readouterr().err
    assert "have not reached the store" in said
    assert str(session.run_path / "journal") in said
    print(f"ended within {seconds:.2f} s")
    assert seconds < chosen.finish_timeout_seconds + GENEROUS_SECONDS

    proxy.link = Link()
    proxy.cut()
    later = opened(chosen, "run_later")
    wait_until(lambda: not (session.run_path / "journal").exists())
    later.end_run()
    seen_directly(service, 600)
