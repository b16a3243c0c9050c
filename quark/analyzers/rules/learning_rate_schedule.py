"""Learning rate schedule: the rate is gone long before the run is over, or cycles too fast.

Observes the learning rates of the run: whether they fell below a thousandth of their highest in the
first part of the run and stayed there, while the loss was still high and has hardly fallen since;
and whether they went smoothly down to next to nothing and up again many times, as a cosine does
whose period was meant in epochs and is counted in steps. A rate that is lowered because the loss
stands still, and schedules that end with the run, are healthy. A constant rate is none of this
rule's business.
Source: our own, for the commonest mistake with schedulers: stepping them per batch instead of per
epoch.
Default: a thousandth before half of the run is over; four cycles; ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.loss_curve import loss_curve
from quark.analyzers.rates import count_rises, learning_rates
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import MetricSeries, RunEvidence
    from quark.analyzers.loss_curve import LossCurve
    from quark.analyzers.thresholds import AnalyzerThresholds


def learning_rate_schedule(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, of the learning rate."""
    own = limits.loss
    rates = learning_rates(evidence)
    if rates is None or len(rates) < own.learning_rate_schedule_min_points:
        return
    top = float(rates.value.max())
    if top <= 0:
        return
    found = _gone_early(evidence, rates, top, limits) or _cycles(rates, top, limits)
    if found is not None:
        yield found


def _gone_early(
    evidence: RunEvidence, rates: MetricSeries, top: float, limits: AnalyzerThresholds
) -> Finding | None:
    own, n = limits.loss, len(rates)
    high = np.flatnonzero(rates.value > own.learning_rate_schedule_floor * top)
    place = int(high[-1]) + 1
    if place > own.learning_rate_schedule_before_ratio * n or n - place < 10:
        return None
    step, last = int(rates.step[place]), int(rates.step[-1])
    curve = loss_curve(evidence, 20)
    words, severity = "", "warning"
    if curve is None:
        if place > n // 4:
            return None
    else:
        before = curve.value[curve.step <= step]
        after = curve.value[curve.step > step]
        if len(before) < 3 or len(after) < 6 or curve.start <= 0:
            return None
        at = float(np.median(before[-max(3, len(before) // 10) :]))
        at = max(at, float(np.median(after[: max(3, len(after) // 10)])))
        end = float(np.median(after[-max(3, len(after) // 3) :]))
        was_learned = at <= own.learning_rate_schedule_learned_ratio * curve.start
        still_falls = at - end > 0.1 * abs(at)
        if was_learned or still_falls or not _was_falling(curve, rates):
            return None
        words = f" {curve.key} stood at {at:.4g} then, and is {end:.4g} at the end."
        severity = "error" if at > 0.5 * curve.start else "warning"
    return Finding(
        rule_id="learning_rate_schedule",
        severity=severity,
        fact=f"{rates.key} fell from {top:.3g} below {own.learning_rate_schedule_floor:g} of that "
        f"by step {step}, after {place / n:.0%} of the run.{words}",
        inference="The rest of the run teaches nothing: the scheduler is probably stepped per "
        "batch though it was meant per epoch, or its length is wrong.",
        observed=place / n,
        threshold=own.learning_rate_schedule_before_ratio,
        step_range=(step, last),
        subject=rates.key,
    )


def _was_falling(curve: LossCurve, rates: MetricSeries) -> bool:
    """Whether the loss still fell when the rate was halved; one that is lowered on a plateau may
    be. A plateau takes points: if there were few, there was none."""
    top = int(np.argmax(rates.value))
    halved = top + int(np.argmax(rates.value[top:] <= 0.5 * rates.value[top]))
    before = curve.value[curve.step <= rates.step[halved]]
    if len(before) < 40:
        return True
    part = len(before) // 4
    earlier, later = before[-2 * part : -part], before[-part:]
    error = 2.5 * curve.noise * (2.0 / part) ** 0.5
    fell = float(np.median(earlier) - np.median(later))
    return bool(fell > max(error, 0.02 * curve.start))


def _cycles(rates: MetricSeries, top: float, limits: AnalyzerThresholds) -> Finding | None:
    own = limits.loss
    count = count_rises(rates, own.learning_rate_schedule_cycle_floor)
    if count < own.learning_rate_schedule_min_cycles:
        return None
    # Restarts jump up within a point; a cosine that runs on climbs as it fell.
    differences = np.diff(rates.value)
    largest = float(differences.max())
    if largest > 1.6 * float(-differences.min()):
        return None
    return Finding(
        rule_id="learning_rate_schedule",
        severity="warning",
        fact=f"{rates.key} fell from {top:.3g} to next to nothing and rose again {count} times "
        f"within {len(rates)} points.",
        inference="A cosine whose length was meant in epochs is probably stepped per batch, so "
        "that it runs up and down again and again.",
        observed=float(count),
        threshold=float(own.learning_rate_schedule_min_cycles),
        step_range=(int(rates.step[0]), int(rates.step[-1])),
        subject=rates.key,
    )


RULE = Rule(
    rule_id="learning_rate_schedule",
    category="optimization",
    title="Learning rate schedule",
    check=learning_rate_schedule,
    advice=(
        "Call scheduler.step() once an epoch, or give the scheduler its length in steps: T_max, "
        "step_size and total_steps count calls of scheduler.step().",
        "Log optimizer.param_groups[0]['lr'] and look at the whole curve before a long run.",
    ),
    explains=(
        "learning_rate_zero",
        "learning_rate_too_low",
        "loss_not_decreasing",
        "oscillating_loss",
        "parameters_unchanged",
        "update_ratio",
        "accuracy_at_chance",
        "overtraining",
        "stagnant_layers",
    ),
)
