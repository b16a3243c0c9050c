"""The learning rate over a run: of the parameter group that has the highest, at each step.

One group at zero is no fault (a frozen part, a second optimizer that waits); all of them are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.evidence import MetricSeries

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence


def learning_rates(evidence: RunEvidence) -> MetricSeries | None:
    """Return the highest rate of all groups: by the metrics, else by the parameters' snapshots.

    Returns:
        None where nothing tells.
    """
    logged = [evidence.metrics.get(key) for key in evidence.roles.all("learning_rate")]
    series = [one.finite() for one in logged if one is not None]
    series = [one for one in series if len(one)] or _of_parameters(evidence)
    if not series:
        return None
    longest = max(series, key=len)
    highest = longest.value
    for other in series:
        if other is not longest:
            place = np.searchsorted(other.step, longest.step, side="right") - 1
            highest = np.maximum(highest, other.value[np.maximum(place, 0)])
    return MetricSeries(key=longest.key, step=longest.step, value=highest)


def rate_cycles(evidence: RunEvidence) -> int:
    """Return how often the rate was raised again after it had been halved, as cycles and warm
    restarts do; 0 if it is not known."""
    rates = learning_rates(evidence)
    return 0 if rates is None else count_rises(rates, 0.5)


def count_rises(rates: MetricSeries, low_ratio: float) -> int:
    """Return how often the rate came up to most of its highest again from below ``low_ratio`` of
    it. The warm-up is not counted.

    >>> wave = np.abs(np.cos(np.linspace(0.0, 3 * np.pi, 100)))
    >>> count_rises(MetricSeries(key="lr", step=np.arange(100), value=wave), 0.1)
    3
    """
    top = float(rates.value.max())
    if top <= 0:
        return 0
    state = np.zeros(len(rates), np.int8)
    state[rates.value >= 0.9 * top] = 1
    state[rates.value <= low_ratio * top] = -1
    moves = state[state != 0]
    first_top = np.flatnonzero(moves == 1)
    moves = moves[first_top[0] :] if len(first_top) else moves[:0]
    return int(np.count_nonzero(np.diff(moves) == 2))


def _of_parameters(evidence: RunEvidence) -> list[MetricSeries]:
    found = []
    for track in evidence.parameters:
        known = np.isfinite(track.learning_rate)
        if known.any():
            step, value = track.step[known], track.learning_rate[known]
            found.append(MetricSeries(key="learning rate", step=step, value=value))
    return found
