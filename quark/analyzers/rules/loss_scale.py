"""Loss scale: the loss has a size or a sign that such a loss cannot have.

Observes, where there is an accuracy or a second loss as a witness: a training loss that is about
the batch size times the validation loss (a sum instead of a mean); a first loss many times that of
guessing (the same, or inputs or weights that are far too large); a loss that falls below zero
without bound while accuracy does not rise (the wrong sign); a loss of minus the accuracy (a
likelihood without its logarithm); a loss that cannot get below what a softmax of a softmax allows
though accuracy is high. Losses below zero are legal (densities, variational bounds, similarities),
so that the sign alone says nothing.
Source: our own; "check the loss at init" is Karpathy's, "A Recipe for Training Neural Networks"
(2019).
Default: four times the loss of guessing, where classes are not known a loss of 20; ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.guessing import accuracy, accuracy_verdict, guessed_classes
from quark.analyzers.loss_curve import curve_of, target_moves
from quark.analyzers.rule import Rule
from quark.analyzers.run_config import batch_size, class_count

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.loss_curve import LossCurve
    from quark.analyzers.thresholds import AnalyzerThresholds

_NEAR = 200  # points before an evaluation that its training loss is the median of, at most
_EVALUATIONS = 50
_SIMILARITIES = ("knn", "cos", "sim", "dice", "iou")


def loss_scale(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, of the training loss."""
    series = evidence.role("train_loss")
    if series is None or target_moves(evidence):
        return
    series = series.finite()
    if len(series) < 4:
        return
    curve = curve_of(series)
    for check in (_wrong_sign, _without_logarithm, _times_batch, _large_start, _two_softmaxes):
        found = check(evidence, curve, limits)
        if found is not None:
            yield found
            return


def _finding(
    curve: LossCurve, severity: str, fact: str, inference: str, observed: float, threshold: float
) -> Finding:
    return Finding(
        rule_id="loss_scale",
        severity=severity,
        fact=fact,
        inference=inference,
        observed=observed,
        threshold=threshold,
        step_range=(int(curve.step[0]), curve.last_step),
        subject=curve.key,
    )


