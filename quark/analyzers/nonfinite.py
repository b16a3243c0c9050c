"""Where values that are not finite showed: in which metrics at which steps, and how deep inside.

What it means is for the rule to say. A metric that ``MetricsLogger`` refused has no such points; it
has an event ``non_finite_metric`` for each, which counts as the point that it stands for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.analyzers.shapes import longest_run

if TYPE_CHECKING:
    from quark.analyzers.evidence import (
        Float64Array,
        Int64Array,
        LayerTrack,
        MetricSeries,
        RunEvidence,
    )

#: The subject where only batch diagnostics know of a loss.
BATCH_LOSS = "batch diagnostics"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadMetric:
    """A metric that has values which are not finite.

    ``leading`` and ``trailing`` are how many of them come before the first finite value and after
    the last; both are ``count`` where none is finite. ``longest`` is the longest row of them before
    the trailing ones.
    """

    key: str
    role: str  # the role that it plays; "loss" for other losses, "" for the rest
    first_step: int
    last_step: int
    first_value: float
    count: int
    nan_count: int
    finite_count: int
    leading: int
    trailing: int
    longest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BadTensors:
    """Tensors of one sort that held values which are not finite, at the first such probe.

    ``name`` is where they came from: of activations the layer nearest to the input, of gradients
    the one nearest to the output. ``lasting`` is at how many of the latest probes in a row some
    were there, ``clean_before`` at how many probes none was before the first.
    """

    sort: str  # "activation", "gradient" or "parameter"
    name: str
    module_type: str
    step: int
    bad_count: int  # layers or parameters that held some at that step
    of: int
    worst_ratio: float  # share of layers or parameters that hold some at the last probe
    probe_count: int
    bad_probe_count: int
    lasting: int
    clean_before: int


def bad_metrics(evidence: RunEvidence) -> list[BadMetric]:
    """Return every metric that has such values, in order of arrival."""
    refused = _refused(evidence)
    keys = dict.fromkeys([*evidence.nonfinite_counts, *refused])
    found = []
    for key in keys:
        name, series = _worst_series(key, evidence)
        step, value = _joined(series, refused.get(key, ()))
        if len(value) and not np.isfinite(value).all():
            found.append(_measure(name, _role(key, evidence), step, value))
    if not any(one.role == "train_loss" for one in found):
        losses = evidence.batches.number("loss")
        seen = np.isfinite(losses).any() and not np.isfinite(losses).all()
        if seen and evidence.role("train_loss") is None:
            found.append(_measure(BATCH_LOSS, "train_loss", evidence.batches.step, losses))
    return found


def bad_activations(evidence: RunEvidence) -> BadTensors | None:
    """Return where the outputs of layers were not finite first; None if they always were."""
    tracks = [(track, track.nonfinite_count) for track in evidence.activations]
    return _of_layers("activation", tracks, from_output=False)


def bad_gradients(evidence: RunEvidence) -> BadTensors | None:
    """Return where gradients were not finite first: layers', or else parameters'."""
    places = {track.module_name: track.place for track in evidence.activations}
    tracks = [(track, track.nonfinite_count) for track in evidence.gradients]
    found = _of_layers("gradient", tracks, from_output=True, places=places)
    if found is not None:
        return found
    columns = [
        (one.name, one.module_type, one.step, one.gradient_nonfinite_count > 0)
        for one in evidence.parameters
    ]
    return _first("gradient", columns[::-1])


def bad_parameters(evidence: RunEvidence) -> BadTensors | None:
    """Return which parameter's values were not finite first; None if they always were."""
    columns = [
        (one.name, one.module_type, one.step, one.value_nonfinite_count > 0)
        for one in evidence.parameters
        if one.requires_grad
    ]
    return _first("parameter", columns)


def value_word(value: float) -> str:
    """Return ``NaN``, ``infinite`` or ``minus infinite``."""
    if math.isnan(value):
        return "NaN"
    return "infinite" if value > 0 else "minus infinite"


# -- inside ----------------------------------------------------------------------------------------


def _worst_series(key: str, evidence: RunEvidence) -> tuple[str, MetricSeries | None]:
    """Return the run's series and its name, or that of the first rank whose values are bad."""
    series = evidence.metrics.get(key)
    if series is None or np.isfinite(series.value).all():
        for rank in sorted(evidence.rank_metrics):
            other = evidence.rank_metrics[rank].get(key)
            if other is not None and not np.isfinite(other.value).all():
                return f"{key} of rank {rank}", other
    return key, series


