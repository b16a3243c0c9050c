"""Tables on a terminal, as wide as that is: one row a line, also where there is little room."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

from quark.cli.columns import Column, cell_width

#: What a text is cut to at the least; the first column, which people type again, to more.
_LEAST = 8
_LEAST_FIRST = 16
_LEAST_WRAPPED = 20
_GAP = 2


def print_table(columns: Sequence[Column], texts: Sequence[Sequence[str]]) -> list[str]:
    """Print a table; return the titles of columns that there was no room for."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    widths = fitted(columns, texts, console.width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, width in widths.items():
        column = columns[at]
        table.add_column(
            column.title,
            justify="right" if column.numeric else "left",
            width=width,
            no_wrap=column.fit != "wrap",
        )
    for row in texts:
        table.add_row(*(Text(row[at]) for at in widths))  # never as markup: names are anybody's
    console.print(table)
    return [column.title for at, column in enumerate(columns) if at not in widths and column.title]


def fitted(columns: Sequence[Column], texts: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    """Return the columns that there is room for, by their places, and how wide each is.

    Texts are cut first, the longest one most. Where that is not enough, columns are left out, the
    last one first: those that are minor, and others once the first column is cut, too.

    >>> from quark.cli.columns import Column
    >>> columns = [Column("ID", str), Column("NAME", str), Column("AT", str, minor=True)]
    >>> rows = [["rpwnnfgh", "a-name-of-twenty-one!", "04:52:16"]]
    >>> fitted(columns, rows, 80), fitted(columns, rows, 36), fitted(columns, rows, 24)
    ({0: 8, 1: 21, 2: 8}, {0: 8, 1: 16, 2: 8}, {0: 8, 1: 14})
    """
    natural = [
        max([cell_width(column.title), *(cell_width(row[at]) for row in texts)])
        for at, column in enumerate(columns)
    ]
    least = [min(size, _least(at, columns[at])) for at, size in enumerate(natural)]
    kept = list(range(len(columns)))
    minor = [at for at in kept[1:] if columns[at].minor]
    while minor and _total([natural[0], *(least[at] for at in kept[1:])]) > width:
        kept.remove(minor.pop())
    while kept[1:] and _total([least[at] for at in kept]) > width:
        kept.pop()
    found = {at: natural[at] for at in kept}
    while _total(found.values()) > width:
        cuttable = [at for at in kept[1:] if found[at] > least[at]] or kept[:1]
        widest = max(cuttable, key=found.__getitem__)
        if found[widest] <= least[widest]:
            break  # the terminal breaks the line
        found[widest] -= 1
    return found


def _total(widths: Collection[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _least(at: int, column: Column) -> int:
    """Return what a column may be cut to: not a number, and no title."""
    if column.numeric or column.fit == "whole":
        return sys.maxsize
    if column.fit == "wrap":
        return _LEAST_WRAPPED
    return max(_LEAST if at else _LEAST_FIRST, cell_width(column.title))
