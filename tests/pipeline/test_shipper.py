"""Everything appended reaches the store once, whatever the store does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quark.errors import RecordRejectedError, SessionStoreError
from quark.pipeline.diagnostics import LossCounter
from quark.pipeline.faults import FaultLog
from quark.pipeline.frames import RECORD
from quark.pipeline.journal import Journal
from quark.pipeline.recovery import read_segment
from quark.pipeline.shipper import Shipper, ShipperConfig
from quark.records import EventRecord
from quark.storage.memory import MemoryStore
from quark.storage.model import Batch
from tests.pipeline.support import log, new_journal, points_of, start_run


class TroubledStore(MemoryStore):
    """A memory store whose next appends do what ``troubles`` say."""

    def __init__(self) -> None:
        super().__init__()
        self.troubles: list[Callable[[Batch], None]] = []
        self.attempts = 0
        self.failed = threading.Event()

    def append(self, batch: Batch) -> int:
        self.attempts += 1
        if self.troubles:
            trouble = self.troubles.pop(0)
            try:
                trouble(batch)
            except Exception:
                self.failed.set()
                raise
        return super().append(batch)

    def fail_once(self, error: Exception, *, after_taking: bool = False) -> None:
        def fail(batch: Batch) -> None:
            if after_taking:
                MemoryStore.append(self, batch)
            raise error

        self.troubles.append(fail)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = new_journal(tmp_path)
    start_run(journal)
    yield journal
    journal.close()


@pytest.fixture
def store() -> TroubledStore:
    return TroubledStore()


def shipper_of(journal: Journal, store: MemoryStore, **parts: Any) -> Shipper:
    config = ShipperConfig(interval_seconds=0.005, retry_first_seconds=0.001)
    shipper = Shipper(journal, store, config, **parts)
    shipper.start()
    return shipper


def test_what_is_appended_from_several_threads_arrives_in_order_and_once(
    journal: Journal, store: TroubledStore
) -> None:
    shipper = shipper_of(journal, store)

    def write(key: str) -> None:
        for step in range(2_000):
            log(journal, step, **{key: float(step)})

    threads = [threading.Thread(target=write, args=(key,)) for key in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pending = shipper.close(30)

    assert pending == 0
    for key in "abc":
        assert points_of(store, key) == [(step, float(step)) for step in range(2_000)]
    state = shipper.diagnostics()
    assert (state.accepted, state.shipped, state.points_shipped) == (6_001, 6_001, 6_000)
    assert (state.dropped, state.faults, state.last_error) == ({}, {}, None)


@pytest.mark.parametrize("after_taking", [False, True], ids=["before-taking", "after-taking"])
def test_a_store_that_fails_is_asked_again_and_nothing_doubles(
    journal: Journal, store: TroubledStore, after_taking: bool
) -> None:
    for _ in range(4):
        store.fail_once(SessionStoreError("try later"), after_taking=after_taking)
    shipper = shipper_of(journal, store)
    for step in range(500):
        log(journal, step, loss=float(step))

    assert shipper.close(30) == 0

    assert points_of(store) == [(step, float(step)) for step in range(500)]
    assert store.attempts >= 5


def test_an_error_nobody_foresaw_is_counted_and_does_not_end_the_deliveries(
    journal: Journal, store: TroubledStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store.fail_once(ZeroDivisionError("a bug of ours"))
    store.fail_once(ZeroDivisionError("a bug of ours"))
    faults = FaultLog(strict=True)  # also in strict mode nothing is raised on this thread
    shipper = shipper_of(journal, store, faults=faults)
    log(journal, 1, loss=1.0)

    assert shipper.close(30) == 0

    assert points_of(store) == [(1, 1.0)]
    assert faults.counts()["delivery failed"] == 2
    assert capsys.readouterr().err.count("a bug of ours") == 1


def test_only_what_is_refused_for_good_is_set_aside(
    tmp_path: Path, journal: Journal, store: TroubledStore
) -> None:
    losses = LossCounter()
    shipper = shipper_of(journal, store, losses=losses)
    for step in range(50):
        log(journal, step, loss=float(step))
    journal.append(RECORD, b"no_such_kind\0{}")
    journal.append(RECORD, b'event\0{"event_type":"fine","severity":"info"}', essential=True)

    assert shipper.close(30) == 0

    assert len(points_of(store)) == 50
    assert [event.event_type for event in store.records.read(EventRecord, "run_1")] == ["fine"]
    state = shipper.diagnostics()
    assert (state.quarantined, state.dropped) == (1, {"record: rejected": 1})
    (segment,) = (tmp_path / "run_1" / "quarantine").glob("*.qj")
    meta, frames, damaged = read_segment(segment)
    assert (meta == journal.meta, [f.seq for f in frames], damaged) == (True, [52], 0)
    assert "no_such_kind" in segment.with_suffix(".json").read_text()


def test_flush_waits_for_what_was_logged_before_it(journal: Journal, store: TroubledStore) -> None:
    shipper = shipper_of(journal, store)
    for step in range(20):
        log(journal, step, loss=float(step))
        assert shipper.flush(30) == 0
        assert len(points_of(store)) == step + 1
    shipper.close(30)


def test_flush_comes_back_early_when_the_store_fails_and_says_why(
    journal: Journal, store: TroubledStore
) -> None:
    for _ in range(1_000):
        store.fail_once(SessionStoreError("no route to the store"))
    shipper = shipper_of(journal, store)

    pending = shipper.flush(600)

    assert pending == 1
    assert "no route" in str(shipper.last_error)
    store.troubles.clear()
    assert shipper.close(30) == 0


def test_close_keeps_its_deadline_and_what_is_unsent_stays_in_the_journal(
    journal: Journal, store: TroubledStore
) -> None:
    release = threading.Event()

    def hang(batch: Batch) -> None:
        release.wait(60)

    store.troubles.append(hang)
    shipper = shipper_of(journal, store)
    log(journal, 1, loss=1.0)

    unsent = shipper.close(0.05)
    release.set()

    assert unsent == 2
    assert shipper._worker.close(30)


def test_offline_nothing_is_delivered_and_everything_kept(
    journal: Journal, store: TroubledStore
) -> None:
    shipper = Shipper(journal, store, ShipperConfig(interval_seconds=0.005, deliver=False))
    shipper.start()
    log(journal, 1, loss=1.0)

    assert shipper.flush(30) == 2
    assert shipper.close(30) == 2
    assert store.attempts == 0


def test_observers_see_each_batch_once_even_if_its_delivery_is_repeated(
    journal: Journal, store: TroubledStore
) -> None:
    seen: list[int] = []
    for _ in range(3):
        store.fail_once(SessionStoreError("try later"), after_taking=True)
    shipper = shipper_of(
        journal,
        store,
        on_batch=lambda batch: seen.extend(range(batch.first_seq, batch.last_seq + 1)),
    )
    for step in range(100):
        log(journal, step, loss=1.0)

    assert shipper.close(30) == 0
    assert sorted(set(seen)) == sorted(seen)
    assert set(seen) <= set(range(1, 102))


def test_chores_run_once_and_a_failing_one_harms_nobody(
    journal: Journal, store: TroubledStore, capsys: pytest.CaptureFixture[str]
) -> None:
    done = threading.Event()
    faults = FaultLog()
    shipper = shipper_of(journal, store, faults=faults)

    def fail() -> None:
        raise ZeroDivisionError

    shipper.add_chore(fail)
    shipper.add_chore(done.set)

    assert done.wait(60)

    assert shipper.close(30) == 0
    assert faults.counts() == {"a background chore failed": 1}


def test_fsync_puts_each_batch_on_the_disk_before_it_is_delivered(
    journal: Journal, store: TroubledStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    sync = journal.sync

    def noted_sync() -> None:
        order.append("sync")
        sync()

    monkeypatch.setattr(journal, "sync", noted_sync)
    store.troubles += [lambda batch: order.append("append")] * 100
    shipper = Shipper(journal, store, ShipperConfig(interval_seconds=0.005, fsync=True))
    shipper.start()
    log(journal, 1, loss=1.0)

    assert shipper.close(30) == 0
    assert order[:2] == ["sync", "append"]


def test_a_rejected_batch_is_not_retried_for_ever(journal: Journal, store: TroubledStore) -> None:
    def refuse(batch: Batch) -> None:
        raise RecordRejectedError("never")

    store.troubles += [refuse] * 3
    shipper = shipper_of(journal, store)

    assert shipper.close(30) == 0
    assert store.attempts == 1
