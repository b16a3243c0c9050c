"""From what scripts put into ``log``, ``summary`` and ``config`` to plain values.

Plain are strings, numbers, booleans, None, and lists and dicts of them: nothing that keeps a
tensor, its graph or the caller's containers alive. Nothing here raises: what has no plain form is
kept as its text, with one warning per type.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import math
import os
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from quark.compat.wandb.term import warn_once

#: Exactly these types are kept as they are. Subclasses (numpy's float64 is one) are converted.
SCALARS = frozenset({float, int, str, bool})

#: Arrays of more elements are summed up: as a histogram in ``log``, as text in ``config``.
LIST_LIMIT = 32
HISTOGRAM_BINS = 32

all_texts = frozenset({str}).issuperset

_MAX_DEPTH = 60
_MAX_TYPES = 4096

#: What code of others, called for a value's plain form, may raise.
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

_Converter = Callable[[Any, int], Any]
_CONVERTERS: dict[type, _Converter] = {}


def plain(value: Any, depth: int = 0) -> Any:
    """Return the plain form of a value given to ``log`` or the summary."""
    kind = type(value)
    if kind in SCALARS or value is None:
        return value
    if depth > _MAX_DEPTH:
        return as_text(value)
    convert = _CONVERTERS.get(kind)
    try:
        if convert is None:
            convert = _converter(value)
            if len(_CONVERTERS) < _MAX_TYPES:
                _CONVERTERS[kind] = convert
        return convert(value, depth + 1)
    except FAULTS:
        return as_text(value)


def as_text(value: Any) -> str:
    """Return the text of a value that has no plain form; warn once for its type."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    warn_once(
        f"value {kind}",
        f"a value of type {kind} cannot be kept as it is; its text is kept instead. Log numbers, "
        "strings, or lists and dicts of them.",
    )
    try:
        return str(value)
    except FAULTS:
        return f"<{kind}>"


