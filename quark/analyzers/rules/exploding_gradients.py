"""Exploding gradients: gradients are large, and larger than the training can bear.

Observes the highest gradient norm of any layer that lasted for three probes (without layer
summaries: of any parameter; without those: the metric that plays ``gradient_norm``).
Source: the SDK guide, with its thresholds of 10, 25 and 50. They are absolute, and a loss that is
summed, or of large targets, has such norms in good health. So where there is a training loss, a
norm speaks only if it is a hundredfold that of the first probes or of the layer nearest to the
loss; a thousandfold while the loss falls by half or more. These factors are ours, from healthy and
broken trainings of small networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation, grade
from quark.analyzers.gradient_norms import GradientNorms, gradient_norms
from quark.analyzers.probe_matrix import lasting_peaks
from quark.analyzers.progress import progress
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

#: Norms that were too large to be squared are infinite, and findings are of numbers.
_LARGEST = 1e38


def exploding_gradients(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    norms = gradient_norms(evidence)
    if norms is None:
        return
    peaks, places = lasting_peaks(norms.probes)
    if np.isnan(peaks).all():
        return
    peaks = np.minimum(peaks, _LARGEST)
    worst = int(np.nanargmax(peaks))
    peak = float(peaks[worst])
    graded = grade(
        peak,
        warning=limits.exploding_gradient_warning_norm,
        error=limits.exploding_gradient_error_norm,
        critical=limits.exploding_gradient_critical_norm,
    )
    if graded is None:
        return
    grown, deeper = _growth(norms, worst, peak, limits), _depth(norms, worst)
    state, own = progress(evidence, limits), limits.layers
    growth_limit, depth_limit = own.exploding_growth_factor, own.exploding_depth_factor
    if state.is_learning:
        growth_limit = depth_limit = own.exploding_learning_factor
    if state.is_known and grown < growth_limit and deeper < depth_limit:
        return
    severity, threshold = graded
    steps = norms.probes.step[worst]
    onset = _first_above(norms, worst, limits.exploding_gradient_warning_norm)
    observations = [
        Observation(
            source=norms.names[worst],
            summary=f"The norm is {grown:.3g} times that of the first probes.",
            observed=grown,
            threshold=own.exploding_growth_factor,
        )
    ]
    if deeper > 1:
        observations.append(
            Observation(
                source=norms.names[worst],
                summary=f"The norm is {deeper:.3g} times that of {norms.names[-1]}, which is "
                "nearest to the loss.",
                observed=deeper,
                threshold=own.exploding_depth_factor,
            )
        )
    if state.fact:
        observations.append(Observation(source="train_loss", summary=state.fact))
    yield Finding(
        rule_id="exploding_gradients",
        severity=severity,
        fact=f"The gradient norm of {norms.names[worst]} was {peak:.4g} or more for several probes "
        f"around step {steps[places[worst]]}; {_count(peaks, limits)} of {norms.measured_count} "
        f"{norms.what} reached {limits.exploding_gradient_warning_norm:g}.",
        inference="Steps are probably so large that they undo what was learned, and may end in "
        "numbers that are not finite.",
        observed=peak,
        threshold=threshold,
        step_range=(onset, int(steps.max())),
        subject=norms.names[worst],
        observations=tuple(observations),
    )


def _count(peaks: Float64Array, limits: AnalyzerThresholds) -> int:
    return int((peaks >= limits.exploding_gradient_warning_norm).sum())


def _growth(norms: GradientNorms, row: int, peak: float, limits: AnalyzerThresholds) -> float:
    """Return how many times the row's own first probes its peak is."""
    early = float(norms.probes.first(limits.layers.exploding_early_probes)[row])
    return peak / early if early > 0 else 1.0


def _depth(norms: GradientNorms, row: int) -> float:
    """Return how many times the layer's gradient is that of the layer nearest to the loss."""
    if not norms.is_ordered or norms.what != "layers":
        return 1.0
    median = norms.probes.first(3)
    nearest = float(median[-1])
    return float(median[row]) / nearest if nearest > 0 else 1.0


def _first_above(norms: GradientNorms, row: int, limit: float) -> int:
    above = norms.probes.value[row] >= limit
    return int(norms.probes.step[row][int(above.argmax())])


RULE = Rule(
    rule_id="exploding_gradients",
    category="optimization",
    title="Gradients explode",
    check=exploding_gradients,
    advice=(
        "Lower the learning rate, or warm it up over the first few hundred steps.",
        "Clip gradients: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
        "Check the loss: a sum over the batch instead of a mean, or targets that are not scaled, "
        "multiply every gradient.",
        "Check the initialisation, and add normalisation or residual connections to deep networks.",
    ),
    explains=(
        "non_finite_values",
        "loss_divergence",
        "loss_spike",
        "oscillating_loss",
        "gradient_norm_spike",
        "diverging_weights",
        "update_ratio",
        "activation_collapse",
        "vanishing_gradients",
        "stagnant_layers",
        "parameters_without_gradient",
    ),
)
