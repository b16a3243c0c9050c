"""Long reads in processes of their own: which they are, what they see, what survives a dead one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from quark import jsonio
from quark.errors import DamagedFileError, RunNotFoundError, SessionStoreError
from quark.pipeline.faults import FaultLog
from quark.service.child_process import ChildProcess
from quark.service.config import ServiceConfig
from quark.service.ingest import RunPlace
from quark.service.reading import HEAVY_CHUNKS, PointsAsked, Reading, read_points
from quark.service.stores import StoreKey, Stores
from quark.storage.chunk import CHUNK_POINTS
from quark.storage.memory import MemoryStore
from quark.storage.model import NO_STEP, PointBlock, StepRange
from quark.storage.protocols import Store
from tests.storage.building import START_US, batch, losses, run_record
from tests.support.clock import FakeClock
from tests.support.processes import wait_until
from tests.support.service import running_service, service_config

PLACE = RunPlace("team", "vision/2026", "run-1")
LONG = HEAVY_CHUNKS * CHUNK_POINTS + 1000
BUCKETS = PointsAsked(run_id="run-1", keys=["loss"], bucket_count=100)


def long_series(first_seq: int, count: int = LONG) -> PointBlock:
    seq = np.arange(first_seq, first_seq + count)
    return PointBlock(
        keys=("loss",),
        seq=seq,
        step=seq.copy(),
        epoch=np.full(count, NO_STEP),
        time_us=START_US + seq,
        values=np.random.default_rng(7).normal(size=(count, 1)),
    )


def fill(store: Store) -> None:
    """Give a run a long series, packed, and a short one."""
    last = LONG + 2
    store.append(batch(1, last, run_record(), losses(2, [1.5], key="short"), long_series(3)))
    store.points.merge("run-1", final=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root that tests only read."""
    root = tmp_path_factory.mktemp("reading") / "root"
    stores = Stores(ServiceConfig(root=root))
    fill(stores.get(StoreKey(PLACE.workspace, PLACE.storage_dir)))
    stores.close()
    return root


class Desk:
    """Reads of one store, as a worker does them."""

    def __init__(self, root: Path, *, read_seconds: float = 30.0) -> None:
        config = ServiceConfig(root=root)
        self._others = set(psutil.Process().children())
        self.stores = Stores(config)
        self.store = self.stores.get(StoreKey(PLACE.workspace, PLACE.storage_dir))
        self.clock = FakeClock()
        self.faults = FaultLog()
        self.backlog = 0
        self.reading = Reading(
            config,
            faults=self.faults,
            backlog_points=lambda place: self.backlog,
            clock=self.clock,
            read_seconds=read_seconds,
        )

    def read(self, asked: PointsAsked) -> bytes:
        return self.reading.read(PLACE, self.store, asked)

    @property
    def children(self) -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if child not in self._others]

    def close(self) -> None:
        self.reading.close(10)
        self.stores.close()


@pytest.fixture
def desk(root: Path) -> Iterator[Desk]:
    desk = Desk(root)
    yield desk
    desk.close()


def series(**changes: object) -> PointsAsked:
    return replace(PointsAsked(run_id="run-1", keys=["loss"]), **changes)  # type: ignore[arg-type]


def test_a_process_reads_with_our_modules_whatever_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service may be started in anybody's folder, such as an older checkout of Quark."""
    config = ServiceConfig(root=tmp_path / "root")
    stores = Stores(config)
    store = stores.get(StoreKey("team", ""))
    store.append(batch(1, 3, run_record(), losses(2, [1.0, 2.0])))
    here = tmp_path / "here"
    (here / "quark").mkdir(parents=True)
    (here / "quark" / "__init__.py").write_text("raise ImportError('another quark')")
    (here / "jsonschema.py").write_text("raise ImportError('another jsonschema')")
    (here / "struct.py").write_text("raise ImportError('another struct')")
    monkeypatch.chdir(here)
    child = ChildProcess("quark.service.reading_child", config)
    try:
        asked = asdict(PointsAsked(run_id="run-1", keys=["loss"]))
        body = child.ask(["team", "", asked], 60.0)
    finally:
        child.close(10)
        stores.close()

    assert jsonio.loads(body)["series"][0]["value"] == [1.0, 2.0]


def test_another_process_gives_the_same_bytes(desk: Desk) -> None:
    some = StepRange(step_min=5, step_max=LONG - 5)
    all_asked = [
        BUCKETS,
        replace(BUCKETS, keys=["short", "loss", "no-such-key"], steps=some),
        series(),
        series(is_packed=True, keys=["loss", "short"]),
        series(is_packed=True, columns="step_value", steps=StepRange(limit=LONG - 3)),
    ]

    found = [desk.read(asked) for asked in all_asked]

    assert len(desk.children) == 1
    assert found == [read_points(desk.store, asked) for asked in all_asked]
    assert len({len(body) for body in found}) == len(found)
    assert desk.faults.counts() == {}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(replace(BUCKETS, keys=["short"]), id="short"),
        pytest.param(replace(BUCKETS, keys=["no-such-key"] * 500), id="no-such-key"),
        pytest.param(series(keys=[]), id="no-key"),
        pytest.param(series(steps=StepRange(limit=1000)), id="the-newest-of-a-long-one"),
        pytest.param(series(steps=StepRange(limit=1), keys=["loss"] * 8), id="of-many"),
        pytest.param(
            replace(BUCKETS, keys=["loss", *(f"{n}/" + "k" * 900 for n in range(9))]), id="too-wide"
        ),
    ],
)
def test_what_costs_little_or_cannot_be_asked_is_read_in_the_worker(
    desk: Desk, asked: PointsAsked
) -> None:
    found = desk.read(asked)

    assert found == read_points(desk.store, asked)
    assert desk.children == []


