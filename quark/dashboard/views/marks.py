"""What is drawn into a run's charts besides its numbers: phases and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from quark.analyzers.outputs import current_outputs
from quark.analyzers.roles import choose_roles
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.axes import Axis, checked_axis
from quark.records import AlertRecord, PhaseRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from quark.storage.model import KeyStats

#: Marks of a run that a chart can still show.
_MAX_MARKS = 200


def marks(place: Place, asked: Asked) -> dict[str, Any]:
    """Return where phases and alerts are along an axis.

    Asked: ``x``, an axis. A phase or alert that is tied to no step has no place. ``keys`` are the
    metrics that an alert is about.
    """
    run_id = asked["run_id"]
    phases = current_outputs(place.store, run_id, PhaseRecord, "phases")[:_MAX_MARKS]
    alerts = current_outputs(place.store, run_id, AlertRecord, "alerts")[-_MAX_MARKS:]
    ranges = [*map(_steps, phases), *map(_steps, alerts)]
    steps = [number for ends in ranges for number in ends]
    where = dict(zip(steps, _places(place, asked, run_id, steps), strict=True))
    return {
        "phases": [
            {
                "from": where[ends[0]],
                "to": where[ends[1]],
                "label": one.display_name or one.phase_name,
                "name": one.phase_name,
                "summary": one.summary,
            }
            for one in phases
            if (ends := _steps(one)) and where[ends[0]] is not None
        ],
        "alerts": [
            {
                "id": one.id,
                "at": where[ends[0]],
                "to": where[ends[1]],
                "step": ends[0],
                "severity": one.severity,
                "label": one.title,
                "summary": one.summary,
                "keys": _keys(one),
            }
            for one in alerts
            if (ends := _steps(one)) and where[ends[0]] is not None
        ],
    }


def _steps(one: PhaseRecord | AlertRecord) -> tuple[int, ...]:
    start = one.step_end if one.step_start is None else one.step_start
    end = start if one.step_end is None else one.step_end
    return () if start is None or end is None else (start, end)


def _keys(alert: AlertRecord) -> list[str]:
    named = [one.source for one in alert.evidence]
    subject = alert.metadata.get("subject")
    if isinstance(subject, str):
        named.append(subject)
    return list(dict.fromkeys(named))


def _places(
    place: Place, asked: Asked, run_id: str, steps: Sequence[int]
) -> list[float | int | None]:
    name = checked_axis(asked.text("x"))
    if name == "step" or not steps:
        return list(steps)
    stats = place.store.points.keys(run_id)
    key = _guide(stats)
    if key is None:
        return [None] * len(steps)
    axis = Axis(place.store, run_id, name, stats)
    series = place.store.points.series(run_id, key)
    found = axis.places(series, np.array(steps, dtype=np.int64))
    return [float(one) if np.isfinite(one) else None for one in found]


def _guide(stats: Mapping[str, KeyStats]) -> str | None:
    """Return the metric that tells when a step was: the loss, else what has the most points."""
    role = choose_roles(list(stats)).key("train_loss")
    if role is not None and stats[role].step_min is not None:
        return role
    with_steps = [one for one in stats.values() if one.step_min is not None]
    return max(with_steps, key=lambda one: one.count).key if with_steps else None
