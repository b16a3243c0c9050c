"""Evaluation in train mode: the model is evaluated with dropout and batch statistics on.

Observes forward passes of the watched model without gradients and in training mode, where the
model has modules that behave differently then. They have to come in stretches, seldom enough to be
evaluations and no part of the training; without a validation metric this is only worth knowing.
Source: PyTorch's notes on ``model.eval()``; SageMaker and UMLAUT check the like.
Default: 80 % of such passes, over at least 2 stretches, at most one in 3 steps. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.watched_loops import watched_loops

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


_VALIDATION = ("val_loss", "val_accuracy", "val_score")


def evaluation_in_train_mode(
    evidence: RunEvidence, limits: AnalyzerThresholds
) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        column = loop.number("train_mode_no_grad_forward_count")
        wrong, passes = float(np.nansum(column)), loop.total("no_grad_forward_count")
        bursts = loop.total("no_grad_burst_count")
        steps = max(loop.total("optimizer_step_count"), loop.total("backward_count"))
        if not loop.last("mode_module_count") or bursts < own.evaluation_min_bursts:
            continue
        too_often = bursts > own.evaluation_max_burst_ratio * steps
        if too_often or wrong < own.evaluation_ratio * passes:
            continue
        validates = any(evidence.role(role) is not None for role in _VALIDATION)
        yield Finding(
            rule_id="evaluation_in_train_mode",
            severity="warning" if validates else "info",
            fact=(
                f"{wrong:,.0f} of {passes:,.0f} forward passes without gradients were made in "
                f"training mode, and {loop.name} has {loop.last('mode_module_count'):.0f} modules "
                "(dropout, batch normalisation) that behave differently then."
            ),
            inference="Validation figures are probably worse, and noisier, than the model is.",
            observed=wrong / passes,
            threshold=own.evaluation_ratio,
            step_range=loop.steps_where(column > 0),
            subject=loop.subject,
        )


RULE = Rule(
    rule_id="evaluation_in_train_mode",
    category="generalization",
    title="Evaluation in train mode",
    check=evaluation_in_train_mode,
    advice=(
        "Call model.eval() before evaluating, and model.train() afterwards.",
        "If this is meant (Monte Carlo dropout), evaluate in evaluation mode as well.",
    ),
    explains=("generalization_gap", "validation_bad_from_start", "overfitting_onset"),
)
