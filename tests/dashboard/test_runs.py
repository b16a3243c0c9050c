"""The table of runs, compared with what a loop over the runs gives."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings, strategies as st

from quark import jsonio
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.dashboard.app import dashboard_app
from quark.dashboard.views import runs_listing
from quark.dashboard.views.runs_order import in_order
from quark.dashboard.views.runs_query import parse_query
from quark.dashboard.views.runs_rows import Row, RunTables, row_of
from quark.errors import SchemaValidationError
from quark.records import RunRecord
from quark.storage.embedded import EmbeddedStore
from quark.storage.memory import MemoryStore
from quark.storage.passing import PassingStore
from quark.storage.protocols import Store
from tests.dashboard.asking import ask, place_of
from tests.dashboard.some_runs import HOSTILE, Given, fill, runs_given
from tests.storage.building import batch, create_run, log, losses, record


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """All stores in memory have the same target."""
    monkeypatch.setattr(runs_listing, "TABLES", RunTables())


@pytest.fixture(params=["embedded", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of the test's own."""
    store: Any = (
        EmbeddedStore(tmp_path / ".quark") if request.param == "embedded" else MemoryStore()
    )
    fill(store, runs_given())
    yield store
    store.close()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """A store that tests only read."""
    store = EmbeddedStore(tmp_path_factory.mktemp("runs") / ".quark")
    fill(store, runs_given())
    yield store
    store.close()


def ids(store: Store, **query: Any) -> list[str]:
    return [row["id"] for row in ask(store, "/runs", limit=1000, **query)["rows"]]


def loss(run: Given) -> float | None:
    value = run["summary"].get("val/loss")
    return None if value is None else float(value)


# -- finding --------------------------------------------------------------------------------------

FOUND: dict[str, Callable[[Given], bool]] = {
    "config.lr < 0.01": lambda run: run["config"]["lr"] < 0.01,
    "config.lr<=0.01": lambda run: run["config"]["lr"] <= 0.01,
    "config.lr = 1e-2": lambda run: run["config"]["lr"] == 0.01,
    "config.lr:1,0.1": lambda run: run["config"]["lr"] in (1, 0.1),
    "summary.val/loss <= 0.3": lambda run: (loss(run) is not None) and loss(run) <= 0.3,  # type: ignore[operator]
    "summary.val/loss > 2.5": lambda run: (loss(run) or 0) > 2.5,
    "summary.val/loss = nan": lambda run: run["id"] == "run-11",
    "summary.val/loss:*": lambda run: bool(run["summary"]),
    "-summary.val/loss:*": lambda run: not run["summary"],
    "summary.best.acc >= 0.95": lambda run: run["summary"].get("best", {}).get("acc", 0) >= 0.95,
    "config.optimizer.name = ADAM": lambda run: run["config"]["optimizer"]["name"] == "adam",
    "config.optimizer.name != adam": lambda run: run["config"]["optimizer"]["name"] != "adam",
    "config.layers != 0": lambda run: run["config"].get("layers") != 0,
    "config.layers < 1": lambda run: run["config"].get("layers", 9) < 1,
    '"config.my key" = "two words"': lambda run: run["id"] == "run-7",
    "status:failed": lambda run: run["status"] == "failed",
    "status:failed,running": lambda run: run["status"] in ("failed", "running"),
    "status != completed": lambda run: run["status"] != "completed",
    "tag:seed1": lambda run: "seed1" in run["tags"],
    "tag:seed": lambda run: False,
    "tag~seed": lambda run: True,
    "-tag:seed1": lambda run: "seed1" not in run["tags"],
    'group:"group 1"': lambda run: run["group"] == "group 1",
    "group:*": lambda run: run["group"] is not None,
    "project:speech": lambda run: run["project"] == "speech",
    'name:"trial 1"': lambda run: run["name"].startswith("trial 1"),
    'name = "trial 1"': lambda run: run["name"] == "trial 1",
    "name !~ trial": lambda run: "trial" not in run["name"],
    "TRIAL": lambda run: "trial" in run["name"],
    "trial -12": lambda run: "trial" in run["name"] and "12" not in run["id"],
    "http://example.org": lambda run: run["id"] == "run-4",
    "onerror": lambda run: run["id"] == "run-13",
    '"<img src=x"': lambda run: run["id"] == "run-13",
    "duration > 10min -status:running": lambda run: (
        1 + int(run["id"][4:]) > 10 and run["status"] != "running"
    ),
    "duration <= 600 -status:running": lambda run: (
        1 + int(run["id"][4:]) <= 10 and run["status"] != "running"
    ),
    "created > 1d": lambda run: False,
    "age > 1w": lambda run: True,
    "created < 2001-09-09T10:00": lambda run: run["created_us"] < 1_000_029_600_000_000,
    "created = 2001-09-10": lambda run: 1_000_080_000 <= run["created_us"] / 1e6 < 1_000_166_400,
    "status:failed config.lr >= 0.1": lambda run: (
        run["status"] == "failed" and run["config"]["lr"] >= 0.1
    ),
    "health:*": lambda run: False,
}


