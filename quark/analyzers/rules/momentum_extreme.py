"""Momentum extreme: the optimizer remembers gradients for hundreds of steps.

Observes the settings of the optimizers that step in the watched loop.
Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML
2013, use up to 0.995 with a schedule; Kingma & Ba, "Adam", 2015, use 0.9 for the first beta.
Default: 0.995 for momentum and 0.99 for a first beta, from which on the effective step is 100 to
200 times the learning rate. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.watched_loops import watched_loops

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def momentum_extreme(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    names = {"momentum": own.momentum_limit, "beta1": own.first_beta_limit}
    for loop in watched_loops(evidence):
        if loop.total("optimizer_step_count") < own.outside_min_steps:
            continue
        found = [
            (float(group[name]), name, str(one.get("class_name")), limit)
            for one in loop.optimizers()
            for group in one.get("groups", ())
            for name, limit in names.items()
            if group.get(name, 0.0) >= limit
        ]
        if not found:
            continue
        value, name, class_name, limit = max(found)
        words = "momentum" if name == "momentum" else "first beta"
        steps = loop.step
        yield Finding(
            rule_id="momentum_extreme",
            severity="warning",
            fact=f"{class_name} trains {loop.name} with a {words} of {value:g}.",
            inference=(
                f"Each step probably carries the gradients of some {1 / max(1e-6, 1 - value):,.0f} "
                "steps, so the training overshoots and is slow to turn."
            ),
            observed=value,
            threshold=limit,
            step_range=(int(steps.min()), int(steps.max())),
            subject=loop.subject,
        )


RULE = Rule(
    rule_id="momentum_extreme",
    category="optimization",
    title="Extreme momentum",
    check=momentum_extreme,
    advice=(
        "Use 0.9, or up to 0.99 with a learning rate that is lower by the same factor.",
        "If it is meant, raise it over time, and check that the loss does not oscillate.",
    ),
    explains=(
        "oscillating_loss",
        "loss_divergence",
        "loss_spike",
        "loss_not_decreasing",
        "learning_rate_too_high",
        "learning_rate_too_low",
        "diverging_weights",
        "exploding_gradients",
        "gradient_norm_spike",
        "activation_collapse",
        "accuracy_at_chance",
        "collapsed_predictions",
        "update_ratio",
        "non_finite_values",
        "loss_scale",
    ),
)
