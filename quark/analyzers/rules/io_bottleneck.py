"""I/O bottleneck: the GPU waits, and so does the process: neither computes.

Observes the share of readings in which the busiest GPU is used less than 10 %, the cores of the
machine less than half, and the process with its workers keeps less than half a core busy. What is
read meanwhile from disks and the network is told beside it.
Source: SageMaker Debugger's IOBottleneck (GPU below 10 % with I/O wait above 50 % in half of the
readings). I/O wait itself is not measured, so an idle process stands for it; half a core is ours.
Where no GPU was seen it is an ``info`` at most: the model may be on a device that NVML does not
know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.machine_use import host_readings, span_of_steps
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence, Table
    from quark.analyzers.thresholds import AnalyzerThresholds


def io_bottleneck(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.runtime
    host = host_readings(evidence)
    known = np.isfinite(host.process_cores)
    sees_gpu = bool(np.isfinite(host.gpu_percent).any())
    if sees_gpu:
        known &= np.isfinite(host.gpu_percent)
    if np.count_nonzero(known) < own.machine_min_samples:
        return
    waits = host.process_cores < own.io_wait_cores
    waits &= ~(host.cpu_percent >= own.io_wait_cpu_percent)
    if sees_gpu:
        waits &= host.gpu_percent < own.io_wait_gpu_percent
    waits = waits[known]
    share = float(waits.mean())
    if share <= own.io_wait_ratio:
        return
    cores = float(np.median(host.process_cores[known][waits]))
    gpu = f"GPUs were used less than {own.io_wait_gpu_percent:g} % and " if sees_gpu else ""
    yield Finding(
        rule_id="io_bottleneck",
        severity="warning" if sees_gpu else "info",
        fact=(
            f"In {share:.0%} of {len(waits)} readings {gpu}the process kept {cores:.2g} of a core "
            f"busy.{_rates(evidence.telemetry)}"
        ),
        inference="The run probably waits for a disk, the network or another process.",
        observed=share,
        threshold=own.io_wait_ratio,
        step_range=span_of_steps(evidence, host.step[known][waits], host.time_us[known][waits]),
        source="process_cpu_percent",
    )


def _rates(telemetry: Table) -> str:
    told = []
    for name, what in (
        ("disk_read_bytes", "read from disks"),
        ("network_received_bytes", "received from the network"),
    ):
        counter = telemetry.number(name)
        places = np.flatnonzero(np.isfinite(counter))
        if len(places) < 2:
            continue
        first, last = places[0], places[-1]
        seconds = float(telemetry.time_us[last] - telemetry.time_us[first]) / 1e6
        if seconds > 0 and counter[last] >= counter[first]:
            rate = float(counter[last] - counter[first]) / seconds / 2**20
            told.append(f"{rate:.3g} MiB/s were {what}")
    return f" Meanwhile {' and '.join(told)}." if told else ""


RULE = Rule(
    rule_id="io_bottleneck",
    category="runtime",
    title="I/O bottleneck",
    check=io_bottleneck,
    advice=(
        "Copy the data to a local disk, or cache it in memory.",
        "Read few large files in order rather than many small ones at random.",
        "Give the DataLoader more workers, so that several reads are under way at once.",
    ),
    explains=("low_gpu_utilization",),
)
