"""Lines of a table of runs as an answer says them: rows, and groups with what sums them up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from quark import jsonio
from quark.dashboard.views.runs_fields import OWN, Field
from quark.dashboard.views.runs_order import Group, path_key
from quark.dashboard.views.runs_rows import Row

_MAX_TAGS = 40
_MAX_NOTES = 300
_MAX_NAME = 300


def plain_row(row: Row, columns: Sequence[Field], level: int) -> dict[str, Any]:
    """Return a run; ``cells`` holds the chosen values of its configuration and summary. Those that
    its summary has not yet are named in ``live``."""
    cells = {}
    live = []
    for column in columns:
        if column.name not in OWN:
            value = row.value(column.name)
            if value is not None:
                cells[column.name] = plain(value)
                if column.name in row.last and column.name not in row.values:
                    live.append(column.name)
    return {
        "id": row.id,
        "name": row.name[:_MAX_NAME],
        "project": row.project,
        "status": row.status,
        "over": row.is_over,
        "created_at": row.created_at,
        "created_us": row.created_us,
        "ended_us": row.ended_us,
        "tags": list(row.tags[:_MAX_TAGS]),
        "group": row.group,
        "job_type": row.job_type,
        "parent": row.parent,
        "notes": row.notes[:_MAX_NOTES] if row.notes else None,
        "archived": row.is_archived,
        "health": row.health,
        "cells": cells,
        "live": live,
        "level": level,
    }


def plain_group(
    group: Group, fields: Sequence[Field], columns: Sequence[Field], now_us: int
) -> dict[str, Any]:
    """Return a group: its value, how many runs it has, and of each column a summary: of numbers
    ``mean``, ``min``, ``max`` and ``n``; of others the only value, or how many there are."""
    level = len(group.path) - 1
    return {
        "group": path_key(group.path),
        "field": fields[level].title,
        "value": group.path[-1],
        "level": level,
        "count": len(group.rows),
        "open": group.is_open,
        "statuses": dict(Counter(row.status for row in group.rows).most_common()),
        "sums": {column.name: _sum(group.rows, column, now_us) for column in columns},
    }


def _sum(rows: Sequence[Row], column: Field, now_us: int) -> dict[str, Any] | None:
    numbers: list[float] = []
    others: set[Any] = set()
    count = 0
    for row in rows:
        value = column.value(row, now_us)
        if value is None or value == () or value == "":
            continue
        count += 1
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if value - value == 0:
                numbers.append(value)
        else:
            others.update(value if isinstance(value, tuple) else (value,))
    if not count:
        return None
    if others or not numbers:
        one = plain(next(iter(others))) if len(others) == 1 else None
        return {"n": count, "distinct": len(others), "value": one}
    share = [number / len(numbers) for number in numbers]  # no sum that overflows
    low, high = min(numbers), max(numbers)
    return {
        "n": len(numbers),
        "mean": min(max(sum(share), low), high),
        "min": low,
        "max": high,
    }


def plain(value: Any) -> Any:
    """Return a value that JSON can say; what is no finite number as the word for it."""
    if isinstance(value, float) and value - value != 0:
        return jsonio.float_to_json(value)
    return value
