"""``quark run watch``: a run while it goes on, live in a terminal, or a line for each change."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import click

from quark.cli.asked_run import with_run
from quark.cli.output import Output, lines_of, list_of, object_of, with_output

if TYPE_CHECKING:
    from rich.console import Console

    from quark.cli.asked_run import AskedRun
    from quark.cli.watch_keys import Wait
    from quark.cli.watch_state import Seen, Watched

_SCHEMA = lines_of(
    object_of(
        time="string",
        id="string",
        status="string",
        step="integer|null",
        steps_per_second="number|null",
        elapsed_seconds="number|null",
        metrics="object",
        alerts=list_of(object_of(severity="string", title="string")),
        phase="string|null",
        stop_asked_by="string|null",
    )
)
_LOCAL_SECONDS, _REMOTE_SECONDS = 1.0, 2.0
#: How often the size of the terminal and the clock on it are looked at.
_TURN_SECONDS = 0.25


@click.command(name="watch")
@with_run
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@with_output(_SCHEMA)
def watch(out: Output, asked: AskedRun, keys: tuple[str, ...]) -> int:
    """Watch a run while it goes on: speed, metrics, alerts, phases, the machine.

    It ends with the run, with exit code 1 if that failed; q and Ctrl-C only leave. Without a
    terminal it prints a line for each change, with --json one of JSON.

    \b
    quark run watch rpwnn
    quark run watch rpwnn train/loss val/loss
    quark run watch rpwnn --json | jq .metrics
    """
    from quark.cli.watch_state import Watched
    from quark.session.places import is_remote

    watched = Watched(asked, keys)
    seconds = _REMOTE_SECONDS if is_remote(asked.settings) else _LOCAL_SECONDS
    try:
        if out.as_json or not _is_screen():
            return _print_changes(out, watched, seconds)
        return _show_screen(watched, seconds)
    except KeyboardInterrupt:
        return 0


def _is_screen() -> bool:
    from rich.console import Console

    return sys.stdout.isatty() and not Console().is_dumb_terminal


def _code(seen: Seen) -> int:
    return 1 if seen.run.status == "failed" else 0


def _print_changes(out: Output, watched: Watched, seconds: float) -> int:
    from quark.cli.watch_words import as_json, plain_line

    pause = threading.Event()
    while True:
        seen, is_new = watched.look(most_metrics=0)
        if is_new:
            out.line(as_json(seen)) if out.as_json else out.text(plain_line(seen))
            sys.stdout.flush()
        if seen.run.status != "running":
            return _code(seen)
        pause.wait(seconds)


def _show_screen(watched: Watched, seconds: float) -> int:
    from rich.console import Console

    from quark.cli.watch_keys import keys
    from quark.cli.watch_screen import draw

    console = Console(highlight=False)
    seen: Seen | None = None
    try:
        with keys() as wait, console.screen(hide_cursor=True):
            seen = _turns(console, watched, seconds, wait)
    finally:
        if seen is None:  # left by Ctrl-C: what was seen last stays on the terminal
            seen = watched.last
        if seen is not None:
            console.print(draw(seen, console, height=None, with_keys=False))
    return _code(seen)


def _turns(console: Console, watched: Watched, seconds: float, wait: Wait | None) -> Seen:
    """Look and draw until the run has ended or somebody leaves; return what was seen last."""
    from quark.cli.watch_screen import draw, metric_rows
    from quark.clock import SYSTEM_CLOCK

    pause = threading.Event()
    first, drawn_size, next_look, next_draw = 0, None, 0.0, 0.0
    seen: Seen | None = None
    while True:
        now = SYSTEM_CLOCK.monotonic()
        is_new = False
        if seen is None or now >= next_look:
            rows = metric_rows(seen, console.height)
            seen, is_new = watched.look(most_metrics=first + rows)
            next_look = SYSTEM_CLOCK.monotonic() + seconds
            if seen.run.status != "running":
                return seen
        last = max(0, len(seen.metrics) - metric_rows(seen, console.height))
        first = min(first, last)
        if is_new or console.size != drawn_size or now >= next_draw:
            drawn_size, next_draw = console.size, now + 1.0  # the clock goes on, too
            console.update_screen(
                draw(seen, console, first=first, height=console.height, with_keys=wait is not None)
            )
        if wait is None:
            pause.wait(_TURN_SECONDS)
            continue
        keys = wait(_TURN_SECONDS)
        if "q" in keys:
            return seen
        if keys:
            first = max(0, min(first + keys.count("down") - keys.count("up"), last))
            drawn_size, next_look = None, 0.0