def flatten(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plain row's leaves under dotted keys. A dict with ``_type`` is one leaf."""
    flat_row: dict[str, Any] = {}
    for key, value in row.items():
        if type(value) is dict and value and "_type" not in value:
            _flatten_into(flat_row, value, key + ".")
        else:
            flat_row[key] = value
    return flat_row


def _flatten_into(flat_row: dict[str, Any], row: Mapping[str, Any], prefix: str) -> None:
    for key, value in row.items():
        if type(value) is dict and value and "_type" not in value:
            _flatten_into(flat_row, value, f"{prefix}{key}.")
        else:
            flat_row[prefix + key] = value


def paths(
    row: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the dotted key of every leaf that lies inside of a dict, and the way to it."""
    for key, value in row.items():
        way = (*above, key)
        if type(value) is dict and value and "_type" not in value:
            yield from paths(value, way)
        elif above:
            yield ".".join(way), way


def join(row: Mapping[str, Any], into: dict[str, Any]) -> None:
    """Add a plain row to ``into``: nested dicts are joined, a later value counts."""
    for key, value in row.items():
        inner = into.get(key)
        if _is_branch(value) and _is_branch(inner):
            join(value, inner)
        else:
            into[key] = copied(value)


def copied(value: Any) -> Any:
    """Return a plain value whose dicts are not those of ``value``."""
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    return value


def _is_branch(value: Any) -> TypeGuard[dict[str, Any]]:
    return type(value) is dict and "_type" not in value


def merge(
    row: Mapping[str, Any],
    last: dict[str, Any],
    show: Callable[[str, Any], Any] | None = None,
    prefix: str = "",
) -> None:
    """Bring the summary ``last`` up to date with a plain row: nested dicts are joined, None removes
    a key, and a dict that has none left. ``show`` says what stands for the value of a dotted key.
    """
    for key, value in row.items():
        if type(value) is dict and "_type" not in value:
            if value:
                inner = last.get(key)
                if type(inner) is not dict or "_type" in inner:
                    inner = last[key] = {}
                merge(value, inner, show, f"{prefix}{key}.")
                if not inner:
                    del last[key]
            continue
        shown = value if show is None else show(prefix + key, value)
        if shown is None:
            last.pop(key, None)
        else:
            last[key] = shown


def put(way: tuple[str, ...], value: Any, into: dict[str, Any]) -> None:
    """Set, or remove if it is None, what lies at the end of ``way`` in nested dicts."""
    key, *below = way
    if below:
        if not _is_branch(into.get(key)):
            into[key] = {}
        put(tuple(below), value, into[key])
        value = into[key] or None
    if value is None:
        into.pop(key, None)
    else:
        into[key] = value


def way_to(name: str, inside: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the way to a dotted name: a key of its own if there is one, else through dicts."""
    top = name.partition(".")[0]
    return tuple(name.split(".")) if name not in inside and top in inside else (name,)


def with_json_numbers(value: Any) -> Any:
    """Return a plain value with floats in the place of integers beyond 64 bits."""
    if type(value) is int and not -(2**63) <= value < 2**64:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if type(value) is dict:
        return {key: with_json_numbers(item) for key, item in value.items()}
    if type(value) is list:
        return [with_json_numbers(item) for item in value]
    return value


def dotted_name(value: Any) -> str:
    """Return where a class or function is found, e.g. ``torch.optim.adam.Adam``."""
    return f"{value.__module__}.{value.__qualname__}"


def _converter(value: Any) -> _Converter:
    """Choose how values of this type become plain."""
    if hasattr(value, "as_plain"):  # a data type of the shim's own
        return lambda value, depth: value.as_plain()
    for kinds, convert in _BY_TYPE:
        if isinstance(value, kinds):
            return convert
    if type(value).__module__ in _WRITTEN_AS_TEXT:
        return lambda value, depth: str(value)
    if dataclasses.is_dataclass(value):
        return _fields
    if type(value).__module__ == "numpy" and not hasattr(value, "__setitem__"):
        return _item
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        return _tensor if hasattr(value, "numel") else _array
    if hasattr(value, "item"):
        return _item
    return lambda unknown, depth: as_text(unknown)


def _mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    if (
        type(value) is dict
        and all_texts(map(type, value))
        and SCALARS.issuperset(map(type, value.values()))
    ):
        return value.copy()
    return {
        key if type(key) is str else str(plain(key)): plain(item, depth)
        for key, item in value.items()
    }


def _sequence(value: Iterable[Any], depth: int) -> list[Any]:
    return [plain(item, depth) for item in value]


def _fields(value: Any, depth: int) -> dict[str, Any]:
    names = (field.name for field in dataclasses.fields(value))
    return {name: plain(getattr(value, name), depth) for name in names}


def _bytes(value: Any, depth: int) -> str:
    return bytes(value).decode("utf-8", "replace")


def _item(value: Any, depth: int) -> Any:
    return plain(value.item(), depth)


def _tensor(value: Any, depth: int) -> Any:
    if value.numel() == 1:
        number = value.item()
        return number if type(number) in SCALARS else plain(number, depth)
    return _array(value, depth)


def _array(value: Any, depth: int) -> Any:
    """Small arrays and tensors become numbers and lists, large ones a histogram."""
    count = math.prod(value.shape)
    if count == 1:
        return plain(value.item(), depth)
    if count <= LIST_LIMIT:
        return plain(value.tolist(), depth)
    return _histogram(value)


def _histogram(array: Any) -> dict[str, Any]:
    from quark.compat.wandb.counts import count

    counts, edges = count(array, HISTOGRAM_BINS)
    return {"_type": "histogram", "values": counts, "bins": edges}


#: Modules whose numbers and ids are kept as their text: exactly, and without a warning.
_WRITTEN_AS_TEXT = frozenset({"decimal", "fractions", "uuid", "ipaddress"})

_BY_TYPE: tuple[tuple[Any, _Converter], ...] = (
    (enum.Enum, lambda value, depth: plain(value.value, depth)),
    (int, lambda value, depth: int(value)),
    (float, lambda value, depth: float(value)),
    (str, lambda value, depth: str.__str__(value)),
    (Mapping, _mapping),
    ((list, tuple, set, frozenset, collections.deque), _sequence),
    ((datetime.datetime, datetime.date, datetime.time), lambda value, depth: value.isoformat()),
    (datetime.timedelta, lambda value, depth: f"PT{value.total_seconds():g}S"),
    ((bytes, bytearray, memoryview), _bytes),
    (os.PathLike, lambda value, depth: os.fspath(value)),
    (complex, lambda value, depth: str(value).strip("()")),
    (
        (type, types.FunctionType, types.BuiltinFunctionType),
        lambda value, depth: dotted_name(value),
    ),
)
