"""Data loading bottleneck: much of each step is spent waiting for the next batch.

Observes the usual share of the wait for data in the time of a step: as a metric or telemetry says
it, else as the watched training loop shows it (the time from the end of one optimizer step to the
next forward pass, which holds everything else that the script does in between). While the GPU is
busy nothing is said: what looks like a wait for data is then a wait for the GPU's own work. Nor is
anything said of a watched loop on a machine without a GPU whose cores are all busy.
Source: PyTorch's performance tuning guide ("enable asynchronous data loading"); the SDK guide's
data fraction of 0.4 is used where times are measured. For the watched loop the defaults of half of
the time, and 8 ms a step, are ours: a small model on data in memory spends up to 40 % of its
sub-millisecond steps on collating batches, and nothing is wrong with that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.machine_use import during_training, gpu_readings
from quark.analyzers.rule import Rule
from quark.analyzers.step_times import STEPS_IN_BLOCK, loop_times, measured_times, steady_share

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


_LOOP_BLOCK = 1


def data_loading_bottleneck(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.runtime
    times = measured_times(evidence)
    levels = (
        limits.runtime_warning_data_fraction,
        limits.runtime_error_data_fraction,
        limits.runtime_critical_data_fraction,
    )
    least_count = own.bottleneck_min_samples
    if times is None or not np.isfinite(times.data_ms).any():
        times = loop_times(evidence.loop)
        levels = (
            own.data_loading_warning_ratio,
            own.data_loading_error_ratio,
            own.data_loading_critical_ratio,
        )
        least_count = own.data_loading_min_samples
    if times is None:
        return
    known = np.isfinite(times.data_ms)
    if len(known) > least_count:
        known[0] = False  # workers start, caches are cold
    if np.count_nonzero(known) < least_count:
        return
    counts = times.step_count[known].astype(np.float64)
    data_ms, total_ms = times.data_ms[known] * counts, times.step_ms[known] * counts
    # A stretch of the loop is many steps; a pause in every third of them is none of the loader's.
    block = _LOOP_BLOCK if times.source == "loop" else STEPS_IN_BLOCK
    share = steady_share(data_ms, total_ms, block)
    wait_ms = steady_share(data_ms, counts, block)
    graded = grade(share, warning=levels[0], error=levels[1], critical=levels[2])
    if graded is None or wait_ms < own.data_loading_ms:
        return
    gpu_percent = _gpu_percent(evidence)
    if gpu_percent is None:
        if times.source == "loop" and _cores_are_busy(evidence, own.data_loading_cpu_percent):
            return
    elif gpu_percent >= own.data_loading_gpu_percent:
        return
    severity, threshold = graded
    idle = "" if gpu_percent is None else f" The busiest GPU was used {gpu_percent:.0f} %."
    steps = times.step[known]
    yield Finding(
        rule_id="data_loading_bottleneck",
        severity=severity,
        fact=(
            f"{share:.0%} of the time is a wait for data, {wait_ms:.4g} ms a step, by "
            f"{times.name}.{idle}"
        ),
        inference="The loader is probably slower than the model.",
        observed=share,
        threshold=threshold,
        step_range=(int(steps[0]), int(steps[-1])),
        source=times.name,
    )


def _gpu_percent(evidence: RunEvidence) -> float | None:
    gpus = gpu_readings(evidence)
    if gpus is None or not np.isfinite(gpus.utilization_percent).any():
        return None
    return float(np.nanmedian(gpus.utilization_percent))


def _cores_are_busy(evidence: RunEvidence, busy_percent: float) -> bool:
    """Say whether the machine has no core to spare: then everything waits for everything."""
    used = evidence.telemetry.number("cpu_usage_percent")[during_training(evidence)]
    used = used[np.isfinite(used)]
    return bool(len(used)) and float(np.median(used)) >= busy_percent


RULE = Rule(
    rule_id="data_loading_bottleneck",
    category="runtime",
    title="Data loading bottleneck",
    check=data_loading_bottleneck,
    advice=(
        "Give the DataLoader more workers (num_workers), persistent_workers=True and a larger "
        "prefetch_factor.",
        "Decode, resize and tokenize once before training, and keep the result in few large files.",
        "Copy the data to a local disk if it is read over the network.",
        "Move work from the loop into the loader: logging, metrics, checkpoints between steps.",
    ),
    explains=("low_gpu_utilization", "io_bottleneck", "cpu_bottleneck"),
)
