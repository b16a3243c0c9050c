"""What takes long is done in order on a thread of its own, and is never dropped."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from quark import EventLogger, TrainingSession
from quark.pipeline.deferred import Deferred
from quark.pipeline.faults import FaultLog
from quark.pipeline.payloads import PayloadQueue


class Payload(Deferred):
    what = "payload"

    def __init__(self, seen: list[tuple[int, str]], number: int, size_bytes: int = 8) -> None:
        super().__init__(size_bytes)
        self._seen = seen
        self._number = number

    def _journal(self) -> None:
        self._seen.append((self._number, threading.current_thread().name))


class Stuck(Payload):
    """Waits until it is let go."""

    def __init__(self, seen: list[tuple[int, str]], number: int, size_bytes: int) -> None:
        super().__init__(seen, number, size_bytes)
        self.begun, self.go = threading.Event(), threading.Event()

    def _journal(self) -> None:
        self.begun.set()
        assert self.go.wait(60)
        super()._journal()


class Broken(Deferred):
    what = "payload"

    def _journal(self) -> None:
        raise OSError("the file vanished")


def test_payloads_are_done_in_order_on_their_own_thread() -> None:
    queue, seen = PayloadQueue(FaultLog(strict=False)), list[tuple[int, str]]()

    for number in range(20):
        queue.add(Payload(seen, number))
    queue.close(10)

    assert [number for number, _ in seen] == list(range(20))
    assert {name for _, name in seen} <= {"quark-payloads", "MainThread"}
    assert not any(thread.name == "quark-payloads" for thread in threading.enumerate())


def test_where_too_much_waits_whoever_brings_more_does_it_and_nothing_is_dropped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    queue, seen = PayloadQueue(FaultLog(strict=False), max_bytes=100), list[tuple[int, str]]()
    first = Stuck(seen, 0, 90)
    queue.add(first)
    assert first.begun.wait(60)
    bringer = threading.Thread(target=queue.add, args=(Payload(seen, 1, 50),), name="bringer")
    bringer.start()
    assert not seen

    first.go.set()
    bringer.join(60)
    queue.close(10)

    assert seen == [(0, "quark-payloads"), (1, "bringer")]
    assert "payloads come faster than they can be kept" in capsys.readouterr().err


def test_who_waits_for_the_queue_prepares_what_is_at_its_end() -> None:
    class Prepared(Payload):
        def _prepare(self) -> None:
            prepared.append((self._number, threading.current_thread().name))
            if self._number == 1:
                first.go.set()

    queue, seen = PayloadQueue(FaultLog(strict=False)), list[tuple[int, str]]()
    prepared: list[tuple[int, str]] = []
    first = Stuck(seen, 0, 8)
    queue.add(first)
    assert first.begun.wait(60)
    for number in range(1, 5):
        queue.add(Prepared(seen, number))

    queue.drain()  # would never come back, if nobody prepared anything
    queue.close(10)

    assert prepared == [(number, "MainThread") for number in (4, 3, 2, 1)]
    assert [number for number, _ in seen] == [0, 1, 2, 3, 4]


def test_a_payload_that_comes_after_the_end_is_done_at_once() -> None:
    queue, seen = PayloadQueue(FaultLog(strict=False)), list[tuple[int, str]]()
    queue.close(1)

    queue.add(Payload(seen, 0))

    assert seen == [(0, "MainThread")]


def test_a_payload_that_fails_is_counted_and_raised_in_strict_mode_only() -> None:
    for strict in (False, True):
        faults, seen = FaultLog(strict=strict), list[tuple[int, str]]()
        queue = PayloadQueue(faults)
        queue.add(Broken(8))
        queue.add(Payload(seen, 1))
        if strict:
            with pytest.raises(OSError, match="vanished"):
                queue.drain()
        else:
            queue.drain()
        queue.close(10)

        assert [number for number, _ in seen] == [1]
        assert sum(faults.counts().values()) == 1


def test_what_a_payload_logs_is_in_the_run_when_a_flush_returns_and_at_its_end(
    tmp_path: Path,
) -> None:
    class Logs(Deferred):
        def _journal(self) -> None:
            events.log("kept")

    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        events = EventLogger(session)
        session.handle.defer_payload(Logs(8))
        session.handle.flush()
        assert len(events.read(event_type="kept")) == 1
        session.handle.defer_payload(Logs(8))
        context = session.context

    with EventLogger(context) as reader:
        assert len(reader.read(event_type="kept")) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_begins_with_an_empty_queue(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        seen: list[tuple[int, str]] = []
        waiting = Stuck(seen, 0, 8)
        session.handle.defer_payload(waiting)
        assert waiting.begun.wait(60)
        child = os.fork()
        if not child:
            seen.clear()
            session.handle.defer_payload(Payload(seen, 1))
            session.handle.settle()
            os._exit(0 if [number for number, _ in seen] == [1] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        waiting.go.set()
    assert [number for number, _ in seen] == [0]
