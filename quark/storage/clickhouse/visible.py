"""Conditions on rows, in words that servers of all ages know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quark.storage.clickhouse.literals import integer, text, texts
from quark.storage.selection import Bounds

#: A run's writers in their order, and up to which frame each one's points count.
Positions = Mapping[str, int]


def is_visible(positions: Positions) -> str:
    """Return the condition that a row counts; there is at least one writer.

    >>> is_visible({"w1": 7})
    "writer_id = 'w1' AND seq <= 7"
    """
    if len(positions) == 1:
        ((writer_id, position),) = positions.items()
        return f"writer_id = {text(writer_id)} AND seq <= {position:d}"
    numbers = ", ".join(map(str, positions.values()))
    return (
        f"writer_id IN ({', '.join(map(text, positions))}) AND "
        f"seq <= transform(CAST(writer_id AS String), {texts(positions)}, [{numbers}], 0)"
    )


def place_in(column: str, values: Iterable[str]) -> str:
    """Return the place of a column's string among ``values``, as a UInt32.

    >>> place_in("key", ["a", "b"])
    "toUInt32(transform(CAST(key AS String), ['a', 'b'], [0, 1], 0))"
    """
    values = list(values)
    numbers = ", ".join(map(str, range(len(values))))
    return f"toUInt32(transform(CAST({column} AS String), {texts(values)}, [{numbers}], 0))"


def bounds(column: str, bounds: Bounds | None) -> list[str]:
    """Return the condition that a column lies within bounds, or none."""
    if bounds is None:
        return []
    return [f"{column} >= {integer(bounds.low)} AND {column} <= {integer(bounds.high)}"]
