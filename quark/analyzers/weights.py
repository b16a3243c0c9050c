"""Which parameters are weights in the plain sense: trained matrices and kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.probe_matrix import probe_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quark.analyzers.evidence import Float64Array, ParameterTrack, RunEvidence


def trained_weights(evidence: RunEvidence, min_elements: int = 2) -> list[ParameterTrack]:
    """Return trainable weights of ``min_elements`` or more, without those that only scale what was
    normalised: these begin at 0 or 1, and mean something else."""
    return [
        one
        for one in evidence.parameters
        if one.requires_grad
        and one.parameter_role == "weight"
        and one.element_count >= min_elements
        and "norm" not in one.module_type.lower()
    ]


def share_of(part: Sequence[ParameterTrack], whole: Sequence[ParameterTrack]) -> float:
    """Return the share of the elements of ``whole`` that ``part`` has, 0 to 1."""
    total = sum(one.element_count for one in whole)
    return sum(one.element_count for one in part) / total if total else 0.0


def step_ratios(tracks: Sequence[ParameterTrack]) -> Float64Array:
    """Return, by row and probe, how far each weight moved in one step relative to its norm.

    Measured updates are of all steps between two snapshots, and are divided by their number. Where
    they were not measured, the least that explains how mean and standard deviation changed stands
    in: the true ratio is higher. NaN where nothing is known.
    """
    step = probe_matrix(tracks, "value_norm").step
    gaps = np.diff(step, axis=1).astype(np.float64) if step.shape[1] > 1 else np.zeros((0, 0))
    if not gaps.size:
        return np.full((len(tracks), 0), np.nan)
    gaps[(step[:, 1:] < 0) | (gaps <= 0)] = np.nan
    measured = probe_matrix(tracks, "update_to_value_ratio")
    if measured.total:
        return _measured(tracks)
    mean, std, norm = (
        probe_matrix(tracks, column).value for column in ("value_mean", "value_std", "value_norm")
    )
    if mean.shape != norm.shape or std.shape != norm.shape:
        return np.full((len(tracks), 0), np.nan)
    size = np.array([[one.element_count] for one in tracks], np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.sqrt(size * (np.diff(mean, axis=1) ** 2 + np.diff(std, axis=1) ** 2))
        ratio = moved / norm[:, :-1] / gaps
    return np.where(np.isfinite(ratio), ratio, np.nan)


def _measured(tracks: Sequence[ParameterTrack]) -> Float64Array:
    """Return measured ratios, each divided by the steps since the snapshot before."""
    width = max(len(one) for one in tracks)
    ratios = np.full((len(tracks), width), np.nan)
    for row, one in enumerate(tracks):
        ratio = one.update_to_value_ratio[1:] / np.maximum(np.diff(one.step), 1)
        ratios[row, : len(ratio)] = ratio
    return np.where(np.isfinite(ratios), ratios, np.nan)
