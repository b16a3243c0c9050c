"""The ``quark`` command: the group, and what its exit codes mean.

click exits with 2 when a command is used wrongly. Here 2 is kept for "you may not", so that a
script can tell a bad key from a bad flag; wrong usage is 1, as is everything else that failed.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Sequence

import click

from quark import __version__
from quark.cli.lazy import Entry, LazyGroup
from quark.errors import AuthenticationError, PermissionDeniedError, QuarkError

EXIT_OK = 0
EXIT_FAILED = 1  # the command, its usage or the transport
EXIT_REFUSED = 2  # authentication or authorization
EXIT_INTERRUPTED = 130  # Ctrl-C, as shells have it


#: Every command; a new one is a file in ``quark/cli/`` and a line here.
COMMANDS = (
    Entry(
        "run",
        "quark.cli.run:run_group",
        "Run a script with Quark as its `wandb`; list, show and change runs.",
    ),
    Entry(
        "init", "quark.cli.init:init", "Say once where runs are kept: in a folder, or by a service."
    ),
    Entry("auth", "quark.cli.auth:auth", "Log in to a service, and out again."),
    Entry("target", "quark.cli.target_commands:target", "Places to keep runs in that have a name."),
    Entry(
        "doctor",
        "quark.cli.doctor:doctor",
        "Look for what is wrong: the store, this machine, the service.",
    ),
    Entry("workspace", "quark.cli.workspace:workspace", "The workspaces that can be seen."),
    Entry("project", "quark.cli.project:project", "The projects, and what goes on in them."),
    Entry("sync", "quark.cli.sync:sync_folder", "Deliver what is not where it belongs yet."),
    Entry("export", "quark.cli.export:export", "Write runs into a folder or an archive."),
    Entry("import", "quark.cli.import_runs:import_runs", "Read runs from elsewhere into a store."),
    Entry("verify", "quark.cli.verify:verify", "Check that what was logged is stored and served."),
    Entry(
        "reindex", "quark.cli.reindex:reindex_store", "Make the list of runs again from the runs."
    ),
    Entry("gc", "quark.cli.gc:gc", "Remove payloads that nothing refers to."),
    Entry("completion", "quark.cli.completion:completion", "Print what makes a shell complete."),
    Entry("report", "quark.cli.report:report", "Print the report of a run."),
    Entry("compare", "quark.cli.compare:compare", "Compare a run with another one."),
    Entry("gate", "quark.cli.gate:gate", "Let a run pass, or not: exit with 0 or 1."),
    Entry("artifact", "quark.cli.artifact:artifact", "Versions of files that runs logged."),
    Entry("ui", "quark.cli.ui:ui", "Show the runs of a folder in a browser."),
    Entry("metrics", "quark.cli.metrics:metrics", "The numbers of a run."),
    Entry("logs", "quark.cli.logs:logs", "What a run printed and logged."),
    Entry("events", "quark.cli.events:events", "What happened during a run."),
    Entry("alerts", "quark.cli.alerts:alerts", "What the analyzers say against runs."),
    Entry("sweep", "quark.cli.sweep:make_sweep", "Make a sweep of a YAML file, or change one."),
    Entry("agent", "quark.cli.sweep:run_agent", "Run trials of a sweep until none is left."),
    Entry("serve", "quark.cli.serve:serve", "Keep the runs of a team, behind HTTP."),
    Entry("admin", "quark.cli.admin:admin", "Set up a service, and look after it."),
)


#: How the help groups them: as a person comes to need them.
SECTIONS = {
    "Train and look": ("run", "ui", "sweep", "agent"),
    "What was logged": ("project", "workspace", "metrics", "logs", "events", "artifact"),
    "What it is worth": ("report", "alerts", "compare", "gate"),
    "Where runs are": ("init", "target", "auth", "sync", "export", "import"),
    "Upkeep": ("doctor", "verify", "reindex", "gc", "completion"),
    "For a team": ("serve", "admin"),
}


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    sections=SECTIONS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="quark %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Quark watches neural-network training and keeps what it saw."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run ``command`` and return the exit code of its outcome; errors go to stderr.

    Args:
        command: What to run.
        arguments: The words after the program's name; the process's own if None.
    """
    try:
        outcome = command.main(arguments, prog_name="quark", standalone_mode=False)
    except click.NoSuchOption as error:
        error.show()
        if not error.possibilities:
            click.echo("A name that begins with - comes after --, as in: -- -name", err=True)
        return EXIT_FAILED
    except click.ClickException as error:
        error.show()
        return EXIT_FAILED if isinstance(error, click.UsageError) else error.exit_code
    except click.Abort as error:
        click.echo("Aborted.", err=True)
        interrupted = isinstance(error.__cause__ or error.__context__, KeyboardInterrupt)
        return EXIT_INTERRUPTED if interrupted else EXIT_FAILED
    except QuarkError as error:
        click.echo(f"Error: {error}", err=True)
        refused = isinstance(error, (AuthenticationError, PermissionDeniedError))
        return EXIT_REFUSED if refused else EXIT_FAILED
    except OSError as error:  # of a file that a person named, or of stdout: the disk is full
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}.", err=True)
        return EXIT_FAILED
    return outcome if isinstance(outcome, int) else EXIT_OK


def main() -> None:
    """Run ``quark`` with the process's arguments and exit."""
    _open_streams()
    try:
        code = run(cli)
        flushed = _flushed(says_why=code == EXIT_OK)
        code = code or flushed
    except KeyboardInterrupt:  # pressed again while the first was answered
        _leave_at_once_when_pressed_again()
        click.echo("Aborted.", err=True)
        code = EXIT_INTERRUPTED
    if code == EXIT_INTERRUPTED:
        _leave_at_once_when_pressed_again()
    sys.exit(code)


def _open_streams() -> None:
    """Make what is printed fit where it goes: names are anybody's, and a locale may know no ☃."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by who started this; a file that is opened must not take its place.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _flushed(*, says_why: bool) -> int:
    """Return whether all that was printed went out; otherwise Python would say it at its exit.

    Args:
        says_why: Whether what went wrong is printed; not if it was before.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        # What is left cannot go anywhere, and would be tried again at the exit.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        if says_why and error.errno != errno.EPIPE:
            click.echo(f"Error: {error.strerror}.", err=True)
        return EXIT_FAILED
    return EXIT_OK


def _leave_at_once_when_pressed_again() -> None:
    """Let Ctrl-C end a process that is ending already, without a traceback."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))
