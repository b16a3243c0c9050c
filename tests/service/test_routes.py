"""What clients without Quark do: begin, change, fill and read a run with plain HTTP and JSON."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from quark.persistence import http_records
from quark.persistence.http_store import HttpStore
from quark.persistence.service_client import ServiceClient
from quark.persistence.wire import STORAGE_DIR_HEADER
from quark.records import ConsoleLineRecord, EventRecord
from quark.service import record_pages
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.ingest import RunPlace
from quark.service.logs import JsonLog
from quark.service.paging import read_page
from quark.service.record_pages import read_records
from quark.service.run_writing import SERVICE_WRITER
from quark.storage.memory import MemoryStore
from quark.storage.model import RecordFilter, RunQuery, StepRange
from quark.storage.protocols import Store
from tests.storage.building import START_US, batch, create_run, record, run_record
from tests.support.asgi import InProcess
from tests.support.clock import FakeClock
from tests.support.identity import first_key

RUNS = "/api/v1/workspaces/-/runs"


class Client:
    """Asks a service in this process, and looks into its store."""

    def __init__(self, root: Path) -> None:
        self.clock = FakeClock()
        self.app = create_app(ServiceConfig(root=root), clock=self.clock)
        self.state = self.app.state.service
        self.state.log = JsonLog(io.StringIO())
        self.http = InProcess(self.app, first_key(self.app))

    @property
    def store(self) -> Store:
        from quark.service.stores import StoreKey

        found: Store = self.state.stores.get(StoreKey("local"))
        return found

    def ask(self, method: str, path: str, *, status: int = 200, **what: Any) -> Any:
        answer = self.http.request(method, path, **what)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def close(self) -> None:
        self.http.__exit__(None, None, None)
        self.state.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    yield client
    client.close()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One for tests that store nothing through it: making one takes its time."""
    client = Client(tmp_path_factory.mktemp("service"))
    create_run(client.store, "r")
    yield client
    client.close()


# -- a run's life --------------------------------------------------------------------------------


def test_a_run_lives_through_json_alone(client: Client) -> None:
    config = {"lr": 0.1, "layers": [1, 2], "api_key": "sk-0123456789abcdef0123456789abcdef"}
    sent = {"project": "vision", "name": "first", "tags": ["a", "a"], "config": config}

    run = client.ask("POST", RUNS, json=sent, status=201)
    path = f"{RUNS}/{run['id']}"
    rows = [
        {"values": {"loss": 1.5, "lr": 0.1}, "step": 0},
        {"values": {"loss": "NaN", "lr": 0.1}, "step": 1, "timestamp": "2026-01-31T12:00:00+01:00"},
        {"values": {"acc": 0.5}, "epoch": 3},
    ]
    client.ask("POST", f"{path}/metrics", json={"rows": rows}, status=201)
    event = {"event_type": "checkpoint_saved", "severity": "info", "step": 1}
    client.ask("POST", f"{path}/records/event", json={"records": [event]}, status=201)
    client.clock.advance(60)
    change = {
        "status": "completed",
        "exit_code": 0,
        "add_tags": ["b"],
        "notes": "fine",
        "config": {"lr": 0.2},
        "config_removed": ["layers"],
        "summary": {"best": 1.5},
    }
    ended = client.ask("PATCH", path, json=change)

    assert run["status"] == "running"
    assert run["config"] != config, "a secret was kept"
    assert ended == client.ask("GET", path)
    expected = {"status": "completed", "exit_code": 0, "tags": ["a", "b"], "notes": "fine"}
    assert {name: ended[name] for name in expected} == expected
    assert ended["config"]["lr"] == 0.2
    assert "layers" not in ended["config"]
    assert ended["summary"] == {"best": 1.5}
    assert ended["ended_at"] > run["created_at"]
    events = [one.event_type for one in client.store.records.read(EventRecord, run["id"])]
    assert events == ["run_started", "checkpoint_saved", "run_ended"]
    series = client.ask("GET", f"{path}/series", params={"key": ["loss", "acc"]})["series"]
    assert [(one["step"], one["epoch"], one["value"]) for one in series] == [
        ([0, 1], [None, None], [1.5, "NaN"]),
        ([None], [3], [0.5]),
    ]
    assert series[0]["time_us"] == [client.clock.time_us() - 60_000_000, 1769857200000000]
    assert client.ask("GET", "/api/v1/workspaces/-/projects")["projects"][0]["root_path"] == ""


