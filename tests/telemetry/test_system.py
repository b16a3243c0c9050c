"""Telemetry of a training: what is timed, counted, mirrored and read back."""

from __future__ import annotations

import math
import multiprocessing
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quark import (
    MetricsLogger,
    SchemaValidationError,
    SystemTelemetry,
    SystemTelemetryConfig,
    TrainingSession,
    validate_record,
)
from quark.errors import WriterClosedError
from quark.records import EventRecord
from quark.session import RunRequest
from quark.settings import Settings
from quark.telemetry import StepTelemetryScope
from quark.telemetry.reading import SERIES_OF_FIELDS
from quark.telemetry.readings import READINGS
from tests.support.clock import FakeClock
from tests.telemetry.fakes import (
    GIB,
    HOST,
    FakeNvml,
    FakeProbe,
    NVMLError_GpuIsLost,
    fake_readings,
)

#: The keys that the SDK guide lists.
GUIDE_KEYS = {
    "system/runtime/step_time_ms",
    "system/runtime/data_time_ms",
    "system/runtime/compute_time_ms",
    "system/cpu/usage_percent",
    "system/ram/usage_percent",
    "system/ram/used_bytes",
    "system/process/rss_bytes",
    "system/gpu/utilization_percent",
    "system/gpu/memory_used_bytes",
    "system/gpu/memory_usage_percent",
    "system/runtime/overflow_count",
    "system/runtime/skipped_step_count",
}


class Bench:
    """A run with telemetry on a machine that a test makes up."""

    def __init__(self, session: TrainingSession, nvml: FakeNvml | None) -> None:
        self.session = session
        self.clock = FakeClock()
        self.probe = FakeProbe(**HOST)
        self.readings = fake_readings(self.clock, self.probe, nvml)

    def telemetry(self, **config: Any) -> SystemTelemetry:
        return SystemTelemetry(
            self.session,
            config=SystemTelemetryConfig(**config),
            clock=self.clock,
            readings=self.readings,
        )

    def metrics(self, key: str) -> list[tuple[int | None, int | None, float]]:
        with MetricsLogger(self.session) as metrics:
            found = metrics.read(metric_key=key)
        return [(record.step, record.epoch, record.value) for record in found]

    def keys(self) -> set[str]:
        with self.session.reading() as store:
            return set(store.points.keys(self.session.run_id))

    def events(self) -> list[EventRecord]:
        with self.session.reading() as store:
            events = store.records.read(EventRecord, self.session.run_id)
        return [event for event in events if event.event_type == "telemetry_unavailable"]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[TrainingSession]:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        yield session


@pytest.fixture
def bench(session: TrainingSession) -> Bench:
    return Bench(session, None)


# -- timing --------------------------------------------------------------------------------------


def test_a_step_is_waiting_for_data_and_then_computing(bench: Bench) -> None:
    with bench.telemetry() as telemetry:
        with telemetry.start_step(3, epoch=1, metadata={"split": "train"}) as scope:
            bench.clock.advance(0.020)
            scope.mark_data_ready()
            bench.clock.advance(0.030)
            scope.mark_data_ready()  # the first one counts
            bench.clock.advance(0.005)
            assert scope.record is None
        with telemetry.start_step(4):
            bench.clock.advance(0.010)

        whole, bare = telemetry.read()
    assert scope.record == whole
    times = (whole.step_time_ms, whole.data_time_ms, whole.compute_time_ms)
    assert times == (pytest.approx(55.0), pytest.approx(20.0), pytest.approx(35.0))
    assert (whole.boundary, whole.step, whole.epoch) == ("step", 3, 1)
    assert whole.metadata == {"split": "train"}
    assert (bare.step_time_ms, bare.data_time_ms) == (pytest.approx(10.0), None)
    assert bare.compute_time_ms is None
    assert bench.keys() & {"system/runtime/data_time_ms"}
    assert len(bench.metrics("system/runtime/data_time_ms")) == 1


def finish_and_fail(scope: StepTelemetryScope) -> None:
    scope.finish()
    raise ZeroDivisionError


