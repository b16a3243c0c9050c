"""Parameters unchanged: parameters get gradients, and yet stay bit for bit what they were.

Observes mean, standard deviation, norm, smallest and largest value of each trainable parameter:
they must be equal at all of three probes or more, while the parameter has a gradient that ought to
move it. Where nothing moves at all, 50 steps must have passed, because gradients may be accumulated
over many.
Source: SageMaker Debugger's UnchangedTensor, three saves in a row; equality to the bit and the 50
steps are ours. What has no gradient, or one that vanishes, is left to other rules. Parameters that
are frozen by ``requires_grad=False`` are meant to stay; only where most of a network is frozen as
it was drawn at random (a uniform distribution's largest value is 1.73 standard deviations) while
the loss is not falling, that is named too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation
from quark.analyzers.probe_matrix import probe_matrix
from quark.analyzers.progress import progress
from quark.analyzers.rule import Rule
from quark.analyzers.weights import share_of

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, Float64Array, ParameterTrack, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_COLUMNS = ("value_norm", "value_mean", "value_std", "value_min", "value_max")
#: Largest value of a centred uniform distribution in standard deviations, and how exactly.
_UNIFORM = 3.0**0.5
_UNIFORM_TOLERANCE = 0.02
_UNIFORM_MIN_ELEMENTS = 256
_LISTED = 5


def parameters_unchanged(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, on all such parameters."""
    own = limits.layers
    trained = [one for one in evidence.parameters if one.requires_grad]
    frozen = [one for one in evidence.parameters if not one.requires_grad]
    if trained:
        unchanged = _unchanged(trained, own.unchanged_min_probes)
        if unchanged.all():
            should_move = _has_gradient(trained, 0.0)
            left = [one for one, moves in zip(trained, should_move, strict=True) if moves]
            rates = _rates(left)
            stands = bool(len(rates)) and not rates.any()
            if left and (stands or _span(left) >= own.unchanged_min_steps):
                yield _nothing_moved(left, trained, stands=stands)
            return
        should_move = _has_gradient(trained, own.unchanged_gradient_ratio, ~unchanged)
        pairs = zip(trained, unchanged & should_move, strict=True)
        left = [one for one, still in pairs if still]
        if left and _span(left) >= own.settling_steps:
            yield _some_did_not(left, trained, evidence, limits)
            return
    random = [one for one in frozen if _looks_drawn(one)]
    state = progress(evidence, limits)
    if len(random) > 1 and state.is_known and not state.is_learning:
        weights = [one for one in evidence.parameters if one.parameter_role == "weight"]
        share = share_of(random, weights)
        if share >= 0.5 and _unchanged(random, own.unchanged_min_probes).all():
            yield _frozen_at_random(random, share)


def _nothing_moved(
    left: Sequence[ParameterTrack], trained: Sequence[ParameterTrack], *, stands: bool
) -> Finding:
    return _finding(
        left,
        severity="critical",
        fact=f"None of {len(trained)} trainable parameters has changed in {_span(left)} steps"
        f"{_with_gradients(left)}.",
        inference="The learning rate is 0, so no step moves anything."
        if stands
        else "Optimizer steps are probably missing, or the optimizer holds other parameters.",
        observed=1.0,
        threshold=1.0,
    )


def _some_did_not(
    left: Sequence[ParameterTrack],
    trained: Sequence[ParameterTrack],
    evidence: RunEvidence,
    limits: AnalyzerThresholds,
) -> Finding:
    own = limits.layers
    share = share_of(left, trained)
    rates = _rates(left)
    is_meant = bool(len(rates)) and not rates.any()
    is_large = share >= own.unchanged_error_share and not progress(evidence, limits).is_learning
    severity = "info" if is_meant else "error" if is_large else "warning"
    inference = "The optimizer probably does not hold these parameters."
    if is_meant:
        inference = "Their learning rate is 0: they are probably meant to stay."
    return _finding(
        left,
        severity=severity,
        fact=f"{len(left)} of {len(trained)} trainable parameters ({share:.0%} of the elements) "
        f"have not changed in {_span(left)} steps{_with_gradients(left)}, while others move; the "
        f"largest is {max(left, key=lambda one: one.element_count).name}.",
        inference=inference,
        observed=share,
        threshold=own.unchanged_error_share,
    )


def _frozen_at_random(random: Sequence[ParameterTrack], share: float) -> Finding:
    return _finding(
        random,
        severity="warning",
        fact=f"{len(random)} weights ({share:.0%} of the elements of all weights) are frozen by "
        "requires_grad=False, and are still distributed as they were drawn at random.",
        inference="Layers were probably frozen before they were trained or loaded.",
        observed=share,
        threshold=0.5,
    )


