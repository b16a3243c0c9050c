"""What rules on time, machines, ranks and ends say, and what they say nothing of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from quark.analyzers.evidence import MetricSeries, RunEvidence, RunFacts, Table
from quark.analyzers.findings import Finding
from quark.analyzers.limits.runtime import RuntimeLimits
from quark.analyzers.rules import BY_ID
from quark.analyzers.step_times import measured_times, row_times, steady_share
from quark.analyzers.thresholds import AnalyzerThresholds
from tests.analyzers.building import KEYS, by_role, having, series, table

LIMITS = AnalyzerThresholds()
START_US = 1_000_000_000
NOISE = np.random.default_rng(0)
MIB, GIB = 2.0**20, 2.0**30


def said(rule_id: str, evidence: RunEvidence, limits: AnalyzerThresholds = LIMITS) -> list[Finding]:
    return list(BY_ID[rule_id].check(evidence, limits))


def severities(rule_id: str, evidence: RunEvidence) -> list[str]:
    return [finding.severity for finding in said(rule_id, evidence)]


# -- evidence ------------------------------------------------------------------------------------


def rows(
    gaps_ms: Sequence[float] | Any,
    *,
    every: int = 1,
    validations: Sequence[tuple[int, float]] = (),
    **facts: Any,
) -> RunEvidence:
    """A run whose train loss was logged with these times between its rows.

    ``validations`` are pairs of a row and of how long before it a validation loss was logged.
    """
    passed_us = np.concatenate(([0.0], np.cumsum(np.asarray(gaps_ms, float)))) * 1e3
    times = START_US + passed_us.astype(np.int64)
    step = np.arange(len(times)) * every
    metrics = {
        "train_loss": MetricSeries(
            key=KEYS["train_loss"], step=step, value=np.linspace(2.0, 1.0, len(step)), time_us=times
        )
    }
    if validations:
        at = [row for row, _ in validations]
        before = np.array([ms * 1e3 for _, ms in validations])
        metrics["val_loss"] = MetricSeries(
            key=KEYS["val_loss"],
            step=step[at],
            value=np.ones(len(at)),
            time_us=times[at] - before.astype(np.int64),
        )
    facts.setdefault("started_us", START_US)
    return having(by_role(**metrics), run=RunFacts(**facts))


def step_metrics(step_ms: Any, data_ms: Any = None, compute_ms: Any = None) -> RunEvidence:
    found = {"step_time_ms": step_ms, "data_time_ms": data_ms, "compute_time_ms": compute_ms}
    return by_role(**{role: values for role, values in found.items() if values is not None})


def gpus(size: int, step_seconds: float = 10.0, **columns: Any) -> Table:
    """Readings of two GPUs, of which the second does nothing; columns are of the first."""
    given = {
        name: one if isinstance(one, np.ndarray) else [one] * size for name, one in columns.items()
    }
    readings = [
        (
            {"index": 0, **{name: column[row] for name, column in given.items()}},
            {"index": 1, "memory_used_bytes": 1e6},
        )
        for row in range(size)
    ]
    return table(size, step_seconds=step_seconds, gpus=tuple(readings))


def with_columns(readings: Table, **columns: Any) -> Table:
    numbers = {
        name: np.array(np.broadcast_to(np.asarray(values, float), len(readings)))
        for name, values in columns.items()
    }
    return Table(
        step=readings.step,
        time_us=readings.time_us,
        rank=readings.rank,
        numbers={**readings.numbers, **numbers},
        objects=readings.objects,
    )


def loop(
    size: int, step_ms: Any, data_ms: Any, *, every: int = 10, rank: int = 0, **more: Any
) -> Table:
    """Stretches of the watched loop, of ``every`` steps each."""
    return with_columns(
        table(size, every=every, rank=rank, optimizer_step_count=float(every), **more),
        step_seconds=np.asarray(step_ms, float) * every / 1e3,
        data_seconds=np.asarray(data_ms, float) * every / 1e3,
    )


def joined(*tables: Table) -> Table:
    names = tables[0].numbers
    return Table(
        step=np.concatenate([one.step for one in tables]),
        time_us=np.concatenate([one.time_us for one in tables]),
        rank=np.concatenate([one.rank for one in tables]),
        numbers={name: np.concatenate([one.number(name) for one in tables]) for name in names},
    )


def jittered(size: int, mean: float, ratio: float) -> Any:
    return mean * (1.0 + ratio * np.sin(np.arange(size)) * np.sqrt(2.0))


def watched(**columns: Any) -> RunEvidence:
    return RunEvidence(loop=loop(**columns))


# -- runtime_bottleneck_risk ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity", "threshold"),
    [
        pytest.param(step_metrics([2_000.0] * 50), "critical", 1000.0, id="the-guide's-block"),
        pytest.param(step_metrics([700.0] * 50), "error", 500.0, id="long-steps"),
        pytest.param(step_metrics([250.0] * 3), "warning", 250.0, id="at-the-threshold"),
        pytest.param(
            step_metrics([9e9, *[100.0] * 60], [50.0] * 61), "warning", 0.4, id="half-data"
        ),
        pytest.param(
            step_metrics([20.0, 20.0, 20.0, 340.0] * 10, [0.0, 0.0, 0.0, 320.0] * 10),
            "critical",
            0.75,
            id="bursts",
        ),
        pytest.param(
            step_metrics(None, [70.0] * 10, [30.0] * 10), "error", 0.6, id="without-step-times"
        ),
        pytest.param(
            step_metrics([30.0] * 10, [70.0] * 10, [30.0] * 10), "error", 0.6, id="step-is-compute"
        ),
        pytest.param(step_metrics(jittered(400, 100.0, 0.6)), "error", 0.5, id="jitter"),
        pytest.param(
            RunEvidence(telemetry=table(9, step_time_ms=600.0)), "error", 500.0, id="telemetry"
        ),
        pytest.param(
            having(
                step_metrics([100.0] * 60, [80.0] * 60),
                telemetry=gpus(30, 1.0, utilization_percent=95.0),
            ),
            "critical",
            0.75,
            id="data-while-the-gpu-is-busy",
        ),
    ],
)
def test_runtime_bottleneck_risk_speaks(
    evidence: RunEvidence, severity: str, threshold: float
) -> None:
    (finding,) = said("runtime_bottleneck_risk", evidence)

    assert (finding.severity, finding.threshold) == (severity, threshold)
    assert finding.step_range is not None


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(step_metrics([5_000.0] * 2), id="too-few"),
        pytest.param(step_metrics([np.nan] * 50), id="not-finite"),
        pytest.param(step_metrics([249.9] * 50, [99.0] * 50), id="just-below"),
        pytest.param(step_metrics([60_000.0, *[90.0] * 20]), id="a-long-first-step"),
        pytest.param(step_metrics(([90.0] * 99 + [5_000.0]) * 5), id="pauses-each-epoch"),
        pytest.param(step_metrics(jittered(400, 2.0, 0.9)), id="jitter-of-a-busy-machine"),
        pytest.param(step_metrics(jittered(19, 100.0, 0.9)), id="jitter-of-few-steps"),
        pytest.param(rows([2_000.0] * 50), id="inferred-times"),
        pytest.param(watched(size=9, step_ms=2_000.0, data_ms=0.0), id="a-watched-large-model"),
        pytest.param(
            having(
                step_metrics(jittered(300, 3_000.0, 0.4), [3.0] * 300),
                telemetry=gpus(30, 10.0, utilization_percent=97.0),
            ),
            id="a-large-model-that-keeps-the-gpu-busy",
        ),
        pytest.param(
            having(
                step_metrics([3_000.0] * 30),
                telemetry=table(30, cpu_count=64.0, cpu_limit_count=4.0, process_cpu_percent=5.5),
            ),
            id="a-large-model-that-keeps-its-cores-busy",
        ),
    ],
)
def test_runtime_bottleneck_risk_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("runtime_bottleneck_risk", evidence) == []


def test_a_step_time_that_somebody_has_set_counts_also_on_a_busy_gpu() -> None:
    evidence = having(step_metrics([450.0] * 30), telemetry=gpus(30, 1.0, utilization_percent=97.0))
    limits = AnalyzerThresholds(runtime_warning_step_time_ms=400.0)

    assert said("runtime_bottleneck_risk", evidence) == []
    (finding,) = said("runtime_bottleneck_risk", evidence, limits)
    assert (finding.severity, finding.threshold) == ("warning", 400.0)


def test_all_that_holds_steps_up_is_told_and_the_worst_counts() -> None:
    evidence = step_metrics(jittered(500, 600.0, 0.3), jittered(500, 500.0, 0.3))

    (finding,) = said("runtime_bottleneck_risk", evidence)

    assert finding.severity == "critical"
    assert finding.observed == pytest.approx(5 / 6, abs=0.01)
    for told in ("83% of the step time", "median step takes", "vary by 30%"):
        assert told in finding.fact
    assert [one.threshold for one in finding.observations] == [500.0, 0.25]


# -- data_loading_bottleneck ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(watched(size=20, step_ms=4.0, data_ms=12.0), "error", id="slow-loader"),
        pytest.param(watched(size=5, step_ms=10.0, data_ms=10.0), "warning", id="half"),
        pytest.param(
            watched(size=30, step_ms=1.0, data_ms=[0, 200.0, 200.0] * 10), "critical", id="bursts"
        ),
        pytest.param(step_metrics([100.0] * 40, [45.0] * 40), "warning", id="measured"),
        pytest.param(
            having(
                watched(size=20, step_ms=4.0, data_ms=36.0),
                telemetry=gpus(30, 1.0, utilization_percent=12.0),
            ),
            "error",
            id="idle-gpu",
        ),
    ],
)
def test_data_loading_bottleneck_speaks(evidence: RunEvidence, severity: str) -> None:
    assert severities("data_loading_bottleneck", evidence) == [severity]


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(
            watched(size=30, step_ms=1.0, data_ms=[0, 0, 200.0] * 10), id="pauses-now-and-then"
        ),
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(watched(size=3, step_ms=4.0, data_ms=40.0), id="too-few"),
        pytest.param(watched(size=20, step_ms=4.0, data_ms=np.nan), id="not-known"),
        pytest.param(watched(size=20, step_ms=10.0, data_ms=9.9), id="just-below"),
        pytest.param(watched(size=20, step_ms=0.4, data_ms=0.9), id="collating-tiny-batches"),
        pytest.param(
            watched(size=20, step_ms=5.0, data_ms=[300.0, *[1.0] * 19]), id="the-first-epoch-only"
        ),
        pytest.param(
            watched(size=20, step_ms=5.0, data_ms=80.0, no_grad_forward_count=3.0),
            id="evaluations-in-between",
        ),
        pytest.param(
            watched(size=20, step_ms=5.0, data_ms=80.0, foreign_step_count=10.0),
            id="another-model's-turn",
        ),
        pytest.param(
            having(
                watched(size=20, step_ms=4.0, data_ms=36.0),
                telemetry=gpus(30, 1.0, utilization_percent=90.0),
            ),
            id="waiting-for-a-busy-gpu",
        ),
        pytest.param(
            having(
                watched(size=20, step_ms=4.0, data_ms=36.0),
                telemetry=table(30, cpu_usage_percent=99.0),
            ),
            id="a-busy-machine",
        ),
        pytest.param(rows([50.0] * 100), id="rows-alone"),
    ],
)
def test_data_loading_bottleneck_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("data_loading_bottleneck", evidence) == []


# -- GPUs and the machine ------------------------------------------------------------------------

COLD = with_columns(
    gpus(100, utilization_percent=3.0),
    cpu_count=8.0,
    cpu_usage_percent=6.0,
    process_cpu_percent=2.0,
)
CPU_BOUND = with_columns(COLD, cpu_usage_percent=97.0, process_cpu_percent=95.0)
HOT = ("idle", "software_power_cap", "hardware_thermal_slowdown")


def mixed(share: float, one: Any, other: Any, size: int = 100) -> Any:
    values = np.empty(size, object)
    for place in range(size):
        values[place] = one if place < share * size else other
    return values


@pytest.mark.parametrize(
    ("rule_id", "telemetry", "severity"),
    [
        ("low_gpu_utilization", gpus(100, utilization_percent=20.0), "warning"),
        ("low_gpu_utilization", gpus(100, 1.0, utilization_percent=20.0), "info"),
        (
            "low_gpu_utilization",
            table(100, step_seconds=10, gpu_utilization_percent=5.0),
            "warning",
        ),
        ("cpu_bottleneck", CPU_BOUND, "warning"),
        ("io_bottleneck", COLD, "warning"),
        ("io_bottleneck", table(30, cpu_count=4.0, process_cpu_percent=3.0), "info"),
        ("throttling", gpus(50, throttle_reasons=HOT), "error"),
        ("throttling", gpus(100, throttle_reasons=mixed(0.2, HOT, ())), "warning"),
    ],
)
def test_rules_on_machines_speak(rule_id: str, telemetry: Table, severity: str) -> None:
    (finding,) = said(rule_id, RunEvidence(telemetry=telemetry))

    assert finding.severity == severity
    assert finding.step_range is not None


@pytest.mark.parametrize(
    "rule_id", ["low_gpu_utilization", "cpu_bottleneck", "io_bottleneck", "throttling"]
)
@pytest.mark.parametrize(
    "telemetry",
    [
        pytest.param(Table(), id="no-evidence"),
        pytest.param(gpus(100, utilization_percent=None), id="not-measured"),
        pytest.param(
            with_columns(
                gpus(100, utilization_percent=96.0, throttle_reasons=("software_power_cap",)),
                cpu_count=16.0,
                cpu_usage_percent=30.0,
                process_cpu_percent=8.0,
            ),
            id="busy",
        ),
        pytest.param(
            with_columns(
                gpus(19, utilization_percent=1.0, throttle_reasons=HOT),
                cpu_count=8.0,
                cpu_usage_percent=99.0,
                process_cpu_percent=0.0,
            ),
            id="too-few",
        ),
        pytest.param(
            with_columns(
                gpus(
                    100,
                    utilization_percent=mixed(0.5, 0.0, 90.0),
                    throttle_reasons=mixed(0.19, HOT, ()),
                ),
                cpu_count=8.0,
                cpu_usage_percent=mixed(0.5, 99.0, 20.0).astype(float),
                process_cpu_percent=mixed(0.5, 0.0, 12.0).astype(float),
            ),
            id="half-of-the-time",
        ),
        pytest.param(
            table(100, cpu_count=2.0, cpu_usage_percent=100.0, process_cpu_percent=90.0),
            id="training-on-the-cpu",
        ),
    ],
)
def test_rules_on_machines_keep_quiet(rule_id: str, telemetry: Table) -> None:
    assert said(rule_id, RunEvidence(telemetry=telemetry)) == []


def test_readings_before_and_after_training_do_not_count() -> None:
    busy_in_between = np.where(np.abs(np.arange(100) - 50) <= 10, 95.0, 0.0)
    machine = gpus(100, utilization_percent=busy_in_between)
    times = START_US + np.arange(400, 600) * 1_000_000
    steps = np.arange(200)
    loss = MetricSeries(key="train/loss", step=steps, value=1.0 / (1 + steps), time_us=times)

    assert said("low_gpu_utilization", RunEvidence(telemetry=machine)) != []
    assert said("low_gpu_utilization", having(by_role(train_loss=loss), telemetry=machine)) == []


# -- memory_growth -------------------------------------------------------------------------------


def memory(used: Any, *, machine: Any = 0.0, **columns: Any) -> RunEvidence:
    used = np.asarray(used, float)
    return RunEvidence(
        telemetry=table(
            len(used),
            step_seconds=10.0,
            process_rss_bytes=used,
            ram_used_bytes=8 * GIB + np.asarray(machine, float),
            ram_total_bytes=64 * GIB,
            **columns,
        )
    )


RISING = GIB + np.arange(60) * 20 * MIB
SATURATING = GIB + 2 * GIB * (1 - np.exp(-np.arange(60) / 8.0))


@pytest.mark.parametrize(
    ("evidence", "subject", "severity"),
    [
        pytest.param(memory(RISING, machine=RISING), "process", "warning", id="leak"),
        pytest.param(
            memory(RISING + NOISE.normal(0, 5 * MIB, 60), machine=RISING),
            "process",
            "warning",
            id="noisy-leak",
        ),
        pytest.param(
            memory(np.repeat(RISING, 10), machine=np.repeat(RISING, 10)),
            "process",
            "warning",
            id="records-of-steps-repeat-readings",
        ),
        pytest.param(
            memory(RISING, machine=50 * GIB + RISING), "process", "error", id="nearly-full"
        ),
        pytest.param(
            memory(np.full(60, GIB), machine=RISING, process_children_rss_bytes=RISING),
            "process",
            "warning",
            id="workers-that-grow",
        ),
        pytest.param(
            RunEvidence(
                telemetry=gpus(60, memory_used_bytes=RISING * 8, memory_total_bytes=80 * GIB)
            ),
            "GPU 0",
            "warning",
            id="gpu",
        ),
    ],
)
def test_memory_growth_speaks(evidence: RunEvidence, subject: str, severity: str) -> None:
    (finding,) = said("memory_growth", evidence)

    assert (finding.subject, finding.severity) == (subject, severity)
    assert "has grown from" in finding.fact


def test_memory_growth_tells_how_fast_and_until_when() -> None:
    (finding,) = said("memory_growth", memory(RISING, machine=RISING))

    assert "by 120 MiB a minute" in finding.fact
    left_minutes = (64 * GIB - 9 * GIB - 59 * 20 * MIB) / (120 * MIB)
    assert f"full in {left_minutes / 60:.0f} hours" in finding.fact


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(memory(RISING[:14] * 9, machine=RISING[:14] * 9), id="too-few"),
        pytest.param(memory(np.full(60, GIB)), id="constant"),
        pytest.param(memory(SATURATING, machine=SATURATING), id="a-cache-that-fills"),
        pytest.param(memory(GIB + np.minimum(np.arange(60), 12) * 99 * MIB), id="the-start-only"),
        pytest.param(memory(RISING, machine=NOISE.normal(0, MIB, 60)), id="mapped-files"),
        pytest.param(memory(GIB + np.arange(60) * 1.5 * MIB, machine=RISING), id="small"),
        pytest.param(memory(40 * GIB + RISING, machine=RISING), id="relatively-small"),
        pytest.param(memory(GIB + (np.arange(60) % 15) * 40 * MIB), id="collected-each-epoch"),
        pytest.param(
            RunEvidence(telemetry=gpus(60, memory_used_bytes=RISING, memory_total_bytes=80 * GIB)),
            id="little-of-a-gpu",
        ),
        pytest.param(memory(np.where(np.arange(60) < 50, np.nan, RISING)), id="not-measured"),
    ],
)
def test_memory_growth_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("memory_growth", evidence) == []


# -- step_time_outliers --------------------------------------------------------------------------


def stalls(usual_ms: float, stall_ms: float, every: int, size: int = 300) -> Any:
    gaps = np.full(size, usual_ms)
    gaps[every - 1 :: every] += stall_ms
    return gaps


EPOCHS = [(row, 1.0) for row in range(50, 301, 50)]


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(rows(stalls(4, 500, 50)), "error", id="periodic-stall"),
        pytest.param(rows(stalls(4, 100, 10)), "error", id="one-step-in-ten"),
        pytest.param(rows(stalls(100, 900, 30, 3_000)), "warning", id="a-quarter-of-the-time"),
        pytest.param(rows(stalls(40, 300, 50)), "info", id="an-eighth-of-the-time"),
        pytest.param(
            rows(stalls(4, 500, 50), validations=[(row, 495.0) for row, _ in EPOCHS]),
            "error",
            id="checkpoints-after-evaluations",
        ),
        pytest.param(
            having(rows(stalls(4, 500, 50)), loop=loop(30, 4.0, 0.1, no_grad_burst_count=0.0)),
            "error",
            id="watched-without-evaluations",
        ),
        pytest.param(step_metrics(stalls(20, 400, 20)), "error", id="measured"),
        pytest.param(
            rows(np.where(np.isin(np.arange(300), [17, 60, 75, 201]), 1_500.0, 20.0)),
            "warning",
            id="long-and-irregular",
        ),
        pytest.param(
            rows(stalls(10, 480, 58) + np.random.default_rng(2).pareto(1.5, 300) * 8),
            "warning",
            id="on-a-busy-machine",
        ),
    ],
)
def test_step_time_outliers_speaks(evidence: RunEvidence, severity: str) -> None:
    assert severities("step_time_outliers", evidence) == [severity]


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(rows(stalls(4, 500, 10, 28)), id="too-few-steps"),
        pytest.param(rows(stalls(4, 500, 120)), id="twice-only"),
        pytest.param(rows(np.full(300, 4.0)), id="steady"),
        pytest.param(rows(stalls(300, 550, 20)), id="less-than-three-times"),
        pytest.param(rows(stalls(1, 15, 10)), id="hiccups-of-milliseconds"),
        pytest.param(
            rows(np.where(np.isin(np.arange(300), [17, 60, 75, 201, 204]), 300.0, 2.0)),
            id="a-busy-machine",
        ),
        pytest.param(rows(stalls(4, 500, 50), validations=EPOCHS), id="evaluations-of-epochs"),
        pytest.param(
            having(rows(stalls(4, 500, 50)), loop=loop(31, 4.0, 0.1, no_grad_burst_count=1.0)),
            id="evaluations-that-are-not-logged",
        ),
        pytest.param(
            rows(np.exp(np.random.default_rng(1).normal(3.0, 1.2, 2_000))), id="a-long-tail"
        ),
        pytest.param(rows(stalls(0.01, 2_000, 50)), id="logged-in-bunches"),
        pytest.param(
            rows(
                stalls(4, 5_000, 100),
                resume_times_us=tuple(
                    START_US + int(ms * 1e3) for ms in (1_000.0, 6_000.0, 12_000.0)
                ),
            ),
            id="resumed",
        ),
    ],
)
def test_step_time_outliers_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("step_time_outliers", evidence) == []


def test_what_slow_steps_cost_is_what_they_took_beyond_the_others() -> None:
    gaps = stalls(4, 500, 50, 500)

    (finding,) = said("step_time_outliers", rows(gaps))

    assert finding.observed == pytest.approx(10 * 500 / sum(gaps[2:]))
    assert "about every 50 steps" in finding.fact
    assert finding.step_range == (50, 500)


# -- slow_start, stalled_training ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(
            watched(size=30, step_ms=4.0, data_ms=[400.0, *[1.0] * 29]), "warning", id="watched"
        ),
        pytest.param(step_metrics([4_000.0, *[4.0] * 200]), "warning", id="measured"),
        pytest.param(
            rows([10.0] * 20, started_us=START_US - 1_200_000_000), "warning", id="twenty-minutes"
        ),
    ],
)
def test_slow_start_speaks(evidence: RunEvidence, severity: str) -> None:
    assert severities("slow_start", evidence) == [severity]


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(step_metrics([4_000.0, *[4.0] * 20]), id="a-trial"),
        pytest.param(step_metrics([800.0, *[4.0] * 200]), id="less-than-a-second"),
        pytest.param(step_metrics([4_000.0, *[4.0] * 9_000]), id="a-small-share"),
        pytest.param(
            having(
                step_metrics([20_000.0, *[40.0] * 200]),
                telemetry=table(5, gpu_utilization_percent=50.0),
            ),
            id="compiling-for-a-gpu",
        ),
        pytest.param(rows([10.0] * 20, started_us=START_US - 1_199_000_000), id="just-below"),
        pytest.param(
            rows([10.0] * 20, started_us=START_US - 9_000_000_000, resume_times_us=(1,)),
            id="resumed",
        ),
    ],
)
def test_slow_start_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("slow_start", evidence) == []


def still(
    seconds: float, status: str = "running", gap_ms: float = 100.0, size: int = 50
) -> RunEvidence:
    until = START_US + int(size * gap_ms * 1e3 + seconds * 1e6)
    return rows([gap_ms] * size, status=status, now_us=until, ended_us=until)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(still(1_800), id="at-the-threshold"),
        pytest.param(still(7_200, "interrupted"), id="ended-by-force"),
        pytest.param(
            having(still(4_000), telemetry=table(400, step_seconds=10.0, cpu_count=4.0)),
            id="while-the-machine-is-still-sampled",
        ),
    ],
)
def test_stalled_training_speaks(evidence: RunEvidence) -> None:
    (finding,) = said("stalled_training", evidence)

    assert finding.severity == "error"
    assert finding.step_range == (50, 50)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(still(1_799), id="just-below"),
        pytest.param(still(9_000, "completed"), id="completed-after-a-long-test"),
        pytest.param(still(9_000, gap_ms=1_900_000.0), id="slow-by-nature"),
        pytest.param(still(9_000, size=8), id="too-few-rows"),
        pytest.param(rows([100.0] * 50, now_us=None), id="the-time-is-not-known"),
    ],
)
def test_stalled_training_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("stalled_training", evidence) == []


# -- run_interrupted, records_lost ---------------------------------------------------------------


def events(*told: tuple[str, float, dict[str, Any]], **facts: Any) -> RunEvidence:
    """A run of 50 rows in 5 s; events are a type, seconds since its start, and a payload."""
    return having(
        rows([100.0] * 50, **facts),
        events=Table(
            step=np.full(len(told), -1, np.int64),
            time_us=np.array([START_US + seconds * 1e6 for _, seconds, _ in told], np.int64),
            rank=np.zeros(len(told), np.int64),
            objects={
                "event_type": tuple(event_type for event_type, _, _ in told),
                "severity": ("error",) * len(told),
                "payload": tuple(payload for _, _, payload in told),
            },
        ),
    )


LOST = ("run_lost", 5.0, {"message": "The process ended without closing the run."})
RAISED = ("runtime_error", 6.0, {"message": "boom", "exception_type": "ValueError"})
STOPPED = ("runtime_interruption", 6.0, {"message": "", "exception_type": "KeyboardInterrupt"})
TERMINATED = ("runtime_interruption", 6.0, {"message": "SIGTERM ended the process."})


@pytest.mark.parametrize(
    ("evidence", "severity", "word"),
    [
        pytest.param(events(LOST, status="failed"), "error", "without closing", id="killed"),
        pytest.param(events(RAISED, status="failed"), "error", "ValueError: boom", id="raised"),
        pytest.param(events(RAISED), "error", "ValueError: boom", id="not-closed-yet"),
        pytest.param(events(TERMINATED, status="interrupted"), "warning", "SIGTERM", id="signal"),
        pytest.param(
            events(("preempting", 4.0, {}), status="interrupted"),
            "warning",
            "preempting",
            id="away",
        ),
        pytest.param(events(STOPPED, status="interrupted"), "info", "Keyboard", id="by-hand"),
        pytest.param(rows([9.0] * 9, status="failed"), "warning", "ended as failed", id="no-word"),
        pytest.param(events(TERMINATED, LOST, status="failed"), "error", "closing", id="both"),
    ],
)
def test_run_interrupted_speaks(evidence: RunEvidence, severity: str, word: str) -> None:
    (finding,) = said("run_interrupted", evidence)

    assert finding.severity == severity
    assert word in finding.fact
    assert finding.step_range is not None


@pytest.mark.parametrize(
    ("exception_type", "message", "of_memory"),
    [
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 20.00 GiB.", True),
        ("RuntimeError", "CUDA out of memory. Tried to allocate 20.00 GiB.", True),
        ("MemoryError", "", True),
        ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied", False),
        ("TypeError", "memory", False),
    ],
)
def test_run_interrupted_knows_an_error_that_tells_of_memory(
    exception_type: str, message: str, of_memory: bool
) -> None:
    payload = {"message": message, "exception_type": exception_type}
    (finding,) = said("run_interrupted", events(("runtime_error", 6.0, payload), status="failed"))

    assert ("Memory ran out" in finding.inference) == of_memory
    assert ("script probably has a fault" in finding.inference) != of_memory


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(rows([9.0] * 9, status="completed"), id="completed"),
        pytest.param(events(RAISED, status="completed"), id="an-error-that-was-caught"),
        pytest.param(events(("runtime_error", 2.0, {})), id="an-error-and-it-goes-on"),
        pytest.param(
            events(LOST, resume_times_us=(START_US + 5_500_000,)), id="resumed-and-running"
        ),
    ],
)
def test_run_interrupted_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("run_interrupted", evidence) == []


def test_records_lost_tells_what_and_from_where_on() -> None:
    full = ("records_dropped", 2.0, {"reason": "spool_full", "message": "The disk is full."})
    lost = ("artifact_lost", 3.0, {"artifact_key": "model", "reason": "No space left."})

    dropped, artifact = said("records_lost", events(full, full, lost, LOST))

    assert (dropped.severity, artifact.severity) == ("error", "warning")
    assert dropped.fact == "The disk is full. It happened 2 times."
    assert dropped.step_range == (20, 50)
    assert "model could not be stored: No space left" in artifact.fact
    assert said("records_lost", events(LOST)) == said("records_lost", RunEvidence()) == []


# -- ranks ---------------------------------------------------------------------------------------


def ranked(*by_rank: dict[str, Any], **fields: Any) -> RunEvidence:
    """Ranks with metrics by role; ``step_seconds`` gives them times."""
    made = {}
    for rank, roles in enumerate(by_rank):
        seconds = roles.pop("step_seconds", 0.05)
        made[rank] = {
            KEYS[role]: series(KEYS[role], values, step_seconds=seconds)
            for role, values in roles.items()
        }
    first = by_role(**by_rank[0])
    return having(first, rank_metrics=made, metrics=made[0], **fields)


FALLING = 2.0 * np.exp(-np.arange(200) / 60.0) + 0.1
NOISY = [FALLING * (1 + 0.1 * NOISE.normal(size=200)) for _ in range(4)]


def two(first: Any, second: Any, role: str = "train_loss") -> RunEvidence:
    return ranked({role: first}, {role: second})


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(
            ranked(
                {"train_loss": NOISY[0]},
                {"train_loss": NOISY[1]},
                loop=joined(loop(20, 45.0, 1.0), loop(20, 25.0, 21.0, rank=1)),
            ),
            id="waits-for-data",
        ),
        pytest.param(
            ranked(
                {"train_loss": NOISY[0], "compute_time_ms": [30.0] * 200},
                {"train_loss": NOISY[1], "compute_time_ms": [48.0] * 200},
                {"train_loss": NOISY[2], "compute_time_ms": [31.0] * 200},
            ),
            id="computes-longer",
        ),
        pytest.param(
            ranked(
                {"train_loss": NOISY[0], "step_seconds": 0.05},
                {"train_loss": NOISY[1], "step_seconds": 0.07},
            ),
            id="takes-longer-for-a-step",
        ),
        pytest.param(
            ranked(
                {"train_loss": NOISY[0]},
                {"train_loss": NOISY[1]},
                telemetry=joined(
                    table(100, step_time_ms=50.0, data_time_ms=2.0),
                    table(100, step_time_ms=50.0, data_time_ms=30.0, rank=1),
                ),
            ),
            id="telemetry-of-ranks",
        ),
    ],
)
def test_rank_straggler_speaks(evidence: RunEvidence) -> None:
    (finding,) = said("rank_straggler", evidence)

    assert (finding.severity, finding.subject) == ("warning", "rank 1")


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(by_role(train_loss=FALLING), id="one-process"),
        pytest.param(
            ranked(
                {"train_loss": NOISY[0][:20], "step_seconds": 0.05},
                {"train_loss": NOISY[1][:20], "step_seconds": 0.09},
            ),
            id="too-few-steps",
        ),
        pytest.param(
            ranked(
                {"train_loss": NOISY[0], "step_seconds": 0.05},
                {"train_loss": NOISY[1], "step_seconds": 0.06},
            ),
            id="a-little-slower",
        ),
        pytest.param(
            ranked(
                {"train_loss": NOISY[0], "step_seconds": 0.001},
                {"train_loss": NOISY[1], "step_seconds": 0.004},
            ),
            id="by-milliseconds",
        ),
        pytest.param(
            ranked(
                {"train_loss": NOISY[0], "compute_time_ms": [30.0] * 200},
                {"train_loss": NOISY[1], "compute_time_ms": [90.0] * 60 + [30.0] * 140},
            ),
            id="for-a-while",
        ),
    ],
)
def test_rank_straggler_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("rank_straggler", evidence) == []


HALF_NAN = np.where(np.arange(200) < 100, NOISY[1], np.nan)


@pytest.mark.parametrize(
    ("evidence", "severity"),
    [
        pytest.param(two(NOISY[0], HALF_NAN), "error", id="one-rank-is-nan"),
        pytest.param(
            two(NOISY[0], NOISY[1] * np.linspace(1.0, 6.0, 200)), "warning", id="moves-away"
        ),
        pytest.param(
            two(np.full(200, 2.0), FALLING[::-1] * 4, "gradient_norm"), "warning", id="norms"
        ),
    ],
)
def test_rank_divergence_speaks(evidence: RunEvidence, severity: str) -> None:
    (finding,) = said("rank_divergence", evidence)

    assert finding.severity == severity
    assert finding.step_range is not None
    if severity == "error":
        assert finding.step_range[0] == 100


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(RunEvidence(), id="no-evidence"),
        pytest.param(two(NOISY[0], NOISY[1]), id="noise-of-batches"),
        pytest.param(two(NOISY[0], 1.8 * NOISY[1]), id="other-data-from-the-beginning"),
        pytest.param(two(HALF_NAN, HALF_NAN), id="all-are-nan"),
        pytest.param(two(NOISY[0], np.where(np.arange(200) == 50, np.nan, NOISY[1])), id="one-nan"),
        pytest.param(
            two(np.exp(-np.arange(200) / 8.0), np.exp(-np.arange(200) / 10.0)), id="both-vanish"
        ),
        pytest.param(two(NOISY[0][:19], 9 * NOISY[1][:19]), id="too-few"),
        pytest.param(two(-NOISY[0], -3 * NOISY[1]), id="negative-losses"),
    ],
)
def test_rank_divergence_keeps_quiet(evidence: RunEvidence) -> None:
    assert said("rank_divergence", evidence) == []


# -- what all of them stand on -------------------------------------------------------------------


def test_pauses_are_what_a_loop_over_the_rows_finds() -> None:
    gaps = NOISE.uniform(3.0, 40.0, 300)
    evidence = rows(gaps, every=5, validations=[(40, 2.0), (41, 0.0), (200, 1.0)])

    times = row_times(evidence)

    assert times is not None
    usual = float(np.median(gaps / 5))
    for place, gap in enumerate(gaps):
        evaluated = {39: gap - 2.0, 40: gap, 199: gap - 1.0}.get(place, 0.0)
        lost = max(gap - max(evaluated, 0.0) - 5 * usual, 0.0)
        assert times.pause_ms[place] == pytest.approx(lost, abs=0.01)


def test_the_steady_share_is_that_of_the_whole_where_nothing_changes() -> None:
    part, whole = NOISE.uniform(0, 1, 1_000), np.full(1_000, 2.0)

    assert steady_share(part, whole) == pytest.approx(part.sum() / whole.sum(), rel=0.1)
    assert steady_share(np.zeros(1), np.zeros(1)) == 0.0


def test_metrics_come_before_telemetry_and_nan_is_left_out() -> None:
    evidence = having(
        step_metrics([1.0, np.nan, 3.0, -1.0, 5.0]), telemetry=table(5, step_time_ms=700.0)
    )

    times = measured_times(evidence)

    assert times is not None
    assert (times.source, times.step_ms.tolist(), times.step.tolist()) == (
        "metric",
        [1.0, 3.0, 5.0],
        [0, 2, 4],
    )


RUNTIME_RULES = (
    *("runtime_bottleneck_risk", "data_loading_bottleneck", "low_gpu_utilization"),
    *("io_bottleneck", "cpu_bottleneck", "memory_growth", "step_time_outliers", "slow_start"),
    *("throttling", "stalled_training", "run_interrupted", "records_lost"),
    *("rank_straggler", "rank_divergence"),
)


@pytest.mark.parametrize("rule_id", RUNTIME_RULES)
def test_a_rule_says_what_it_is_and_what_to_try(rule_id: str) -> None:
    rule = BY_ID[rule_id]

    assert rule.rule_id == rule_id
    assert rule.check.__name__ == rule_id
    assert 2 <= len(rule.advice) <= 4


HEALTHY: dict[str, Callable[[np.random.Generator], Any]] = {
    "tiny": lambda random: random.gamma(4.0, 0.4, 100),
    "on-a-busy-machine": lambda random: 2.0 + random.pareto(2.5, 400) * 2.0,
    "large": lambda random: random.normal(3_000.0, 200.0, 2_000),
    "with-a-slow-first-epoch": lambda random: np.where(np.arange(3_000) < 700, 90.0, 30.0),
    "texts-of-all-lengths": lambda random: random.lognormal(4.0, 0.6, 1_500),
    "slower-and-slower": lambda random: np.linspace(10.0, 40.0, 1_000),
}


@pytest.mark.parametrize("kind", HEALTHY)
@pytest.mark.parametrize("seed", range(5))
def test_healthy_rhythms_raise_no_alarm(kind: str, seed: int) -> None:
    gaps = HEALTHY[kind](np.random.default_rng(seed))
    evidence = rows(gaps, status="completed", ended_us=START_US)

    found = [finding for rule_id in RUNTIME_RULES for finding in said(rule_id, evidence)]

    assert [one.rule_id for one in found if one.severity != "info"] == []


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="must rise from warning to critical"):
        RuntimeLimits(data_loading_warning_ratio=0.9)