def test_a_status_that_cannot_follow_is_refused_and_the_same_one_changes_nothing(
    client: Client,
) -> None:
    path = f"{RUNS}/{client.ask('POST', RUNS, json={'project': 'p'}, status=201)['id']}"

    client.ask("PATCH", path, json={"status": "failed", "end_reason": "out of memory"})
    once = client.ask("GET", path)
    again = client.ask("PATCH", path, json={"status": "failed", "end_reason": "out of memory"})
    resumed = client.ask("PATCH", path, json={"status": "running"})
    client.ask("PATCH", path, json={"status": "completed"})
    refused = client.ask("PATCH", path, json={"status": "running"}, status=409)

    assert again["ended_at"] == once["ended_at"]
    assert (resumed["resume_count"], resumed["ended_at"], resumed["end_reason"]) == (1, None, None)
    assert refused["error"]["type"] == "InvalidRunStateError"
    assert client.ask("GET", path)["status"] == "completed"


def test_a_run_that_is_there_is_not_begun_again_unless_by_the_same_request(client: Client) -> None:
    named = {"project": "p", "run_id": "mine"}
    key = {"Idempotency-Key": "job-17"}

    first = client.ask("POST", RUNS, json={"project": "p"}, headers=key, status=201)
    same = client.ask("POST", RUNS, json={"project": "p"}, headers=key, status=200)
    client.ask("POST", RUNS, json=named, status=201)
    refused = client.ask("POST", RUNS, json=named, status=409)
    client.ask("POST", RUNS, json=named, headers={"Idempotency-Key": "x"}, status=409)

    assert first == same
    assert "mine" in refused["error"]["message"]
    assert client.store.records.count("mine") == {"run": 1, "event": 1}


def test_what_is_sent_twice_is_stored_once(client: Client) -> None:
    path = f"{RUNS}/{client.ask('POST', RUNS, json={'project': 'p'}, status=201)['id']}/metrics"
    run_id = path.split("/")[-2]

    def send(value: float, key: str | None) -> bool:
        headers = {"Idempotency-Key": key} if key else {}
        rows = [{"values": {"loss": value}, "step": step} for step in (0, 1)]
        stored: bool = client.ask("POST", path, json={"rows": rows}, headers=headers, status=201)[
            "stored"
        ]
        return stored

    answers = [
        send(1, "loop:1"), send(2, "loop:2"), send(2, "loop:2"), send(1, "loop:1"),
        send(3, "other:1"), send(4, "once and only"), send(4, "once and only"), send(5, None),
        send(5, None),
    ]  # fmt: skip

    assert answers == [True, True, False, False, True, True, False, True, True]
    series = client.store.points.series(run_id, "loss")
    assert series.value.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5]


