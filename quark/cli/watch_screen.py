"""The screen of ``quark run watch``, as rich draws it. A text of a run is text, never markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from quark.cli.output import shown
from quark.cli.watch_words import bests, elapsed, machine, sparkline, speed

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from quark.cli.watch_state import Metric, Seen

_STATUS = {
    "running": "bold cyan",
    "completed": "bold green",
    "failed": "bold red",
    "interrupted": "bold yellow",
}
_TONES = {"info": "cyan", "warning": "yellow", "error": "red", "critical": "bold red"}
_MOST_ALERTS = 5
_MOST_PHASES = 3
_KEYS = "q leaves   ↑ ↓ scroll"


def metric_rows(seen: Seen | None, height: int) -> int:
    """Return how many metrics a screen of ``height`` lines has room for."""
    used = 6  # head, rules, titles and the last line
    if seen is not None:
        used += min(len(seen.alerts), _MOST_ALERTS) + 2 * bool(seen.alerts)
        used += min(len(seen.phases), _MOST_PHASES) + 2 * bool(seen.phases)
        used += bool(machine(seen)) * 2
    return max(3, height - used)


def draw(
    seen: Seen, console: Console, *, first: int = 0, height: int | None, with_keys: bool
) -> RenderableType:
    """Return the whole screen.

    Args:
        first: The metric on top.
        height: Its lines; None: as many as there are to say.
        with_keys: Whether keys are listened to.
    """
    ascii_only = console.options.ascii_only
    width = console.width
    room = len(seen.metrics) if height is None else metric_rows(seen, height)
    parts: list[RenderableType] = [_head(seen), _progress(seen)]
    if seen.metrics:
        metrics = seen.metrics[first : first + room]
        parts += [_rule("metrics", ascii_only), _metrics(metrics, width, ascii_only)]
        hidden = len(seen.metrics) - len(metrics)
        if hidden:
            parts.append(Text(f"{hidden} more of {len(seen.metrics)}", style="dim"))
    else:
        parts.append(Text("No metrics yet: log some, and they show here.", style="dim"))
    if seen.alerts:
        parts += [_rule(f"alerts ({len(seen.alerts)})", ascii_only), *_alerts(seen, width)]
    if seen.phases:
        parts += [_rule("phases", ascii_only), *_phases(seen, width)]
    if machine(seen):
        parts += [_rule("machine", ascii_only), _cut(Text(machine(seen)), width)]
    if with_keys:
        keys = _KEYS if not ascii_only else "q leaves"
        parts.append(Text(keys, style="dim"))
    return Group(*parts)


def _head(seen: Seen) -> Text:
    run = seen.run
    head = Text(no_wrap=True, overflow="ellipsis")
    head.append(shown(run.name or run.id), style="bold")
    if run.name and run.name != run.id:
        head.append(f"  {run.id}", style="dim")
    head.append(f"  {shown(run.project_name)}", style="dim")
    head.append(f"  {run.status}", style=_STATUS.get(str(run.status), "bold"))
    if seen.stop_asked_by is not None:
        head.append(f"  asked to stop by {shown(seen.stop_asked_by)}", style="yellow")
    elif run.end_reason:
        head.append(f"  {shown(run.end_reason)}", style="yellow")
    return head


def _progress(seen: Seen) -> Text:
    parts = ["no steps yet" if seen.step is None else f"step {seen.step:,}"]
    parts += [text for text in (speed(seen), elapsed(seen)) if text]
    if seen.run.tags:
        parts.append(" ".join(f"#{shown(tag)}" for tag in seen.run.tags))
    return Text("   ".join(parts), no_wrap=True, overflow="ellipsis")


def _metrics(metrics: tuple[Metric, ...], width: int, ascii_only: bool) -> Table:
    longest = max(len(shown(one.key)) for one in metrics)
    key_width = min(longest, max(12, width // 3))
    narrow = width < 64
    room = width - key_width - 12 - (0 if narrow else 22) - 6
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim", expand=False)
    table.add_column("", width=key_width, no_wrap=True, overflow="ellipsis")
    table.add_column("", no_wrap=True)
    table.add_column("last", justify="right", min_width=10, no_wrap=True)
    if not narrow:
        table.add_column("best or range", justify="right", min_width=16, no_wrap=True)
    for one in metrics:
        curve = Text(sparkline(one.cells, min(room, 48), ascii_only=ascii_only), style="cyan")
        last = Text(shown(one.last), style="bold red" if one.last != one.last else "bold")
        row: list[RenderableType] = [Text(shown(one.key)), curve, last]
        if not narrow:
            row.append(Text(bests(one), style="green" if one.best is not None else "dim"))
        table.add_row(*row)
    return table


def _alerts(seen: Seen, width: int) -> list[Text]:
    lines = []
    for one in seen.alerts[:_MOST_ALERTS]:
        line = Text()
        line.append(f"{one.severity:<9}", style=_TONES.get(one.severity, ""))
        line.append(shown(one.title), style="bold")
        line.append(f"  {shown(one.fact)}", style="dim")
        lines.append(_cut(line, width))
    return lines


def _phases(seen: Seen, width: int) -> list[Text]:
    lines = []
    for one in seen.phases[-_MOST_PHASES:]:
        steps = f"{one.step_start if one.step_start is not None else '?'}–{one.step_end or '?'}"
        line = Text(f"{steps:<14}")
        line.append(shown(one.display_name), style="bold")
        line.append(f"  {shown(one.summary)}", style="dim")
        lines.append(_cut(line, width))
    return lines


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    line.no_wrap = True
    return line


def _rule(title: str, ascii_only: bool) -> Rule:
    return Rule(
        Text(title, style="dim"), align="left", style="dim", characters="-" if ascii_only else "─"
    )
