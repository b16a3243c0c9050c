"""Rank straggler: one rank is slower than the others, and all of them wait for it.

Observes, rank by rank and over ten parts of the run, the time that a rank spends outside of what
ranks wait for together: its wait for data and its computing time where they are measured, else its
step time, which tells only where ranks do not wait for each other.
Source: NVIDIA's resiliency extension (NVRx) calls a rank a straggler at a performance score below
0.75, which is 1.33 times the time of the others; the rest is ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.shapes import block_medians
from quark.analyzers.step_times import loop_times, times_between

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, MetricSeries, RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

_PARTS = 10
_MAX_POINTS = 20_000
#: What is measured, how it is told, and whether it is a part of the step only.
_MEASURES = {
    "data": ("waits for data", True),
    "compute": ("computes", True),
    "step": ("takes for a step", False),
}


def rank_straggler(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding: the slowest rank."""
    ranks = sorted(evidence.rank_metrics)
    if len(ranks) < 2:
        return
    worst: tuple[float, Finding] | None = None
    for name, by_rank in _measured(evidence, ranks, limits).items():
        found = _slowest(name, by_rank, evidence, limits)
        if found is not None and (worst is None or found[0] > worst[0]):
            worst = found
    if worst is not None:
        yield worst[1]


_ByRank = Mapping[int, tuple["Float64Array", float]]  # parts of the run, and the time of a step


def _measured(
    evidence: RunEvidence, ranks: list[int], limits: AnalyzerThresholds
) -> dict[str, _ByRank]:
    """Return milliseconds by measure and rank, for measures that every rank has."""
    found: dict[str, dict[int, tuple[Float64Array, float]]] = {name: {} for name in _MEASURES}
    least = limits.runtime.rank_min_steps
    for rank in ranks:
        metrics = evidence.rank_metrics[rank]
        steps = _values(evidence, rank, "step_time_ms")
        rows = metrics.get(evidence.roles.key("train_loss") or "")
        between = None if rows is None else times_between(_thinned(rows), evidence)
        loop = loop_times(evidence.loop, rank)
        if len(steps) < least and between is not None and len(between) >= least:
            steps = between.step_ms
        if len(steps) < least:
            continue
        usual_ms = float(np.median(steps))
        found["step"][rank] = (block_medians(steps, _PARTS), usual_ms)
        for name, role in (("data", "data_time_ms"), ("compute", "compute_time_ms")):
            values = _values(evidence, rank, role)
            if len(values) >= least:
                found[name][rank] = (block_medians(values, _PARTS), usual_ms)
        if rank not in found["data"] and loop is not None and loop.step_count.sum() >= least:
            found["data"][rank] = (block_medians(loop.data_ms, _PARTS), usual_ms)
    return {name: by_rank for name, by_rank in found.items() if len(by_rank) == len(ranks)}


def _values(evidence: RunEvidence, rank: int, role: str) -> Float64Array:
    """Return what a metric says of a rank, else what telemetry does."""
    series = evidence.rank_metrics[rank].get(evidence.roles.key(role) or "")
    if series is None:
        table = evidence.telemetry
        values = table.number(role)[table.rank == rank]
    else:
        values = _thinned(series).value
    return np.asarray(values[np.isfinite(values)])


def _thinned(series: MetricSeries) -> MetricSeries:
    """Return evenly spaced points: the time between two of them is that of several steps."""
    stride = len(series) // _MAX_POINTS
    return series.where(np.arange(len(series)) % stride == 0) if stride > 1 else series


def _slowest(
    name: str, by_rank: _ByRank, evidence: RunEvidence, limits: AnalyzerThresholds
) -> tuple[float, Finding] | None:
    own = limits.runtime
    told, is_part = _MEASURES[name]
    count = min(len(parts) for parts, _ in by_rank.values())
    ranks = sorted(by_rank)
    parts = np.array([by_rank[rank][0][:count] for rank in ranks])
    place = int(np.argmax(np.median(parts, axis=1)))
    mine, others = parts[place], np.median(np.delete(parts, place, axis=0), axis=0)
    step_ms = float(np.median([usual_ms for _, usual_ms in by_rank.values()]))
    # A part of the step is compared with the whole of it: others wait for the difference.
    base_ms = np.full(count, step_ms) if is_part else others
    slow = mine - others >= np.maximum((own.rank_slow_ratio - 1.0) * base_ms, own.rank_slow_ms)
    if float(slow.mean()) < own.rank_steady_ratio:
        return None
    mine_ms, others_ms = float(np.median(mine)), float(np.median(others))
    rank = ranks[place]
    ratio = (float(np.median(base_ms)) + mine_ms - others_ms) / float(np.median(base_ms))
    steps = [one.step for one in evidence.rank_metrics[rank].values() if len(one)]
    finding = Finding(
        rule_id="rank_straggler",
        severity="warning",
        fact=(
            f"Rank {rank} {told} {mine_ms:.4g} ms, the other "
            f"{'ranks' if len(ranks) > 2 else 'rank'} {others_ms:.4g} ms, in {slow.mean():.0%} of "
            f"the run; a step takes {step_ms:.4g} ms."
        ),
        inference="The other ranks probably wait for it in every step.",
        observed=ratio,
        threshold=own.rank_slow_ratio,
        step_range=(
            min(int(one[0]) for one in steps),
            max(int(one[-1]) for one in steps),
        )
        if steps
        else None,
        subject=f"rank {rank}",
        source=name,
    )
    return ratio, finding


RULE = Rule(
    rule_id="rank_straggler",
    category="runtime",
    title="Slow rank",
    check=rank_straggler,
    advice=(
        "Compare the machines: clocks and temperatures of GPUs, other jobs, disks.",
        "Give every rank the same amount of work: batches of like size and length.",
        "Look at what only this rank does: logging, checkpoints, evaluation.",
    ),
    explains=("runtime_bottleneck_risk", "low_gpu_utilization"),
)
