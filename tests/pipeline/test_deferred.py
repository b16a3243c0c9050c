"""What is still on its way from a device arrives in order, once, and before any flush returns."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from quark import EventLogger, TrainingSession
from quark.errors import InvalidRunStateError
from quark.pipeline.deferred import Deferred, DeferredQueue
from quark.pipeline.faults import FaultLog


class Measurement(Deferred):
    what = "reading"

    def __init__(
        self, journal: Callable[[], None], *, size_bytes: int = 8, ready: bool = True
    ) -> None:
        super().__init__(size_bytes)
        self.arrived = ready
        self._do = journal

    def ready(self) -> bool:
        return self.arrived

    def _journal(self) -> None:
        self._do()


def nothing() -> None:
    pass


def arrive(events: EventLogger, step: int) -> None:
    events.log("arrived", step=step)


def failing() -> None:
    raise RuntimeError("the device fell off")


def new_queue(*, strict: bool = False, **limits: int) -> tuple[DeferredQueue, FaultLog]:
    faults = FaultLog(strict=strict)
    return DeferredQueue(faults, **limits), faults


def test_the_background_resolves_in_order_and_stops_at_the_first_that_is_not_ready() -> None:
    queue, _ = new_queue()
    seen: list[int] = []
    works = [Measurement(partial(seen.append, n), ready=n != 2) for n in range(5)]
    for work in works:
        assert queue.add(work)

    queue.work()
    assert seen == [0, 1]
    works[2].arrived = True
    queue.work()
    assert seen == [0, 1, 2, 3, 4]
    queue.work()
    works[0].resolve()
    assert seen == [0, 1, 2, 3, 4]


def test_a_drain_takes_everything_also_what_is_not_ready() -> None:
    queue, _ = new_queue()
    seen: list[int] = []
    for n in range(4):
        queue.add(Measurement(partial(seen.append, n), ready=False))

    queue.drain()

    assert seen == [0, 1, 2, 3]


def test_a_drain_waits_for_what_the_background_is_resolving() -> None:
    queue, _ = new_queue()
    begun, go_on, drained = threading.Event(), threading.Event(), threading.Event()
    seen: list[str] = []

    def slow() -> None:
        begun.set()
        assert go_on.wait(60)
        seen.append("slow")

    def drain() -> None:
        queue.drain()
        seen.append("drained")
        drained.set()

    queue.add(Measurement(slow))
    background = threading.Thread(target=queue.work)
    background.start()
    assert begun.wait(60)
    caller = threading.Thread(target=drain)
    caller.start()
    assert not drained.is_set()
    go_on.set()
    background.join(60)
    caller.join(60)

    assert seen == ["slow", "drained"]


def test_too_much_at_once_is_refused_but_one_large_measurement_is_not() -> None:
    queue, _ = new_queue(max_bytes=100)

    assert queue.add(Measurement(nothing, size_bytes=500))
    assert not queue.add(Measurement(nothing, size_bytes=1))
    queue.drain()
    assert all(queue.add(Measurement(nothing, size_bytes=25)) for _ in range(4))
    assert not queue.add(Measurement(nothing, size_bytes=25))
    queue.close()
    assert not queue.add(Measurement(nothing, size_bytes=1))


@pytest.mark.parametrize("where", ["in-the-background", "in-the-drain"])
@pytest.mark.parametrize(
    ("strict_run", "strict_work", "raises"),
    [(False, None, False), (True, None, True), (False, True, True), (True, False, False)],
)
def test_a_fault_is_counted_and_costs_nothing_else(
    where: str, strict_run: bool, strict_work: bool | None, raises: bool
) -> None:
    queue, faults = new_queue(strict=strict_run)
    seen: list[int] = []
    broken = Measurement(failing)
    broken.strict = strict_work
    for work in (broken, Measurement(lambda: seen.append(1)), Measurement(lambda: seen.append(2))):
        queue.add(work)

    if where == "in-the-background":
        queue.work()
    if raises:
        with pytest.raises(RuntimeError, match="fell off"):
            queue.drain()
    queue.drain()

    assert seen == [1, 2]
    assert faults.counts() == {"a reading could not be resolved": 1}


def test_many_threads_lose_nothing() -> None:
    queue, _ = new_queue()
    seen: list[tuple[int, int]] = []
    done = threading.Event()

    def add(mine: int) -> None:
        for n in range(500):
            assert queue.add(Measurement(partial(seen.append, (mine, n))))
            if n % 50 == 0:
                queue.drain()

    def work() -> None:
        while not done.is_set():
            queue.work()

    background = threading.Thread(target=work)
    adders = [threading.Thread(target=add, args=(n,)) for n in range(3)]
    for thread in (background, *adders):
        thread.start()
    for thread in adders:
        thread.join()
    done.set()
    background.join()
    queue.drain()

    assert len(seen) == 1500
    assert {mine for mine, _ in seen} == {0, 1, 2}


def test_a_run_keeps_what_was_deferred_and_refuses_what_comes_too_late(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        events = EventLogger(session)
        handle = session.handle
        for n in range(3):
            handle.defer(Measurement(partial(arrive, events, n), ready=False))
        read_while_open = [event.step for event in events.read(event_type="arrived")]
        handle.defer(Measurement(partial(arrive, events, 3), ready=False))

    late = Measurement(failing)
    late.record_count = 7
    assert not handle.defer(late)

    assert read_while_open == [0, 1, 2]
    assert [event.step for event in events.read(event_type="arrived")] == [0, 1, 2, 3]
    assert handle.diagnostics().dropped == {"reading: closed": 7}


def test_a_strict_run_that_fails_at_its_end_is_closed_all_the_same(tmp_path: Path) -> None:
    session = TrainingSession.start_run(project="p", storage_dir=tmp_path, strict_mode=True)
    session.handle.defer(Measurement(failing, ready=False))

    with pytest.raises(RuntimeError, match="fell off"):
        session.end_run("completed")

    assert session.handle.closed
    assert session.reload().status == "completed"
    with pytest.raises(InvalidRunStateError):
        session.end_run("completed")
