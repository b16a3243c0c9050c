"""The file of a table: how it is written for a run and for an artifact, and how it is read.

Both hold ``columns``, ``data``, ``column_types``, ``log_mode``, ``ncols`` and ``nrows``, as W&B's
artifacts do. W&B's file of a run has the first two only, and the name of the class in the place of
media; here it is complete, so that a run's table is read back as what was logged.
"""

from __future__ import annotations

import datetime
import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from quark import jsonio
from quark.compat.wandb.data_types.base import ArtifactFiles, Keeper, KeptFile, Source
from quark.compat.wandb.data_types.table_cells import (
    NUMPY_SCALARS,
    SCALARS,
    artifact_cell,
    exact_cell,
    sortable,
)
from quark.compat.wandb.data_types.table_nested_types import (
    ListType,
    NDArrayType,
    TypedDictType,
    UnionType,
)
from quark.compat.wandb.data_types.table_type_of import Files, type_from_json
from quark.compat.wandb.data_types.table_types import (
    NUMBER,
    STRING,
    TIMESTAMP,
    CellType,
)
from quark.compat.wandb.errors import CommError

EXTENSION = ".table.json"
RUN_FOLDER = "media/table"
OTHER_TABLES_FOLDER = "media/tables"
_ARRAYS_FOLDER = "media/serialized_data"

#: Arrays of one dimension up to this size are written as lists, as W&B does.
MAX_EMBEDDING_DIMENSIONS = 150

_REFUSED = b"null"  # what no list of rows is
_ROWS_AT_ONCE = 512  # between them other threads get their turn


class Rows:
    """Copies of rows, in one list: a hundred thousand small ones would keep the collector busy."""

    __slots__ = ("_cells", "_count", "_width")

    def __init__(self, cells: list[Any], width: int, count: int) -> None:
        self._cells = cells
        self._width = width
        self._count = count

    @classmethod
    def of(cls, rows: list[list[Any]], width: int) -> Rows:
        """Return a copy of rows of ``width`` cells."""
        if set(map(len, rows)) <= {width}:
            cells = list(itertools.chain.from_iterable(rows))
        else:  # a script has put other rows into ``data``
            cells = [cell for row in rows for cell in [*row[:width], *[None] * (width - len(row))]]
        return cls(cells, width, len(rows))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[Any]]:
        width = self._width
        for place in range(self._count):
            yield self._cells[place * width : (place + 1) * width]

    def between(self, start: int, stop: int) -> list[list[Any]]:
        """Return the rows from ``start`` to before ``stop``."""
        width = self._width
        places = range(start, min(stop, self._count))
        return [self._cells[place * width : (place + 1) * width] for place in places]

    def column(self, place: int, count: int | None = None) -> list[Any]:
        """Return the cells of a column, or those of the first ``count`` rows."""
        stop = None if count is None else count * self._width
        return self._cells[place : stop : self._width]

    def replace_column(self, place: int, change: Callable[[Any], Any]) -> None:
        """Put what ``change`` returns in the place of a column's cells, scalars excepted."""
        cells = self._cells
        for number in range(place, len(cells), self._width):
            if type(cells[number]) not in SCALARS:
                cells[number] = change(cells[number])


@dataclass(frozen=True, slots=True)
class Content:
    """What is written of a table. ``more`` stands beside the rest."""

    columns: list[Any]
    rows: Rows
    types: TypedDictType
    log_mode: str
    more: Mapping[str, Any]


def keep_exact(content: Content, keeper: Keeper, folder: str = RUN_FOLDER) -> KeptFile:
    """Write the file of a run."""
    rest = {**_frame(content, content.types.to_json(keeper)), **content.more}
    if dtypes := _array_dtypes(content):
        rest["array_dtypes"] = dtypes
    head = jsonio.python_dumps({"columns": content.columns})
    parts = b", ".join(_row_parts(content.rows, keeper))
    file = b'%s, "data": [%s], %s' % (
        head[:-1].encode(),
        parts,
        jsonio.python_dumps(rest)[1:].encode(),
    )
    return keeper.keep(file, folder=folder, extension=EXTENSION)