def test_a_filter_finds_the_runs_that_it_describes(embedded: EmbeddedStore) -> None:
    runs = runs_given()

    for text, is_meant in FOUND.items():
        expected = [run["id"] for run in reversed(runs) if is_meant(run)]
        assert ids(embedded, q=text, archived="show") == expected, text
        assert ids(embedded, f=text, archived="show") == expected, text
    both = ask(embedded, "/runs", q="status:failed", f=["config.lr < 0.01", "tag:seed1"])
    parts = [FOUND[text] for text in ("status:failed", "config.lr < 0.01", "tag:seed1")]
    assert both["runs"] == sum(all(part(run) for part in parts) for run in runs)
    assert (both["all"], both["archived"]) == (29, 1)


REFUSED = {
    "lr < 3": ("'lr'", "Did you mean config.lr", "quotes"),
    "stauts:failed": ("'stauts'", "Did you mean status"),
    "name <": ("nothing after 'name'", "value must follow"),
    "config.lr > small": ("'small'", "needs a number"),
    "duration > soon": ("'soon'", "90min"),
    "created:yesterday": ("'yesterday'", "2026-01-31"),
    "< 3": ("'< 3'", "quotes"),
    '"open': ("quotes",),
    "config. = 3": ("'config.'",),
    "x" * 3000: ("3000", "2000"),
    "a " * 60: ("60 terms", "50"),
}


def test_a_filter_that_says_nothing_is_refused_with_a_way_out(embedded: EmbeddedStore) -> None:
    for text, words in REFUSED.items():
        with pytest.raises(SchemaValidationError) as refused:
            ids(embedded, q=text)
        for word in words:
            assert word in str(refused.value), (text[:40], str(refused.value))
        typed = ask(embedded, "/runs", q=text, typing=1)
        assert typed == {"problem": str(refused.value)}, "half a filter is no fault while one types"
    queries: list[Given] = [
        *({"sort": "lr"}, {"group": "nope"}, {"column": "nope"}, {"archived": "no"}),
        *({"group": ["status"] * 4}, {"group": "status", "open": "{}"}),
    ]
    for query in queries:
        with pytest.raises(SchemaValidationError):
            ids(embedded, **query)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    row = row_of(RunRecord(id="r", run_id="r", timestamp="", project_id="p", project_name=text))

    with contextlib.suppress(SchemaValidationError):
        parse_query([text], ["config.lr"]).matches(row, 0)
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert parse_query([f"project = {quoted}"]).matches(row, 0)


# -- order and pages ------------------------------------------------------------------------------


def test_a_table_is_in_the_order_of_any_column_and_what_is_missing_comes_last(
    embedded: EmbeddedStore,
) -> None:
    runs = list(reversed(runs_given()))
    numbers = {run["id"]: loss(run) for run in runs}
    known = [run for run in numbers if numbers[run] is not None and run != "run-11"]

    up = ids(embedded, sort="summary.val/loss", archived="show")
    down = ids(embedded, sort="-summary.val/loss", archived="show")

    assert up[:28] == sorted(known, key=lambda run: numbers[run] or 0)
    assert down[:28] == sorted(known, key=lambda run: numbers[run] or 0, reverse=True)
    assert set(up[28:]) == set(down[28:]) == {"run-11", "run-12"}
    by_name = ids(embedded, sort="name", archived="show")
    assert by_name[0] == "run-13"
    assert by_name[1:4] == ["run-0", "run-1", "run-2"], "2 comes before 10"
    newest = ids(embedded, archived="show")
    assert newest == [run["id"] for run in runs] == ids(embedded, sort="-created", archived="show")
    assert ids(embedded, sort="created", archived="show") == newest[::-1]
    for first in range(0, 31, 7):
        page = ask(embedded, "/runs", archived="show", offset=first, limit=7)
        assert [row["id"] for row in page["rows"]] == newest[first : first + 7]
        assert (page["total"], page["offset"]) == (30, first)
    assert ask(embedded, "/run-ids", archived="show", sort="name")["run_ids"] == by_name


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=6), st.booleans())),
    st.booleans(),
)
def test_in_order_keeps_all_and_sorts_what_can_be_sorted(
    values: list[Any], descending: bool
) -> None:
    found = in_order(list(enumerate(values)), lambda item: item[1], descending=descending)

    assert sorted(place for place, _ in found) == list(range(len(values)))
    numbers = [v for _, v in found if isinstance(v, (int, float)) and v == v]
    assert numbers == sorted(numbers, reverse=descending)
    kinds = [
        0 if isinstance(v, (int, float)) and v == v else 2 if v is None or v != v or v == "" else 1
        for _, v in found
    ]
    assert kinds == sorted(kinds)


