"""What commands print: tables for people, JSON for programs.

stdout carries the answer and nothing else; what is said beside it goes to stderr. With ``--json``
the answer is one JSON document, or a line of JSON for each thing where there is no end to them. A
pipe gets no colours and no box, and neither does who sets ``NO_COLOR``.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

from quark import jsonio
from quark.cli.columns import Column as Column, cell_width

F = TypeVar("F", bound=Callable[..., Any])
Schema = Mapping[str, Any]

#: Where a command's JSON Schema is found on its callback.
SCHEMA = "__quark_json_schema__"


class Output:
    """Where a command says its answer."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def answer(self, plain: Any) -> None:
        """Print a value as JSON; only where :attr:`as_json`, or where JSON is the answer anyway."""
        click.echo(jsonio.dumps(jsonio.to_plain(plain), indent=True).decode())

    def line(self, plain: Any) -> None:
        """Print a value as one line of JSON, at once."""
        click.echo(jsonio.dumps(jsonio.to_plain(plain)).decode())
        sys.stdout.flush()

    def rows(self, rows: Sequence[Any], columns: Sequence[Column], *, empty: str) -> None:
        """Print a table; ``empty`` says what would fill it."""
        if not rows:
            self.note(empty)
            return
        texts = [[shown(column.get(row)) for column in columns] for row in rows]
        if sys.stdout.isatty():
            from quark.cli.terminal_table import print_table

            left_out = print_table(columns, texts)
            if left_out:
                self.note(f"Too narrow for {', '.join(left_out)}; widen it, or see --json.")
        else:
            _print_plain([[column.title for column in columns], *texts], columns)

    def pairs(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Print names and values below each other."""
        texts = [(name, shown(value)) for name, value in pairs]
        width = max((cell_width(name) for name, _ in texts), default=0)
        for name, value in texts:
            room = " " * (width - cell_width(name))
            click.echo(f"{name}{room}  {value}".rstrip())

    def text(self, text: str) -> None:
        """Print text as it is."""
        click.echo(text)

    def note(self, text: str) -> None:
        """Say something beside the answer, on stderr."""
        click.echo(text, err=True)


def with_output(schema: Schema) -> Callable[[F], F]:
    """Add ``--json``; the command gets ``out``, an :class:`Output`.

    Args:
        schema: The JSON Schema of what it prints with ``--json``: of the document, or of each line
            where its ``$comment`` is ``"lines"``.
    """

    def decorate(command: F) -> F:
        @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
        @functools.wraps(command)
        def with_it(*args: Any, as_json: bool, **rest: Any) -> Any:
            return command(*args, out=Output(as_json=as_json), **rest)

        with_it.__dict__[SCHEMA] = schema
        return with_it  # type: ignore[return-value]

    return decorate


def states(schema: Schema) -> Callable[[F], F]:
    """State the JSON Schema of a command that has a ``--json`` of its own."""

    def decorate(command: F) -> F:
        command.__dict__[SCHEMA] = schema
        return command

    return decorate


def object_of(**properties: str | Schema) -> Schema:
    """Return the schema of an object: every property is there, and more may be.

    >>> object_of(id="string", score="number|null")["properties"]["score"]
    {'type': ['number', 'null']}
    """
    return {
        "type": "object",
        "properties": {name: _schema(kind) for name, kind in properties.items()},
        "required": list(properties),
    }


def list_of(item: str | Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": _schema(item)}


def lines_of(item: Schema) -> Schema:
    """Return the schema of lines, each an ``item``."""
    return {**item, "$comment": "lines"}


def _schema(kind: str | Schema) -> Schema:
    if not isinstance(kind, str):
        return kind
    words = kind.split("|")
    return {} if words == ["any"] else {"type": words if len(words) > 1 else words[0]}


def shown(value: Any) -> str:
    r"""Return how a value is shown: one line, which does nothing to a terminal.

    >>> shown(None), shown(0.1234567891), shown(["a", "b"]), shown("red: \x1b[31m")
    ('-', '0.123457', 'a, b', 'red: \\x1b[31m')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value))
    # What a terminal would obey is shown instead: names and values are anybody's.
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(value))


def _print_plain(lines: Sequence[Sequence[str]], columns: Sequence[Column]) -> None:
    widths = [max(cell_width(line[at]) for line in lines) for at in range(len(columns))]
    for line in lines:
        cells = []
        for cell, width, column in zip(line, widths, columns, strict=True):
            room = " " * (width - cell_width(cell))
            cells.append(room + cell if column.numeric else cell + room)
        click.echo("  ".join(cells).rstrip())
