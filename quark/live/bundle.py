"""What is kept of a run at the moment at which an alert ends it: enough to see why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from quark.analyzers.tracks import LAYER_FLOATS, PARAMETER_FLOATS

if TYPE_CHECKING:
    from quark.analyzers.evidence import LayerTrack, MetricSeries, ParameterTrack, RunEvidence
    from quark.records import AlertRecord

#: Points of each metric from the end, and around where it began on both sides; events from the
#: end; layers and parameters.
TAIL_POINTS = 200
ONSET_POINTS = 100
TAIL_EVENTS = 50
MAX_TRACKS = 500


def evidence_bundle(alert: AlertRecord, evidence: RunEvidence) -> dict[str, Any]:
    """Return the alert, the metrics where it began and at their ends, and the latest of layers and
    parameters.

    Everything is plain; numbers that are not finite are kept as they are.
    """
    return {
        "alert": alert.to_dict(),
        "last_step": evidence.last_step,
        "roles": {role: list(keys) for role, keys in evidence.roles.keys.items()},
        "nonfinite_counts": dict(evidence.nonfinite_counts),
        "metrics": {key: _ends(one, alert.step_start) for key, one in evidence.metrics.items()},
        "layers": [
            _layer(track)
            for track in (*evidence.activations, *evidence.gradients)[:MAX_TRACKS]
            if len(track)
        ],
        "parameters": [
            _parameter(track) for track in evidence.parameters[:MAX_TRACKS] if len(track)
        ],
        "events": _events(evidence),
    }


def _ends(series: MetricSeries, onset: int | None) -> dict[str, Any]:
    places = set(range(max(0, len(series) - TAIL_POINTS), len(series)))
    if onset is not None and series.has_steps:
        middle = int(np.searchsorted(series.step, onset))
        places.update(range(max(0, middle - ONSET_POINTS), min(len(series), middle + ONSET_POINTS)))
    chosen = sorted(places)
    return {"step": series.step[chosen].tolist(), "value": series.value[chosen].tolist()}


def _layer(track: LayerTrack) -> dict[str, Any]:
    return {
        "module_name": track.module_name,
        "module_type": track.module_type,
        "summary_type": track.summary_type,
        "step": int(track.step[-1]),
        "nonfinite_count": int(track.nonfinite_count[-1]),
        **_last_of(track, LAYER_FLOATS),
    }


def _parameter(track: ParameterTrack) -> dict[str, Any]:
    return {
        "parameter_name": track.name,
        "step": int(track.step[-1]),
        "value_nonfinite_count": int(track.value_nonfinite_count[-1]),
        "gradient_nonfinite_count": int(track.gradient_nonfinite_count[-1]),
        **_last_of(track, PARAMETER_FLOATS),
    }


def _last_of(track: Any, names: Sequence[str]) -> dict[str, float | None]:
    """Return the latest of each column; None where it was not measured."""
    last = {name: float(getattr(track, name)[-1]) for name in names}
    return {name: None if np.isnan(value) else value for name, value in last.items()}


def _events(evidence: RunEvidence) -> list[dict[str, Any]]:
    events = evidence.events
    columns = zip(
        events.step.tolist(), events.object("event_type"), events.object("payload"), strict=True
    )
    return [
        {"step": None if step < 0 else step, "event_type": kind, "payload": payload}
        for step, kind, payload in list(columns)[-TAIL_EVENTS:]
    ]
