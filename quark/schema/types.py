"""Checks that follow from a field's annotation: a type, and what may be in it.

A check returns the rule that a value breaks, as the words after "it must", or nothing. Whole
numbers count something everywhere in the records, so they are never negative; ``exit_code`` is
the one exception.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from quark import jsonio
from quark.errors import SchemaValidationError

Check = Callable[[Any], str]


def check_for(hint: Any, nested: Callable[[Any], str]) -> Check:
    """Return the check for an annotation; ``nested`` checks a dataclass inside of it."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = check_for(next(a for a in typing.get_args(hint) if a is not type(None)), nested)
        return lambda value: "" if value is None else inner(value)
    if origin is tuple:
        return _tuple_of(check_for(typing.get_args(hint)[0], nested))
    if origin is Mapping:
        _, value_hint = typing.get_args(hint)
        return _json_mapping if value_hint is Any else _mapping_of(check_for(value_hint, nested))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        wanted = f"be of type {hint.__name__}"
        return lambda value: nested(value) if isinstance(value, hint) else wanted
    return _PLAIN[hint]


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "be a string"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "be True or False"


def whole(value: Any) -> str:
    """Any whole number."""
    return "" if isinstance(value, int) and not isinstance(value, bool) else "be a whole number"


def count(value: Any) -> str:
    """A whole number of 0 or more."""
    fine = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return "" if fine else "be a whole number of 0 or more"


def _number(value: Any) -> str:
    fine = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "" if fine else "be a number"


def _json(value: Any) -> str:
    try:
        jsonio.dumps(value)
    except SchemaValidationError as error:
        return f"be JSON-serializable ({error})"
    return ""


def _json_mapping(value: Any) -> str:
    return _json(value) if isinstance(value, Mapping) else "be a mapping"


def _tuple_of(item: Check) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, tuple):
            return "be a tuple"
        return next((f"hold items that each {rule}" for rule in map(item, value) if rule), "")

    return check


def _mapping_of(item: Check) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, Mapping):
            return "be a mapping"
        if not all(isinstance(key, str) for key in value):
            return "have strings as keys"
        rules = map(item, value.values())
        return next((f"hold values that each {rule}" for rule in rules if rule), "")

    return check


_PLAIN: dict[Any, Check] = {
    str: _text,
    bool: _flag,
    int: count,
    float: _number,
    Any: _json,
}