def test_points_that_wait_to_be_packed_make_a_read_long(desk: Desk) -> None:
    short = replace(BUCKETS, keys=["short"])

    desk.backlog = HEAVY_CHUNKS * CHUNK_POINTS + 1
    found = desk.read(short)

    assert len(desk.children) == 1
    assert found == read_points(desk.store, short)


def test_a_store_that_unpacks_elsewhere_is_asked_by_the_worker(desk: Desk) -> None:
    store = MemoryStore()
    fill(store)

    assert desk.reading.read(PLACE, store, BUCKETS) == read_points(store, BUCKETS)
    assert desk.children == []


def test_what_was_stored_is_seen_by_the_next_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    try:
        fill(desk.store)
        desk.read(BUCKETS)
        for number in range(1, 21):
            seq = LONG + 2 + number
            desk.store.append(batch(seq, seq, losses(seq, [float(number)])))
            if number % 5 == 0:
                desk.store.points.merge("run-1")
            found = jsonio.loads(desk.read(BUCKETS))["buckets"][0]
            assert sum(found["count"]) == LONG + number
            assert found["last"][-1] == number
        assert len(desk.children) == 1
    finally:
        desk.close()


def test_errors_come_back_as_what_they_were(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    try:
        with pytest.raises(RunNotFoundError, match="run-1"):
            desk.read(BUCKETS)
        fill(desk.store)
        run_dir = desk.store.run_dir("run-1")
        assert run_dir is not None
        with closing(sqlite3.connect(run_dir / "run.db")) as file:
            file.execute("UPDATE chunk SET body = x'00' WHERE id = (SELECT max(id) FROM chunk)")
            file.commit()

        with pytest.raises(DamagedFileError, match=r"key 'loss': chunk .* is damaged"):
            desk.read(series())

        assert desk.faults.counts() == {}
        assert len(desk.children) == 1
    finally:
        desk.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_a_process_that_fails_is_replaced_and_the_read_done_here(
    root: Path, how: signal.Signals
) -> None:
    desk = Desk(root, read_seconds=30.0)
    try:
        expected = desk.read(BUCKETS)
        (first,) = desk.children
        os.kill(first.pid, how)
        desk.reading._read_seconds = 0.2

        at_failure = desk.read(BUCKETS)
        desk.reading._read_seconds = 30.0
        is_gone = not first.is_running()
        after_failure = desk.read(BUCKETS)
        children_after_failure = desk.children
        desk.clock.advance(5.1)
        later = desk.read(BUCKETS)

        assert at_failure == after_failure == later == expected
        assert is_gone
        assert children_after_failure == []
        assert len(desk.children) == 1
        assert sum(desk.faults.counts().values()) == 1
    finally:
        desk.close()


def test_processes_end_with_the_service_even_one_that_hangs(root: Path) -> None:
    desk = Desk(root)
    desk.read(BUCKETS)
    (process,) = desk.children
    process.suspend()

    desk.reading.close(0.1)

    assert not process.is_running()
    with pytest.raises(SessionStoreError, match="stops; ask again"):
        desk.read(BUCKETS)  # not here: it would hold up the end
    assert desk.children == []
    desk.close()


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(
            process.status() == psutil.STATUS_ZOMBIE
        )  # nobody may be there to ask how it ended
    except psutil.NoSuchProcess:
        return True


_SERVICE = """
import sys
from pathlib import Path
import psutil
from tests.service.test_reading import BUCKETS, Desk
Desk(Path(sys.argv[1])).read(BUCKETS)
print(psutil.Process().children()[0].pid, flush=True)
sys.stdin.read()
"""


def test_processes_do_not_outlive_a_service_that_is_killed(root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVICE, str(root)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as service:
        assert service.stdout is not None
        child = psutil.Process(int(service.stdout.readline()))

        service.kill()
        wait_until(lambda: has_ended(child), what="the process has ended")


@pytest.mark.parametrize("read_processes", [0, 1])
def test_a_service_answers_long_reads_alike_with_and_without_processes(
    tmp_path: Path, read_processes: int
) -> None:
    memory = MemoryStore()
    fill(memory)
    before = set(psutil.Process().children())
    config = service_config(tmp_path, merge_processes=0, read_processes=read_processes)
    with running_service(config) as service:
        store = service.store()
        fill(store)
        wait_until(
            lambda: len(store.points.buckets("run-1", "loss", 10).count) == 10, what="it is there"
        )
        found = store.points.series("run-1", "loss")
        cut = store.points.buckets("run-1", "loss", 100)
        started = set(psutil.Process().children()) - before
        store.close()

    expected, expected_cut = (
        memory.points.series("run-1", "loss"),
        memory.points.buckets("run-1", "loss", 100),
    )
    assert len(started) == read_processes
    assert not any(process.is_running() for process in started)
    for name in ("seq", "step", "epoch", "time_us", "value"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_array_equal(cut.count, expected_cut.count)
    np.testing.assert_array_equal(cut.maximum, expected_cut.maximum)
