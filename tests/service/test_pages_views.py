"""Heavy views of the dashboard are answered beside the service: the same, and never in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from quark import jsonio
from quark.dashboard.asked import Asked
from quark.dashboard.routes import VIEWS
from quark.errors import RunNotFoundError, SchemaValidationError, SessionStoreError
from quark.service.config import ServiceConfig
from quark.service.ingest import PutOffError
from quark.service.pages_views import HeavyViews
from quark.service.stores import StoreKey, Stores
from quark.storage.protocols import Store
from tests.dashboard.asking import ask
from tests.storage.building import batch, create_run, log, losses, record
from tests.support.processes import wait_until

KEY = StoreKey("team", "vision")
TABLE = "/runs/{run_id}/media/table"
DIFFERENCES = "/compare/differences"
PATH = "media/table/t.table.json"
ROWS = [[n, (n * 7919) % 500 / 7, f"word {n % 9}"] for n in range(500)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two runs, one of which has logged a table; tests only read it."""
    root = tmp_path_factory.mktemp("views") / "root"
    stores = Stores(ServiceConfig(root=root))
    store = stores.get(KEY)
    for run_id, values in (("run-1", [3.0, 2.0, 1.0]), ("run-2", [3.0, 2.5, 2.0])):
        create_run(store, run_id)
        log(store, losses(1, values), run_id=run_id)
    body = jsonio.dumps({"columns": ["n", "x", "word"], "data": ROWS})
    sha256, size_bytes = store.blobs.put(body)
    kept = {"sha256": sha256, "size_bytes": size_bytes, "metadata": {"wandb_path": PATH}}
    named: dict[str, Any] = {"artifact_type": "file", "artifact_key": "a/t", **kept}
    store.append(batch(1, 1, record(1, "artifact", **named), writer_id="w2"))
    stores.close()
    return root


@pytest.fixture
def store(root: Path) -> Iterator[Store]:
    stores = Stores(ServiceConfig(root=root))
    yield stores.get(KEY)
    stores.close()


def heavy(root: Path, **more: Any) -> HeavyViews:
    return HeavyViews(ServiceConfig(root=root), **more)


def asked_of(names: dict[str, str], **query: Any) -> Asked:
    given = [
        (name, str(one))
        for name, value in query.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    return Asked(names, given)


SORTED = asked_of({"run_id": "run-1"}, path=PATH, sort=1, descending=1, search="WORD 3", limit=20)
COMPARED = asked_of({}, reference="run-1", run=["run-2"], target=["loss<=2.1"])


def test_a_view_beside_the_service_answers_what_one_in_it_answers(root: Path, store: Store) -> None:
    views = heavy(root)
    others = set(psutil.Process().children())
    try:
        found = jsonio.loads(views.answer(KEY, TABLE, SORTED) or b"")
        compared = jsonio.loads(views.answer(KEY, DIFFERENCES, COMPARED) or b"")
        (child,) = set(psutil.Process().children()) - others
        assert "quark.service.pages_child" in child.cmdline()
    finally:
        views.close(30.0)

    query = {"path": PATH, "sort": 1, "descending": 1, "search": "WORD 3", "limit": 20}
    assert found == ask(store, TABLE, {"run_id": "run-1"}, **query)
    slowly = sorted((row for row in ROWS if row[2] == "word 3"), key=lambda row: -float(row[1]))  # type: ignore[arg-type]
    assert found["rows"] == slowly[:20]
    assert compared == ask(
        store, DIFFERENCES, reference="run-1", run=["run-2"], target=["loss<=2.1"]
    )
    assert not child.is_running()


def test_what_a_view_refuses_comes_through(root: Path) -> None:
    views = heavy(root)
    try:
        with pytest.raises(RunNotFoundError, match="gone"):
            views.answer(KEY, DIFFERENCES, asked_of({}, reference="gone", run=["run-2"]))
        with pytest.raises(SchemaValidationError, match="needs a reference"):
            views.answer(KEY, DIFFERENCES, asked_of({}))
        with pytest.raises(RunNotFoundError):  # the run is another workspace's
            views.answer(StoreKey("other", "vision"), TABLE, SORTED)
        with pytest.raises(SchemaValidationError, match="can be asked"):
            views.answer(KEY, TABLE, asked_of({"run_id": "run-1"}, search="x" * 40_000))
        assert views.answer(KEY, TABLE, SORTED) is not None
    finally:
        views.close(30.0)


def test_a_view_that_takes_too_long_is_given_up_and_not_done_in_the_service(root: Path) -> None:
    views = heavy(root, view_seconds=0.001)
    try:
        with pytest.raises(SessionStoreError, match=r"given up: it took longer than 0\.001 s"):
            views.answer(KEY, TABLE, SORTED)
    finally:
        views.close(30.0)


def test_who_comes_while_all_are_busy_is_told_to_come_again(root: Path) -> None:
    views = heavy(root, wait_seconds=0.01)
    others = set(psutil.Process().children())
    answered: list[bytes | None] = []
    threads = [
        threading.Thread(target=lambda: answered.append(views.answer(KEY, TABLE, SORTED)))
        for _ in range(2)
    ]
    try:
        for thread in threads:  # their processes take far longer to start than we to ask
            thread.start()
        wait_until(lambda: len(set(psutil.Process().children()) - others) == 2)
        with pytest.raises(PutOffError) as put_off:
            views.answer(KEY, TABLE, SORTED)
        for thread in threads:
            thread.join()
    finally:
        views.close(30.0)
    assert put_off.value.retry_after_seconds == 2.0
    assert len(answered) == 2
    assert None not in answered


def test_a_service_that_reads_everything_itself_answers_these_too(root: Path) -> None:
    views = HeavyViews(ServiceConfig(root=root, read_processes=0))

    assert views.answer(KEY, TABLE, SORTED) is None
    views.close(1.0)


def test_heavy_views_are_those_that_look_alone() -> None:
    heavy_views = [view for view in VIEWS if view.is_heavy]

    assert {TABLE, DIFFERENCES} <= {view.path for view in heavy_views}
    assert all(view.method == "GET" and not view.writes for view in heavy_views)
