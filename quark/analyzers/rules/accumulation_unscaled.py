"""Accumulation unscaled: gradients of several backward passes are added where the mean is usual.

Observes, in steps of the watched loop that are looked at, how many backward passes an optimizer
step collects, and whether each has the weight of a whole batch's mean: with k passes its share
would be one k-th. For a squared error that is told from the logged loss.
Source: transformers' issue on gradient accumulation (2024), Hugging Face's and Lightning's loops,
which divide.
Default: 4 passes for a warning, in 90 % of at least 3 steps; fewer are only worth knowing. Ours.
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


def accumulation_unscaled(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        passes, rows = loop.number("window_backward_count"), loop.number("output_row_count")
        elements = rows * np.nan_to_num(loop.number("output_column_count"), nan=1.0)
        unknown = np.isnan(loop.number("loss_direction"))
        by_loss = squared_error_scales(loop, evidence) * elements
        whole = np.where(unknown, by_loss, loop.number("loss_row_scale") * rows)
        known = (passes > 0) & ~np.isnan(whole) & (rows > 1)
        if np.count_nonzero(known) < own.loop_min_probes:
            continue
        seen = known & (passes > 1) & (np.abs(whole - 1.0) <= own.loss_scale_tolerance_ratio)
        # A gradient that is there before each pass is no accumulation, but a missing reset.
        afresh = ~(loop.number("stale_gradient_norm") > 0)
        seen &= afresh
        share = np.count_nonzero(seen) / np.count_nonzero(known)
        if share < own.loop_probe_ratio:
            continue
        count = float(np.median(passes[seen]))
        yield Finding(
            rule_id="accumulation_unscaled",
            severity="warning" if count >= own.accumulation_warning_backwards else "info",
            fact=(
                f"Each optimizer step of {loop.name} adds the gradients of {count:.0f} backward "
                "passes, each with the weight of a whole mean."
            ),
            inference=(
                f"Steps are probably {count:.0f} times as large as with one batch of that size."
            ),
            observed=count,
            threshold=float(own.accumulation_warning_backwards),
            step_range=loop.steps_where(seen),
            subject=loop.subject,
        )


RULE = Rule(
    rule_id="accumulation_unscaled",
    category="optimization",
    title="Gradient accumulation without scaling",
    check=accumulation_unscaled,
    advice=(
        "Divide the loss by the number of backward passes that a step collects.",
        "If the sum is meant, divide the learning rate by that number.",
    ),
    explains=(
        "exploding_gradients",
        "loss_divergence",
        "loss_spike",
        "oscillating_loss",
        "learning_rate_too_high",
        "gradient_norm_spike",
        "update_ratio",
        "clipping_always_active",
        "loss_not_decreasing",
    ),
)
