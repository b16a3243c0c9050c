"""Which columns a table of runs can have, and which it has if nobody chose any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quark.dashboard.views.runs_fields import OWN, Field, find_field
from quark.dashboard.views.runs_rows import Row

#: Values that are looked at, so that many runs with many values cost no more.
_MAX_LOOKED_AT = 100_000
_MAX_DISTINCT = 64
_MAX_SUGGESTED = 24
_NUMBERS = frozenset({int, float})
_MAX_CONFIG, _MAX_SUMMARY = 4, 3
_FIRST_COLUMNS = ("status", "health", "created", "duration")
_LAST_COLUMNS = ("tags",)
#: Columns that are shown as numbers.
_NUMERIC = frozenset({"health", "duration", "age"})
#: What a summary is mostly looked at for, the first first.
_SOUGHT = ("val/loss", "loss", "acc", "f1", "auc", "score", "reward", "error")


class Column:
    """What is known of the values of one name. ``values`` counts them, up to a number of them."""

    __slots__ = ("count", "name", "number_count", "values")

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.number_count = 0
        self.values: dict[Any, int] = {}

    @property
    def is_numeric(self) -> bool:
        """Whether nearly all values are numbers."""
        return self.number_count * 10 >= self.count * 9 and self.number_count > 0

    def add(self, value: Any) -> None:
        """Count a value."""
        self.count += 1
        if type(value) in _NUMBERS:
            self.number_count += 1
        values = self.values
        if value in values:
            values[value] += 1
        elif len(values) < _MAX_DISTINCT:
            values[value] = 1

    def to_plain(self) -> dict[str, Any]:
        """Return it as an answer says it."""
        common = sorted(self.values, key=lambda value: -self.values[value])[:_MAX_SUGGESTED]
        return {
            "id": self.name,
            "kind": self.name.partition(".")[0],
            "count": self.count,
            "numeric": self.is_numeric,
            "distinct": len(self.values),
            "values": [str(value) for value in common if value == value],
        }


def known_columns(rows: Sequence[Row]) -> dict[str, Column]:
    """Return every name of configurations and summaries, by how many runs have it.

    Of many runs, a part is looked at.
    """
    if not rows:
        return {}
    sizes = sum(len(row.values) + len(row.last) for row in rows)
    found: dict[str, Column] = {}
    for row in rows[:: 1 + sizes // _MAX_LOOKED_AT]:
        for values in (row.values, row.last):
            for name, value in values.items():
                column = found.get(name)
                if column is None:
                    if find_field(name) is None:  # a key without a name cannot be asked for
                        continue
                    column = found[name] = Column(name)
                column.add(value)
    return dict(sorted(found.items(), key=lambda item: (-item[1].count, item[0])))


def default_columns(
    rows: Sequence[Row], known: dict[str, Column], *, one_project: bool
) -> list[str]:
    """Return what a table shows if nobody chose: what the runs differ in, and how well they did."""
    chosen = list(_FIRST_COLUMNS)
    if not one_project and len({row.project for row in rows}) > 1:
        chosen.insert(1, "project")
    shown = [column for column in known.values() if not _is_inner(column.name)]
    most = max((column.count for column in shown), default=0)
    varying = [
        column
        for column in shown
        if column.name.startswith("config.") and len(column.values) > 1 and column.count * 4 >= most
    ]
    results = [
        column
        for column in shown
        if column.name.startswith("summary.") and column.is_numeric and column.count * 8 >= most
    ]
    results.sort(key=lambda column: (_rank(column.name), -column.count))
    return [
        *chosen,
        *(column.name for column in results[:_MAX_SUMMARY]),
        *(column.name for column in varying[:_MAX_CONFIG]),
        *_LAST_COLUMNS,
    ]


def drawn_metrics(known: dict[str, Column]) -> list[str]:
    """Return keys that small lines can be drawn of, the likeliest first.

    One that few runs have comes late, whatever it is called.
    """
    found = {
        name.partition(".")[2]: column.count
        for name, column in known.items()
        if name.startswith("summary.") and column.is_numeric and not _is_inner(name)
    }
    most = max(found.values(), default=0)
    return sorted(found, key=lambda key: (found[key] * 4 < most, _rank(key)))


def column_head(field: Field, known: dict[str, Column]) -> dict[str, Any]:
    """Return what a table's head says of a field."""
    column = known.get(field.name)
    is_numeric = field.name in _NUMERIC if column is None else column.is_numeric
    kind = "run" if field.name in OWN else field.name.partition(".")[0]
    return {"id": field.name, "title": field.title, "numeric": is_numeric, "kind": kind}


def _is_inner(name: str) -> bool:
    """Say whether a name is a program's own, such as ``_wandb`` or ``system/cpu``."""
    inside = name.partition(".")[2]
    return inside.startswith(("_", "system/", "wandb")) or "/_" in inside or "._" in inside


def _rank(name: str) -> int:
    low = name.casefold()
    for place, word in enumerate(_SOUGHT):
        if word in low:
            return place
    return len(_SOUGHT)
