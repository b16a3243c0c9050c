"""Logged tables as they are read from their files: whole, in parts, joined."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from quark import jsonio
from quark.errors import QuarkError, SchemaValidationError

if TYPE_CHECKING:
    from quark.dashboard.views.media_index import KeptPayload
    from quark.dashboard.views.media_parts import Composed

#: Read, a table takes about ten times what its file does.
_MAX_FILE_BYTES = 64 << 20
_KEPT_BYTES = 24 << 20
_MAX_JOINED_ROWS = 200_000


class ReadTable(NamedTuple):
    """A table as it was logged."""

    columns: list[str]
    rows: list[list[Any]]
    size_bytes: int
    notice: str = ""


def read_table(home: str, parts: Sequence[KeptPayload], read: Any) -> ReadTable:
    """Return a table, which may be kept in several parts.

    Args:
        home: Of the store that has the parts.

    Raises:
        ArtifactNotFoundError: A part is gone.
        SchemaValidationError: A part is no table, or too large.
    """
    columns: list[str] = []
    rows: list[list[Any]] = []
    size_bytes = 0
    for part in parts:
        kept = (home, part.sha256)
        one = _tables.get(kept, lambda part=part: _read_one(part, read))  # type: ignore[misc]
        columns = columns or one.columns
        rows = one.rows if len(parts) == 1 else rows + one.rows
        size_bytes += one.size_bytes
    return ReadTable(columns, rows, size_bytes)


def read_composed(home: str, made_of: Composed, read: Any) -> ReadTable:
    """Return a table that is made of others: of its parts, or of two that are joined.

    Raises:
        ArtifactNotFoundError: A part is gone.
        SchemaValidationError: A part is no table, they are too large, or have not what is joined.
    """

    def make() -> ReadTable:
        size_bytes = sum(part.size_bytes for table in made_of.tables for part in table)
        if size_bytes > _MAX_FILE_BYTES:
            raise SchemaValidationError(
                f"The parts of the table have {size_bytes >> 20} MB; tables above "
                f"{_MAX_FILE_BYTES >> 20} MB are not shown. Save its files from the artifact."
            )
        tables = [_stacked(home, parts, read) for parts in made_of.tables]
        return tables[0] if made_of.on is None else joined(tables[0], tables[1], made_of.on)

    found: ReadTable = _tables.get((home, made_of), make)
    return found


def _stacked(home: str, parts: Sequence[KeptPayload], read: Any) -> ReadTable:
    """Return the rows of tables of which each may have columns of its own."""
    tables = [read_table(home, [part], read) for part in parts]
    columns = list(dict.fromkeys(name for one in tables for name in one.columns))
    notice = ""
    rows: list[list[Any]] = []
    for one in tables:
        if one.columns == columns:
            rows += one.rows
            continue
        notice = "Its parts have different columns; cells of columns that a part has not are empty."
        place_of = {name: place for place, name in enumerate(one.columns)}
        places = [place_of.get(name) for name in columns]
        rows += [[None if at is None else row[at] for at in places] for row in one.rows]
    return ReadTable(columns, rows, sum(one.size_bytes for one in tables), notice)


def joined(one: ReadTable, other: ReadTable, on: tuple[str, str]) -> ReadTable:
    """Return the rows of two tables side by side where their keys are the same.

    Rows without a partner are there too, with empty cells beside them: first those of ``one`` in
    their order, last those of ``other``. Keys that are empty or NaN have no partner.

    Raises:
        SchemaValidationError: A table has no such column.
    """
    for name, table in zip(on, (one, other), strict=True):
        if name not in table.columns:
            raise SchemaValidationError(
                f"The tables are to be joined on {name[:200]!r}, but one of them has no such "
                f"column; it has {', '.join(table.columns)[:400]}."
            )
    left, right = one.columns.index(on[0]), other.columns.index(on[1])
    partners: dict[Any, list[int]] = {}
    for place, row in enumerate(other.rows):
        partners.setdefault(_key(row[right], place), []).append(place)
    # A key of one name is one column; of two names each has its own.
    own = [at for at in range(len(other.columns)) if on[0] != on[1] or at != right]
    columns, rest = list(one.columns), [other.columns[at] for at in own]
    twice = {*columns} & {*rest}
    names = [f"{name} (1)" if name in twice else name for name in columns]
    names += [f"{name} (2)" if name in twice else name for name in rest]
    rows: list[list[Any]] = []
    met: set[int] = set()
    nothing: list[Any] = [None] * len(own)
    notice = ""
    for place, row in enumerate(one.rows):
        found = partners.get(_key(row[left], -1 - place), ())
        met.update(found)
        rows += [[*row, *(other.rows[at][column] for column in own)] for at in found] or [
            [*row, *nothing]
        ]
        if len(rows) > _MAX_JOINED_ROWS:
            notice = f"The join has more rows; the first {_MAX_JOINED_ROWS} are shown."
            break
    else:
        for place, row in enumerate(other.rows):
            if place not in met:
                alone: list[Any] = [None] * len(columns)
                if on[0] == on[1]:
                    alone[left] = row[right]
                rows.append([*alone, *(row[column] for column in own)])
    notice = " ".join(filter(None, (one.notice, other.notice, notice)))
    del rows[_MAX_JOINED_ROWS:]
    return ReadTable(names, rows, one.size_bytes + other.size_bytes, notice)


def _key(cell: Any, place: int) -> Any:
    """Return what a cell is compared as. ``place`` makes a cell that equals none unlike all."""
    if cell is None or cell != cell:
        return ("none", place)
    if isinstance(cell, (dict, list)):
        return ("parts", jsonio.python_dumps(cell))
    return (isinstance(cell, str), cell)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python from looking for garbage among a million rows, again and again while they are
    made: two thirds of the time that it takes to make them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read_one(part: KeptPayload, read: Any) -> ReadTable:
    if part.size_bytes > _MAX_FILE_BYTES:
        raise SchemaValidationError(
            f"The table {part.path[:200]!r} has {part.size_bytes >> 20} MB; tables above "
            f"{_MAX_FILE_BYTES >> 20} MB are not shown. Save its file, or log a smaller one."
        )
    with read(part) as file:
        content = file.read()
    try:
        with collector_paused():
            body = jsonio.python_loads(content)
        columns, rows = body["columns"], body["data"]
        width = len(columns)
        fitted = [
            row if len(row) == width else [*row[:width], *[None] * (width - len(row))]
            for row in rows
        ]
    except (QuarkError, ValueError, KeyError, TypeError) as error:
        raise SchemaValidationError(
            f"The file {part.path[:200]!r} is no table: {type(error).__name__} at its content."
        ) from error
    return ReadTable([str(name) for name in columns], fitted, part.size_bytes)


# -- what was read lately ------------------------------------------------------------------------


class KeptLately:
    """What was used last, up to a size. Threads may share it; who asks for what another one is
    making waits for that one.

    Args:
        budget: What all together may come to.
        size: What one of them comes to.
    """

    def __init__(self, budget: int, size: Callable[[Any], int]) -> None:
        self._budget = budget
        self._size = size
        self._found: OrderedDict[Any, Any] = OrderedDict()
        self._being_made: dict[Any, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, what: Any, make: Callable[[], Any]) -> Any:
        """Return what is known by a name; ``make`` is called if it is not here."""
        with self._lock:
            turn = self._being_made.setdefault(what, threading.Lock())
        try:
            with turn:
                with self._lock:
                    if what in self._found:
                        self._found.move_to_end(what)
                        return self._found[what]
                made = make()
                with self._lock:
                    self._keep(what, made)
                return made
        finally:
            with self._lock:
                self._being_made.pop(what, None)

    def _keep(self, what: Any, made: Any) -> None:
        self._found[what] = made
        while len(self._found) > 1 and sum(map(self._size, self._found.values())) > self._budget:
            self._found.popitem(last=False)


_tables = KeptLately(_KEPT_BYTES, lambda one: one.size_bytes)
