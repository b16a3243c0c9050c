"""Padded inputs: most of what the model is given is padding.

Observes, in steps of the watched loop that are looked at, the share of a batch of sequences that is
one and the same token at the end of rows, or at their start; of sequences of vectors, zeros.
Source: SageMaker Debugger's NLPSequenceRatio.
Default: a median of 75 % for a warning and 90 % for an error, as for ``padding_waste``: random
batches of texts easily have half. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.rule import Rule
from quark.analyzers.watched_loops import watched_loops

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


_MIN_LENGTH = 8  # sampled places of a sequence


def padded_inputs(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        ratio, dimensions = loop.number("padding_ratio"), loop.number("input_dimensions")
        tokens = (dimensions == 2) & (loop.number("input_is_integer") == 1)
        sequences = tokens | (dimensions == 3)
        known = sequences & ~np.isnan(ratio) & (loop.number("sampled_column_count") >= _MIN_LENGTH)
        if np.count_nonzero(known) < own.loop_min_probes:
            continue
        median = float(np.median(ratio[known]))
        graded = grade(median, warning=own.padding_warning_ratio, error=own.padding_error_ratio)
        if graded is None:
            continue
        severity, threshold = graded
        yield Finding(
            rule_id="padded_inputs",
            severity=severity,
            fact=(
                f"{median:.0%} of the tokens that {loop.name} is given are padding, in the median "
                f"of {np.count_nonzero(known)} batches."
            ),
            inference=(
                "Most computing time probably goes into padding, and whatever averages over "
                "positions sees little else."
            ),
            observed=median,
            threshold=threshold,
            step_range=loop.steps_where(known),
            subject=loop.subject,
        )


RULE = Rule(
    rule_id="padded_inputs",
    category="runtime",
    title="Padded inputs",
    check=padded_inputs,
    advice=(
        "Pad each batch to its own longest sequence, not to a fixed length.",
        "Put sequences of like length into one batch, or pack several into one row.",
        "Check that attention, pooling and the loss leave padding out.",
    ),
    explains=("padding_waste", "loss_not_decreasing", "accuracy_at_chance"),
)
