"""Rows whose cells are checked against the types of their columns.

A value that is of the same class as one that a column took before, without learning anything from
it, is not looked at again: so adding a row of numbers costs a look at their classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import contains
from typing import Any

from quark.compat.wandb.data_types.table_keys import TableIndex, TableKey
from quark.compat.wandb.data_types.table_media_types import (
    ForeignIndexType,
    ForeignKeyType,
    PrimaryKeyType,
)
from quark.compat.wandb.data_types.table_nested_types import (
    TypedDictType,
    UnionType,
    optional as optional_type,
)
from quark.compat.wandb.data_types.table_type_of import type_from_dtype
from quark.compat.wandb.data_types.table_types import (
    ANY,
    INVALID,
    NONE,
    SIMPLE,
    CellType,
    type_of,
)

_KEYS = (PrimaryKeyType, ForeignKeyType, ForeignIndexType)


class TypedRows:
    """Columns, their types, and rows. ``data`` may be read and changed by the script."""

    columns: list[Any]
    data: list[list[Any]]

    def __init__(self, columns: list[Any], dtype: Any, optional: bool | list[bool]) -> None:
        self.columns = columns
        self.data = []
        self._types: dict[Any, CellType] = {}
        self._settled: list[set[type]] = [set() for _ in columns]
        for column, kind, may_miss in zip(
            columns, self._per_column(dtype), self._per_column(optional), strict=True
        ):
            declared = type_from_dtype(kind)
            self._types[column] = optional_type(declared) if may_miss else declared

    def _per_column(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            return [value] * len(self.columns)
        if len(value) != len(self.columns):
            raise ValueError(
                f"{value!r} has {len(value)} entries for {len(self.columns)} columns; give one "
                "value for all columns or a list with one for each."
            )
        return value

    @property
    def _column_types(self) -> TypedDictType:
        return TypedDictType(self._types)

    def add_data(self, *data: Any) -> None:
        """Add a row: one value for each column.

        Raises:
            ValueError: There are more or fewer values than columns.
            TypeError: A value does not fit its column.
        """
        if len(data) != len(self.columns):
            raise ValueError(
                f"This table has {len(self.columns)} columns, {self.columns}, but the row has "
                f"{len(data)} values. Give one value for each column, None where there is none."
            )
        if all(map(contains, self._settled, map(type, data))):
            self.data.append(list(data))
        else:
            self._add_checked(data)

    def add_row(self, *row: Any) -> None:
        """The same as :meth:`add_data`, from old scripts."""
        self.add_data(*row)

    def cast(self, col_name: Any, dtype: Any, optional: bool = False) -> CellType:
        """Say what a column may hold, and return the type.

        Raises:
            KeyError: There is no such column.
            TypeError: Something in the column does not fit.
            ValueError: Keys cannot be declared like this.
        """
        place = self._place(col_name)
        kind = cast_values(col_name, [row[place] for row in self.data], dtype, optional=optional)
        if optional and isinstance(type_from_dtype(dtype), _KEYS):
            raise ValueError("Keys cannot be optional: leave optional=True out.")
        if getattr(kind, "table", None) is self:
            raise ValueError(f"Column {col_name!r} cannot refer to its own table.")
        for other, known in self._types.items():
            if isinstance(known, PrimaryKeyType) and isinstance(kind, PrimaryKeyType):
                raise ValueError(f"Column {other!r} is the primary key already.")
        if isinstance(self._types[col_name], _KEYS) and not isinstance(kind, _KEYS):
            raise ValueError(f"Column {col_name!r} holds keys, which it cannot stop to do.")
        self._types[col_name] = kind
        self._settled[place] = set()
        self._wrap_keys(self.data)
        return kind

    def set_pk(self, col_name: Any) -> None:
        """Make a column of texts the primary key."""
        self.cast(col_name, PrimaryKeyType())

    def set_fk(self, col_name: Any, table: Any, table_col: str) -> None:
        """Make the texts of a column refer to a column of another table."""
        self.cast(col_name, ForeignKeyType(table, table_col))

    # -- inside ------------------------------------------------------------------------------

    def _place(self, column: Any) -> int:
        if column not in self.columns:
            raise KeyError(f"The table has no column {column!r}; it has {self.columns}.")
        return self.columns.index(column)

    def _add_checked(self, row: tuple[Any, ...]) -> None:
        for column, value in zip(self.columns, row, strict=True):
            if isinstance(value, (TableKey, TableIndex)):
                self.cast(column, type_of(value))
        taken = {}
        for column, value in zip(self.columns, row, strict=True):
            taken[column] = self._types[column].assign(value)
            if taken[column] is INVALID:
                raise _misfit(f"Row {len(self.data)}", column, self._types[column], value)
        for place, (column, value) in enumerate(zip(self.columns, row, strict=True)):
            if is_settled(self._types[column], taken[column], value):
                self._settled[place].add(type(value))
        self._types = taken
        self.data.append(list(row))
        self._wrap_keys(self.data[-1:])

    def _wrap_keys(self, rows: Iterable[list[Any]]) -> None:
        """Make what lies in columns of keys know its table."""
        for place, column in enumerate(self.columns):
            kind = self._types[column]
            if not isinstance(kind, _KEYS):
                continue
            for row in rows:
                if isinstance(kind, ForeignIndexType):
                    row[place] = TableIndex.of(row[place], kind.table)
                elif isinstance(kind, ForeignKeyType):
                    row[place] = TableKey.of(row[place], kind.table, kind.params["col_name"])
                else:
                    row[place] = TableKey.of(row[place], self, column)


def cast_values(column: Any, values: list[Any], dtype: Any, *, optional: bool) -> CellType:
    """Return the type that takes all of ``values``, beginning with the one that is declared.

    Raises:
        TypeError: One does not fit.
    """
    kind = type_from_dtype(dtype)
    if optional:
        kind = optional_type(kind)
    settled = set[type]()
    for row, value in enumerate(values):
        if type(value) in settled:
            continue
        taken = kind.assign(value)
        if taken is INVALID:
            raise _misfit(f"Row {row}", column, kind, value)
        if is_settled(kind, taken, value):
            settled.add(type(value))
        kind = taken
    return kind


def is_settled(before: CellType, after: CellType, value: Any) -> bool:
    """Say whether other values of this one's class need not be looked at any more."""
    if after != before:
        return False
    kind = type(value)
    if kind is float:  # the next may be NaN, which counts as None
        return after.assign(None) == after
    parts = after.allowed if isinstance(after, UnionType) else [after]
    of_numpy = kind.__module__ == "numpy" and kind.__name__ != "ndarray"
    return kind in SIMPLE or of_numpy or ANY in parts


def _misfit(where: str, column: Any, kind: CellType, value: Any) -> TypeError:
    shown = repr(value)
    shown = shown if len(shown) <= 200 else f"{shown[:200]}..."
    way_out = (
        "declare the column with optional=True"
        if kind.assign(None) is INVALID and type_of(value) is NONE
        else "convert the value, declare the column with dtype=, or pass allow_mixed_types=True"
    )
    return TypeError(
        f"{where}: {shown} does not fit into column {column!r}: {kind.explain(value)}. To take it, "
        f"{way_out}."
    )
