"""Padding waste: most of what the model computes on is padding.

Observes the sequence lengths that ``DataDiagnostics`` keeps: the share of padding if every batch
is padded to its longest sequence.
Source: SageMaker Debugger's NLPSequenceRatio (half of the tokens). That is an ``info`` here,
because random batches of texts easily have half; the defaults of three quarters for a warning and
nine tenths for an error are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from quark.analyzers.findings import Finding, grade
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def padding_waste(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own, data = limits.data, evidence.data
    if data.batch_count < own.padding_min_batches or data.padded_length <= 0:
        return
    share = 1.0 - data.given_length / data.padded_length
    graded = grade(share, warning=own.padding_warning_ratio, error=own.padding_error_ratio)
    if graded is None and share < own.padding_info_ratio:
        return
    severity, threshold = graded or ("info", own.padding_info_ratio)
    steps = evidence.batches.step[evidence.batches.step >= 0]
    yield Finding(
        rule_id="padding_waste",
        severity=severity,
        fact=(
            f"{share:.0%} of the elements of {data.batch_count} batches are padding: "
            f"{data.given_length:,} of {data.padded_length:,} are given."
        ),
        inference="Most of the computing time probably goes into padding.",
        observed=share,
        threshold=threshold,
        step_range=(int(steps.min()), int(steps.max())) if len(steps) else None,
        source="sequence lengths",
    )


RULE = Rule(
    rule_id="padding_waste",
    category="runtime",
    title="Padding waste",
    check=padding_waste,
    advice=(
        "Put sequences of like length into one batch (bucketing).",
        "Pack several sequences into one row, with an attention mask between them.",
        "Cut the few very long sequences, or give them batches of their own.",
    ),
)
