"""How much a row weighs in a squared error, from its logged value and the gradient of the outputs.

Of outputs ``y`` and targets ``t`` with a weight ``s`` each, the loss is ``s * sum((y - t)**2)`` and
the gradient ``2 * s * (y - t)``. So the loss times 4, divided by the gradient's squared norm, is
``1 / s``, whatever the targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence
    from quark.analyzers.watched_loops import WatchedLoop


def squared_error_scales(loop: WatchedLoop, evidence: RunEvidence) -> Float64Array:
    """Return the weight at each record if the training loss is a squared error; NaN where there is
    no loss at that step, or no gradient."""
    found = np.full(len(loop.rows), np.nan)
    series = evidence.role("train_loss")
    norm = loop.number("output_gradient_norm")
    known = np.flatnonzero(norm > 0)
    if series is None or not len(series) or not len(known):
        return found
    steps = loop.step[known]
    place = np.minimum(np.searchsorted(series.step, steps), len(series) - 1)
    loss = series.value[place]
    fits = (series.step[place] == steps) & np.isfinite(loss) & (loss > 0)
    found[known[fits]] = norm[known[fits]] ** 2 / (4.0 * loss[fits])
    return found
