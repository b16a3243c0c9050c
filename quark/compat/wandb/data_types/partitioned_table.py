"""``wandb.data_types.PartitionedTable``: tables of one folder of an artifact, read as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from quark.compat.wandb.data_types.base import Keeper, Media, Source
from quark.compat.wandb.data_types.table import Table
from quark.compat.wandb.data_types.table_file import EXTENSION


class PartitionedTable(Media):
    """All tables below ``parts_path``. Their rows can be read once it came out of an artifact."""

    _log_type: ClassVar[str] = "partitioned-table"

    def __init__(self, parts_path: str) -> None:
        self.parts_path = parts_path
        self._source: Source | None = None
        self._parts: list[str] = []

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        """Return what stands for it. The parts are in the artifact already."""
        return {"_type": self._log_type, "parts_path": self.parts_path}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        table = cls(str(fields["parts_path"]))
        table._source = source
        folder = table.parts_path.rstrip("/") + "/"
        names = getattr(source, "names", ())  # an artifact says what is in it
        table._parts = sorted(
            name
            for name in (names() if callable(names) else names)
            if name.startswith(folder) and name.endswith(EXTENSION)
        )
        return table

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Yield each row with its number, counted through all parts. One part is read at a time.

        Raises:
            ValueError: The parts have different columns.
        """
        columns: list[Any] | None = None
        number = 0
        for path in self._parts:
            assert self._source is not None
            part = Table.from_json({"_type": "table", "path": path}, self._source)
            if columns is not None and part.columns != columns:
                raise ValueError(
                    f"The parts of {self.parts_path!r} have different columns: {columns}, but "
                    f"{part.columns} in {path!r}."
                )
            columns = part.columns
            for _, row in part.iterrows():
                yield number, row
                number += 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionedTable) and self.parts_path == other.parts_path

    __hash__ = None  # type: ignore[assignment]  # as with W&B
