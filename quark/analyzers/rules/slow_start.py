"""Slow start: it takes long until the training steps at its usual pace.

Observes the first step's time where steps were measured or watched, against the median of the
others and against the run, and the time from the start of the run to its first row.
Source: SageMaker Debugger's MaxInitializationTime (20 minutes). The rest is ours: a first step of
50 times the median and 3 s that takes 40 % of a run of 50 steps or more. On a GPU, where choosing
and compiling kernels takes its time once, it has to take a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.step_times import StepTimes, loop_times, measured_times, sampled_median

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def slow_start(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    if evidence.run.resume_times_us:
        return
    times = loop_times(evidence.loop) or measured_times(evidence)
    found = None if times is None else _first_step(times, evidence, limits)
    if found is None:
        found = _first_row(evidence, limits)
    if found is not None:
        yield found


def _first_step(
    times: StepTimes, evidence: RunEvidence, limits: AnalyzerThresholds
) -> Finding | None:
    own = limits.runtime
    if len(times) < 4 or int(times.step[-1]) - int(times.step[0]) < own.slow_start_min_steps:
        return None
    usual_ms = sampled_median(times.step_ms[1:])
    extra_ms = float((times.step_ms[0] - usual_ms) * times.step_count[0])
    gpu_seen = bool(np.isfinite(evidence.telemetry.number("gpu_utilization_percent")).any())
    least_ms = own.slow_start_gpu_step_ms if gpu_seen else own.slow_start_step_ms
    if extra_ms < max(least_ms, own.slow_start_ratio * usual_ms):
        return None
    others_ms = max(
        usual_ms * (int(times.step[-1]) - int(times.step[0])),
        float((times.step_ms * times.step_count)[1:].sum()),
    )
    share = extra_ms / (extra_ms + others_ms)
    if share < own.slow_start_share:
        return None
    count = int(times.step_count[0])
    first = f"first {count} steps" if count > 1 else "first step"
    return Finding(
        rule_id="slow_start",
        severity="warning",
        fact=(
            f"The {first} took {(extra_ms + count * usual_ms) / 1e3:.3g} s, the median step "
            f"{usual_ms:.4g} ms, by {times.name}. That is {share:.0%} of the time."
        ),
        inference="Something is probably prepared in the first step that could be done before, or "
        "kept from the last run.",
        observed=share,
        threshold=own.slow_start_share,
        step_range=(int(times.step[0]), int(times.step[0])),
        source=times.name,
    )


def _first_row(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    own, started_us = limits.runtime, evidence.run.started_us
    rows = [one for one in evidence.metrics.values() if len(one.time_us)]
    if started_us is None or not rows:
        return None
    first = min(rows, key=lambda one: int(one.time_us[0]))
    seconds = (int(first.time_us[0]) - started_us) / 1e6
    if seconds < own.slow_start_seconds:
        return None
    step = int(first.step[0])
    return Finding(
        rule_id="slow_start",
        severity="warning",
        fact=f"{seconds / 60:.0f} minutes passed from the start of the run to its first row, of "
        f"{first.key}.",
        inference="Data or models are probably prepared while the machine is held.",
        observed=seconds,
        threshold=own.slow_start_seconds,
        step_range=(step, step),
        source=first.key,
    )


RULE = Rule(
    rule_id="slow_start",
    category="runtime",
    title="Slow start",
    check=slow_start,
    advice=(
        "Prepare the data once, before the training, and keep the result.",
        "Keep compiled kernels between runs (TORCHINDUCTOR_CACHE_DIR), or do without compiling "
        "for short runs.",
        "Let loader workers start before the first step needs them.",
    ),
    explains=("step_time_outliers",),
    at_end_only=True,
)
