"""Packing points in the background: when, by whom, and what survives a dead child."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from quark.errors import DamagedFileError, RunNotFoundError, SessionStoreError
from quark.pipeline.faults import FaultLog
from quark.service.config import ServiceConfig
from quark.service.ingest import RunPlace
from quark.service.merge_child import MergeChild
from quark.service.merging import InThisProcess, Merging, mergers
from quark.service.stores import StoreKey, Stores
from quark.storage.memory import MemoryStore
from quark.storage.merge import MERGE_POINTS
from quark.storage.protocols import Store
from quark.storage.sqlite_tables import SqlitePackedRun
from tests.storage.building import batch, losses, run_record
from tests.support.clock import FakeClock
from tests.support.processes import wait_until

PLACE = RunPlace("team", "vision/2026", "run-1")


@pytest.fixture
def config(tmp_path: Path) -> ServiceConfig:
    return ServiceConfig(root=tmp_path / "root")


@pytest.fixture
def store(config: ServiceConfig) -> Iterator[Store]:
    stores = Stores(config)
    store = stores.get(StoreKey(PLACE.workspace, PLACE.storage_dir))
    store.append(batch(1, 3, run_record(), losses(2, [1.0, 2.0])))
    yield store
    stores.close()


def pending_segments(store: Store) -> int:
    """How many segments of the run no merge has packed, read from its file."""
    with (
        store._packed_run("run-1") as run,  # type: ignore[attr-defined]
        run.reading() as tables,
    ):
        assert isinstance(run, SqlitePackedRun)
        return int(tables.pending().segment_count)


class Recording:
    """Notes what it is asked to pack, and does as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.error: Exception | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def merge(self, place: RunPlace, store: Store, *, final: bool) -> None:
        self.may_go_on.wait(60)
        self.asked.append((place.run_id, final))
        if self.error is not None:
            raise self.error

    def close(self, timeout_seconds: float) -> None: ...


def run(run_id: str) -> RunPlace:
    return RunPlace("team", "", run_id)


def test_runs_are_packed_when_enough_came_those_that_ended_at_once() -> None:
    packer, seconds = Recording(), list[float]()
    merging = Merging([packer], faults=FaultLog(), observe=seconds.append)
    store = MemoryStore()
    try:
        merging.add(run("few"), store, points=MERGE_POINTS - 1)
        merging.add(run("ended"), store, points=1)
        merging.add(run("ended"), store, final=True)
        merging.add(run("many"), store, points=MERGE_POINTS)
        for _ in range(64):
            merging.add(run("often"), store, points=1)
        wait_until(lambda: len(packer.asked) >= 3, what="three runs are packed")
        wait_until(lambda: merging.backlog_points() == MERGE_POINTS - 1, what="counted off")
    finally:
        merging.close(5)

    assert sorted(packer.asked) == [("ended", True), ("many", False), ("often", False)]
    assert len(seconds) == 3
    assert merging.backlog_points(run("few")) == MERGE_POINTS - 1
    assert merging.backlog_points(run("many")) == 0


def test_what_comes_during_a_merge_is_not_counted_off_with_it() -> None:
    packer = Recording()
    packer.may_go_on.clear()
    merging = Merging([packer], faults=FaultLog())
    try:
        merging.add(run("r"), MemoryStore(), points=MERGE_POINTS)
        wait_until(lambda: merging._runs[run("r")].is_taken, what="it is being packed")
        merging.add(run("r"), MemoryStore(), points=7)
        packer.may_go_on.set()
        wait_until(lambda: merging.backlog_points() == 7, what="the rest is left")
    finally:
        packer.may_go_on.set()
        merging.close(5)

    assert packer.asked == [("r", False)]


@pytest.mark.parametrize(
    ("error", "is_settled", "causes"),
    [
        pytest.param(RunNotFoundError("gone"), True, set(), id="deleted-meanwhile"),
        pytest.param(
            DamagedFileError("bits"), True, {"points were damaged and set aside"}, id="damaged"
        ),
        pytest.param(
            SessionStoreError("disk"), False, {"points could not be packed"}, id="store-fails"
        ),
    ],
)
def test_what_fails_is_noted_and_tried_again_only_if_that_helps(
    error: Exception, is_settled: bool, causes: set[str]
) -> None:
    packer, faults = Recording(), FaultLog()
    packer.error = error
    merging = Merging([packer], faults=faults)
    try:
        merging.add(run("r"), MemoryStore(), points=MERGE_POINTS)
        wait_until(lambda: len(packer.asked) > 0, what="it was tried")
        if is_settled:
            wait_until(lambda: merging.backlog_points() == 0, what="it is settled")
        else:
            packer.error = None
            wait_until(lambda: merging.backlog_points() == 0, what="it was tried again")
    finally:
        merging.close(5)

    assert set(faults.counts()) == causes
    assert (len(packer.asked) == 1) is is_settled