def artifact_form(content: Content, keeper: ArtifactFiles) -> dict[str, Any]:
    """Return what W&B writes of a table that is added to an artifact."""
    rest, rows = _artifact_parts(content, keeper)
    return {**rest, "data": list(rows)}


def artifact_json(content: Content, keeper: ArtifactFiles) -> bytes:
    """Return the same as the text that W&B writes, byte for byte.

    It is made in parts: encoded at once, a large table would hold up all other threads.
    """
    rest, rows = _artifact_parts(content, keeper)
    before = {key: value for key, value in rest.items() if key < "data"}
    after = {key: value for key, value in rest.items() if key > "data"}
    parts = []
    while part := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        parts.append(jsonio.python_dumps(part, sort_keys=True)[1:-1])
    head = jsonio.python_dumps(before, sort_keys=True)[:-1]
    tail = jsonio.python_dumps(after, sort_keys=True)[1:]
    return f'{head}, "data": [{", ".join(parts)}], {tail}'.encode()


def _artifact_parts(
    content: Content, keeper: ArtifactFiles
) -> tuple[dict[str, Any], Iterator[list[Any]]]:
    """Return what is written of a table without its rows, and these."""
    types: dict[Any, CellType] = dict(content.types.type_map)
    elsewhere = set()
    for place, column in enumerate(content.columns):
        array = array_type(types[column])
        if array is None:
            continue
        shape = array.params["shape"]
        if len(shape) == 1 and shape[0] <= MAX_EMBEDDING_DIMENSIONS:
            types[column] = ListType(NUMBER, shape[0])
        else:
            stored = _keep_arrays(content, place, keeper)
            types[column] = _with_array(types[column], NDArrayType(shape, stored))
            elsewhere.add(place)
    frame = _frame(content, TypedDictType(sortable(types)).to_json(keeper))
    rows = _artifact_rows(content.rows, elsewhere, keeper)
    return {**frame, "columns": content.columns, **content.more}, rows


def _artifact_rows(rows: Rows, elsewhere: set[int], keeper: ArtifactFiles) -> Iterator[list[Any]]:
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            if place in elsewhere:
                row[place] = None
                continue
            kind = type(cell)
            if kind in NUMPY_SCALARS:
                cell = row[place] = cell.item()
                kind = type(cell)
            if kind not in SCALARS or (kind is float and cell != cell):
                row[place] = artifact_cell(cell, keeper.within(f"{number}_{place}"))
        yield row


def _frame(content: Content, column_types: dict[str, Any]) -> dict[str, Any]:
    return {
        "_type": "table",
        "column_types": column_types,
        "log_mode": content.log_mode,
        "ncols": len(content.columns),
        "nrows": len(content.rows),
    }


def _row_parts(rows: Rows, keeper: Keeper) -> Iterator[bytes]:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part: Any = rows.between(start, start + _ROWS_AT_ONCE)
        encoded = _encoded(part)
        if encoded == _REFUSED:
            part = [
                [
                    cell
                    if type(cell) in SCALARS
                    else cell.item()
                    if type(cell) in NUMPY_SCALARS
                    else exact_cell(cell, keeper.within(f"{number}_{place}"))
                    for place, cell in enumerate(row)
                ]
                for number, row in enumerate(part, start)
            ]
            encoded = _encoded(part)
        if b"null" in encoded:  # a cell may be NaN
            encoded = jsonio.python_dumps(part).encode()
        yield encoded[1:-1]


def _encoded(rows: Any) -> bytes:
    try:
        return jsonio.raw_dumps(rows, option=jsonio.PASSTHROUGH)
    except jsonio.JSONEncodeError:
        return _REFUSED


def _array_dtypes(content: Content) -> dict[str, str]:
    """Return of which type the elements of arrays are, by column."""
    found = {}
    for place, column in enumerate(content.columns):
        if array_type(content.types.type_map[column]) is not None:
            cells = content.rows.column(place)
            kinds = {str(cell.dtype) for cell in cells if hasattr(cell, "dtype")}
            if len(kinds) == 1:
                found[str(column)] = kinds.pop()
    return found


