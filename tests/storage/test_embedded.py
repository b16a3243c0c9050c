"""What is particular to the embedded store: its files, connections and imports."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quark.errors import DamagedFileError, RunNotFoundError, SchemaMigrationError, SessionStoreError
from quark.records import EventRecord
from quark.storage import layout, sqlite_file, sqlite_open
from quark.storage.embedded import EmbeddedStore
from quark.storage.index_db import IndexDb
from quark.storage.run_db import RUN_SCHEMA, RunDb
from quark.storage.sqlite_file import SqliteFile
from tests.storage.building import batch, create_run, log, losses, record, run_record


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / ".quark"


@pytest.fixture
def store(root: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(root)
    yield store
    store.close()


def test_a_run_without_points_needs_no_numpy() -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from quark.storage.embedded import EmbeddedStore\n"
        "from quark.storage.model import Batch, EncodedRecord\n"
        'body = b\'{"project_id": "p", "project_name": "p"}\'\n'
        "store = EmbeddedStore(Path('.quark'))\n"
        "made = EncodedRecord(1, 0, 'run', None, None, 1, body)\n"
        "store.append(Batch(run_id='r', writer_id='w', first_seq=1, last_seq=1, records=(made,)))\n"
        "assert store.records.list_runs()[0] == store.records.get_run('r')\n"
        "store.blobs.put(b'x')\n"
        "store.close()\n"
        "print('numpy' in sys.modules, 'torch' in sys.modules)"
    )

    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert said.stdout.split() == ["False", "False"]


def test_looking_makes_no_files(store: EmbeddedStore, root: Path) -> None:
    assert store.records.list_runs() == ()
    with pytest.raises(RunNotFoundError):
        store.append(batch(1, 1, record(1)))

    assert not root.exists()


def test_a_run_rests_in_a_folder_of_its_own(store: EmbeddedStore, root: Path) -> None:
    create_run(store)

    assert store.run_dir("run-1") == root / "runs" / "run-1"
    assert (root / "runs" / "run-1" / "run.db").is_file()
    assert store.target == f"file:{root}"


def test_projects_know_their_storage_directory(store: EmbeddedStore, tmp_path: Path) -> None:
    create_run(store)

    assert store.records.list_projects()[0].root_path == str(tmp_path)


def test_a_deleted_run_takes_its_folder_along(store: EmbeddedStore, root: Path) -> None:
    create_run(store)
    (root / "runs" / "run-1" / "files").mkdir()

    store.records.delete_run("run-1")

    assert list((root / "runs").iterdir()) == []


def test_a_folder_copied_elsewhere_is_a_run_there(
    store: EmbeddedStore, root: Path, tmp_path: Path
) -> None:
    create_run(store)
    log(store, losses(1, [1.0]))
    store.close()
    (tmp_path / "other").mkdir()
    os.rename(root / "runs", tmp_path / "other" / "runs")

    other = EmbeddedStore(tmp_path / "other")

    assert other.points.series("run-1", "loss").value.tolist() == [1.0]
    other.close()


def test_another_store_sees_at_once_what_was_appended(store: EmbeddedStore, root: Path) -> None:
    other = EmbeddedStore(root)
    create_run(store)

    for seq in range(1, 5):
        store.append(batch(seq, seq, losses(seq, [seq]), record(seq)))
        assert other.position("run-1", "w1") == seq
        assert len(other.points.series("run-1", "loss")) == seq
        assert len(other.records.read(EventRecord, "run-1")) == seq
    other.close()


def test_two_stores_share_the_numbers_of_keys(store: EmbeddedStore, root: Path) -> None:
    other = EmbeddedStore(root)
    create_run(store)

    for seq in range(1, 6):
        log(store, losses(seq, [seq], key=f"mine-{seq}"), losses(seq, [-seq], key=f"both-{seq}"))
        log(other, losses(seq, [seq], key=f"both-{seq}"), writer_id="w2")
        log(other, losses(seq, [seq], key=f"theirs-{seq}"), writer_id="w3")

    for seq in range(1, 6):
        assert store.points.series("run-1", f"both-{seq}").value.tolist() == [-seq, seq]
        assert store.points.series("run-1", f"mine-{seq}").value.tolist() == [seq]
        assert store.points.series("run-1", f"theirs-{seq}").value.tolist() == [seq]
    other.close()


def test_a_run_deleted_by_another_process_is_noticed(store: EmbeddedStore, root: Path) -> None:
    create_run(store, name="old")
    log(store, losses(1, [1.0], key="old"))
    other = EmbeddedStore(root)
    other.records.delete_run("run-1")

    with pytest.raises(RunNotFoundError):
        store.append(batch(2, 2, losses(2, [2.0])))
    create_run(other, name="new")
    log(other, losses(1, [9.0], key="new"))
    log(store, losses(2, [2.0], key="old"))

    assert store.records.get_run("run-1").name == "new"
    assert list(store.points.keys("run-1")) == ["new", "old"]
    other.close()


@pytest.mark.parametrize("opener", ["open_writer", "open_reader"])
def test_a_run_that_is_replaced_while_its_file_is_opened_is_opened_again(
    store: EmbeddedStore, root: Path, monkeypatch: pytest.MonkeyPatch, opener: str
) -> None:
    create_run(store, name="old")
    store.close()
    reopened, other = EmbeddedStore(root), EmbeddedStore(root)
    original = getattr(sqlite_file, opener)
    is_replaced = False

    def opened_while_it_is_replaced(path: Path, *words: Any, **named: Any) -> sqlite3.Connection:
        nonlocal is_replaced
        connection: sqlite3.Connection = original(path, *words, **named)
        if path.name == "run.db" and not is_replaced:
            is_replaced = True
            other.records.delete_run("run-1")
            create_run(other, name="new")
        return connection

    monkeypatch.setattr(sqlite_file, opener, opened_while_it_is_replaced)
    if opener == "open_writer":
        log(reopened, losses(1, [1.0]))
        assert other.points.series("run-1", "loss").value.tolist() == [1.0]
    assert reopened.records.get_run("run-1").name == "new"
    assert is_replaced
    reopened.close()
    other.close()


def test_more_runs_than_may_be_open_all_work(root: Path) -> None:
    store = EmbeddedStore(root, max_open_runs=3)
    for number in range(10):
        create_run(store, f"run-{number}")
    descriptors = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0

    for seq in range(1, 4):
        for number in range(10):
            log(store, losses(seq, [seq]), run_id=f"run-{number}")

    for number in range(10):
        assert len(store.points.series(f"run-{number}", "loss")) == 3
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 3 * 4
    store.close()


def test_an_index_that_missed_an_update_gets_it_with_the_next_delivery(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_run(store)
    renaming = batch(1, 1, record(1, "run_update", changes={"name": "new"}))

    def die(self: IndexDb, rows: object) -> None:
        raise SessionStoreError("the index is busy")

    with monkeypatch.context() as patch:
        patch.setattr(IndexDb, "put", die)
        with pytest.raises(SessionStoreError):
            store.append(renaming)
    assert store.records.get_run("run-1").name == "new"

    assert store.append(renaming) == 0

    assert store.records.list_runs()[0].name == "new"


# -- connections ---------------------------------------------------------------------------------


def test_a_reader_does_not_wait_for_a_writer(store: EmbeddedStore, root: Path) -> None:
    create_run(store)
    log(store, losses(1, [1.0]))
    other = RunDb(layout.run_db_path(root, "run-1"), "run-1")

    with other.writing() as connection:
        connection.execute("DELETE FROM segment")
        before = store.points.series("run-1", "loss").value.tolist()

    assert before == [1.0]
    assert store.points.series("run-1", "loss").value.tolist() == []
    other.close()


def test_a_file_that_stays_locked_is_a_store_error(store: EmbeddedStore, root: Path) -> None:
    create_run(store)
    path = layout.run_db_path(root, "run-1")
    impatient = SqliteFile(path, RUN_SCHEMA, busy_timeout_seconds=0.05)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")

    with pytest.raises(SessionStoreError, match=r"run\.db.*try again.*locked"), impatient.writing():
        pass

    foreign.execute("ROLLBACK")
    with impatient.writing() as connection:
        assert connection.execute("SELECT count(*) FROM run").fetchone() == (1,)
    foreign.close()
    impatient.close()


def test_a_file_of_a_newer_quark_is_refused(store: EmbeddedStore, root: Path) -> None:
    create_run(store)
    store.close()
    path = layout.run_db_path(root, "run-1")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()

    newer = EmbeddedStore(root)
    for call in (
        lambda: newer.records.get_run("run-1"),
        lambda: newer.append(batch(1, 1, record(1))),
    ):
        with pytest.raises(SchemaMigrationError, match=r"version 99.*install a newer Quark"):
            call()
    newer.close()


def test_an_older_file_is_migrated_when_it_is_opened(
    store: EmbeddedStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_run(store)
    store.close()
    newer = sqlite_open.Schema(
        "run", (*RUN_SCHEMA.migrations, ("ALTER TABLE run ADD COLUMN colour TEXT DEFAULT 'red'",))
    )
    for _ in range(2):
        file = SqliteFile(layout.run_db_path(root, "run-1"), newer)
        with file.reading() as connection:
            assert connection.execute("SELECT colour FROM run").fetchone() == ("red",)
            assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        file.close()


def test_what_is_no_database_is_damaged(store: EmbeddedStore, root: Path) -> None:
    path = layout.run_db_path(root, "run-1")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database" * 100)

    with pytest.raises(DamagedFileError, match=r"run\.db is damaged"):
        store.records.get_run("run-1")
    with pytest.raises(DamagedFileError, match=r"run\.db is damaged"):
        store.append(batch(1, 1, run_record()))


def test_local_files_have_a_write_ahead_log_and_network_files_do_not(
    store: EmbeddedStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def journal_mode(run_id: str) -> str:
        with sqlite3.connect(layout.run_db_path(root, run_id)) as connection:
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        connection.close()
        return str(mode)

    create_run(store, "local")
    monkeypatch.setattr(sqlite_open, "is_network_path", lambda path: True)
    create_run(store, "remote")
    log(store, losses(1, [1.0, 2.0]), run_id="remote")
    store.points.merge("remote", final=True)

    assert (journal_mode("local"), journal_mode("remote")) == ("wal", "delete")
    assert store.points.series("remote", "loss").value.tolist() == [1.0, 2.0]
