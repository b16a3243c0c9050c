"""What a column of a table may hold: W&B's types of cells.

A type is never changed. ``assign`` gives the type that also takes a value, or :data:`INVALID`:
``UNKNOWN`` takes the type of what comes first, a union takes what one of its types takes, and
everything else takes its own kind alone. How a type prints matters: unions are sorted by it, and
their order is in the digests of artifacts.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from quark.compat.wandb.data_types.base import Keeper


class CellType:
    """A type of cells. ``params`` say more of it, and are written beside its name."""

    name: ClassVar[str] = ""
    __slots__ = ("params",)

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self.params: dict[str, Any] = dict(params or {})

    @property
    def wb_type(self) -> str:
        """The name under which it is written."""
        return self.name

    def assign(self, value: Any) -> CellType:
        """Return the type that takes ``value`` as well, or :data:`INVALID`."""
        return self.accept(type_of(value))

    def accept(self, other: CellType) -> CellType:
        """Return the type that takes values of ``other`` as well, or :data:`INVALID`."""
        return self if self == other else INVALID

    def explain(self, value: Any, depth: int = 0) -> str:
        """Say why ``value`` does not fit."""
        tabs = "\t" * depth
        if depth:
            return f"{tabs}{type_of(value)} not assignable to {self}"
        return f"{tabs}{value} of type {type_of(value)} is not assignable to {self}"

    def to_json(self, keeper: Keeper | None = None) -> dict[str, Any]:
        """Return how the type is written; ``keeper`` takes the files that some types have."""
        params = _params_json(self.params, keeper)
        return {"wb_type": self.wb_type, **({"params": params} if params else {})}

    def __repr__(self) -> str:
        inside = ", ".join(f"{key}:{value}" for key, value in self.params.items())
        return self.wb_type.capitalize() + (f"({inside})" if inside else "")

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, CellType)
            and self.wb_type == other.wb_type
            and self.params == other.params
        )

    def __hash__(self) -> int:
        return hash(repr(self))


class Plain(CellType):
    """A type without parameters, such as ``number``."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    @property
    def wb_type(self) -> str:
        return self._name


class _Invalid(Plain):
    __slots__ = ()

    def accept(self, other: CellType) -> CellType:
        return self


class _Any(Plain):
    __slots__ = ()

    def accept(self, other: CellType) -> CellType:
        return INVALID if other is INVALID or other == NONE else self


class _Unknown(Plain):
    __slots__ = ()

    def accept(self, other: CellType) -> CellType:
        return INVALID if other == NONE else other


INVALID = _Invalid("invalid")
ANY = _Any("any")
UNKNOWN = _Unknown("unknown")
NONE = Plain("none")
STRING = Plain("string")
NUMBER = Plain("number")
TIMESTAMP = Plain("timestamp")
BOOLEAN = Plain("boolean")


class PythonObjectType(CellType):
    """Objects of a class that no other type is for."""

    name = "pythonObject"
    __slots__ = ()

    def __init__(self, class_name: str) -> None:
        super().__init__({"class_name": class_name})


class ConstType(CellType):
    """One value, or one set of values."""

    name = "const"
    __slots__ = ()

    def __init__(self, val: Any = None, is_set: bool = False) -> None:
        if is_set or isinstance(val, set):
            val, is_set = set(val), True
        super().__init__({"val": val, "is_set": is_set})

    def assign(self, value: Any) -> CellType:
        return self.accept(ConstType(value))

    def __repr__(self) -> str:
        return str(self.params["val"])


#: The classes whose values have a type that says no more than its name.
SIMPLE: dict[type, CellType] = {
    type(None): NONE,
    str: STRING,
    int: NUMBER,
    float: NUMBER,
    bool: BOOLEAN,
    datetime.datetime: TIMESTAMP,
    datetime.date: TIMESTAMP,
}
_NUMPY_KINDS = {"i": NUMBER, "u": NUMBER, "f": NUMBER, "c": NUMBER, "b": BOOLEAN, "M": TIMESTAMP}
_ARTIFACT = Plain("artifactVersion")
_FINDERS: list[Callable[[Any], CellType | None]] = []


def finds_types(find: Callable[[Any], CellType | None]) -> Callable[[Any], CellType | None]:
    """Have ``find`` asked for the types of values that are not known here; None: not its own."""
    _FINDERS.append(find)
    return find


def type_of(value: Any) -> CellType:
    """Return the type of one cell. NaN counts as None, as it does in data frames."""
    kind = type(value)
    if kind is float and value != value:
        return NONE
    if _is_artifact(value):
        return _ARTIFACT
    if kind in SIMPLE:
        return SIMPLE[kind]
    for find in _FINDERS:
        found = find(value)
        if found is not None:
            return found
    if kind.__module__ == "numpy":
        dtype = getattr(value, "dtype", None)
        if getattr(dtype, "kind", "") in _NUMPY_KINDS:
            return _NUMPY_KINDS[dtype.kind]  # type: ignore[union-attr]
    return PythonObjectType(kind.__name__)


def _is_artifact(value: Any) -> bool:
    if isinstance(value, str):
        return value.startswith("wandb-artifact://")
    return isinstance(value, dict) and value.get("_type") == "artifactVersion"


def _params_json(params: Any, keeper: Keeper | None) -> Any:
    if isinstance(params, CellType):
        return params.to_json(keeper)
    if type(params) is dict:
        return {key: _params_json(value, keeper) for key, value in params.items()}
    if isinstance(params, (list, tuple, set, frozenset)):
        return [_params_json(value, keeper) for value in params]
    return params
