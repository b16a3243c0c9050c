"""Duplicate samples: training sees some samples far more often than the others.

Observes the sample ids that ``DataDiagnostics`` keeps: how often the most seen ones were seen
against the average, and how often a sample is seen in one epoch. Every sample once in each epoch
is how it should be; a sampler that draws with replacement stays below the default of two.
Source: ours. Where the epoch never changed, the same id many times over is an ``info`` at most:
the epoch may just not have been told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_NAMED = 5


def duplicate_samples(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own, data = limits.data, evidence.data
    seen, distinct = data.exposure_count, data.distinct_id_count
    if seen < own.duplicate_min_exposures or distinct < own.duplicate_min_ids:
        return
    if (found := _skewed(evidence, limits)) is not None:
        yield found
        return
    ratio = seen / distinct / max(1, data.epoch_count)
    if ratio < own.duplicate_epoch_ratio or data.epoch_count == 0:
        return
    yield Finding(
        rule_id="duplicate_samples",
        severity="warning" if data.epoch_count > 1 else "info",
        fact=(
            f"In each of {data.epoch_count} epochs a sample was seen {ratio:.3g} times on average: "
            f"{seen} samples, of which {distinct} are different."
        ),
        inference="The data probably holds copies, or the loader gives samples out several times.",
        observed=ratio,
        threshold=own.duplicate_epoch_ratio,
        step_range=_span(evidence),
        source="sample ids",
    )


def _skewed(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    own, data = limits.data, evidence.data
    if not data.most_exposed:
        return None
    mean = data.exposure_count / data.distinct_id_count
    most = data.most_exposed[0][1]
    # Drawn at random, the most seen of a million stays below this.
    chance = mean + 6.0 * math.sqrt(mean) + 6.0
    if most < max(own.duplicate_skew * mean, chance):
        return None
    share = sum(count for _, count in data.most_exposed) / data.exposure_count
    names = ", ".join(f"{name} ({count})" for name, count in data.most_exposed[:_NAMED])
    return Finding(
        rule_id="duplicate_samples",
        severity="warning" if share >= own.duplicate_share else "info",
        fact=(
            f"Some samples were seen far more often than the average of {mean:.3g} times: {names}. "
            f"The {len(data.most_exposed)} most seen are {share:.0%} of all that was seen."
        ),
        inference="They are probably duplicated, or weighted too much by the sampler.",
        observed=float(most),
        threshold=own.duplicate_skew * mean,
        step_range=_span(evidence),
        source="sample ids",
        metadata={"most_exposed": dict(data.most_exposed)},
    )


def _span(evidence: RunEvidence) -> tuple[int, int] | None:
    steps = evidence.batches.step[evidence.batches.step >= 0]
    return (int(steps.min()), int(steps.max())) if len(steps) else None


RULE = Rule(
    rule_id="duplicate_samples",
    category="generalization",
    title="Duplicate samples",
    check=duplicate_samples,
    advice=(
        "Look for copies in the data, and for files that are listed twice.",
        "On several ranks use a DistributedSampler, and call set_epoch.",
        "If a sampler weighs classes, bound its weights.",
    ),
    explains=("overfitting_onset", "generalization_gap"),
)