# -- groups ---------------------------------------------------------------------------------------


def test_groups_sum_up_what_is_in_them(embedded: EmbeddedStore) -> None:
    runs = runs_given()
    by_optimizer = {
        name: [run for run in runs if run["config"]["optimizer"]["name"] == name]
        for name in ("adam", "sgd")
    }
    asked: Given = {
        "group": ["config.optimizer.name", "status"],
        "column": ["summary.val/loss", "project", "tags", "duration"],
        "archived": "show",
    }

    closed = ask(embedded, "/runs", sort="-summary.val/loss", **asked)

    assert (closed["total"], closed["runs"]) == (2, 30)
    assert [line["value"] for line in closed["rows"]] == ["adam", "sgd"]
    for line in closed["rows"]:
        inside = by_optimizer[line["value"]]
        numbers = [n for n in map(loss, inside) if n is not None and n == n]
        assert line["count"] == len(inside) == 15
        sums = line["sums"]["summary.val/loss"]
        assert sums["mean"] == pytest.approx(statistics.fmean(numbers))
        assert (sums["min"], sums["max"], sums["n"]) == (min(numbers), max(numbers), len(numbers))
        assert line["sums"]["project"]["distinct"] == len({run["project"] for run in inside})
        assert line["statuses"]["failed"] == sum(run["status"] == "failed" for run in inside)
    lines = ask(embedded, "/runs", open=['["sgd"]', '["sgd","failed"]'], **asked)["rows"]
    shape = [(line["level"], line.get("value", line.get("id"))) for line in lines]
    failed = [run["id"] for run in reversed(by_optimizer["sgd"]) if run["status"] == "failed"]
    assert (0, "adam") in shape
    at = shape.index((1, "failed"))
    assert shape[at + 1 : at + 1 + len(failed)] == [(2, run_id) for run_id in failed]
    inside = ask(embedded, "/run-ids", within='["sgd","failed"]', **asked)["run_ids"]
    assert inside == failed
    # Runs without a value are a group too, and true is not 1.
    none = ask(embedded, "/runs", group="config.layers", archived="show")["rows"]
    assert {line["value"]: line["count"] for line in none}[None] == 20
    assert ask(embedded, "/run-ids", group="group", within="[null]")["run_ids"] == [
        run["id"]
        for run in reversed(runs)
        if run["group"] is None and "archived" not in run["tags"]
    ]


# -- columns --------------------------------------------------------------------------------------


def test_columns_are_what_the_runs_differ_in_if_nobody_chose(embedded: EmbeddedStore) -> None:
    answer = ask(embedded, "/runs", project="vision")
    names = [column["id"] for column in answer["columns"]]

    assert names[:5] == ["status", "health", "created", "duration", "summary.val/loss"]
    assert {"config.lr", "config.optimizer.name", "duration", "created", "tags"} <= set(names)
    assert "project" not in names
    assert "project" in [column["id"] for column in ask(embedded, "/runs")["columns"]]
    assert answer["metrics"][0] == "val/loss"
    every = ask(embedded, "/run-columns")
    found = {column["id"]: column for column in every["found"]}
    assert found["config.lr"]["numeric"]
    assert found["config.lr"]["distinct"] == 5
    assert set(found["config.optimizer.name"]["values"]) == {"adam", "sgd"}
    own = {column["id"]: column for column in every["own"]}
    assert set(own["status"]["values"]) == {"completed", "failed", "running"}
    chosen = ask(embedded, "/runs", column=["config.my key", "id", "name"], q="name:7")
    assert [column["id"] for column in chosen["columns"]] == ["config.my key", "id"]
    cells = {row["id"]: row["cells"] for row in chosen["rows"]}
    assert cells["run-7"] == {"config.my key": "two words"}
    assert cells["run-17"] == {}
    odd = ask(embedded, "/runs", column="summary.val/loss", q="summary.val/loss=nan")
    assert odd["rows"][0]["cells"] == {"summary.val/loss": "NaN"}


