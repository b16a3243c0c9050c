"""``wandb.JoinedTable``: two tables and the columns that join them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from quark.compat.wandb.data_types.base import Keeper, Media, Source
from quark.compat.wandb.data_types.table import Table
from quark.compat.wandb.data_types.table_file import EXTENSION
from quark.compat.wandb.data_types.table_snapshot import TableSnapshot


class JoinedTable(Media):
    """Two tables, joined by one column that both have or by one of each.

    Args:
        table1: A table, a partitioned table, the path of one in an artifact, or the entry of one.
        table2: The other.
        join_key: The name of the column in both, or a list of the two names.

    Raises:
        ValueError: One of them is something else.
    """

    _log_type: ClassVar[str] = "joined-table"

    def __init__(self, table1: Any, table2: Any, join_key: str | list[str]) -> None:
        if not isinstance(join_key, str) and not (
            isinstance(join_key, list) and len(join_key) == 2
        ):
            raise ValueError(
                f"join_key={join_key!r} must be the name of a column or a list of two names."
            )
        for name, table in (("table1", table1), ("table2", table2)):
            if not _is_table(table):
                raise ValueError(
                    f"{name}={table!r} must be a wandb.Table or the path of one in an artifact, "
                    f"which ends in {EXTENSION}."
                )
        self._table1 = table1
        self._table2 = table2
        self._join_key = join_key

    def frozen(self) -> Media:
        tables = (
            table.whole() if isinstance(table, Table) else table
            for table in (self._table1, self._table2)
        )
        copy = type(self).__new__(type(self))
        copy._table1, copy._table2 = tables
        copy._join_key = self._join_key
        copy.size_bytes = sum(
            getattr(table, "size_bytes", 1) for table in (copy._table1, copy._table2)
        )
        return copy

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        """Keep the tables. Raises as :meth:`Media.stored`."""
        return {
            "_type": self._log_type,
            "table1": _path(self._table1, keeper.within("table1")),
            "table2": _path(self._table2, keeper.within("table2")),
            "join_key": self._join_key,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        first, second = (_read(fields[name], source) for name in ("table1", "table2"))
        return cls(first, second, fields["join_key"])

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, JoinedTable)
            and self._join_key == other._join_key
            and self._table1 == other._table1
            and self._table2 == other._table2
        )

    __hash__ = None  # type: ignore[assignment]  # as with W&B: two may become equal


def _is_table(table: Any) -> bool:
    from quark.compat.wandb.data_types.partitioned_table import PartitionedTable

    if isinstance(table, str):
        return table.endswith(EXTENSION)
    if isinstance(table, (Table, PartitionedTable)):
        return True
    return hasattr(table, "ref_url") and str(table.ref_url()).endswith(EXTENSION)


def _path(table: Any, keeper: Keeper) -> str:
    if isinstance(table, str):
        return table
    if isinstance(table, (Table, TableSnapshot)):
        return table.kept_whole(keeper).path
    return str(getattr(table, "path", table))


def _read(path: str, source: Source) -> Any:
    try:
        return Table.from_json({"_type": "table", "path": path}, source)
    except KeyError:
        return path
