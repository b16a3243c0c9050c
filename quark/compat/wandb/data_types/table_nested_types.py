"""The types of cells that hold others: unions, lists, arrays and dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from quark.compat.wandb.data_types.base import Keeper
from quark.compat.wandb.data_types.table_types import (
    INVALID,
    NONE,
    UNKNOWN,
    CellType,
    finds_types,
    type_of,
)

#: The classes whose values are lists.
LISTS = (list, tuple, set, frozenset)


class UnionType(CellType):
    """Any of several types."""

    name = "union"
    __slots__ = ()

    def __init__(self, allowed: Iterable[CellType] = ()) -> None:
        super().__init__({"allowed_types": sorted(_without_unions(allowed), key=str)})

    @property
    def allowed(self) -> list[CellType]:
        found: list[CellType] = self.params["allowed_types"]
        return found

    def assign(self, value: Any) -> CellType:
        for place, kind in enumerate(self.allowed):
            if kind is not UNKNOWN and (taken := kind.assign(value)) is not INVALID:
                return self._with(place, taken)
        return self._with_unknown(UNKNOWN.assign(value))

    def accept(self, other: CellType) -> CellType:
        result: CellType = self
        for part in other.allowed if isinstance(other, UnionType) else [other]:
            assert isinstance(result, UnionType)
            result = result._accept_one(part)
            if result is INVALID:
                return INVALID
        return result

    def _accept_one(self, other: CellType) -> CellType:
        for place, kind in enumerate(self.allowed):
            if kind is not UNKNOWN and (taken := kind.accept(other)) is not INVALID:
                return self._with(place, taken)
        return self._with_unknown(other)

    def _with(self, place: int, taken: CellType) -> CellType:
        if taken is self.allowed[place]:
            return self
        return UnionType([*self.allowed[:place], taken, *self.allowed[place + 1 :]])

    def _with_unknown(self, taken: CellType) -> CellType:
        """Let one of the types that are not known yet be ``taken``."""
        if taken is INVALID or UNKNOWN not in self.allowed:
            return INVALID
        return self._with(self.allowed.index(UNKNOWN), taken)

    def explain(self, value: Any, depth: int = 0) -> str:
        between = "\n" + "\t" * depth + "and\n"
        parts = (kind.explain(value, depth + 1) for kind in self.allowed)
        return super().explain(value, depth) + "\n" + between.join(parts)

    def __repr__(self) -> str:
        return " or ".join(map(str, self.allowed))


def _without_unions(kinds: Iterable[CellType]) -> list[CellType]:
    return [
        part
        for kind in kinds
        for part in (_without_unions(kind.allowed) if isinstance(kind, UnionType) else [kind])
    ]


def optional(kind: CellType) -> UnionType:
    """Return the type that takes what ``kind`` takes, and None."""
    return UnionType([kind, NONE])


class ListType(CellType):
    """Lists, tuples and sets of one type of elements; ``length`` if all have the same."""

    name = "list"
    __slots__ = ()

    def __init__(self, element_type: CellType = UNKNOWN, length: int | None = None) -> None:
        super().__init__({"element_type": element_type, "length": length})

    @staticmethod
    def of(values: Iterable[Any]) -> ListType:
        """Return the type of one list. Elements that do not go together make it invalid inside."""
        listed = list(values)
        has_none = any(value is None for value in listed)
        element: CellType = optional(UNKNOWN) if has_none else UNKNOWN
        for value in listed:
            element = element.assign(value)
        return ListType(element, len(listed))

    def accept(self, other: CellType) -> CellType:
        if not isinstance(other, ListType):
            return INVALID
        element: CellType = self.params["element_type"].accept(other.params["element_type"])
        if element is INVALID:
            return INVALID
        same = self.params["length"] == other.params["length"]
        return ListType(element, self.params["length"] if same else None)

    def assign(self, value: Any) -> CellType:
        if not hasattr(value, "__iter__"):
            return INVALID
        element: CellType = self.params["element_type"]
        listed = list(value)
        for item in listed:
            element = element.assign(item)
            if element is INVALID:
                return INVALID
        return ListType(element, len(listed))

    def explain(self, value: Any, depth: int = 0) -> str:
        text = super().explain(value, depth)
        element: CellType = self.params["element_type"]
        for index, item in enumerate(value if isinstance(value, (list, tuple)) else ()):
            taken = element.assign(item)
            if taken is INVALID:
                return f"{text}\n{chr(9) * depth}Index {index}:\n{element.explain(item, depth + 1)}"
            element = taken
        return text

    def __repr__(self) -> str:
        return f"{self.params['element_type']}[]"


class NDArrayType(CellType):
    """Arrays of one shape; ``stored`` says in which file of an artifact they are."""

    name = "ndarray"
    __slots__ = ("stored",)

    def __init__(self, shape: Sequence[int], stored: Mapping[str, str] | None = None) -> None:
        super().__init__({"shape": list(shape)})
        self.stored = stored

    def accept(self, other: CellType) -> CellType:
        return self if isinstance(other, ListType) or self == other else INVALID

    def assign(self, value: Any) -> CellType:
        if isinstance(value, list):
            return self.accept(NDArrayType(_shape(value)))
        return self.accept(kind) if isinstance(kind := type_of(value), NDArrayType) else INVALID

    def to_json(self, keeper: Keeper | None = None) -> dict[str, Any]:
        stored = None if self.stored is None else dict(self.stored)
        return {
            "wb_type": self.name,
            "params": {"shape": self.params["shape"], "serialization_path": stored},
        }


def _shape(listed: Any) -> list[int]:
    shape = []
    while isinstance(listed, list):
        shape.append(len(listed))
        if not listed:
            break
        listed = listed[0]
    return shape


class TypedDictType(CellType):
    """Dicts, or rows: a type for each key."""

    name = "typedDict"
    __slots__ = ()

    def __init__(self, type_map: Mapping[Any, CellType] | None = None) -> None:
        super().__init__({"type_map": dict(type_map or {})})

    @property
    def type_map(self) -> dict[Any, CellType]:
        found: dict[Any, CellType] = self.params["type_map"]
        return found

    def accept(self, other: CellType) -> CellType:
        if not isinstance(other, TypedDictType) or other.type_map.keys() - self.type_map.keys():
            return INVALID
        return self._each(lambda key, kind: kind.accept(other.type_map.get(key, UNKNOWN)))

    def assign(self, value: Any) -> CellType:
        if not isinstance(value, dict) or value.keys() - self.type_map.keys():
            return INVALID
        return self._each(lambda key, kind: kind.assign(value.get(key)))

    def _each(self, take: Callable[[Any, CellType], CellType]) -> CellType:
        taken = {}
        for key, kind in self.type_map.items():
            taken[key] = take(key, kind)
            if taken[key] is INVALID:
                return INVALID
        return TypedDictType(taken)

    def explain(self, value: Any, depth: int = 0) -> str:
        text, tabs = super().explain(value, depth), "\t" * depth
        if isinstance(value, dict):
            if extra := value.keys() - self.type_map.keys():
                text += f"\n{tabs}Found extra keys: {','.join(map(str, extra))}"
            for key, kind in self.type_map.items():
                if kind.assign(value.get(key)) is INVALID:
                    reason = kind.explain(value.get(key), depth + 1)
                    text += f"\n{tabs}Key '{key}':\n{reason}"
        return text

    def __repr__(self) -> str:
        return str(self.type_map)


@finds_types
def _nested_type(value: Any) -> CellType | None:
    kind = type(value)
    if kind in LISTS:
        return ListType.of(value)
    if kind is dict:
        return TypedDictType({key: type_of(item) for key, item in value.items()})
    if kind.__name__ == "ndarray" and kind.__module__ == "numpy":
        return NDArrayType(value.shape)
    return None
