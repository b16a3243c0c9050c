"""One run: what it is, what it holds, and whether something new has come."""

from __future__ import annotations

from collections import Counter
from typing import Any

from quark import jsonio
from quark.analyzers.outputs import current_outputs
from quark.analyzers.roles import choose_roles
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.axes import step_metric_of
from quark.dashboard.views.shortened import shortened
from quark.records import AlertRecord, HealthScoreRecord, MetricDefinitionRecord, RunRecord


def overview(place: Place, asked: Asked) -> dict[str, Any]:
    """Return the run's row, how many records of each kind it has, and how well it does.

    Large values of the summary, such as histograms, are shortened.
    """
    run_id = asked["run_id"]
    run = place.store.records.get_run(run_id)
    counts = place.store.records.count(run_id)
    return {
        "run": _plain(run),
        "counts": counts,
        "health": _health(place, run_id) if counts.get("health_score") else None,
        "alerts": _alerts(place, run_id) if counts.get("alert") else {},
    }


def _plain(run: RunRecord) -> dict[str, Any]:
    plain: dict[str, Any] = jsonio.to_plain(run.to_dict())
    for part in ("config", "summary"):
        plain[part] = {key: shortened(value) for key, value in plain[part].items()}
    return plain


def _health(place: Place, run_id: str) -> dict[str, Any] | None:
    scores = current_outputs(place.store, run_id, HealthScoreRecord, "alerts")
    parts = {one.score_key: one for one in scores}
    overall = parts.pop("overall", None)
    if overall is None and not parts:
        return None
    return {
        "score": overall.score if overall else None,
        "status": overall.status if overall else None,
        "summary": overall.summary if overall else "",
        "parts": [
            {"key": key, "score": one.score, "status": one.status, "summary": one.summary}
            for key, one in parts.items()
        ],
    }


def _alerts(place: Place, run_id: str) -> dict[str, int]:
    return dict(
        Counter(one.severity for one in current_outputs(place.store, run_id, AlertRecord, "alerts"))
    )


def pulse(place: Place, asked: Asked) -> dict[str, Any]:
    """Return a text that is another one as soon as anything of the run has changed."""
    run_id = asked["run_id"]
    run = place.store.records.get_run(run_id)
    records = sum(place.store.records.count(run_id).values())
    points = sum(one.count for one in place.store.points.keys(run_id).values())
    return {"status": run.status, "revision": f"{points}.{records}.{run.updated_at}"}


def keys(place: Place, asked: Asked) -> dict[str, Any]:
    """Return every key with its count, range of steps and last value, by first arrival.

    ``x`` is the metric that ``define_metric`` said a key is drawn along; ``hidden``, that it is
    not to be shown by itself. ``roles`` are what keys were taken for by their names, ``has_epochs``
    whether points can be drawn along epochs.
    """
    run_id = asked["run_id"]
    stats = place.store.points.keys(run_id)
    defined = place.store.records.read(MetricDefinitionRecord, run_id)
    hidden = {one.name for one in defined if one.hidden}
    roles = choose_roles(list(stats))
    return {
        "keys": [
            {
                "key": one.key,
                "count": one.count,
                "nonfinite_count": one.nonfinite_count,
                "step_min": one.step_min,
                "step_max": one.step_max,
                "last_step": one.last_step,
                "last_time_us": one.last_time_us,
                "last_value": one.last_value,
                "x": step_metric_of(one.key, defined),
                "hidden": one.key in hidden,
            }
            for one in stats.values()
        ],
        "roles": {key: role for role, found in roles.keys.items() for key in found},
        "has_epochs": roles.key("epoch") is not None
        or any(one.last_epoch is not None for one in stats.values()),
    }
