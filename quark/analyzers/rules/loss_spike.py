"""Loss spike: the loss jumps to several times its level, over and over, and comes down again.

Observes rows of points that are all above twice the level of the stretch before, above its noise,
and above a share of where the loss began. One bad batch is one point and no spike; how long a row
has to be follows from how often single points are that high, so that the heavy tails of small
batches do not count. One or two spikes that recover are only worth knowing.
Source: Lightning's ``SpikeDetection`` (twice the running mean of ten, after one batch, if it is no
improvement), made robust.
Default: twice the level is Lightning's; three spikes and the rest are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding, Observation
from quark.analyzers.loss_curve import loss_curve, shortest_row
from quark.analyzers.rule import Rule

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.loss_curve import LossCurve
    from quark.analyzers.thresholds import AnalyzerThresholds

_NAMED = 5


def loss_spike(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding, of the training loss."""
    own = limits.loss
    curve = loss_curve(evidence, own.loss_spike_min_points)
    if curve is None or curve.start <= 0:
        return
    spikes = find_spikes(curve, limits)
    if not spikes:
        return
    heights = [float(curve.value[first : last + 1].max()) for first, last in spikes]
    levels = [_level_before(curve, first) for first, _ in spikes]
    worst = int(
        np.argmax([high / max(low, 1e-12) for high, low in zip(heights, levels, strict=True)])
    )
    steps = [int(curve.step[first]) for first, _ in spikes]
    count = len(spikes)
    many = f"{count} times" if count > 1 else "once"
    yield Finding(
        rule_id="loss_spike",
        severity="warning" if count >= own.loss_spike_warning_count else "info",
        fact=f"{curve.key} jumped {many} to at least {own.loss_spike_rise:g} times its level, the "
        f"highest from {levels[worst]:.4g} to {heights[worst]:.4g} at step {steps[worst]}.",
        inference="Steps are too long for parts of the landscape, or some batches are broken."
        if count > 1
        else "It came down again; one such jump is no reason to act.",
        observed=float(count),
        threshold=float(own.loss_spike_warning_count),
        step_range=(steps[0], int(curve.step[spikes[-1][1]])),
        subject=curve.key,
        observations=tuple(
            Observation(
                source=curve.key,
                summary=f"From {low:.4g} to {high:.4g} at steps {step} to {int(curve.step[last])}.",
                observed=high,
                threshold=own.loss_spike_rise * low,
                step_range=(step, int(curve.step[last])),
            )
            for step, (_, last), high, low in list(
                zip(steps, spikes, heights, levels, strict=True)
            )[:_NAMED]
        ),
    )


def find_spikes(curve: LossCurve, limits: AnalyzerThresholds) -> list[tuple[int, int]]:
    """Return the first and last point of each spike that came down again."""
    own, n = limits.loss, len(curve)
    edges = np.linspace(0, n, len(curve.level) + 1).astype(np.int64)
    # Of three stretches, so that a spike is no base for its own end.
    earlier = np.concatenate((np.repeat(curve.level[:1], 3), curve.level[:-1]))
    base = np.median(np.lib.stride_tricks.sliding_window_view(earlier, 3), axis=1)
    limit = np.maximum(own.loss_spike_rise * base, base + own.loss_spike_sigmas * curve.noise)
    limit = np.maximum(limit, base + own.loss_spike_start_ratio * curve.start)
    high = curve.value > np.repeat(limit, np.diff(edges))
    high[: edges[1]] = False
    share = float(np.count_nonzero(high)) / n
    if not share:
        return []
    by_chance = shortest_row(share, n, own.loss_spike_chance)
    need = max(3, int(np.ceil(by_chance * (curve.memory + 1.0) / 2.0)))
    flags = np.concatenate(([0], high.astype(np.int8), [0]))
    starts, ends = np.flatnonzero(np.diff(flags) == 1), np.flatnonzero(np.diff(flags) == -1)
    long = ends - starts >= need
    rows = zip(starts[long].tolist(), (ends[long] - 1).tolist(), strict=True)
    merged: list[tuple[int, int]] = []
    for first, last in rows:
        if merged and first - merged[-1][1] <= curve.width:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return [row for row in merged if row[1] < n - 1]


def _level_before(curve: LossCurve, place: int) -> float:
    stretch = min(len(curve.level) - 1, place * len(curve.level) // len(curve))
    return float(np.median(curve.level[max(0, stretch - 3) : max(1, stretch)]))


RULE = Rule(
    rule_id="loss_spike",
    category="optimization",
    title="Loss spikes",
    check=loss_spike,
    advice=(
        "Clip gradients: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).",
        "Lower the learning rate, or Adam's beta2 (0.95 instead of 0.999 forgets spikes sooner).",
        "Look at the batches of these steps.",
    ),
    explains=("gradient_norm_spike", "oscillating_loss", "exploding_gradients"),
)
