"""Class imbalance: one class is far more frequent in training than another.

Observes how often each class is a target in the training batches of the watched loop, told from the
gradient of the outputs. Only where the model gives one answer a sample: tokens and pixels are
unequal by nature.
Source: SageMaker Debugger's ClassImbalance, which warns at 10 over 500 samples.
Default: 50 times, over at least 500 targets, because 10 is common in healthy data; or 95 % of at
least 200. Ours.
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


def class_imbalance(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        seen = loop.classified()
        if not seen.any():
            continue
        counts = loop.class_counts()
        total, columns = sum(counts.values()), loop.last("output_column_count") or 0
        if total < own.imbalance_top_min_targets or columns < 2:
            continue
        most, least = max(counts.items(), key=_second), min(counts.items(), key=_second)
        # A class that was never seen may be rarer still, or not be there at all.
        rarest = least[1] if len(counts) > 1 else 1
        ratio = most[1] / rarest
        is_known = total >= own.imbalance_min_targets
        is_nearly_all = most[1] >= own.imbalance_top_ratio * total
        if not is_nearly_all and (ratio < own.imbalance_ratio or not is_known):
            continue
        rare = f"class {least[0]}" if len(counts) > 1 else "no other class"
        yield Finding(
            rule_id="class_imbalance",
            severity="warning",
            fact=(
                f"Of {total:,} training targets that were seen, {most[1] / total:.1%} are of class "
                f"{most[0]} and {(total - most[1]) / total:.1%} of all others; the rarest is "
                f"{rare} ({rarest if len(counts) > 1 else 0})."
            ),
            inference=(
                "The model probably learns to answer the frequent class; accuracy hides that."
            ),
            observed=float(ratio),
            threshold=own.imbalance_ratio,
            step_range=loop.steps_where(seen),
            subject=loop.subject,
            metadata={"class_counts": dict(counts.most_common(20))},
        )


def _second(pair: tuple[str, int]) -> int:
    return pair[1]


RULE = Rule(
    rule_id="class_imbalance",
    category="generalization",
    title="Class imbalance",
    check=class_imbalance,
    advice=(
        "Weight the loss by class, or draw rare classes more often (WeightedRandomSampler).",
        "Judge by recall and precision of each class, or by balanced accuracy.",
        "Collect or augment samples of the rare classes.",
    ),
    explains=(
        "class_missing",
        "collapsed_predictions",
        "accuracy_at_chance",
        "validation_bad_from_start",
        "generalization_gap",
        "overfitting_onset",
    ),
)
