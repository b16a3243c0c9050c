"""Loss reduction: the loss is summed over the batch where the mean is usual.

Observes, in steps of the watched loop that are looked at, how much one row weighs in the gradient
of the outputs: exactly 1 in a sum, whatever the batch; one over the count of rows in a mean. For a
squared error the same is told from the logged training loss: it is a quarter of the squared norm
of that gradient if it is a sum.
Source: the losses' own formulas; UMLAUT and DeepFD list wrong reductions among faults of the loss.
Default: 2 % off 1 at most, in 90 % of at least 3 steps, with 8 rows or more. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.squared_errors import squared_error_scales
from quark.analyzers.watched_loops import watched_loops

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def loss_reduction(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        scale = loop.number("loss_row_scale")
        by_loss = squared_error_scales(loop, evidence)
        scale = np.where(np.isnan(loop.number("loss_direction")), by_loss, scale)
        rows = loop.number("output_row_count")
        known = ~np.isnan(scale) & (rows >= own.loss_reduction_min_rows)
        if np.count_nonzero(known) < own.loop_min_probes:
            continue
        summed = known & (np.abs(scale - 1.0) <= own.loss_scale_tolerance_ratio)
        share = np.count_nonzero(summed) / np.count_nonzero(known)
        if share < own.loop_probe_ratio:
            continue
        count = float(np.median(rows[summed]))
        yield Finding(
            rule_id="loss_reduction",
            severity="warning",
            fact=(
                f"In {np.count_nonzero(summed)} of {np.count_nonzero(known)} steps that were "
                f"looked at, each of the {count:.0f} rows of {loop.name}'s output weighs 1 in the "
                f"loss, not 1/{count:.0f}."
            ),
            inference=(
                "The loss is probably a sum over the batch, which multiplies the learning rate by "
                "its size."
            ),
            observed=float(np.median(scale[summed])),
            threshold=1.0 / count,
            step_range=loop.steps_where(summed),
            subject=loop.subject,
        )


RULE = Rule(
    rule_id="loss_reduction",
    category="optimization",
    title="Loss summed over the batch",
    check=loss_reduction,
    advice=(
        'Use reduction="mean", or divide the sum by the number of rows.',
        "If the sum is meant, divide the learning rate by the batch size.",
        "Check that clipping and weight decay fit the size of a summed loss.",
    ),
    explains=(
        "exploding_gradients",
        "loss_divergence",
        "loss_spike",
        "oscillating_loss",
        "learning_rate_too_high",
        "gradient_norm_spike",
        "update_ratio",
        "diverging_weights",
        "non_finite_values",
        "loss_not_decreasing",
        "clipping_always_active",
        "activation_collapse",
        "accuracy_at_chance",
        "loss_scale",
        "collapsed_predictions",
    ),
)
