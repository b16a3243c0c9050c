"""Poor initialization: weights begin all alike, all zero, or far too large.

Observes weights at the first probes, within the first 100 steps: whether half of them have a
standard deviation below 0.3 of their mean (drawn at random, the mean is next to 0), or stay zero,
or have a root mean square that is far above what their size asks for; and activations, whether
they grow fivefold and more from layer to layer.
Source: Glorot & Bengio, AISTATS 2010, and He et al., "Delving Deep into Rectifiers", ICCV 2015, by
which the root mean square of a square matrix is about the inverse fourth root of its size;
SageMaker Debugger's PoorWeightInitialization for the idea of comparing layers. All numbers are
ours: common initialisations are between 0.2 and 2 of that, and we speak at 6. A single weight that
begins at zero is common practice, so half of them are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation
from quark.analyzers.probe_matrix import probe_matrix
from quark.analyzers.rule import Rule
from quark.analyzers.weights import trained_weights

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, Float64Array, ParameterTrack, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_LISTED = 5
#: Snapshots that are looked at; in some there are gradients alone.
_EARLY = 10
#: Drawn at random, the mean is so many of its standard errors from 0 at most, and the largest value
#: between so many standard deviations: 1.7 for a uniform distribution, 6.5 for a huge normal one.
_CENTRED = 5.0
_NARROWEST = 1.4
_WIDEST = 7.5
_WEIGHT_LAYERS = ("linear", "conv", "bilinear")


def poor_initialization(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.layers
    # A network of small weights alone is judged by those.
    tracks = trained_weights(evidence, own.initialization_min_elements)
    tracks = [one for one in tracks if "embedding" not in one.module_type.lower()]
    tracks = [one for one in tracks if len(one) and one.step[0] <= own.initialization_max_step]
    found = _by_weights(tracks, evidence, limits) if tracks else None
    found = found or _by_activations(evidence, limits)
    if found is not None:
        yield found


def _by_weights(
    tracks: list[ParameterTrack], evidence: RunEvidence, limits: AnalyzerThresholds
) -> Finding | None:
    own = limits.layers
    mean, std, norm = (
        probe_matrix(tracks, column, _EARLY) for column in ("value_mean", "value_std", "value_norm")
    )
    if not norm.total or mean.value.shape != norm.value.shape:
        return None
    first_mean, first_std, first_norm = (one.first(1) for one in (mean, std, norm))
    with np.errstate(invalid="ignore"):
        is_zero = (norm.value[:, :2] == 0).all(axis=1) & (norm.count >= 2)
        is_constant = (first_std <= own.initialization_constant_ratio * np.abs(first_mean)) & (
            first_norm > 0
        )
    size = np.array([one.element_count for one in tracks], np.float64)
    scale = first_norm / np.sqrt(size) * size**0.25
    least = max(1.0, own.initialization_min_share * len(tracks))
    if (is_zero | is_constant).sum() >= least:
        word = "all zero" if is_zero.sum() >= is_constant.sum() else "all alike"
        return _finding(
            tracks,
            is_zero | is_constant,
            np.where(is_zero, 0.0, first_std / np.maximum(np.abs(first_mean), 1e-30)),
            severity="error",
            what=f"begin {word}",
            measure="a ratio of standard deviation to mean of",
            inference="Units of a layer that begin alike get the same gradient, and stay alike: "
            "the layer is worth a single unit, or nothing.",
            threshold=own.initialization_constant_ratio,
        )
    is_large = (scale >= own.initialization_large_scale) & _as_drawn(tracks, limits)
    if is_large.sum() >= max(least, 2.0) and _activations_are_large(evidence, limits):
        return _finding(
            tracks,
            is_large,
            scale,
            severity="error",
            what="begin far too large for their size",
            measure="a root mean square, times the fourth root of the size, of",
            inference="Activations and gradients probably grow from layer to layer, so that the "
            "first steps have to undo the initialisation.",
            threshold=own.initialization_large_scale,
        )
    return None


def _finding(
    tracks: list[ParameterTrack],
    chosen: BoolArray,
    observed: Float64Array,
    *,
    severity: str,
    what: str,
    measure: str,
    inference: str,
    threshold: float,
) -> Finding:
    rows = np.flatnonzero(chosen)
    worst = tracks[int(rows[0])]
    first = min(int(tracks[row].step[0]) for row in rows)
    last = max(int(tracks[row].step[min(1, len(tracks[row]) - 1)]) for row in rows)
    return Finding(
        rule_id="poor_initialization",
        severity=severity,
        fact=f"{len(rows)} of {len(tracks)} weights {what}: {worst.name} has {measure} "
        f"{observed[rows[0]]:.3g} at step {first}.",
        inference=inference,
        observed=float(observed[rows[0]]),
        threshold=threshold,
        step_range=(first, last),
        onset_step=0,
        subject=worst.name,
        observations=tuple(
            Observation(
                source=tracks[row].name,
                summary=f"{tracks[row].name} has {measure} {observed[row]:.3g}.",
                observed=float(observed[row]),
                threshold=threshold,
            )
            for row in rows[:_LISTED]
        ),
    )


def _as_drawn(tracks: list[ParameterTrack], limits: AnalyzerThresholds) -> BoolArray:
    """Return which weights still look drawn at random around 0, and are hardly moved by training:
    others may have become so large in the steps before the first probe."""
    columns = ("value_mean", "value_std", "value_min", "value_max")
    mean, std, low, high = (probe_matrix(tracks, column, _EARLY).first(1) for column in columns)
    norm = probe_matrix(tracks, "value_norm", _EARLY)
    size = np.array([one.element_count for one in tracks], np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        is_centred = np.abs(mean) <= _CENTRED * std / np.sqrt(size)
        widest, narrowest = np.maximum(high, -low) / std, np.minimum(high, -low) / std
        is_drawn = is_centred & (widest <= _WIDEST) & (narrowest >= _NARROWEST)
        later = norm.value[:, : limits.layers.initialization_still_probes]
        moved = np.nanmax(later, axis=1) / np.nanmin(later, axis=1) - 1.0
    unknown = np.isnan(widest) | np.isnan(narrowest)
    return np.asarray((is_drawn | unknown) & ~(moved > limits.layers.initialization_moved_ratio))


def _activations_are_large(evidence: RunEvidence, limits: AnalyzerThresholds) -> bool:
    """Return whether the largest first activation bears it out; True where there are none."""
    rms = [float(track.rms[0]) for track in evidence.activations if len(track)]
    rms = [value for value in rms if not np.isnan(value)]
    return not rms or max(rms) >= limits.layers.initialization_large_activation / 10


def _by_activations(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    """Look at how activations of weight layers grow from the input to the output."""
    own = limits.layers
    tracks = [
        track
        for track in evidence.activations
        if len(track)
        and track.call_index == 0
        and track.place >= 0
        and track.step[0] <= own.initialization_max_step
        and any(word in track.module_type.lower() for word in _WEIGHT_LAYERS)
    ]
    tracks.sort(key=lambda track: track.place)
    if len(tracks) < 3:
        return None
    rms = np.array([float(track.rms[0]) for track in tracks])
    if not np.isfinite(rms).all() or rms[0] <= 0:
        return None
    growth = float((rms[-1] / rms[0]) ** (1 / (len(rms) - 1)))
    if growth < own.initialization_growth_factor or rms[-1] < own.initialization_large_activation:
        return None
    first = int(tracks[0].step[0])
    return Finding(
        rule_id="poor_initialization",
        severity="error",
        fact=f"At step {first} activations grow {growth:.3g}-fold from layer to layer: from "
        f"{rms[0]:.3g} after {tracks[0].module_name} to {rms[-1]:.3g} after "
        f"{tracks[-1].module_name} (root mean square).",
        inference="The weights probably begin far too large.",
        observed=growth,
        threshold=own.initialization_growth_factor,
        step_range=(first, first),
        onset_step=0,
        subject=tracks[-1].module_name,
    )


RULE = Rule(
    rule_id="poor_initialization",
    category="optimization",
    title="Weights begin badly",
    check=poor_initialization,
    advice=(
        "Leave torch's own initialisation, or use torch.nn.init.kaiming_normal_ (ReLU) or "
        "xavier_uniform_ (tanh).",
        "Look for a loop over parameters() that overwrites weights with one number, or scales them "
        "twice.",
        "Put normalisation between layers, which makes the scale of weights matter less.",
    ),
    explains=(
        "exploding_gradients",
        "vanishing_gradients",
        "stagnant_layers",
        "activation_collapse",
        "parameters_all_zero",
        "parameters_unchanged",
        "parameters_without_gradient",
        "update_ratio",
        "loss_divergence",
        "loss_spike",
        "oscillating_loss",
        "loss_not_decreasing",
        "accuracy_at_chance",
        "non_finite_values",
        "gradient_norm_spike",
        "collapsed_predictions",
    ),
)
