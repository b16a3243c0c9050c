"""The filters and orders of ``Api().runs``: a part of MongoDB's query language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quark.compat.wandb.api_run import ApiRun

_ABSENT: Any = object()
_NAMES = {
    "display_name": "name",
    "displayName": "name",
    "jobType": "job_type",
    "createdAt": "created_at",
    "name": "id",
}
_FIELDS = ("id", "name", "state", "tags", "group", "job_type", "notes", "created_at", "project")


def matches(run: ApiRun, filters: Mapping[str, Any]) -> bool:
    """Say whether a run passes ``filters``.

    Raises:
        ValueError: A word of MongoDB's that is not understood here.
    """
    return all(_passes(run, word, wanted) for word, wanted in filters.items())


def check_filters(filters: Mapping[str, Any]) -> None:
    """Look through ``filters`` before any run is read.

    Raises:
        ValueError: A word of MongoDB's that is not understood here.
    """
    for word, wanted in filters.items():
        if word in ("$and", "$or"):
            for part in wanted:
                check_filters(part)
        elif word == "$not":
            check_filters(wanted)
        elif isinstance(wanted, Mapping):
            for operation in wanted:
                if str(operation).startswith("$") and operation not in _TESTS:
                    raise _unknown(operation)


def _unknown(operation: str) -> ValueError:
    return ValueError(f"Filter {operation!r} is not known; use {', '.join(_TESTS)}.")


def sort_key(order: str) -> Callable[[ApiRun], Any]:
    """Return what runs are sorted by; a run without the field sorts before all others."""
    path = order.lstrip("+-")

    def key(run: ApiRun) -> tuple[int, Any]:
        value = _field(run, path)
        return (0, 0) if value is _ABSENT or value is None else (1, value)

    return key


def _passes(run: ApiRun, word: str, wanted: Any) -> bool:
    if word == "$and":
        return all(matches(run, part) for part in wanted)
    if word == "$or":
        return any(matches(run, part) for part in wanted)
    if word == "$not":
        return not matches(run, wanted)
    value = _field(run, word)
    if isinstance(wanted, Mapping) and any(str(key).startswith("$") for key in wanted):
        return all(_holds(value, operation, operand) for operation, operand in wanted.items())
    return _holds(value, "$eq", wanted)


def _holds(value: Any, operation: str, operand: Any) -> bool:
    test = _TESTS.get(operation)
    if test is None:
        raise _unknown(operation)
    if operation in ("$ne", "$nin"):
        return not _holds(value, "$eq" if operation == "$ne" else "$in", operand)
    if operation == "$exists":
        return (value is not _ABSENT) == bool(operand)
    candidates = value if isinstance(value, list) and operation in _OF_ANY else [value]
    try:
        return any(test(candidate, operand) for candidate in candidates)
    except TypeError:  # a text against a number, or a key that is not there
        return False


_OF_ANY = ("$eq", "$in", "$regex")
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda value, operand: bool(value == operand),
    "$ne": lambda value, operand: bool(value != operand),
    "$in": lambda value, operand: value in operand,
    "$nin": lambda value, operand: value not in operand,
    "$gt": lambda value, operand: bool(value > operand),
    "$gte": lambda value, operand: bool(value >= operand),
    "$lt": lambda value, operand: bool(value < operand),
    "$lte": lambda value, operand: bool(value <= operand),
    "$regex": lambda value, operand: re.search(operand, value) is not None,
    "$exists": lambda value, operand: True,
}


def _field(run: ApiRun, path: str) -> Any:
    head, _, rest = path.partition(".")
    if head == "config":
        return _inside(run.config, rest.removesuffix(".value"))
    if head in ("summary_metrics", "summary"):
        return _inside(run.summary, rest)
    name = _NAMES.get(path, path)
    return getattr(run, name) if name in _FIELDS else _ABSENT


def _inside(values: Mapping[str, Any], path: str) -> Any:
    if path in values:
        return values[path]
    current: Any = values
    for part in path.split("."):
        if not isinstance(current, Mapping) or part not in current:
            return _ABSENT
        current = current[part]
    return current
