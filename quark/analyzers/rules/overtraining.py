"""Overtraining: validation has not improved for long, and training goes on.

Observes how many evaluations have passed since the best one, and which share of the run they are.
Where validation has only stood still the finding is ``info``: a converged model is healthy, and the
steps were merely spent. It is a ``warning`` where most of the run came after the best evaluation
and validation has got worse by as much as :mod:`~quark.analyzers.rules.overfitting_onset` asks for,
whatever training did meanwhile. So it is where validation accuracy has fallen for good while the
training loss fell as well, even if the validation loss has not turned: wrong labels that are
learned by heart are seen there first.
Source: Amazon SageMaker Debugger, rule Overtraining.
Default: the patience of 10 evaluations is SageMaker's; the shares of the run are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, severity_rank
from quark.analyzers.rule import Rule
from quark.analyzers.side_by_side import (
    Curve,
    accuracy_curve,
    curve,
    end_level,
    losses_side_by_side,
    smoothed,
)
from quark.analyzers.turning import find_turn

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def overtraining(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run: of the loss, or of the accuracy if that tells more."""
    by_loss = _by_loss(evidence, limits)
    by_accuracy = _by_accuracy(evidence, limits)
    found = [one for one in (by_loss, by_accuracy) if one is not None]
    if found:
        yield max(found, key=lambda one: severity_rank(one.severity))


def _by_loss(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    found = curve(evidence.role("val_loss"))
    if found is None:
        return None
    both = losses_side_by_side(evidence)
    began = both.train_start if both is not None and both.is_comparable else -np.inf
    turn = find_turn(
        found.value,
        began,
        limits.generalization,
        min_points=max(2, limits.overfitting_min_points),
    )
    patience = limits.generalization.overtraining_patience_points
    return _finding(found, found.value, turn is not None, patience, limits)


def _by_accuracy(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    found, family = accuracy_curve(evidence.role("val_accuracy")), limits.generalization
    if found is None:
        return None
    falling = -found.value
    turn = find_turn(
        falling,
        -np.inf,
        family,
        min_points=family.overtraining_fallen_points + 1,
        least_rise=family.overtraining_accuracy_drop,
    )
    if turn is not None and not _training_fell(evidence, int(found.step[turn.place])):
        turn = None
    patience = family.overtraining_patience_points
    if turn is not None:
        patience = family.overtraining_fallen_points
    return _finding(found, falling, turn is not None, patience, limits)


def _training_fell(evidence: RunEvidence, since_step: int) -> bool:
    """Whether the training loss is lower than it was; True where nobody knows."""
    both = losses_side_by_side(evidence)
    if both is None:
        return True
    place = min(int(np.searchsorted(both.step, since_step)), len(both) - 1)
    return end_level(both.train) < float(smoothed(both.train)[place])


def _finding(
    found: Curve, falling: Float64Array, is_worse: bool, patience: int, limits: AnalyzerThresholds
) -> Finding | None:
    sign = 1.0 if falling is found.value else -1.0
    family, values = limits.generalization, smoothed(falling)
    lowest = float(values.min())
    delta = family.overtraining_delta_ratio * abs(lowest)
    best = int(np.argmax(values <= lowest + delta))  # the first that is as good as the best
    after = (len(found) - 1 - best) * found.point_count / len(found)
    first, last = int(found.step[0]), int(found.step[-1])
    wasted = (last - int(found.step[best])) / max(1, last - min(first, 0))
    if after < patience or wasted < family.overtraining_info_run_ratio:
        return None
    is_warning = is_worse and wasted >= family.overtraining_warning_run_ratio
    if not is_warning and after < family.overtraining_patience_points:
        return None
    return Finding(
        rule_id="overtraining",
        severity="warning" if is_warning else "info",
        fact=(
            f"{found.key} was as good as it got, {sign * lowest:.4g}, at step {found.step[best]}; "
            f"{wasted:.0%} of the run followed, and ended at {sign * end_level(falling):.4g}."
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
