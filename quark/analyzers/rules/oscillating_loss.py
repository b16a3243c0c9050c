"""Oscillating loss: the training loss swings up and down instead of falling.

Observes two things. Swings: the medians of equal stretches go up and down by a good part of where
the loss began and of the level they swing around, far beyond the noise, to the end of the run. And
noise that the optimizer makes: the points scatter several times as widely as at the beginning while
the loss does not fall. The scatter of small batches is there from the first step on and is neither.
Learning rates that are raised again and again (cycles, warm restarts) excuse swings.
Source: AutoTrainer (ICSE 2021), "oscillating loss", there counted by epochs.
Default: five swings of 15 % of the start; ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.loss_curve import loss_curve, point_noise
from quark.analyzers.rates import rate_cycles
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.loss_curve import LossCurve
    from quark.analyzers.thresholds import AnalyzerThresholds


def oscillating_loss(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, of the training loss."""
    own = limits.loss
    curve = loss_curve(evidence, own.oscillating_loss_min_points)
    if curve is None or curve.start <= 0:
        return
    found = _swings(evidence, curve, limits) or _made_noise(curve, limits)
    if found is not None:
        yield found


def _swings(evidence: RunEvidence, curve: LossCurve, limits: AnalyzerThresholds) -> Finding | None:
    own = limits.loss
    best: tuple[Float64Array, list[int]] | None = None
    # Slow swings show in means of three stretches where single ones are too noisy.
    smooth = np.convolve(curve.level, np.ones(3) / 3.0, "valid")
    for level, error in ((curve.level, curve.level_error), (smooth, curve.level_error / 3.0**0.5)):
        amplitude = max(
            own.oscillating_loss_swing_ratio * curve.start,
            own.oscillating_loss_swing_level_ratio * float(np.median(level)),
            own.oscillating_loss_sigmas * error,
        )
        turns = turning_points(level, amplitude)
        # The first swing may be the fall of a loss that learns, the last one is not over yet.
        is_late = len(turns) > 2 and turns[-2] >= 0.6 * len(level)
        if is_late and len(turns) - 1 >= own.oscillating_loss_min_swings:
            best = (level, turns) if best is None or len(turns) > len(best[1]) else best
    if best is None:
        return None
    level, turns = best
    swings = len(turns) - 1
    if rate_cycles(evidence) >= 2:
        return None
    heights = np.abs(np.diff(level[turns]))
    size = float(np.median(heights))
    first = int(curve.level_step[turns[1]])
    return Finding(
        rule_id="oscillating_loss",
        severity="warning",
        fact=f"{curve.key} swung up and down {swings} times by {size:.3g} around a level of "
        f"{float(np.median(curve.level)):.3g} from step {first} on.",
        inference="Steps are so long that the optimizer jumps over what it looks for, or its "
        "momentum carries it back and forth.",
        observed=float(swings),
        threshold=float(own.oscillating_loss_min_swings),
        step_range=(first, curve.last_step),
        subject=curve.key,
    )


def _made_noise(curve: LossCurve, limits: AnalyzerThresholds) -> Finding | None:
    own = limits.loss
    count = max(8, min(len(curve) // 20, 200))
    early = point_noise(curve.value[:count])
    wide = own.oscillating_loss_noise_ratio * curve.start
    middle = float(np.median(curve.level[len(curve.level) // 2 :]))
    does_not_fall = middle >= 0.9 * curve.start
    if not does_not_fall or curve.late_noise < wide:
        return None
    growth = curve.late_noise / max(early, 1e-12)
    needed = own.oscillating_loss_noise_growth * (1.0 + 3.0 / float(np.sqrt(count)))
    if growth < needed:  # more where few points say how wide the noise was
        return None
    return Finding(
        rule_id="oscillating_loss",
        severity="warning",
        fact=f"{curve.key} scatters by {curve.late_noise:.3g} around {middle:.3g} in the second "
        f"half, {growth:.3g} times as widely as in the first steps, and does not fall.",
        inference="The optimizer makes this noise, not the batches: its steps are too long.",
        observed=growth,
        threshold=needed,
        step_range=(int(curve.step[len(curve) // 2]), curve.last_step),
        subject=curve.key,
    )


def turning_points(level: Float64Array, amplitude: float) -> list[int]:
    """Return the places of highs and lows that are at least ``amplitude`` apart, ends included.

    >>> turning_points(np.array([5.0, 1.0, 1.2, 4.0, 3.9, 0.5]), 1.0)
    [0, 1, 3, 5]
    """
    turns = [0]
    direction, extreme = 0, 0
    values = level.tolist()
    for place, value in enumerate(values):
        if direction == 0:
            if abs(value - values[0]) >= amplitude:
                direction, extreme = (1 if value > values[0] else -1), place
        elif (value - values[extreme]) * direction > 0:
            extreme = place
        elif (values[extreme] - value) * direction >= amplitude:
            turns.append(extreme)
            direction, extreme = -direction, place
    return [*turns, extreme] if direction else turns


RULE = Rule(
    rule_id="oscillating_loss",
    category="optimization",
    title="Oscillating loss",
    check=oscillating_loss,
    advice=(
        "Lower the learning rate by 3 to 10 times.",
        "Lower the momentum (0.9 is usual), or use larger batches.",
        "Shuffle the training data: sorted data swings with its classes.",
    ),
    explains=("loss_spike", "gradient_norm_spike", "overtraining", "update_ratio"),
)
