"""The tables in PostgreSQL: made once, upgraded in order, and described as they are."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")

import psycopg

from quark.errors import QuarkError, RunNotFoundError, SchemaMigrationError, SessionStoreError
from quark.records import EventRecord
from quark.storage.model import Series
from quark.storage.postgres import PostgresEngine, PostgresStore, schema
from tests.storage.building import batch, block, create_run, log, losses, record, run_record
from tests.support.servers.postgresql import find_binaries, shared_server

FORMATS = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
DUMPS = Path(__file__).resolve().parent / "data"
VALUES = [0.5, float("inf"), -0.0, 1e300]


@pytest.fixture
def url() -> str:
    return shared_server().new_database()


@pytest.fixture
def engine(url: str) -> Iterator[PostgresEngine]:
    engine = PostgresEngine(url)
    yield engine
    engine.close()


def ask(url: str, sql: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def fill(store: PostgresStore) -> None:
    """Write some of everything; the dumps in ``data`` were made from this."""
    store.append(batch(1, 1, run_record(name="old", tags=["a\0b"]), writer_id="creator"))
    for first in (1, 101):
        rows = [
            (seq, seq, seq // 50, seq, [seq / 4, seq * 0.1]) for seq in range(first, first + 100)
        ]
        store.append(
            batch(first, first + 99, block(["loss", "lr"], rows), record(first, step=first))
        )
        store.points.merge("run-1", final=True)
    store.append(batch(201, 204, losses(201, VALUES, key="odd")))
    store.documents.apply([])


def test_all_who_open_an_empty_database_together_find_one_schema() -> None:
    for _ in range(5):
        url = shared_server().new_database()
        engines = [PostgresEngine(url) for _ in range(6)]
        together = threading.Barrier(len(engines))
        failures: list[Exception] = []

        def open_it(
            engine: PostgresEngine,
            together: threading.Barrier = together,
            failures: list[Exception] = failures,
        ) -> None:
            together.wait()
            try:
                engine.check()
            except QuarkError as error:
                failures.append(error)

        threads = [threading.Thread(target=open_it, args=(engine,)) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for engine in engines:
            engine.close()

        assert failures == []
        assert ask(url, "SELECT value FROM quark.meta WHERE name = 'version'") == [("1",)]


def test_a_newer_database_is_refused_and_left_alone(url: str, engine: PostgresEngine) -> None:
    engine.check()
    ask(url, "UPDATE quark.meta SET value = '99' WHERE name = 'version'")
    late = PostgresEngine(url)

    for _ in range(2):
        with pytest.raises(SchemaMigrationError, match=r"version 99.*up to \d+.*newer Quark"):
            late.check()

    assert ask(url, "SELECT value FROM quark.meta WHERE name = 'version'") == [("99",)]
    late.close()


def test_a_database_with_another_encoding_is_refused() -> None:
    url = shared_server().new_database("ENCODING 'SQL_ASCII' TEMPLATE template0")
    engine = PostgresEngine(url)

    with pytest.raises(SessionStoreError, match=r"encoding SQL_ASCII.*ENCODING 'UTF8'"):
        engine.check()

    assert ask(url, "SELECT to_regclass('quark.run')") == [(None,)]
    engine.close()


def test_a_migration_that_fails_changes_nothing(
    url: str, engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.check()
    broken = ("CREATE TABLE quark.half (id integer)", "SELECT 1 / 0")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    late = PostgresEngine(url)

    with pytest.raises(SessionStoreError, match=r"the operation failed \(division by zero"):
        late.check()

    assert ask(url, "SELECT to_regclass('quark.half')") == [(None,)]
    assert ask(url, "SELECT value FROM quark.meta WHERE name = 'version'") == [("1",)]
    late.close()


def test_who_may_not_make_tables_can_use_those_that_are_there(
    url: str, engine: PostgresEngine
) -> None:
    fill(PostgresStore(engine, "team"))
    server = shared_server()
    ask(url, "DROP ROLE IF EXISTS worker")
    ask(url, f"CREATE ROLE worker LOGIN PASSWORD '{'x' * 8}'")
    as_worker = PostgresEngine(url.replace(server.credentials, f"worker:{'x' * 8}"))
    with pytest.raises(SessionStoreError, match=r"not allowed.*must own the schema"):
        PostgresStore(as_worker, "team").records.list_runs()
    ask(url, "GRANT USAGE ON SCHEMA quark TO worker")
    ask(url, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA quark TO worker")

    store = PostgresStore(as_worker, "team")

    assert store.append(batch(205, 205, losses(205, [2.0], key="odd"))) == 1
    assert len(store.points.series("run-1", "odd")) == 5
    as_worker.close()
    ask(url, "DROP OWNED BY worker")
    ask(url, "DROP ROLE worker")


@pytest.mark.parametrize("dump", sorted(DUMPS.glob("postgresql-*.sql")), ids=lambda path: path.stem)
def test_a_database_of_every_released_schema_can_be_opened_and_upgraded(
    url: str, dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored = subprocess.run(
        [str(find_binaries() / "psql"), "--quiet", "-v", "ON_ERROR_STOP=1", "-f", str(dump), url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert restored.returncode == 0, restored.stderr
    later = ("ALTER TABLE quark.run ADD COLUMN added_later integer",)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, later))

    engine = PostgresEngine(url)
    store = PostgresStore(engine, "team")

    run = store.records.get_run("run-1")
    assert (run.name, run.tags) == ("old", ("a\0b",))
    assert values(store.points.series("run-1", "loss")) == [seq / 4 for seq in range(1, 201)]
    assert values(store.points.series("run-1", "odd")) == VALUES
    assert [event.id for event in store.records.read(EventRecord, "run-1")] == ["w1-1", "w1-101"]
    assert store.append(batch(200, 205, losses(205, [1.0], key="loss"))) == 1
    store.points.merge("run-1", final=True)
    assert store.points.keys("run-1")["loss"].count == 201
    expected = str(len(schema.MIGRATIONS))
    assert ask(url, "SELECT value FROM quark.meta WHERE name = 'version'") == [(expected,)]
    assert ask(url, "SELECT DISTINCT added_later FROM quark.run") == [(None,)]
    engine.close()


def test_a_backup_that_is_put_back_is_not_mixed_with_what_a_process_remembers(
    url: str, engine: PostgresEngine, tmp_path: Path
) -> None:
    binaries = find_binaries()
    dump = tmp_path / "backup"
    store = PostgresStore(engine, "team")
    fill(store)
    backup = [str(binaries / "pg_dump"), "--format=custom", f"--file={dump}", url]
    subprocess.run(backup, check=True)
    lost = PostgresStore(engine, "lost")
    for name in ("lost-1", "lost-2"):
        create_run(lost, name)
        log(lost, losses(1, [1.0, 2.0]), run_id=name)

    database = url.rpartition("/")[2]
    ask(shared_server().url(), f"DROP DATABASE {database} WITH (FORCE)")
    ask(shared_server().url(), f"CREATE DATABASE {database}")
    subprocess.run([str(binaries / "pg_restore"), f"--dbname={url}", str(dump)], check=True)
    other_engine = PostgresEngine(url)  # its namespace and its run get the numbers of those lost
    other = PostgresStore(other_engine, "new")
    create_run(other, "new-1")
    log(other, losses(1, [7.0]), run_id="new-1")

    with pytest.raises(RunNotFoundError):
        log(lost, losses(3, [3.0]), run_id="lost-1")

    assert lost.records.list_runs() == ()
    assert values(other.points.series("new-1", "loss")) == [7.0]
    create_run(lost, "lost-1")
    log(lost, losses(1, [1.0, 2.0, 3.0]), run_id="lost-1")
    assert values(lost.points.series("lost-1", "loss")) == [1.0, 2.0, 3.0]
    assert [run.id for run in other.records.list_runs()] == ["new-1"]
    assert values(store.points.series("run-1", "odd")) == VALUES
    other_engine.close()


def values(series: Series) -> list[float]:
    found: list[float] = series.value.tolist()
    return found


def test_every_table_and_column_is_described(url: str, engine: PostgresEngine) -> None:
    engine.check()
    there = set(
        ask(
            url,
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'quark'",
        )
    )

    section = FORMATS.read_text().split("## PostgreSQL\n")[1].split("\n## ")[0]
    described, table = set(), ""
    for line in section.splitlines():
        if line.startswith("|"):
            first, second = line.split("|")[1:3]
            table = first.strip("` ") or table
            described |= {(table, column) for column in re.findall(r"`(\w+)`", second)}

    assert described == there
    assert f"version of the schema, **{len(schema.MIGRATIONS)}**" in FORMATS.read_text()
