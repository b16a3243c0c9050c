"""What a look at something found: fine, worth a look, or wrong; and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import click

from quark.cli.output import Schema, object_of, shown

State = Literal["ok", "warning", "problem"]

CHECK: Schema = object_of(about="string", state="string", said="string", todo="string|null")

_STYLES: dict[State, str] = {"ok": "green", "warning": "bold yellow", "problem": "bold red"}
_MARKS: dict[State, str] = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}


class Check(NamedTuple):
    """One thing that was looked at. ``todo`` is what to do about it."""

    about: str
    state: State
    said: str
    todo: str | None = None


def has_problem(checks: Iterable[Check]) -> bool:
    """Say whether anything is wrong."""
    return any(check.state == "problem" for check in checks)


def show_checks(checks: Sequence[Check], *, indent: str = "") -> None:
    """Print what was found, a line for each thing and one for what to do about it."""
    width = max((len(check.about) for check in checks), default=0)
    lines = []
    for check in checks:
        head = f"{_MARKS[check.state]:<8} {check.about:<{width}}  "
        lines.append((check.state, head, shown(check.said)))
        if check.todo:
            lines.append((check.state, " " * (len(head) - 2) + "→ ", shown(check.todo)))
    if not sys.stdout.isatty():
        for _, head, text in lines:
            click.echo(indent + head + text)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for state, head, text in lines:
        console.print(Text.assemble(indent, (head[:8], _STYLES[state]), head[8:], text))


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a number with its word.

    >>> counted(1, "run"), counted(1200, "run"), counted(2, "copy", "copies")
    ('1 run', '1,200 runs', '2 copies')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def in_bytes(size_bytes: float) -> str:
    """Return a size as people read it, in powers of 1000.

    >>> in_bytes(0), in_bytes(1536), in_bytes(2.5e9)
    ('0 B', '1.5 kB', '2.5 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"
