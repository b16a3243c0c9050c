"""Activation collapse: a layer puts out almost only zeros, only extremes, or always the same.

Observes, over each layer's probes, the share of outputs that are exactly 0 (dead), the share at the
ends of a bounded activation's range (saturated), and their standard deviation.
Source: the SDK guide, with its thresholds; Lu et al., "Dying ReLU and Initialization", 2019. They
are absolute, and healthy networks pass them: ReLU layers of large models have more than 95 % zeros
(Li et al., "The Lazy Neuron Phenomenon", ICLR 2023), and weights initialised with 0.02 give a
standard deviation of 0.01. So where there is a training loss, and it has not fallen by half, a dead
layer must have hardly anything but zeros, or 92 % and 20 points more than at its first probes.
Saturated ones are named while the loss is where it began, flat ones (also where there are four
layers or more) if they have a tenth of their first standard deviation or none at all. Once the loss
has fallen by half, only layers of nothing but zeros are named. The last layer's saturation, and
whatever normalises, drops out, embeds or pools, are left out. Two probes are needed, or one beyond
the critical threshold; beside a training loss, 20 steps between the first and the last, or 10 for
ReLU. What the guide does not say is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation, grade, severity_rank
from quark.analyzers.probe_matrix import probe_matrix
from quark.analyzers.progress import Progress, progress
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, Float64Array, LayerTrack, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

#: Parts of names of module types whose outputs may be anything.
_LEFT_OUT = ("norm", "dropout", "embedding", "pool", "softmax", "identity", "flatten", "upsample")
_WORDS = {
    "dead_unit_ratio": "{:.1%} of its outputs were 0",
    "saturation_ratio": "{:.1%} of its outputs were saturated",
    "std": "its outputs had a standard deviation of {:.3g}",
}


def activation_collapse(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, on all such layers."""
    tracks = [track for track in evidence.activations if len(track) and not _is_left_out(track)]
    if not tracks:
        return
    state = progress(evidence, limits)
    hidden = _hidden(tracks)
    found = [
        *_above(tracks, "dead_unit_ratio", limits, state),
        *_above(hidden, "saturation_ratio", limits, state),
        *_flat(hidden, limits, state),
    ]
    if not found:
        return
    worst_by_layer: dict[str, tuple[str, Observation]] = {}
    for severity, seen in found:
        known = worst_by_layer.get(seen.source)
        if known is None or severity_rank(severity) > severity_rank(known[0]):
            worst_by_layer[seen.source] = severity, seen
    place = {track.module_name: number for number, track in enumerate(tracks)}
    ordered = sorted(
        worst_by_layer.values(), key=lambda one: (-severity_rank(one[0]), place[one[1].source])
    )
    severity, worst = ordered[0]
    ranges = [seen.step_range for _, seen in ordered if seen.step_range]
    listed = [seen for _, seen in ordered[: limits.layers.collapse_max_listed]]
    if state.fact:
        listed.append(Observation(source="train_loss", summary=state.fact))
    yield Finding(
        rule_id="activation_collapse",
        severity=severity,
        fact=f"{len(ordered)} of {len(tracks)} layers have collapsed. {worst.summary}",
        inference="These layers probably pass on next to nothing of the input, and learn nothing "
        "themselves.",
        observed=worst.observed,
        threshold=worst.threshold,
        step_range=(min(one[0] for one in ranges), max(one[1] for one in ranges)),
        subject=worst.source,
        observations=tuple(listed),
    )


def _above(
    tracks: list[LayerTrack], column: str, limits: AnalyzerThresholds, state: Progress
) -> Iterator[tuple[str, Observation]]:
    """Yield what has too many dead or saturated outputs."""
    own = limits.layers
    probes = probe_matrix(tracks, column)
    medians, now, early = probes.median(), probes.last(3), probes.first(2)
    level = np.minimum(medians, now) if state.is_known else np.fmax(medians, now)
    least = {name: getattr(limits, f"activation_collapse_{name}_{column}") for name in _LEVELS}
    every = own.collapse_all_dead_ratio
    # What has collapsed half-way was not seen so at half of the probes.
    level = np.where(now - early >= own.collapse_dead_rise, now, level)
    for row in np.flatnonzero(level >= least["warning"]):
        value, count = float(level[row]), int(probes.count[row])
        if _is_too_new(tracks[row], count, value >= least["critical"], limits, state):
            continue
        has_risen = bool(now[row] - early[row] >= own.collapse_dead_rise)
        severity, threshold = _grade(value, least)
        if state.is_learning:
            if column != "dead_unit_ratio" or value < every:
                continue
            severity = "info" if state.has_converged else "warning"
        elif state.is_known and value < every:
            saturated = column == "saturation_ratio" and state.is_stuck
            if not saturated and not (has_risen and value >= least["error"]):
                continue
        yield severity, _observation(tracks[row], column, value, threshold, probes.value[row])