def _refused(evidence: RunEvidence) -> dict[str, list[tuple[int, float]]]:
    table = evidence.events
    found: dict[str, list[tuple[int, float]]] = {}
    rows = zip(
        table.step.tolist(), table.object("event_type"), table.object("payload"), strict=True
    )
    for step, kind, payload in rows:
        if kind == "non_finite_metric" and isinstance(payload, Mapping):
            key = payload.get("metric_key")
            if isinstance(key, str):
                found.setdefault(key, []).append((step, _number(payload.get("value"))))
    return found


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _joined(
    series: MetricSeries | None, refused: Sequence[tuple[int, float]]
) -> tuple[Int64Array, Float64Array]:
    step = np.array([one for one, _ in refused], np.int64)
    value = np.array([one for _, one in refused], np.float64)
    if series is None:
        return step, value
    if not len(step):
        return series.step, series.value
    step, value = np.concatenate((series.step, step)), np.concatenate((series.value, value))
    order = np.argsort(step, kind="stable")
    return step[order], value[order]


def _measure(key: str, role: str, step: Int64Array, value: Float64Array) -> BadMetric:
    bad = ~np.isfinite(value)
    places, finite = np.flatnonzero(bad), np.flatnonzero(~bad)
    last_finite = int(finite[-1]) if len(finite) else -1
    return BadMetric(
        key=key,
        role=role,
        first_step=int(step[places[0]]),
        last_step=int(step[places[-1]]),
        first_value=float(value[places[0]]),
        count=len(places),
        nan_count=int(np.isnan(value).sum()),
        finite_count=len(finite),
        leading=int(finite[0]) if len(finite) else len(places),
        trailing=len(value) - 1 - last_finite,
        longest=longest_run(bad[: last_finite + 1])[1],
    )


def _role(key: str, evidence: RunEvidence) -> str:
    for role, keys in evidence.roles.keys.items():
        if key in keys:
            # Components of a loss may be missing for good; only the loss itself may not.
            return role if role != "train_loss" or key == keys[0] else "loss"
    if evidence.role("train_loss") is None and key.lower() in ("loss", "train/loss", "train_loss"):
        return "train_loss"  # it was never finite, so that it never became a metric
    return "loss" if "loss" in key.lower() else ""


_Column = tuple[str, str, "Int64Array", Any]


def _of_layers(
    sort: str,
    tracks: Sequence[tuple[LayerTrack, Int64Array]],
    *,
    from_output: bool,
    places: Mapping[str, int] | None = None,
) -> BadTensors | None:
    def place(track: LayerTrack) -> int:
        return track.place if track.place >= 0 else (places or {}).get(track.module_name, -1)

    ordered = sorted(tracks, key=lambda one: place(one[0]), reverse=from_output)
    return _first(
        sort, [(one.module_name, one.module_type, one.step, bad > 0) for one, bad in ordered]
    )


def _first(sort: str, columns: Sequence[_Column]) -> BadTensors | None:
    """Return the first of ``columns`` at the first bad step; they are in order of suspicion."""
    if not any(bad.any() for *_, bad in columns):
        return None
    first_step = min(int(step[bad][0]) for *_, step, bad in columns if bad.any())
    at_first = [(name, kind) for name, kind, step, bad in columns if bad[step == first_step].any()]
    bad_steps = np.unique(np.concatenate([step[bad] for *_, step, bad in columns]))
    all_steps = np.unique(np.concatenate([step for *_, step, _ in columns]))
    is_bad = np.isin(all_steps, bad_steps)
    good = np.flatnonzero(~is_bad)
    last_step = int(all_steps[-1])
    bad_at_last = sum(bool(bad[step == last_step].any()) for *_, step, bad in columns)
    return BadTensors(
        sort=sort,
        name=at_first[0][0],
        module_type=at_first[0][1],
        step=first_step,
        bad_count=len(at_first),
        of=len(columns),
        worst_ratio=bad_at_last / len(columns),
        probe_count=len(all_steps),
        bad_probe_count=len(bad_steps),
        lasting=len(all_steps) - 1 - (int(good[-1]) if len(good) else -1),
        clean_before=int(np.flatnonzero(is_bad)[0]),
    )
