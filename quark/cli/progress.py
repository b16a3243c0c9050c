"""A bar on stderr for what takes a while; nothing where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Told how much of how much is done.
Tell = Callable[[int, int], None]


@contextmanager
def progress_on(what: str, *, quiet: bool = False) -> Iterator[Tell]:
    """Show a bar on stderr while the block goes on, once something was told; only on a terminal.

    Args:
        what: What goes on.
        quiet: Show nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
