"""A table of runs as a file for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from quark.clock import format_timestamp
from quark.dashboard.views.runs_fields import Field
from quark.dashboard.views.runs_rows import Row

#: What spreadsheets take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def as_csv(rows: Sequence[Row], columns: Sequence[Field], now_us: int) -> str:
    """Return a line a run, with a head; numbers with all their digits, times as ISO 8601.

    Texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([_safe(column.name) for column in columns])
    for row in rows:
        writer.writerow([_cell(column, column.value(row, now_us)) for column in columns])
    return file.getvalue()


def _cell(column: Field, value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if column.kind == "time":
        return format_timestamp(value)
    if isinstance(value, (int, float)):
        return repr(value)
    return _safe(", ".join(value) if isinstance(value, tuple) else str(value))


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
