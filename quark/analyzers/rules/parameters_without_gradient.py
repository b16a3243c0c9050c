"""Parameters without gradient: trainable parameters that the loss does not reach.

Observes trainable parameters with no gradient at any of three probes or more, while others have
one: none at all, or for weights only zeros.
Source: what DistributedDataParallel refuses as unused parameters; our own otherwise. Parameters of
a module that was not called at any probe (a head that is not used, an idle expert) are only worth
knowing. Where it is not known which modules were called, so are less than 10 % of the elements, or
more while the loss falls by half.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation
from quark.analyzers.probe_matrix import probe_matrix
from quark.analyzers.progress import progress
from quark.analyzers.rule import Rule
from quark.analyzers.weights import share_of

if TYPE_CHECKING:
    from quark.analyzers.evidence import ParameterTrack, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_LISTED = 5


def parameters_without_gradient(
    evidence: RunEvidence, limits: AnalyzerThresholds
) -> Iterator[Finding]:
    """Yield at most one finding, on all such parameters."""
    own = limits.layers
    tracks = [one for one in evidence.parameters if one.requires_grad]
    gradients = probe_matrix(tracks, "gradient_norm")
    if not gradients.total or gradients.count.max() < own.gradientless_min_probes:
        return
    with_values = np.array([np.isfinite(one.value_norm).sum() for one in tracks])
    odd = np.array([one.gradient_nonfinite_count.any() for one in tracks])
    none = (gradients.count == 0) & (with_values >= own.gradientless_min_probes)
    only_zeros = (gradients.count >= own.gradientless_min_probes) & ~(
        np.nan_to_num(gradients.value) > 0
    ).any(axis=1)
    is_weight = np.array([one.parameter_role == "weight" for one in tracks])
    chosen = (none | (only_zeros & is_weight)) & ~odd
    if not chosen.any() or chosen.all():
        return
    without = [track for track, is_chosen in zip(tracks, chosen, strict=True) if is_chosen]
    share = share_of(without, tracks)
    called = {track.module_name for track in evidence.activations}
    reached = [one for one in without if one.module_name in called]
    unexplained = (
        not called
        and share >= own.gradientless_warning_share
        and not progress(evidence, limits).is_learning
    )
    severity = ("error" if share >= 0.5 else "warning") if reached or unexplained else "info"
    worst = max(reached or without, key=lambda one: one.element_count)
    first = min(int(one.step[0]) for one in without)
    last = max(int(one.step[-1]) for one in without)
    zeros = int((only_zeros & chosen).sum())
    yield Finding(
        rule_id="parameters_without_gradient",
        severity=severity,
        fact=f"{len(without)} of {len(tracks)} trainable parameters ({share:.0%} of the elements) "
        f"had no gradient at any probe from step {first} to step {last}"
        f"{f', {zeros} of them only zeros' if zeros else ''}; the largest is {worst.name}.",
        inference="The loss probably does not depend on them: they are detached, or lie behind "
        "dead units."
        if severity != "info"
        else "They are probably part of the model and not used in this training.",
        observed=share,
        threshold=own.gradientless_warning_share,
        step_range=(first, last),
        subject=worst.name,
        observations=tuple(_observation(one, first, last) for one in without[:_LISTED]),
    )


def _observation(track: ParameterTrack, first: int, last: int) -> Observation:
    return Observation(
        source=track.name,
        summary=f"{track.name} ({track.element_count} elements) had no gradient.",
        step_range=(first, last),
    )


RULE = Rule(
    rule_id="parameters_without_gradient",
    category="optimization",
    title="Parameters get no gradient",
    check=parameters_without_gradient,
    advice=(
        "Look for detach(), torch.no_grad(), .item() or numpy() between these parameters and the "
        "loss.",
        "Set requires_grad_(False) on what is meant to be frozen, and remove what is not used.",
        "If gradients are zeros, look for dead or saturated units, or weights of 0, above them.",
    ),
    explains=("parameters_unchanged", "stagnant_layers", "loss_not_decreasing", "update_ratio"),
)
