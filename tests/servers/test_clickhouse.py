"""Points in a real ClickHouse: Debian's 18.16, and today's engine in chdb. See also the contract
suites, ``pytest tests/storage --stores clickhouse,clickhouse-chdb``."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from quark.errors import (
    RunNotFoundError,
    SchemaMigrationError,
    SessionStoreError,
    SettingsError,
)
from quark.storage.admission import new_blocks
from quark.storage.clickhouse.engine import ClickHouseEngine
from quark.storage.clickhouse.points import ClickHousePoints
from quark.storage.clickhouse.schema import schema_version
from quark.storage.clickhouse.server import ClickHouseServer
from quark.storage.embedded import EmbeddedStore
from quark.storage.joined import JoinedStore
from quark.storage.memory import MemoryStore
from quark.storage.model import StepRange
from tests.storage.building import (
    batch,
    bits,
    block,
    create_run,
    log,
    losses,
    record,
    run_record,
)
from tests.storage.equivalence import Plan, Writer, agree, deliveries, ranges
from tests.support.clock import FakeClock
from tests.support.servers.chdb import chdb
from tests.support.servers.clickhouse import PASSWORD, USER, ClickHouseServers, clickhouse

pytestmark = pytest.mark.slow


@pytest.fixture(params=["18.16", "chdb"])
def servers(request: pytest.FixtureRequest) -> ClickHouseServers:
    return clickhouse() if request.param == "18.16" else chdb()


@pytest.fixture
def engine(servers: ClickHouseServers) -> Iterator[ClickHouseEngine]:
    engine = servers.engine()
    yield engine
    engine.close()


@pytest.fixture
def points(engine: ClickHouseEngine) -> ClickHousePoints:
    return ClickHousePoints(engine, "team/vision")


@pytest.fixture
def store(points: ClickHousePoints, tmp_path: Path) -> Iterator[JoinedStore]:
    store = JoinedStore(EmbeddedStore(tmp_path / ".quark"), points)
    yield store
    store.close()


# -- whatever is done to it ----------------------------------------------------------------------


@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(deliveries, min_size=1, max_size=6),
    st.integers(0, 10**6),
    st.lists(ranges, min_size=2, max_size=3),
    st.integers(1, 40),
)
def test_it_answers_as_the_reference_in_memory(
    engine: ClickHouseEngine,
    plan: Plan,
    seed: int,
    asked: list[StepRange],
    bucket_count: int,
) -> None:
    memory, records = MemoryStore(), MemoryStore()
    log_of_points = ClickHousePoints(engine, f"seed {seed} {plan}")
    joined = JoinedStore(records, log_of_points)
    writers = {name: Writer(name, seed + number) for number, name in enumerate(["w1", "w2"])}
    create_run(memory)
    create_run(joined)
    for name, again, count, stored_twice in plan:
        first = max(1, memory.position("run-1", name) + 1 - again)
        delivered = writers[name].batch(first, first + count - 1)
        if stored_twice:  # an append that did not come to its end
            position = memory.position("run-1", name)
            log_of_points.append("run-1", name, new_blocks(delivered, position))
        assert joined.append(delivered) == memory.append(delivered)

    for steps in asked:
        agree(memory, joined, steps, bucket_count)


# -- exactly once --------------------------------------------------------------------------------


def test_what_was_stored_and_not_applied_does_not_exist_until_it_comes_again(
    store: JoinedStore, points: ClickHousePoints
) -> None:
    create_run(store)
    log(store, losses(1, [1.0, 2.0]))

    points.append("run-1", "w1", [losses(3, [3.0, 4.0, 5.0])])
    points.append("run-1", "nobody", [losses(1, [9.0], key="other")])

    assert store.points.series("run-1", "loss").value.tolist() == [1, 2]
    assert list(store.points.keys("run-1")) == ["loss"]
    assert store.points.buckets("run-1", "loss", 1).count.tolist() == [2]

    log(store, losses(3, [3.0]))
    log(store, losses(4, [4.0, 5.0, 6.0]))

    assert store.points.series("run-1", "loss").value.tolist() == [1, 2, 3, 4, 5, 6]
    assert store.points.series("run-1", "loss", StepRange(limit=4)).seq.tolist() == [3, 4, 5, 6]
    assert store.points.keys("run-1")["loss"].count == 6
    assert store.points.buckets("run-1", "loss", 2).count.tolist() == [3, 3]


def test_a_point_that_came_twice_is_one_point_whatever_is_asked(
    store: JoinedStore, points: ClickHousePoints
) -> None:
    create_run(store)
    values = np.random.default_rng(0).standard_normal(3_000)
    twice = block(["a"], [(1, 0, None, 0, [0.25]), (1, 0, None, 0, [0.75])])
    for _ in range(3):
        points.append("run-1", "w1", [twice, losses(2, values.tolist())])
    store.append(batch(1, 3_001))

    a = store.points.series("run-1", "a")
    assert (a.value.tolist(), a.seq.tolist()) == ([0.25, 0.75], [1, 1])
    assert bits(store.points.series("run-1", "loss").value) == bits(values)
    newest = store.points.series("run-1", "loss", StepRange(limit=10), columns="step_value")
    assert bits(newest.value) == bits(values[-10:])
    buckets = store.points.buckets("run-1", "loss", 3)
    assert buckets.count.tolist() == [1_000] * 3
    assert buckets.mean.tolist() == pytest.approx(values.reshape(3, -1).mean(axis=1).tolist())
    assert {key: stats.count for key, stats in store.points.keys("run-1").items()} == {
        "a": 2,
        "loss": 3_000,
    }


def child(name: str, points_url: str, root: Path, python: str) -> subprocess.Popen[str]:
    command = [python, "-m", "tests.servers.clickhouse_children", name, points_url, "n", str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_process_killed_between_points_and_records_leaves_nothing_wrong(
    servers: ClickHouseServers, tmp_path: Path, python: str
) -> None:
    url = servers.url()
    engine = ClickHouseEngine(url)
    store = JoinedStore(EmbeddedStore(tmp_path / "root"), ClickHousePoints(engine, "n"))
    create_run(store)
    log(store, losses(1, [1.0, 2.0]))
    with child("append_half", url, tmp_path / "root", python) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        process.kill()

    assert store.position("run-1", "w1") == 2
    assert store.points.series("run-1", "loss").value.tolist() == [1, 2]

    for first in (3, 5):  # cut otherwise than by the process that died
        store.append(batch(first, first + 1, losses(first, [first, first + 1]), record(first)))

    assert store.points.series("run-1", "loss").value.tolist() == [1, 2, 3, 4, 5, 6]
    assert store.records.count("run-1")["event"] == 2
    store.close()
    engine.close()


def test_of_a_process_killed_again_and_again_everything_is_there_once(
    servers: ClickHouseServers, tmp_path: Path, python: str
) -> None:
    url = servers.url()
    acknowledged = 0
    for round_number in range(6):
        with child("append_on", url, tmp_path / "root", python) as process:
            assert process.stdout is not None
            for _ in range(3 + round_number * 2):
                acknowledged = int(process.stdout.readline())
            process.kill()

    engine = ClickHouseEngine(url)
    store = JoinedStore(EmbeddedStore(tmp_path / "root"), ClickHousePoints(engine, "n"))
    position = store.position("run-1", "w1")
    assert position >= acknowledged
    series = store.points.series("run-1", "loss")
    assert series.seq.tolist() == list(range(1, position + 1))
    assert series.value.tolist() == series.seq.tolist()
    assert store.points.keys("run-1")["loss"].count == position
    assert store.records.count("run-1")["event"] == position // 3
    store.close()
    engine.close()


def test_a_run_made_again_has_none_of_the_points_of_the_one_deleted(store: JoinedStore) -> None:
    for round_number in (1.0, 2.0):
        create_run(store)
        log(store, losses(1, [round_number] * 3, key=f"of round {round_number}"))
        assert list(store.points.keys("run-1")) == [f"of round {round_number}"]
        store.records.delete_run("run-1")
        with pytest.raises(RunNotFoundError):
            store.points.keys("run-1")


def test_a_batch_for_a_run_that_is_not_there_stores_no_point(
    store: JoinedStore, points: ClickHousePoints
) -> None:
    with pytest.raises(RunNotFoundError):
        log(store, losses(1, [1.0]), run_id="no-such-run")

    assert points.writers("no-such-run") == ()


# -- namespaces, writers, threads ----------------------------------------------------------------


def test_namespaces_never_see_each_other(engine: ClickHouseEngine, tmp_path: Path) -> None:
    names = ["team", "team/vision", "te'am\\", "x' OR '1'='1"]
    stores = [
        JoinedStore(EmbeddedStore(tmp_path / str(place)), ClickHousePoints(engine, name))
        for place, name in enumerate(names)
    ]
    for place, each in enumerate(stores):
        create_run(each)
        log(each, losses(1, [float(place)]))

    stores[1].records.delete_run("run-1")

    for place, each in enumerate(stores):
        if place != 1:
            assert each.points.series("run-1", "loss").value.tolist() == [place]
        each.close()


def test_writers_whose_services_have_different_clocks_keep_their_own_order(
    servers: ClickHouseServers, tmp_path: Path
) -> None:
    url = servers.url()
    clocks = [FakeClock(), FakeClock()]
    clocks[1].advance(3600)
    engines = [ClickHouseEngine(url, insert_interval_seconds=0, clock=clock) for clock in clocks]
    records = EmbeddedStore(tmp_path / ".quark")
    stores = [JoinedStore(records, ClickHousePoints(engine, "n")) for engine in engines]
    create_run(records)

    for seq in range(1, 9):  # w1 by one service and the other in turn, w2 always by the second
        log(stores[seq % 2], losses(seq, [float(seq)]), writer_id="w1")
        log(stores[1], losses(seq, [float(-seq)]), writer_id="w2")

    for steps in (StepRange(), StepRange(limit=16)):
        value = stores[0].points.series("run-1", "loss", steps).value
        assert value[value > 0].tolist() == list(range(1, 9))
        assert value[value < 0].tolist() == list(range(-1, -9, -1))
    stats = stores[0].points.keys("run-1")["loss"]
    assert stats.last_value == stores[0].points.series("run-1", "loss").value[-1]
    for engine in engines:
        engine.close()
    records.close()


def test_a_run_of_thousands_of_writers_is_read(
    store: JoinedStore, points: ClickHousePoints
) -> None:
    writers = [f"w{number:011d}" for number in range(1_200)]

    def append(part: list[str]) -> None:
        for writer in part:
            points.append("r", writer, [losses(1, [float(writer[1:])])])

    threads = [threading.Thread(target=append, args=(writers[n::16],)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    positions = dict.fromkeys(writers, 1)
    series = points.many_series("r", ["loss"], positions=positions)["loss"]

    assert sorted(series.value.tolist()) == list(range(1_200))
    assert [float(series.writers[number][1:]) for number in series.writer] == series.value.tolist()
    assert points.keys("r", positions=positions)["loss"].count == 1_200
    assert points.buckets("r", "loss", 1, positions=positions).count.tolist() == [1_200]


def test_thousands_of_keys_are_read_at_once(store: JoinedStore) -> None:
    create_run(store)
    keys = [f"layer.{number}/grad 'norm'" for number in range(2_500)]
    log(store, block(keys, [(seq, seq, None, seq, range(2_500)) for seq in (1, 2)]))

    found = store.points.many_series("run-1", [*keys[::-1], "nope", keys[0]])

    assert list(found) == [*keys[::-1], "nope"]
    for number, key in enumerate(keys):
        assert found[key].value.tolist() == [number, number]
    assert list(store.points.keys("run-1")) == keys


# -- servers and schemas -------------------------------------------------------------------------


def test_services_that_start_at_once_make_the_tables_once(servers: ClickHouseServers) -> None:
    url = servers.url()
    engines = [ClickHouseEngine(url, insert_interval_seconds=0) for _ in range(4)]
    errors: list[Exception] = []

    def append(engine: ClickHouseEngine, number: int) -> None:
        try:
            ClickHousePoints(engine, "n").append("r", f"w{number}", [losses(1, [1.0])])
        except SessionStoreError as error:
            errors.append(error)

    threads = [
        threading.Thread(target=append, args=(engine, number))
        for number, engine in enumerate(engines)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(ClickHousePoints(engines[0], "n").writers("r")) == 4
    assert schema_version(engines[0].server) == 1
    for engine in engines:
        engine.close()


def test_a_database_of_a_newer_schema_is_refused(servers: ClickHouseServers) -> None:
    url = servers.url()
    first, second = ClickHouseEngine(url), ClickHouseEngine(url)
    first.check()
    database = first.server.database
    first.server.command(f"CREATE VIEW `{database}`.schema_99 AS SELECT 99 AS version")

    with pytest.raises(SchemaMigrationError, match="99"):
        second.check()

    first.close()
    second.close()


def test_an_error_of_the_server_has_its_code_and_may_be_worth_another_try(
    engine: ClickHouseEngine,
) -> None:
    with pytest.raises(SessionStoreError, match=r"code 60\b") as caught:
        engine.query("SELECT 1 FROM no_such_table")

    assert caught.value.retry_after_seconds is None


def test_a_wrong_password_is_refused_without_saying_it() -> None:
    host = clickhouse().url().removeprefix("clickhouse://")
    quoted = PASSWORD.replace(" ", "%20")
    right = ClickHouseServer(f"clickhouse://{USER}:{quoted}@{host}")
    wrong = ClickHouseServer(f"clickhouse://{USER}:hunter2@{host}")

    assert right.version == (18, 16)
    with pytest.raises(SessionStoreError, match="refuses the user or the password") as caught:
        wrong.command("SELECT 1")

    assert "hunter2" not in str(caught.value)
    right.close()
    wrong.close()


def test_points_go_when_their_workspace_keeps_them_no_longer(tmp_path: Path) -> None:
    clock = FakeClock()
    engine = ClickHouseEngine(chdb().url(), insert_interval_seconds=0, clock=clock)
    days = {"for ever": None, "long": 365, "short": 7}
    stores = {
        name: JoinedStore(
            EmbeddedStore(tmp_path / name), ClickHousePoints(engine, name, retention_days=kept)
        )
        for name, kept in days.items()
    }
    now_seconds = int(engine.server.command("SELECT toUnixTimestamp(now())"))
    clock.jump(now_seconds - 30 * 86_400 - FakeClock.START_US / 1_000_000)
    for each in stores.values():  # a month ago
        create_run(each)
        log(each, losses(1, [1.0, 2.0]))

    engine.server.command(f"OPTIMIZE TABLE {engine.table} FINAL")

    counts = {name: len(each.points.series("run-1", "loss")) for name, each in stores.items()}
    assert counts == {"for ever": 2, "long": 2, "short": 0}
    for each in stores.values():
        each.close()
    with pytest.raises(SettingsError, match="2106"):
        engine.expires_at(99 * 365)
    engine.close()


def test_what_an_old_server_cannot_keep_for_a_time_is_refused() -> None:
    engine = clickhouse().engine()

    with pytest.raises(SettingsError, match=r"20\.6"):
        ClickHousePoints(engine, "n", retention_days=7).append("r", "w", [losses(1, [1.0])])

    engine.close()


def test_a_refused_change_stores_no_point(store: JoinedStore, points: ClickHousePoints) -> None:
    create_run(store)
    bad = batch(1, 2, losses(1, [1.0]), record(2, "run_update", changes=[1]))

    with pytest.raises(SessionStoreError):
        store.append(bad)
    with pytest.raises(SessionStoreError):
        store.append(replace(bad, run_id="other", records=(run_record(1), *bad.records)))

    assert points.writers("run-1") == points.writers("other") == ()
