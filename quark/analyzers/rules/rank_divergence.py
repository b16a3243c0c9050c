"""Rank divergence: ranks that should train one model do not.

Observes the losses and gradient norms that several ranks have logged into the run: one whose
values are not finite while the others' are, and one that moves away from the others for good. Ranks
see different batches, so they differ by noise; ranks with other data differ from the beginning,
and a constant distance says nothing.
Source: TrainCheck (OSDI 2025) lists desynchronised weights among the silent errors of training.
The defaults are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.shapes import block_medians, noise

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, MetricSeries, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_PARTS = 10
_ROLES = ("train_loss", "val_loss", "gradient_norm")
#: More points than these change no median that is told with four digits.
_MAX_POINTS = 50_000


def rank_divergence(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding: the rank that is furthest from the others."""
    if len(evidence.rank_metrics) < 2:
        return
    for role in _ROLES:
        key = evidence.roles.key(role) or ""
        by_rank = {
            rank: metrics[key] for rank, metrics in evidence.rank_metrics.items() if key in metrics
        }
        if len(by_rank) < 2:
            continue
        found = _nonfinite(by_rank, limits) or _moved_away(by_rank, limits)
        if found is not None:
            yield found
            return


def _nonfinite(by_rank: Mapping[int, MetricSeries], limits: AnalyzerThresholds) -> Finding | None:
    """Find the ranks whose values end as NaN or infinity while those of others do not."""
    broken: dict[int, int] = {}  # by rank, from which step on
    for rank, series in by_rank.items():
        finite = np.flatnonzero(np.isfinite(series.value))
        first = int(finite[-1]) + 1 if len(finite) else 0
        if len(series) - first >= 3:
            broken[rank] = int(series.step[first])
    if not broken or len(broken) == len(by_rank):
        return None
    rank = min(broken, key=broken.__getitem__)
    series = by_rank[rank]
    return Finding(
        rule_id="rank_divergence",
        severity="error",
        fact=(
            f"{series.key} of rank {rank} is not finite from step {broken[rank]} on, while that of "
            f"{len(by_rank) - len(broken)} of {len(by_rank)} ranks is."
        ),
        inference="Ranks probably do not hold the same weights any more.",
        observed=float(len(broken)),
        threshold=1.0,
        step_range=(broken[rank], int(series.step[-1])),
        subject=f"rank {rank}",
        source=series.key,
    )


def _moved_away(by_rank: Mapping[int, MetricSeries], limits: AnalyzerThresholds) -> Finding | None:
    own = limits.runtime
    usable = {rank: one.finite() for rank, one in by_rank.items()}
    usable = {rank: one for rank, one in usable.items() if len(one) >= own.rank_min_steps}
    if len(usable) < 2:
        return None
    ranks = sorted(usable)
    thinned = [_thinned(usable[rank].value) for rank in ranks]
    parts = np.array([block_medians(values, _PARTS) for values in thinned])
    if (parts <= 0).any():
        return None  # ratios say nothing
    width = max(noise(values) for values in thinned) / np.sqrt(len(thinned[0]) / _PARTS)
    best: tuple[float, Finding] | None = None
    for place, rank in enumerate(ranks):
        others = np.median(np.delete(parts, place, axis=0), axis=0)
        # A loss that has nearly vanished is compared with what is left of the first one.
        floor = 0.02 * others[0]
        ratios = np.maximum(parts[place], floor) / np.maximum(others, floor)
        away = np.log(ratios)
        late, early = float(np.median(away[-3:])), float(away[0])
        distance = float(np.median(np.abs(parts[place] - others)[-3:]))
        moved = abs(late) >= np.log(own.rank_divergence_ratio)
        moved &= abs(late - early) >= np.log(own.rank_divergence_growth)
        if not moved or distance < own.rank_divergence_noise * width:
            continue
        began = int(np.argmax(np.abs(away - early) >= abs(late - early) / 2))
        series = usable[rank]
        ratio = float(np.exp(abs(late)))
        finding = Finding(
            rule_id="rank_divergence",
            severity="warning",
            fact=(
                f"{series.key} of rank {rank} is {parts[place][-1]:.4g} at the end, that of the "
                f"other {'ranks' if len(ranks) > 2 else 'rank'} {others[-1]:.4g}; at the beginning "
                f"they were {parts[place][0]:.4g} and {others[0]:.4g}."
            ),
            inference="Ranks probably do not hold the same weights any more.",
            observed=ratio,
            threshold=own.rank_divergence_ratio,
            step_range=(int(series.step[began * len(series) // _PARTS]), int(series.step[-1])),
            subject=f"rank {rank}",
            source=series.key,
        )
        if best is None or ratio > best[0]:
            best = (ratio, finding)
    return None if best is None else best[1]


def _thinned(values: Float64Array) -> Float64Array:
    return values[:: max(1, len(values) // _MAX_POINTS)]


RULE = Rule(
    rule_id="rank_divergence",
    category="optimization",
    title="Ranks diverge",
    check=rank_divergence,
    advice=(
        "Check that every parameter is averaged over ranks: wrapped by DDP, in the optimizer, and "
        "not changed outside of the step.",
        "Compare a checksum of the weights over ranks every few hundred steps.",
        "Broadcast the weights after they are made or loaded, and seed what must be equal.",
    ),
    explains=("non_finite_values", "loss_divergence"),
)
