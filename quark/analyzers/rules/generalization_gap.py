"""Generalization gap: training is good, and validation stays much worse without improving.

Observes the last half of the evaluations. By accuracy: training is ``gap_warning_accuracy`` above
validation throughout. By loss: of the loss that training has got rid of, validation still has
``gap_warning_loss_share`` more than training, and is ``gap_loss_factor`` times as high, throughout.
Validation must have stopped improving, because a gap that closes is no finding.
A validation loss that rises is :mod:`~quark.analyzers.rules.overfitting_onset`'s; this is for the
gap that just stands: too little data, classes that training never sees, data of two kinds.
Source: Goodfellow, Bengio & Courville, "Deep Learning", 2016, section 5.2.
Default: ours, from healthy and faulty runs of small models. Losses are compared as shares of where
training began, because the ratio of two losses says nothing where training comes near zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.rule import Rule
from quark.analyzers.side_by_side import (
    SideBySide,
    accuracies_side_by_side,
    accuracy_curve,
    end_level,
    last_part,
    losses_side_by_side,
)

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_INFERENCE = (
    "What is learned holds for the training data only: there may be too little of it, or it may "
    "lack something that validation has."
)


def generalization_gap(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run: of accuracy if that shows it, else of loss."""
    found = _by_accuracy(evidence, limits) or _by_loss(evidence, limits)
    if found is not None:
        yield found


def _by_accuracy(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    both, family = accuracies_side_by_side(evidence), limits.generalization
    if both is None or not both.is_comparable or len(both) < family.gap_min_points:
        return None
    if _still_improves(-both.val, family.gap_gain_ratio * max(0.0, 1.0 - float(both.val[0]))):
        return None
    gaps = last_part(both.train - both.val, 0.5)
    gap = float(np.median(gaps))
    if not (gaps > 0.5 * family.gap_warning_accuracy).all():
        return None
    graded = grade(gap, warning=family.gap_warning_accuracy, error=family.gap_error_accuracy)
    if graded is None:
        return None
    fact = (
        f"{both.train_key} is {gap:.3f} above {both.val_key} in the last {len(gaps)} evaluations: "
        f"{end_level(both.train):.3f} against {end_level(both.val):.3f}."
    )
    return _finding(both, len(gaps), graded, fact, gap)


def _by_loss(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    both, family = losses_side_by_side(evidence), limits.generalization
    if both is None or not both.is_comparable or len(both) < family.gap_min_points:
        return None
    train = last_part(both.train, 0.5)
    val = last_part(both.val, 0.5)
    level = float(np.median(train))
    gained = both.train_start - level
    if gained <= 0 or gained < family.gap_train_fall_ratio * abs(both.train_start):
        return None
    if _still_improves(both.val, family.gap_gain_ratio * gained):
        return None
    shares = (val - train) / gained
    share = float(np.median(shares))
    if not (shares > 0.5 * family.gap_warning_loss_share).all():
        return None
    if not float(np.median(val)) >= family.gap_loss_factor * level:
        return None
    warning: float | None = family.gap_warning_loss_share
    if not both.knows_start:
        warning = None  # logged once an epoch, the first loss is a mean, far below the beginning
    graded = grade(share, warning=warning, error=family.gap_error_loss_share)
    if graded is None:
        return None
    accuracy = accuracy_curve(evidence.role("val_accuracy"))
    if accuracy is not None:
        if len(accuracy) >= family.gap_min_points and _still_improves(
            -accuracy.value, family.gap_gain_ratio
        ):
            return None
        if end_level(accuracy.value) >= family.gap_good_accuracy:
            graded = "info", graded[1]
    fact = (
        f"{both.train_key} fell from {both.train_start:.4g} to {level:.4g}, but {both.val_key} "
        f"stands at {end_level(both.val):.4g} and no longer improves: it lacks {share:.0%} of what "
        "training has gained."
    )
    return _finding(both, len(val), graded, fact, share)


def _still_improves(falling: Float64Array, least: float) -> bool:
    """Whether the end of a curve lies below its middle by ``least``."""
    third = max(1, len(falling) // 3)
    middle = float(np.median(falling[-2 * third : -third]))
    return middle - float(np.median(falling[-third:])) > least


def _finding(
    both: SideBySide, count: int, graded: tuple[str, float], fact: str, observed: float
) -> Finding:
    return Finding(
        rule_id="generalization_gap",
        severity=graded[0],
        fact=fact,
        inference=_INFERENCE,
        observed=observed,
        threshold=graded[1],
        step_range=(int(both.step[-count]), int(both.step[-1])),
        source=both.val_key,
    )


RULE = Rule(
    rule_id="generalization_gap",
    category="generalization",
    title="Generalization gap",
    check=generalization_gap,
    advice=(
        "Check how many samples training really sees, and that every class is among them.",
        "Check that training and validation data are prepared alike and come from one source.",
        "Use more data, augmentation, weight decay or dropout, or a smaller model.",
    ),
    explains=("overtraining",),
)
