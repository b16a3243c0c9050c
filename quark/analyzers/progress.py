"""How far a training has come, for rules that look at layers.

Small gradients, dead units and weights that hardly move are what a network looks like that has
nothing left to learn, as well as one that cannot learn. The training loss tells the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.loss_curve import loss_curve

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the training loss says.

    ``is_known``: there is a training loss at all. Where nothing can be said of it (too few points,
    a loss that is not positive, adversarial training), the other three are False.
    """

    is_known: bool = False
    is_learning: bool = False  # it fell by a lot, or is close to 0
    has_converged: bool = False  # hardly anything of it is left
    is_stuck: bool = False  # it is where it began, or above, or no number any more
    fact: str = ""  # a sentence on it, empty where nothing can be said


UNKNOWN = Progress()


def progress(evidence: RunEvidence, limits: AnalyzerThresholds) -> Progress:
    """Return how far the training has come, by its training loss."""
    own = limits.layers
    series = evidence.role("train_loss")
    if series is None or not len(series):
        return UNKNOWN
    late = series.value[-max(3, len(series) // 20) :]
    if len(series) >= own.progress_min_points and np.isnan(late).mean() > 0.5:
        return Progress(is_known=True, is_stuck=True, fact=f"{series.key} is no number any more.")
    curve = loss_curve(evidence, own.progress_min_points)
    if curve is None or curve.start <= 0 or not np.isfinite(curve.end / curve.start):
        return Progress(is_known=True)
    # A loss that jumped at once and came back has not fallen by that.
    start = min(curve.start, max(float(curve.value[0]), 0.0) + 3.0 * curve.late_noise)
    ratio = curve.end / start if start > 0 else 1.0
    is_low = start < own.progress_low_loss
    return Progress(
        is_known=True,
        is_learning=is_low or ratio <= own.progress_learning_ratio,
        has_converged=is_low or ratio <= own.progress_converged_ratio,
        is_stuck=not is_low and ratio > own.progress_stuck_ratio,
        fact=f"{curve.key} went from {start:.4g} to {curve.end:.4g}.",
    )
