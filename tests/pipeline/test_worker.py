"""The one place that starts threads: they step back behind the training's."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from quark.pipeline.faults import FaultLog
from quark.pipeline.worker import BackgroundWorker


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority is the whole process's")
def test_a_worker_gives_way_to_the_threads_of_the_training() -> None:
    seen: list[int] = []
    done = threading.Event()
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def look() -> None:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        done.set()

    worker = BackgroundWorker(look, name="quark-test", interval_seconds=60.0, faults=FaultLog())
    worker.wake()
    assert done.wait(60)
    worker.close(10)

    assert seen[0] == max(10, before)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_threads_that_wake_a_worker_at_once_start_one_thread() -> None:
    seen: set[int] = set()
    worker = BackgroundWorker(
        lambda: seen.add(threading.get_ident()),
        name="quark-woken",
        interval_seconds=60,
        faults=FaultLog(),
    )
    together = threading.Barrier(8)

    def wake() -> None:
        together.wait(60)
        worker.wake()

    threads = [threading.Thread(target=wake) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [thread.name for thread in threading.enumerate()].count("quark-woken") == 1
    assert worker.close(30)


def test_a_signal_handler_may_wake_a_worker_that_is_being_woken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = BackgroundWorker(
        lambda: None, name="quark-rung", interval_seconds=60, faults=FaultLog()
    )
    worker.start()
    notify = threading.Condition.notify_all
    interruptions: list[threading.Condition] = []

    def interrupted(condition: threading.Condition) -> None:
        monkeypatch.setattr(threading.Condition, "notify_all", notify)
        interruptions.append(condition)
        worker.wake()  # as the end of a run does, in the handler of SIGTERM
        notify(condition)

    def wake() -> None:
        monkeypatch.setattr(threading.Condition, "notify_all", interrupted)
        worker.wake()

    waking = threading.Thread(target=wake, daemon=True)
    waking.start()
    waking.join(60)

    assert not waking.is_alive()
    assert len(interruptions) == 1
    assert worker.close(30)
