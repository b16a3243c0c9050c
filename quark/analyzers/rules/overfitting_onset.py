"""Overfitting: the validation loss rises for good while the training loss goes on falling.

Observes the gap, how much higher the validation loss is than the training loss relative to the
latter, which sets the severity (``overfitting_*_gap``). The gap alone is no sign: where training
comes near zero it grows without bound in perfect health. So it counts only after a turn: over at
least ``overfitting_min_points`` evaluations from its lowest one on, the validation loss has risen
by a real amount, beyond its noise, and the training loss has fallen. Where validation accuracy
still rises, or is high and has lost nothing, the model has grown overconfident rather than worse,
and the finding is ``info``.
Source: the gap is Amazon SageMaker Debugger's rule Overfit; the turn is early stopping as in
Prechelt, "Early Stopping, But When?", 1998.
Default: the gaps of 0.2, 0.4 and 0.7 and the 3 points are the SDK guide's. What a real amount is
(a tenth of the lowest value and of what was gained, three times the noise) is ours, from healthy
and overfitted runs of small models.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation, grade
from quark.analyzers.rule import Rule
from quark.analyzers.side_by_side import (
    accuracy_curve,
    end_level,
    losses_side_by_side,
    smoothed,
)
from quark.analyzers.turning import FEW_POINTS, find_turn

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.limits.generalization import GeneralizationLimits
    from quark.analyzers.thresholds import AnalyzerThresholds

_TINY = 1e-12


def overfitting_onset(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    both = losses_side_by_side(evidence)
    if both is None:
        return
    turn = find_turn(
        both.val,
        both.train_start if both.is_comparable else -np.inf,
        limits.generalization,
        min_points=limits.overfitting_min_points,
    )
    if turn is None:
        return
    train_then, train_now = float(smoothed(both.train)[turn.place]), end_level(both.train)
    fall = train_then - train_now
    # A short tail may be one bad evaluation of an unsteady run: there training must not waver.
    since = both.train[turn.place :]
    if len(since) <= FEW_POINTS and not (np.diff(since) <= 0).all():
        return
    if fall < limits.generalization.overfitting_train_fall_ratio * abs(train_then) or fall <= 0:
        return
    # What measures something else is set on the training loss where validation turned.
    scale = 1.0 if both.is_comparable else train_then / (turn.lowest or _TINY)
    gap = (turn.now * scale - train_now) / max(abs(train_now), _TINY)
    graded = grade(
        gap,
        warning=limits.overfitting_warning_gap,
        error=limits.overfitting_error_gap,
        critical=limits.overfitting_critical_gap,
    )
    if graded is None:
        return
    severity, threshold = graded
    steps = int(both.step[turn.place]), int(both.step[-1])
    inference = "The model is learning its training data by heart."
    gained = _accuracy_gain(evidence, steps[0])
    if gained >= limits.generalization.overfitting_accuracy_gain:
        severity = "info"
        inference = (
            f"Validation accuracy still rises, by {gained:.3f} of late: the model grows "
            "overconfident rather than worse."
        )
    elif _is_good_still(evidence, limits.generalization, steps[0]):
        severity = "info"
        inference = "Validation accuracy is high and holds: the model grows overconfident."
    yield Finding(
        rule_id="overfitting_onset",
        severity=severity,
        fact=(
            f"{both.val_key} rose from {turn.lowest:.4g} at step {steps[0]} to {turn.now:.4g} at "
            f"step {steps[1]}, while {both.train_key} fell from {train_then:.4g} to "
            f"{train_now:.4g}: a gap of {gap:.0%}."
        ),
        inference=inference,
        observed=gap,
        threshold=threshold,
        step_range=steps,
        source=both.val_key,
        observations=(
            Observation(
                source=both.val_key,
                summary="rise from its lowest value",
                observed=turn.now - turn.lowest,
                threshold=turn.least_rise,
                step_range=steps,
            ),
        ),
    )


def _is_good_still(evidence: RunEvidence, family: GeneralizationLimits, since_step: int) -> bool:
    """Whether validation accuracy is high and as high as it was at the turn."""
    accuracy = accuracy_curve(evidence.role("val_accuracy"))
    if accuracy is None:
        return False
    level, before = smoothed(accuracy.value), accuracy.step <= since_step
    best = float(level[before].max()) if before.any() else 0.0
    now = end_level(accuracy.value)
    return now >= family.overfitting_good_accuracy and now >= best - 0.005


def _accuracy_gain(evidence: RunEvidence, since_step: int) -> float:
    """Return how far validation accuracy has risen in the last half of the time since a step."""
    accuracy = accuracy_curve(evidence.role("val_accuracy"))
    if accuracy is None:
        return 0.0
    after = smoothed(accuracy.value)[accuracy.step >= since_step]
    if len(after) < 2:
        return 0.0
    half = len(after) // 2
    return end_level(after) - float(np.median(after[: max(1, half)][-max(1, half // 2) :]))


RULE = Rule(
    rule_id="overfitting_onset",
    category="generalization",
    title="Overfitting",
    check=overfitting_onset,
    advice=(
        "Stop at the step with the lowest validation loss, and keep that checkpoint.",
        "Use more data or augmentation; check that the training set is as large as it should be.",
        "Add weight decay or dropout, or make the model smaller.",
        "Look for wrong labels: noise that is learned by heart looks the same.",
    ),
    explains=("generalization_gap", "overtraining"),
)
