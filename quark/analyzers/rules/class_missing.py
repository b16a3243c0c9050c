"""Class missing: a class that the model can answer never comes up in training.

Observes how often each class is a target in the training batches of the watched loop, told from the
gradient of the outputs, against the number of outputs. All classes that do come up have to be
frequent enough for the missing one to be no accident; if many are missing, the output is just wider
than it needs to be.
Source: the idea of SageMaker Debugger's ClassImbalance, taken to its end.
Default: at least 200 targets and 12 of the rarest class; at most a quarter of the classes. Ours.
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


_NAMED = 5


def class_missing(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        seen = loop.classified()
        if not seen.any():
            continue
        counts = loop.class_counts()
        columns = int(loop.last("output_column_count") or 0)
        missing = [str(number) for number in range(columns) if str(number) not in counts]
        allowed = max(1.0, own.missing_max_ratio * columns)
        if not missing or not counts or len(missing) > allowed:
            continue
        total, rarest = sum(counts.values()), min(counts.values())
        if total < own.missing_min_targets or rarest < own.missing_min_each:
            continue
        names = ", ".join(missing[:_NAMED])
        yield Finding(
            rule_id="class_missing",
            severity="warning",
            fact=(
                f"Of the {columns} classes of {loop.name}, {len(missing)} ({names}) never came up "
                f"among {total:,} training targets that were seen; each other did at least "
                f"{rarest} times."
            ),
            inference="The training data probably lacks that class, which cannot be learned then.",
            observed=float(len(missing)),
            threshold=0.0,
            step_range=loop.steps_where(seen),
            subject=loop.subject,
            metadata={"missing_classes": missing[:20]},
        )


RULE = Rule(
    rule_id="class_missing",
    category="generalization",
    title="A class is missing from training",
    check=class_missing,
    advice=(
        "Count the classes of the training set, after filters and splits.",
        "Split by class (stratified), so that each part has all of them.",
        "Check that labels count from 0 and have no gap.",
    ),
    explains=("validation_bad_from_start", "generalization_gap", "overfitting_onset"),
)
