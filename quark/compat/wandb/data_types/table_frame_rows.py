"""The columns and rows of a pandas DataFrame."""

from __future__ import annotations

from typing import Any


def frame_columns(frame: Any) -> list[Any]:
    """Return the names of a frame's columns."""
    return list(frame.columns)


def frame_rows(frame: Any) -> list[tuple[Any, ...]]:
    """Return a frame's rows; numbers keep numpy's types, as W&B has it."""
    columns = [list(frame.iloc[:, place].values) for place in range(len(frame.columns))]
    return list(zip(*columns, strict=True))
