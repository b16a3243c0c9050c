"""Tables and artifacts: what those of logged tables are called, and which one a table is in."""

from __future__ import annotations

import base64
import re
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quark.compat.wandb.data_types.table import Table

RUN_TABLE_TYPE = "run_table"
INCREMENTAL_TYPE = "wandb-run-incremental-table"

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_\-.]+")


def run_table_name(run_id: str, key: str) -> str:
    """Return the name of the artifact of a table that a run logged under ``key``.

    >>> run_table_name("abc", "eval/table")
    'run-abc-evaltable-Gd1kwg'
    """
    return artifact_name(f"run-{run_id}-{key}")


def incremental_table_name(run_id: str, key: str) -> str:
    """Return the name of the artifact of an incremental table that a run logged under ``key``."""
    return artifact_name(f"run-{run_id}-incr-{key}")


def artifact_name(text: str) -> str:
    """Return ``text`` as a name of an artifact: what may not be in one is left out, and a checksum
    is put behind it then, so that two names do not become one."""
    name = _NOT_IN_NAMES.sub("", text)
    if name == text:
        return name
    checksum = zlib.crc32(text.encode()).to_bytes(4, "big")
    return f"{name}-{base64.urlsafe_b64encode(checksum).decode().rstrip('=')}"


class UntilChanged:
    """An attribute of a table that is None again as soon as rows or columns were added.

    In which artifact a table is counts only as long as it is what was put there.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, table: Table | None, owner: type) -> Any:
        value, shape = (None, None) if table is None else vars(table).get(self._name, (None, None))
        return value if table is not None and shape == _shape(table) else None

    def __set__(self, table: Table, value: Any) -> None:
        vars(table)[self._name] = (value, _shape(table))


def _shape(table: Table) -> tuple[int, int]:
    return len(table.data), len(table.columns)
