"""Unshuffled data: batches hold one class after the other.

Observes the classes of training batches in the watched loop, told from the gradient of the outputs:
how many different ones a batch has against how many a random batch of all targets seen would have,
and how much of it its most frequent one takes.
Source: Bengio, "Practical recommendations for gradient-based training of deep architectures", 2012,
on shuffling.
Default: at most half of the classes expected, and 60 % of a batch, in the median of at least 5
batches of 4 or more. Ours.
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


_MIN_ROWS = 4
_MIN_EXPECTED = 1.8


def unshuffled_data(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        rows = loop.number("target_row_count")
        known = loop.classified() & (rows >= _MIN_ROWS)
        if np.count_nonzero(known) < own.unshuffled_min_probes:
            continue
        counts = np.array(list(loop.class_counts().values()), np.float64)
        shares = counts / counts.sum()
        size = float(np.median(rows[known]))
        expected = float((1.0 - (1.0 - shares) ** size).sum())
        distinct = float(np.median(loop.number("distinct_target_count")[known]))
        top = float(np.median(loop.number("top_target_ratio")[known]))
        if expected < _MIN_EXPECTED or distinct > own.unshuffled_distinct_ratio * expected:
            continue
        if top < own.unshuffled_top_ratio:
            continue
        yield Finding(
            rule_id="unshuffled_data",
            severity="warning",
            fact=(
                f"A batch of {size:.0f} holds {distinct:.0f} class"
                f"{'' if distinct == 1 else 'es'} in the median, where {expected:.1f} are expected "
                f"of {len(counts)} classes in random order ({loop.name})."
            ),
            inference=(
                "The training data is probably sorted and not shuffled, so each step unlearns the "
                "other classes."
            ),
            observed=distinct,
            threshold=own.unshuffled_distinct_ratio * expected,
            step_range=loop.steps_where(known),
            subject=loop.subject,
        )


RULE = Rule(
    rule_id="unshuffled_data",
    category="optimization",
    title="Unshuffled data",
    check=unshuffled_data,
    advice=(
        "Pass shuffle=True to the training DataLoader, or a sampler that shuffles.",
        "For streamed data, use a shuffle buffer larger than a stretch of one class.",
    ),
    explains=(
        "oscillating_loss",
        "loss_spike",
        "loss_not_decreasing",
        "accuracy_at_chance",
        "collapsed_predictions",
        "class_missing",
        "class_imbalance",
        "validation_bad_from_start",
        "generalization_gap",
        "overfitting_onset",
        "gradient_norm_spike",
        "loss_divergence",
    ),
)
