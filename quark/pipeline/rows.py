"""From what a user logs in one call to the body of a frame, fast.

The common case is one call into orjson. orjson writes NaN, the infinities and None alike as
``null``, and refuses what it does not know; only then is the mapping walked in Python. The exact
form is ``{"p": {...}, "x": [[key, tag, text], ...]}``: plain values as they are, and beside them
what JSON cannot say: ``f`` a non-finite float by the 16 hex digits of its bits, ``i`` an integer
beyond 64 bits by its digits. Inside nested dicts the key is the dotted path.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.pipeline.frames import ROW, ROW_EXACT

_DOUBLE = Struct(">d")
#: A dict that says what it is (media, tables, histograms) stays whole.
_TYPE_MARK = "_type"
_INT64_MIN, _INT64_MAX = -(2**63), 2**64 - 1

#: Called with a value that is no JSON; returns what to keep in its place.
Fallback = Callable[[Any], Any]


def as_scalar_or_list(value: Any) -> Any:
    """Return what a foreign value means: numpy and torch scalars and arrays by their own word.

    Raises:
        TypeError: It has no meaning that can be kept.
    """
    kind = type(value)
    convert = _KNOWN.get(kind)
    if convert is None:
        convert = _KNOWN[kind] = _converter(value)
    return convert(value)


def encode_row(
    data: Mapping[str, Any], fallback: Fallback = as_scalar_or_list
) -> tuple[int, bytes]:
    """Return the frame kind and body for one row.

    Raises:
        SchemaValidationError: ``data`` has a key that is no string, or ``fallback`` gave a value
            that cannot be kept either.
        TypeError: ``fallback`` refused a value.
    """
    try:
        body = jsonio.raw_dumps(data, fallback, jsonio.PASSTHROUGH)
    except TypeError:  # orjson's error is a TypeError
        return ROW_EXACT, encode_exact(data, fallback)
    if b"null" in body:
        return ROW_EXACT, encode_exact(data, fallback)
    return ROW, body


def encode_exact(data: Mapping[str, Any], fallback: Fallback = as_scalar_or_list) -> bytes:
    """Return the exact body for one row; see the module's text."""
    exact: list[tuple[str, str, str]] = []
    for key in data:
        if not isinstance(key, str):
            raise SchemaValidationError(
                f"Key {key!r} of type {type(key).__name__} is not a string; keys of logged "
                "values must be strings."
            )
    try:
        plain = _without_exact(data, "", exact, fallback)
    except RecursionError as error:
        raise SchemaValidationError("The value contains itself; log a flat copy.") from error
    return jsonio.raw_dumps({"p": plain, "x": exact})


def _without_exact(
    data: Mapping[Any, Any], prefix: str, exact: list[tuple[str, str, str]], fallback: Fallback
) -> dict[str, Any]:
    """Return ``data`` without what JSON cannot say; that goes to ``exact`` under dotted keys."""
    plain: dict[str, Any] = {}
    for key, value in data.items():
        name = str(key).encode("utf-8", "replace").decode()
        value = _known(value, fallback)
        if isinstance(value, float) and not math.isfinite(value):
            exact.append((prefix + name, "f", _DOUBLE.pack(value).hex()))
        elif type(value) is int and not _INT64_MIN <= value <= _INT64_MAX:
            exact.append((prefix + name, "i", str(value)))
        elif isinstance(value, Mapping) and value and _TYPE_MARK not in value:
            if rest := _without_exact(value, f"{prefix}{name}.", exact, fallback):
                plain[name] = rest
        else:
            plain[name] = value
    return plain


def decode_exact(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row that an exact body stands for."""
    values = dict(row["p"])
    for key, tag, text in row["x"]:
        values[key] = _DOUBLE.unpack(bytes.fromhex(text))[0] if tag == "f" else int(text)
    return values


def _known(value: Any, fallback: Fallback) -> Any:
    """Return ``value`` as something the exact form can hold."""
    if value is None or type(value) in (float, int, bool):
        return value
    if isinstance(value, Mapping) and _TYPE_MARK not in value:
        return value  # walked by the caller
    if isinstance(value, (str, Mapping, list, tuple)):
        return jsonio.to_plain(_replace_foreign(value, fallback))
    value = fallback(value)
    return value if isinstance(value, (float, int)) else jsonio.to_plain(value)


def _replace_foreign(value: Any, fallback: Fallback) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _replace_foreign(item, fallback) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replace_foreign(item, fallback) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    return _replace_foreign(fallback(value), fallback)


_KNOWN: dict[type, Callable[[Any], Any]] = {}


def _converter(value: Any) -> Callable[[Any], Any]:
    """Choose once per type how its values become plain."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, int):
        return int
    if isinstance(value, float):
        return float
    if isinstance(value, str):
        return str
    if hasattr(value, "detach") and hasattr(value, "tolist"):
        return lambda tensor: tensor.detach().tolist()
    if hasattr(value, "tolist"):
        return lambda array: array.tolist()
    if hasattr(value, "item") and not isinstance(value, type):
        return lambda scalar: scalar.item()
    return jsonio.to_plain
