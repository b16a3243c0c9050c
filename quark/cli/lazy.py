"""A group whose commands are imported when they are called: ``quark --help`` imports none."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """A command of a group.

    ``home`` is ``"module:name"`` of the command; ``brief`` the line that the group's help has.
    """

    name: str
    home: str
    brief: str

    def load(self) -> click.Command:
        """Import the command."""
        module, _, name = self.home.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command), self.home
        return command


class LazyGroup(click.Group):
    """A group of entries."""

    def __init__(
        self,
        *args: Any,
        entries: Sequence[Entry] = (),
        sections: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        """``sections`` are the titles below which the help lists the commands, by their names."""
        super().__init__(*args, **kwargs)
        self.entries = {entry.name: entry for entry in entries}
        self.sections = sections or {"Commands": list(self.entries)}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        command = entry.load()
        if ctx.resilient_parsing:  # a shell asks how a line may go on
            from quark.cli.completion_values import complete_values

            complete_values(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that a word may become, and import no command."""
        found = [
            CompletionItem(entry.name, help=entry.brief)
            for entry in self.entries.values()
            if entry.name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.entries, 1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, self.entries), default=0)
        for title, names in self.sections.items():
            with formatter.section(title):
                rows = [self.entries[name] for name in names]
                formatter.write_dl([(f"{entry.name:<{widest}}", entry.brief) for entry in rows])
