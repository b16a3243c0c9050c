"""Learning rate too high: right after the start the loss goes up, and the run does not get over it.

Observes the first part of the run: the loss rises to well above where it began, before anything was
learned, and at the end it is still not clearly below its start (or it is no longer finite). A rise
that the run gets over, and rates that are unusual for the optimizer that the config names, are only
worth knowing.
Source: AutoTrainer and DeepFD name the cause; the shape is ours. Usual rates: Karpathy, "A Recipe
for Training Neural Networks" (2019), for Adam.
Default: one and a half times the start within the first quarter of the run; ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.loss_curve import loss_curve, shortest_row, target_moves
from quark.analyzers.rates import learning_rates
from quark.analyzers.rule import Rule
from quark.analyzers.run_config import configured_rate, optimizer_name
from quark.analyzers.shapes import longest_run

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.loss_curve import LossCurve
    from quark.analyzers.thresholds import AnalyzerThresholds

_IN_A_ROW = 3
#: Relative noise with which nobody can say where a loss began.
_TOO_NOISY = 0.6


def learning_rate_too_high(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    found = _blew_up(evidence, limits) or _rose(evidence, limits) or _hint(evidence, limits)
    if found is not None:
        yield found


def _rose(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    own = limits.loss
    curve = loss_curve(evidence, own.learning_rate_too_high_min_points)
    if curve is None:
        return None
    start = _first_level(curve)
    if start <= 0:
        return None
    early = max(10, int(own.learning_rate_too_high_before_ratio * len(curve)))
    window, later = curve.value[:early], curve.value[early:]
    settled = float(np.median(curve.level[len(curve.level) // 4 :]))
    relative = curve.late_noise / max(settled, 1e-12)
    # What began at three noisy points may have begun somewhat higher.
    limit = own.learning_rate_too_high_rise * start * (1.0 + 2.0 * min(1.0, relative))
    first, length = longest_run(window > limit)
    middle = float(np.median(curve.level[len(curve.level) // 2 :]))
    usual = (float(np.count_nonzero(later > limit)) + 1.0) / len(later)
    by_chance = shortest_row(usual, early, own.loss_spike_chance) * (curve.memory + 1.0) / 2.0
    if relative > _TOO_NOISY:
        return None
    is_row = length >= max(_IN_A_ROW, by_chance) and usual < 0.3
    is_level = length >= _IN_A_ROW and middle - start > 2.0 * curve.late_noise and middle > limit
    is_stuck = curve.best >= 0.9 * start and np.max(
        window
    ) >= own.learning_rate_too_high_jump * max(start, float(np.max(later)))
    if not is_row and not is_level and not is_stuck:
        return None
    if not length:
        return None
    rise = float(np.max(window[first : first + length])) / start
    got_over = not is_stuck and (curve.end < 0.7 * start or middle < 0.7 * start)
    is_fine = got_over and curve.end < own.learning_rate_too_high_poor_ratio * start
    stays = "but comes down to" if got_over else "and ends at"
    return Finding(
        rule_id="learning_rate_too_high",
        severity="info" if is_fine else "warning" if got_over else "error",
        fact=f"{curve.key} began at {start:.4g}, rose to {float(window.max()):.4g} by step "
        f"{int(curve.step[int(np.argmax(window))])} {stays} {curve.end:.4g}.",
        inference="The first steps were too long; the run got over it, but a warm-up or a lower "
        "rate would spare it that."
        if got_over
        else "The first steps were so long that they threw the weights where nothing is learned.",
        observed=rise,
        threshold=own.learning_rate_too_high_rise,
        step_range=(int(curve.step[first]), curve.last_step),
        subject=curve.key,
    )


def _first_level(curve: LossCurve) -> float:
    """The very first points: with too high a rate the third is wild already."""
    return float(min(curve.value[0], np.median(curve.value[:3])))


def _blew_up(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    """A loss that rises from step to step until it is not finite, within the first part."""
    own = limits.loss
    series = evidence.role("train_loss")
    if series is None or len(series) < 6 or target_moves(evidence):
        return None
    bad = ~np.isfinite(series.value)
    if not bad[-2:].all():
        return None
    place = int(np.argmax(bad))
    begins_early = place <= max(30, own.learning_rate_too_high_before_ratio * len(series))
    if place < 4 or not begins_early or not bad[place:].all():
        return None
    value = series.value[:place]
    start, last = float(value[0]), float(value[-1])
    if start <= 0 or last < 10.0 * start or last < 0.5 * float(value.max()):
        return None
    return Finding(
        rule_id="learning_rate_too_high",
        severity="critical",
        fact=f"{series.key} began at {start:.4g}, rose to {last:.4g} by step "
        f"{int(series.step[place - 1])} and is not finite from step {int(series.step[place])} on.",
        inference="Each step was longer than the one before until the numbers overflowed.",
        observed=last / start,
        threshold=10.0,
        step_range=(int(series.step[int(np.argmax(value > 2.0 * start))]), int(series.step[-1])),
        subject=series.key,
    )


def _hint(evidence: RunEvidence, limits: AnalyzerThresholds) -> Finding | None:
    own, name = limits.loss, optimizer_name(evidence)
    rates = learning_rates(evidence)
    rate = float(rates.value.max()) if rates is not None else configured_rate(evidence)
    usual = None
    if "adam" in name or "lion" in name or "rmsprop" in name:
        usual = own.learning_rate_too_high_adam
    elif "sgd" in name:
        usual = own.learning_rate_too_high_sgd
    if rate is None or usual is None or rate <= usual:
        return None
    return Finding(
        rule_id="learning_rate_too_high",
        severity="info",
        fact=f"The learning rate goes up to {rate:.3g} with {name}; above {usual:g} is unusual.",
        inference="If the loss does not fall, try a lower one first.",
        observed=rate,
        threshold=usual,
        subject="learning rate",
    )


RULE = Rule(
    rule_id="learning_rate_too_high",
    category="optimization",
    title="Learning rate too high",
    check=learning_rate_too_high,
    advice=(
        "Lower the learning rate by 10 times; if that learns, go up again by 3.",
        "Warm the rate up over the first steps, and clip gradients to a norm of 1.",
        "Check that inputs are normalised and that the loss is a mean over the batch, not a sum: "
        "both act like a higher rate.",
    ),
    explains=(
        "non_finite_values",
        "loss_divergence",
        "loss_spike",
        "oscillating_loss",
        "loss_not_decreasing",
        "gradient_norm_spike",
        "exploding_gradients",
        "vanishing_gradients",
        "stagnant_layers",
        "activation_collapse",
        "diverging_weights",
        "update_ratio",
        "accuracy_at_chance",
        "collapsed_predictions",
        "overtraining",
        "amp_scale_collapse",
    ),
)
