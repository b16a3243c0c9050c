"""Unscaled inputs: the model is fed numbers in the hundreds, such as pixels from 0 to 255.

Observes, in steps of the watched loop that are looked at, the first tensor of real numbers that the
model is given. A model that begins with a normalisation, or scales its input itself (its first
layer puts out far smaller numbers), is left alone.
Source: LeCun et al., "Efficient BackProp", 1998; UMLAUT's check of input ranges.
Default: a value above 100 and a standard deviation above 30, in 90 % of at least 3 steps: decibels
and standardised features stay below. Ours.
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


_SCALED_INSIDE = 0.05


def unscaled_inputs(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model."""
    own = limits.loop
    for loop in watched_loops(evidence):
        std, low, high = (loop.number(f"input_{name}") for name in ("std", "min", "max"))
        known = (loop.number("input_is_integer") == 0) & ~np.isnan(std)
        if np.count_nonzero(known) < own.loop_min_probes:
            continue
        most = np.maximum(np.abs(low), np.abs(high))
        seen = known & (most > own.input_max) & (std > own.input_std)
        share = np.count_nonzero(seen) / np.count_nonzero(known)
        if share < own.loop_probe_ratio or _is_scaled_inside(evidence, float(np.median(std[seen]))):
            continue
        yield Finding(
            rule_id="unscaled_inputs",
            severity="warning",
            fact=(
                f"The inputs of {loop.name} go from {np.min(low[seen]):.3g} to "
                f"{np.max(high[seen]):.3g}, with a standard deviation of "
                f"{np.median(std[seen]):.3g}."
            ),
            inference=(
                "They are probably not normalised, which makes the first layer's gradients large "
                "and training slow or unstable."
            ),
            observed=float(np.median(std[seen])),
            threshold=own.input_std,
            step_range=loop.steps_where(seen),
            subject=loop.subject,
        )


def _is_scaled_inside(evidence: RunEvidence, std: float) -> bool:
    for layer in evidence.activations:
        if layer.place == 0 and len(layer):
            if "Norm" in layer.module_type:
                return True
            return float(np.nanmedian(layer.rms)) < _SCALED_INSIDE * std
    return False


RULE = Rule(
    rule_id="unscaled_inputs",
    category="optimization",
    title="Unscaled inputs",
    check=unscaled_inputs,
    advice=(
        "Divide images by 255, or subtract the mean and divide by the standard deviation.",
        "Standardise each feature over the training set; use the same numbers for validation.",
        "Put a BatchNorm or LayerNorm first, if the range is not known beforehand.",
    ),
    explains=(
        "exploding_gradients",
        "loss_divergence",
        "oscillating_loss",
        "loss_spike",
        "learning_rate_too_high",
        "activation_collapse",
        "gradient_norm_spike",
        "loss_not_decreasing",
        "update_ratio",
        "diverging_weights",
        "accuracy_at_chance",
        "collapsed_predictions",
        "non_finite_values",
        "clipping_always_active",
        "loss_scale",
        "vanishing_gradients",
        "poor_initialization",
    ),
)
