"""Step time outliers: a few steps take many times as long as the others, again and again.

Observes the time between rows of the metric that is logged once a step, without evaluations, else
the step times that were measured. A slow step takes five times the median and loses a second; there
have to be three, apart from the others, and together they have to take a real share of the run.
Where five or more come at regular distances and lose about the same, three times the median and
20 ms are enough.
Source: SageMaker Debugger's StepOutlier (3 standard deviations, more than 10 outliers). The
defaults are ours: they are absolute as well as relative, because a busy machine delays single
steps, at no regular distances, by tens and hundreds of milliseconds (300 ms were seen with twenty
processes on two cores), and nothing is wrong with the training.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.rule import Rule
from quark.analyzers.shapes import spread
from quark.analyzers.step_times import StepTimes, measured_times, row_times

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, Int64Array, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

#: Compiling, caches and the first pass of workers are for slow_start to judge.
_WARM_UP = 2
#: The slow ones are an exception: at most this share of the steps.
_MAX_SHARE = 0.34
#: This share of the distances between slow steps, and one more, lies near their median if they come
#: regularly: of few distances all of them, because some are alike by chance.
_REGULAR_SHARE = 0.7
#: They are then slow by the same time, give or take this share of it.
_LIKE_RATIO = 0.35


def step_time_outliers(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.runtime
    times = row_times(evidence)
    if times is None or len(times) < own.outlier_min_steps:
        times = measured_times(evidence)
    if times is None or len(times) < own.outlier_min_steps:
        return
    slow, is_regular = _slow_steps(times, limits)
    count = int(np.count_nonzero(slow))
    if count < own.outlier_min_count:
        return
    lost_ms = float(times.pause_ms[slow].sum())
    if lost_ms < (own.outlier_regular_total_ms if is_regular else own.outlier_total_ms):
        return
    share = lost_ms / float((times.step_ms * times.step_count)[_WARM_UP:].sum())
    graded = grade(share, warning=own.outlier_warning_ratio, error=own.outlier_error_ratio)
    if graded is None and share < own.outlier_info_ratio:
        return
    severity, threshold = graded or ("info", own.outlier_info_ratio)
    steps = times.step[slow]
    pause_ms = float(np.median(times.pause_ms[slow]))
    rhythm = f", about every {np.median(np.diff(steps)):.0f} steps" if is_regular else ""
    yield Finding(
        rule_id="step_time_outliers",
        severity=severity,
        fact=(
            f"{count} of {len(times)} times were longer by {pause_ms:.4g} ms in the median, where "
            f"a step takes {times.usual_ms:.4g} ms{rhythm}. That is {share:.0%} of the time, by "
            f"{times.name}."
        ),
        inference=(
            "Something probably stops the training regularly: a loader that falls behind, a "
            "checkpoint, a write."
            if is_regular
            else "Something probably stops the training now and then: a loader, a disk, another "
            "job on the machine."
        ),
        observed=share,
        threshold=threshold,
        step_range=(int(steps[0]), int(steps[-1])),
        source=times.name,
        metadata={"slow_steps": steps[:20].tolist(), "lost_ms": round(lost_ms, 3)},
    )


def _slow_steps(times: StepTimes, limits: AnalyzerThresholds) -> tuple[BoolArray, bool]:
    """Mark the slow steps, and say whether they come at regular distances."""
    own = limits.runtime
    slow = _regular_steps(times, limits)
    if slow.any():
        return slow, True
    extra_ms = max((own.outlier_ratio - 1.0) * times.usual_ms, own.outlier_ms, _sum_noise(times))
    slow = times.pause_ms >= extra_ms
    slow[:_WARM_UP] = False
    count = int(np.count_nonzero(slow))
    if not count:
        return slow, False
    typical_ms = float(np.median(times.pause_ms[slow]))
    between = (times.pause_ms > typical_ms / 6) & (times.pause_ms < typical_ms / 1.5)
    if count > _MAX_SHARE * len(times) or np.count_nonzero(between) > count:
        return np.zeros(len(times), bool), False  # a long tail, not a few slow steps
    return slow, False


def _regular_steps(times: StepTimes, limits: AnalyzerThresholds) -> BoolArray:
    """Mark steps that are slow by about the same time, at about the same distances."""
    own, none = limits.runtime, np.zeros(len(times), bool)
    least_ms = (own.outlier_regular_ratio - 1.0) * times.usual_ms
    slow = times.pause_ms >= max(least_ms, own.outlier_regular_ms, _sum_noise(times))
    slow[:_WARM_UP] = False
    if not slow.any():
        return none
    pauses = np.sort(times.pause_ms[slow])
    # Half of what is lost lies above the first; on a busy machine many small ones lie below.
    by_weight = pauses[np.searchsorted(np.cumsum(pauses), pauses.sum() / 2)]
    for typical_ms in (by_weight, pauses[len(pauses) // 2]):
        like = slow & (np.abs(times.pause_ms - typical_ms) <= _LIKE_RATIO * typical_ms)
        if _is_regular(times.step[like], times):
            return np.asarray(like)
    return none


def _is_regular(steps: Int64Array, times: StepTimes) -> bool:
    gaps = np.diff(steps)
    if len(gaps) < 4 or len(steps) > _MAX_SHARE * len(times):
        return False
    usual = float(np.median(gaps))
    near = np.abs(gaps - usual) <= max(0.2 * usual, 1.0)
    apart = usual >= 3 * float(np.median(times.step_count[:20_000]))
    return apart and int(np.count_nonzero(near)) >= _REGULAR_SHARE * len(gaps) + 1


def _sum_noise(times: StepTimes) -> float:
    """Return what rows of many steps vary by; 0 where each row is of one step."""
    return 6.0 * spread(times.pause_ms[:20_000]) if times.step_count.max() > 1 else 0.0


RULE = Rule(
    rule_id="step_time_outliers",
    category="runtime",
    title="Slow steps",
    check=step_time_outliers,
    advice=(
        "Look at what happens at these steps: checkpoints, evaluation, logging of images, a new "
        "shard of the data.",
        "Write checkpoints in the background, or less often.",
        "If the loader falls behind in bursts, give it a larger prefetch_factor and more workers.",
        "Profile a few steps (torch.profiler) around one of them.",
    ),
)
