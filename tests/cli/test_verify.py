"""Logged = stored = served; and each way in which it is not is found."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from quark import TrainingSession
from quark.catalog.model import CollectionKey, RunRef
from quark.cli.verify import check_list
from quark.pipeline.recovery import find_writers, read_segment
from quark.storage.embedded import EmbeddedStore
from quark.storage.layout import journal_path, run_db_path, store_root
from tests.catalog.building import log
from tests.support.cli import json_of, logged_run, run_cli


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with one run in which everything is whole: points, records, payloads, a version."""
    folder = tmp_path_factory.mktemp("original")
    run_id = logged_run(folder, steps=30, artifact=b"weights" * 100)
    logged_run(folder, project="other", artifact=b"other")
    store = EmbeddedStore(store_root(folder))
    run = RunRef(run_id, "digits", "local")
    log(store, {"a": "1", "b": "22"}, key=CollectionKey("local", "digits", "data"), run=run)
    store.close()
    return folder, run_id


@pytest.fixture
def folder(original: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(original[0], tmp_path / "copy"))


def problems(folder: Path, *words: str) -> dict[str, str]:
    """Return what is wrong, by what it is about."""
    done = run_cli("verify", *words, "--storage-dir", folder, "--json")
    said: dict[str, Any] = json_of(done, code=None)
    found = {
        check["about"]: check["said"]
        for run in said["runs"]
        for check in run["checks"]
        if check["state"] == "problem"
    }
    assert (done.code, said["ok"]) == ((1, False) if found else (0, True))
    return found


def test_what_is_whole_is_said_to_be_and_counted_as_the_store_counts(
    original: tuple[Path, str],
) -> None:
    folder, run_id = original
    said = json_of(run_cli("verify", run_id[:8], "--storage-dir", folder, "--json"))

    store = EmbeddedStore(store_root(folder))
    counts = store.records.count(run_id)
    store.close()
    (run,) = said["runs"]
    assert (run["run_id"], run["point_count"]) == (run_id, 30)
    assert run["record_count"] == sum(n for kind, n in counts.items() if kind != "metric")
    assert {check["about"]: check["state"] for check in run["checks"]} == dict.fromkeys(
        ("journal", "frames", "points", "records", "payloads", "artifacts"), "ok"
    )
    shown = run_cli("verify", "--quick", "--storage-dir", folder).ok()
    assert shown.out.count("ok  ") == 2
    assert "stored and served" in shown.err


def test_a_run_that_begins_or_ends_meanwhile_is_not_listed_wrongly(tmp_path: Path) -> None:
    session = TrainingSession.start_run(project="digits", storage_dir=tmp_path)
    session.flush()
    store = EmbeddedStore(store_root(tmp_path))
    before = {run.id: run for run in store.records.list_runs()}
    session.end_run()
    begun = logged_run(tmp_path)
    gone = "run_gone"
    rows: list[dict[str, Any]] = [
        {"run_id": run_id, "ok": True, "checks": []} for run_id in (session.run_id, begun, gone)
    ]

    check_list(store, rows, before)
    assert [row["ok"] for row in rows] == [True, True, True]

    with sqlite3.connect(store_root(tmp_path) / "index.db") as index:
        index.execute("DELETE FROM run WHERE run_id = ?", (begun,))
    check_list(store, rows, before)
    store.close()
    assert [row["ok"] for row in rows] == [True, False, True]
    assert rows[1]["checks"][0]["todo"] == "quark reindex"


def in_file(folder: Path, run_id: str, statement: str) -> None:
    with sqlite3.connect(run_db_path(store_root(folder), run_id)) as connection:
        assert connection.execute(statement).rowcount > 0


@pytest.mark.parametrize(
    ("statement", "about", "said"),
    [
        ("DELETE FROM record WHERE kind = 'history_value' AND step = 7", "records", "1 record of"),
        ("DELETE FROM record WHERE position = (SELECT max(position) FROM record)", "records", "1 "),
        ("UPDATE chunk SET body = zeroblob(length(body))", "points", ""),
        ("UPDATE writer SET position = 3", "frames", "but frame"),
        ("UPDATE record SET body = '[' WHERE kind = 'event'", "records", ""),
        (
            "INSERT INTO record (kind, writer_id, seq, ordinal, time_us, body) SELECT kind, "
            "writer_id, seq, ordinal, time_us, body FROM record WHERE kind = 'event' LIMIT 1",
            "records",
            "1 records are there twice",
        ),
        (
            "UPDATE run SET body = replace(body, 'short', 'other'), version = version + 1",
            "list",
            "the list of runs says something else",
        ),
    ],
)
def test_what_was_changed_in_a_file_is_found(
    original: tuple[Path, str], folder: Path, statement: str, about: str, said: str
) -> None:
    in_file(folder, original[1], statement)

    found = problems(folder)

    assert said in found[about]


def test_payloads_and_versions_that_are_gone_or_changed_are_found(
    original: tuple[Path, str], folder: Path
) -> None:
    blobs = sorted((store_root(folder) / "blobs").glob("*/*/*"))
    (weights,) = (blob for blob in blobs if blob.read_bytes() == b"weights" * 100)
    (part,) = (blob for blob in blobs if blob.read_bytes() == b"22")
    weights.chmod(0o644)
    weights.write_bytes(b"Weights" * 100)
    part.unlink()

    found = problems(folder, original[1])
    assert "1 of 1 payload:" in found["payloads"]
    assert "has another content" in found["payloads"]
    assert "data:v0:" in found["artifacts"]
    assert "is not there" in found["artifacts"]
    # Without reading them only what is not there is seen.
    assert set(problems(folder, original[1], "--quick")) == {"artifacts"}


def test_a_journal_that_waits_or_has_a_hole_is_found_until_it_is_delivered(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    logged_run(tmp_path)
    run_id = logged_run(tmp_path, mode="offline", steps=9)
    journal = journal_path(store_root(tmp_path), run_id)
    (files,) = find_writers(journal)
    _, frames, _ = read_segment(files.segments[0])
    assert len(frames) > 9

    # The store does not have the run at all yet.
    assert "are not stored yet" in problems(tmp_path)["journal"]
    kept = shutil.copytree(journal, tmp_path_factory.mktemp("kept") / "journal")
    assert run_cli("sync", tmp_path).code == 0
    assert problems(tmp_path) == {}
    # The journal is there again, as after a restored backup: all of it is known.
    shutil.copytree(kept, journal)
    assert problems(tmp_path, run_id) == {}
    # The store was set back, and the journal lacks the frames in between.
    in_file(tmp_path, run_id, "UPDATE writer SET position = 4")
    in_file(tmp_path, run_id, "DELETE FROM record WHERE seq > 4")
    for table in ("chunk", "segment"):
        with sqlite3.connect(run_db_path(store_root(tmp_path), run_id)) as connection:
            connection.execute(f"DELETE FROM {table}")
    assert "are not stored yet" in problems(tmp_path, run_id)["journal"]
    segment = next(journal.glob("*.qj"))
    content = bytearray(segment.read_bytes())
    at = content.find(b'"note":"row 3"')
    content[at : at + 4] = b"\xff\xff\xff\xff"
    segment.write_bytes(content)
    assert problems(tmp_path, run_id)["journal"]
    said = run_cli("verify", run_id, "--storage-dir", tmp_path)
    assert "is damaged in 1 place" in said.out
    assert "are neither stored nor in the journal" in said.out
