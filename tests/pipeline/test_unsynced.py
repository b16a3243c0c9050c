"""Payloads reach the disk in batches: many at once, not too late, and all of them in the end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

import pytest

from quark.errors import SessionStoreError
from quark.pipeline.deferred import Deferred
from quark.pipeline.faults import FaultLog
from quark.pipeline.payloads import PayloadQueue
from quark.pipeline.unsynced import BATCH_COUNT, BATCH_SECONDS, UnsyncedPayloads
from quark.storage.memory import MemoryStore
from tests.support.clock import FakeClock


class Disk:
    """A store that says what it was asked to sync."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = MemoryStore()
        self.batches: list[list[str]] = []
        self.fault: Exception | None = None
        monkeypatch.setattr(self.store.blobs, "sync", self._sync)

    def _sync(self, digests: Iterable[str]) -> None:
        self.batches.append(list(digests))
        if self.fault is not None:
            raise self.fault

    @contextlib.contextmanager
    def opened(self) -> Iterator[MemoryStore]:
        yield self.store

    def put(self, text: str) -> str:
        return self.store.blobs.put(text.encode(), synced=False)[0]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_many_are_synced_at_once_and_few_when_some_time_has_passed(disk: Disk) -> None:
    clock = FakeClock()
    unsynced = UnsyncedPayloads(disk.opened, FaultLog(), clock)
    digests = [disk.put(str(number)) for number in range(BATCH_COUNT + 2)]

    for sha256 in [*digests[:BATCH_COUNT], *digests[: BATCH_COUNT // 2]]:
        unsynced.add([sha256])
    unsynced.sync_if_due()
    assert [len(batch) for batch in disk.batches] == [BATCH_COUNT]
    assert disk.batches[0] == digests[:BATCH_COUNT]

    clock.advance(BATCH_SECONDS / 2)
    unsynced.add(digests[BATCH_COUNT:])
    unsynced.sync_if_due()
    assert len(disk.batches) == 1
    clock.advance(BATCH_SECONDS)
    unsynced.sync_if_due()
    unsynced.sync_if_due()
    unsynced.sync()

    assert disk.batches[1:] == [[*digests[: BATCH_COUNT // 2], *digests[BATCH_COUNT:]]]


def test_what_was_removed_meanwhile_is_no_fault_and_a_disk_that_fails_is_one(disk: Disk) -> None:
    faults = FaultLog()
    unsynced = UnsyncedPayloads(disk.opened, faults, FakeClock())
    removed, kept = disk.put("removed"), disk.put("kept")
    unsynced.add([removed, kept])
    disk.store.blobs.delete(removed)

    unsynced.sync()
    assert disk.batches == [[kept]]
    assert not faults.counts()

    disk.fault = SessionStoreError("the disk is gone")
    unsynced.add([kept])
    unsynced.sync()
    assert sum(faults.counts().values()) == 1


class Work(Deferred):
    what = "image"

    def __init__(self, queue: PayloadQueue, clock: FakeClock, digest: str, seconds: float) -> None:
        super().__init__(200_000)
        self._queue = queue
        self._clock = clock
        self._digest = digest
        self._seconds = seconds

    def _journal(self) -> None:
        self._clock.advance(self._seconds)
        self._queue.sync_later([self._digest])


def test_a_queue_syncs_what_it_kept_before_it_is_closed_and_then_at_once(disk: Disk) -> None:
    clock = FakeClock()
    queue = PayloadQueue(
        FaultLog(), unsynced=lambda: UnsyncedPayloads(disk.opened, FaultLog(), clock), clock=clock
    )
    digests = [disk.put(str(number)) for number in range(30)]
    for sha256 in digests[:-1]:
        queue.add(Work(queue, clock, sha256, 0.0))
    queue.close(10)
    assert sorted(sha256 for batch in disk.batches for sha256 in batch) == sorted(digests[:-1])

    queue.add(Work(queue, clock, digests[-1], 0.0))
    assert disk.batches[-1] == [digests[-1]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_waits_for_the_disk_in_a_parent_is_not_the_childs(disk: Disk) -> None:
    queue = PayloadQueue(FaultLog(), unsynced=lambda: UnsyncedPayloads(disk.opened, FaultLog()))
    queue.sync_later([disk.put("the parent's")])
    queue.reset_after_fork()
    queue.sync_later([own := disk.put("the child's")])
    queue.close(10)

    assert disk.batches == [[own]]


@pytest.mark.parametrize(
    ("count", "quiet", "said"),
    [
        pytest.param(400, False, "keeping 400 images, for about 4 s ...", id="many"),
        pytest.param(400, True, "", id="quiet"),
        pytest.param(90, False, "", id="few"),
    ],
)
def test_who_waits_long_for_payloads_is_told_once(
    count: int, quiet: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    queue = PayloadQueue(FaultLog(), quiet=lambda: quiet, clock=clock)
    held = queue._queue._lock  # nobody begins before all is there
    with held:
        for _ in range(count):
            queue.add(Work(queue, clock, "", 0.01))
        queue.drain()
    queue.close(10)
    with held:
        for _ in range(count):
            queue.add(Work(queue, clock, "", 0.01))

    assert capsys.readouterr().err == (f"quark: {said}\n" if said else "")
