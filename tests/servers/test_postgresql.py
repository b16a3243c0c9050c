"""The PostgreSQL store on a real server: what the contract suites leave open."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")

import psycopg
from hypothesis import given, settings, strategies as st

from quark.errors import DamagedFileError, RecordRejectedError, RunNotFoundError, SessionStoreError
from quark.records import EventRecord
from quark.storage import merge
from quark.storage.documents import DocumentChange
from quark.storage.model import RecordFilter, RunQuery, StepRange
from quark.storage.postgres import PostgresConfig, PostgresEngine, PostgresStore
from quark.storage.postgres.schema import RUN_TABLES
from tests.storage.building import (
    batch,
    block,
    create_run,
    log,
    losses,
    points_of,
    record,
    run_record,
)
from tests.storage.equivalence import Plan, agree, deliveries, long_plan, memory_beside, ranges
from tests.support.servers.postgresql import shared_server

_numbers = itertools.count()


@pytest.fixture(scope="module")
def url() -> str:
    return shared_server().new_database()


@pytest.fixture(scope="module")
def engine(url: str) -> Iterator[PostgresEngine]:
    engine = PostgresEngine(url)
    yield engine
    engine.close()


@pytest.fixture
def other_engine(url: str) -> Iterator[PostgresEngine]:
    """What another process has: connections and memories of its own."""
    engine = PostgresEngine(url, PostgresConfig(lock_timeout_seconds=0.3))
    yield engine
    engine.close()


@pytest.fixture
def namespace() -> str:
    return f"team/{next(_numbers)}"


@pytest.fixture
def store(engine: PostgresEngine, namespace: str) -> PostgresStore:
    return PostgresStore(engine, namespace)


def ask(url: str, sql: str, *values: Any) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode(), values)
        return cursor.fetchall() if cursor.description else []


def child(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.servers.postgresql_children", *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate("go\n", timeout=60)
    assert process.returncode == 0, errors


# -- it answers as the reference does ------------------------------------------------------------


@settings(max_examples=25)
@given(
    st.lists(deliveries, min_size=1, max_size=8),
    st.integers(0, 10**6),
    st.lists(ranges, min_size=2, max_size=3),
    st.integers(1, 40),
)
def test_any_sequence_of_batches_is_as_in_memory(
    engine: PostgresEngine, plan: Plan, seed: int, asked: list[StepRange], bucket_count: int
) -> None:
    store = PostgresStore(engine, f"team/{next(_numbers)}")

    memory = memory_beside(store, plan, seed)

    for steps in asked:
        agree(memory, store, steps, bucket_count)


def test_a_long_run_with_merges_of_all_sizes_is_as_in_memory(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "MERGE_POINTS", 300)
    monkeypatch.setattr(merge, "MERGE_POINTS_PER_KEY", 1)
    monkeypatch.setattr(merge, "TAIL_CHUNKS", 4)

    memory = memory_beside(store, long_plan(), 11)

    for steps in (StepRange(), StepRange(step_min=100, step_max=2_000), StepRange(limit=77)):
        for bucket_count in (1, 13, 500):
            agree(memory, store, steps, bucket_count)


def test_text_that_postgresql_cannot_hold_comes_back_all_the_same(store: PostgresStore) -> None:
    odd = "a\0b\\0c\\"
    names = {"project_name": odd, "project_id": odd, "workspace": odd, "group": odd}
    create_run(store, "run-1", **names, tags=[odd, "plain"], name=odd, status=odd)
    store.append(batch(1, 1, record(1, event_type=odd, payload={"text": odd, "big": 10**25})))

    query = RunQuery(project=odd, workspace=odd, group=odd, status=odd, tags=(odd,))
    (run,) = store.records.list_runs(query)
    where = RecordFilter(equals={"event_type": odd})
    (event,) = store.records.read(EventRecord, "run-1", where)

    assert (run.project_name, run.workspace, run.group, run.name) == (odd,) * 4
    assert run.tags == (odd, "plain")
    assert [project.name for project in store.records.list_projects()] == [odd]
    assert event.event_type == odd
    assert event.payload["text"] == odd
    assert store.records.list_runs(RunQuery(project="a\0b\\\0c\\")) == ()
    assert store.records.list_runs(RunQuery(tags=("\ud800",))) == ()
    assert store.documents.get("sweep", "a\0b") is None
    with pytest.raises(RecordRejectedError, match="writer id"):
        store.append(batch(1, 1, record(1), writer_id=odd))


def test_namespaces_have_the_same_ids_and_never_see_each_other(engine: PostgresEngine) -> None:
    stores = [PostgresStore(engine, f"tenant-{name}") for name in ("a", "b", "a/b")]
    for number, store in enumerate(stores):
        create_run(store, "run-1", name=f"run of {number}", project_name=f"p{number}")
        log(store, losses(1, [float(number)]), block([f"k{number}"], [(1, 0, 0, 0, [1.0])]))
        store.documents.apply([DocumentChange("sweep", "s", {"of": number})])

    for number, store in enumerate(stores):
        assert [run.name for run in store.records.list_runs()] == [f"run of {number}"]
        assert [project.name for project in store.records.list_projects()] == [f"p{number}"]
        assert sorted(store.points.keys("run-1")) == [f"k{number}", "loss"]
        assert store.points.series("run-1", "loss").value.tolist() == [number]
        (found,) = store.documents.list("sweep")
        assert (found.body, found.revision) == ({"of": number}, 1)

    stores[0].records.delete_run("run-1")

    assert [len(store.records.list_runs()) for store in stores] == [0, 1, 1]
    with pytest.raises(RunNotFoundError):
        stores[0].append(batch(2, 2, record(2)))


# -- several processes ---------------------------------------------------------------------------


def test_processes_append_to_one_run_and_merge_it_while_it_is_read(
    url: str, namespace: str, store: PostgresStore
) -> None:
    count = 80
    writers = [child("write", url, namespace, "shared", f"w{n}", str(count)) for n in range(2)]
    seen_points, seen_position = 0, 0
    scanned: list[tuple[str, int]] = []

    while any(writer.poll() is None for writer in writers):
        try:
            point_count = len(store.points.series("shared", "loss"))
            for part in store.records.scan("shared", ("event",), after=seen_position):
                scanned += [(one.writer_id, one.seq) for one in part]
                seen_position = part[-1].position
        except RunNotFoundError:
            continue
        assert point_count >= seen_points
        seen_points = point_count
    for writer in writers:
        finish(writer)
    for part in store.records.scan("shared", ("event",), after=seen_position):
        scanned += [(one.writer_id, one.seq) for one in part]

    series = store.points.series("shared", "loss")
    keys = store.points.keys("shared")
    for number in range(2):
        mine = series.writer == series.writers.index(f"w{number}")
        assert series.value[mine].tolist() == list(range(1, count + 1))
        assert [seq for writer, seq in scanned if writer == f"w{number}"] == list(
            range(1, count + 1)
        )
        for rest in range(7):
            own = [float(seq) for seq in range(1, count + 1) if seq % 7 == rest]
            assert store.points.series("shared", f"w{number}/{rest}").value.tolist() == own
            assert keys[f"w{number}/{rest}"].count == len(own)
    store.points.merge("shared", final=True)
    assert store.points.keys("shared")["loss"].count == 2 * count


def test_what_one_process_remembers_is_corrected_by_what_another_has_done(
    store: PostgresStore, other_engine: PostgresEngine, namespace: str
) -> None:
    other = PostgresStore(other_engine, namespace)
    create_run(store)
    expected: dict[str, list[float]] = {}
    for seq in range(1, 30):
        writing = store if seq % 3 else other
        key = f"key-{seq // 4}"
        new = writing.append(batch(seq, seq, losses(seq, [float(seq)], key=key), record(seq)))
        assert new == 1
        again = (other if seq % 3 else store).append(
            batch(seq, seq, losses(seq, [float(seq)], key=key))
        )
        assert again == 0
        expected.setdefault(key, []).append(float(seq))

    for reading in (store, other):
        assert list(reading.points.keys("run-1")) == list(expected)
        for key, values in expected.items():
            assert reading.points.series("run-1", key).value.tolist() == values


def test_a_run_that_many_create_at_once_is_one_run(url: str, namespace: str) -> None:
    engines = [PostgresEngine(url) for _ in range(6)]
    together = threading.Barrier(len(engines))
    failures: list[Exception] = []

    def create(number: int) -> None:
        store = PostgresStore(engines[number], namespace)
        for round_number in range(5):
            content = (
                run_record(name=f"by {number}"),
                losses(1, [float(number)], key=f"k{number}"),
            )
            together.wait()
            try:
                run_id = f"run-{round_number}"
                store.append(batch(1, 1, *content, run_id=run_id, writer_id=f"w{number}"))
            except SessionStoreError as error:
                failures.append(error)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    store = PostgresStore(engines[0], namespace)
    assert failures == []
    assert len(store.records.list_runs()) == 5
    for round_number in range(5):
        run_id = f"run-{round_number}"
        assert store.records.count(run_id) == {"run": 6}
        keys = list(store.points.keys(run_id))
        first = store.records.get_run(run_id).name
        assert sorted(keys) == [f"k{number}" for number in range(6)]
        assert first == f"by {keys[0][1:]}"  # whoever was first made the run and the first key
    for engine in engines:
        engine.close()


def test_a_run_deleted_and_made_again_by_another_process_is_another_run(
    store: PostgresStore, other_engine: PostgresEngine, namespace: str
) -> None:
    other = PostgresStore(other_engine, namespace)
    create_run(store)
    log(store, losses(1, [1.0, 2.0], key="old"))
    other.records.delete_run("run-1")
    for again in (batch(3, 3, losses(3, [3.0], key="old")), batch(1, 2, losses(1, [1.0, 2.0]))):
        with pytest.raises(RunNotFoundError):
            store.append(again)
    create_run(other, name="second")
    other.append(batch(1, 1, losses(1, [9.0], key="new")))

    new = store.append(batch(1, 3, losses(1, [1.0, 2.0, 3.0], key="old")))

    assert new == 2  # the first frame of this writer was applied by the other process
    assert list(store.points.keys("run-1")) == ["new", "old"]
    assert store.points.series("run-1", "old").value.tolist() == [2.0, 3.0]
    assert store.records.get_run("run-1").name == "second"


def test_a_reader_never_passes_by_what_is_committed_later(
    url: str, store: PostgresStore, namespace: str
) -> None:
    create_run(store)
    store.append(batch(1, 1, record(1), writer_id="slow"))
    (number,) = ask(url, "SELECT max(number) FROM quark.run")[0]
    seen = [part[-1].position for part in store.records.scan("run-1", ("event",))][-1]
    fast = threading.Thread(
        target=lambda: store.append(batch(1, 1, record(1, event_type="fast"), writer_id="fast"))
    )
    with psycopg.connect(url) as slow:  # has a position, and does not commit yet
        slow.execute(
            "SELECT quark.append(%s, 1, 1, 2, 0, NULL, '{event}', '{2}', '{0}', '{NULL}', "
            "'{NULL}', '{1}', ARRAY['{\"event_type\": \"slow\"}'])",
            (number,),
        )
        fast.start()
        while not ask(url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            assert fast.is_alive()
        between = list(store.records.scan("run-1", ("event",), after=seen))
        slow.commit()
    fast.join()

    after = [one for part in store.records.scan("run-1", ("event",), after=seen) for one in part]

    assert between == []
    assert [(one.writer_id, one.seq) for one in after] == [("slow", 2), ("fast", 1)]


def test_documents_of_many_processes_are_all_there(
    url: str, namespace: str, store: PostgresStore
) -> None:
    children = [child("count_up", url, namespace, "25") for _ in range(3)]
    for process in children:
        finish(process)

    found = store.documents.get("counter", "a")
    assert found is not None
    assert (found.body, found.revision) == ({"n": 75}, 75)


def test_a_run_that_is_deleted_while_it_is_written_leaves_nothing_behind(
    url: str, store: PostgresStore, other_engine: PostgresEngine, namespace: str
) -> None:
    other = PostgresStore(other_engine, namespace)
    create_run(store)
    outcomes: list[str] = []

    def write(writing: PostgresStore, writer_id: str) -> None:
        for seq in range(1, 1_000):
            try:
                content = (losses(seq, [float(seq)]), record(seq))
                writing.append(batch(seq, seq, *content, writer_id=writer_id))
                writing.points.merge("run-1", final=seq % 5 == 0)
            except RunNotFoundError:
                outcomes.append("gone")
                return

    threads = [
        threading.Thread(target=write, args=(writing, f"w{number}"))
        for number, writing in enumerate((store, other, store))
    ]
    for thread in threads:
        thread.start()
    while store.records.count("run-1").get("event", 0) < 20:
        pass
    store.records.delete_run("run-1")
    for thread in threads:
        thread.join()

    assert outcomes == ["gone"] * 3
    for table in RUN_TABLES:
        column = "number" if table == "run" else "run"
        orphans = ask(
            url, f"SELECT {column} FROM quark.{table} EXCEPT SELECT number FROM quark.run"
        )
        assert orphans == [], table
    assert store.records.list_runs() == ()


# -- damage, and what others hold ----------------------------------------------------------------


def test_damaged_blobs_are_named_and_set_aside(url: str, store: PostgresStore) -> None:
    create_run(store)
    for first in (1, 11, 21):
        log(store, losses(first, [float(seq) for seq in range(first, first + 10)]))
    (number,) = ask(url, "SELECT max(number) FROM quark.run")[0]
    flip = "UPDATE quark.{} SET body = set_byte(body, 12, 255 - get_byte(body, 12)) WHERE run = %s"
    ask(url, flip.format("segment") + " AND id = 2", number)
    with pytest.raises(DamagedFileError, match=r"Segment 2 of run 'run-1'"):
        store.points.series("run-1", "loss")

    with pytest.raises(DamagedFileError, match=r"set aside.*segment 2"):
        store.points.merge("run-1", final=True)

    assert store.points.series("run-1", "loss").seq.tolist() == [*range(1, 11), *range(21, 31)]
    assert ask(url, "SELECT count(*) FROM quark.damaged WHERE run = %s", number) == [(1,)]
    ask(url, flip.format("chunk"), number)
    with pytest.raises(DamagedFileError, match=r"'loss'.*chunk 1 "):
        store.points.series("run-1", "loss")


def test_a_run_that_another_process_holds_is_an_error_to_try_again(
    url: str, store: PostgresStore, other_engine: PostgresEngine, namespace: str
) -> None:
    waiting = PostgresStore(other_engine, namespace)
    create_run(store)
    waiting.append(batch(1, 1, record(1)))
    (number,) = ask(url, "SELECT max(number) FROM quark.run")[0]
    with psycopg.connect(url) as holder:
        holder.execute("SELECT 1 FROM quark.run_state WHERE run = %s FOR UPDATE", (number,))
        for again in (batch(2, 2, record(2)), batch(1, 1, losses(1, [1.0]), writer_id="new")):
            with pytest.raises(SessionStoreError, match="holds a run for too long"):
                waiting.append(again)
        before = points_of(waiting.points.series("run-1", "loss"))  # readers do not wait

    assert before == []
    assert waiting.append(batch(2, 2, record(2))) == 1
    assert waiting.append(batch(1, 1, losses(1, [1.0]), writer_id="new")) == 1
    assert len(store.records.read(EventRecord, "run-1")) == 2


def test_runs_are_listed_and_their_records_found_by_index(url: str, store: PostgresStore) -> None:
    for number in range(40):
        create_run(store, f"run-{number}")
    store.append(batch(1, 3000, *(record(seq, step=seq) for seq in range(1, 3001)), run_id="run-7"))
    ask(url, "ANALYZE")
    (namespace_id, number) = ask(
        url, "SELECT namespace_id, number FROM quark.run ORDER BY number DESC LIMIT 1"
    )[0]
    questions = {
        "run_by_creation": "SELECT body FROM quark.run WHERE namespace_id = %s "
        f"AND {number} > 0 ORDER BY creation_time_us DESC, run_id DESC LIMIT 10",
        "record_pkey": "SELECT body FROM quark.record WHERE run = %s AND position > 2900 "
        "ORDER BY position LIMIT 100",
    }

    for index, question in questions.items():
        value = namespace_id if "namespace_id" in question else number - 32
        with psycopg.connect(url) as connection:
            connection.execute("SET enable_seqscan = off")
            plan = connection.execute(f"EXPLAIN {question}".encode(), (value,)).fetchall()
        assert index in str(plan)
