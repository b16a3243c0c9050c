"""How many statements the dashboard's pages cost where the runs are in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psycopg")

from quark.dashboard.views import runs_rows
from quark.storage.protocols import Store
from tests.dashboard.asking import ask
from tests.storage.building import batch, create_run, record
from tests.storage.postgres_stores import postgres_store, shared_engine

RUNS = 60


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = postgres_store(tmp_path_factory.mktemp("pages"))
    scored: dict[str, Any] = {"score_key": "overall", "category": "overall", "status": "watch"}
    for number in range(RUNS):
        run_id = f"run-{number}"
        create_run(store, run_id, status="completed", config={"lr": number})
        score = record(1, "health_score", score=float(number * 37 % 101), **scored)
        store.append(batch(1, 1, score, run_id=run_id))
    yield store
    store.close()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the server, with a dashboard that has not looked before."""
    monkeypatch.setattr(runs_rows.TABLES, "_tables", type(runs_rows.TABLES._tables)())
    engine, found = shared_engine(), []
    asking = engine.ask

    def noting(sql: str, values: Any = ()) -> Any:
        found.append(sql)
        return asking(sql, values)

    monkeypatch.setattr(engine, "ask", noting)
    return found


@pytest.mark.parametrize("query", [{"sort": "-health"}, {"q": "health>50"}, {"group": "health"}])
def test_all_runs_by_health_are_three_statements_and_then_one(
    filled: Store, statements: list[str], query: dict[str, Any], tmp_path: Path
) -> None:
    first = ask(filled, "/runs", limit=1000, **query)
    assert len(statements) == 3, "marks, rows, healths"
    statements.clear()

    again = ask(filled, "/runs", limit=1000, **query)

    assert len(statements) == 1, "marks"
    assert first["rows"] == again["rows"]
    assert first["pending"] == 0
    if query == {"sort": "-health"}:
        scores = sorted((float(number * 37 % 101) for number in range(RUNS)), reverse=True)
        assert [row["health"] for row in first["rows"]] == scores


def test_many_runs_side_by_side_are_not_asked_for_one_by_one(
    filled: Store, statements: list[str]
) -> None:
    wanted = [f"run-{number}" for number in range(RUNS)] + ["gone-1", "gone-2"]
    more = [f"other-{number}" for number in range(20)]

    answer = ask(filled, "/compare", run=wanted + more)

    assert [run["id"] for run in answer["runs"]] == wanted[:RUNS]
    assert answer["missing"] == wanted[RUNS:] + more
    rows = [sql for sql in statements if "r.body" in sql]
    assert len(rows) == 2, "all once, and then those that are compared as they are now"