def _wrong_sign(
    evidence: RunEvidence, curve: LossCurve, limits: AnalyzerThresholds
) -> Finding | None:
    first, end = float(np.median(curve.value[:3])), curve.end
    growth = end / first if first < 0 else 0.0
    if first >= 0 or end >= -1.5:
        return None
    witness = _witness_of_sign(evidence)
    needed = limits.loss.loss_scale_negative_growth
    needed = needed / 3.0 if witness else needed * 100.0
    halves = np.diff(curve.level[[0, len(curve.level) // 2, -1]])
    speeds_up = bool(halves[1] < 2.0 * halves[0] < 0.0)
    if growth < needed or not (witness or speeds_up):
        return None
    return _finding(
        curve,
        "error" if witness else "warning",
        f"{curve.key} is below zero and grew from {first:.4g} to {end:.4g}, {growth:.3g} times"
        f"{' while ' + witness if witness else ''}.",
        "Probably the loss has the wrong sign: the optimizer makes the model as wrong as it can.",
        growth,
        needed,
    )


def _witness_of_sign(evidence: RunEvidence) -> str:
    """What says that the model gets worse; empty if nothing does."""
    for role in ("val_accuracy", "train_accuracy"):
        found = accuracy(evidence, role)
        if found is not None and len(found[1]) >= 2:
            part = max(1, len(found[1]) // 5)
            start, end = float(found[1][:part].mean()), float(found[1][-part:].mean())
            if end <= start or accuracy_verdict(evidence) == "chance":
                return f"the accuracy went from {start:.1%} to {end:.1%}"
            return ""
    losses = evidence.role("val_loss")
    value = losses.finite().value if losses is not None else np.empty(0)
    if len(value) >= 2 and value[0] > 0 and value[-1] > 2.0 * value[0]:
        return f"the validation loss rose from {value[0]:.4g} to {value[-1]:.4g}"
    return ""


def _without_logarithm(
    evidence: RunEvidence, curve: LossCurve, limits: AnalyzerThresholds
) -> Finding | None:
    first = float(np.median(curve.value[:3]))
    if not -0.9 <= first <= -0.02 or float(curve.value.min()) < -1.0 or curve.value.max() > 0:
        return None
    for role, loss_role in (("val_accuracy", "val_loss"), ("train_accuracy", "train_loss")):
        right, losses = accuracy(evidence, role), evidence.role(loss_role)
        name = (evidence.roles.key(role) or "").lower()
        if right is None or losses is None or any(word in name for word in _SIMILARITIES):
            continue
        losses = losses.finite()
        shared, here, there = np.intersect1d(losses.step, right[0], return_indices=True)
        if len(shared) < 3:
            continue
        gaps = np.abs(losses.value[here] + right[1][there])
        gap = float(np.median(gaps))
        if gap <= limits.loss.loss_scale_likelihood_gap:
            return _finding(
                curve,
                "warning",
                f"{curve.key} lies between -1 and 0 and {losses.key} is minus the accuracy, give "
                f"or take {gap:.2g}, at {len(shared)} points.",
                "Probably the logarithm is missing: the negative mean probability of the right "
                "class teaches slowly, and a sample that is quite wrong not at all.",
                gap,
                limits.loss.loss_scale_likelihood_gap,
            )
    return None


def _times_batch(
    evidence: RunEvidence, curve: LossCurve, limits: AnalyzerThresholds
) -> Finding | None:
    own, batch, losses = limits.loss, batch_size(evidence), evidence.role("val_loss")
    if batch is None or losses is None or batch < own.loss_scale_min_batch_ratio:
        return None
    losses = losses.finite()
    ratios = _ratios(curve, losses.step, losses.value)
    if len(ratios) < 3:
        return None
    ratio, lowest = float(np.median(ratios)), float(ratios.min())
    least = max(own.loss_scale_min_batch_ratio, (1.0 - own.loss_scale_batch_ratio) * batch)
    if ratio < least or lowest < 0.3 * ratio or float(ratios.max()) > 3.0 * ratio:
        return None
    return _finding(
        curve,
        "warning",
        f"{curve.key} is {ratio:.3g} times {losses.key} all along; a batch has {batch:g} samples.",
        "Probably the training loss is a sum over the batch and the validation loss a mean: the "
        "steps are as many times as long.",
        ratio,
        least,
    )


def _ratios(curve: LossCurve, steps: np.ndarray, values: Float64Array) -> Float64Array:
    """Training loss over validation loss, at each evaluation."""
    ratios = []
    steps, values = steps[:_EVALUATIONS], values[:_EVALUATIONS]
    for step, value in zip(steps.tolist(), values.tolist(), strict=True):
        place = int(np.searchsorted(curve.step, step, side="right"))
        near = curve.value[max(0, place - min(max(3, curve.width), _NEAR)) : place]
        if len(near) >= 3 and value > 0:
            ratios.append(float(np.median(near)) / value)
    return np.array(ratios)


def _large_start(
    evidence: RunEvidence, curve: LossCurve, limits: AnalyzerThresholds
) -> Finding | None:
    own, classes, batch = limits.loss, class_count(evidence), batch_size(evidence)
    if all(evidence.role(role) is None for role in ("val_accuracy", "train_accuracy")):
        return None
    first = float(np.median(curve.value[:3]))
    guess = None if classes is None else math.log(classes)
    least = own.loss_scale_start_loss if guess is None else own.loss_scale_start_ratio * guess
    if first < least:
        return None
    words = f"; guessing among {classes} classes gives {guess:.3g}" if guess is not None else ""
    is_sum = batch is not None and guess is not None and abs(first / guess / batch - 1.0) <= 0.3
    why = (
        f"That is about {batch:g} times as much, the batch size: probably the loss is a sum over "
        "the batch, not a mean."
        if is_sum
        else "Probably the loss is a sum over the batch, or inputs or initial weights are far too "
        "large."
    )
    return _finding(
        curve, "warning", f"{curve.key} begins at {first:.4g}{words}.", why, first, least
    )


def _two_softmaxes(
    evidence: RunEvidence, curve: LossCurve, limits: AnalyzerThresholds
) -> Finding | None:
    classes, losses = guessed_classes(evidence), evidence.role("val_loss")
    right = accuracy(evidence, "val_accuracy")
    if classes is None or classes < 5 or losses is None or right is None or len(curve) < 40:
        return None
    floor = math.log(math.e + classes - 1) - 1.0
    losses = losses.finite()
    if len(losses) < 4 or len(right[1]) < 4 or float(losses.value.min()) < floor:
        return None
    best, share = float(np.median(losses.value[-3:])), float(np.median(right[1][-3:]))
    part = max(1, len(curve.level) // 4)
    late, end = (
        float(np.median(curve.level[-2 * part : -part])),
        float(np.median(curve.level[-part:])),
    )
    still_falls = late - end > 0.15 * (curve.start - end)
    honest = 3.0 * -math.log(min(max(share, 0.01), 0.99))
    if share < 0.75 or best - floor > limits.loss.loss_scale_floor_gap or still_falls:
        return None
    if best < honest or float(curve.value.min()) < floor:
        return None
    return _finding(
        curve,
        "warning",
        f"{losses.key} stays at {best:.4g} though {share:.0%} are right; with {classes} classes no "
        f"softmax of a softmax gets below {floor:.4g}.",
        "Probably the model ends in a softmax and the loss takes another one.",
        best - floor,
        limits.loss.loss_scale_floor_gap,
    )


RULE = Rule(
    rule_id="loss_scale",
    category="optimization",
    title="Loss scale",
    check=loss_scale,
    advice=(
        'Use reduction="mean", or divide the loss by the number of samples.',
        "Before training, the cross entropy of a classifier should be about ln(classes).",
        "CrossEntropyLoss takes logits: no softmax before it; NLLLoss takes log_softmax.",
        "Normalise inputs, and check the sign: what is minimised is the negative log likelihood.",
    ),
    explains=(
        "learning_rate_too_high",
        "loss_divergence",
        "loss_spike",
        "oscillating_loss",
        "non_finite_values",
        "exploding_gradients",
        "gradient_norm_spike",
        "diverging_weights",
        "update_ratio",
        "accuracy_at_chance",
        "loss_not_decreasing",
        "generalization_gap",
        "validation_better_than_training",
        "validation_bad_from_start",
        "overfitting_onset",
        "clipping_always_active",
    ),
)
