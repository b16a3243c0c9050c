"""The shared readings: who is due, one thread for all, nothing that outlives its owner."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from quark.clock import SYSTEM_CLOCK, Clock
from quark.telemetry.probe_set import ProbeSet
from quark.telemetry.probes.nvidia import NvidiaProbe
from quark.telemetry.reading import Reading, Trouble, Wanted
from quark.telemetry.readings import Readings, Subscription
from tests.support.clock import FakeClock
from tests.telemetry.fakes import HOST, FakeNvml, FakeProbe, IdleWorker, fake_readings


class Reader:
    """A subscriber that keeps what it is given."""

    def __init__(self, interval_seconds: float = 1.0, **wanted: Any) -> None:
        self.readings: list[Reading] = []
        self.troubles: list[Trouble] = []
        self.error: Exception | None = None
        self.got_one = threading.Event()
        self.subscription = Subscription(
            wanted=Wanted(**wanted),
            interval_seconds=interval_seconds,
            on_reading=self.take,
            on_trouble=lambda cause, error: self.troubles.append(Trouble(cause, error)),
        )

    def take(self, reading: Reading) -> None:
        self.readings.append(reading)
        self.got_one.set()
        if self.error is not None:
            raise self.error


def telemetry_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "quark-telemetry"]


def test_each_is_served_at_its_own_interval_from_one_look() -> None:
    clock, probe = FakeClock(), FakeProbe(**HOST)
    readings = fake_readings(clock, probe)
    often, seldom = Reader(1.0), Reader(10.0, gpu=False)
    readings.subscribe(often.subscription)
    readings.subscribe(seldom.subscription)

    for _ in range(21):
        clock.advance(1.0)
        readings.tick()

    assert len(often.readings) == probe.looks == 21
    assert [reading.number for reading in seldom.readings] == [1, 11, 21]
    assert seldom.readings[0] is often.readings[0]
    assert readings.latest is often.readings[-1]
    assert often.readings[-1].host == HOST


def test_a_worker_that_wakes_a_moment_too_early_does_not_skip_a_turn() -> None:
    clock = FakeClock()
    readings, reader = fake_readings(clock), Reader(1.0)
    readings.subscribe(reader.subscription)

    for _ in range(5):
        clock.advance(0.999)
        readings.tick()

    assert len(reader.readings) == 5


def test_one_that_fails_does_not_keep_the_reading_from_the_others() -> None:
    readings = fake_readings(FakeClock())
    bad, good = Reader(), Reader()
    bad.error = RuntimeError("no")
    readings.subscribe(bad.subscription)
    readings.subscribe(good.subscription)

    readings.tick()

    assert len(good.readings) == 1
    assert [trouble.cause for trouble in bad.troubles] == ["a reading could not be passed on"]


def test_only_what_somebody_wants_is_measured() -> None:
    probe, nvml = FakeProbe(**HOST), FakeNvml()
    readings = fake_readings(FakeClock(), probe, nvml)
    cpu_only = Reader(gpu=False)
    readings.subscribe(cpu_only.subscription)
    readings.tick()
    assert (probe.looks, nvml.calls) == (1, {})

    gpu_only = Reader(cpu=False)
    readings.subscribe(gpu_only.subscription)
    readings.unsubscribe(cpu_only.subscription)
    readings.tick()

    assert probe.looks == 1
    assert (gpu_only.readings[0].gpu_count, gpu_only.readings[0].host) == (1, {})


def test_a_quick_look_loads_nothing_and_waits_for_nobody() -> None:
    nvml = FakeNvml()
    readings, reader = fake_readings(FakeClock(), nvml=nvml), Reader(gpu=False)
    readings.subscribe(reader.subscription)
    assert readings.measure_quickly() is None  # the probes are not made yet

    readings.tick()
    readings.subscribe(Reader().subscription)
    quick = readings.measure_quickly()
    assert quick is not None
    assert quick.host == HOST
    assert nvml.calls == {}  # the driver's library is not loaded yet

    readings.tick()
    after = readings.measure_quickly()
    assert after is not None
    assert set(after.gpus) == {0}
    with readings._measuring:
        assert readings.measure_quickly() is None


def test_probes_that_cannot_be_made_are_a_trouble_and_nothing_else() -> None:
    def fail(clock: Clock) -> ProbeSet:
        raise ImportError("psutil is broken")

    readings = Readings(fail, FakeClock(), IdleWorker)  # type: ignore[arg-type]
    reader = Reader()
    readings.subscribe(reader.subscription)

    readings.tick()

    (reading,) = reader.readings
    assert (reading.host, reading.gpus) == ({}, {})
    assert [trouble.cause for trouble in reading.troubles] == ["nothing can be measured"]


def test_all_share_one_thread_which_ends_with_the_last() -> None:
    readings = Readings(lambda clock: ProbeSet((FakeProbe(**HOST),), NvidiaProbe(FakeNvml())))
    first, second = Reader(0.01), Reader(0.01)
    before = telemetry_threads()
    readings.subscribe(first.subscription)
    readings.subscribe(second.subscription)
    assert first.got_one.wait(60)
    assert second.got_one.wait(60)
    assert len(telemetry_threads()) - len(before) == 1

    readings.unsubscribe(first.subscription)
    second.got_one.clear()
    assert second.got_one.wait(60)
    readings.unsubscribe(second.subscription)
    readings.unsubscribe(second.subscription)

    assert telemetry_threads() == before
    readings.subscribe(first.subscription)  # and begins again
    first.got_one.clear()
    assert first.got_one.wait(60)
    readings.unsubscribe(first.subscription)


def test_the_most_impatient_sets_the_pace() -> None:
    made: list[float] = []

    class Recorded(IdleWorker):
        def __init__(self, work: Any, **arguments: Any) -> None:
            super().__init__(work, **arguments)
            made.append(arguments["interval_seconds"])

    readings = Readings(
        lambda clock: ProbeSet((), NvidiaProbe(FakeNvml())),
        SYSTEM_CLOCK,
        Recorded,  # type: ignore[arg-type]
    )
    for seconds in (10.0, 60.0, 0.2, 0.5):
        readings.subscribe(Reader(seconds).subscription)

    assert made == [1.0, 0.2]


def test_a_forked_child_has_no_thread_and_no_reading_until_somebody_asks() -> None:
    """What the fork hook does, called here: forks themselves are in ``test_system``."""
    readings = fake_readings(FakeClock())
    stays, goes = Reader(), Reader()
    stays.subscription.outlive_fork = True
    readings.subscribe(stays.subscription)
    readings.subscribe(goes.subscription)
    readings.tick()
    readings._lock.acquire()  # as another thread may have at that moment

    readings.after_fork()

    assert readings.latest is None
    assert readings._worker is None
    readings.refresh_soon()
    worker: Any = readings._worker
    assert (worker.running, worker.wakes) == (True, 1)
    readings.tick()
    assert (len(stays.readings), len(goes.readings)) == (2, 1)
    assert stays.readings[1].number == 2  # numbers go on, so that a new reading is seen as one


@pytest.mark.parametrize("interval", [0.1, 1.0])
def test_a_reading_that_takes_long_does_not_pile_up(interval: float) -> None:
    clock, probe = FakeClock(), FakeProbe(**HOST)
    readings, reader = fake_readings(clock, probe), Reader(interval)
    readings.subscribe(reader.subscription)
    readings.tick()

    clock.advance(100.0)
    for _ in range(3):
        readings.tick()

    assert probe.looks == 2
