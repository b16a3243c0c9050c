"""Duplicate inputs: batches hold the same samples several times.

Observes, in steps of the watched loop that are looked at, the share of sampled rows that their
batch holds already. Rows that are alike by chance (few columns, few different values, one-hot
vectors) are left out.
Source: cleanlab's near-duplicate checks, and Lee et al., "Deduplicating training data makes
language models better", ACL 2022.
Default: a median of 30 % over at least 3 batches; sampling with replacement gives far less. Ours.
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


_MIN_ROWS = 8


def duplicate_inputs(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        ratio = loop.number("duplicate_row_ratio")
        integer = loop.number("input_is_integer") == 1
        columns = loop.number("sampled_column_count")
        wide = columns >= np.where(
            integer, 2 * own.duplicate_min_columns, own.duplicate_min_columns
        )
        telling = wide & (loop.number("input_levels") >= own.duplicate_min_levels)
        known = telling & ~np.isnan(ratio) & (loop.number("sampled_row_count") >= _MIN_ROWS)
        if np.count_nonzero(known) < own.loop_min_probes:
            continue
        median = float(np.median(ratio[known]))
        if median < own.duplicate_row_ratio:
            continue
        yield Finding(
            rule_id="duplicate_inputs",
            severity="warning",
            fact=(
                f"{median:.0%} of the samples in a batch of {loop.name} are there already, in the "
                f"median of {np.count_nonzero(known)} batches."
            ),
            inference="The training data probably holds few different samples, many times each.",
            observed=median,
            threshold=own.duplicate_row_ratio,
            step_range=loop.steps_where(known),
            subject=loop.subject,
        )


RULE = Rule(
    rule_id="duplicate_inputs",
    category="generalization",
    title="Duplicate inputs",
    check=duplicate_inputs,
    advice=(
        "Remove duplicates from the training data before splitting it.",
        "Check the sampler: each index should come once an epoch.",
        "If samples are repeated on purpose, augment them differently.",
    ),
    explains=(
        "duplicate_samples",
        "overfitting_onset",
        "generalization_gap",
        "overtraining",
        "validation_bad_from_start",
    ),
)
