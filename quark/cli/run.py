"""``quark run``: what there is to do with runs; anything else is a script to run with Quark.

The first word decides. What is the name of a command below is that command; every other word
begins what ``python`` would be given, of which nothing is read here, not even ``--help``.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
from typing import Any

import click
from click.shell_completion import CompletionItem

from quark.cli.lazy import Entry, LazyGroup

RUN_COMMANDS = (
    Entry("start", "quark.cli.run_start:start", "Make a run, and print its id."),
    Entry("list", "quark.cli.run_list:list_runs", "List runs, the newest first."),
    Entry("show", "quark.cli.run_show:show", "Show all that is known of a run."),
    Entry("status", "quark.cli.run_show:status", "Print the status of a run."),
    Entry("watch", "quark.cli.watch:watch", "Watch a run while it goes on."),
    Entry("finish", "quark.cli.run_change:finish", "End a run that nobody ends."),
    Entry("tag", "quark.cli.run_change:tag", "Add tags to a run, and take some away."),
    Entry("delete", "quark.cli.run_delete:delete", "Delete runs, with all that belongs to them."),
    Entry("stop", "quark.cli.run_stop:stop", "Ask a training to stop at its next step."),
    Entry("resume", "quark.cli.run_resume:resume", "Say how a run goes on, or let it go on."),
)

_PROGRAM = "quark run"
#: What could be meant as the name of a command: no path, no option, no suffix.
_PLAIN_WORD = re.compile(r"[a-z]{3,12}")


class RunGroup(LazyGroup):
    """A group whose commands share their place with scripts."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and not args:  # a shell asks which commands there are
            return super().parse_args(ctx, args)
        if not args:
            click.echo(self.get_help(ctx), err=True)
            ctx.exit(1)
        if args[0] in self.entries or args in (["-h"], ["--help"]):
            return super().parse_args(ctx, args)
        ctx.args = args
        return args

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.args and not ctx._protected_args:
            return _launch(ctx)
        return super().invoke(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = super().shell_complete(ctx, incomplete)
        return found or [CompletionItem(incomplete, type="file")]  # a script

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[-m] SCRIPT [ARGUMENTS]...")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGUMENTS]...", prefix="       ")


@click.group(name="run", cls=RunGroup, entries=RUN_COMMANDS)
def run_group() -> None:
    """Run a script with Quark as its `wandb`; list, show and change runs.

    A script and the processes that it starts stay as they are. Takes what python takes (-m module,
    -c code, -, options before them), or a command in the place of the script, such as torchrun. A
    script with the name of a command below is run with ./ before it.

    \b
    quark run train.py --lr 0.1
    quark run -m my_package.train
    quark run list --project digits --sort summary.val/loss
    quark run watch rpwnn
    """


def _launch(context: click.Context) -> int:
    from quark.compat.launching import launch

    words = context.args
    if _PLAIN_WORD.fullmatch(words[0]) and not os.path.exists(words[0]):
        near = difflib.get_close_matches(words[0], [one.name for one in RUN_COMMANDS], 1, 0.7)
        if near and shutil.which(words[0]) is None:
            raise click.UsageError(
                f"There is no script, program or command {words[0]!r}. Did you mean {near[0]!r}?",
                context,
            )
    return launch(_PROGRAM, words)
