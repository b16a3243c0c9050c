"""The training loss of a run as rules on it need it: levels, noise, where it began and ended.

Losses are noisy, with batches of one sample wildly so. So rules look at the medians of stretches of
the run, and at how wide the noise is; the single point says little. Where the loss has no fixed
target (adversarial training, reinforcement learning) there is no curve to judge.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.shapes import SIGMA_PER_DEVIATION, running_median

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, Int64Array, MetricSeries, RunEvidence

#: Stretches that a curve is cut into, at most.
STRETCHES = 40
#: Points of one stretch that are looked at, at most: a median of so many is sure enough.
_SAMPLES = 500
#: Points that noise is measured on, and the highest correlation of neighbours that is believed.
_NEIGHBOURS = 20_000
_MOST_ALIKE = 0.9

#: Keys of a configuration that tell of a loss whose target moves with the training. Metrics that
#: tell of it play no role as a loss.
_MOVING = re.compile(
    r"(?:env|env_id|env_name|gym_id|gae_lambda|clip_coef|total_timesteps|learning_starts|n_critic"
    r"|gan_mode|lambda_gp|d_lr|g_lr|lr_d|lr_g|lr_disc|lr_gen)$"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LossCurve:
    """A loss, finite points only, in equal stretches.

    ``start`` is where it began: the middle one of the first point, the median of the first three
    and that of the first stretch, as some learn within three points and some blow up in one.
    ``end`` is the median of the last tenth, ``best`` the lowest level that lasted.
    ``noise`` is the standard deviation of a point around the trend, ``late_noise`` that of the
    second half, ``memory`` for how many points noise lasts (1: each has its own; running means
    have more).
    """

    key: str
    step: Int64Array
    value: Float64Array
    level: Float64Array  # median of each stretch
    level_step: Int64Array  # first step of each stretch
    width: int  # points of a stretch, about
    start: float
    end: float
    best: float
    noise: float
    late_noise: float
    memory: float

    def __len__(self) -> int:
        return len(self.value)

    @property
    def level_error(self) -> float:
        """Standard error of a stretch's median."""
        independent = max(1.0, self.width / self.memory)
        return 1.25 * self.noise / float(np.sqrt(independent))

    @property
    def last_step(self) -> int:
        return int(self.step[-1])


def loss_curve(
    evidence: RunEvidence, min_points: int, role: str = "train_loss"
) -> LossCurve | None:
    """Return the curve of the metric that plays ``role``.

    Returns:
        None where there are fewer than ``min_points`` finite points, or no fixed target.
    """
    series = evidence.role(role)
    if series is None or len(series) < max(min_points, 4) or target_moves(evidence):
        return None
    series = series.finite()
    return curve_of(series) if len(series) >= max(min_points, 4) else None


def curve_of(series: MetricSeries) -> LossCurve:
    """Return the curve of a finite series of at least four points."""
    value = series.value
    edges = np.linspace(0, len(value), min(STRETCHES, len(value) // 3) + 1).astype(np.int64)
    level = np.array(
        [
            np.median(value[first : last : max(1, (last - first) // _SAMPLES)])
            for first, last in pairwise(edges)
        ]
    )
    memory = _memory(value, level, edges)
    scatter = float(np.sqrt((memory + 1.0) / 2.0))  # neighbours that are alike hide it
    tail = value[-max(3, len(value) // 10) :]
    return LossCurve(
        key=series.key,
        step=series.step,
        value=value,
        level=level,
        level_step=series.step[edges[:-1]],
        width=max(1, len(value) // len(level)),
        start=float(np.median([value[0], np.median(value[:3]), level[0]])),
        end=float(np.median(tail[:: max(1, len(tail) // _SAMPLES)])),
        best=float(np.min(running_median(level, 3))),
        noise=point_noise(value) * scatter,
        late_noise=point_noise(value[len(value) // 2 :]) * scatter,
        memory=memory,
    )


def _memory(value: Float64Array, level: Float64Array, edges: Int64Array) -> float:
    """Return for how many points noise lasts, from how often neighbours are on one side of the
    trend; of normal noise with correlation r that is (1 + r) / (1 - r)."""
    if len(value) < 60:
        return 1.0
    first = max(0, len(value) // 2 - _NEIGHBOURS // 2)
    part = np.arange(first, min(len(value), first + _NEIGHBOURS))
    above = value[part] > np.interp(part, (edges[:-1] + edges[1:]) / 2.0, level)
    alike = float(np.mean(above[1:] == above[:-1]))
    correlation = min(max(math.sin(math.pi * (alike - 0.5)), 0.0), _MOST_ALIKE)
    return (1.0 + correlation) / (1.0 - correlation)


def point_noise(value: Float64Array) -> float:
    """Return the standard deviation of a point around the trend, from at most 20,000 pairs of
    neighbours.

    >>> point_noise(np.arange(10.0)) == point_noise(-np.arange(10.0))
    True
    """
    if len(value) < 3:
        return 0.0
    first = np.arange(0, len(value) - 1, max(1, len(value) // _NEIGHBOURS))
    middle = float(np.median(np.abs(value[first + 1] - value[first])))
    return middle * SIGMA_PER_DEVIATION / float(np.sqrt(2.0))


def shortest_row(share: float, count: int, chance: float) -> int:
    """Return how long a row of marked points must be to be no chance.

    Of ``count`` independent points, each marked with probability ``share``, a row of that length
    comes up with a probability of at most ``chance``.

    >>> shortest_row(0.1, 1000, 0.01)
    5
    """
    return math.ceil(math.log(chance / count) / math.log(min(max(share, 1e-9), 0.5)) - 1e-9)


def target_moves(evidence: RunEvidence) -> bool:
    """Return whether the config tells of adversarial training or reinforcement learning, whose
    losses rise, fall and change sign in health."""
    return any(_MOVING.search(str(key).lower()) for key in evidence.run.config)
