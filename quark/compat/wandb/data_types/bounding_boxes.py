"""Boxes on an image: a list of positions, classes, scores and captions, kept as a JSON file."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, Self

from quark import jsonio
from quark.compat.wandb.data_types.base import ArtifactFiles, Keeper, Source
from quark.compat.wandb.data_types.classes import checked_labels, default_labels, read_labels
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia, read_file
from quark.compat.wandb.values import plain

_CORNERS = ("minX", "maxX", "minY", "maxY")


class BoundingBoxes2D(FileMedia):
    """Boxes of one layer on an image.

    Args:
        val: ``box_data``, a list of boxes, and optionally ``class_labels``, names by class id. A
            box has a ``position`` (``minX``, ``maxX``, ``minY`` and ``maxY``, or ``middle``,
            ``width`` and ``height``; shares of the image, or pixels with ``domain: "pixel"``), and
            optionally ``class_id``, ``box_caption`` and ``scores``, numbers by name.
        key: The name of the layer.

    Raises:
        TypeError: Something in ``val`` is not as described.
        KeyError: ``val`` has no ``box_data``.
    """

    _log_type = "bounding-boxes"
    _other_log_types = ("boxes2D",)
    _folder = "media/metadata/boxes2D"

    def __init__(self, val: Mapping[str, Any], key: str) -> None:
        labels = val.get("class_labels")
        boxes = val["box_data"]
        if not isinstance(boxes, list):
            raise TypeError(f"box_data must be a list of boxes, not a {type(boxes).__name__}.")
        self._key = key
        self._val: list[dict[str, Any]] = [_checked(box) for box in boxes]
        whole: dict[str, Any] = {**{name: plain(item) for name, item in val.items()}}
        whole["box_data"] = self._val
        if labels is None:
            ids = sorted({box["class_id"] for box in self._val if "class_id" in box})
            self._class_labels: dict[Any, str] = default_labels(ids)
            whole.pop("class_labels", None)
        else:
            self._class_labels = checked_labels(labels)
            whole["class_labels"] = self._class_labels
        super().__init__(Content.of(jsonio.dumps(plain(whole))), ".boxes2D.json")

    @classmethod
    def type_name(cls) -> str:
        return "boxes2D"

    def _details(self, keeper: Keeper) -> dict[str, Any]:
        return {"_type": self.type_name()}

    def in_artifact(self, keeper: ArtifactFiles) -> Any:
        return self._val

    def take_names(self, names: Mapping[Any, str]) -> None:
        """Take those of the names of an image's classes that the boxes were given none for."""
        for number, name in default_labels(self._class_labels).items():
            if self._class_labels[number] == name:
                self._class_labels[number] = names.get(number, name)

    @classmethod
    def from_json(cls, fields: Any, source: Source) -> Self:
        """Return boxes that were kept as a file (in a run) or as a list (in an artifact)."""
        if not isinstance(fields, Mapping):
            return cls({"box_data": list(fields)}, "")
        whole = jsonio.loads(read_file(source, str(fields["path"])).read())
        if "class_labels" in whole:
            whole["class_labels"] = read_labels(whole["class_labels"])
        return cls(whole, "")


def _checked(box: Mapping[str, Any]) -> dict[str, Any]:
    """Return a box as plain values.

    Raises:
        TypeError: It is no box.
    """
    kept: dict[str, Any] = plain(box)
    position = kept.get("position")
    if not isinstance(position, dict) or not _is_position(position):
        raise TypeError(
            f"The position of a box must have minX, maxX, minY and maxY, or middle, width and "
            f"height, all of them numbers; {position!r} has not."
        )
    scores = box.get("scores", {})
    if not isinstance(scores, Mapping):
        raise TypeError(f"The scores of a box must be numbers by name, not {scores!r}.")
    for name, score in scores.items():
        if not isinstance(name, str) or not isinstance(score, numbers.Number):
            raise TypeError(f"The score {name!r} of a box must be a number, not {score!r}.")
    if "class_id" in box and not isinstance(box["class_id"], numbers.Integral):
        raise TypeError(f"The class_id of a box must be an integer, not {box['class_id']!r}.")
    if "box_caption" in box and not isinstance(box["box_caption"], str):
        raise TypeError(f"The caption of a box must be a text, not {box['box_caption']!r}.")
    return kept


def _is_position(position: Mapping[str, Any]) -> bool:
    middle = position.get("middle")
    if middle is not None and len(middle) == 2:
        names: tuple[str, ...] = ("width", "height")
    else:
        names = _CORNERS
    return all(isinstance(position.get(name), numbers.Number) for name in names)
