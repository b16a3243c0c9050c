"""Update ratio: steps are far too large, or far too small, for the weights that they move.

Observes how far each weight moves in one step, relative to its own norm: from
``ParameterDiagnostics``, or at least as far as means and standard deviations of ``wandb.watch``
have moved, which can only show steps that are too large.
Source: CS231n notes, "Neural Networks Part 3", where 1e-3 is usual; SageMaker Debugger's
WeightUpdateRatio for more than 10 and less than 1e-8. That 0.1 in the median weight is too large,
and 1e-5 too small where the loss is where it began after 100 steps, is ours: healthy trainings had
medians from 2e-5 (fine-tuning) to 2e-2. While the learning rate still rises, small steps are
meant. What begins at 0, and biases, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation, grade
from quark.analyzers.progress import progress
from quark.analyzers.rule import Rule
from quark.analyzers.weights import step_ratios, trained_weights

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, ParameterTrack, RunEvidence
    from quark.analyzers.progress import Progress
    from quark.analyzers.thresholds import AnalyzerThresholds

_ADVICE_SMALL = (
    "Raise the learning rate, by a factor of 10 at a time.",
    "Check that the scheduler is stepped as often as it was made for.",
    "Check that gradients are neither clipped to a tiny norm nor divided twice.",
)


def update_ratio(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    own = limits.layers
    tracks = trained_weights(evidence, own.update_min_elements)
    tracks = [one for one in tracks if _began(one) > 0]
    if not tracks:
        return
    ratios = step_ratios(tracks)
    counts = np.isfinite(ratios).sum(axis=1)
    enough = counts >= own.update_min_probes
    if not enough.any():
        return
    medians = np.full(len(tracks), np.nan)
    medians[enough] = np.nanmedian(ratios[enough], axis=1)
    middle = float(np.nanmedian(medians))
    state = progress(evidence, limits)
    is_measured = any(np.isfinite(one.update_to_value_ratio).any() for one in tracks)
    graded = grade(
        middle,
        warning=own.update_warning_ratio,
        error=own.update_error_ratio,
        critical=own.update_critical_ratio,
    )
    span = max(int(one.step[-1] - one.step[0]) for one in tracks)
    settled = span >= own.settling_steps
    if graded is not None and enough.sum() > 1 and settled and not state.is_learning:
        yield _finding(tracks, medians, middle, graded, state, is_large=True)
    elif is_measured and (least := _too_small(evidence, limits, tracks, middle, state)):
        yield _finding(tracks, medians, middle, least, state, is_large=False)


def _too_small(
    evidence: RunEvidence,
    limits: AnalyzerThresholds,
    tracks: list[ParameterTrack],
    middle: float,
    state: Progress,
) -> tuple[str, float] | None:
    """Return severity and threshold if weights hardly move, but are not left where they are, which
    is another rule's finding."""
    own = limits.layers
    span = max(int(one.step[-1] - one.step[0]) for one in tracks)
    if not middle > 0 or span < own.update_tiny_min_steps or _rate_rises(evidence, tracks):
        return None
    if state.is_stuck and middle < own.update_tiny_ratio:
        return "warning", own.update_tiny_ratio
    if not state.is_known and middle < own.update_unmoved_ratio:
        return "warning", own.update_unmoved_ratio
    return None


def _rate_rises(evidence: RunEvidence, tracks: list[ParameterTrack]) -> bool:
    """Return whether the learning rate is higher at the end than at the beginning."""
    series = evidence.role("learning_rate")
    rates = [one.learning_rate[np.isfinite(one.learning_rate)] for one in tracks]
    if series is not None:
        rates.append(series.finite().value)
    return any(len(rate) > 1 and rate[-1] > 1.1 * rate[0] for rate in rates)


def _finding(
    tracks: list[ParameterTrack],
    medians: Float64Array,
    middle: float,
    graded: tuple[str, float],
    state: Progress,
    *,
    is_large: bool,
) -> Finding:
    severity, threshold = graded
    far = int(np.nanargmax(medians) if is_large else np.nanargmin(medians))
    observations = [
        Observation(
            source=tracks[far].name,
            summary=f"{tracks[far].name} moves by {medians[far]:.2g} of its norm in a step.",
            observed=float(medians[far]),
            threshold=threshold,
        )
    ]
    if state.fact:
        observations.append(Observation(source="train_loss", summary=state.fact))
    large = "Steps are probably far too large: each one overwrites much of what was learned."
    small = "Steps are probably far too small to learn in reasonable time."
    return Finding(
        rule_id="update_ratio",
        severity=severity,
        fact=f"In one step the median of {int(np.isfinite(medians).sum())} weights moves by "
        f"{middle:.2g} of its own norm; around 0.001 is usual.",
        inference=large if is_large else small,
        observed=middle,
        threshold=threshold,
        step_range=(
            min(int(one.step[0]) for one in tracks),
            max(int(one.step[-1]) for one in tracks),
        ),
        source="update_to_value_ratio",
        observations=tuple(observations),
        advice=() if is_large else _ADVICE_SMALL,
    )


def _began(track: ParameterTrack) -> float:
    """Return the norm that was measured first; 0 if none was."""
    measured = track.value_norm[np.isfinite(track.value_norm)]
    return float(measured[0]) if len(measured) else 0.0


RULE = Rule(
    rule_id="update_ratio",
    category="optimization",
    title="Steps do not fit the weights",
    check=update_ratio,
    advice=(
        "Lower the learning rate, by a factor of 10 at a time.",
        "Warm the learning rate up over the first few hundred steps.",
        "Clip gradients: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
    ),
    explains=("loss_not_decreasing", "accuracy_at_chance", "diverging_weights"),
)
