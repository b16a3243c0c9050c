"""The ``quark`` command: the group, and what its exit codes mean.

click exits with 2 when a command is used wrongly. Here 2 is kept for "you may not", so that a
script can tell a bad key from a bad flag; wrong usage is 1, as is everything else that failed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from quark import __version__
from quark.cli.admin import admin
from quark.cli.run import run_script
from quark.cli.serve import serve
from quark.cli.sweep import make_sweep, run_agent
from quark.errors import AuthenticationError, PermissionDeniedError, QuarkError

EXIT_OK = 0
EXIT_FAILED = 1  # the command, its usage or the transport
EXIT_REFUSED = 2  # authentication or authorization


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="quark %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Quark watches neural-network training and keeps what it saw."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


cli.add_command(run_script)
cli.add_command(make_sweep)
cli.add_command(admin)
cli.add_command(run_agent)
cli.add_command(serve)


def run(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run ``command`` and return the exit code of its outcome; errors go to stderr.

    Args:
        command: What to run.
        arguments: The words after the program's name; the process's own if None.
    """
    try:
        outcome = command.main(arguments, prog_name="quark", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return EXIT_FAILED if isinstance(error, click.UsageError) else error.exit_code
    except click.Abort:
        click.echo("Aborted.", err=True)
        return EXIT_FAILED
    except QuarkError as error:
        click.echo(f"Error: {error}", err=True)
        refused = isinstance(error, (AuthenticationError, PermissionDeniedError))
        return EXIT_REFUSED if refused else EXIT_FAILED
    return outcome if isinstance(outcome, int) else EXIT_OK


def main() -> None:
    """Run ``quark`` with the process's arguments and exit."""
    sys.exit(run(cli))
