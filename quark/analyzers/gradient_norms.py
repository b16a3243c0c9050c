"""The gradient norms of a run, from the best evidence that there is of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.probe_matrix import ProbeMatrix, probe_matrix

if TYPE_CHECKING:
    from quark.analyzers.evidence import Float64Array, RunEvidence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientNorms:
    """Gradient norms by layer, from the input to the loss where ``is_ordered``.

    Those of layers are of the loss with respect to a module's output, those of parameters with
    respect to a weight, and the metric is of all parameters together: they do not compare with each
    other.
    """

    names: tuple[str, ...]
    probes: ProbeMatrix
    what: str  # "layers", "weights" or "metrics"
    is_ordered: bool

    @property
    def measured_count(self) -> int:
        """How many have any norm at all."""
        return int((self.probes.count > 0).sum())


def gradient_norms(evidence: RunEvidence) -> GradientNorms | None:
    """Return gradient norms of layers; without layer summaries those of weights; without those the
    metric that plays ``gradient_norm``; None if there is none of them."""
    if evidence.gradients:
        return layer_gradient_norms(evidence)
    weights = [
        one for one in evidence.parameters if one.requires_grad and one.parameter_role == "weight"
    ]
    if weights and (probes := probe_matrix(weights, "gradient_norm")).total:
        names = tuple(one.name for one in weights)
        return GradientNorms(names=names, probes=probes, what="weights", is_ordered=len(names) > 1)
    series = evidence.role("gradient_norm")
    if series is None or not np.isfinite(series.value).any():
        return None
    middles = _stretch_medians(series.value)
    steps = series.step[np.linspace(0, len(series) - 1, len(middles)).astype(np.int64)]
    return GradientNorms(
        names=(series.key,),
        probes=ProbeMatrix(
            value=middles[None, :], step=steps[None, :], count=np.array([len(middles)])
        ),
        what="metrics",
        is_ordered=False,
    )


def layer_gradient_norms(evidence: RunEvidence) -> GradientNorms | None:
    """Return the gradient norms of layers; None if there are none."""
    tracks = sorted(evidence.gradients, key=lambda track: (track.place, track.call_index))
    probes = probe_matrix(tracks, "norm")
    if not probes.total:
        return None
    places = {track.place for track in tracks}
    return GradientNorms(
        names=tuple(track.module_name for track in tracks),
        probes=probes,
        what="layers",
        is_ordered=len(places) > 1 and min(places) >= 0,
    )


def _stretch_medians(values: Float64Array) -> Float64Array:
    """Return medians of at most 100 stretches: single steps say little."""
    finite = values[np.isfinite(values)]
    parts = np.array_split(finite[:: max(1, len(finite) // 50_000)], min(100, max(len(finite), 1)))
    return np.array([np.median(part) for part in parts if len(part)])