def _keep_arrays(content: Content, place: int, keeper: Keeper) -> dict[str, str]:
    import numpy as np  # who has arrays has it

    column = str(content.columns[place])
    cells = content.rows.column(place)
    file = io.BytesIO()
    np.savez_compressed(file, **{column: np.array(cells)})  # type: ignore[arg-type]
    kept = keeper.within(f"column_{place}").keep(
        file.getvalue(), folder=_ARRAYS_FOLDER, extension=".npz"
    )
    return {"path": kept.path, "key": column}


def array_type(kind: CellType) -> NDArrayType | None:
    """Return the type of the arrays in a column, if it has any."""
    parts = kind.allowed if isinstance(kind, UnionType) else [kind]
    return next((part for part in parts if isinstance(part, NDArrayType)), None)


def _with_array(kind: CellType, array: NDArrayType) -> CellType:
    if isinstance(kind, UnionType):
        return UnionType(array if isinstance(part, NDArrayType) else part for part in kind.allowed)
    return array


# -- reading -------------------------------------------------------------------------------------


def read_file(fields: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Return what the file says that ``fields`` name; ``fields`` may be its content already."""
    if "columns" in fields and "data" in fields:
        return dict(fields)
    with source.open(str(fields["path"])) as file:
        return dict(jsonio.python_loads(file.read()))


def read_types(written: Mapping[str, Any], files: Files) -> dict[Any, CellType]:
    """Return the types of the columns; empty if they were not written, as in W&B's run files."""
    if written.get("column_types") is None:
        return {}
    types = type_from_json(written["column_types"], files)
    assert isinstance(types, TypedDictType)
    return {column: types.type_map[str(column)] for column in written["columns"]}


def read_rows(
    written: Mapping[str, Any], types: Mapping[Any, CellType], source: Source
) -> list[list[Any]]:
    """Return the rows with their moments, arrays and media."""
    rows: list[list[Any]] = written["data"]
    for place, column in enumerate(written["columns"]):
        kind = types.get(column)
        parts = kind.allowed if isinstance(kind, UnionType) else [kind]
        array = array_type(kind) if kind is not None else None
        if array is not None:
            _put_arrays(
                rows, place, array, written.get("array_dtypes", {}).get(str(column)), source
            )
        elif TIMESTAMP in parts:
            for row in rows:
                row[place] = _moment(row[place], texts=STRING not in parts)
    for row in rows:
        for place, cell in enumerate(row):
            if type(cell) in (dict, list):
                row[place] = _value(cell, source)
    return rows


def _value(cell: Any, source: Source) -> Any:
    """Return a cell with the media in it. A dict that only looks like one stays a dict."""
    from quark.compat.wandb.data_types.reading import class_of, read_value

    if isinstance(cell, list):
        return [_value(item, source) for item in cell]
    if not isinstance(cell, dict):
        return cell
    if isinstance(kind := cell.get("_type"), str):
        try:
            class_of(kind)
        except CommError:
            return cell
        return read_value(cell, source)
    return {key: _value(item, source) for key, item in cell.items()}


def _put_arrays(
    rows: list[list[Any]], place: int, array: NDArrayType, dtype: str | None, source: Source
) -> None:
    import numpy as np

    if array.stored is not None:
        with source.open(array.stored["path"]) as file:
            cells = np.load(io.BytesIO(file.read()))[array.stored["key"]]
        for row, cell in zip(rows, cells, strict=True):
            row[place] = cell
        array.stored = None
        return
    for row in rows:
        if row[place] is not None:
            row[place] = np.array(row[place], dtype=dtype)


def _moment(cell: Any, *, texts: bool) -> Any:
    if type(cell) in (int, float):
        return datetime.datetime.fromtimestamp(cell / 1000, tz=datetime.UTC)
    if type(cell) is not str or not texts:
        return cell
    try:
        if len(cell) == len("2026-01-31"):
            return datetime.date.fromisoformat(cell)
        return datetime.datetime.fromisoformat(cell)
    except ValueError:
        return cell
