"""Parameters all zero: weights consist of zeros, and stay so.

Observes weights of two or more elements whose norm is exactly 0 at the last three probes, over 20
steps or more. Weights that only begin at 0 (the second half of a low-rank adapter, the last layer
of a residual branch) move with the first step.
Source: SageMaker Debugger's AllZero, 100 % zeros; the three probes and the 20 steps are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation
from quark.analyzers.probe_matrix import probe_matrix
from quark.analyzers.rule import Rule
from quark.analyzers.weights import share_of, trained_weights

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_LISTED = 5


def parameters_all_zero(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, on all such weights."""
    own = limits.layers
    tracks = trained_weights(evidence)
    probes = probe_matrix(tracks, "value_norm")
    if not probes.total:
        return
    is_zero = probes.value == 0.0
    places = np.arange(probes.value.shape[1])[None, :]
    beyond = places >= probes.count[:, None]
    alive = np.where(is_zero | beyond, -1, places).max(axis=1)  # the last probe with other numbers
    since = np.minimum(alive + 1, probes.value.shape[1] - 1)
    begin = probes.step[np.arange(len(tracks)), since]
    last = probes.step.max(axis=1)
    length = probes.count - alive - 1
    chosen = (length >= own.zero_min_probes) & (last - begin >= own.zero_min_steps)
    zero = [track for track, is_chosen in zip(tracks, chosen, strict=True) if is_chosen]
    if not zero:
        return
    share = share_of(zero, tracks)
    onset, end = int(begin[chosen].min()), int(last[chosen].max())
    yield Finding(
        rule_id="parameters_all_zero",
        severity="critical" if len(zero) == len(tracks) else "error" if share >= 0.5 else "warning",
        fact=f"{len(zero)} of {len(tracks)} weights ({share:.0%} of their elements) are all zero "
        f"from step {onset} to step {end}; the first is {zero[0].name}.",
        inference="They were probably initialised with zeros, and get no gradient because of "
        "that; or training has driven them there.",
        observed=share,
        threshold=0.0,
        step_range=(onset, end),
        subject=zero[0].name,
        observations=tuple(
            Observation(
                source=one.name,
                summary=f"All {one.element_count} elements of {one.name} are zero.",
                observed=0.0,
                step_range=(onset, end),
            )
            for one in zero[:_LISTED]
        ),
    )


RULE = Rule(
    rule_id="parameters_all_zero",
    category="optimization",
    title="Weights are all zero",
    check=parameters_all_zero,
    advice=(
        "Initialise at random: torch.nn.init.kaiming_normal_ or xavier_uniform_.",
        "Check that a checkpoint was loaded with the right names, and not into empty tensors.",
        "Lower weight decay and learning rate if training has driven the weights there.",
    ),
    explains=(
        "vanishing_gradients",
        "stagnant_layers",
        "activation_collapse",
        "parameters_unchanged",
        "parameters_without_gradient",
        "loss_not_decreasing",
        "accuracy_at_chance",
        "collapsed_predictions",
    ),
)
