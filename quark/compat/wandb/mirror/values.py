"""From what Quark keeps of a value to the real ``wandb``'s object of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from quark import jsonio

#: Finds the file that is kept under a path of the run; None if it is not there.
FindFile = Callable[[str], Path | None]


def real_row(wandb: Any, row: Mapping[str, Any], find: FindFile) -> dict[str, Any]:
    """Return a row without Quark's own columns, its media as objects of ``wandb``."""
    return {
        key: real_value(wandb, value, find)
        for key, value in row.items()
        if key not in ("_step", "_runtime")
    }


def real_value(wandb: Any, value: Any, find: FindFile) -> Any:
    """Return ``value``, or the object of ``wandb`` that it stands for.

    A kind that the real package does not make from a file stays the dict that stands for it.
    """
    if not isinstance(value, Mapping) or "_type" not in value:
        return value
    make = _MAKERS.get(str(value["_type"]))
    if make is None:
        return dict(value)
    made = make(wandb, value, find)
    return dict(value) if made is None else made


def _histogram(wandb: Any, value: Mapping[str, Any], find: FindFile) -> Any:
    return wandb.Histogram(np_histogram=(value["values"], value["bins"]))


def _from_file(kind: str, *words: str) -> Callable[[Any, Mapping[str, Any], FindFile], Any]:
    """Return what makes an object of ``kind`` from its file and from what is known beside it."""

    def make(wandb: Any, value: Mapping[str, Any], find: FindFile) -> Any:
        path = find(str(value.get("path", "")))
        if path is None:
            return None
        known = {word: value[word] for word in words if value.get(word) is not None}
        return getattr(wandb, kind)(str(path), **known)

    return make


def _images(wandb: Any, value: Mapping[str, Any], find: FindFile) -> Any:
    captions = value.get("captions") or None
    images = []
    for number, name in enumerate(value.get("filenames") or ()):
        path = find(str(name))
        if path is None:
            return None
        caption = captions[number] if isinstance(captions, list) else None
        images.append(wandb.Image(str(path), caption=caption))
    return images


def _table(wandb: Any, value: Mapping[str, Any], find: FindFile) -> Any:
    path = find(str(value.get("path", "")))
    if path is None:
        return None
    content = jsonio.loads(path.read_bytes())
    rows = [
        [jsonio.dumps(cell).decode() if isinstance(cell, (dict, list)) else cell for cell in row]
        for row in content["data"]
    ]
    return wandb.Table(columns=content["columns"], data=rows, allow_mixed_types=True)


def _html(wandb: Any, value: Mapping[str, Any], find: FindFile) -> Any:
    path = find(str(value.get("path", "")))
    return None if path is None else wandb.Html(path.read_text(encoding="utf-8"), inject=False)


_MAKERS: dict[str, Callable[[Any, Mapping[str, Any], FindFile], Any]] = {
    "histogram": _histogram,
    "image-file": _from_file("Image", "caption"),
    "images/separated": _images,
    "table-file": _table,
    "video-file": _from_file("Video", "caption"),
    "audio-file": _from_file("Audio", "caption"),
    "html-file": _html,
    "object3D-file": _from_file("Object3D", "caption"),
    "molecule-file": _from_file("Molecule", "caption"),
}
