"""Diverging weights: the weights of the network grow and grow.

Observes the norm of all weights together against their first probe, at the last three probes.
Source: AutoTrainer (ICSE 2021) looks for weights above 5; relative to the start is ours, and so are
the factors 10, 100 and 10,000. Weights before a normalisation grow with the square root of time in
good health, so while the loss falls by half or more only a hundredfold growth is named, and without
a training loss a thirtyfold one. What begins at 0 is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation, grade
from quark.analyzers.probe_matrix import probe_matrix
from quark.analyzers.progress import progress
from quark.analyzers.rule import Rule
from quark.analyzers.weights import trained_weights

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def diverging_weights(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.layers
    tracks = trained_weights(evidence)
    probes = probe_matrix(tracks, "value_norm")
    if not probes.total:
        return
    first = probes.value[:, 0]
    keep = (probes.count >= own.diverging_min_probes) & (first > 0) & np.isfinite(first)
    if not keep.any():
        return
    tracks = [track for track, is_kept in zip(tracks, keep, strict=True) if is_kept]
    probes, first = probes.rows(keep), first[keep]
    start = float(np.sqrt((first**2).sum()))
    rows = np.arange(len(first))
    ends = [probes.value[rows, probes.count - 1 - back] for back in range(own.diverging_min_probes)]
    with np.errstate(over="ignore", invalid="ignore"):
        growth = min(float(np.sqrt((end**2).sum())) for end in ends) / start
    state = progress(evidence, limits)
    graded = grade(
        min(growth, 1e300),
        warning=own.diverging_warning_factor,
        error=own.diverging_error_factor,
        critical=own.diverging_critical_factor,
    )
    least = own.diverging_error_factor if state.is_learning else 0.0
    if graded is None or growth < (least if state.is_known else own.diverging_unknown_factor):
        return
    severity, threshold = graded
    factor = ends[0] / first
    worst = int(np.argmax(np.nan_to_num(factor, nan=0.0, posinf=1e300)))
    steps = probes.step
    grown = probes.value[worst] >= own.diverging_warning_factor * first[worst]
    onset = int(steps[worst, int(grown.argmax())]) if grown.any() else int(steps[worst, 0])
    observations = [
        Observation(
            source=tracks[worst].name,
            summary=f"The norm of {tracks[worst].name} went from {first[worst]:.4g} to "
            f"{ends[0][worst]:.4g}.",
            observed=min(float(factor[worst]), 1e300),
            threshold=own.diverging_warning_factor,
        )
    ]
    if state.fact:
        observations.append(Observation(source="train_loss", summary=state.fact))
    yield Finding(
        rule_id="diverging_weights",
        severity=severity,
        fact=f"The norm of {len(tracks)} weights together is {min(growth, 1e300):.3g} times what "
        f"it was at step {int(steps[:, 0].min())}; most of all that of {tracks[worst].name}.",
        inference="Steps are probably too large, or always go the same way, as with a loss of the "
        "wrong sign.",
        observed=min(growth, 1e300),
        threshold=threshold,
        step_range=(onset, int(steps.max())),
        subject=tracks[worst].name,
        observations=tuple(observations),
    )


RULE = Rule(
    rule_id="diverging_weights",
    category="optimization",
    title="Weights diverge",
    check=diverging_weights,
    advice=(
        "Lower the learning rate, and check momentum: above 0.99 it carries steps on for ever.",
        "Check that the loss is to be minimised, and that gradients are set to zero between steps.",
        "Add weight decay, or clip gradients.",
    ),
    explains=("activation_collapse", "non_finite_values", "vanishing_gradients", "stagnant_layers"),
)
