"""``quark run``: a script as it is, with Quark as its ``wandb``."""

from __future__ import annotations

import click

from quark.compat.launching import launch


class EverythingIsTheScripts(click.Command):
    """A command that reads none of its words, not even ``--help`` behind the script's name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = [] if args in (["-h"], ["--help"]) else args
        if args != ctx.args:
            click.echo(self.get_help(ctx))
            ctx.exit()
        return ctx.args


@click.command(name="run", cls=EverythingIsTheScripts, options_metavar="[-m] SCRIPT [ARGUMENTS]...")
@click.pass_context
def run_script(context: click.Context) -> int:
    """Run a script as python would, with Quark as its `wandb`.

    The script and the processes that it starts stay as they are. Takes what python takes
    (-m module, -c code, -, options before them), or a command in the place of the script, such as
    torchrun.
    """
    return launch("quark run", context.args)
