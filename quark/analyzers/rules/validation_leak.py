"""Validation leak: the model is evaluated on samples that it was trained on.

Observes rows of inputs, sampled from training batches and from passes without gradients in
between. A row with many different numbers seldom comes twice by chance. All passes of the
evaluation must hold such rows: a script that also measures its training set without gradients
shows others that do not. Speaks only where something is logged as validation. Of a large training
set only a small part is sampled, and a leak may stay unseen.
Source: Kapoor & Narayanan, "Leakage and the reproducibility crisis in machine-learning-based
science", Patterns 2023, for how common it is.
Default: at least 8 such rows and 15 % of all, in 90 % of at least 2 passes; ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.watched_loops import WatchedLoop, watched_loops

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.limits.loop import LoopLimits
    from quark.analyzers.thresholds import AnalyzerThresholds

_VALIDATION = ("val_loss", "val_accuracy", "val_score")


def validation_leak(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    if not any(evidence.roles.key(role) for role in _VALIDATION):
        return
    for loop in watched_loops(evidence):
        rows, seen = loop.total("evaluation_row_count"), loop.total("evaluation_seen_row_count")
        passes = loop.total("evaluation_pass_count")
        unseen = loop.total("evaluation_unseen_pass_count")
        if seen < max(own.leak_min_rows, own.leak_row_ratio * rows):
            continue
        if passes < own.leak_min_passes:
            continue
        if (passes - unseen) / passes < own.leak_min_pass_ratio or not _is_telling(loop, own):
            continue
        yield Finding(
            rule_id="validation_leak",
            severity="warning",
            fact=(
                f"{seen:.0f} of {rows:.0f} samples that {loop.name} was evaluated on had been in "
                f"its training batches, in {passes - unseen:.0f} of {passes:.0f} passes that were "
                "looked at."
            ),
            inference="Validation samples are probably in the training set, too.",
            observed=seen / rows,
            threshold=own.leak_row_ratio,
            step_range=loop.steps_where(loop.number("evaluation_seen_row_count") > 0),
            subject=loop.subject,
        )


def _is_telling(loop: WatchedLoop, own: LoopLimits) -> bool:
    """Whether rows that are alike must be the same sample."""
    columns, levels = loop.number("sampled_column_count"), loop.number("input_levels")
    known = ~np.isnan(columns) & ~np.isnan(levels)
    if not known.any():
        return False
    twice = loop.number("duplicate_row_ratio")
    usual = float(np.nanmedian(twice)) if not np.isnan(twice).all() else 0.0
    wide = own.duplicate_min_columns * (1 + bool((loop.number("input_is_integer") == 1).any()))
    return (
        float(np.median(columns[known])) >= wide
        and float(np.median(levels[known])) >= own.duplicate_min_levels
        and usual < own.duplicate_row_ratio
    )


RULE = Rule(
    rule_id="validation_leak",
    category="generalization",
    title="Validation leak",
    check=validation_leak,
    advice=(
        "Split before anything else: before augmenting, oversampling, windowing or shuffling.",
        "Split by what samples share (patient, document, video, user), not sample by sample.",
        "Remove duplicates first: copies of one sample fall on both sides.",
        "If this is meant, because the training set is what is evaluated, log it as training.",
    ),
)
