"""Loss sign: the training makes the loss larger.

Observes, in steps of the watched loop that are looked at, the gradient of the outputs, which gives
the sign of common losses away, unless the optimizer maximizes. Without that: a training loss that
is negative throughout and runs away from zero while the validation loss is positive and rises, or
while the accuracy falls to nothing.
Source: UMLAUT and DeepFD list it among faults of the loss; the formulas are the losses' own.
Default: 95 % of at least 3 steps, with one backward pass each. Ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.watched_loops import WatchedLoop, watched_loops

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


_SHARE = 0.95
_MIN_POINTS = 20
_GROWTH = 2.0
_NO_ACCURACY = 0.05
_INFERENCE = "The loss probably has the wrong sign, so that training makes the model worse."


def loss_sign(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding a watched model, or one of the training loss."""
    found = False
    for loop in watched_loops(evidence):
        direction, passes = loop.number("loss_direction"), loop.number("window_backward_count")
        weighed = ~np.isnan(loop.number("loss_row_scale"))
        known = (np.abs(direction) == 1) & weighed & ~(passes > 1)
        count = int(np.count_nonzero(known))
        wrong = known & (direction < 0)
        share = np.count_nonzero(wrong) / max(1, count)
        if count < limits.loop.loop_min_probes or share < _SHARE or _maximizes(loop):
            continue
        found = True
        yield Finding(
            rule_id="loss_sign",
            severity="error",
            fact=(
                f"In {np.count_nonzero(wrong)} of {count} steps that were looked at, the gradient "
                f"of {loop.name}'s outputs is that of a loss multiplied by -1."
            ),
            inference=_INFERENCE,
            observed=share,
            threshold=_SHARE,
            step_range=loop.steps_where(wrong),
            subject=loop.subject,
        )
    if not found:
        yield from _of_metrics(evidence)


def _maximizes(loop: WatchedLoop) -> bool:
    groups = [group for one in loop.optimizers() for group in one.get("groups", ())]
    return any(group.get("maximize") for group in groups)


def _of_metrics(evidence: RunEvidence) -> Iterator[Finding]:
    series = evidence.role("train_loss")
    loss = None if series is None else series.finite()
    if loss is None or len(loss) < _MIN_POINTS or (loss.value < 0).mean() < _SHARE:
        return
    third = len(loss) // 3
    size = np.abs(loss.value)
    early, late = float(np.median(size[:third])), float(np.median(size[-third:]))
    if late < _GROWTH * early:
        return
    contrary = _contrary(evidence)
    if contrary:
        yield Finding(
            rule_id="loss_sign",
            severity="error",
            fact=(
                f"{loss.key} is negative throughout and goes from -{early:.3g} to -{late:.3g}, "
                f"while {contrary}."
            ),
            inference=_INFERENCE,
            observed=-late,
            threshold=0.0,
            step_range=(int(loss.step[0]), int(loss.step[-1])),
            subject=loss.key,
        )


def _contrary(evidence: RunEvidence) -> str:
    """Say what speaks against a loss that is negative by nature."""
    validation = evidence.role("val_loss")
    values = None if validation is None else validation.finite().value
    if validation is not None and values is not None and len(values) > 1:
        rises = values[-1] > _GROWTH * values[0]
        if rises and (values > 0).all():
            return f"{validation.key} is positive and rises to {values[-1]:.3g}"
    for role in ("val_accuracy", "train_accuracy"):
        accuracy = evidence.role(role)
        values = None if accuracy is None else accuracy.finite().value
        if accuracy is not None and values is not None and len(values) > 2:
            last = values[-max(1, len(values) // 3) :]
            if float(np.max(last)) <= _NO_ACCURACY:
                return f"{accuracy.key} stays at {np.max(last):.3g} or below"
    return ""


RULE = Rule(
    rule_id="loss_sign",
    category="optimization",
    title="Loss of the wrong sign",
    check=loss_sign,
    advice=(
        "Minimize the loss as it is: remove the minus before it, or the maximize of the optimizer.",
        "For a log-likelihood or a reward, minimize its negative.",
    ),
    explains=(
        "loss_divergence",
        "exploding_gradients",
        "diverging_weights",
        "non_finite_values",
        "loss_not_decreasing",
        "accuracy_at_chance",
        "collapsed_predictions",
        "oscillating_loss",
        "learning_rate_too_high",
        "gradient_norm_spike",
        "activation_collapse",
        "validation_bad_from_start",
        "generalization_gap",
        "overfitting_onset",
        "loss_spike",
        "loss_scale",
        "update_ratio",
    ),
)
