"""Clipping always active: nearly every gradient is cut to a fraction of its size.

Observes, in steps of the watched loop that are looked at, the gradient of one parameter after the
last backward pass and when the optimizer's step begins: what lies between is clipping. A ratio
that never changes is a division by hand. Left out: a ``GradScaler``, whose scale lies between
too, and several ranks, which average between.
Source: Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013, for
clipping as an exception; clipping by half in most steps is common with transformers and quiet here.
Default: a median of at most 0.1 in 90 % of at least 6 steps; 0.02, and never an error, for
optimizers that divide by the size of gradients, which clipping hardly moves. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, grade
from quark.analyzers.rule import Rule
from quark.analyzers.watched_loops import WatchedLoop, some_of, watched_loops

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


#: What changes gradients too, in the words of the records' metadata.
_BETWEEN = ("float16", "grad_scaler", "distributed")
_CLIPPED = 0.98
_CONSTANT = 1e-3
_ADAPTIVE = (
    "adam",
    "rmsprop",
    "adagrad",
    "adadelta",
    "lion",
    "lamb",
    "adafactor",
    "sophia",
    "muon",
)


def clipping_always_active(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        before, after = loop.number("backward_gradient_norm"), loop.number("step_gradient_norm")
        known = (loop.number("window_backward_count") > 0) & (before > 0) & (after > 0)
        if np.count_nonzero(known) < own.clipping_min_probes or _is_between(loop):
            continue
        ratio = after[known] / before[known]
        active = float((ratio < _CLIPPED).mean())
        median = float(np.median(ratio))
        constant = float(np.ptp(ratio)) <= _CONSTANT * median
        warning, error = own.clipping_warning_ratio, own.clipping_error_ratio
        if _is_adaptive(loop):
            warning, error = own.clipping_adaptive_ratio, 0.0
        graded = grade(median, warning=warning, error=error, falling=True)
        if graded is None or active < own.loop_probe_ratio or constant:
            continue
        severity, threshold = graded
        yield Finding(
            rule_id="clipping_always_active",
            severity=severity,
            fact=(
                f"Gradients of {loop.name} are clipped in {active:.0%} of {len(ratio)} steps that "
                f"were looked at, to {median:.2g} of their size in the median."
            ),
            inference=(
                "The clipping threshold is probably too low: steps have a fixed length, however "
                "large the gradient is."
            ),
            observed=median,
            threshold=threshold,
            step_range=loop.steps_where(known),
            subject=loop.subject,
        )


def _is_between(loop: WatchedLoop) -> bool:
    """Say whether something else than clipping changes gradients before the step."""
    records = loop.more(some_of(np.arange(len(loop.rows))))
    return any(one.get(name) for one in records for name in _BETWEEN)


def _is_adaptive(loop: WatchedLoop) -> bool:
    names = [str(one.get("class_name", "")).lower() for one in loop.optimizers()]
    return any(word in name for name in names for word in _ADAPTIVE)


RULE = Rule(
    rule_id="clipping_always_active",
    category="optimization",
    title="Gradient clipping is always active",
    check=clipping_always_active,
    advice=(
        "Raise the threshold to a high quantile of the gradient norms that you see.",
        "Lower the learning rate or add warm-up instead, if large steps are the reason to clip.",
        "Check that the loss is a mean over the batch.",
    ),
    explains=(
        "loss_not_decreasing",
        "learning_rate_too_low",
        "update_ratio",
        "stagnant_layers",
        "vanishing_gradients",
        "accuracy_at_chance",
        "parameters_unchanged",
    ),
)
