"""Accuracy at chance: the model answers no better than guessing, or always the same.

Observes validation accuracy, or training accuracy where there is none. It is at chance if it was
low at the first evaluation and was never ``chance_gain_factor`` times that. A low accuracy alone
may be a hard task, so the loss must agree: it has hardly fallen, or it is the one of guessing,
where accuracy x exp(loss) is 1 for any number of classes. Predictions have collapsed if the
accuracy is the same number at each evaluation while the loss moves.
Source: the check of the initial loss in the CS231n notes, "Neural Networks Part 3"; DeepDiagnosis
(ICSE 2022), symptom "accuracy not increasing".
Default: ours, from healthy and faulty runs of small models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.shapes import block_medians
from quark.analyzers.side_by_side import Curve, accuracy_curve, curve, end_level, smoothed

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.limits.generalization import GeneralizationLimits
    from quark.analyzers.thresholds import AnalyzerThresholds

#: An accuracy of 0 is that of a measure too strict to say anything, such as exact matches.
_LOWEST = 1e-4
#: A long accuracy is judged by so many medians.
_BLOCKS = 20


def accuracy_at_chance(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    family = limits.generalization
    train_loss = curve(evidence.role("train_loss"))
    if train_loss is not None and train_loss.point_count < family.chance_min_train_points:
        return
    for split in ("val", "train"):
        accuracy = accuracy_curve(evidence.role(f"{split}_accuracy"))
        if accuracy is None or len(accuracy) < family.chance_min_points:
            continue
        loss = curve(evidence.role(f"{split}_loss"))
        found = _constant(accuracy, loss, family) or _guessing(accuracy, loss, family)
        if found is not None:
            yield found
        return


def _constant(accuracy: Curve, loss: Curve | None, family: GeneralizationLimits) -> Finding | None:
    """An accuracy that is the same number each time; of long curves, of means of blocks."""
    if len(accuracy) < family.chance_constant_points:
        return None
    level = float(accuracy.value[0])
    if not (accuracy.value == level).all() or level < _LOWEST:
        return None
    if loss is None or float(np.ptp(loss.value)) == 0.0:
        return None  # the model does not move at all, which is another matter
    guess = level * math.exp(min(float(loss.value.min()), 50.0))
    if guess * family.chance_witness_factor < 1.0:
        return None  # the two tell of different things, as below
    is_low = level <= family.chance_constant_highest
    return Finding(
        rule_id="accuracy_at_chance",
        severity="warning" if is_low else "info",
        fact=(
            f"{accuracy.key} was {level:.4g} at each of {accuracy.point_count} evaluations, while "
            f"{loss.key} went from {float(loss.value[0]):.4g} to {float(loss.value[-1]):.4g}."
        ),
        inference="The model probably gives the same answer to everything.",
        observed=level,
        threshold=family.chance_constant_highest,
        step_range=(int(accuracy.step[0]), int(accuracy.step[-1])),
        source=accuracy.key,
    )


def _guessing(accuracy: Curve, loss: Curve | None, family: GeneralizationLimits) -> Finding | None:
    if loss is None or len(loss) < family.chance_min_points:
        return None
    values = smoothed(accuracy.value)
    if len(values) > _BLOCKS:
        values = block_medians(values, _BLOCKS)
    level, losses = float(np.median(values)), smoothed(loss.value)
    lowest, began = float(losses.min()), float(losses[0])
    if not _LOWEST <= level <= family.chance_constant_highest:
        return None
    guess = level * math.exp(min(lowest, 50.0))
    is_low = level <= family.chance_highest
    factor = family.chance_witness_factor if is_low else family.chance_few_factor
    is_guess = 1.0 / factor <= guess <= factor
    # What was learned shows as accuracy x exp(loss) far above 1; far below 1 the two tell of
    # different things, such as exact matches beside a loss per token.
    agrees = 1.0 / family.chance_agree_factor <= guess <= family.chance_agree_factor
    learned_little = began - lowest <= family.chance_loss_gain_ratio * abs(began)
    if not (is_guess or (agrees and learned_little and is_low)):
        return None
    first = float(np.median(accuracy.value[: max(3, len(accuracy) // 20)]))
    if is_guess:  # few samples make the first accuracy itself uncertain
        first = max(first, math.exp(-lowest))
    highest = min(family.chance_gain_factor * first, first + family.chance_gain)
    # One lucky evaluation is forgiven, but not the last: that may be a beginning.
    best = max(float(np.sort(values)[-2]), float(values[-1]))
    if not best < highest:
        return None
    witness = (
        f"{loss.key} is {end_level(loss.value):.4g}, and guessing among as many classes gives "
        f"{-math.log(level):.4g}"
        if is_guess
        else f"{loss.key} went from {began:.4g} to {end_level(loss.value):.4g}"
    )
    return Finding(
        rule_id="accuracy_at_chance",
        severity="error" if is_guess else "warning",
        fact=(
            f"{accuracy.key} stands at {level:.4g} over {accuracy.point_count} evaluations and "
            f"passed {best:.4g} once at most; {witness}."
        ),
        inference="The model answers no better than by guessing.",
        observed=best,
        threshold=highest,
        step_range=(int(accuracy.step[0]), int(accuracy.step[-1])),
        source=accuracy.key,
    )


RULE = Rule(
    rule_id="accuracy_at_chance",
    category="generalization",
    title="Accuracy at chance",
    check=accuracy_at_chance,
    advice=(
        "Check that inputs and labels belong together: look at a batch by eye.",
        "Train on ten samples: a model that cannot learn them by heart has a bug.",
        "Check that gradients reach every layer and that the optimizer has its parameters.",
        "Try learning rates ten times smaller and ten times larger.",
    ),
)
