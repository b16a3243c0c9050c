"""Layers over steps: a picture of all of them, and everything that is known of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.distributions import available, distribution_of
from quark.dashboard.views.heat import BY_NAME, MEASURES, badness, heat_of, rounded, rows_of
from quark.dashboard.views.layer_history import KEPT, LayerHistory, Track
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_COLUMNS = 200
_MAX_ROWS = 200
#: Points of one line on the page of a layer.
_MAX_POINTS = 400
#: How the page of a run addresses the model itself, whose name is empty.
ROOT = "(model)"

_LAYER_CHARTS = (
    ("activations", "Standard deviation of its outputs", "std", True),
    ("activations", "Mean of its outputs", "mean", False),
    ("activations", "Norm of its outputs", "norm", True),
    ("activations", "Dead units", "dead_unit_ratio", False),
    ("activations", "Saturated units", "saturation_ratio", False),
    ("gradients", "Gradient norm", "norm", True),
    ("gradients", "Standard deviation of the gradient", "std", True),
)
_PARAMETER_CHARTS = (
    ("Norm", "value_norm", False),
    ("Gradient norm", "gradient_norm", True),
    ("Update ratio", "update_to_value_ratio", True),
    ("Mean", "value_mean", False),
    ("Standard deviation", "value_std", False),
    ("Values near zero", "value_near_zero_ratio", False),
)


def layers(place: Place, asked: Asked) -> dict[str, Any]:
    """Return a measure of all layers over the steps, cut to the columns that a picture has.

    Asked: ``measure``, ``columns``, ``from`` and ``to`` (steps), ``sort`` (``depth`` or
    ``worst``), ``search`` (in names), ``offset``.
    """
    run_id = asked["run_id"]
    chosen = asked.text("measure")
    if chosen is not None and chosen not in BY_NAME:
        raise SchemaValidationError(
            f"measure {chosen[:80]!r} is not known; it must be one of {', '.join(BY_NAME)}."
        )
    columns = asked.integer("columns", 120, 1, MAX_COLUMNS)
    offset = asked.integer("offset", 0, 0, 10**9)
    sort = asked.choice("sort", ("depth", "worst"))
    low, high = asked.number("from"), asked.number("to")
    with KEPT.use(place.store, run_id) as history:
        found = {one.name: rows_of(history, one) for one in MEASURES}
        name = chosen or next((one for one, rows in found.items() if rows), MEASURES[0].name)
        measure, rows = BY_NAME[name], found[name]
        types = {one: str(tracks[0].facts.get("module_type", "")) for one, tracks in rows.items()}
        modules = {one: tracks[0].facts["module_name"] for one, tracks in rows.items()}
        heat = heat_of(rows, measure, columns, _whole(low), _whole(high))
        probes, is_thinned = history.probe_count, history.is_thinned
    scores = badness(heat, measure)
    wanted = (asked.text("search") or "").casefold()
    order = [
        row
        for row, one in enumerate(heat.names)
        if wanted in one.casefold() or wanted in types[one].casefold()
    ]
    if sort == "worst":
        order.sort(key=lambda row: -scores[row])
    shown = order[offset : offset + _MAX_ROWS]
    return {
        "measure": {**_described(measure), "probes": probes, "thinned": is_thinned},
        "measures": [{**_described(one), "rows": len(found[one.name])} for one in MEASURES],
        "starts": heat.starts.tolist(),
        "ends": heat.ends.tolist(),
        "rows": [
            {
                "name": heat.names[row],
                "module": modules[heat.names[row]] or ROOT,
                "type": types[heat.names[row]],
                "depth": row,
            }
            for row in shown
        ],
        "values": rounded(heat.value[shown]) if shown else [],
        "nonfinite": np.argwhere(heat.nonfinite[shown]).tolist() if shown else [],
        "total": len(order),
        "offset": offset,
        **_span(heat.value, is_ratio=measure.is_ratio),
    }


def layer(place: Place, asked: Asked) -> dict[str, Any]:
    """Return one module: its series over the steps, its parameters, and what histograms it has.

    Asked: ``name``, ``(model)`` for the model itself.
    """
    run_id, name = asked["run_id"], _name(asked)
    with KEPT.use(place.store, run_id) as history:
        modules = history.modules()
        tracks = list(history.of_module(name))
        parameters = {
            full: track
            for full, track in history.parameters.items()
            if track.facts.get("module_name", "") == name
        }
        others = _with_parameters(history, modules)
        if name not in others:
            raise SchemaValidationError(
                f"Nothing was measured of a layer {name[:200]!r} in this run; the layers tab lists "
                "those that something was measured of."
            )
        at = others.index(name)
        first = next(iter(tracks), None) or next(iter(parameters.values()))
        answer = {
            "name": name or ROOT,
            "type": str(first.facts.get("module_type", "")),
            "depth": at,
            "layer_count": len(others),
            "before": others[at - 1] or ROOT if at else None,
            "after": (others[at + 1] or ROOT) if at + 1 < len(others) else None,
            "shapes": _shapes(tracks),
            "charts": _layer_charts(tracks),
            "parameters": [_parameter(full, track) for full, track in parameters.items()],
        }
    answer["distributions"] = available(place.store, run_id, name, list(parameters))
    return answer


def distribution(place: Place, asked: Asked) -> dict[str, Any]:
    """Return the histograms of one parameter over the steps, on one axis.

    Asked: ``name`` and ``parameter``, ``kind`` (``value``, ``gradient`` or ``update``),
    ``columns``, ``bins``.
    """
    parameter = asked.text("parameter") or ""
    return distribution_of(
        place.store,
        asked["run_id"],
        _name(asked),
        parameter,
        asked.choice("kind", ("value", "gradient", "update")),
        columns=asked.integer("columns", 80, 1, MAX_COLUMNS),
        bins=asked.integer("bins", 64, 2, 200),
    )


def _name(asked: Asked) -> str:
    name = asked.text("name") or ""
    return "" if name == ROOT else name


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _described(measure: Any) -> dict[str, Any]:
    return {
        "name": measure.name,
        "title": measure.title,
        "is_ratio": measure.is_ratio,
        "take": measure.take,
        "of": measure.of,
        "bad": measure.bad,
        "about": measure.about,
    }


def _span(value: NDArray[np.float64], *, is_ratio: bool) -> dict[str, Any]:
    """Return between which values colours are spread: all but the outermost half percents."""
    known = value[np.isfinite(value)]
    positive = known if is_ratio else known[known > 0]
    if is_ratio or not len(positive):
        return {"low": 0.0, "high": 1.0, "has_zero": False}
    low, high = np.exp(np.quantile(np.log(positive), (0.005, 0.995))).tolist()
    if not low < high:
        low, high = low / 2, high * 2
    return {"low": low, "high": high, "has_zero": bool((known <= 0).any())}


def _with_parameters(history: LayerHistory, modules: list[str]) -> list[str]:
    """Return the names of modules; those of which only parameters are known come last."""
    own = (str(one.facts.get("module_name", "")) for one in history.parameters.values())
    return list(dict.fromkeys([*modules, *own]))


def _shapes(tracks: list[Track]) -> list[Any]:
    shapes = [
        list(one.facts["tensor_shape"])
        for one in tracks
        if one.facts["summary_type"] == "activation" and one.facts.get("tensor_shape")
    ]
    return shapes[:8]


def _layer_charts(tracks: list[Track]) -> list[dict[str, Any]]:
    charts = []
    for of, title, field, is_log in _LAYER_CHARTS:
        kind = "activation" if of == "activations" else "gradient"
        mine = [one for one in tracks if one.facts["summary_type"] == kind]
        lines = [_line(_call_words(one, mine), one, field) for one in mine]
        lines = [one for one in lines if one["x"]]
        if lines and not (field == "saturation_ratio" and not any(map(any, _values(lines)))):
            charts.append({"title": title, "log": is_log, "series": lines[:8]})
    return charts


def _values(lines: list[dict[str, Any]]) -> list[list[Any]]:
    return [one["y"] for one in lines]


def _call_words(track: Track, among: list[Track]) -> str:
    if len(among) == 1:
        return str(track.facts["summary_type"])
    output = (track.facts.get("metadata") or {}).get("output", "")
    said = f"call {track.facts.get('call_index', 0) + 1}"
    return f"{said}, output {output}" if output not in ("", None) else said


def _parameter(name: str, track: Track) -> dict[str, Any]:
    facts = track.facts
    charts = [
        {"title": title, "log": is_log, "series": [line]}
        for title, field, is_log in _PARAMETER_CHARTS
        if (line := _line(name, track, field))["x"]
    ]
    return {
        "name": name,
        "role": facts.get("parameter_role", "other"),
        "shape": list(facts.get("shape") or ()),
        "dtype": facts.get("dtype", ""),
        "element_count": facts.get("element_count", 0),
        "requires_grad": facts.get("requires_grad", True),
        "optimizer_group": facts.get("optimizer_group_name") or facts.get("optimizer_group_index"),
        "charts": charts,
    }


def _line(label: str, track: Track, field: str) -> dict[str, Any]:
    """Return a column as a line: means of neighbours, and the band that they lie in."""
    steps, values = track.column(field)
    bad = track.bad() | np.isinf(values)
    known = np.isfinite(values)
    nonfinite = steps[bad][:200].tolist()
    steps, values = steps[known], values[known]
    if len(steps) <= _MAX_POINTS:
        return {"label": label, "x": steps.tolist(), "y": values.tolist(), "nonfinite": nonfinite}
    places = np.linspace(0, len(steps), _MAX_POINTS + 1).astype(np.int64)
    starts = places[:-1]
    return {
        "label": label,
        "x": steps[starts].tolist(),
        "y": (np.add.reduceat(values, starts) / np.diff(places)).tolist(),
        "min": np.minimum.reduceat(values, starts).tolist(),
        "max": np.maximum.reduceat(values, starts).tolist(),
        "nonfinite": nonfinite,
    }
