"""Loss not decreasing: the training loss stays where it began, or nothing is learned any more.

Observes three things. The training loss of the last quarter is no lower than that of the first
stretch, by so little that noise leaves no room for a fall, and something says that it was not
already good: an accuracy no better than guessing, a loss near the logarithm of the number of
classes, or no movement at all. Validation losses that are equal to the last digit again and again,
though training goes on: the weights do not move. A plateau after a fall is what a trained model
does, and a flat loss of a model that began well is healthy too.
Source: SageMaker Debugger's LossNotDecreasing (no fall within ten steps), AutoTrainer and
DeepDiagnosis; the witnesses are ours.
Default: less than 3 % over at least 100 points, less than 10 % with all noise granted; ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation
from quark.analyzers.guessing import accuracy_verdict, chance_words, guessed_classes
from quark.analyzers.loss_curve import loss_curve
from quark.analyzers.rule import Rule
from quark.analyzers.run_config import class_count, started_trained
from quark.analyzers.shapes import longest_run

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.loss_curve import LossCurve
    from quark.analyzers.thresholds import AnalyzerThresholds


def loss_not_decreasing(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, of the training loss or of the validation loss."""
    own = limits.loss
    is_over = evidence.run.status != "running"
    points = own.loss_not_decreasing_min_points if is_over else own.loss_not_decreasing_live_points
    curve = loss_curve(evidence, points)
    found = _frozen(evidence, limits)
    if found is None and curve is not None:
        found = _flat(evidence, curve, limits)
    if found is not None:
        yield found


def _flat(evidence: RunEvidence, curve: LossCurve, limits: AnalyzerThresholds) -> Finding | None:
    own, n = limits.loss, len(curve)
    if curve.value.min() <= 0:
        return None
    quarter = max(1, len(curve.level) // 4)
    early = float(np.median(curve.value[: max(5, min(n // 10, 500))]))
    late = float(np.median(curve.level[-quarter:]))
    lowest_late = float(np.median(np.sort(curve.level)[:quarter]))
    points = (max(5, n // 10), n / 4)
    error = 2.5 * curve.noise * sum(math.sqrt(curve.memory / count) for count in points)
    began = max(early, curve.start - 1.5 * curve.noise)  # unless its first points are just noise
    fall = (began - min(late, lowest_late + curve.level_error)) / began
    fell = (early - late) / early
    room, moved = own.loss_not_decreasing_sure_ratio, _validation_fall(evidence)
    most = fell + error / early if moved is None else fell
    seen = fell if moved is None else moved
    verdict, guessed = accuracy_verdict(evidence), guessed_classes(evidence)
    near = own.loss_not_decreasing_chance_ratio
    # Down from bad luck to guessing is no learning either.
    only_guesses = (
        verdict == "chance" and guessed is not None and late > (1 - 2 * near) * math.log(guessed)
    )
    has_fallen = fall >= room or most >= room or seen >= own.loss_not_decreasing_ratio
    if (has_fallen and not only_guesses) or late > 1.5 * early:
        return None
    if verdict == "good" or (verdict is None and started_trained(evidence)):
        return None
    classes = class_count(evidence)
    at_chance = classes is not None and abs(late / math.log(classes) - 1.0) <= near
    far_below = classes is not None and late < (1.0 - 4 * near) * math.log(classes)
    if verdict is None and far_below:
        return None
    is_still = curve.noise > 0 and fell + error / early < own.loss_not_decreasing_still_ratio
    words = chance_words(evidence, late)
    if verdict != "chance" and not words and not at_chance and not is_still:
        return None
    is_known = verdict == "chance" or at_chance
    severity = "error" if is_known else "warning" if words and curve.noise > 0 else "info"
    return Finding(
        rule_id="loss_not_decreasing",
        severity=severity,
        fact=f"{curve.key} was {early:.4g} in the first steps and is {late:.4g} in the last "
        f"quarter of {n} points: it fell by {max(0.0, fell):.1%}.{words}",
        inference="The model does not learn from what it is shown.",
        observed=fell,
        threshold=own.loss_not_decreasing_ratio,
        step_range=(int(curve.step[0]), curve.last_step),
        subject=curve.key,
    )


def _validation_fall(evidence: RunEvidence) -> float | None:
    """How far the validation loss fell at best, relative: the same data each time, it has no noise
    that could hide a fall, or feign one. None where there is too little of it."""
    series = evidence.role("val_loss")
    value = series.finite().value if series is not None else np.empty(0)
    if len(value) < 4 or value[0] <= 0:
        return None
    return float(1.0 - min(np.median(value[-3:]), np.median(value[1:])) / value[0])


def _frozen(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    """Equal validation losses: with moving weights they differ in some digit."""
    own = limits.loss
    series = evidence.role("val_loss")
    train = evidence.role("train_loss")
    if series is None or train is None or len(series) < own.loss_not_decreasing_frozen_evaluations:
        return None
    value, step = series.finite().value, series.finite().step
    same = np.diff(value) == 0.0
    begin, length = longest_run(same)
    if length + 1 < own.loss_not_decreasing_frozen_evaluations or begin + length != len(same):
        return None
    frozen = float(value[begin])
    is_rounded = frozen == 0.0 or float(f"{frozen:.5g}") == frozen
    first, last = int(step[begin]), int(step[-1])
    whole = max(1, last - min(int(train.step[0]), int(step[0])))
    share = (last - first) / whole
    goes_on = np.count_nonzero((train.step > first) & (train.step <= last))
    noisy = train.value[train.step > first]
    if is_rounded or goes_on < 10 or np.ptp(noisy[np.isfinite(noisy)] if len(noisy) else [0]) == 0:
        return None
    if share < own.loss_not_decreasing_frozen_ratio:
        return None
    count = length + 1
    return Finding(
        rule_id="loss_not_decreasing",
        severity="error",
        fact=f"{series.key} is {frozen:.8g} to the last digit at {count} evaluations in a row, "
        f"since step {first}, though training goes on to step {int(train.step[-1])}.",
        inference="The weights do not move: the learning rate is zero or next to it, the optimizer "
        "holds other parameters, or it steps without gradients.",
        observed=float(count),
        threshold=float(own.loss_not_decreasing_frozen_evaluations),
        step_range=(first, last),
        subject=series.key,
        observations=(
            Observation(
                source=train.key,
                summary=f"{train.key} was logged {int(goes_on)} times between steps {first} and "
                f"{last}.",
                observed=float(goes_on),
            ),
        ),
    )


RULE = Rule(
    rule_id="loss_not_decreasing",
    category="optimization",
    title="Loss not decreasing",
    check=loss_not_decreasing,
    advice=(
        "Check that optimizer.step() follows loss.backward(), and that the optimizer was given "
        "model.parameters() of the model that is trained.",
        "Try to overfit one batch: if that fails, model, loss or optimizer are wrong; if it works, "
        "look at the labels and whether they still belong to their inputs.",
        "Try learning rates 10 times higher and lower.",
        "Check the initialisation: weights that are all zero or all equal learn nothing.",
    ),
    explains=("accuracy_at_chance", "collapsed_predictions", "overtraining", "stagnant_layers"),
)
