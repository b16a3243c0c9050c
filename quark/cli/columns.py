"""A column of a table that a command prints, and how much room a text takes in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple


class Column(NamedTuple):
    """A column of a table. ``get`` takes a row; numbers stand at the right.

    On a terminal that is too narrow columns that are ``minor`` go first; ``fit`` says what is done
    to a text of the others.
    """

    title: str
    get: Callable[[Any], Any]
    numeric: bool = False
    fit: Literal["cut", "wrap", "whole"] = "cut"
    minor: bool = False


def cell_width(text: str) -> int:
    """Return how many columns a text takes, where letters of some scripts take two.

    >>> cell_width("loss"), cell_width("損失")
    (4, 4)
    """
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
