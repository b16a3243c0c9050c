"""Gradient norm spike: the gradient is suddenly many times as large, and the loss follows.

Observes the norm of the whole gradient (logged, or put together from parameter snapshots): single
points far above the level before them and above everything of the beginning. A spike that the loss
does not notice is only worth knowing, and so are the long tails of small batches, where a good part
of all points is far above the middle.
Source: Lightning's ``SpikeDetection`` and MosaicML Composer's OptimizerMonitor; that the loss has
to follow is ours.
Default: ten times the level; three spikes that the loss follows; ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.evidence import MetricSeries
from quark.analyzers.findings import Finding
from quark.analyzers.loss_curve import curve_of, loss_curve
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import Int64Array, RunEvidence
    from quark.analyzers.loss_curve import LossCurve
    from quark.analyzers.thresholds import AnalyzerThresholds

#: Spikes at more than this share of the points are the usual scatter.
_USUAL_RATIO = 0.05


def gradient_norm_spike(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, of the gradient's norm."""
    own = limits.loss
    norms = gradient_norms(evidence)
    if norms is None or len(norms) < own.gradient_norm_spike_min_points:
        return
    curve = curve_of(norms)
    edges = np.linspace(0, len(curve), len(curve.level) + 1).astype(np.int64)
    base = np.concatenate((curve.level[:1], curve.level[:-1]))
    opening = float(curve.value[: edges[max(1, len(curve.level) // 10)]].max())
    limit = np.maximum(
        own.gradient_norm_spike_rise * base, own.gradient_norm_spike_start_rise * opening
    )
    places = np.flatnonzero(curve.value > np.repeat(limit, np.diff(edges)))
    if not len(places) or len(places) > _USUAL_RATIO * len(curve):
        return
    begins = places[np.diff(places, prepend=-curve.width - 1) > curve.width]
    steps = curve.step[begins]
    followed = _followed(steps, loss_curve(evidence, 20), own.gradient_norm_spike_loss_ratio)
    worst = int(places[np.argmax(curve.value[places])])
    usual = float(base[np.searchsorted(edges, worst, side="right") - 1])
    times = float(curve.value[worst]) / max(usual, 1e-12)
    many = f"{len(begins)} times" if len(begins) > 1 else "once"
    after = f"; the loss rose after {followed} of them" if followed else ""
    is_bad = followed >= own.gradient_norm_spike_warning_count
    yield Finding(
        rule_id="gradient_norm_spike",
        severity="warning" if is_bad else "info",
        fact=f"{norms.key} spiked {many}, the highest {float(curve.value[worst]):.3g} at step "
        f"{int(curve.step[worst])}, {times:.3g} times its level{after}.",
        inference="Single batches or steep places throw the weights back."
        if is_bad
        else "The training took no harm.",
        observed=times,
        threshold=own.gradient_norm_spike_rise,
        step_range=(int(steps[0]), int(curve.step[places[-1]])),
        subject=norms.key,
    )


def gradient_norms(evidence: RunEvidence) -> MetricSeries | None:
    """Return the norm of the whole gradient by step, finite points only; None if unknown."""
    series = evidence.role("gradient_norm")
    if series is not None:
        return series.finite()
    tracks = [one for one in evidence.parameters if np.isfinite(one.gradient_norm).any()]
    if not tracks:
        return None
    step = tracks[0].step
    same = [one.gradient_norm for one in tracks if np.array_equal(one.step, step)]
    if len(same) < 0.9 * len(tracks):
        return None
    total = np.sqrt(np.nansum(np.square(np.stack(same)), axis=0))
    return MetricSeries(key="gradient norm", step=step, value=total).finite()


def _followed(steps: Int64Array, loss: LossCurve | None, ratio: float) -> int:
    """Return after how many of ``steps`` the loss rose by a share of its start."""
    if loss is None or loss.start <= 0:
        return 0
    count = 0
    for place in np.searchsorted(loss.step, steps).tolist()[:50]:
        before, after = loss.value[max(0, place - 5) : place + 1], loss.value[place + 1 : place + 5]
        if len(before) >= 3 and len(after) >= 3:
            rise = float(np.median(after) - np.median(before))
            count += rise >= max(ratio * loss.start, 4.0 * loss.noise)
    return count


RULE = Rule(
    rule_id="gradient_norm_spike",
    category="optimization",
    title="Gradient norm spikes",
    check=gradient_norm_spike,
    advice=(
        "Clip gradients: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
        "Look at the batches of these steps: empty masks, very long sequences, broken labels.",
        "Lower the learning rate or warm it up for longer.",
    ),
    explains=("loss_spike",),
)
