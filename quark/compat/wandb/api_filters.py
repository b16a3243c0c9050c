"""The filters of ``Api().runs``: MongoDB's query language over the fields of a run.

As there, a number and a text are never equal nor in any order, ``True`` is not 1, a list fits if
one of its items does, and a field that is missing is equal to None. What is asked for is checked
when the filters are read, before any run is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

#: What a path leads to where there is nothing.
ABSENT: Any = object()

#: Gives the value of a field by its path, or :data:`ABSENT`.
Lookup = Callable[[str], Any]
Predicate = Callable[[Lookup], bool]
Test = Callable[[Any], bool]


def read_filters(filters: Mapping[str, Any]) -> Predicate:
    """Return what says whether the fields of a run pass ``filters``.

    Raises:
        ValueError: A word is not understood, or stands where it has no meaning.

    >>> passes = read_filters({"$or": [{"config.lr": {"$lt": 0.1}}, {"tags": "best"}]})
    >>> passes({"config.lr": 0.5, "tags": ["best", "new"]}.get)
    True
    """
    if not isinstance(filters, Mapping):
        raise ValueError(f"Filters are {filters!r}, but must be a dict.")
    return _all([_clause(str(word), wanted) for word, wanted in filters.items()])


def _clause(word: str, wanted: Any) -> Predicate:
    if word in ("$and", "$or", "$nor"):
        if not isinstance(wanted, Sequence) or isinstance(wanted, str) or not wanted:
            raise ValueError(f"{word} takes a list of filters, not {wanted!r}.")
        parts = [read_filters(part) for part in wanted]
        if word == "$and":
            return _all(parts)
        if word == "$or":
            return lambda look: any(part(look) for part in parts)
        return lambda look: not any(part(look) for part in parts)
    if word == "$not":
        part = read_filters(wanted)
        return lambda look: not part(look)
    if word.startswith("$"):
        raise ValueError(f"{word!r} is no filter; use $and, $or, $nor, $not or a field.")
    test = _condition(wanted)
    return lambda look: test(look(word))


def _condition(wanted: Any) -> Test:
    """Return the test for one field."""
    if isinstance(wanted, re.Pattern):
        return _regex(wanted, "")
    if not isinstance(wanted, Mapping) or not any(str(key).startswith("$") for key in wanted):
        return lambda value: _equals(value, wanted)
    words = dict(wanted)
    options = words.pop("$options", "")
    if options and "$regex" not in words:
        raise ValueError("$options goes with $regex.")
    tests = [
        _regex(operand, options) if word == "$regex" else _test(str(word), operand)
        for word, operand in words.items()
    ]
    return lambda value: all(test(value) for test in tests)


def _test(word: str, operand: Any) -> Test:
    if word in _ORDERS:
        holds = _ORDERS[word]
        return lambda value: any(holds(item, operand) for item in _items(value))
    if word in ("$eq", "$ne"):
        return lambda value: _equals(value, operand) is (word == "$eq")
    if word in ("$in", "$nin"):
        tests = [_condition_of_item(item) for item in _listed(word, operand)]
        return lambda value: any(test(value) for test in tests) is (word == "$in")
    if word == "$exists":
        return lambda value: (value is not ABSENT) == bool(operand)
    if word == "$not":
        test = _condition(operand)
        return lambda value: not test(value)
    if word == "$all":
        wanted = _listed(word, operand)
        return lambda value: bool(wanted) and all(_equals(value, item) for item in wanted)
    if word == "$size":
        return lambda value: isinstance(value, list) and len(value) == operand
    if word == "$elemMatch":
        return _some_item(operand)
    if word == "$mod":
        divisor, rest = _listed(word, operand)
        return lambda value: any(
            _kind(item) is float and item % divisor == rest for item in _items(value)
        )
    raise ValueError(f"Filter {word!r} is not known; use {', '.join(KNOWN)}.")


def _condition_of_item(item: Any) -> Test:
    if isinstance(item, re.Pattern):
        return _regex(item, "")
    return lambda value: _equals(value, item)


def _some_item(operand: Any) -> Test:
    """Return the test whether one item of a list passes all that is asked."""
    if not isinstance(operand, Mapping):
        raise ValueError(f"$elemMatch takes a dict, not {operand!r}.")
    if all(str(key).startswith("$") and str(key) in KNOWN for key in operand):
        test = _condition(operand)
        return lambda value: isinstance(value, list) and any(test(item) for item in value)
    passes = read_filters(operand)
    return lambda value: (
        isinstance(value, list)
        and any(isinstance(item, Mapping) and passes(partial(inside, item)) for item in value)
    )


def _regex(pattern: Any, options: Any) -> Test:
    flags = 0
    for letter in str(options):
        if letter not in _FLAGS:
            raise ValueError(f"$options {options!r} is not known; use letters of i, m, s and x.")
        flags |= _FLAGS[letter]
    try:
        compiled = re.compile(pattern, flags) if isinstance(pattern, str) else re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ValueError(f"$regex {pattern!r} is no regular expression: {error}.") from error
    return lambda value: any(
        isinstance(item, str) and compiled.search(item) is not None for item in _items(value)
    )


def _equals(value: Any, wanted: Any) -> bool:
    if value is ABSENT:
        return wanted is None
    return _same(value, wanted) or (
        isinstance(value, list) and any(_same(item, wanted) for item in value)
    )


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, list) and isinstance(wanted, (list, tuple)):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(value, Mapping) and isinstance(wanted, Mapping):
        return value.keys() == wanted.keys() and all(_same(value[k], wanted[k]) for k in wanted)
    return _kind(value) is _kind(wanted) and bool(value == wanted)


def _kind(value: Any) -> type:
    """Return what a value is compared as: numbers of all types are floats."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float
    return type(value)


def _comparable(value: Any, operand: Any) -> bool:
    return _kind(value) is _kind(operand) and _kind(value) in (float, str, bool)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _listed(word: str, operand: Any) -> list[Any]:
    if not isinstance(operand, (list, tuple, set, frozenset)):
        raise ValueError(f"{word} takes a list, not {operand!r}.")
    return list(operand)


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda value, operand: _comparable(value, operand) and value > operand,
    "$gte": lambda value, operand: _comparable(value, operand) and value >= operand,
    "$lt": lambda value, operand: _comparable(value, operand) and value < operand,
    "$lte": lambda value, operand: _comparable(value, operand) and value <= operand,
}
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
KNOWN = (
    *("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not", "$regex"),
    *("$options", "$all", "$size", "$elemMatch", "$mod"),
)


def _all(parts: Sequence[Predicate]) -> Predicate:
    return lambda look: all(part(look) for part in parts)


def inside(values: Mapping[str, Any], path: str) -> Any:
    """Return what a dotted path leads to in nested dicts and lists, or :data:`ABSENT`.

    A key that holds dots itself comes first.

    >>> inside({"model": {"layers": [{"size": 3}]}}, "model.layers.0.size")
    3
    """
    if path in values:
        return values[path]
    current: Any = values
    for part in path.split("."):
        if isinstance(current, Mapping) and part in current:
            current = current[part]
        elif isinstance(current, list) and part.isdigit() and int(part) < len(current):
            current = current[int(part)]
        else:
            return ABSENT
    return current