@pytest.mark.parametrize(
    ("method", "path", "sent", "word"),
    [
        ("POST", RUNS, {"project": " "}, "blank"),
        ("POST", RUNS, {"project": "p", "run_id": "../x"}, "Run id"),
        ("POST", RUNS, {"project": "p", "colour": 1}, "colour"),
        ("PATCH", f"{RUNS}/r", {"status": "paused"}, "status"),
        ("PATCH", f"{RUNS}/r", {"add_tags": [""]}, "add_tags"),
        ("POST", f"{RUNS}/r/metrics", {"rows": []}, "rows"),
        ("POST", f"{RUNS}/r/metrics", {"rows": [{"values": {"": 1}}]}, "values"),
        ("POST", f"{RUNS}/r/metrics", {"rows": [{"values": {"x": "much"}}]}, "values"),
        ("POST", f"{RUNS}/r/metrics", {"rows": [{"values": {"x": 1}, "step": 2**63}]}, "step"),
        ("POST", f"{RUNS}/r/records/metric", {"records": [{}]}, "/metrics"),
        ("POST", f"{RUNS}/r/records/run", {"records": [{}]}, "PATCH"),
        ("POST", f"{RUNS}/r/records/nonsense", {"records": [{}]}, "nonsense"),
        ("POST", f"{RUNS}/r/records/event", {"records": [{"event_type": "A B"}]}, "event_type"),
        ("POST", f"{RUNS}/r/records/event", {"records": [{"colour": 1}]}, "colour"),
        ("POST", f"{RUNS}/r/records/event", {"records": [{"timestamp": "now"}]}, "now"),
        ("GET", f"{RUNS}/r/records/event?limit=20000", None, "limit"),
        ("GET", f"{RUNS}/r/records/nonsense", None, "nonsense"),
        ("GET", f"{RUNS}?after=nonsense", None, "cursor"),
        ("GET", f"{RUNS}/r/changes?after=nonsense", None, "cursor"),
        ("GET", "/api/v1/workspaces/-/changes?after=eJyLjgUAARUAuQ", None, "cursor"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_refused_with_its_reason(
    lasting: Client, method: str, path: str, sent: Any, word: str
) -> None:
    answer = lasting.ask(method, path, json=sent, status=422)

    assert answer["error"]["type"] in ("SchemaValidationError", "RecordRejectedError")
    assert word in answer["error"]["message"]
    assert lasting.store.records.count("r") == {"run": 1}


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("GET", "gone", None),
        ("PATCH", "gone", {"name": "x"}),
        ("PATCH", "gone", {}),
        ("DELETE", "gone", None),
        ("POST", "gone/metrics", {"rows": [{"values": {"x": 1}}]}),
        ("POST", "gone/records/event", {"records": [{"event_type": "x", "severity": "info"}]}),
        ("GET", "gone/records/event", None),
        ("GET", "gone/records/event?after=3", None),
        ("GET", "gone/keys", None),
        ("GET", "gone/series?key=a", None),
        ("GET", "gone/buckets?key=a", None),
        ("GET", "gone/changes", None),
        ("GET", "gone/changes?wait_seconds=9", None),
    ],
)
def test_an_unknown_run_is_not_found(lasting: Client, method: str, path: str, sent: Any) -> None:
    answer = lasting.ask(method, f"{RUNS}/{path}", json=sent, status=404)

    assert answer["error"]["type"] == "RunNotFoundError"


# -- pages ---------------------------------------------------------------------------------------


def new_run_at(store: Store, run_id: str, time_us: int) -> None:
    store.append(
        batch(1, 1, run_record(time_us=time_us), run_id=run_id, writer_id=f"creator-{run_id}")
    )


@settings(max_examples=60)
@given(data=st.data(), newest_first=st.booleans())
def test_pages_of_runs_show_every_run_that_stays_once_while_others_come_and_go(
    data: st.DataObject, newest_first: bool
) -> None:
    store = MemoryStore()
    times = data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=20))
    for number, time in enumerate(times):
        new_run_at(store, f"stays-{number}", START_US + time)
    query = RunQuery(newest_first=newest_first)
    seen: list[str] = []
    after, extra = None, 0

    while True:
        page = read_page(store.records, query, data.draw(st.integers(1, 5)), after)
        seen += [run.id for run in page.runs]
        after = page.next
        if after is None:
            break
        for _ in range(data.draw(st.integers(0, 4))):
            extra += 1
            new_run_at(store, f"comes-{extra}", START_US + data.draw(st.integers(0, 20)))
        for run in store.records.list_runs():
            if run.id.startswith("comes") and data.draw(st.booleans()):
                store.records.delete_run(run.id)

    stays = [run_id for run_id in seen if run_id.startswith("stays")]
    expected = [run.id for run in store.records.list_runs(query) if run.id.startswith("stays")]
    assert stays == expected
    assert len(seen) == len(set(seen))


