"""Between a record and its body: the JSON object of its fields without the envelope.

Decoding follows the annotations: tuples come back as tuples, nested dataclasses as themselves,
``"NaN"`` and the infinities in float fields as floats. Fields that this version does not know are
ignored and missing ones take their defaults, so that old and new stores can be read.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.records.base import ENVELOPE, Record

R = TypeVar("R", bound=Record)
Converter = Callable[[Any], Any]


def encode_body(record: Record) -> bytes:
    """Return the JSON body of ``record``; fields that are None are left out."""
    values = {name: getattr(record, name) for name in _body_fields(type(record))}
    return jsonio.dumps({name: value for name, value in values.items() if value is not None})


def decode_record(
    kind: type[R], body: Mapping[str, Any], *, record_id: str, run_id: str, timestamp: str
) -> R:
    """Build a record from its decoded body and its envelope.

    Raises:
        SchemaValidationError: A field that the kind needs is missing.
    """
    known, plain_floats, converters = _reading(kind)
    values = dict(body) if body.keys() <= known else {k: v for k, v in body.items() if k in known}
    for name in plain_floats & values.keys():
        value = values[name]
        if type(value) is not float and value is not None:
            values[name] = float(value)  # a whole number, "NaN", "Infinity" or "-Infinity"
    for name, convert in converters:
        if name in values:
            values[name] = convert(values[name])
    try:
        return kind(id=record_id, run_id=run_id, timestamp=timestamp, **values)
    except TypeError as error:
        raise SchemaValidationError(
            f"A stored {kind.KIND!r} record of run {run_id!r} cannot be read: {error}."
        ) from error


def decode_plain(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """Build any of the frozen dataclasses of this package from a dict such as ``to_dict`` gives."""
    converters = _converters(kind, envelope=True)
    return kind(
        **{name: converters[name](value) for name, value in values.items() if name in converters}
    )


_CONVERTERS: dict[tuple[type[Any], bool], dict[str, Converter]] = {}


def _body_fields(kind: type[Record]) -> tuple[str, ...]:
    return tuple(item.name for item in dataclasses.fields(kind) if item.name not in ENVELOPE)


def _converters(kind: type[Any], envelope: bool = False) -> dict[str, Converter]:
    """Return what turns each stored field of ``kind`` into what it was, made once per kind."""
    found = _CONVERTERS.get((kind, envelope))
    if found is None:
        hints = typing.get_type_hints(kind)
        names = (item.name for item in dataclasses.fields(kind))
        skipped = frozenset() if envelope else ENVELOPE
        found = {name: _converter(hints[name]) for name in names if name not in skipped}
        _CONVERTERS[kind, envelope] = found
    return found


_READINGS: dict[type[Any], tuple[frozenset[str], frozenset[str], tuple[tuple[str, Converter], ...]]]
_READINGS = {}


def _reading(
    kind: type[Any],
) -> tuple[frozenset[str], frozenset[str], tuple[tuple[str, Converter], ...]]:
    """Return the fields of ``kind`` that are stored, those of them that are floats, and those that
    have to be converted, made once per kind: most fields are what JSON has made of them."""
    found = _READINGS.get(kind)
    if found is None:
        converters = _converters(kind)
        hints = typing.get_type_hints(kind)
        floats = frozenset(name for name in converters if _is_float(hints[name]))
        rest = tuple(
            (name, convert)
            for name, convert in converters.items()
            if name not in floats and not _is_same(hints[name])
        )
        found = _READINGS[kind] = (frozenset(converters), floats, rest)
    return found


def _members(hint: Any) -> list[Any]:
    """Return what a hint may be besides None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [member for member in typing.get_args(hint) if member is not type(None)]
    return [hint]


def _is_float(hint: Any) -> bool:
    return _members(hint)[0] is float


def _is_same(hint: Any) -> bool:
    return _converter(_members(hint)[0]) is _same


def _converter(hint: Any) -> Converter:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = _converter(_members(hint)[0])
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        item = _converter(typing.get_args(hint)[0])
        return tuple if item is _same else lambda value: tuple(item(element) for element in value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return lambda value: decode_plain(hint, value)
    if hint is float:
        return float  # float("NaN") and float("Infinity") read what jsonio wrote
    return _same


def _same(value: Any) -> Any:
    return value
