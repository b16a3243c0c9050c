"""The charts that only name columns: lines, points, bars, histograms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.plot.charts import CustomChart, plot_table

if TYPE_CHECKING:
    from quark.compat.wandb.data_types.table import Table


def line(
    table: Table,
    x: str,
    y: str,
    stroke: str | None = None,
    title: str = "",
    split_table: bool = False,
) -> CustomChart:
    """Draw a line through the columns ``x`` and ``y``, one for each value of ``stroke``.

    Raises:
        Error: ``table`` is no table.
    """
    fields = {"x": x, "y": y, "stroke": stroke}
    return plot_table("wandb/line/v0", table, fields, {"title": title}, split_table)


def scatter(
    table: Table, x: str, y: str, title: str = "", split_table: bool = False
) -> CustomChart:
    """Draw points at the columns ``x`` and ``y``.

    Raises:
        Error: ``table`` is no table.
    """
    return plot_table("wandb/scatter/v0", table, {"x": x, "y": y}, {"title": title}, split_table)


def bar(
    table: Table, label: str, value: str, title: str = "", split_table: bool = False
) -> CustomChart:
    """Draw a bar for each row.

    Raises:
        Error: ``table`` is no table.
    """
    fields = {"label": label, "value": value}
    return plot_table("wandb/bar/v0", table, fields, {"title": title}, split_table)


def histogram(table: Table, value: str, title: str = "", split_table: bool = False) -> CustomChart:
    """Draw how often the values of a column occur.

    Raises:
        Error: ``table`` is no table.
    """
    return plot_table("wandb/histogram/v0", table, {"value": value}, {"title": title}, split_table)


def line_series(
    xs: Any,
    ys: Sequence[Iterable[Any]],
    keys: Sequence[str] | None = None,
    title: str = "",
    xname: str = "x",
    split_table: bool = False,
) -> CustomChart:
    """Draw several lines.

    Args:
        xs: One sequence of x for all lines, or one for each.
        ys: A sequence of y for each line.
        keys: The lines' names; ``line_0``, ``line_1`` and so on without them.
        xname: The name of the x axis.

    Raises:
        ValueError: There are not as many ``xs`` or ``keys`` as ``ys``.

    >>> line_series([0, 1], [[2, 3], [4, 5]], keys=["a", "b"]).table.data
    [[0, 'a', 2], [1, 'a', 3], [0, 'b', 4], [1, 'b', 5]]
    """
    from quark.compat.wandb.data_types.table import Table

    if not isinstance(xs[0], Iterable) or isinstance(xs[0], (str, bytes)):
        xs = [xs] * len(ys)
    if keys is None:
        keys = [f"line_{number}" for number in range(len(ys))]
    for name, given in (("xs", xs), ("keys", keys)):
        if len(given) != len(ys):
            raise ValueError(f"There are {len(given)} {name} for {len(ys)} ys; give one for each.")
    rows = [
        [x, key, y]
        for key, line_xs, line_ys in zip(keys, xs, ys, strict=True)
        for x, y in zip(line_xs, line_ys, strict=False)
    ]
    columns = ["step", "lineKey", "lineVal"]
    return plot_table(
        "wandb/lineseries/v0",
        Table(columns=columns, data=rows),
        {column: column for column in columns},
        {"title": title, "xname": xname},
        split_table,
    )
