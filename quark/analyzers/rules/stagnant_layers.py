"""Stagnant layers: some layers have had no gradient to speak of for several probes in a row.

Observes, layer by layer, the longest stretch of probes with a gradient norm below
``stagnant_layer_gradient_norm``.
Source: the SDK guide, with its norm of 1e-4 and its 2, 4 and 6 probes. A stretch counts if it goes
on to the layer's last probe and gradients do not grow in it: layers that begin at zero, as residual
branches may, wake up by themselves. Where there is a training loss, a layer must also have a
thousandth of the largest layer's gradient or less, unless all are tiny while the loss is where it
began; and nothing is said once the loss has fallen by half. These are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation, grade
from quark.analyzers.gradient_norms import layer_gradient_norms
from quark.analyzers.probe_matrix import longest_stretches
from quark.analyzers.progress import progress
from quark.analyzers.rule import Rule
from quark.analyzers.rules.vanishing_gradients import have_settled

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, Float64Array, Int64Array, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


def stagnant_layers(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, on all such layers."""
    norms = layer_gradient_norms(evidence)
    if norms is None:
        return
    probes, own = norms.probes, limits.layers
    start, length = longest_stretches(probes.value < limits.stagnant_layer_gradient_norm)
    stagnant = (length >= limits.stagnant_layer_warning_probes) & (start + length == probes.count)
    stagnant &= ~_grows(probes.value, start, probes.count)
    if not stagnant.any():
        return
    late = probes.last(3)
    is_far_below = late <= own.stagnant_relative_norm * np.nanmax(late)
    state = progress(evidence, limits)
    if state.is_known:
        if state.is_learning or probes.span_steps < own.settling_steps:
            return
        if not state.is_stuck:
            stagnant &= is_far_below
    elif not is_far_below[stagnant].any() and have_settled(norms):
        return
    chosen = np.flatnonzero(stagnant)
    if not len(chosen):
        return
    worst = int(chosen[np.lexsort((late[chosen], -length[chosen]))[0]])
    graded = grade(
        float(length[worst]),
        warning=limits.stagnant_layer_warning_probes,
        error=limits.stagnant_layer_error_probes,
        critical=limits.stagnant_layer_critical_probes,
    )
    assert graded is not None
    severity, threshold = graded
    onset = int(probes.step[chosen, start[chosen]].min())
    observations = [
        Observation(
            source=norms.names[row],
            summary=f"{norms.names[row]} had gradient norms of {late[row]:.3g} for "
            f"{length[row]} probes.",
            observed=float(late[row]),
            threshold=limits.stagnant_layer_gradient_norm,
            step_range=(int(probes.step[row, start[row]]), int(probes.step[row].max())),
        )
        for row in chosen[: own.stagnant_max_listed]
    ]
    if state.fact:
        observations.append(Observation(source="train_loss", summary=state.fact))
    yield Finding(
        rule_id="stagnant_layers",
        severity=severity,
        fact=f"{len(chosen)} of {norms.measured_count} layers had gradient norms below "
        f"{limits.stagnant_layer_gradient_norm:g} at {limits.stagnant_layer_warning_probes} or "
        f"more probes in a row; {norms.names[worst]} at {length[worst]}, at last "
        f"{late[worst]:.3g}.",
        inference="These layers are probably not learning.",
        observed=float(length[worst]),
        threshold=threshold,
        step_range=(onset, int(probes.step[chosen].max())),
        subject=norms.names[worst],
        observations=tuple(observations),
    )


def _grows(value: Float64Array, start: Int64Array, count: Int64Array) -> BoolArray:
    """Return, for each row, whether it ends at more than twice what its stretch began with."""
    rows = np.arange(len(value))
    if not value.shape[1]:
        return np.zeros(len(value), bool)
    first = value[rows, np.minimum(start, value.shape[1] - 1)]
    last = value[rows, np.maximum(count - 1, 0)]
    with np.errstate(invalid="ignore"):
        return np.asarray(last > 2 * first)


RULE = Rule(
    rule_id="stagnant_layers",
    category="optimization",
    title="Layers stopped learning",
    check=stagnant_layers,
    advice=(
        "Look at what lies between these layers and the loss: dead or saturated units, a detach(), "
        "a branch with weight 0.",
        "If they are meant to be frozen, set requires_grad_(False) on their parameters.",
        "Put residual connections or normalisation between them and the loss.",
    ),
    explains=("loss_not_decreasing", "parameters_unchanged", "accuracy_at_chance"),
)
