"""Throttling: a GPU runs slower than it could because of heat or of its power supply.

Observes the share of readings in which NVML names one of these reasons for lower clocks: hardware
slowdown, thermal slowdown by software or hardware, power brake. A software power cap is how large
GPUs work every day, and says nothing.
Source: NVML's clocks event reasons (nvml.h). The default share of a fifth of the readings is ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.machine_use import gpu_readings, span_of_steps
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def throttling(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.runtime
    gpus = gpu_readings(evidence)
    if gpus is None or len(gpus) < own.throttling_min_samples:
        return
    slowed = np.fromiter(map(bool, gpus.slowdowns), bool, len(gpus))
    share = float(slowed.mean())
    graded = grade(share, warning=own.throttling_warning_ratio, error=own.throttling_error_ratio)
    if graded is None:
        return
    severity, threshold = graded
    counts = Counter(reason for reasons in gpus.slowdowns for reason in reasons)
    reasons = ", ".join(reason.replace("_", " ") for reason, _ in counts.most_common())
    yield Finding(
        rule_id="throttling",
        severity=severity,
        fact=f"In {share:.0%} of {len(gpus)} readings a GPU was slowed down: {reasons}.",
        inference="The GPU is probably too hot, or gets too little power, to run at full speed.",
        observed=share,
        threshold=threshold,
        step_range=span_of_steps(evidence, gpus.step[slowed], gpus.time_us[slowed]),
        source="throttle_reasons",
        metadata={"reasons": dict(counts)},
    )


RULE = Rule(
    rule_id="throttling",
    category="runtime",
    title="GPU throttling",
    check=throttling,
    advice=(
        "Look at temperatures (nvidia-smi -q -d TEMPERATURE,PERFORMANCE) and at the airflow.",
        "Lower the power limit a little: steady clocks are faster than clocks that jump.",
        "Tell whoever runs the machine; a hardware slowdown can mean a broken fan or supply.",
    ),
    explains=("runtime_bottleneck_risk", "rank_straggler"),
)
