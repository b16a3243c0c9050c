"""From the JSON that stands in a row for a value back to the value.

What was logged as a list of one kind comes back as a list of values of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from quark.compat.wandb.data_types.base import LOST_TYPE, Source, WBValue
from quark.compat.wandb.errors import CommError

_PACKAGE = __name__.rpartition(".")[0]

#: Where the class is that reads a ``_type``, below this package.
_CLASSES = {
    "audio-file": "audio:Audio",
    "bokeh-file": "bokeh:Bokeh",
    "bounding-boxes": "bounding_boxes:BoundingBoxes2D",
    "boxes2D": "bounding_boxes:BoundingBoxes2D",
    "classes": "classes:Classes",
    "eval-table": "eval_table:EvalTable",
    "graph-file": "graph:Graph",
    "histogram": "histogram:Histogram",
    "html-file": "html:Html",
    "image-file": "image:Image",
    "incremental-table-file": "table:Table",
    "joined-table": "joined_table:JoinedTable",
    "mask": "image_mask:ImageMask",
    "molecule-file": "molecule:Molecule",
    "object3D-file": "object_3d:Object3D",
    "partitioned-table": "partitioned_table:PartitionedTable",
    "plotly-file": "plotly:Plotly",
    "table": "table:Table",
    "table-file": "table:Table",
    "video-file": "video:Video",
}


def read_value(value: Any, source: Source) -> Any:
    """Return what was logged.

    Args:
        value: What a row, a summary or a cell of a table holds. Dicts and lists are gone through;
            what is plain is returned as it is.
        source: Where the value's files are read from.

    Raises:
        CommError: A file is missing, the value could not be kept when it was logged, or its
            ``_type`` is not known.
    """
    if isinstance(value, list):
        return [read_value(item, source) for item in value]
    if not isinstance(value, Mapping):
        return value
    kind = value.get("_type")
    if kind is None:
        return {key: read_value(item, source) for key, item in value.items()}
    if kind == LOST_TYPE:
        raise CommError(f"This {value.get('kind')} could not be kept: {value.get('reason')}.")
    try:
        if kind in _LISTS:
            return [class_of(f"{part['_type']}").from_json(part, source) for part in _parts(value)]
        return class_of(str(kind)).from_json(value, source)
    except KeyError as error:
        raise CommError(f"A file of this {kind} is missing: {error.args[0]}.") from error


def class_of(kind: str) -> type[WBValue]:
    """Return the class of the values that are kept under the ``_type`` ``kind``.

    Raises:
        CommError: There is none.
    """
    home = _CLASSES.get(kind)
    if home is None:
        raise CommError(f"Values of the type {kind!r} cannot be read back as objects.")
    module, _, name = home.partition(":")
    found: type[WBValue] = getattr(import_module(f"{_PACKAGE}.{module}"), name)
    return found


def _parts(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the JSON of each value of several that were logged as one."""
    return _LISTS[value["_type"]](value)


def _images(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = _named("image-file")(value)
    for field, name in (("all_masks", "masks"), ("all_boxes", "boxes"), ("all_classes", "classes")):
        for part, layer in zip(parts, value.get(field) or (), strict=False):
            if layer:
                part[name] = layer
    for part in parts:
        part["format"] = value.get("format")
    return parts


def _named(kind: str) -> Callable[[Mapping[str, Any]], list[dict[str, Any]]]:
    def parts(value: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{"_type": kind, "path": path} for path in value["filenames"]]
        for part, caption in zip(found, value.get("captions") or (), strict=False):
            part["caption"] = caption
        return found

    return parts


def _within(field: str) -> Callable[[Mapping[str, Any]], list[dict[str, Any]]]:
    return lambda value: list(value[field])


#: How the parts of values that were logged as one are found.
_LISTS: dict[str, Callable[[Mapping[str, Any]], list[dict[str, Any]]]] = {
    "audio": _within("audio"),
    "html": _within("html"),
    "images/separated": _images,
    "molecule": _named("molecule-file"),
    "object3D": _within("objects"),
    "videos": _within("videos"),
}