def test_a_step_is_finished_once_and_not_at_all_by_an_exception(bench: Bench) -> None:
    with bench.telemetry() as telemetry:
        scope = telemetry.start_step(0, metadata={"a": 1, "b": 1})
        with scope:
            bench.clock.advance(0.001)
            scope.finish(overflow_occurred=True, skipped_step=True, metadata={"b": 2})
            bench.clock.advance(1.0)
            scope.finish(overflow_occurred=True)
        with pytest.raises(ZeroDivisionError), telemetry.start_step(1) as broken:
            _ = 1 / 0
        broken.finish()
        with pytest.raises(ZeroDivisionError), telemetry.start_step(2) as done:
            finish_and_fail(done)

        finished, after = telemetry.read()
    assert finished.step_time_ms == pytest.approx(1.0)
    assert finished.metadata == {"a": 1, "b": 2}
    assert (finished.overflow_count, finished.skipped_step_count) == (1, 1)
    assert broken.record is None
    assert after.step == 2


def test_cadence_leaves_steps_out_and_counts_their_flags(bench: Bench) -> None:
    with bench.telemetry(sample_every_n_steps=10) as telemetry:
        for step in range(35):
            if step % 2:
                returned = telemetry.record_step(
                    step, step_time_ms=1.0, overflow_occurred=True, skipped_step=step == 5
                )
                assert returned is None
            else:
                with telemetry.start_step(step) as scope:
                    assert scope.is_recorded == (step % 10 == 0)
                    scope.finish(overflow_occurred=step == 8)

        records = telemetry.read()
    assert [record.step for record in records] == [0, 10, 20, 30]
    assert [record.overflow_count for record in records] == [0, 6, 11, 16]
    assert [record.skipped_step_count for record in records] == [0, 1, 1, 1]
    assert bench.metrics("system/runtime/overflow_count") == [
        (step, None, float(count)) for step, count in ((0, 0), (10, 6), (20, 11), (30, 16))
    ]


# -- metrics -------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [None, 2])
def test_the_keys_of_the_guide_are_mirrored_with_step_and_epoch(
    session: TrainingSession, epoch: int | None
) -> None:
    bench = Bench(session, FakeNvml(1))
    with bench.telemetry() as telemetry:
        with telemetry.start_step(7, epoch=epoch) as scope:
            bench.clock.advance(0.5)
            scope.mark_data_ready()
            bench.clock.advance(0.25)
        with MetricsLogger(session) as metrics:
            mirrored = {record.metric_key: record for record in metrics.read()}
        (record,) = telemetry.read()

    validate_record(record)
    assert mirrored.keys() >= GUIDE_KEYS
    rest = {key for key in mirrored.keys() - GUIDE_KEYS if not key.startswith("system/gpu/")}
    assert rest <= set(SERIES_OF_FIELDS.values())
    assert not any(key.startswith("system/gpu.") for key in mirrored)
    for key, metric in mirrored.items():
        assert (metric.step, metric.epoch) == (7, epoch), key
        assert metric.timestamp == record.timestamp, key
    fields = record.to_dict()
    for name, key in SERIES_OF_FIELDS.items():
        assert (mirrored[key].value if key in mirrored else None) == fields[name]
    for name in ("utilization_percent", "memory_used_bytes", "memory_usage_percent"):
        assert mirrored[f"system/gpu/{name}"].value == fields[f"gpu_{name}"]
    assert mirrored["system/runtime/step_time_ms"].value == pytest.approx(750.0)
    assert mirrored["system/runtime/data_time_ms"].value == pytest.approx(500.0)


def test_a_reading_is_mirrored_once_and_timings_always(bench: Bench) -> None:
    with bench.telemetry() as telemetry:
        for step in range(6):
            if step in (2, 5):
                bench.clock.advance(1.0)
                bench.probe.fields["cpu_usage_percent"] += 10.0
                bench.readings.tick()
            telemetry.record_step(step, step_time_ms=float(step))

        records = telemetry.read()
    assert bench.metrics("system/cpu/usage_percent") == [
        (0, None, 25.0),
        (2, None, 35.0),
        (5, None, 45.0),
    ]
    assert len(bench.metrics("system/runtime/step_time_ms")) == 6
    assert [record.cpu_usage_percent for record in records] == [25.0, 25.0, 35.0, 35.0, 35.0, 45.0]
    assert [record.cpu_count for record in records] == [8, None, 8, None, None, 8]  # in full once
    assert bench.probe.looks == 3  # at the start and twice in the background


