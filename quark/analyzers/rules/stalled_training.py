"""Stalled training: no step has been logged for long, though the run has not ended.

Observes the time since the last row of a metric, while the run is ``running``; or from there to
its end, if it was ended by force. Samples of the machine do not count: they go on when training
hangs.
Source: SageMaker Debugger's StalledTrainingRule (1800 s). That the wait must also be five times
the longest pause before is ours: evaluations of large models take long, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.step_times import last_row_us, sampled_median

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def stalled_training(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own, run = limits.runtime, evidence.run
    until_us = run.now_us if run.status == "running" else run.ended_us
    last_us = last_row_us(evidence)
    if until_us is None or last_us is None or run.status == "completed":
        return
    rows = [one for one in evidence.metrics.values() if len(one.time_us) >= own.stalled_min_rows]
    if not rows:
        return
    most = max(rows, key=len)
    gaps = np.diff(most.time_us)
    longest_seconds, usual_seconds = float(gaps.max()) / 1e6, sampled_median(gaps / 1e6)
    seconds = (until_us - last_us) / 1e6
    threshold = max(own.stalled_seconds, own.stalled_ratio * longest_seconds)
    if seconds < threshold:
        return
    step = evidence.last_step or 0
    when = "so far" if run.status == "running" else "until the run was ended"
    yield Finding(
        rule_id="stalled_training",
        severity="error",
        fact=(
            f"After step {step} nothing was logged for {seconds / 60:.0f} minutes {when}; before, "
            f"a row came every {usual_seconds:.3g} s."
        ),
        inference="The training probably hangs, or its process is gone.",
        observed=seconds,
        threshold=threshold,
        step_range=(step, step),
        source=most.key,
    )


RULE = Rule(
    rule_id="stalled_training",
    category="runtime",
    title="Stalled training",
    check=stalled_training,
    advice=(
        "Look at where the process is: py-spy dump --pid PID.",
        "With several ranks: one that has died or left the loop makes the others wait for ever in "
        "a collective; TORCH_NCCL_ASYNC_ERROR_HANDLING=1 ends them.",
        "Loader workers may be deadlocked: try num_workers=0, or the spawn start method.",
    ),
    explains=("run_interrupted",),
)
