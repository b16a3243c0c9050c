"""Missing zero_grad: gradients of earlier steps are still there when new ones are added.

Observes, in steps of the watched loop that are looked at, the gradient that one parameter has
before a backward pass adds to it. In a step that resets gradients at least one pass finds none;
with gradient accumulation that is the first of them.
Source: the PyTorch tutorials' ``zero_grad`` recipe; as an invariant, TrainCheck (OSDI 2025).
Default: 90 % of at least 3 steps; what counts is 1 % of the gradient afterwards. Ours.
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


def missing_zero_grad(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        stale, after = loop.number("stale_gradient_norm"), loop.number("backward_gradient_norm")
        known = (loop.number("window_backward_count") > 0) & (after > 0) & ~np.isnan(stale)
        if np.count_nonzero(known) < own.loop_min_probes:
            continue
        seen = known & (stale > own.missing_zero_grad_stale_ratio * after)
        share = np.count_nonzero(seen) / np.count_nonzero(known)
        if share < own.loop_probe_ratio:
            continue
        yield Finding(
            rule_id="missing_zero_grad",
            severity="error",
            fact=(
                f"In {np.count_nonzero(seen)} of {np.count_nonzero(known)} steps that were looked "
                "at, the gradient of the steps before was still there when the backward pass "
                f"added to it ({loop.name})."
            ),
            inference="Gradients are probably never reset, so each step repeats all earlier ones.",
            observed=share,
            threshold=own.loop_probe_ratio,
            step_range=loop.steps_where(seen),
            subject=loop.subject,
        )


RULE = Rule(
    rule_id="missing_zero_grad",
    category="optimization",
    title="Gradients are not reset",
    check=missing_zero_grad,
    advice=(
        "Call optimizer.zero_grad() once a step, before loss.backward().",
        "With gradient accumulation, call it after each optimizer.step().",
        "If gradients are meant to build up, use momentum instead.",
    ),
    explains=(
        "exploding_gradients",
        "diverging_weights",
        "loss_divergence",
        "loss_spike",
        "oscillating_loss",
        "gradient_norm_spike",
        "loss_not_decreasing",
        "learning_rate_too_high",
        "update_ratio",
        "non_finite_values",
        "activation_collapse",
        "collapsed_predictions",
        "accuracy_at_chance",
        "overtraining",
        "clipping_always_active",
        "overfitting_onset",
        "generalization_gap",
    ),
)