def test_a_run_that_cannot_be_packed_keeps_no_other_from_it() -> None:
    class Refusing(Recording):
        def merge(self, place: RunPlace, store: Store, *, final: bool) -> None:
            super().merge(place, store, final=final)
            if place.run_id == "refused":
                raise SessionStoreError("of a newer Quark")

    packer = Refusing()
    packer.may_go_on.clear()
    merging = Merging([packer], faults=FaultLog())
    try:
        merging.add(run("refused"), MemoryStore(), points=9 * MERGE_POINTS)
        wait_until(lambda: merging._runs[run("refused")].is_taken, what="it is tried")
        for name in ("a", "b"):
            merging.add(run(name), MemoryStore(), points=MERGE_POINTS)
        packer.may_go_on.set()
        wait_until(lambda: merging.backlog_points() == 9 * MERGE_POINTS, what="the others are")
    finally:
        packer.may_go_on.set()
        merging.close(5)

    assert {("a", False), ("b", False)} <= set(packer.asked)


def test_runs_that_never_end_are_looked_at_once_they_are_silent_and_known_no_longer() -> None:
    packer, clock = Recording(), FakeClock()
    merging = Merging([packer], faults=FaultLog(), clock=clock)
    store = MemoryStore()
    try:
        for number in range(50):
            merging.add(run(f"dead-{number}"), store, points=1)
        clock.advance(400)
        merging.add(run("slow"), store, points=1)
        clock.advance(300)
        merging.add(run("wakes"), store, points=MERGE_POINTS)
        wait_until(lambda: len(packer.asked) == 51, what="all but the slow one are looked at")
        wait_until(lambda: merging.backlog_points() == 1, what="they are counted off")
    finally:
        merging.close(5)

    assert set(packer.asked) == {("wakes", False)} | {(f"dead-{n}", False) for n in range(50)}
    assert list(merging._runs) == [run("slow")]


def test_no_more_runs_are_known_than_there_is_room_for_and_none_is_packed_less() -> None:
    packer = Recording()
    packer.may_go_on.clear()
    merging = Merging([packer], faults=FaultLog(), max_runs=10)
    store = MemoryStore()
    try:
        merging.add(run("large"), store, points=MERGE_POINTS)
        wait_until(lambda: merging._runs[run("large")].is_taken, what="it is being packed")
        merging.add(run("due"), store, points=MERGE_POINTS)
        for number in range(1000):
            merging.add(run(f"few-{number}"), store, points=1)
        known = [place.run_id for place in merging._runs]
        merging.add(run("few-0"), store, points=MERGE_POINTS)  # it was forgotten, and is packed
        packer.may_go_on.set()
        wait_until(lambda: len(packer.asked) == 3, what="the large ones are packed")
    finally:
        packer.may_go_on.set()
        merging.close(5)

    assert known == ["large", "due", *(f"few-{number}" for number in range(992, 1000))]
    assert {run_id for run_id, _ in packer.asked} == {"large", "due", "few-0"}


def test_another_process_packs_survives_being_killed_and_ends_with_its_owner(
    config: ServiceConfig, store: Store
) -> None:
    child = MergeChild(config)
    try:
        child.merge(PLACE, store, final=True)
        packed_first = pending_segments(store)

        store.append(batch(4, 5, losses(4, [3.0, 4.0])))
        (process,) = psutil.Process().children()
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(SessionStoreError, match="ended or hung"):
            child.merge(PLACE, store, final=True)
        child.merge(PLACE, store, final=True)
        with pytest.raises(RunNotFoundError, match="no-such-run"):
            child.merge(RunPlace("team", "", "no-such-run"), store, final=True)
        (process,) = psutil.Process().children()
        is_nice = process.nice() > psutil.Process().nice()
    finally:
        child.close(10)

    assert is_nice
    assert (packed_first, pending_segments(store)) == (0, 0)
    assert store.points.series("run-1", "loss").value.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert not process.is_running()
    with pytest.raises(SessionStoreError, match="stops"):
        child.merge(PLACE, store, final=True)


def test_a_child_that_is_busy_beyond_the_deadline_is_ended(
    config: ServiceConfig, store: Store
) -> None:
    child = MergeChild(config)
    child.merge(PLACE, store, final=False)
    (process,) = psutil.Process().children()
    process.suspend()

    child.close(0.1)

    assert not process.is_running()


def test_a_service_may_pack_in_its_own_process(config: ServiceConfig, store: Store) -> None:
    (packer,) = mergers(0, lambda: MergeChild(config))

    packer.merge(PLACE, store, final=True)
    packer.close(1)

    assert isinstance(packer, InThisProcess)
    assert pending_segments(store) == 0
