"""Rows in the order of a field, and in groups. What is missing comes last, whichever way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from quark import jsonio
from quark.dashboard.views.runs_fields import Field
from quark.dashboard.views.runs_rows import Row
from quark.errors import SchemaValidationError

_DIGITS = re.compile(r"(\d{1,18})")
MAX_LEVELS = 3
Path = tuple[Any, ...]


def in_order(items: Sequence[Any], value: Callable[[Any], Any], *, descending: bool) -> list[Any]:
    """Return items by a value: numbers, then texts, then those without; equals as they were.

    >>> in_order([3, "run-10", None, "run-9", 1], lambda item: item, descending=False)
    [1, 3, 'run-9', 'run-10', None]
    """
    numbers: list[tuple[Any, Any]] = []
    texts: list[tuple[Any, Any]] = []
    missing: list[Any] = []
    for item in items:
        found = value(item)
        if isinstance(found, (int, float)) and found == found:
            numbers.append((found, item))
        elif found is None or found != found or found in ("", ()):
            missing.append(item)
        else:
            text = ", ".join(found) if isinstance(found, tuple) else str(found)
            texts.append((natural(text), item))
    for part in (numbers, texts):
        part.sort(key=_first, reverse=descending)
    return [item for _, item in numbers] + [item for _, item in texts] + missing


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]


def natural(text: str) -> tuple[Any, ...]:
    """Return what texts are sorted by so that 9 comes before 10."""
    parts = _DIGITS.split(text.casefold())
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts))


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Rows that have the same values. ``path`` holds them, one a level, as JSON has them."""

    path: Path
    rows: tuple[Row, ...]
    is_open: bool


def path_of(text: str) -> Path:
    """Read a group's path from an address.

    Raises:
        SchemaValidationError: It is none.
    """
    found = jsonio.loads(text)
    if not isinstance(found, list) or not 0 < len(found) <= MAX_LEVELS:
        raise SchemaValidationError(
            f"{text[:80]!r} is no group; it must be a list of 1 to {MAX_LEVELS} values."
        )
    return tuple(found)


def group_value(found: Any) -> Any:
    """Return what rows with this value are grouped by; JSON can say it."""
    if isinstance(found, tuple):
        return ", ".join(sorted(found)) or None
    if isinstance(found, float) and found - found != 0:
        return jsonio.float_to_json(found)
    return None if found == "" else found


def groups(
    rows: Sequence[Row],
    fields: Sequence[Field],
    now_us: int,
    opened: frozenset[str],
    order: Callable[[Sequence[Group]], list[Group]],
    path: Path = (),
) -> Iterator[Group | Row]:
    """Yield the lines of a grouped table: groups, and below open ones what is inside.

    Args:
        opened: JSON of the paths of groups that are open.
        order: Sorts the groups of one level.
    """
    by_value: dict[tuple[type, Any], list[Row]] = {}
    for row in rows:
        value = group_value(fields[0].value(row, now_us))
        by_value.setdefault((bool if isinstance(value, bool) else object, value), []).append(row)
    found = [
        Group((*path, value), tuple(inside), path_key((*path, value)) in opened)
        for (_, value), inside in by_value.items()
    ]
    for group in order(found):
        yield group
        if group.is_open and len(fields) > 1:
            yield from groups(group.rows, fields[1:], now_us, opened, order, group.path)
        elif group.is_open:
            yield from group.rows


def is_within(row: Row, fields: Sequence[Field], path: Path, now_us: int) -> bool:
    """Say whether a row is in the group of a path."""
    found = tuple(group_value(field.value(row, now_us)) for field in fields[: len(path)])
    return path_key(found) == path_key(path)


def path_key(path: Path) -> str:
    """Return a group's path as an address says it."""
    return jsonio.dumps(list(path)).decode()