def test_a_store_behind_a_service_lists_each_run_once_while_others_are_begun(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Growing(ServiceClient):
        """Goes into the application, and has a run begun after each page."""

        pages = 0

        def get(self, path: str, query: Any = None) -> Any:
            answer = http.request("GET", path, params=query).json()
            self.pages += 1
            new_run_at(store, f"new-{self.pages}", START_US + 1_000 + self.pages)
            return answer

    monkeypatch.setattr(http_records, "_PAGE", 3)
    http, store = client.http, client.store
    for number in range(10):
        new_run_at(store, f"run-{number}", START_US + number)
    listed = HttpStore(Growing("http://localhost", None)).records.list_runs

    newest = [run.id for run in listed(RunQuery(offset=2, limit=7))]
    every = [run.id for run in listed()]

    assert newest == [f"run-{number}" for number in range(7, 0, -1)]
    assert [run_id for run_id in every if run_id.startswith("run")] == [
        f"run-{number}" for number in range(9, -1, -1)
    ]
    assert len(set(every)) == len(every)


def test_points_are_written_by_a_writer_of_each_process_and_changes_by_one_of_all(
    client: Client,
) -> None:
    run_id = client.ask("POST", RUNS, json={"project": "p"}, status=201)["id"]
    other = create_app(client.state.config, clock=client.clock)
    other.state.service.log = JsonLog(io.StringIO())

    with InProcess(other, client.http.key) as second:
        for number in range(6):
            http = client.http if number % 2 else second
            rows = {"rows": [{"step": number, "values": {"loss": number}}]}
            assert http.request("POST", f"{RUNS}/{run_id}/metrics", json=rows).status_code == 201
            change = {"name": f"name-{number}"}
            assert http.request("PATCH", f"{RUNS}/{run_id}", json=change).status_code == 200
    other.state.service.close()

    series = client.store.points.series(run_id, "loss")
    assert series.value.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(set(series.writer.tolist())) == 2
    assert SERVICE_WRITER not in {series.writers[place] for place in series.writer.tolist()}
    assert client.store.position(run_id, SERVICE_WRITER) == 6


def test_a_store_is_one_place_however_its_path_is_spelt(client: Client) -> None:
    rows = {"rows": [{"step": 1, "values": {"loss": 1}}]}
    client.ask(
        "POST",
        RUNS,
        headers={STORAGE_DIR_HEADER: "vision/2026"},
        json={"project": "p", "run_id": "r"},
        status=201,
    )

    for text in ("vision/2026", "vision/2026/", "vision%2F2026"):
        headers = {STORAGE_DIR_HEADER: text}
        client.ask("POST", f"{RUNS}/r/metrics", headers=headers, json=rows, status=201)

    assert list(client.state.merging._runs) == [RunPlace("local", "vision/2026", "r")]


@pytest.mark.parametrize(
    "where",
    [
        RecordFilter(),
        RecordFilter(equals={"severity": ("error", "info")}),
        RecordFilter(steps=StepRange(step_min=3, step_max=33)),
        RecordFilter(steps=StepRange(epoch=1)),
    ],
)
def test_pages_of_records_are_all_records(
    where: RecordFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_pages, "MAX_RECORDS", 4)
    monkeypatch.setattr(record_pages, "_MAX_LOOKED_AT", 9)
    store = MemoryStore()
    create_run(store)
    for seq in range(1, 50):
        severity = ["info", "warning", "error"][seq % 3]
        content = [record(seq, step=seq, epoch=seq % 2, severity=severity)]
        if seq % 4 == 0:
            content.append(record(seq, "console_line", ordinal=1, stream="stdout", text="x"))
        store.append(batch(seq, seq, *content))
    expected = store.records.read(EventRecord, "run-1", where)

    found: list[Any] = []
    after = None
    while True:
        page = read_records(store.records, EventRecord, "run-1", where, after)
        found += page.records
        assert len(page.records) <= 4
        after = page.next
        if after is None:
            break

    assert tuple(found) == expected
    assert expected


def test_a_store_behind_a_service_reads_more_records_than_one_page_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quark.persistence import http_records
    from tests.support.service import running_service, service_config

    monkeypatch.setattr(record_pages, "MAX_RECORDS", 10)
    monkeypatch.setattr(http_records, "_MOST_RECORDS", 10)
    with running_service(service_config(tmp_path)) as service:
        store = service.store("x")
        create_run(store)
        lines = [
            record(seq, "console_line", stream="stdout", text=str(seq)) for seq in range(1, 36)
        ]
        store.append(batch(1, 35, *lines))

        everything = store.records.read(ConsoleLineRecord, "run-1")
        newest = store.records.read(
            ConsoleLineRecord, "run-1", RecordFilter(steps=StepRange(limit=12))
        )
        store.close()

    assert [int(one.text) for one in everything] == list(range(1, 36))
    assert newest == everything[-12:]