def test_rows_hold_so_many_values_and_say_what_they_left_out() -> None:
    def made(config: Given) -> Row:
        return row_of(
            RunRecord(
                id="r",
                run_id="r",
                timestamp="",
                project_id="p",
                project_name="p",
                config=config,
                summary={"loss": 1.0},
            ),
            100,
        )

    deep: Given = {}
    inner = deep
    for _ in range(150):
        inner["a"] = {"b": 1}
        inner = inner["a"]
    large = made({f"key{number}": "x" * 5000 for number in range(500)})

    assert len(large.values) == 51
    assert large.left_out == 450
    assert large.value("summary.loss") == 1.0
    assert max(len(str(value)) for value in large.values.values()) <= 301
    assert made(deep).left_out == 100  # of 150; a half of 100 is for the configuration
    odd = made({"list": [1, {"a": 2}], "empty": {}, "none": None, "media": {"_type": "image-file"}})
    assert odd.values == {
        "config.list": '[1,{"a":2}]',
        "config.empty": "{}",
        "config.media": "[image-file]",
        "summary.loss": 1.0,
    }


# -- what changes ---------------------------------------------------------------------------------


def test_the_table_follows_the_store(store: Store) -> None:
    before = ask(store, "/runs", limit=1)
    assert ask(store, "/runs", limit=1)["revision"] == before["revision"]

    create_run(store, "run-new", name="the newest", time_us=SYSTEM_CLOCK.time_us())
    added = ask(store, "/runs", limit=1)
    assert added["rows"][0]["id"] == "run-new"
    assert added["revision"] > before["revision"]
    assert (added["all"], added["statuses"]["running"]) == (30, before["statuses"]["running"] + 1)

    end = {"status": "failed", "ended_at": format_timestamp(SYSTEM_CLOCK.time_us())}
    update = record(1, "run_update", changes=end, add_tags=["archived"])
    store.append(batch(1, 1, update, run_id="run-new"))
    assert ask(store, "/runs", limit=1)["rows"][0]["id"] == "run-29"
    (only,) = ask(store, "/runs", archived="only", q="newest")["rows"]
    assert (only["status"], only["archived"], only["over"]) == ("failed", True, True)

    store.records.delete_run("run-new")
    assert ids(store, archived="show", q="newest") == []
    assert ask(store, "/projects") == {"projects": ["speech", "vision"]}


def test_rows_in_sight_are_told_health_last_values_and_a_small_line(store: Store) -> None:
    values = [5.0, 4.0, float("nan"), 3.0, 2.5]
    log(store, losses(1, values, key="val/loss"), run_id="run-2")
    log(store, losses(1, values, key="new/metric"), run_id="run-2", writer_id="w2")
    log(store, losses(1, [1.0] * 500, key="val/loss"), run_id="run-0")
    score: Given = {
        "score_key": "overall",
        "category": "overall",
        "score": 41.5,
        "status": "degraded",
    }
    store.append(batch(1, 1, record(1, "health_score", **score), run_id="run-0", writer_id="w9"))

    answer = ask(
        store,
        "/run-details",
        run=["run-0", "run-2", "run-3", "gone"],
        spark="val/loss",
        column=["summary.new/metric", "summary.val/loss"],
    )
    found = answer["details"]

    assert set(found) | set(answer["left"]) == {"run-0", "run-2", "run-3"}
    assert answer["left"] == []
    assert (found["run-0"]["health"], found["run-3"]["health"]) == (41.5, None)
    assert found["run-2"]["spark"] == {"x": [0, 1, 3, 4], "y": [5.0, 4.0, 3.0, 2.5]} or found[
        "run-2"
    ]["spark"] == {"x": [0, 1, 2, 3, 4], "y": [5.0, 4.0, None, 3.0, 2.5]}
    assert len(found["run-0"]["spark"]["y"]) <= 56
    assert found["run-3"]["spark"] is None
    assert found["run-2"]["cells"] == {"summary.new/metric": 2.5}, "the summary has val/loss"
    # What was looked up can be asked for, and sorts.
    assert ids(store, q="health < 50", archived="show") == ["run-0"]
    assert ids(store, sort="health")[0] == "run-0"
    assert ids(store, q="summary.new/metric:*") == ["run-2"]
    with pytest.raises(SchemaValidationError, match="101 runs"):
        ask(store, "/run-details", run=["r"] * 101)