def _flat(
    tracks: list[LayerTrack], limits: AnalyzerThresholds, state: Progress
) -> Iterator[tuple[str, Observation]]:
    """Yield what puts out always the same."""
    own = limits.layers
    if state.is_learning:
        return
    probes = probe_matrix(tracks, "std")
    now, early = probes.last(3), probes.first(2)
    least = {name: getattr(limits, f"activation_collapse_{name}_std") for name in _LEVELS}
    for row in np.flatnonzero(now <= least["warning"]):
        value, count = float(now[row]), int(probes.count[row])
        if tracks[row].element_count.max() < 2:
            continue
        if _is_too_new(tracks[row], count, value <= least["critical"], limits, state):
            continue
        has_fallen = value <= own.collapse_std_fall * float(early[row])
        alone = not state.is_known and len(tracks) < own.collapse_std_min_layers
        if not alone and not (has_fallen or value <= own.collapse_flat_std):
            continue
        severity, threshold = _grade(value, least, falling=True)
        yield (
            severity,
            _observation(tracks[row], "std", value, threshold, probes.value[row], falling=True),
        )


def _is_too_new(
    track: LayerTrack, count: int, is_critical: bool, limits: AnalyzerThresholds, state: Progress
) -> bool:
    """Return whether a layer was not seen for long enough: some begin at 0."""
    if state.is_known:
        settling = limits.layers.settling_steps
        needed = settling / 2 if "relu" in track.module_type.lower() else settling
        return int(track.step[-1] - track.step[0]) < needed
    return count < limits.layers.collapse_min_probes and not is_critical


_LEVELS = ("warning", "error", "critical")


def _grade(value: float, least: dict[str, float], *, falling: bool = False) -> tuple[str, float]:
    graded = grade(
        value,
        warning=least["warning"],
        error=least["error"],
        critical=least["critical"],
        falling=falling,
    )
    assert graded is not None
    return graded


def _observation(
    track: LayerTrack,
    column: str,
    value: float,
    threshold: float,
    probed: Float64Array,
    *,
    falling: bool = False,
) -> Observation:
    measured = ~np.isnan(getattr(track, column))
    steps, values = track.step[measured], getattr(track, column)[measured]
    beyond: BoolArray = values <= threshold if falling else values >= threshold
    first = int(steps[int(beyond.argmax())])
    return Observation(
        source=track.module_name,
        summary=f"{track.module_name} ({track.module_type}): "
        f"{_WORDS[column].format(value)} by step {steps[-1]}.",
        observed=value,
        threshold=threshold,
        step_range=(first, int(steps[-1])),
        metadata={"measure": column},
    )


def _is_left_out(track: LayerTrack) -> bool:
    kind = track.module_type.lower()
    return any(word in kind for word in _LEFT_OUT)


def _hidden(tracks: list[LayerTrack]) -> list[LayerTrack]:
    """Return all but the last layer, whose outputs may well be all alike; all if places are not
    known or there is one place alone."""
    places = {track.place for track in tracks}
    if len(places) < 2 or min(places) < 0:
        return tracks
    last = max(places)
    return [track for track in tracks if track.place != last]


RULE = Rule(
    rule_id="activation_collapse",
    category="representation",
    title="Activations have collapsed",
    check=activation_collapse,
    advice=(
        "Lower the learning rate: one step that is too large can push every bias below zero.",
        "Check the initialisation of weights and biases of the first layer named.",
        "Use LeakyReLU, GELU or SiLU, or put a normalisation before the activation.",
        "Check that inputs are scaled to about mean 0 and standard deviation 1.",
    ),
    explains=(
        "vanishing_gradients",
        "stagnant_layers",
        "parameters_without_gradient",
        "parameters_unchanged",
        "loss_not_decreasing",
        "accuracy_at_chance",
        "collapsed_predictions",
        "update_ratio",
    ),
)
