"""``wandb.Object3D``: a cloud of points with boxes and arrows, or a file with a model in space."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from quark import jsonio
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia
from quark.compat.wandb.data_types.molecule import read_all
from quark.compat.wandb.data_types.pixels import is_tensor
from quark.compat.wandb.values import plain

LIDAR = "lidar/beta"
_POINTS = "pts.json"
_SCENE_PARTS = ("vectors", "points", "boxes")


class Object3D(FileMedia):
    """A scene in space.

    Args:
        data_or_path: Points as an array ``(n, 3)`` of x, y and z, ``(n, 4)`` with a category from
            1 to 14, or ``(n, 6)`` with red, green and blue; a dict with ``type: "lidar/beta"`` and
            ``points``, ``boxes`` and ``vectors``; the path of a file; or a file object. One that
            has a ``name`` is taken from there.
        caption: A text to show with it.
        file_type: The format, without a dot; has to be given with a file object without a name.

    Raises:
        ValueError: The shape, the type or the format is none of these.
        OSError: The file cannot be read.
    """

    _log_type = "object3D-file"
    _folder = "media/object3D"
    SUPPORTED_TYPES: ClassVar[frozenset[str]] = frozenset(
        {"obj", "gltf", "glb", "babylon", "stl", _POINTS}
    )
    SUPPORTED_POINT_CLOUD_TYPES: ClassVar[frozenset[str]] = frozenset({LIDAR})

    def __init__(
        self, data_or_path: Any, caption: str | None = None, *, file_type: str | None = None
    ) -> None:
        if hasattr(data_or_path, "read") and isinstance(getattr(data_or_path, "name", None), str):
            data_or_path = data_or_path.name
        extension = _POINTS
        if hasattr(data_or_path, "read"):
            if file_type not in self.SUPPORTED_TYPES:
                raise self._bad_format(file_type)
            extension = file_type
            content = Content.of(read_all(data_or_path))
        elif isinstance(data_or_path, (str, os.PathLike)):
            name = os.fspath(data_or_path)
            found = next((end for end in self.SUPPORTED_TYPES if name.endswith(end)), None)
            if found is None:
                raise self._bad_format(os.path.splitext(name)[1][1:])
            extension = found
            content = Content.at(name)
        elif isinstance(data_or_path, Mapping) and "type" in data_or_path:
            content = _scene(data_or_path)
        else:
            content = _cloud(data_or_path)
        super().__init__(content, f".{extension}", caption)

    @classmethod
    def _bad_format(cls, extension: str | None) -> ValueError:
        return ValueError(
            f"The format of an object in space is {extension!r}, but must be one of "
            f"{', '.join(sorted(cls.SUPPORTED_TYPES))}; for a file object pass file_type=."
        )

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: str | None = None) -> Object3D:
        """Return what a file holds, given by its path or as a file object."""
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any) -> Object3D:
        """Return a cloud of points, shape ``(n, 3)``, ``(n, 4)`` or ``(n, 6)``.

        Raises:
            ValueError: It is no array of such a shape.
        """
        if not hasattr(data, "shape"):
            raise ValueError(f"Points must be an array, not {type(data).__name__}.")
        return cls(data)

    @classmethod
    def from_point_cloud(
        cls,
        points: Any,
        boxes: Any,
        vectors: Any = None,
        point_cloud_type: str = LIDAR,
    ) -> Object3D:
        """Return a cloud of points with boxes, as :func:`box3d` makes them, and arrows.

        Args:
            points: As in the constructor.
            boxes: Dicts with ``corners``, ``label`` and ``color``.
            vectors: Dicts with ``start`` and ``end``.

        Raises:
            ValueError: ``point_cloud_type`` is not ``lidar/beta``.
        """
        parts = {"points": points, "boxes": boxes, "vectors": [] if vectors is None else vectors}
        return cls({"type": point_cloud_type, **parts})

    def points(self) -> Any:
        """Return what a cloud of points was made of, as JSON has it: lists of numbers, or a dict
        with ``points``, ``boxes`` and ``vectors``."""
        return jsonio.loads(self.read_bytes())

    @classmethod
    def _listed(cls, values: Sequence[Any], kept: list[dict[str, Any]]) -> dict[str, Any]:
        names = [fields["path"].removeprefix(f"{cls._folder}/") for fields in kept]
        return {"_type": "object3D", "filenames": names, "count": len(kept), "objects": kept}


def _cloud(data: Any) -> Content:
    import numpy as np

    if is_tensor(data):
        data = data.detach().cpu().numpy()
    if not isinstance(data, np.ndarray):
        raise ValueError(
            f"An object in space is an array, a dict with 'type', a path or a file object, not "
            f"{type(data).__name__}."
        )
    if data.ndim != 2 or data.shape[1] not in (3, 4, 6):
        raise ValueError(
            f"Points of shape {list(data.shape)} are no cloud: it must be (n, 3), (n, 4) with a "
            "category, or (n, 6) with a colour."
        )
    points = data.copy()
    return Content.made_by(lambda: jsonio.dumps(points.tolist()), points.nbytes)


def _scene(data: Mapping[str, Any]) -> Content:
    if data["type"] != LIDAR:
        raise ValueError(f"The type of a scene is {data['type']!r}, but must be {LIDAR!r}.")
    scene: dict[str, Any] = {"type": LIDAR}
    for part in _SCENE_PARTS:
        found = data.get(part, ())
        scene[part] = found.tolist() if hasattr(found, "tolist") else _listed(found)
    content = jsonio.dumps(scene)
    return Content.of(content)


def _listed(value: Any) -> Any:
    """Return sequences, arrays in them too, as lists of plain values."""
    if hasattr(value, "tolist"):
        return _listed(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _listed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(item) for item in value]
    return plain(value)