class Counted(PassingStore):
    """A store that counts what is asked of its records and points."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.asked: Counter[str] = Counter()

    @property
    def records(self) -> Any:
        return _Counting(super().records, self.asked)

    @property
    def points(self) -> Any:
        return _Counting(super().points, self.asked)


class _Counting:
    def __init__(self, inner: Any, asked: Counter[str]) -> None:
        self._inner = inner
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        self._asked[name] += 1
        return getattr(self._inner, name)


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "-health"},
        {"q": "health > 50"},
        {"group": "health", "sort": "status"},
        {"sort": "status", "q": "status:completed", "group": "status"},
    ],
)
def test_what_is_asked_by_health_or_status_is_one_look_up_for_all_runs(
    store: Store, query: dict[str, Any]
) -> None:
    scores = {f"run-{number}": float(number * 37 % 101) for number in range(0, 30, 2)}
    for run_id, score in scores.items():
        given: Given = {"score_key": "overall", "category": "overall", "status": "watch"}
        scored = record(1, "health_score", score=score, **given)
        store.append(batch(1, 1, scored, run_id=run_id, writer_id="w9"))
    counted = Counted(store)

    answer = ask(counted, "/runs", archived="show", limit=100, **query)

    assert answer["pending"] == 0
    assert set(counted.asked) <= {"changed_runs", "healths"}
    assert counted.asked["healths"] <= 1
    if query == {"sort": "-health"}:
        found = [row["id"] for row in answer["rows"] if row["health"] is not None]
        assert found == sorted(scores, key=lambda run_id: -scores[run_id])
        assert len(answer["rows"]) == 30
    if query == {"q": "health > 50"}:
        found = [row["id"] for row in answer["rows"]]
        assert set(found) == {run_id for run_id, score in scores.items() if score > 50}


def test_many_runs_are_compared_without_asking_for_each(store: Store) -> None:
    wanted = [f"run-{number}" for number in range(0, 30, 2)]
    counted = Counted(store)

    answer = ask(counted, "/compare", run=[*wanted, "gone"])

    assert [run["id"] for run in answer["runs"]] == wanted
    assert answer["missing"] == ["gone"]
    assert counted.asked["get_run"] == 0
    assert counted.asked["changed_runs"] <= 2
    store.append(batch(1, 1, record(1, "run_update", changes={"name": "new"}), run_id="run-4"))
    again = ask(counted, "/compare", run=wanted)["runs"]
    assert [run["name"] for run in again] == [
        store.records.get_run(run_id).name for run_id in wanted
    ], "as they are now"


# -- files and answers ----------------------------------------------------------------------------


class Anybody:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def place(self, request: Any) -> Any:
        return place_of(self._store)


def over_http(store: Store, path: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(dashboard_app(Anybody(store)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path)

    return asyncio.run(asked())


def test_the_table_is_downloaded_as_csv_that_no_spreadsheet_runs(embedded: EmbeddedStore) -> None:
    runs = {run["id"]: run for run in runs_given()}

    answer = over_http(embedded, "/ui/api/runs.csv?archived=show&every=1&sort=summary.val/loss")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="runs.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == ids(embedded, archived="show", sort="summary.val/loss")
    for row in rows:
        run = runs[row["id"]]
        assert float(row["config.lr"]) == run["config"]["lr"]
        assert row["created"] == format_timestamp(run["created_us"])
        assert row["tags"] == ", ".join(run["tags"])
        value = loss(run)
        assert row["summary.val/loss"] == ("" if value is None else repr(value))
    (hostile,) = [row for row in rows if row["id"] == "run-13"]
    assert hostile["name"] == "'" + HOSTILE
    some = over_http(embedded, "/ui/api/runs.csv?column=config.lr&q=tag:seed1")
    head, *lines = csv.reader(io.StringIO(some.content.decode("utf-8-sig")))
    assert head == ["id", "name", "config.lr"]
    assert len(lines) == sum("seed1" in run["tags"] for run in runs.values())


def test_hostile_words_come_back_as_they_are_and_errors_as_errors(embedded: EmbeddedStore) -> None:
    answer = over_http(embedded, "/ui/api/runs?q=onerror")
    refused = over_http(embedded, "/ui/api/runs?q=%3Cscript%3E")

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["rows"][0]["name"] == HOSTILE
    assert refused.status_code == 422
    assert "<script>" in refused.json()["error"]["message"]
    assert jsonio.loads(refused.content)["error"]["type"] == "SchemaValidationError"


def test_an_empty_store_has_an_empty_table(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / ".quark")

    answer = ask(store, "/runs")

    assert (answer["rows"], answer["total"], answer["all"], answer["metrics"]) == ([], 0, 0, [])
    assert ask(store, "/run-columns")["found"] == []
    assert ask(store, "/runs", group="config.lr", q="config.lr < 3")["total"] == 0
    store.close()
