"""Learning rate too low: the loss falls in a straight line, and hardly at all.

Observes the whole run: the loss fell by a few percent only, by far more than noise, and as fast in
its second half as in its first, so that it is nowhere near a plateau; and nothing says that the
model was good to begin with. Where the training loss is too noisy to tell, a validation loss that
falls by the same little at each evaluation tells it, and with a rate that is tiny for the optimizer
a loss that stands still is enough.
Source: AutoTrainer's "slow convergence" (accuracy gains below 0.01); the shape is ours.
Default: less than 10 % over at least 100 points; ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.guessing import accuracy_verdict, chance_words
from quark.analyzers.loss_curve import loss_curve
from quark.analyzers.rates import learning_rates
from quark.analyzers.rule import Rule
from quark.analyzers.run_config import configured_rate, optimizer_name, started_trained

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.limits.loss import LossLimits
    from quark.analyzers.thresholds import AnalyzerThresholds


def learning_rate_too_low(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, of the training loss."""
    own = limits.loss
    curve = loss_curve(evidence, own.learning_rate_too_low_min_points)
    if curve is None or curve.start <= 0 or started_trained(evidence):
        return
    if evidence.run.status == "running" and len(curve) < own.loss_not_decreasing_live_points:
        return
    verdict = accuracy_verdict(evidence)
    if verdict == "good":
        return
    rates = learning_rates(evidence)
    rate = float(np.median(rates.value)) if rates is not None else configured_rate(evidence)
    is_tiny = rate is not None and 0 < rate <= _tiny_rate(evidence, limits)
    third = len(curve) // 3
    first, middle, last = (
        float(np.mean(part)) for part in np.array_split(curve.value, [third, 2 * third])
    )
    error = 1.5 * curve.noise * (2.0 / third) ** 0.5
    fall = (first - last) * 1.5 / curve.start  # thirds are two thirds of the run apart
    is_sure = first - last >= own.learning_rate_too_low_sigmas * error
    late, early = middle - last, first - middle
    is_straight = late >= own.learning_rate_too_low_late_ratio * early > 0
    crept = _crept(evidence, own)
    creeps = fall < own.learning_rate_too_low_fall_ratio and (
        crept or (fall > 0 and is_sure and is_straight)
    )
    is_untrained = crept or verdict is not None or bool(chance_words(evidence, first))
    stands = abs(fall) < own.learning_rate_too_low_flat_ratio + 1.5 * error / curve.start
    if not (creeps and (is_untrained or is_tiny)) and not (is_tiny and stands):
        return
    if rates is not None and _still_warms_up(rates.value):
        return
    about = f" The learning rate is {rate:.3g}." if rate is not None else ""
    if crept:
        about += f" {evidence.roles.key('val_loss')} fell by the same little at each evaluation."
    yield Finding(
        rule_id="learning_rate_too_low",
        severity="warning",
        fact=f"{curve.key} fell by {max(0.0, fall):.1%} in {len(curve)} points, from {first:.4g} "
        f"in the first third over {middle:.4g} to {last:.4g} in the last.{about}",
        inference="Steps are so short that the run would have to be many times as long.",
        observed=fall,
        threshold=own.learning_rate_too_low_fall_ratio,
        step_range=(int(curve.step[0]), curve.last_step),
        subject=curve.key,
    )


def _crept(evidence: RunEvidence, own: LossLimits) -> bool:
    """Whether the validation loss fell by the same little each time, from the first to the last:
    the same data each time, it has no noise that could look like that."""
    series = evidence.role("val_loss")
    value = series.finite().value if series is not None else np.empty(0)
    if len(value) < 6 or value[0] <= 0:
        return False
    middle = len(value) // 2
    early, late = float(value[0] - value[middle]), float(value[middle] - value[-1])
    share = late / (len(value) - 1 - middle) / max(early / middle, 1e-12)
    fell = 1.0 - float(value[-1] / value[0])
    is_little = 0.1 * own.learning_rate_too_low_fall_ratio < fell
    is_little = is_little and fell < own.learning_rate_too_low_fall_ratio
    is_monotone = bool((np.diff(value) < 0).all())
    return is_monotone and is_little and early > 0 and share >= own.learning_rate_too_low_late_ratio


def _tiny_rate(evidence: RunEvidence, limits: AnalyzerThresholds) -> float:
    name, own = optimizer_name(evidence), limits.loss
    if "adam" in name or "lion" in name:
        return own.learning_rate_too_low_adam
    return own.learning_rate_too_low_sgd if "sgd" in name else own.learning_rate_too_low_rate


def _still_warms_up(rates: np.ndarray) -> bool:
    """Whether the rate has been rising for most of what is known of the run."""
    return int(np.argmax(rates)) > 0.6 * len(rates)


RULE = Rule(
    rule_id="learning_rate_too_low",
    category="optimization",
    title="Learning rate too low",
    check=learning_rate_too_low,
    advice=(
        "Raise the learning rate by 10 times, and again, until the loss gets unsteady; then take a "
        "third of that.",
        "Adam usually learns between 1e-4 and 3e-3, SGD with momentum between 0.01 and 0.3.",
        "Check that gradients are not clipped to next to nothing.",
    ),
    explains=(
        "loss_not_decreasing",
        "accuracy_at_chance",
        "update_ratio",
        "parameters_unchanged",
        "stagnant_layers",
        "overtraining",
    ),
)