def _finding(
    left: Sequence[ParameterTrack],
    *,
    severity: str,
    fact: str,
    inference: str,
    observed: float,
    threshold: float,
) -> Finding:
    first = min(int(one.step[0]) for one in left)
    last = max(int(one.step[-1]) for one in left)
    worst = max(left, key=lambda one: one.element_count)
    return Finding(
        rule_id="parameters_unchanged",
        severity=severity,
        fact=fact,
        inference=inference,
        observed=observed,
        threshold=threshold,
        step_range=(first, last),
        subject=worst.name,
        source="parameters",
        observations=tuple(
            Observation(
                source=one.name,
                summary=f"{one.name} ({one.element_count} elements) has the same mean, standard "
                "deviation and norm at all probes.",
                step_range=(first, last),
            )
            for one in left[:_LISTED]
        ),
    )


def _unchanged(tracks: Sequence[ParameterTrack], min_probes: int) -> BoolArray:
    """Return which have equal statistics at all probes, of which there are enough."""
    still = np.ones(len(tracks), bool)
    for column in _COLUMNS:
        places = np.flatnonzero(still).tolist()
        probes = probe_matrix([tracks[place] for place in places], column)
        if column in _COLUMNS[:2]:
            still[places] &= probes.count >= min_probes
        if probes.value.shape[1]:
            first = probes.value[:, :1]
            still[places] &= (np.isnan(probes.value) | (probes.value == first)).all(axis=1)
    return still


def _has_gradient(
    tracks: Sequence[ParameterTrack], least: float, moved: BoolArray | None = None
) -> BoolArray:
    """Return which have a gradient that, relative to their value, is ``least`` times that of those
    that moved; all where gradients were not measured."""
    gradients, values = (probe_matrix(tracks, name) for name in ("gradient_norm", "value_norm"))
    if not gradients.total:
        return np.ones(len(tracks), bool)
    # An expert that was used once and never again has nothing to move for.
    usual = 2 * gradients.count >= gradients.count.max()
    gradient = np.where(usual, np.nan_to_num(gradients.median(), nan=0.0), 0.0)
    if moved is None or not moved.any() or not least:
        return np.asarray(gradient > 0)
    relative: Float64Array = gradient / np.maximum(values.median(), 1e-30)
    relative = np.where(np.isfinite(relative), relative, 0.0)
    return np.asarray((gradient > 0) & (relative >= least * float(np.median(relative[moved]))))


def _rates(tracks: Sequence[ParameterTrack]) -> Float64Array:
    """Return all learning rates that are known."""
    rates = np.concatenate([one.learning_rate for one in tracks] or [np.empty(0)])
    return np.asarray(rates[np.isfinite(rates)])


def _with_gradients(left: Sequence[ParameterTrack]) -> str:
    measured = any(np.isfinite(one.gradient_norm).any() for one in left)
    return (
        ", though it has gradients"
        if measured and len(left) == 1
        else (f", though {len(left)} of them have gradients" if measured else "")
    )


def _span(tracks: Sequence[ParameterTrack]) -> int:
    return max(int(one.step[-1] - one.step[0]) for one in tracks)


def _looks_drawn(track: ParameterTrack) -> bool:
    """Return whether a frozen weight is uniform around 0, as torch initialises."""
    std, high, low = (column[~np.isnan(column)] for column in _extremes(track))
    if track.parameter_role != "weight" or track.element_count < _UNIFORM_MIN_ELEMENTS:
        return False
    if not len(std) or not len(high) or not std[0] > 0:
        return False
    widths = np.array([high[0], -low[0]]) / std[0]
    return bool((np.abs(widths - _UNIFORM) < _UNIFORM * _UNIFORM_TOLERANCE * 2).all())


def _extremes(track: ParameterTrack) -> tuple[Float64Array, Float64Array, Float64Array]:
    return track.value_std, track.value_max, track.value_min


RULE = Rule(
    rule_id="parameters_unchanged",
    category="optimization",
    title="Parameters do not change",
    check=parameters_unchanged,
    advice=(
        "Build the optimizer from the model that is trained: "
        "torch.optim.AdamW(model.parameters()).",
        "Check that optimizer.step() is called after backward(), and zero_grad() not between the "
        "two.",
        "Check that the learning rate is above 0 in every parameter group.",
        "Freeze what is meant to stay by requires_grad_(False).",
    ),
    explains=("loss_not_decreasing", "accuracy_at_chance", "update_ratio", "learning_rate_too_low"),
)
