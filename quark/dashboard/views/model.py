"""What a model is made of: from its recorded architecture, else from what was watched of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quark.analyzers.outputs import current_outputs
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.dashboard.views.layer_history import KEPT, LayerHistory
from quark.records import AlertRecord, ModelArchitectureRecord

if TYPE_CHECKING:
    from quark.storage.protocols import Store

_RANKS = ("info", "warning", "error", "critical")


def model(place: Place, asked: Asked) -> dict[str, Any]:
    """Return the modules of a model in their order, with what is known of each.

    Asked: ``name``, which of the run's models; the first one if it is left out.
    """
    run_id = asked["run_id"]
    records = place.store.records.read(ModelArchitectureRecord, run_id)
    latest = {one.model_name: one for one in records}
    with KEPT.use(place.store, run_id) as history:
        measured = {*history.modules(), *_owners(history)}
        if latest:
            wanted = asked.text("name")
            chosen = latest.get(wanted or "") or next(iter(latest.values()))
            answer = _recorded(chosen)
        else:
            answer = _watched(history)
    alerts = _alerts(place.store, run_id)
    for one in answer["modules"]:
        one["measured"] = one["name"] in measured
        if one["name"] and one["name"] in alerts:
            one["alert"] = alerts[one["name"]]
    return {"models": list(latest), **answer}


def _recorded(record: ModelArchitectureRecord) -> dict[str, Any]:
    outputs: dict[str, list[Any]] = {}
    calls: dict[str, int] = {}
    for node in record.nodes:
        if not node.is_function:
            calls[node.module_name] = calls.get(node.module_name, 0) + 1
            outputs.setdefault(node.module_name, [list(shape) for shape in node.output_shapes])
    return {
        "source": "architecture",
        "name": record.model_name,
        "type": record.model_type,
        "parameter_count": record.parameter_count,
        "trainable_count": record.trainable_parameter_count,
        "frozen_count": record.frozen_parameter_count,
        "buffer_count": record.buffer_count,
        "parameter_bytes": record.parameter_bytes,
        "buffer_bytes": record.buffer_bytes,
        "dtypes": dict(record.parameter_counts_by_dtype),
        "devices": dict(record.parameter_counts_by_device),
        "shared": [list(names) for names in record.shared_parameters],
        "truncated": record.truncated,
        "modules": [
            {
                "name": one.module_name,
                "type": one.module_type,
                "own": one.own_parameter_count,
                "count": one.parameter_count,
                "trainable": one.trainable_parameter_count,
                "shapes": {name: list(shape) for name, shape in one.parameter_shapes.items()},
                "settings": one.settings,
                "outputs": outputs.get(one.module_name, []),
                "calls": calls.get(one.module_name, 0),
            }
            for one in record.modules
        ],
    }


def _watched(history: LayerHistory) -> dict[str, Any]:
    """Make a tree of the names that layers and parameters have."""
    modules: dict[str, dict[str, Any]] = {}
    parameters = _owners(history)
    for name in _ordered([*history.modules(), *parameters]):
        for above in reversed(_with_ancestors(name)):
            modules.setdefault(above, _empty(above))
    for (name, *_), track in {**history.gradients, **history.activations}.items():
        modules[name]["type"] = str(track.facts.get("module_type", ""))
        shape = track.facts.get("tensor_shape")
        if shape and track.facts["summary_type"] == "activation" and not modules[name]["outputs"]:
            modules[name]["outputs"] = [list(shape)]
    dtypes: dict[str, int] = {}
    for owner, mine in parameters.items():
        one = modules[owner]
        for full, facts in mine.items():
            one["type"] = one["type"] or str(facts.get("module_type", ""))
            count = facts.get("element_count", 0)
            one["shapes"][full.removeprefix(f"{owner}.")] = list(facts.get("shape") or ())
            one["own"] += count
            dtype = str(facts.get("dtype", ""))
            dtypes[dtype] = dtypes.get(dtype, 0) + count
            for above in _with_ancestors(owner):
                modules[above]["count"] += count
                modules[above]["trainable"] += count if facts.get("requires_grad", True) else 0
    root = modules.get("", _empty(""))
    return {
        "source": "watched" if modules else "none",
        "name": "",
        "type": root["type"],
        "parameter_count": root["count"],
        "trainable_count": root["trainable"],
        "frozen_count": root["count"] - root["trainable"],
        "buffer_count": None,
        "parameter_bytes": None,
        "buffer_bytes": None,
        "dtypes": dtypes,
        "devices": {},
        "shared": [],
        "truncated": False,
        "modules": list(modules.values()),
    }


def _ordered(names: list[str]) -> list[str]:
    """Return names so that what belongs to one module is together, in the order of its first."""
    place: dict[str, int] = {}
    for name in names:
        for above in reversed(_with_ancestors(name)):
            place.setdefault(above, len(place))
    return sorted(
        dict.fromkeys(names),
        key=lambda name: [place[above] for above in reversed(_with_ancestors(name))],
    )


def _owners(history: LayerHistory) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return the parameters of each module, with what their first records say."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for full, track in history.parameters.items():
        found.setdefault(str(track.facts.get("module_name", "")), {})[full] = track.facts
    return found


def _with_ancestors(name: str) -> list[str]:
    found = [name]
    while name:
        name = name.rpartition(".")[0]
        found.append(name)
    return found


def _empty(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "",
        "own": 0,
        "count": 0,
        "trainable": 0,
        "shapes": {},
        "settings": "",
        "outputs": [],
        "calls": 0,
    }


def _alerts(store: Store, run_id: str) -> dict[str, str]:
    """Return the worst severity of the alerts that name something, by what they name."""
    found: dict[str, str] = {}
    for alert in current_outputs(store, run_id, AlertRecord, "alerts"):
        named = {one.source for one in alert.evidence} | {str(alert.metadata.get("subject") or "")}
        named |= {name.rpartition(".")[0] for name in named}  # of a parameter, its module
        for name in named:
            if alert.severity in _RANKS and (
                name not in found or _RANKS.index(alert.severity) > _RANKS.index(found[name])
            ):
                found[name] = alert.severity
    return found
