"""Ending trials that will not win: the brackets of Hyperband, without waiting for each other.

At a bracket, a number of logged values of the metric, a trial is compared with all trials that have
come there; of them the best ``1/eta`` go on. Steps do not count, logged values do, as in W&B.
Sources: Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", JMLR
2018; Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020 (comparing
whoever is there instead of waiting for a whole round).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from quark.sweeps.config import EarlyTermination, Metric

_MOST_BRACKETS = 20


def brackets(rule: EarlyTermination) -> tuple[int, ...]:
    """Return after how many values of the metric a trial is judged, ascending.

    ``min_iter`` begins a row that grows by ``eta``; ``max_iter`` ends one, of ``s`` brackets.

    >>> brackets(EarlyTermination(min_iter=3))[:4]
    (3, 9, 27, 81)
    >>> brackets(EarlyTermination(max_iter=27, s=2))
    (3, 9)
    """
    if rule.min_iter is not None:
        found = {int(rule.min_iter * rule.eta**power) for power in range(_MOST_BRACKETS)}
    elif rule.max_iter is not None:
        sizes = (rule.max_iter / rule.eta**power for power in range(1, (rule.s or 0) + 1))
        found = {int(size) for size in sizes if size >= 1}
    else:
        found = set()
    return tuple(sorted(found))


def best_at(history: Sequence[float], bounds: Iterable[int], metric: Metric) -> tuple[float, ...]:
    """Return the best value that a trial had up to each bracket that it has come to.

    A trial that had no finite value by then has the worst there is.

    >>> best_at([3.0, 1.0, 2.0, 0.5], (1, 3, 9), Metric(name="loss"))
    (3.0, 1.0)
    """
    worst = math.inf if metric.goal == "minimize" else -math.inf
    found = []
    best: float = worst
    ends = [bound for bound in bounds if bound <= len(history)]
    for start, end in pairwise([0, *ends]):
        part = metric.best(list(history[start:end]))
        if part is not None and metric.better(part, best):
            best = part
        found.append(best)
    return tuple(found)


def falls_behind(
    own: Sequence[float],
    latest: float | None,
    others: Sequence[Sequence[float]],
    rule: EarlyTermination,
    metric: Metric,
) -> bool:
    """Say whether a trial is to be ended.

    Args:
        own: What :func:`best_at` gives for the trial.
        latest: The best value that it has had up to now, which may be after its last bracket.
        others: What :func:`best_at` gives for every other trial, ended ones included.

    At every bracket that it has come to it must be among the best of those who have come there:
    with the best it has had up to now, or, with ``strict``, with what it had there.
    """
    for index, there in enumerate(own):
        value = there
        if not rule.strict and latest is not None and metric.better(latest, value):
            value = latest
        rivals = [there, *(other[index] for other in others if len(other) > index)]
        rivals.sort(reverse=metric.goal == "maximize")
        threshold = rivals[min(int(len(rivals) / rule.eta), len(rivals) - 1)]
        if metric.better(threshold, value):
            return True
    return False