def test_what_is_switched_off_is_not_measured(session: TrainingSession) -> None:
    bench = Bench(session, FakeNvml(1))
    with bench.telemetry(emit_scalar_metrics=False) as telemetry:
        telemetry.record_step(0, step_time_ms=1.0)
    assert bench.keys() == set()
    with bench.telemetry(capture_cpu=False) as telemetry:
        record = telemetry.sample()
        assert (record.cpu_usage_percent, record.gpu_utilization_percent) == (None, 90.0)
    with bench.telemetry(capture_gpu=False) as telemetry:
        record = telemetry.sample()
        assert (record.cpu_usage_percent, record.gpus) == (25.0, None)
    with bench.telemetry(capture_cpu=False, capture_gpu=False) as telemetry:
        assert bench.readings._worker is None
        record = telemetry.sample(step=1)
        assert (record.cpu_usage_percent, record.gpus, record.step) == (None, None, 1)


def test_several_gpus_have_a_series_each_and_a_lost_one_takes_nobody_s_place(
    session: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    nvml = FakeNvml(4)
    bench = Bench(session, nvml)
    with bench.telemetry() as telemetry:
        whole = telemetry.sample(step=0)
        nvml.broken[("nvmlDeviceGetUtilizationRates", 1)] = NVMLError_GpuIsLost("GPU is lost")
        lost = telemetry.sample(step=1)
        with bench.telemetry(gpu_index=1) as second:
            only = second.sample(step=2)
    assert [gpu["index"] for gpu in whole.gpus or ()] == [1, 3]
    assert (whole.gpu_index, whole.gpu_utilization_percent) == (1, 91.0)
    assert [gpu["index"] for gpu in lost.gpus or ()] == [3]
    assert (lost.gpu_index, lost.gpu_utilization_percent) == (None, None)
    assert (only.gpu_index, only.gpu_memory_used_bytes) == (3, 20 * GIB)
    assert [gpu["index"] for gpu in only.gpus or ()] == [3]
    assert bench.metrics("system/gpu.1/utilization_percent") == [(0, None, 91.0)]
    assert bench.metrics("system/gpu.3/utilization_percent") == [(0, None, 93.0), (1, None, 93.0)]
    assert bench.metrics("system/gpu/utilization_percent") == [(0, None, 91.0), (2, None, 93.0)]
    faults = session.diagnostics().faults
    assert faults["GPU 1 does not answer and is left out"] == 1


# -- moments -------------------------------------------------------------------------------------


def test_a_sample_is_measured_now_and_is_of_a_step_or_of_a_moment(bench: Bench) -> None:
    with bench.telemetry() as telemetry:
        bench.probe.fields["cpu_usage_percent"] = 99.0
        of_step = telemetry.sample(step=5, epoch=1)
        of_epoch = telemetry.sample(epoch=1)
        of_moment = telemetry.sample(metadata={"a": [1]}, timestamp="2026-05-07T00:00:00Z")
        next_step = telemetry.record_step(6, step_time_ms=1.0)

        assert telemetry.read() == (of_step, of_epoch, of_moment, next_step)
    assert [r.boundary for r in (of_step, of_epoch, of_moment)] == ["step", "time", "time"]
    assert of_step.cpu_usage_percent == 99.0
    assert of_moment.timestamp == "2026-05-07T00:00:00.000000Z"
    # Nothing is mirrored twice: the step after the samples has the last one's numbers.
    assert bench.metrics("system/cpu/usage_percent") == [
        (5, 1, 99.0),
        (None, 1, 99.0),
        (None, None, 99.0),
    ]
    for record in (of_step, of_epoch, of_moment, next_step):
        assert record is not None
        validate_record(record)


def test_a_probe_that_fails_is_counted_and_raises_only_where_a_strict_run_asked(
    tmp_path: Path,
) -> None:
    for strict in (False, True):
        request = RunRequest(
            project="p", settings=Settings.load(storage_dir=tmp_path), strict_mode=strict
        )
        with TrainingSession.open(request) as session:
            bench = Bench(session, None)
            bench.probe.error = OSError("the sensor is on fire")
            with bench.telemetry() as telemetry:
                bench.clock.advance(1.0)
                bench.readings.tick()
                assert telemetry.record_step(0, step_time_ms=1.0) is not None
                if strict:
                    with pytest.raises(OSError, match="on fire"):
                        telemetry.sample()
                else:
                    assert telemetry.sample().cpu_usage_percent is None
                assert len(telemetry.read()) == (1 if strict else 2)
            assert session.diagnostics().faults == {"scripted cannot be measured": 3}


def test_a_machine_without_gpus_says_so_once_in_an_event(session: TrainingSession) -> None:
    bench = Bench(session, None)
    with bench.telemetry() as telemetry:
        for _ in range(3):
            telemetry.sample()
    (event,) = bench.events()
    assert (event.severity, event.payload["device"]) == ("info", "gpu")
    assert event.payload["reason"].startswith("no NVIDIA driver")
    assert session.diagnostics().faults == {}

    bench = Bench(session, FakeNvml(2))
    with bench.telemetry(gpu_index=2) as telemetry:
        assert telemetry.sample().gpus is None
    assert bench.events()[-1].severity == "warning"
    assert bench.events()[-1].payload["reason"] == "gpu_index is 2, but this process sees 2 GPUs"


# -- reading back and ending ---------------------------------------------------------------------


def test_every_filter_selects_what_a_plain_loop_selects(bench: Bench) -> None:
    with bench.telemetry() as telemetry:
        for n in range(60):
            if n % 3:
                telemetry.record_step((n * 7) % 20, epoch=n // 20, step_time_ms=float(n))
            else:
                telemetry.sample(step=n % 20 if n % 2 else None, epoch=n // 20)
        everything = telemetry.read()

        cases: list[tuple[dict[str, Any], Any]] = [
            ({"boundary": "time"}, lambda r: r.boundary == "time"),
            ({"boundary": "step", "step": 7}, lambda r: r.boundary == "step" and r.step == 7),
            ({"step_min": 5, "step_max": 9}, lambda r: r.step is not None and 5 <= r.step <= 9),
            ({"epoch": 1}, lambda r: r.epoch == 1),
            ({"epoch_min": 1, "epoch_max": 2}, lambda r: 1 <= r.epoch <= 2),
        ]
        for filters, fits in cases:
            expected = tuple(record for record in everything if fits(record))
            assert expected
            assert telemetry.read(**filters) == expected, filters
            assert telemetry.read(**filters, limit=3) == expected[-3:], filters
        with pytest.raises(SchemaValidationError, match="boundary 'epoch'"):
            telemetry.read(boundary="epoch")
    assert len(everything) == 60


def test_flush_hands_out_what_was_written_since(bench: Bench) -> None:
    telemetry = SystemTelemetry(
        bench.session, batch_size=4, clock=bench.clock, readings=bench.readings
    )
    with telemetry.start_step(0) as scope:
        pass
    sampled = telemetry.sample(step=1)
    assert telemetry.flush() == (scope.record, sampled)
    assert telemetry.flush() == ()
    recorded = [telemetry.record_step(step, step_time_ms=1.0) for step in range(2, 8)]
    assert telemetry.flush() == tuple(recorded[-2:])  # four made a batch
    telemetry.close()
    telemetry.close()
    for call in (lambda: telemetry.start_step(9), lambda: telemetry.record_step(9)):
        with pytest.raises(WriterClosedError, match="writer is closed"):
            call()
    assert bench.readings._worker is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": -1}, "step -1"),
        ({"step": 1.0}, r"step 1\.0"),
        ({"step": None}, "needs its step"),
        ({"step": 1, "epoch": -1}, "epoch -1"),
        ({"step": 1, "step_time_ms": math.nan}, "step_time_ms is nan"),
        ({"step": 1, "data_time_ms": -0.1}, r"data_time_ms is -0\.1"),
        ({"step": 1, "compute_time_ms": "3"}, "compute_time_ms is '3'"),
        ({"step": 1, "step_time_ms": True}, "step_time_ms is True"),
        ({"step": 1, "timestamp": "soon"}, "Timestamp 'soon'"),
        ({"step": 1, "metadata": {"a": object()}}, "cannot be written"),
    ],
)
def test_bad_steps_are_refused_by_name(
    bench: Bench, arguments: dict[str, Any], message: str
) -> None:
    with bench.telemetry() as telemetry:
        with pytest.raises(SchemaValidationError, match=message):
            telemetry.record_step(**arguments)
        assert telemetry.read() == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sample_every_n_steps": 0}, "sample_every_n_steps is 0, but it must be an integer of 1"),
        ({"sample_every_n_steps": True}, "sample_every_n_steps is True"),
        ({"gpu_index": -1}, "gpu_index is -1"),
        ({"capture_cpu": 1}, "capture_cpu is 1, but it must be True or False"),
        ({"emit_scalar_metrics": None}, "emit_scalar_metrics is None"),
    ],
)
def test_bad_configurations_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaValidationError, match=message):
        SystemTelemetryConfig(**values)


