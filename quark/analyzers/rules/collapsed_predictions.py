"""Collapsed predictions: the model answers one class, whatever it is shown.

Observes, in the latest steps of the watched loop that were looked at, the share of a training batch
for which the model's highest output is the same class, while the targets (told from the gradient of
the outputs) are of several.
Source: DeepFD's and UMLAUT's checks of the accuracy; representation collapse in general.
Default: 95 % in each of the last 8 steps looked at, over at least 60 steps. Ours.
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


def collapsed_predictions(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        top, targets = loop.number("top_prediction_ratio"), loop.number("top_target_ratio")
        # Where a batch itself has one class only, one answer is right.
        telling = loop.classified() & ~np.isnan(top) & (targets <= own.collapsed_target_ratio)
        places = np.flatnonzero(telling)[-own.collapsed_min_probes :]
        if len(places) < own.collapsed_min_probes:
            continue
        steps = loop.step[places]
        if steps[-1] - steps[0] < own.collapsed_min_steps:
            continue
        lowest = float(top[places].min())
        if lowest < own.collapsed_top_ratio:
            continue
        yield Finding(
            rule_id="collapsed_predictions",
            severity="warning",
            fact=(
                f"{loop.name} gives one and the same class to at least {lowest:.0%} of the batch "
                f"in each of the last {len(places)} steps that were looked at; the most frequent "
                f"target has {np.median(targets[places]):.0%}."
            ),
            inference="The model has probably collapsed: its answer does not depend on the input.",
            observed=lowest,
            threshold=own.collapsed_top_ratio,
            step_range=(int(steps[0]), int(steps[-1])),
            subject=loop.subject,
        )


RULE = Rule(
    rule_id="collapsed_predictions",
    category="representation",
    title="Collapsed predictions",
    check=collapsed_predictions,
    advice=(
        "Look at the activations: dead or saturated layers pass nothing on.",
        "Lower the learning rate, or start again from another initialisation.",
        "Check that inputs and labels belong together and reach the model.",
    ),
    explains=("accuracy_at_chance", "loss_not_decreasing"),
)
