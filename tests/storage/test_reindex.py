"""The index can be lost, damaged or stale, and is made again from the runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from quark.storage import layout
from quark.storage.embedded import EmbeddedStore
from quark.storage.reindex import reindex
from tests.storage.building import batch, create_run, record


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / ".quark"


@pytest.fixture
def store(root: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(root)
    for number in range(3):
        create_run(store, f"run-{number}", name=f"name-{number}", tags=[f"t{number}"])
    yield store
    store.close()


def listed(root: Path) -> list[tuple[str, str | None]]:
    store = EmbeddedStore(root)
    found = [(run.id, run.name) for run in store.records.list_runs()]
    store.close()
    return sorted(found)


ALL = [("run-0", "name-0"), ("run-1", "name-1"), ("run-2", "name-2")]


def test_a_lost_index_is_made_again(store: EmbeddedStore, root: Path) -> None:
    before = store.records.list_runs()
    store.close()
    layout.index_path(root).unlink()
    assert listed(root) == []

    report = reindex(root)

    assert (report.run_count, report.damaged, report.set_aside) == (3, {}, None)
    again = EmbeddedStore(root)
    assert again.records.list_runs() == before
    again.close()


def test_a_damaged_index_is_set_aside(store: EmbeddedStore, root: Path) -> None:
    store.close()
    layout.index_path(root).write_bytes(b"no database" * 1_000)

    report = reindex(root)

    assert report.set_aside is not None
    assert report.set_aside.read_bytes().startswith(b"no database")
    assert listed(root) == ALL


def test_a_stale_index_is_corrected_while_the_store_is_open(
    store: EmbeddedStore, root: Path
) -> None:
    with sqlite3.connect(layout.index_path(root)) as connection:
        connection.execute("DELETE FROM run WHERE run_id = 'run-1'")
        connection.execute("UPDATE run SET status = 'failed', version = 99 WHERE run_id = 'run-0'")
        connection.execute("UPDATE run SET run_id = 'ghost' WHERE run_id = 'run-2'")
    connection.close()

    reindex(root)

    assert listed(root) == ALL
    assert {run.status for run in store.records.list_runs()} == {"running"}


def test_a_damaged_run_is_reported_and_keeps_its_row(store: EmbeddedStore, root: Path) -> None:
    store.close()
    layout.run_db_path(root, "run-1").write_bytes(b"no database" * 1_000)
    (root / "runs" / "empty").mkdir()

    report = reindex(root)

    assert report.run_count == 2
    assert list(report.damaged) == ["run-1"]
    assert "run.db is damaged" in report.damaged["run-1"]
    assert listed(root) == ALL


def test_updates_after_a_reindex_still_reach_the_index(store: EmbeddedStore, root: Path) -> None:
    reindex(root)

    store.append(batch(1, 1, record(1, "run_update", changes={"name": "newer"}), run_id="run-1"))

    assert ("run-1", "newer") in listed(root)


def test_what_a_deletion_left_behind_is_removed(store: EmbeddedStore, root: Path) -> None:
    left = root / "runs" / ".deleting-abc"
    left.mkdir()

    reindex(root)

    assert not left.exists()


def test_an_empty_root_has_an_empty_index(tmp_path: Path) -> None:
    assert reindex(tmp_path / "nothing").run_count == 0
