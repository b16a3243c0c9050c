"""Loss divergence: the training loss rises far above where it was, and stays there.

Observes the medians of equal stretches of the run. Either the loss ends at several times the level
it began at, or at least half of what had been learned is lost again, for the last part of the run
and by far more than the noise. A rise that comes down again is a spike, not this.
Source: Lightning's ``EarlyStopping(divergence_threshold)``, made relative to the run's own start.
Default: three times the start, or half of the fall lost for the last 15 % of the run; ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.loss_curve import loss_curve, point_noise
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.limits.loss import LossLimits
    from quark.analyzers.loss_curve import LossCurve
    from quark.analyzers.thresholds import AnalyzerThresholds


def loss_divergence(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, of the training loss."""
    own = limits.loss
    curve = loss_curve(evidence, own.loss_divergence_min_points)
    if curve is None:
        return
    tail = max(2, int(np.ceil(own.loss_divergence_lasting_ratio * len(curve.level))))
    last = float(np.median(curve.level[-tail:]))
    error = max(curve.level_error, point_noise(curve.level))
    sure = own.loss_divergence_sigmas * error / float(np.sqrt(min(tail, 3)))
    found = _above_start(curve, last, tail, sure, own) or _fall_lost(curve, last, tail, sure, own)
    if found is not None:
        yield found


def _above_start(
    curve: LossCurve, last: float, tail: int, sure: float, own: LossLimits
) -> Finding | None:
    # Of a heavy-tailed loss the first points may be low by chance, but not all of them.
    highest_first = max(curve.start, float(curve.value[:3].max()))
    if curve.start <= 0 or last - curve.start <= sure or last <= highest_first:
        return None
    rise = last / curve.start
    graded = grade(
        rise, error=own.loss_divergence_error_rise, critical=own.loss_divergence_critical_rise
    )
    if graded is None:
        return None
    severity, threshold = graded
    limit = curve.start * own.loss_divergence_error_rise
    first = int(curve.level_step[_first_above(curve.level, limit, tail)])
    return Finding(
        rule_id="loss_divergence",
        severity=severity,
        fact=f"{curve.key} began at {curve.start:.4g} and ends at {curve.end:.4g}, {rise:.3g} "
        f"times as high; it has been that high since step {first}.",
        inference="The training diverged: its steps make the model worse, not better.",
        observed=rise,
        threshold=threshold,
        step_range=(first, curve.last_step),
        subject=curve.key,
    )


def _fall_lost(
    curve: LossCurve, last: float, tail: int, sure: float, own: LossLimits
) -> Finding | None:
    learned, rise = curve.start - curve.best, last - curve.best
    least = own.loss_divergence_min_learned_ratio * max(abs(curve.start), 1e-12)
    limit, certain = own.loss_divergence_lost_ratio, sure
    if learned < least:  # little was learned: then all of it has to be lost
        least, limit, certain = least / 3.0, own.loss_divergence_lost_all_ratio, 1.5 * sure
    if learned < max(least, certain) or rise < max(sure, limit * learned):
        return None
    stays = float(np.mean(curve.level[-tail:] > curve.best + 0.7 * rise))
    if stays < 0.75 or int(np.argmin(curve.level)) >= len(curve.level) - tail:
        return None
    first = int(curve.level_step[_first_above(curve.level, curve.best + 0.5 * rise, tail)])
    lost = rise / learned
    return Finding(
        rule_id="loss_divergence",
        severity="error",
        fact=f"{curve.key} had fallen from {curve.start:.4g} to {curve.best:.4g} and ends at "
        f"{curve.end:.4g}: since step {first}, {min(lost, 1.0):.0%} of the fall is lost.",
        inference="The training diverged after it had learned: from some step on it undoes what it "
        "knew.",
        observed=lost,
        threshold=limit,
        step_range=(first, curve.last_step),
        subject=curve.key,
    )


def _first_above(level: Float64Array, limit: float, tail: int) -> int:
    """Return the first stretch from which on the level stays at ``limit`` or above."""
    below = np.flatnonzero(level[:-tail] < limit)
    return int(below[-1]) + 1 if len(below) else 0


RULE = Rule(
    rule_id="loss_divergence",
    category="optimization",
    title="Loss divergence",
    check=loss_divergence,
    advice=(
        "Lower the learning rate by 3 to 10 times, or warm it up over the first steps.",
        "Clip gradients: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
        "Go on from the last checkpoint before it rose, with a lower learning rate.",
        "Check that optimizer.zero_grad() is called in every step.",
    ),
    explains=(
        "non_finite_values",
        "loss_spike",
        "oscillating_loss",
        "gradient_norm_spike",
        "exploding_gradients",
        "vanishing_gradients",
        "stagnant_layers",
        "diverging_weights",
        "update_ratio",
        "activation_collapse",
        "accuracy_at_chance",
        "collapsed_predictions",
        "overfitting_onset",
        "overtraining",
        "amp_scale_collapse",
    ),
)
