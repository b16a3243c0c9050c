"""The types of cells that hold media, and other tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.data_types.base import Keeper, WBValue
from quark.compat.wandb.data_types.table_nested_types import TypedDictType, UnionType
from quark.compat.wandb.data_types.table_types import (
    INVALID,
    CellType,
    ConstType,
    Plain,
    PythonObjectType,
    finds_types,
)

if TYPE_CHECKING:
    from quark.compat.wandb.data_types.table import Table

#: Media whose type says no more than its name.
PLAIN_MEDIA = frozenset(
    {
        *("audio-file", "bokeh-file", "html-file", "object3D-file", "video-file"),
        *("joined-table", "partitioned-table", "artifactVersion"),
    }
)

_Layers = Mapping[str, Any]


class ImageType(CellType):
    """Images, with the classes that their boxes and masks name."""

    name = "image-file"
    __slots__ = ()

    def __init__(
        self,
        box_layers: _Layers | None = None,
        box_score_keys: Iterable[str] = (),
        mask_layers: _Layers | None = None,
        box_class_maps: _Layers | None = None,
        mask_class_maps: _Layers | None = None,
        class_map: _Layers | None = None,
    ) -> None:
        values = {
            "box_layers": {key: set(ids) for key, ids in (box_layers or {}).items()},
            "box_score_keys": set(box_score_keys),
            "mask_layers": {key: set(ids) for key, ids in (mask_layers or {}).items()},
            "box_class_maps": _with_text_keys(box_class_maps or {}),
            "mask_class_maps": _with_text_keys(mask_class_maps or {}),
            "class_map": dict(class_map or {}),
        }
        super().__init__({key: ConstType(value) for key, value in values.items()})

    def accept(self, other: CellType) -> CellType:
        if not isinstance(other, ImageType):
            return INVALID
        if self == other:
            return self
        mine, others = self._values(), other._values()
        joined: dict[str, Any] = {
            key: _joined_layers(mine[key], others[key]) for key in ("box_layers", "mask_layers")
        }
        joined |= {
            key: _joined_maps(mine[key], others[key])
            for key in ("box_class_maps", "mask_class_maps")
        }
        return ImageType(
            box_score_keys=mine["box_score_keys"] | others["box_score_keys"],
            class_map={**others["class_map"], **mine["class_map"]},
            **joined,
        )

    def _values(self) -> dict[str, Any]:
        return {key: const.params["val"] for key, const in self.params.items()}

    @staticmethod
    def of(image: Any) -> ImageType:
        """Return the type of one image."""
        boxes = getattr(image, "_boxes", None) or {}
        masks = getattr(image, "_masks", None) or {}
        box_labels = {key: layer._class_labels for key, layer in boxes.items()}
        mask_labels = {key: layer._given_labels or {} for key, layer in masks.items()}
        scores = {
            key for layer in boxes.values() for box in layer._val for key in box.get("scores") or {}
        }
        names: dict[Any, str] = {}
        for labels in (*box_labels.values(), *mask_labels.values()):
            names |= labels
        if image._classes is not None:
            names |= image._classes.labels()
        class_map = {str(number): name for number, name in names.items()}
        return ImageType(box_labels, scores, mask_labels, box_labels, mask_labels, class_map)


def _with_text_keys(maps: _Layers) -> dict[str, dict[str, Any]]:
    return {
        str(key): {str(number): name for number, name in labels.items()}
        for key, labels in maps.items()
    }


def _joined_layers(mine: _Layers, others: _Layers) -> dict[str, set[Any]]:
    return {str(key): {*mine.get(key, ()), *others.get(key, ())} for key in {**mine, **others}}


def _joined_maps(mine: _Layers, others: _Layers) -> dict[str, dict[str, Any]]:
    return {key: {**others.get(key, {}), **mine.get(key, {})} for key in {**mine, **others}}


#: What W&B calls the classes of a column in an artifact.
_CLASSES_PATH = "media/cls.classes.json"


class ClassesIdType(CellType):
    """Ids of a set of classes."""

    name = "classesId"
    __slots__ = ("_class_set",)

    def __init__(self, class_set: Iterable[Mapping[str, Any]] = ()) -> None:
        self._class_set = [dict(item) for item in class_set]
        ids = (ConstType(item["id"]) for item in self._class_set)
        super().__init__({"valid_ids": UnionType(ids)})

    def assign(self, value: Any) -> CellType:
        return self.accept(ConstType(value))

    def accept(self, other: CellType) -> CellType:
        return INVALID if self.params["valid_ids"].accept(other) is INVALID else self

    def to_json(self, keeper: Keeper | None = None) -> dict[str, Any]:
        written = super().to_json(keeper)
        written["params"]["classes_obj"] = self._classes_json(keeper)
        return written

    def _classes_json(self, keeper: Keeper | None) -> dict[str, Any]:
        fields = {"_type": "classes", "class_set": self._class_set}
        keep_json = getattr(keeper, "keep_json", None)
        if keep_json is None:
            return fields
        path, digest = keep_json(fields, _CLASSES_PATH)
        return {"type": "classes-file", "path": path, "digest": digest}


class TableType(CellType):
    """Tables, with the types of their columns."""

    name = "table"
    __slots__ = ()

    def __init__(self, column_types: CellType | None = None) -> None:
        super().__init__({"column_types": column_types or TypedDictType()})

    def accept(self, other: CellType) -> CellType:
        if not isinstance(other, TableType):
            return INVALID
        columns = self.params["column_types"].accept(other.params["column_types"])
        return INVALID if columns is INVALID else TableType(columns)


class _ForeignType(CellType):
    """What refers to another table. ``path`` is where that lies, once it is written."""

    __slots__ = ("table",)

    def __init__(self, table: Table, **params: Any) -> None:
        super().__init__(params)
        self.table = table

    def accept(self, other: CellType) -> CellType:
        if not isinstance(other, _ForeignType) or other.table is not self.table:
            return INVALID
        return self if self == other else INVALID

    def to_json(self, keeper: Keeper | None = None) -> dict[str, Any]:
        written = super().to_json(keeper)
        if keeper is not None:
            file = self.table.kept_whole(keeper.within("table"))
            written["params"] = {"table": file.path, **self.params}
        return written


class ForeignKeyType(_ForeignType):
    """Keys of another table."""

    name = "foreignKey"
    __slots__ = ()

    def __init__(self, table: Table, col_name: Any) -> None:
        if col_name not in table.columns:
            raise ValueError(f"The other table has no column {col_name!r}; it has {table.columns}.")
        super().__init__(table, col_name=col_name)

    def accept(self, other: CellType) -> CellType:
        return self if other.wb_type == "string" else super().accept(other)


class ForeignIndexType(_ForeignType):
    """Numbers of rows of another table."""

    name = "foreignIndex"
    __slots__ = ()

    def accept(self, other: CellType) -> CellType:
        return self if other.wb_type == "number" else super().accept(other)


class PrimaryKeyType(CellType):
    """The keys of a table."""

    name = "primaryKey"
    __slots__ = ()

    def accept(self, other: CellType) -> CellType:
        return self if other.wb_type in ("string", "primaryKey") else INVALID


@finds_types
def _media_type(value: Any) -> CellType | None:
    """Return the type of a value that has a class of W&B's, and of a key of a table."""
    if not isinstance(value, WBValue):
        key = getattr(value, "cell_type", None)
        return key() if callable(key) and isinstance(value, (str, int)) else None
    name = value._log_type
    if name == ImageType.name:
        return ImageType.of(value)
    if name == "table":
        return TableType(value._column_types)  # type: ignore[attr-defined]
    if name == "classes":
        return ClassesIdType(value._class_set)  # type: ignore[attr-defined]
    return Plain(name) if name in PLAIN_MEDIA else PythonObjectType(type(value).__name__)


def media_class_type(kind: type[WBValue]) -> CellType:
    """Return the type of a column that is declared with a class of W&B's."""
    name = kind._log_type
    if name == ImageType.name:
        return ImageType()
    if name == "table":
        return TableType()
    if name == "classes":
        return ClassesIdType()
    return Plain(name) if name in PLAIN_MEDIA else PythonObjectType(kind.__name__)
