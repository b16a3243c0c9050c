"""From what a row holds for a value to what a page draws: files, layers, names, all checked.

What a run holds may be damaged, of a later version, or made up. A part that is not as it should be
is left out; nothing here raises for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.dashboard.views.media_index import COMPOSED, SHOWN_AS, KeptPayload
from quark.errors import QuarkError

if TYPE_CHECKING:
    from typing import BinaryIO

    Files = Mapping[str, KeptPayload]  # by the paths that values name them by
    Read = Callable[[KeptPayload], BinaryIO]

_MAX_ITEMS = 300
_MAX_BOXES = 2000
_MAX_TEXT = 20_000
_MAX_LAYER_BYTES = 8 << 20
_LISTS = {"audio": "audio", "html": "html", "object3D": "objects", "videos": "videos"}
_NAMED = {"images/separated": "image-file", "molecule": "molecule-file"}
_ITEM_OF_KIND = frozenset({"audio", "document", "html", "image", "object", "video"})


def items_of(value: Any, files: Files, read: Read) -> list[dict[str, Any]]:
    """Return the parts of a logged value as a page draws them, at most 300.

    Each has a ``kind``; those with a file have ``path``, ``sha256`` and ``size``, or ``reference``
    if it lies elsewhere, or ``missing`` if it lies nowhere.
    """
    parts = _parts(value)
    items = [item_of(part, files, read) for part in parts[:_MAX_ITEMS]]
    if len(parts) > _MAX_ITEMS:
        items.append({"kind": "more", "count": len(parts) - _MAX_ITEMS})
    return items


def item_of(part: Any, files: Files, read: Read) -> dict[str, Any]:
    """Return one part as a page draws it."""
    kind = SHOWN_AS.get(str(part.get("_type"))) if isinstance(part, Mapping) else None
    if kind is None:
        return {"kind": "value", "value": shown_text(part)}
    if kind == "lost":
        reason = f"This {part.get('kind')} could not be kept: {part.get('reason')}"
        return {"kind": "lost", "reason": reason[:1000]}
    if kind == "histogram":
        return histogram_item(part)
    if part.get("_type") in COMPOSED:  # inside of another value
        return {"kind": "value", "value": shown_text(part)}
    item: dict[str, Any] = {"kind": kind, **file_of(part.get("path"), files)}
    if part.get("caption") is not None:
        item["caption"] = str(part["caption"])[:_MAX_TEXT]
    if kind == "table":
        item |= {"columns": _whole(part.get("ncols")), "rows": _whole(part.get("nrows"))}
        earlier = part.get("previous_increments_paths")
        before = earlier if isinstance(earlier, list) else []
        item["paths"] = [str(path) for path in [*before, part.get("path")]]
    if kind == "image":
        item |= {"width": _whole(part.get("width")), "height": _whole(part.get("height"))}
        item |= _layers(part, item, files, read)
    return item


def file_of(path: Any, files: Files) -> dict[str, Any]:
    """Return where a file is."""
    text = str(path)
    if text.startswith(("http://", "https://", "gs://", "s3://")):
        return {"reference": text[:2000]}
    kept = files.get(text)
    if kept is None:
        return {"path": text[:2000], "missing": True}
    return {"path": kept.path, "sha256": kept.sha256, "size": kept.size_bytes}


def shown_text(value: Any) -> str:
    """Return a value as a text, cut where nobody would read on."""
    text = value if isinstance(value, str) else jsonio.python_dumps(jsonio.to_plain(value))
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}… ({len(text)} characters)"


def _parts(value: Any) -> list[Any]:
    if isinstance(value, list) and value and isinstance(value[0], Mapping) and "_type" in value[0]:
        return [part for item in value for part in _parts(item)]
    if not isinstance(value, Mapping):
        return [value]
    kind = str(value.get("_type"))
    if kind in _LISTS and isinstance(value.get(_LISTS[kind]), list):
        return _captioned(value, [dict(part) for part in value[_LISTS[kind]] if _is_file(part)])
    if kind in _NAMED and isinstance(value.get("filenames"), list):
        size = {name: value[name] for name in ("width", "height") if name in value}
        parts = [{"_type": _NAMED[kind], "path": path, **size} for path in value["filenames"]]
        for names, name in (
            ("all_masks", "masks"),
            ("all_boxes", "boxes"),
            ("all_classes", "classes"),
        ):
            for part, layer in zip(parts, value.get(names) or (), strict=False):
                part[name] = layer
        return _captioned(value, parts)
    return [value]


def _captioned(value: Mapping[str, Any], parts: list[dict[str, Any]]) -> list[Any]:
    captions = value.get("captions")
    if isinstance(captions, list):
        for part, caption in zip(parts, captions, strict=False):
            if caption:
                part["caption"] = caption
    return parts


def _is_file(part: Any) -> bool:
    return isinstance(part, Mapping) and "path" in part


def histogram_item(part: Any) -> dict[str, Any]:
    """Return a histogram as a page draws it; as a text if it is none."""
    if not isinstance(part, Mapping):
        return {"kind": "value", "value": shown_text(part)}
    bins, counts = part.get("bins"), part.get("values")
    if not isinstance(counts, list) or not all(map(_is_number, counts)):
        return {"kind": "value", "value": shown_text(part)}
    packed = part.get("packedBins")
    if (
        isinstance(packed, Mapping)
        and _is_number(packed.get("min"))
        and _is_number(packed.get("size"))
    ):
        bins = [packed["min"] + packed["size"] * place for place in range(len(counts) + 1)]
    if not isinstance(bins, list) or len(bins) != len(counts) + 1 or not all(map(_is_number, bins)):
        return {"kind": "value", "value": shown_text(part)}
    return {"kind": "histogram", "bins": bins, "counts": counts}


# -- layers on images ----------------------------------------------------------------------------


def _layers(
    part: Mapping[str, Any], item: Mapping[str, Any], files: Files, read: Read
) -> dict[str, Any]:
    names = _class_names(part.get("classes"), files, read)
    masks, boxes = [], []
    for name, mask in _named(part.get("masks")):
        if isinstance(mask, Mapping):
            labels = {**names, **_labels(mask.get("class_labels"))}
            masks.append({"name": name, **file_of(mask.get("path"), files), "labels": labels})
    for name, layer in _named(part.get("boxes")):
        whole = _whole_layer(layer, files, read)
        labels = {**names, **_labels(whole.get("class_labels"))}
        data = whole.get("box_data")
        size = (item.get("width"), item.get("height"))
        drawn = [_box(box, size) for box in (data if isinstance(data, list) else [])[:_MAX_BOXES]]
        boxes.append(
            {"name": name, "labels": labels, "boxes": [box for box in drawn if box is not None]}
        )
    return {"masks": masks, "boxes": boxes}


def _whole_layer(layer: Any, files: Files, read: Read) -> Mapping[str, Any]:
    """Return what the file of a layer of boxes says."""
    if isinstance(layer, list):  # in an artifact
        return {"box_data": layer}
    return _content(layer.get("path"), files, read) if isinstance(layer, Mapping) else {}


def _content(path: Any, files: Files, read: Read) -> Mapping[str, Any]:
    """Return what a small file of JSON says; nothing if it is not there, or something else."""
    kept = files.get(str(path))
    if kept is None or kept.size_bytes > _MAX_LAYER_BYTES:
        return {}
    try:
        with read(kept) as file:
            whole = jsonio.loads(file.read())
    except (QuarkError, OSError):
        return {}
    return whole if isinstance(whole, Mapping) else {}


def _box(box: Any, size: tuple[Any, Any]) -> dict[str, Any] | None:
    """Return a box with its edges as shares of the image."""
    position = box.get("position") if isinstance(box, Mapping) else None
    if not isinstance(position, Mapping):
        return None
    edges: list[Any]
    middle = position.get("middle")
    if isinstance(middle, list) and len(middle) == 2:
        extent = [position.get("width"), position.get("height")]
        if not all(map(_is_number, [*middle, *extent])):
            return None
        centred: list[tuple[Any, Any]] = list(zip(middle, extent, strict=True))
        edges = [centre - length / 2 for centre, length in centred]
        edges += [centre + length / 2 for centre, length in centred]
    else:
        edges = [position.get(name) for name in ("minX", "minY", "maxX", "maxY")]
        if not all(map(_is_number, edges)):
            return None
    if box.get("domain") == "pixel":
        if not all(size):
            return None
        edges = [edge / size[place % 2] for place, edge in enumerate(edges)]
    scores = box.get("scores")
    return {
        "edges": edges,
        "class_id": box.get("class_id"),
        "caption": str(box.get("box_caption") or "")[:300],
        "scores": {
            str(name): score
            for name, score in (scores.items() if isinstance(scores, Mapping) else ())
            if _is_number(score)
        },
    }


def _named(layers: Any) -> list[tuple[str, Any]]:
    return list(layers.items())[:50] if isinstance(layers, Mapping) else []


def _labels(labels: Any) -> dict[str, str]:
    if not isinstance(labels, Mapping):
        return {}
    return {str(key): str(name)[:200] for key, name in list(labels.items())[:1000]}


def _class_names(classes: Any, files: Files, read: Read) -> dict[str, str]:
    if not isinstance(classes, Mapping):
        return {}
    said = classes if "class_set" in classes else _content(classes.get("path"), files, read)
    entries = said.get("class_set")
    if not isinstance(entries, list):
        return {}
    return _labels({one.get("id"): one.get("name") for one in entries if isinstance(one, Mapping)})


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
