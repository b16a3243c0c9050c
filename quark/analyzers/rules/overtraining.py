"""Overtraining: validation has not improved for long, and training goes on.

Observes how many evaluations have passed since the best one, and which share of the run they are.
Where validation has only stood still the finding is ``info``: a converged model is healthy, and the
steps were merely spent. It is a ``warning`` where most of the run came after the best evaluation
and validation has got worse by as much as :mod:`~quark.analyzers.rules.overfitting_onset` asks for,
whatever training did meanwhile. Without a validation loss, validation accuracy is looked at.
Source: Amazon SageMaker Debugger, rule Overtraining.
Default: the patience of 10 evaluations is SageMaker's; the shares of the run are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.side_by_side import (
    accuracy_curve,
    curve,
    end_level,
    losses_side_by_side,
    smoothed,
)
from quark.analyzers.turning import find_turn

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def overtraining(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    family = limits.generalization
    is_loss = True
    found = curve(evidence.role("val_loss"))
    if found is None:
        is_loss, found = False, accuracy_curve(evidence.role("val_accuracy"))
    if found is None or found.point_count <= family.overtraining_patience_points:
        return
    values = smoothed(found.value if is_loss else -found.value)
    lowest = float(values.min())
    delta = family.overtraining_delta_ratio * abs(lowest)
    best = int(np.argmax(values <= lowest + delta))  # the first that is as good as the best
    after = (len(found) - 1 - best) * found.point_count / len(found)
    first, last = int(found.step[0]), int(found.step[-1])
    wasted = (last - int(found.step[best])) / max(1, last - min(first, 0))
    if after < family.overtraining_patience_points or wasted < family.overtraining_info_run_ratio:
        return
    falling = found.value if is_loss else -found.value
    both = losses_side_by_side(evidence) if is_loss else None
    began = both.train_start if both is not None and both.is_comparable else -np.inf
    turn = find_turn(falling, began, family, min_points=max(2, limits.overfitting_min_points))
    is_worse = turn is not None and (
        is_loss or turn.now - turn.lowest >= family.overtraining_accuracy_drop
    )
    is_warning = is_worse and wasted >= family.overtraining_warning_run_ratio
    sign = 1.0 if is_loss else -1.0
    best_value, now_value = sign * lowest, sign * end_level(falling)
    yield Finding(
        rule_id="overtraining",
        severity="warning" if is_warning else "info",
        fact=(
            f"{found.key} was as good as it got, {best_value:.4g}, at step {found.step[best]}; "
            f"{wasted:.0%} of the run followed, and ended at {now_value:.4g}."
        ),
        inference=(
            "The training has gone on past its best model."
            if is_warning
            else "The run could have ended sooner."
        ),
        observed=wasted,
        threshold=(
            family.overtraining_warning_run_ratio
            if is_warning
            else family.overtraining_info_run_ratio
        ),
        step_range=(int(found.step[best]), last),
        source=found.key,
    )


RULE = Rule(
    rule_id="overtraining",
    category="generalization",
    title="Overtraining",
    check=overtraining,
    advice=(
        "Stop early: end the run when validation has not improved for some evaluations.",
        "Keep the checkpoint with the best validation metric, not the last one.",
        "Let the learning rate decay sooner, so that the run uses its steps.",
    ),
)
