"""What the PostgreSQL store does when the server is stopped, stuck, full or not willing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import quote

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")

import psycopg

from quark.errors import QuarkError, SessionStoreError
from quark.records import EventRecord
from quark.storage.postgres import PostgresConfig, PostgresEngine, PostgresStore, connection
from tests.storage.building import batch, create_run, losses, record
from tests.support.servers.postgresql import (
    PASSWORD,
    PostgresqlServer,
    own_server,
    shared_server,
)

RETRIES = 10_000


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with own_server() as server:
        yield server


@pytest.fixture
def engine(server: PostgresqlServer) -> Iterator[PostgresEngine]:
    config = PostgresConfig(max_connections=4, statement_timeout_seconds=1, pool_timeout_seconds=1)
    engine = PostgresEngine(server.new_database(), config)
    yield engine
    engine.close()


def until_taken(append: Callable[[], object], failures: list[str]) -> None:
    """Do as a shipper does: try again until the store takes it."""
    pause = threading.Event()
    for _ in range(RETRIES):
        try:
            append()
            return
        except SessionStoreError as error:
            failures.append(str(error))
            pause.wait(0.01)
    raise AssertionError(failures[-1])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
def test_a_restarted_server_loses_and_doubles_nothing(
    server: PostgresqlServer, engine: PostgresEngine, how: signal.Signals
) -> None:
    store = PostgresStore(engine, "team")
    create_run(store)
    done, failures = threading.Event(), list[str]()
    reached = [0, 0]

    def write(number: int) -> None:
        writer_id = f"w{number}"
        for seq in range(1, 100_000):
            key = f"key-{seq // 20}"  # new keys take the longer way
            content = (losses(seq, [seq]), losses(seq, [seq], key=key), record(seq))
            until_taken(
                partial(store.append, batch(seq, seq, *content, writer_id=writer_id)), failures
            )
            reached[number] = seq
            if seq % 50 == 0:
                until_taken(partial(store.points.merge, "run-1", final=True), failures)
            if done.is_set():
                return

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()

    def go_on() -> None:
        goals = [count + 40 for count in reached]
        while any(count < goal for count, goal in zip(reached, goals, strict=True)):
            assert all(thread.is_alive() for thread in threads)
            done.wait(0.005)

    for _ in range(3):
        go_on()
        server.stop(how)
        server.start()
    go_on()
    done.set()
    for thread in threads:
        thread.join()

    series = store.points.series("run-1", "loss")
    events = store.records.read(EventRecord, "run-1")
    for number in range(2):
        assert reached[number] >= 160
        mine = series.writer == series.writers.index(f"w{number}")
        assert series.value[mine].tolist() == list(range(1, reached[number] + 1))
        own = [event.id for event in events if event.id.startswith(f"w{number}-")]
        assert own == [f"w{number}-{seq}" for seq in range(1, reached[number] + 1)]
    counts = {key: stats.count for key, stats in store.points.keys("run-1").items()}
    assert counts.pop("loss") == sum(counts.values()) == sum(reached)
    assert failures
    assert not any(
        PASSWORD in failure or quote(PASSWORD, safe="") in failure for failure in failures
    )


def test_a_restart_between_two_calls_is_not_even_noticed(
    server: PostgresqlServer, engine: PostgresEngine
) -> None:
    store = PostgresStore(engine, "team")
    create_run(store)
    store.append(batch(1, 1, losses(1, [1.0])))
    asked: list[Callable[[], object]] = [
        lambda: store.append(batch(2, 2, losses(2, [2.0]))),
        lambda: store.append(batch(3, 3, losses(3, [3.0], key="new"))),
        lambda: store.points.series("run-1", "loss"),
        lambda: store.points.merge("run-1", final=True),
        lambda: store.records.list_runs(),
        lambda: engine.check(),
    ]

    for ask in asked:
        server.stop()
        server.start()
        ask()

    assert store.points.series("run-1", "loss").value.tolist() == [1.0, 2.0]


def test_a_server_that_is_down_is_an_error_to_try_again(
    server: PostgresqlServer, engine: PostgresEngine
) -> None:
    store = PostgresStore(engine, "team")
    create_run(store)
    server.stop()
    try:
        for ask in (lambda: store.append(batch(1, 1, losses(1, [1.0]))), engine.check):
            with pytest.raises(SessionStoreError, match=r"connection to the server failed; try"):
                ask()
    finally:
        server.start()

    assert store.append(batch(1, 1, losses(1, [1.0]))) == 1


def test_a_server_that_does_not_answer_is_waited_for_no_longer_than_allowed(
    server: PostgresqlServer, engine: PostgresEngine
) -> None:
    store = PostgresStore(engine, "team")
    create_run(store)
    server.pause()
    try:
        with pytest.raises(SessionStoreError, match="took too long to answer"):
            store.append(batch(1, 1, losses(1, [1.0]), writer_id="creator"))
    finally:
        server.go_on()

    until_taken(lambda: store.append(batch(1, 2, losses(1, [1.0, 2.0]))), [])
    assert store.points.series("run-1", "loss").value.tolist() == [1.0, 2.0]


def test_what_was_given_up_for_another_transaction_is_done_again(engine: PostgresEngine) -> None:
    engine.ask("CREATE SEQUENCE quark.attempts")  # counts on whatever is rolled back
    deadlock = (
        "DO $$ BEGIN IF nextval('quark.attempts') < {} THEN "
        "RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END IF; END $$"
    )

    engine.ask(deadlock.format(3))

    assert engine.ask("SELECT last_value FROM quark.attempts") == [(3,)]
    with pytest.raises(SessionStoreError, match="another transaction was in the way; try again"):
        engine.ask(deadlock.format(100))


def test_a_statement_that_takes_too_long_is_ended_by_the_server(engine: PostgresEngine) -> None:
    with pytest.raises(SessionStoreError, match=r"took too long to answer.*SQLSTATE 57014"):
        engine.ask("SELECT pg_sleep(30)")

    engine.check()


def test_more_callers_than_connections_are_told_to_try_again(engine: PostgresEngine) -> None:
    engine.check()
    taken = [engine.reading() for _ in range(4)]
    for each in taken:
        each.__enter__()
    with pytest.raises(SessionStoreError, match=r"All 4 connections .* are in use"):
        engine.check()
    for each in taken:
        each.__exit__(None, None, None)

    engine.check()


def fail_inside(engine: PostgresEngine) -> None:
    with engine.writing() as connection:
        connection.ask("INSERT INTO quark.namespace (name) VALUES ('half')")
        raise ZeroDivisionError


def test_an_error_inside_a_transaction_undoes_it_and_spoils_no_connection(
    engine: PostgresEngine,
) -> None:
    engine.check()
    for _ in range(6):  # more often than there are connections
        with pytest.raises(ZeroDivisionError):
            fail_inside(engine)
        with pytest.raises(SessionStoreError, match="division by zero"):
            engine.ask("SELECT 1 / 0")

    assert engine.ask("SELECT count(*) FROM quark.namespace") == [(0,)]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_is_an_error_and_half_applies_nothing(
    server: PostgresqlServer, engine: PostgresEngine
) -> None:
    small = server.folder / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "none", str(small)], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine allows no mount")
    shutil.chown(small, "postgres", "postgres")
    store = PostgresStore(engine, "team")
    create_run(store)
    try:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute(f"CREATE TABLESPACE small LOCATION '{small}'".encode())
        engine.ask("ALTER TABLE quark.record SET TABLESPACE small")
        stored = 0
        failures = list[str]()
        while not failures:
            seq = stored + 1
            payload = {"text": os.urandom(3_000).hex()}
            content = (losses(seq, [float(seq)]), record(seq, payload=payload))
            try:
                store.append(batch(seq, seq, *content))
                stored = seq
            except SessionStoreError as error:
                failures.append(str(error))
        before = (store.position("run-1", "w1"), len(store.points.series("run-1", "loss")))
        engine.ask("ALTER TABLE quark.record SET TABLESPACE pg_default")  # space is found
        store.append(batch(stored + 1, stored + 1, losses(stored + 1, [0.0]), record(stored + 1)))
    finally:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            engine.close()
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname "
                          "LIKE 'quark%'")  # fmt: skip
        subprocess.run(["umount", "--lazy", str(small)], check=False)

    assert "disk is full" in failures[0]
    assert stored > 10
    assert before == (stored, stored)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda url: url.replace(quote(PASSWORD, safe=""), "wr0ng"),
            "refuses the user or the pass",
        ),
        (lambda url: url.replace("quark:", "nobody:"), "refuses the user or the password"),
        (lambda url: url.rpartition("/")[0] + "/nowhere", "no such database"),
    ],
    ids=["password", "user", "database"],
)
def test_a_refusal_says_what_is_wrong_and_no_secret(
    change: Callable[[str], str], message: str
) -> None:
    engine = PostgresEngine(change(shared_server().url()))

    with pytest.raises(SessionStoreError, match=message) as caught:
        engine.check()

    for text in (str(caught.value), repr(caught.value.__cause__)):
        assert PASSWORD not in text
        assert "wr0ng" not in text
    engine.close()


def test_a_server_that_takes_nothing_is_not_ready() -> None:
    url = shared_server().new_database()
    engine = PostgresEngine(url)
    engine.check()
    with psycopg.connect(url, autocommit=True) as admin:
        name = url.rpartition("/")[2]
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    late = PostgresEngine(url)

    with pytest.raises(SessionStoreError, match="read-only, as a standby is"):
        late.check()
    with pytest.raises(SessionStoreError, match=r"is read-only.*SQLSTATE 25006"):
        create_run(PostgresStore(late, "team"))

    engine.close()
    late.close()


def test_an_old_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OLDEST_SERVER", 990_000)
    engine = PostgresEngine(shared_server().url())

    with pytest.raises(SessionStoreError, match=r"is PostgreSQL \d+.*needs version 99 or newer"):
        engine.check()
    engine.close()


def test_a_closed_engine_says_so() -> None:
    engine = PostgresEngine(shared_server().new_database())
    with engine.reading() as connection:
        engine.close()
        engine.close()
        assert connection.ask("SELECT 1").fetchall() == [(1,)]
    assert connection.closed

    with pytest.raises(SessionStoreError, match="is closed"):
        engine.check()


def test_a_forked_child_has_connections_of_its_own() -> None:
    engine = PostgresEngine(shared_server().new_database())
    store = PostgresStore(engine, "team")
    create_run(store)
    store.append(batch(1, 1, losses(1, [1.0]), writer_id="parent"))

    child = os.fork()
    if child == 0:
        code = 1
        try:
            store.append(batch(1, 1, losses(1, [2.0]), writer_id="child"))
            code = 0
        except QuarkError:
            pass
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.append(batch(2, 2, losses(2, [3.0]), writer_id="parent"))

    assert store.points.series("run-1", "loss").value.tolist() == [1.0, 2.0, 3.0]
    engine.close()
