"""How runs are doing, in the embedded store's index: kept there, and found again when it is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from quark.errors import SessionStoreError
from quark.storage import layout
from quark.storage.embedded import EmbeddedStore
from quark.storage.index_db import IndexDb
from quark.storage.judgements import overall_health
from quark.storage.reindex import reindex
from quark.storage.run_db import RunDb
from tests.storage.building import batch, create_run, record

SCORED: dict[str, Any] = {"score_key": "overall", "category": "overall", "status": "watch"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / ".quark"


@pytest.fixture
def judged(root: Path) -> Iterator[EmbeddedStore]:
    """Six runs, of which every other one was judged."""
    store = EmbeddedStore(root)
    for number in range(6):
        create_run(store, f"run-{number}")
        if number % 2:
            judge(store, f"run-{number}", float(number))
    yield store
    store.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose own files were asked how they are doing."""
    found: list[str] = []
    asking = RunDb.judged

    def noting(self: RunDb) -> object:
        found.append(self.run_id)
        return asking(self)

    monkeypatch.setattr(RunDb, "judged", noting)
    return found


def judge(store: EmbeddedStore, run_id: str, score: float, seq: int = 1) -> None:
    store.append(batch(seq, seq, record(seq, "health_score", score=score, **SCORED), run_id=run_id))


EXPECTED = {"run-1": (1.0, "watch"), "run-3": (3.0, "watch"), "run-5": (5.0, "watch")}


def test_no_run_is_opened_to_tell_how_all_of_them_are(
    judged: EmbeddedStore, root: Path, opened: list[str]
) -> None:
    assert judged.records.healths() == EXPECTED
    assert EmbeddedStore(root).records.healths() == EXPECTED, "nor in another process"
    assert opened == []

    judge(judged, "run-1", 9.5, seq=2)

    assert judged.records.healths()["run-1"].score == 9.5
    assert opened == ["run-1"], "once, when it was judged"


@pytest.mark.parametrize("loss", ["written by an older Quark", "made again"])
def test_what_the_index_does_not_know_is_read_once_in_the_runs(
    judged: EmbeddedStore, root: Path, opened: list[str], loss: str
) -> None:
    if loss == "made again":
        reindex(root)
    else:
        with closing(sqlite3.connect(layout.index_path(root))) as connection, connection:
            connection.execute("DROP TABLE health")
    judged.close()
    layout.run_db_path(root, "run-4").write_bytes(b"damaged" * 1000)
    store = EmbeddedStore(root)

    assert store.records.healths() == EXPECTED
    assert sorted(opened) == [f"run-{number}" for number in range(6)]
    opened.clear()
    assert store.records.healths() == EXPECTED
    assert opened == ["run-4"], "which may be mended"
    store.close()


def test_an_index_that_cannot_be_written_is_made_up_for_by_what_was_read(
    judged: EmbeddedStore, opened: list[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reindex(root)

    def refuse(self: IndexDb, found: object) -> None:
        raise SessionStoreError("somebody else's folder")

    monkeypatch.setattr(IndexDb, "put_judged", refuse)
    assert judged.records.healths() == judged.records.healths() == EXPECTED
    assert len(opened) == 6


def test_a_process_that_dies_before_the_index_is_made_up_for_by_the_next_delivery(
    judged: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def die(self: IndexDb, found: object) -> None:
            raise SessionStoreError("the index is busy")

        patch.setattr(IndexDb, "put_judged", die)
        with pytest.raises(SessionStoreError):
            judge(judged, "run-2", 22.0)

    judge(judged, "run-2", 22.0)

    assert judged.records.healths() == {**EXPECTED, "run-2": (22.0, "watch")}


def test_bodies_that_say_nothing_are_passed_over() -> None:
    good = ("health_score", b'{"score_key":"overall","score":"Infinity","status":"watch"}')
    for odd in (b'{"score_key":"overall"}', b'{"score_key":"overall","score":[],"status":"x"}'):
        assert overall_health([("health_score", odd)]) is None
    assert overall_health([good, ("analysis", b"{}"), ("event", b'{"score_key":"overall"}')]) == (
        float("inf"),
        "watch",
    )
