"""CPU bottleneck: the GPU waits while all cores of the machine are busy.

Observes the share of readings in which the busiest GPU is used less than 10 % and the cores more
than 90 %. Without a GPU busy cores are the training itself, and nothing is said.
Source: SageMaker Debugger's CPUBottleneck, with its defaults (10 %, 90 %, half of the readings).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.machine_use import host_readings, span_of_steps
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def cpu_bottleneck(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.runtime
    host = host_readings(evidence)
    known = np.isfinite(host.gpu_percent) & np.isfinite(host.cpu_percent)
    if np.count_nonzero(known) < own.machine_min_samples:
        return
    gpu_percent, cpu_percent = host.gpu_percent[known], host.cpu_percent[known]
    waits = (gpu_percent < own.cpu_bound_gpu_percent) & (cpu_percent > own.cpu_bound_cpu_percent)
    share = float(waits.mean())
    if share <= own.cpu_bound_ratio:
        return
    yield Finding(
        rule_id="cpu_bottleneck",
        severity="warning",
        fact=(
            f"In {share:.0%} of {len(waits)} readings the busiest GPU was used less than "
            f"{own.cpu_bound_gpu_percent:g} % while all cores were used more than "
            f"{own.cpu_bound_cpu_percent:g} %."
        ),
        inference="The GPU probably waits for work that the CPU does: decoding, augmentation.",
        observed=share,
        threshold=own.cpu_bound_ratio,
        step_range=span_of_steps(evidence, host.step[known][waits], host.time_us[known][waits]),
        source="cpu_usage_percent",
    )


RULE = Rule(
    rule_id="cpu_bottleneck",
    category="runtime",
    title="CPU bottleneck",
    check=cpu_bottleneck,
    advice=(
        "Move decoding and augmentation to the GPU, or do them once before training.",
        "Match the number of loader workers to the cores; too many get in each other's way.",
        "Look for other jobs on the machine.",
    ),
    explains=("low_gpu_utilization",),
)
