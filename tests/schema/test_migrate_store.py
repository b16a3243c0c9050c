"""Migrating old stores: what is left alone, what is refused, and what a failure leaves behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from quark import jsonio
from quark.errors import SchemaMigrationError, SchemaValidationError
from quark.schema import CURRENT_SCHEMA_VERSION, migrate, migrate_store
from quark.storage import layout


def write_database(path: Path, version: int, *, empty: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        if not empty:
            connection.execute("CREATE TABLE points (value REAL)")
            connection.execute("INSERT INTO points VALUES (0.5)")
        connection.execute(f"PRAGMA user_version={version}")
        connection.commit()


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def content(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return layout.store_root(tmp_path)


def add_column(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE points ADD COLUMN step INTEGER DEFAULT 7")


def fail(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE points")
    connection.execute("SELECT * FROM points")


def test_the_files_of_a_store_are_where_the_store_puts_them(root: Path) -> None:
    assert root.name == migrate.STORE_FOLDER
    assert layout.index_path(root).name == migrate.INDEX_FILE
    assert layout.run_path(root, "run_1").parent == root / "runs"


def test_a_current_store_and_one_that_nothing_was_written_to_are_left_untouched(
    root: Path, tmp_path: Path
) -> None:
    write_database(root / "index.db", CURRENT_SCHEMA_VERSION)
    write_database(root / "runs" / "run_1" / "run.db", CURRENT_SCHEMA_VERSION)
    write_database(root / "runs" / "run_2" / "run.db", 0, empty=True)
    (root / "runs" / "run_3").mkdir()
    before = content(root)

    assert migrate_store(tmp_path) == CURRENT_SCHEMA_VERSION
    assert migrate_store(str(tmp_path), generated_at="2026-05-07T00:00:00Z") == 1
    assert content(root) == before


def test_an_old_store_is_migrated_file_by_file_and_a_note_is_left(
    root: Path, tmp_path: Path
) -> None:
    write_database(root / "index.db", 1)
    for run in ("run_a", "run_b"):
        write_database(root / "runs" / run / "run.db", 0)

    version = migrate_store(
        tmp_path, generated_at="2026-05-07T00:00:00Z", migrations={"run.db": [add_column]}
    )

    assert version == 1
    for run in ("run_a", "run_b"):
        path = root / "runs" / run / "run.db"
        assert version_of(path) == 1
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT value, step FROM points").fetchall() == [(0.5, 7)]
    assert jsonio.loads((root / "migration.json").read_bytes()) == {
        "generated_at": "2026-05-07T00:00:00Z",
        "schema_version": 1,
        "migrated": ["runs/run_a/run.db", "runs/run_b/run.db"],
    }


def test_a_step_that_fails_leaves_its_file_as_it_was_and_the_rest_can_be_repeated(
    root: Path, tmp_path: Path
) -> None:
    write_database(root / "runs" / "run_a" / "run.db", 0)
    before = (root / "runs" / "run_a" / "run.db").read_bytes()

    with pytest.raises(SchemaMigrationError, match=r"run\.db could not be migrated and was left"):
        migrate_store(tmp_path, migrations={"run.db": [fail]})

    assert (root / "runs" / "run_a" / "run.db").read_bytes() == before
    assert not (root / "migration.json").exists()
    assert migrate_store(tmp_path, migrations={"run.db": [add_column]}) == 1


def test_nothing_is_changed_if_one_file_has_no_way_to_the_current_version(
    root: Path, tmp_path: Path
) -> None:
    write_database(root / "index.db", 0)
    write_database(root / "runs" / "run_a" / "run.db", 0)
    before = content(root)

    with pytest.raises(SchemaMigrationError, match="schema version 0, and nothing leads from it"):
        migrate_store(tmp_path, migrations={"run.db": [add_column]})

    assert content(root) == before


def test_a_newer_an_unreadable_and_a_missing_store_are_refused_with_their_path(
    root: Path, tmp_path: Path
) -> None:
    with pytest.raises(SchemaMigrationError, match="There is no store at") as raised:
        migrate_store(tmp_path)
    assert str(root) in str(raised.value)

    root.mkdir()
    with pytest.raises(SchemaMigrationError, match="There is no store at"):
        migrate_store(tmp_path)

    write_database(root / "index.db", CURRENT_SCHEMA_VERSION + 1)
    with pytest.raises(SchemaMigrationError, match=r"index\.db has schema version 2"):
        migrate_store(tmp_path)

    (root / "index.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(SchemaMigrationError, match=r"index\.db cannot be read as a SQLite file"):
        migrate_store(tmp_path)


def test_the_time_in_the_note_must_be_one(root: Path, tmp_path: Path) -> None:
    write_database(root / "index.db", 1)

    with pytest.raises(SchemaValidationError, match="generated_at is 'soon'"):
        migrate_store(tmp_path, generated_at="soon")
