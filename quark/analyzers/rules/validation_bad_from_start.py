"""Validation bad from the start: it is far above training at the first evaluation and stays there.

Observes that the validation loss is ``bad_start_factor`` times the training loss at every
evaluation, the first included, and has never fallen by ``bad_start_gain_ratio`` of its first value,
while the training loss has fallen by half. Overfitting looks different: it begins side by side.
This is a validation that measures something else: the model in the wrong mode, inputs prepared
differently, labels that mean something else.
Source: Karpathy, "A Recipe for Training Neural Networks", 2019, on verifying the whole skeleton
before training; the rule is ours.
Default: ours, from healthy and faulty runs of small models.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.rule import Rule
from quark.analyzers.side_by_side import (
    SMALLEST,
    accuracy_curve,
    end_level,
    losses_side_by_side,
    smoothed,
)

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

#: An accuracy that has risen so much since the first evaluation has learned from training.
_ACCURACY_GAIN = 0.05


def validation_bad_from_start(
    evidence: RunEvidence, limits: AnalyzerThresholds
) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    both, family = losses_side_by_side(evidence), limits.generalization
    if both is None or not both.is_comparable or len(both) < family.bad_start_min_points:
        return
    train, val = both.train, both.val
    now = end_level(train)
    # Where training has reached zero and below, "times as high" has no meaning.
    if both.train_start <= 0 or not (train > 0).all():
        return
    if both.train_start - now < family.bad_start_train_fall_ratio * both.train_start:
        return
    factors = val / np.maximum(train, SMALLEST)
    if not (factors >= family.bad_start_factor).all():
        return
    lowest = float(smoothed(val).min())
    if lowest <= (1.0 - family.bad_start_gain_ratio) * float(val[0]) or lowest < both.train_start:
        return
    accuracy = accuracy_curve(evidence.role("val_accuracy"))
    if accuracy is not None and (
        end_level(accuracy.value) - float(accuracy.value[0]) > _ACCURACY_GAIN
    ):
        return
    factor = float(np.median(factors))
    graded = grade(factor, warning=family.bad_start_factor, error=family.bad_start_error_factor)
    if graded is None:
        return
    yield Finding(
        rule_id="validation_bad_from_start",
        severity=graded[0],
        fact=(
            f"{both.val_key} was {float(val[0]):.4g} at its first evaluation and never below "
            f"{lowest:.4g}, while {both.train_key} fell from {both.train_start:.4g} to {now:.4g}."
        ),
        inference=(
            "Nothing that is learned reaches validation: it probably runs in the wrong mode, or "
            "on data that are prepared or labelled differently."
        ),
        observed=factor,
        threshold=graded[1],
        step_range=(int(both.step[0]), int(both.step[-1])),
        source=both.val_key,
    )


RULE = Rule(
    rule_id="validation_bad_from_start",
    category="generalization",
    title="Validation bad from the start",
    check=validation_bad_from_start,
    advice=(
        "Call model.eval() before validation, and check the running statistics of its norms.",
        "Run validation on training data: the loss must come out as in training.",
        "Compare shape, range and labels of one batch of each.",
    ),
    explains=("overfitting_onset", "generalization_gap", "overtraining"),
)
