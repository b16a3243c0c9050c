"""Softmax before loss: the loss makes probabilities of what are probabilities already, or takes
probabilities for their logarithms.

Observes, in steps of the watched loop that are looked at, what the model put out and its gradient,
which gives the loss away: a cross-entropy over outputs that are probabilities, one that went
through two softmaxes, a negative log-likelihood whose logarithm was forgotten, a binary
cross-entropy with logits over outputs that are all from 0 to 1.
Source: UMLAUT (CHI 2021) and DeepLocalize check the like; the formulas are the losses' own.
Default: 90 % of at least 3 steps. Ours.
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
    from quark.analyzers.thresholds import AnalyzerThresholds


_ROWS = 0.99  # of the rows that were sampled are probabilities
_TWICE = (
    "softmax is probably applied twice, which keeps gradients small and confidence low: the loss "
    "contains one already."
)
_NO_LOG = (
    "The logarithm is probably missing from the likelihood, so rare classes are hardly learned."
)
#: By what was seen: what is wrong in words, and what that means.
_FAULTS = {
    "probabilities": ("a cross-entropy is computed over outputs that are probabilities", _TWICE),
    "double_softmax": ("the loss's gradient is that of a softmax of a softmax", _TWICE),
    "probability_as_nll": (
        "the loss takes probabilities where it expects their logarithms",
        _NO_LOG,
    ),
    "probability": ("the loss is the probability itself, without a logarithm", _NO_LOG),
    "sigmoid": (
        "a binary cross-entropy with logits is computed over outputs that are all from 0 to 1",
        "A sigmoid is probably applied twice: the loss contains one already.",
    ),
}


def softmax_before_loss(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        places, seen = _seen(loop)
        if len(seen) < own.loop_min_probes:
            continue
        for fault, (words, inference) in _FAULTS.items():
            share = seen.count(fault) / len(seen)
            if share < own.loop_probe_ratio:
                continue
            marks = np.zeros(len(loop.rows), bool)
            marks[places] = True
            yield Finding(
                rule_id="softmax_before_loss",
                severity="warning",
                fact=(
                    f"In {seen.count(fault)} of {len(seen)} steps that were looked at, {words} "
                    f"({loop.name})."
                ),
                inference=inference,
                observed=share,
                threshold=own.loop_probe_ratio,
                step_range=loop.steps_where(marks),
                subject=loop.subject,
            )
            break


def _seen(loop: WatchedLoop) -> tuple[np.ndarray, list[str]]:
    """Return where the loss is known, and there the fault or what else the loss is."""
    places, kinds = loop.loss_kinds()
    rows = loop.number("probability_row_ratio")[places]
    lowest, highest = loop.number("output_min")[places], loop.number("output_max")[places]
    seen = []
    for kind, ratio, low, high in zip(kinds, rows, lowest, highest, strict=True):
        if kind == "cross_entropy" and ratio >= _ROWS:
            seen.append("probabilities")
        elif kind == "binary" and low >= 0 and high <= 1:
            seen.append("sigmoid")
        else:
            seen.append(kind)
    if seen:
        return places, seen
    # The gradient tells nothing: go by the loss that wandb.watch was given, where one was.
    places = np.flatnonzero(loop.number("probability_row_ratio") >= _ROWS)
    given = [one.get("criterion") for one in loop.more(places[-1:])]
    return places, ["probabilities"] * len(places) if given == ["CrossEntropyLoss"] else []


RULE = Rule(
    rule_id="softmax_before_loss",
    category="optimization",
    title="Softmax and loss do not fit",
    check=softmax_before_loss,
    advice=(
        "Give CrossEntropyLoss the raw scores, and take the softmax for predictions only.",
        "Give NLLLoss the output of log_softmax.",
        "Give BCEWithLogitsLoss the raw scores, or use BCELoss after the sigmoid.",
    ),
    explains=(
        "loss_not_decreasing",
        "accuracy_at_chance",
        "collapsed_predictions",
        "vanishing_gradients",
        "stagnant_layers",
        "learning_rate_too_low",
        "activation_collapse",
        "loss_scale",
    ),
)