# -- for real ------------------------------------------------------------------------------------


def telemetry_threads() -> list[str]:
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name == "quark-telemetry"]


def test_two_on_this_machine_share_a_thread_also_where_a_run_ends_first(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        first, second = SystemTelemetry(session), SystemTelemetry(session)
        assert telemetry_threads() == ["quark-telemetry"]
        record = first.record_step(0, step_time_ms=37.5)
        assert record is not None
        assert (record.process_rss_bytes or 0) > 1_000_000
        assert 0 < (record.ram_usage_percent or 0) <= 100
        first.close()
        assert telemetry_threads() == ["quark-telemetry"]
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "quark-telemetry")
    READINGS.refresh_soon()  # finds that the run of the one that nobody closed is over
    thread.join(60)
    assert telemetry_threads() == []
    with pytest.raises(WriterClosedError):
        second.start_step(1)


def log_in_child(telemetry: SystemTelemetry) -> None:
    """What a forked child does with its parent's telemetry."""
    with telemetry.start_step(1):
        pass
    READINGS.tick()
    with telemetry.start_step(2):
        pass
    telemetry.close()
    assert telemetry_threads() == []


def test_a_forked_child_measures_itself(session: TrainingSession) -> None:
    ballast = bytearray(b"x") * 64_000_000
    with SystemTelemetry(session) as telemetry:
        with telemetry.start_step(0):
            pass
        del ballast
        child = multiprocessing.get_context("fork").Process(target=log_in_child, args=(telemetry,))
        child.start()
        child.join(60)
        assert child.exitcode == 0
        session.flush()
        with telemetry.start_step(3):
            pass
    with (
        TrainingSession.open(
            RunRequest(
                project="p",
                settings=session.handle.settings,
                run_id=session.run_id,
                resume="must",
                shared=True,
            )
        ) as again,
        SystemTelemetry(again) as reader,
    ):
        found = {record.step: record for record in reader.read(boundary="step")}
    assert set(found) == {0, 1, 2, 3}
    assert found[1].process_rss_bytes is None  # nothing of the parent's
    assert found[2].process_rss_bytes not in (None, found[0].process_rss_bytes)


