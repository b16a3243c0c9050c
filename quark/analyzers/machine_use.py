"""What telemetry says of the machine while a run trained: GPUs, cores, memory.

Records of steps repeat the latest reading, and readings before the first and after the last step
say nothing of training; both are left out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, Float64Array, Int64Array, RunEvidence, Table

#: Readings that are looked at, evenly spaced over the run.
MAX_READINGS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GpuReadings:
    """What NVML said, reading by reading; NaN where it said nothing.

    ``utilization_percent`` is that of the busiest GPU: on a shared machine the others are none of
    the run's business. ``throttled`` marks readings in which a GPU was slowed down.
    """

    step: Int64Array  # -1: it belongs to no step
    time_us: Int64Array
    utilization_percent: Float64Array
    slowdowns: tuple[tuple[str, ...], ...]  # why a GPU was slowed down, by reading
    memory_used_bytes: Mapping[str, Float64Array]  # by GPU
    memory_total_bytes: Mapping[str, float]

    def __len__(self) -> int:
        return len(self.step)


#: Reasons of NVML that mean that a GPU cannot run as fast as it was set to.
SLOWDOWNS = frozenset(
    {
        "hardware_slowdown",
        "software_thermal_slowdown",
        "hardware_thermal_slowdown",
        "hardware_power_brake",
    }
)


def training_span(evidence: RunEvidence) -> tuple[int, int] | None:
    """Return when the first and the last row of a metric were logged; None if that is not known."""
    columns = [one.time_us for one in evidence.metrics.values() if len(one.time_us) >= 2]
    if not columns:
        return None
    return min(int(one[0]) for one in columns), max(int(one[-1]) for one in columns)


def during_training(evidence: RunEvidence) -> BoolArray:
    """Mark the telemetry records that were taken between the first and the last row."""
    times = evidence.telemetry.time_us
    span = training_span(evidence)
    if span is None:
        return np.ones(len(times), bool)
    return np.asarray((times >= span[0]) & (times <= span[1]))


def gpu_readings(evidence: RunEvidence) -> GpuReadings | None:
    """Return the GPUs' readings during training; None if no GPU was seen."""
    table = evidence.telemetry
    kept = table.objects.get("gpus")
    if kept is None:
        return _repeated(table, during_training(evidence))
    marks = during_training(evidence) & np.fromiter(map(bool, kept), bool, len(kept))
    places = np.flatnonzero(marks)
    if not len(places):
        return _repeated(table, during_training(evidence))
    places = places[:: max(1, len(places) // MAX_READINGS)]
    readings: list[tuple[Mapping[str, Any], ...]] = [kept[place] for place in places.tolist()]
    names = sorted({_name(gpu) for reading in readings for gpu in reading})
    used = {name: np.full(len(places), np.nan) for name in names}
    totals: dict[str, float] = {}
    utilization = np.full(len(places), np.nan)
    slowdowns = []
    for row, reading in enumerate(readings):
        reasons: set[str] = set()
        for gpu in reading:
            busy = gpu.get("utilization_percent")
            if busy is not None:
                utilization[row] = np.fmax(utilization[row], float(busy))
            if (memory := gpu.get("memory_used_bytes")) is not None:
                used[_name(gpu)][row] = float(memory)
            if gpu.get("memory_total_bytes"):
                totals[_name(gpu)] = float(gpu["memory_total_bytes"])
            reasons |= SLOWDOWNS & set(gpu.get("throttle_reasons") or ())
        slowdowns.append(tuple(sorted(reasons)))
    return GpuReadings(
        step=table.step[places],
        time_us=table.time_us[places],
        utilization_percent=utilization,
        slowdowns=tuple(slowdowns),
        memory_used_bytes=used,
        memory_total_bytes=totals,
    )


def process_cores(evidence: RunEvidence) -> tuple[Float64Array, Float64Array]:
    """Return how many cores the process and its children kept busy, and how many it may use.

    One entry for each reading of the process during training.
    """
    table = evidence.telemetry
    count, share = table.number("cpu_count"), table.number("process_cpu_percent")
    limit = table.number("cpu_limit_count")
    keep = during_training(evidence) & np.isfinite(count) & np.isfinite(share)
    usable = np.fmin(count, np.where(limit > 0, limit, np.inf))
    return (share * count / 100.0)[keep], usable[keep]


def compute_is_busy(evidence: RunEvidence, *, busy_percent: float) -> bool:
    """Say whether what computes had little idle time: the busiest GPU, or without GPUs the cores.

    ``busy_percent`` is the least median use that counts as busy.
    """
    gpus = gpu_readings(evidence)
    if gpus is not None and np.isfinite(gpus.utilization_percent).any():
        return float(np.nanmedian(gpus.utilization_percent)) >= busy_percent
    used, usable = process_cores(evidence)
    return bool(len(used)) and 100.0 * float(np.median(used / usable)) >= busy_percent


def _repeated(table: Table, marks: BoolArray) -> GpuReadings | None:
    """Return what records of steps repeat of the first GPU."""
    busy = table.number("gpu_utilization_percent")
    memory = table.number("gpu_memory_used_bytes")
    places = np.flatnonzero(marks & (np.isfinite(busy) | np.isfinite(memory)))
    if not len(places):
        return None
    places = places[:: max(1, len(places) // MAX_READINGS)]
    totals = table.number("gpu_memory_total_bytes")[places]
    known = totals[np.isfinite(totals)]
    return GpuReadings(
        step=table.step[places],
        time_us=table.time_us[places],
        utilization_percent=busy[places],
        slowdowns=((),) * len(places),
        memory_used_bytes={"GPU 0": memory[places]},
        memory_total_bytes={"GPU 0": float(known[0])} if len(known) else {},
    )


def _name(gpu: Mapping[str, Any]) -> str:
    return f"GPU {gpu.get('index', 0)}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostReadings:
    """What the machine, the process and the busiest GPU did at the same moments; NaN: unknown."""

    step: Int64Array
    time_us: Int64Array
    gpu_percent: Float64Array
    cpu_percent: Float64Array
    process_cores: Float64Array  # that the process and its children keep busy


def host_readings(evidence: RunEvidence) -> HostReadings:
    """Return the readings of the process during training."""
    table = evidence.telemetry
    cores = table.number("process_cpu_percent") * table.number("cpu_count") / 100.0
    places = np.flatnonzero(during_training(evidence) & np.isfinite(cores))
    places = places[:: max(1, len(places) // MAX_READINGS)]
    gpu_percent = table.number("gpu_utilization_percent")[places]
    kept = table.objects.get("gpus")
    if kept is not None:
        for row, place in enumerate(places.tolist()):
            for gpu in kept[place] or ():
                busy = gpu.get("utilization_percent")
                gpu_percent[row] = np.fmax(gpu_percent[row], np.nan if busy is None else busy)
    return HostReadings(
        step=table.step[places],
        time_us=table.time_us[places],
        gpu_percent=gpu_percent,
        cpu_percent=table.number("cpu_usage_percent")[places],
        process_cores=cores[places],
    )


def span_of_steps(
    evidence: RunEvidence, steps: Int64Array, times: Int64Array
) -> tuple[int, int] | None:
    """Return the first and the last of ``steps``; where they are of moments, the steps then.

    None if neither is known.
    """
    known = steps[steps >= 0]
    if len(known):
        return int(known.min()), int(known.max())
    rows = [one for one in evidence.metrics.values() if one.has_steps and len(one.time_us)]
    if not rows or not len(times):
        return None
    longest = max(rows, key=len)
    places = np.searchsorted(longest.time_us, [times.min(), times.max()])
    first, last = longest.step[np.minimum(places, len(longest) - 1)].tolist()
    return (first, last) if first <= last else None
