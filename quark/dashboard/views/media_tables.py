"""Logged tables, a window of rows at a time: searched, filtered and sorted here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from quark import jsonio
from quark.dashboard.views.media import FileReader, kept_file, logged_at
from quark.dashboard.views.media_index import SHOWN_AS, media_of
from quark.dashboard.views.media_items import item_of, shown_text
from quark.dashboard.views.media_parts import Composed, composed_of
from quark.dashboard.views.media_reading import (
    KeptLately,
    ReadTable,
    collector_paused,
    read_composed,
    read_table,
)
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place
    from quark.dashboard.views.media_index import KeptPayload
    from quark.dashboard.views.media_items import Files, Read

_KEPT_ORDERS = 16
_MAX_CELL = 2000
_COMPARED = re.compile(r"\s*(<=|>=|!=|<|>|=)\s*(.*?)\s*", re.DOTALL)
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def table(place: Place, asked: Asked) -> dict[str, Any]:
    """Return a window of the rows of a table that a run has logged.

    Parameters: ``path`` (the table's file; of one that was logged in parts, all of them in their
    order), or ``key`` and ``step`` of one that was logged as the join of two, or as a folder of
    parts; and those of :func:`window`.

    Raises:
        ArtifactNotFoundError: The run has no such file.
        SchemaValidationError: A file is no table, or too large; or a parameter is not valid.
    """
    run_id = asked["run_id"]
    found = media_of(place, run_id)
    read = FileReader(place, run_id)
    if asked.text("key") is not None:
        made_of = composed_of(place, run_id, found.files, logged_at(place, asked, found))
        return window(place, asked, made_of, found.files, read)
    parts = [kept_file(found, run_id, path) for path in asked.all("path")]
    if not parts:
        raise SchemaValidationError("path is missing: name the file of a table.")
    return window(place, asked, parts, found.files, read)


def window(
    place: Place, asked: Asked, made_of: Composed | Sequence[KeptPayload], files: Files, read: Read
) -> dict[str, Any]:
    """Return a window of the rows of a table.

    Parameters: ``offset``, ``limit``, ``search`` (in any cell), ``filter`` (``<column
    number>:<what>``, several times; ``what`` begins with a comparison such as ``>=``, or is to be
    found in the cell), ``sort`` (a column's number) and ``descending`` (1).

    Args:
        place: Whose table it is.
        asked: The parameters.
        made_of: The files of its parts in their order, or the tables that it is made of.
        files: Those that its cells name, by their paths.
        read: Opens a file.

    Raises:
        ArtifactNotFoundError: A file is gone.
        SchemaValidationError: A file is no table, or too large; or a parameter is not valid.
    """
    home = place.store.target  # who knows a digest has not the payload of another store
    digests: tuple[Any, ...]
    if isinstance(made_of, Composed):
        whole = read_composed(home, made_of, read)
        digests = (home, made_of)
    else:
        whole = read_table(home, made_of, read)
        digests = (home, *(part.sha256 for part in made_of))
    search = (asked.text("search") or "").casefold()
    filters = [_filter(text, len(whole.columns)) for text in asked.all("filter")]
    last = max(0, len(whole.columns) - 1)
    sort = asked.integer("sort", -1, -1, last)
    descending = asked.choice("descending", ("0", "1")) == "1"
    asked_for = (digests, search, tuple(asked.all("filter")), sort, descending)
    order = _orders.get(asked_for, lambda: _order(whole, search, filters, sort, descending))
    offset = asked.integer("offset", 0, 0, 10**9)
    shown = order[offset : offset + asked.integer("limit", 100, 1, 1000)]
    return {
        "columns": whole.columns,
        "numeric": [_is_numeric(whole, place) for place in range(len(whole.columns))],
        "total": len(whole.rows),
        "matched": len(order),
        "offset": offset,
        "notice": whole.notice,
        "rows": [[_cell(cell, files, read) for cell in whole.rows[at]] for at in shown],
        "places": list(shown),
    }


# -- choosing ------------------------------------------------------------------------------------


class _Filter(NamedTuple):
    column: int
    sign: str  # of a comparison, or nothing: the text is to be found in the cell
    text: str
    number: float | None

    def takes(self, cell: Any) -> bool:
        if self.sign in _ORDER:
            value = _number(cell)
            if self.number is not None:
                return value is not None and _ORDER[self.sign](value, self.number)
            return isinstance(cell, str) and _ORDER[self.sign](cell.casefold(), self.text)
        if not self.sign:
            return self.text in _text(cell).casefold()
        value = _number(cell)
        is_equal = _text(cell).casefold() == self.text
        is_equal = is_equal or (value is not None and value == self.number)
        return is_equal == (self.sign == "=")


def _filter(text: str, column_count: int) -> _Filter:
    column, colon, what = text.partition(":")
    if not colon or not column.isascii() or not column.isdigit() or int(column) >= column_count:
        raise SchemaValidationError(
            f"filter {text[:80]!r} is not valid; it must be the number of one of {column_count} "
            "columns, a colon, and what is looked for."
        )
    found = _COMPARED.fullmatch(what)
    sign, rest = (found[1], found[2]) if found else ("", what)
    return _Filter(int(column), sign, rest.casefold(), _number(rest))


def _order(
    whole: ReadTable, search: str, filters: Sequence[_Filter], sort: int, descending: bool
) -> list[int]:
    places = list(range(len(whole.rows)))
    for one in filters:
        places = [place for place in places if one.takes(whole.rows[place][one.column])]
    if search:
        places = [
            place
            for place in places
            if any(search in _text(cell).casefold() for cell in whole.rows[place])
        ]
    if sort >= 0:
        rows = whole.rows
        empty = [place for place in places if rows[place][sort] is None]
        filled = [place for place in places if rows[place][sort] is not None]
        with collector_paused():
            filled.sort(key=_sort_key(rows, sort), reverse=descending)
        places = filled + empty
    return places


def _sort_key(rows: Sequence[Sequence[Any]], column: int) -> Callable[[int], Any]:
    """Return what the place of a row is sorted by, of rows that are not empty there."""
    cells = [row[column] for row in rows]
    if {type(cell) for cell in cells} <= {int, float, type(None)} and all(
        cell == cell for cell in cells
    ):
        return cells.__getitem__
    return lambda place: _sorted_by(cells[place])


def _sorted_by(cell: Any) -> tuple[int, float, str]:
    """Numbers first, NaN behind them, then texts."""
    if isinstance(cell, (int, float)):
        return (1, 0, "") if cell != cell else (0, cell, "")
    return (2, 0, _text(cell).casefold())


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, (int, float, str)) else None
    except (ValueError, OverflowError):
        return None


def _is_numeric(whole: ReadTable, place: int) -> bool:
    cells = [row[place] for row in whole.rows[:200] if row[place] is not None]
    return bool(cells) and all(
        isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in cells
    )


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, dict) and "_type" in cell:  # of media, what is said of it
        return str(cell.get("caption") or "")
    return "" if cell is None else str(cell)


def _cell(cell: Any, files: Files, read: Read) -> Any:
    if isinstance(cell, float) and not math.isfinite(cell):
        return jsonio.to_plain(cell)
    if cell is None or isinstance(cell, (bool, int, float)):
        return cell if not isinstance(cell, int) or abs(cell) < 2**53 else str(cell)
    if isinstance(cell, Mapping) and str(cell.get("_type")) in SHOWN_AS:
        return {"media": item_of(cell, files, read)}
    text = shown_text(cell)
    return text if len(text) <= _MAX_CELL else f"{text[:_MAX_CELL]}…"


_orders = KeptLately(_KEPT_ORDERS, lambda one: 1)
