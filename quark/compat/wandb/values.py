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
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from quark.compat.wandb.term import warn_once

#: Exactly these types are kept as they are. Subclasses (numpy's float64 is one) are converted.
SCALARS = frozenset({float, int, str, bool})

#: Arrays of more elements are summed up: as a histogram in ``log``, as text in ``config``.
LIST_LIMIT = 32
HISTOGRAM_BINS = 32

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


def flat(row: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yield a plain row's leaves under dotted keys. A dict with ``_type`` is one leaf."""
    for key, value in row.items():
        if type(value) is dict and value and "_type" not in value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def merge(
    row: Mapping[str, Any],
    last: dict[str, Any],
    show: Callable[[str, Any], Any] = lambda name, value: value,
    prefix: str = "",
) -> None:
    """Bring the summary ``last`` up to date with a plain row: nested dicts are joined, None removes
    a key. ``show`` says what stands for the value of a dotted key."""
    for key, value in row.items():
        name = prefix + key
        if type(value) is dict and "_type" not in value:
            if value:
                inner = last.get(key)
                if type(inner) is not dict or "_type" in inner:
                    inner = last[key] = {}
                merge(value, inner, show, name + ".")
            continue
        shown = None if value is None else show(name, value)
        if shown is None:
            last.pop(key, None)
        else:
            last[key] = shown


def dotted_name(value: Any) -> str:
    """Return where a class or function is found, e.g. ``torch.optim.adam.Adam``."""
    return f"{value.__module__}.{value.__qualname__}"


def _converter(value: Any) -> _Converter:
    """Choose how values of this type become plain."""
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
        return plain(value.item(), depth)
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
    import numpy as np  # who logs a large array has paid for it

    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = array.float() if array.is_floating_point() else array
    numbers = np.asarray(array.numpy() if hasattr(array, "numpy") else array)
    numbers = numbers[np.isfinite(numbers)]
    counts, edges = np.histogram(numbers, bins=HISTOGRAM_BINS)
    return {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}


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
