"""Cells that refer to rows: keys and numbers of rows that know the table they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quark.compat.wandb.data_types.table_media_types import ForeignIndexType, ForeignKeyType
from quark.compat.wandb.data_types.table_types import (
    CellType,
)

if TYPE_CHECKING:
    from quark.compat.wandb.data_types.table import Table


class TableKey(str):
    """A key of a table. In another table it makes a column of foreign keys."""

    table: Any
    col_name: Any

    @classmethod
    def of(cls, value: Any, table: Any, col_name: Any) -> TableKey:
        key = cls(value)
        key.table, key.col_name = table, col_name
        return key

    def cell_type(self) -> CellType:
        return ForeignKeyType(self.table, self.col_name)


class TableIndex(int):
    """The number of a row of a table. In another table it makes a column of such numbers."""

    table: Table

    @classmethod
    def of(cls, value: Any, table: Table) -> TableIndex:
        index = cls(value)
        index.table = table
        return index

    def get_row(self) -> dict[Any, Any]:
        """Return the row, by column."""
        return dict(zip(self.table.columns, self.table.data[self], strict=True))

    def cell_type(self) -> CellType:
        return ForeignIndexType(self.table)
