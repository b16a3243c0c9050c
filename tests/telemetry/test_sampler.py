"""The background sampler of W&B runs: a stream of its own, which the run's history never shows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

import quark.compat.wandb as wandb
from quark import TrainingSession
from quark.compat.wandb import environment
from quark.compat.wandb.errors import InvalidSettingError
from quark.compat.wandb.place import quark_settings
from quark.compat.wandb.settings import gathered
from quark.records import SystemTelemetryRecord
from quark.session import RunRequest
from quark.settings import Settings
from quark.storage.batch import NO_STEP
from quark.telemetry import sampler
from quark.telemetry.probe_set import ProbeSet
from quark.telemetry.probes.nvidia import NvidiaProbe
from quark.telemetry.probes.process import ProcessProbe
from quark.telemetry.readings import READINGS, Readings
from quark.telemetry.sampler import SystemSampler
from tests.compat.wandb.driver import without_own
from tests.support.clock import FakeClock
from tests.telemetry.fakes import FakeNvml, IdleWorker, absent_nvml, fake_readings

QUIET = {"silent": True}


@pytest.fixture(autouse=True)
def _clean_shim() -> Iterator[None]:
    environment.forget()
    yield
    wandb.teardown()
    environment.forget()


def telemetry_threads() -> list[str]:
    names = (thread.name for thread in threading.enumerate())
    return [name for name in names if name == "quark-telemetry"]


def sampled_now() -> None:
    """Have the samplers that are open take a sample, as their thread does when they are due."""
    for subscription in READINGS._subscriptions:
        subscription.due_at = 0.0
    READINGS.tick()


# -- in a session --------------------------------------------------------------------------------


def session_with(seconds: float, readings: Readings) -> tuple[TrainingSession, SystemSampler]:
    settings = Settings.load(system_sample_seconds=seconds)
    session = TrainingSession.open(RunRequest(project="p", settings=settings))
    extension = SystemSampler(readings)
    extension.on_start(session)
    return session, extension


def records(session: TrainingSession) -> tuple[SystemTelemetryRecord, ...]:
    with session.reading() as store:
        return store.records.read(SystemTelemetryRecord, session.run_id)


def test_a_sample_is_a_record_and_a_row_of_points_without_a_step() -> None:
    clock = FakeClock()
    readings = fake_readings(clock, nvml=FakeNvml(2))
    session, extension = session_with(10.0, readings)
    for _ in range(21):
        clock.advance(1.0)
        readings.tick()
    extension.on_end(session, "completed")
    clock.advance(60.0)
    readings.tick()

    found = records(session)
    assert [record.boundary for record in found] == ["time"] * 3
    assert [record.cpu_usage_percent for record in found] == [25.0] * 3
    assert [len(record.gpus or ()) for record in found] == [2] * 3
    seconds = [record.timestamp[17:19] for record in found]
    assert seconds == ["01", "11", "21"]
    with session.reading() as store:
        keys = set(store.points.keys(session.run_id))
        series = store.points.series(session.run_id, "system/gpu.1/utilization_percent")
        assert all(key.startswith("system/") for key in keys)
    assert series.value.tolist() == [91.0] * 3
    assert series.step.tolist() == [NO_STEP] * 3
    assert series.time_us.tolist() == [FakeClock.START_US + s * 10**6 for s in (1, 11, 21)]
    assert readings._worker is None
    session.end_run()


@pytest.mark.parametrize("ready", [False, True])
def test_a_run_that_is_over_at_once_has_one_sample_if_that_is_cheap(ready: bool) -> None:
    readings = fake_readings(FakeClock())
    if ready:
        readings.measure()
    session, extension = session_with(10.0, readings)

    extension.on_end(session, "completed")
    extension.on_end(session, "completed")

    assert len(records(session)) == ready
    session.end_run()


def test_a_run_of_seconds_ends_with_a_second_sample_so_that_it_has_rates() -> None:
    clock = FakeClock()
    readings = Readings(
        lambda clock: ProbeSet((ProcessProbe(),), NvidiaProbe(absent_nvml())),
        clock,
        IdleWorker,  # type: ignore[arg-type]
    )
    session, extension = session_with(15.0, readings)
    clock.advance(1.0)
    readings.tick()
    clock.advance(4.0)
    extension.on_end(session, "completed")

    first, last = records(session)
    assert first.process_cpu_percent is None
    assert first.process_rss_bytes
    assert last.process_cpu_percent is not None
    assert [record.timestamp[17:19] for record in (first, last)] == ["01", "05"]
    session.end_run()


def test_zero_seconds_and_a_run_that_keeps_nothing_start_nothing() -> None:
    readings = fake_readings(FakeClock())
    for settings in (
        Settings.load(system_sample_seconds=0),
        Settings.load(mode="disabled"),
    ):
        with TrainingSession.open(RunRequest(project="p", settings=settings)) as session:
            SystemSampler(readings).on_start(session)
            assert readings._worker is None


def test_a_run_that_is_let_go_of_without_an_end_is_not_sampled_any_more() -> None:
    readings = fake_readings(FakeClock())
    session, _ = session_with(1.0, readings)
    session.end_run()  # the extension is not the session's own here, so nobody tells it

    readings.tick()

    assert readings._worker is None
    assert session.diagnostics().faults == {}


# -- in a W&B run --------------------------------------------------------------------------------


def test_samples_are_no_rows_and_change_neither_step_nor_summary() -> None:
    run = wandb.init(project="p", settings=QUIET)
    assert telemetry_threads() == ["quark-telemetry"]
    run.log({"loss": 1.0})
    sampled_now()
    assert run.step == 1
    run.log({"loss": 0.5, "system/cpu/usage_percent": 7.0})  # a name of the user's own choice
    sampled_now()
    logged = {"loss": 0.5, "system/cpu/usage_percent": 7}
    assert (run.step, without_own(dict(run.summary))) == (2, logged)
    open_run = wandb.Api().run(run.id)  # read while it is open, so made anew from what is stored
    assert without_own(dict(open_run.summary)) == logged
    assert open_run.summary["_timestamp"] == list(open_run.scan_history())[-1]["_timestamp"]
    run.finish()
    assert telemetry_threads() == []

    kept = wandb.Api().run(run.id)
    assert [without_own(row) for row in kept.scan_history()] == [{"loss": 1}, logged]
    assert set(kept.history().columns) == {"_step", "_timestamp", "_runtime", *logged}
    assert len(kept.history(pandas=False)) == 2
    assert kept.lastHistoryStep == 1
    assert without_own(dict(kept.summary)) == logged

    resumed = wandb.init(project="p", id=run.id, resume="must", settings=QUIET)
    assert (resumed.step, resumed.summary["loss"]) == (2, 0.5)
    resumed.finish()


def test_the_system_stream_is_read_back_under_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    readings = fake_readings(clock, nvml=FakeNvml(2))
    monkeypatch.setattr(sampler.SystemSampler.__init__, "__defaults__", (readings,))
    run = wandb.init(project="p", settings={**QUIET, "x_stats_sampling_interval": 2.0})
    run.log({"loss": 1.0})
    for _ in range(5):
        clock.advance(1.0)
        readings.tick()
    run.finish()

    kept = wandb.Api().run(run.id)
    rows = kept.history(stream="system", pandas=False)
    assert len(rows) == 3
    for row in rows:
        assert row["system/ram/usage_percent"] == row["system.memory_percent"] == 50
        assert row["system.proc.memory.rssMB"] == 1024
        assert row["system/gpu.1/utilization_percent"] == row["system.gpu.1.gpu"] == 91
        assert (row["system.gpu.0.temp"], row["system.gpu.1.powerWatts"]) == (61, 512.5)
        assert "loss" not in row
    times = [row["_timestamp"] for row in rows]
    assert times == [FakeClock.START_US / 1e6 + second for second in (1, 3, 5)]
    assert [row["_runtime"] - rows[0]["_runtime"] for row in rows] == pytest.approx([0, 2, 4])
    frame = kept.history(stream="system", samples=2, keys=["system.gpu.0.gpu"])
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["system.gpu.0.gpu", "_timestamp", "_runtime"]
    assert frame["system.gpu.0.gpu"].tolist() == [90, 90]
    assert kept.system_metrics["system.gpu.1.gpu"] == 91
    assert kept.history(stream="system", keys=["no.such"], pandas=False) == []
    with pytest.raises(wandb.CommError, match="'default' or 'system'"):
        kept.history(stream="events")


@pytest.mark.parametrize(
    ("settings", "variables", "seconds"),
    [
        ({}, {}, 10.0),
        ({}, {"QUARK_SYSTEM_SAMPLE_SECONDS": "2.5"}, 2.5),
        ({"x_stats_sampling_interval": 15}, {"QUARK_SYSTEM_SAMPLE_SECONDS": "2.5"}, 15),
        ({"x_disable_stats": True}, {}, 0.0),
        ({"_disable_stats": True}, {}, 0.0),
        ({}, {"WANDB__DISABLE_STATS": "true"}, 0.0),
        ({}, {"WANDB_X_STATS_SAMPLING_INTERVAL": "30"}, 30),
        ({"x_disable_stats": False}, {"QUARK_SYSTEM_SAMPLE_SECONDS": "0"}, 0.0),
    ],
)
def test_wandb_s_settings_say_how_often(
    settings: dict[str, Any],
    variables: dict[str, str],
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)

    assert quark_settings(gathered(settings)).system_sample_seconds == seconds


def test_an_interval_that_is_none_is_refused_and_none_starts_no_thread() -> None:
    for value in (-1, 0.05, "often"):
        with pytest.raises(InvalidSettingError, match="system_sample_seconds"):
            wandb.init(project="p", settings={**QUIET, "x_stats_sampling_interval": value})
    with wandb.init(project="p", settings={**QUIET, "x_disable_stats": True}):
        assert telemetry_threads() == []
    with wandb.init(project="p", mode="disabled"):
        assert telemetry_threads() == []


KILLED = """
import os, signal, sys
import quark.compat.wandb as wandb
from quark.telemetry.readings import READINGS
run = wandb.init(project="p", id="killed", settings={"silent": True})
assert "psutil" not in sys.modules  # what measures is not loaded by init
run.log({"loss": 1.0})
READINGS.tick()
pid = os.fork()
if pid == 0:  # a child that logs is not a second sampler
    run.log({"child": 1.0})
    import threading
    os._exit(sum(thread.name == "quark-telemetry" for thread in threading.enumerate()))
assert os.waitpid(pid, 0)[1] == 0
READINGS.refresh_soon()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_is_killed_keeps_its_samples_and_its_summary_ends_with_its_last_row() -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = wandb.Api().run("killed")
    assert kept.state == "crashed"
    (sample, *_) = kept.history(stream="system", pandas=False)
    assert sample["system/process/rss_bytes"] > os.sysconf("SC_PAGE_SIZE")
    rows = list(kept.scan_history())
    assert without_own(dict(kept.summary)) == {"loss": 1, "child": 1}
    assert kept.summary["_timestamp"] == rows[-1]["_timestamp"]
