"""The one place that turns objects into JSON bytes and back.

JSON has no word for NaN and the infinities. In free-form values Quark writes them as the strings
``"NaN"``, ``"Infinity"`` and ``"-Infinity"``; fields that are declared as floats are read back
from these strings. orjson would silently write ``null`` for them, so whoever encodes numbers on
the hot path looks for ``null`` in the result and calls :func:`to_plain` only then.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from quark.errors import SchemaValidationError

#: What orjson raises for a value or text it cannot handle.
JSONEncodeError = orjson.JSONEncodeError
JSONDecodeError = orjson.JSONDecodeError

#: The hot path's encoder, bound once; see ``quark.pipeline.rows``.
raw_dumps: Callable[..., bytes] = orjson.dumps
raw_loads: Callable[[bytes], Any] = orjson.loads
PASSTHROUGH = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)

_INT64 = range(-(2**63), 2**64)
_MAX_DEPTH = 200


def dumps(value: Any, *, indent: bool = False, sort_keys: bool = False) -> bytes:
    """Encode ``value`` as UTF-8 JSON, exactly.

    Raises:
        SchemaValidationError: ``value`` holds something that JSON cannot say.

    >>> dumps({"loss": float("nan"), "step": 3})
    b'{"loss":"NaN","step":3}'
    """
    options = (orjson.OPT_INDENT_2 if indent else 0) | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    try:
        encoded = orjson.dumps(value, option=options | PASSTHROUGH)
    except orjson.JSONEncodeError:
        encoded = b"null"
    if b"null" not in encoded:
        return encoded
    return orjson.dumps(to_plain(value), option=options)


def loads(data: bytes | str) -> Any:
    """Decode JSON.

    Raises:
        SchemaValidationError: ``data`` is not JSON.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise SchemaValidationError(f"Not valid JSON: {error}") from error


def python_dumps(value: Any, *, sort_keys: bool = False) -> str:
    """Encode ``value`` byte for byte as Python's own ``json`` does, with ``NaN`` for NaN.

    Only for files whose content or digest somebody else's program fixes.

    Raises:
        SchemaValidationError: ``value`` holds something that JSON cannot say.

    >>> python_dumps({"loss": float("nan"), "lr": 1e16}, sort_keys=True)
    '{"loss": NaN, "lr": 1e+16}'
    """
    try:
        return json.dumps(value, sort_keys=sort_keys)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaValidationError(f"This cannot be written as JSON: {error}") from error


def python_loads(data: bytes | str) -> Any:
    """Decode JSON that may hold ``NaN`` and ``Infinity``, as Python's own ``json`` writes it.

    Raises:
        SchemaValidationError: ``data`` is not JSON.

    >>> python_loads("[NaN, 1]")
    [nan, 1]
    """
    try:
        return json.loads(data)
    except ValueError as error:
        raise SchemaValidationError(f"Not valid JSON: {error}") from error


def float_to_json(number: float) -> float | str:
    """Return ``number``, or the string that stands for it when it is not finite."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def to_plain(value: Any, _depth: int = 0) -> Any:
    """Return ``value`` as dicts, lists, strings, numbers, booleans and None alone.

    Integers beyond 64 bits become strings of digits; dataclasses, enums, dates, paths, sets,
    numpy scalars and small numpy arrays become what they mean.

    Raises:
        SchemaValidationError: Something in it has no JSON form, or it nests too deeply.
    """
    if _depth > _MAX_DEPTH:
        raise SchemaValidationError(
            f"The value nests deeper than {_MAX_DEPTH} levels (or contains itself); flatten it."
        )
    if value is None or value is True or value is False:
        return value
    if isinstance(value, enum.Enum):
        return to_plain(value.value, _depth + 1)
    if isinstance(value, str):
        return str(value).encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return int(value) if int(value) in _INT64 else str(int(value))
    if isinstance(value, float):
        return float_to_json(float(value))
    if isinstance(value, Mapping):
        return {_plain_key(key): to_plain(item, _depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item, _depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((to_plain(item, _depth + 1) for item in value), key=repr)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: to_plain(getattr(value, field.name), _depth + 1) for field in fields}
    return _plain_foreign(value, _depth)


def _plain_key(key: Any) -> str:
    if isinstance(key, str):
        return str(key).encode("utf-8", "replace").decode()
    if isinstance(key, enum.Enum):
        return _plain_key(key.value)
    if key is None or isinstance(key, (bool, int, float)):
        return orjson.dumps(key).decode() if not isinstance(key, int) or key in _INT64 else str(key)
    raise SchemaValidationError(
        f"Key {key!r} of type {type(key).__name__} cannot be a JSON key; use a string."
    )


def _plain_foreign(value: Any, depth: int) -> Any:
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    for name in ("tolist", "item"):  # numpy arrays and scalars; torch tensors on the CPU
        method = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            return to_plain(method(), depth + 1)
    raise SchemaValidationError(
        f"A value of type {type(value).__module__}.{type(value).__qualname__} cannot be written "
        "as JSON; pass numbers, strings, booleans, None, lists or dicts of them."
    )
