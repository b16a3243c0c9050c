"""Data frames that are logged as they are."""

from __future__ import annotations

from typing import Any

from quark.compat.wandb.data_types.table import Table
from quark.compat.wandb.data_types.table_frame_rows import frame_rows


def is_frame(value: Any) -> bool:
    """Say whether ``value`` is a pandas DataFrame."""
    kind = type(value)
    return kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"


def table_of(value: Any) -> Table | None:
    """Return the table for a data frame that is logged as it is; None for anything else.

    A frame that W&B refuses, because a column mixes types or has no plain name, is taken too.
    """
    if not is_frame(value):
        return None
    try:
        return Table(dataframe=value)
    except TypeError:
        columns = [
            column if type(column) in (str, int) else str(column) for column in value.columns
        ]
        return Table(columns=columns, data=[*frame_rows(value)], allow_mixed_types=True)
