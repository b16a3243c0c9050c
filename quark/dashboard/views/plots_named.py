"""Charts of ``wandb.plot``: which of a run's tables are drawn, and as what.

A chart is a table in the history and, in the run's config below ``_wandb``, the name of the
specification that draws it. Both are somebody's words: what does not fit is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

_MAX_PLOTS = 5000
_MAX_TEXT = 300


class _Form(NamedTuple):
    """How a specification is drawn: by which drawing, from which column for each part of it.

    ``columns`` names, for each part, the field of the specification; a chart of
    ``wandb.visualize`` has no fields, its columns have these names themselves. ``optional`` parts
    may be missing.
    """

    kind: str
    columns: Mapping[str, tuple[str, ...]]
    optional: frozenset[str] = frozenset()


_CLASS = frozenset({"class"})
#: By the middle of a specification's name: ``wandb/<this>/v0``.
_FORMS = {
    "line": _Form("line", {"x": ("x",), "y": ("y",), "class": ("stroke",)}, _CLASS),
    "lineseries": _Form("line", {"x": ("step",), "y": ("lineVal",), "class": ("lineKey",)}),
    "scatter": _Form("scatter", {"x": ("x",), "y": ("y",)}),
    "bar": _Form("bar", {"label": ("label",), "value": ("value",)}),
    "histogram": _Form("histogram", {"value": ("value",)}),
    "area-under-curve": _Form("curve", {"x": ("x",), "y": ("y",), "class": ("class",)}, _CLASS),
    "confusion_matrix": _Form(
        "matrix",
        {"actual": ("Actual",), "predicted": ("Predicted",), "count": ("nPredictions", "Count")},
    ),
    # of wandb.sklearn
    "feature_importances": _Form("bar", {"label": ("feature_names",), "value": ("importances",)}),
    "class_proportions": _Form(
        "bar", {"label": ("class",), "value": ("count",), "class": ("dataset",)}
    ),
    "metrics": _Form("bar", {"label": ("metric_name",), "value": ("metric_value",)}),
    "calibration": _Form(
        "line",
        {"x": ("mean_predicted_value",), "y": ("fraction_of_positives",), "class": ("model",)},
    ),
    "learning_curve": _Form("line", {"x": ("train_size",), "y": ("score",), "class": ("dataset",)}),
    "elbow": _Form("line", {"x": ("cluster_ranges",), "y": ("errors",)}),
    "residuals_plot": _Form(
        "scatter", {"x": ("y_pred",), "y": ("residuals",), "class": ("dataset",)}
    ),
    "outliers": _Form("scatter", {"x": ("instance_indicies",), "y": ("distance",)}),
}


class Plot(NamedTuple):
    """A chart that a run has logged.

    ``kind`` is ``line``, ``curve``, ``scatter``, ``bar``, ``histogram`` or ``matrix``; ``none`` if
    its specification is not one that is drawn here. ``columns`` has for each part of the chart the
    columns that it may be in, the first that is there.
    """

    name: str
    spec: str
    kind: str
    title: str
    x_title: str
    y_title: str
    columns: tuple[tuple[str, tuple[str, ...]], ...]
    optional: frozenset[str]


def plots_of(config: Mapping[str, Any]) -> dict[str, Plot]:
    """Return the charts that a run's config speaks of, by the keys of their tables.

    >>> own = {"viz": {"proportions": {"id": "wandb/class_proportions/v1"}}}
    >>> [(key, plot.kind) for key, plot in plots_of({"_wandb": own}).items()]
    [('proportions', 'bar')]
    """
    own = _mapping(config.get("_wandb"))
    found: dict[str, Plot] = {}
    for name, value in list(_mapping(own.get("viz")).items())[:_MAX_PLOTS]:
        found[str(name)] = _plot(str(name), _mapping(value).get("id"), None, {})
    for name, value in list(_mapping(own.get("visualize")).items())[:_MAX_PLOTS]:
        panel = _mapping(_mapping(value).get("panel_config"))
        fields, texts = (_mapping(panel.get(part)) for part in ("fieldSettings", "stringSettings"))
        key = _table_key(panel) or f"{name}_table"
        found[key] = _plot(str(name), panel.get("panelDefId"), fields, texts)
    return found


def shown_plot(plot: Plot) -> dict[str, Any]:
    """Return what the list of all media says of a chart."""
    return {"name": plot.name, "kind": plot.kind, "spec": plot.spec, "title": plot.title}


def _plot(name: str, spec: Any, fields: Mapping[str, Any] | None, texts: Mapping[str, Any]) -> Plot:
    spec_name = _text(spec)
    words = spec_name.split("/")
    form = _FORMS.get(words[1]) if len(words) == 3 and words[0] == "wandb" else None
    said = _text(texts.get("title"))
    if form is None:
        return Plot(name, spec_name, "none", said, "", "", (), frozenset())
    columns = tuple((part, _columns(names, fields)) for part, names in form.columns.items())
    named = dict(columns)
    x_title = _text(texts.get("x-axis-title") or texts.get("xname")) or _first(named.get("x"))
    y_title = _text(texts.get("y-axis-title")) or _first(named.get("y"))
    if words[1] == "lineseries":
        y_title = _text(texts.get("y-axis-title"))  # its column has a name that says nothing
    return Plot(name, spec_name, form.kind, said, x_title, y_title, columns, form.optional)


def _columns(names: tuple[str, ...], fields: Mapping[str, Any] | None) -> tuple[str, ...]:
    if not fields:
        return names
    return tuple(column for one in names if isinstance(column := fields.get(one), str))


def _table_key(panel: Mapping[str, Any]) -> str | None:
    """Return the key that a chart's query asks for."""
    queries = _list(_mapping(panel.get("userQuery")).get("queryFields"))
    for query in queries:
        for field in _list(_mapping(query).get("fields")):
            for argument in _list(_mapping(field).get("args")):
                value = _mapping(argument).get("value")
                if _mapping(argument).get("name") == "tableKey" and isinstance(value, str):
                    return value
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value[:100]) if isinstance(value, (list, tuple)) else []


def _text(value: Any) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _first(names: tuple[str, ...] | None) -> str:
    return names[0][:_MAX_TEXT] if names else ""
