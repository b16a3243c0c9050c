"""What ``log`` takes of a table: its rows at that moment, to be written in the background."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quark.compat.wandb.data_types.base import ArtifactFiles, Keeper, KeptFile, Media
from quark.compat.wandb.data_types.table_file import (
    OTHER_TABLES_FOLDER,
    Content,
    Rows,
    artifact_form,
    artifact_json,
    keep_exact,
)
from quark.compat.wandb.data_types.table_nested_types import (
    UnionType,
)
from quark.compat.wandb.data_types.table_types import (
    BOOLEAN,
    NONE,
    NUMBER,
    STRING,
    TIMESTAMP,
    UNKNOWN,
    CellType,
)

_CELL_BYTES = 40
_NEVER_CHANGED = (BOOLEAN, NONE, NUMBER, STRING, TIMESTAMP, UNKNOWN)


class TableSnapshot(Media):
    """The content of a table when it was logged."""

    def __init__(self, content: Content, *, row_type: str = "table-file") -> None:
        self.content = content
        self.row_type = row_type
        self.size_bytes = 1 + _size_bytes(content)

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        return self._row(keep_exact(self.content, keeper))

    def in_artifact(self, keeper: ArtifactFiles) -> dict[str, Any]:
        """Return what is written of the table when it is added to an artifact."""
        return artifact_form(self.content, keeper)

    def artifact_json(self, keeper: ArtifactFiles) -> bytes:
        """Return the same as the text of the file in the artifact."""
        return artifact_json(self.content, keeper)

    def kept_whole(self, keeper: Keeper) -> KeptFile:
        """Keep the table as a part of another value."""
        return keep_exact(self.content, keeper, OTHER_TABLES_FOLDER)

    def _row(self, kept: KeptFile) -> dict[str, Any]:
        content = self.content
        return {
            "_type": self.row_type,
            "sha256": kept.sha256,
            "size": kept.size_bytes,
            "path": kept.path,
            "ncols": len(content.columns),
            "nrows": len(content.rows),
            "log_mode": content.log_mode,
            **content.more,
        }


class Increments:
    """The parts of an incremental table that were logged, in order. Any thread may write them."""

    def __init__(self) -> None:
        self.logged_rows = 0
        self.count = 0
        self.last: Increment | None = None
        self.lock = threading.Lock()
        self.unwritten: list[Increment] = []
        self.paths: list[str] = []  # of those that are written


class Increment(TableSnapshot):
    """The rows that were added to a table since it was logged last."""

    def __init__(self, content: Content, increments: Increments, total_rows: int) -> None:
        super().__init__(content, row_type="incremental-table-file")
        self._increments = increments
        self._total_rows = total_rows
        self._number = increments.count
        self._written: dict[str, Any] | None = None
        increments.count += 1
        increments.unwritten.append(self)

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        increments = self._increments
        with increments.lock:  # what was logged earlier is written first, whoever comes first
            while self._written is None:
                increments.unwritten[0]._write(keeper)
        return dict(self._written)

    def _write(self, keeper: Keeper) -> None:
        increments = self._increments
        earlier = list(increments.paths)
        row = self._row(keep_exact(self.content, keeper.within(f"increment_{self._number}")))
        own = {"increment_num": self._number, "previous_increments_paths": earlier}
        self._written = {**row, "nrows": self._total_rows, **own}
        increments.paths.append(row["path"])
        increments.unwritten.remove(self)
        self.content = replace(self.content, rows=Rows.of([], 0))  # they are not needed any more


def copied_rows(rows: list[list[Any]], types: Mapping[Any, CellType]) -> Rows:
    """Return copies of rows; of cells too, where the script could change them later."""
    copies = Rows.of(rows, len(types))
    for place, kind in enumerate(types.values()):
        if not _never_changes(kind):
            copies.replace_column(place, copied_cell)
    return copies


def _never_changes(kind: CellType) -> bool:
    parts = kind.allowed if isinstance(kind, UnionType) else [kind]
    return all(part in _NEVER_CHANGED for part in parts)


def copied_cell(value: Any) -> Any:
    """Return a copy of a cell that nobody else changes."""
    if isinstance(value, Media):
        return value.frozen()
    if isinstance(value, dict):
        return {key: copied_cell(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied_cell(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return frozenset(value)
    if hasattr(value, "detach"):  # a tensor
        return value.detach().clone()
    if hasattr(value, "dtype") and hasattr(value, "copy"):
        return value.copy()
    return value


def _size_bytes(content: Content) -> int:
    """Return about how much memory the rows take."""
    rows = content.rows
    size_bytes = len(rows) * (2 + len(content.columns)) * _CELL_BYTES
    for place, kind in enumerate(content.types.type_map.values()):
        if not _never_changes(kind):
            size_bytes += sum(_held_bytes(cell) for cell in rows.column(place))
        elif STRING in (kind.allowed if isinstance(kind, UnionType) else [kind]):
            sizes = [len(cell) for cell in rows.column(place, 100) if type(cell) is str]
            size_bytes += sum(sizes) * len(rows) // max(1, len(sizes))
    return size_bytes


def _held_bytes(value: Any) -> int:
    if isinstance(value, Media):
        return value.size_bytes
    if isinstance(value, (list, dict)):
        return len(value) * _CELL_BYTES
    size = getattr(value, "nbytes", 0)
    return size if isinstance(size, int) else 0
