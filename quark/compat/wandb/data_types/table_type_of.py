"""Which type of cell a declaration (``dtype=``) or a written type is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from quark import jsonio
from quark.compat.wandb.data_types.base import Source, WBValue
from quark.compat.wandb.data_types.table_media_types import (
    PLAIN_MEDIA,
    ClassesIdType,
    ForeignIndexType,
    ForeignKeyType,
    ImageType,
    PrimaryKeyType,
    TableType,
    media_class_type,
)
from quark.compat.wandb.data_types.table_nested_types import (
    LISTS,
    ListType,
    NDArrayType,
    TypedDictType,
    UnionType,
)
from quark.compat.wandb.data_types.table_types import (
    ANY,
    BOOLEAN,
    INVALID,
    NONE,
    NUMBER,
    SIMPLE,
    STRING,
    TIMESTAMP,
    UNKNOWN,
    CellType,
    ConstType,
    Plain,
    PythonObjectType,
)

#: Reads another table of the same artifact or run, by its path.
ReadTable = Callable[[str], Any]


class Files(NamedTuple):
    """Where the files are read from that some types have."""

    source: Source
    read_table: ReadTable


def type_from_dtype(dtype: Any) -> CellType:
    """Return the type that a declaration means: a type, a class, a list of either, or a value."""
    if isinstance(dtype, CellType):
        return dtype
    if isinstance(dtype, type):
        return _type_of_class(dtype)
    if isinstance(dtype, list):
        kinds = [type_from_dtype(item) for item in dtype]
        return UnionType(kinds) if len(kinds) > 1 else ListType(kinds[0] if kinds else UNKNOWN)
    if isinstance(dtype, dict):
        return TypedDictType({key: type_from_dtype(item) for key, item in dtype.items()})
    return ConstType(dtype)


def _type_of_class(kind: type) -> CellType:
    if kind in SIMPLE:
        return SIMPLE[kind]
    if kind in LISTS:
        return ListType()
    if kind is dict:
        return TypedDictType()
    if issubclass(kind, WBValue):
        return media_class_type(kind)
    if issubclass(kind, CellType):
        return kind()
    for base in kind.__mro__:
        if base.__module__ == "numpy":
            if base.__name__ == "number":
                return NUMBER
            if base.__name__ in ("bool", "bool_"):
                return BOOLEAN
            if base.__name__ == "datetime64":
                return TIMESTAMP
            if base.__name__ == "ndarray":
                raise TypeError(
                    "dtype=numpy.ndarray says nothing of the shape; leave the dtype out, or give "
                    "an array with allow_mixed_types=True."
                )
    return PythonObjectType(kind.__name__)


def type_from_json(written: Mapping[str, Any], files: Files | None = None) -> CellType:
    """Return the type that was written as ``written``.

    Raises:
        TypeError: It is no written type.
    """
    name = written.get("wb_type")
    params = written.get("params", {})
    if name in _NAMED:
        return _NAMED[name]
    if name in PLAIN_MEDIA:
        return Plain(str(name))
    if name in _READ:
        return _READ[name](params, files)
    raise TypeError(f"A column has the type {name!r}, which is none of W&B's types of cells.")


def _inner(written: Any, files: Files | None) -> CellType:
    return type_from_json(written, files)


def _type_map(params: Mapping[str, Any], files: Files | None) -> TypedDictType:
    return TypedDictType(
        {key: _inner(kind, files) for key, kind in params.get("type_map", {}).items()}
    )


def _union(params: Mapping[str, Any], files: Files | None) -> UnionType:
    return UnionType(_inner(kind, files) for kind in params.get("allowed_types", ()))


def _list(params: Mapping[str, Any], files: Files | None) -> ListType:
    element = params.get("element_type", {"wb_type": "unknown"})
    return ListType(_inner(element, files), params.get("length"))


def _array(params: Mapping[str, Any], files: Files | None) -> NDArrayType:
    return NDArrayType(params["shape"], params.get("serialization_path"))


def _const(params: Mapping[str, Any], files: Files | None) -> ConstType:
    return ConstType(params.get("val"), bool(params.get("is_set")))


def _image(params: Mapping[str, Any], files: Files | None) -> ImageType:
    layers = {key: const["params"]["val"] for key, const in params.items()}
    return ImageType(**layers)


def _classes(params: Mapping[str, Any], files: Files | None) -> ClassesIdType:
    classes = params.get("classes_obj", {})
    if "class_set" in classes or files is None:
        return ClassesIdType(classes.get("class_set", ()))
    with files.source.open(classes["path"]) as file:
        return ClassesIdType(jsonio.loads(file.read())["class_set"])


def _foreign(kind: type[ForeignIndexType]) -> Callable[..., CellType]:
    def read(params: Mapping[str, Any], files: Files | None) -> CellType:
        return kind(_table(params, files))

    return read


def _foreign_key(params: Mapping[str, Any], files: Files | None) -> CellType:
    return ForeignKeyType(_table(params, files), params["col_name"])


def _table(params: Mapping[str, Any], files: Files | None) -> Any:
    if files is None:
        raise TypeError("A column that refers to another table can only be read with its files.")
    return files.read_table(str(params["table"]))


_NAMED: dict[Any, CellType] = {
    kind.wb_type: kind for kind in (INVALID, ANY, UNKNOWN, NONE, STRING, NUMBER, TIMESTAMP, BOOLEAN)
} | {"primaryKey": PrimaryKeyType(), "wandb.TablePrimaryKey": PrimaryKeyType()}

_READ: dict[Any, Callable[[Mapping[str, Any], Files | None], CellType]] = {
    "union": _union,
    "list": _list,
    "ndarray": _array,
    "const": _const,
    "typedDict": _type_map,
    "dictionary": _type_map,
    "image-file": _image,
    "wandb.Image": _image,
    "classesId": _classes,
    "wandb.Classes_id": _classes,
    "pythonObject": lambda params, files: PythonObjectType(params["class_name"]),
    "object": lambda params, files: PythonObjectType(params["class_name"]),
    "table": lambda params, files: TableType(_inner(params["column_types"], files)),
    "wandb.Table": lambda params, files: TableType(_inner(params["column_types"], files)),
    "foreignKey": _foreign_key,
    "wandb.TableForeignKey": _foreign_key,
    "foreignIndex": _foreign(ForeignIndexType),
    "wandb.TableForeignIndex": _foreign(ForeignIndexType),
}
