"""Low GPU utilization: during a long training the GPU is mostly idle.

Observes the utilization of the busiest GPU in the readings between the first and the last row of
the run: its median, and its upper quartile.
Source: SageMaker Debugger's LowGPUUtilization (95th percentile below 70 %, or 5th below 10 %). Our
defaults are much lower (median below 30 %, upper quartile below 70 %), and training of less than
ten minutes gives an ``info`` at most: a small model cannot fill a large GPU, and need not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.machine_use import gpu_readings, span_of_steps
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def low_gpu_utilization(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.runtime
    gpus = gpu_readings(evidence)
    if gpus is None:
        return
    known = np.isfinite(gpus.utilization_percent)
    busy = gpus.utilization_percent[known]
    if len(busy) < own.gpu_idle_min_samples:
        return
    median, high = float(np.median(busy)), float(np.quantile(busy, 0.75))
    if median >= own.gpu_idle_percent or high >= own.gpu_idle_high_percent:
        return
    times = gpus.time_us[known]
    seconds = float(times[-1] - times[0]) / 1e6
    yield Finding(
        rule_id="low_gpu_utilization",
        severity="warning" if seconds >= own.gpu_idle_seconds else "info",
        fact=(
            f"Over {seconds / 60:.3g} minutes the busiest GPU was used {median:.0f} % in the "
            f"median of {len(busy)} readings, and {high:.0f} % in the upper quartile."
        ),
        inference="The GPU probably waits: for data, for the CPU, or for larger batches.",
        observed=median,
        threshold=own.gpu_idle_percent,
        step_range=span_of_steps(evidence, gpus.step, gpus.time_us),
        source="gpu_utilization_percent",
    )


RULE = Rule(
    rule_id="low_gpu_utilization",
    category="runtime",
    title="Low GPU utilization",
    check=low_gpu_utilization,
    advice=(
        "Enlarge the batch until memory is nearly full.",
        "Look whether the loader keeps up: more workers, pinned memory, prefetching.",
        "Take .item(), .cpu() and printing out of the step; use torch.compile or CUDA graphs "
        "where kernels are small.",
        "If the model is small for this GPU, use a smaller one or run several trainings on it.",
    ),
)