def test_the_examples_of_the_guide_run(session: TrainingSession) -> None:
    found_inf, skipped_optimizer_step, step, epoch = True, True, 4, 0
    train_iter: Iterator[dict[str, list[float]]] = iter([{"inputs": [1.0], "targets": [0]}])
    with SystemTelemetry(
        session, config=SystemTelemetryConfig(sample_every_n_steps=2)
    ) as telemetry:
        with telemetry.start_step(step, epoch=epoch) as scope:
            batch = next(train_iter)
            inputs, targets = batch["inputs"], batch["targets"]
            scope.mark_data_ready()
            loss = sum(inputs) + sum(targets)
        telemetry.record_step(
            step,
            epoch=epoch,
            step_time_ms=37.5,
            overflow_occurred=found_inf,
            skipped_step=skipped_optimizer_step,
            metadata={"split": "train"},
        )
        timed, recorded = telemetry.read(boundary="step", step=step, epoch=epoch, limit=2)
    assert loss == 1.0
    assert timed.step_time_ms == pytest.approx(
        (timed.data_time_ms or 0) + (timed.compute_time_ms or 0)
    )
    assert (recorded.step_time_ms, recorded.overflow_count) == (37.5, 1)
    assert (recorded.skipped_step_count, recorded.metadata) == (1, {"split": "train"})
