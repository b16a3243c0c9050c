"""Runtime bottleneck risk: steps take long, wait for data, or take very different times.

Observes step times that a metric or telemetry says: their median, the usual share of the wait for
data, and the jitter, which is the standard deviation over the mean without the first tenth and the
slowest fiftieth, so that neither warm-up nor a pause for an evaluation counts. Times that are only
inferred from when rows were logged are not looked at.
Source: the SDK guide, with its default thresholds. These are absolute, and a healthy large model
has long steps: so while telemetry shows that the GPU (or without a GPU the cores) had little idle
time, step time and jitter at the default thresholds say nothing; thresholds that somebody has set
always count. Jitter needs 20 steps and a standard deviation of 10 ms; both are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation, grade, severity_rank
from quark.analyzers.machine_use import compute_is_busy
from quark.analyzers.rule import Rule
from quark.analyzers.step_times import StepTimes, measured_times, steady_share

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_LEVELS = ("warning", "error", "critical")
_GUIDE_STEP_MS = (250.0, 500.0, 1000.0)
_GUIDE_JITTER = (0.25, 0.5, 0.75)
#: More points than these change no statistic that is told with two digits.
_MAX_POINTS = 100_000


def runtime_bottleneck_risk(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.runtime
    times = measured_times(evidence)
    if times is None or len(times) < own.bottleneck_min_samples:
        return
    first = max(1, len(times) // 10) if len(times) > own.bottleneck_min_samples else 0
    stride = max(1, len(times) // _MAX_POINTS)
    total_ms, data_ms = times.step_ms[first::stride], times.data_ms[first::stride]
    step_limits = tuple(getattr(limits, f"runtime_{level}_step_time_ms") for level in _LEVELS)
    jitter_limits = tuple(getattr(limits, f"runtime_{level}_jitter_ratio") for level in _LEVELS)
    busy = compute_is_busy(evidence, busy_percent=own.bottleneck_busy_percent)
    found = [_data(times, total_ms, data_ms, limits)]
    if not (busy and step_limits == _GUIDE_STEP_MS):
        median = float(np.median(total_ms))
        found.append(_graded(f"The median step takes {median:.4g} ms.", median, step_limits))
    if not (busy and jitter_limits == _GUIDE_JITTER):
        found.append(_jitter(total_ms, jitter_limits, limits))
    spoken = sorted(
        (one for one in found if one is not None), key=lambda one: -severity_rank(one[0])
    )
    if not spoken:
        return
    steps = (int(times.step[0]), int(times.step[-1]))
    worst, others = spoken[0], spoken[1:]
    yield Finding(
        rule_id="runtime_bottleneck_risk",
        severity=worst[0],
        fact=" ".join(fact for _, fact, _, _ in spoken) + f" Measured by {times.name}.",
        inference="The run is probably held up by something other than its computations.",
        observed=worst[2],
        threshold=worst[3],
        step_range=steps,
        source=times.name,
        observations=tuple(
            Observation(
                source=times.name, summary=fact, observed=seen, threshold=limit, step_range=steps
            )
            for _, fact, seen, limit in others
        ),
    )


_Spoken = tuple[str, str, float, float]  # severity, fact, observed, threshold


def _graded(fact: str, observed: float, levels: tuple[float, ...]) -> _Spoken | None:
    graded = grade(observed, warning=levels[0], error=levels[1], critical=levels[2])
    return None if graded is None else (graded[0], fact, observed, graded[1])


def _data(
    times: StepTimes, total_ms: Float64Array, data_ms: Float64Array, limits: AnalyzerThresholds
) -> _Spoken | None:
    known = np.isfinite(data_ms)
    if np.count_nonzero(known) < limits.runtime.bottleneck_min_samples:
        return None
    share = steady_share(data_ms[known], total_ms[known])
    return _graded(
        f"{share:.0%} of the step time is spent waiting for data.",
        share,
        tuple(getattr(limits, f"runtime_{level}_data_fraction") for level in _LEVELS),
    )


def _jitter(
    total_ms: Float64Array, levels: tuple[float, ...], limits: AnalyzerThresholds
) -> _Spoken | None:
    own = limits.runtime
    if len(total_ms) < own.bottleneck_min_jitter_samples:
        return None
    slowest = -(-len(total_ms) // 50)
    kept = np.partition(total_ms, len(total_ms) - slowest)[:-slowest]
    mean, deviation = float(kept.mean()), float(kept.std())
    if mean <= 0 or deviation < own.bottleneck_jitter_ms:
        return None
    return _graded(
        f"Step times vary by {deviation / mean:.0%} of their mean of {mean:.4g} ms.",
        deviation / mean,
        levels,
    )


RULE = Rule(
    rule_id="runtime_bottleneck_risk",
    category="runtime",
    title="Runtime bottleneck risk",
    check=runtime_bottleneck_risk,
    advice=(
        "If the wait for data is long: more loader workers, a larger prefetch, data that is "
        "decoded before training.",
        "If the GPU is idle in between: look for transfers, .item() calls and logging in the step.",
        "If times vary: group samples of like length, and look for other jobs on the machine.",
        "If a step takes long because the model is large, set runtime_*_step_time_ms to what is "
        "slow for it.",
    ),
    explains=(
        "data_loading_bottleneck",
        "cpu_bottleneck",
        "io_bottleneck",
        "low_gpu_utilization",
        "step_time_outliers",
    ),
)
