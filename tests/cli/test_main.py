"""The command's doors: what it prints and which code it leaves with."""

from __future__ import annotations

import subprocess
from importlib import metadata

import click
import pytest

from quark.cli.main import EXIT_FAILED, EXIT_OK, EXIT_REFUSED, cli, run
from quark.errors import AuthenticationError, PermissionDeniedError, RunNotFoundError


class Refused(click.ClickException):
    exit_code = EXIT_REFUSED


@click.group()
def faulty() -> None:
    """Commands that end in every way a command can."""


@faulty.command()
def good() -> None: ...


@faulty.command()
@click.pass_context
def leaves_early(context: click.Context) -> None:
    context.exit(EXIT_REFUSED)


@faulty.command()
def fails() -> None:
    raise click.ClickException("it did not work")


@faulty.command()
def refused() -> None:
    raise Refused("this key may not read that project")


@faulty.command()
def unknown_run() -> None:
    raise RunNotFoundError("There is no run 'run_x' here.")


@faulty.command()
def bad_key() -> None:
    raise AuthenticationError("The user key is not valid.")


@faulty.command()
def forbidden() -> None:
    raise PermissionDeniedError("This needs the scope 'write'.")


@faulty.command()
def interrupted() -> None:
    raise KeyboardInterrupt


@faulty.command()
@click.argument("number", type=int)
def picky(number: int) -> None: ...


@faulty.command()
def buggy() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["good"], EXIT_OK, "", id="success"),
        pytest.param(["leaves-early"], EXIT_REFUSED, "", id="own-code"),
        pytest.param(["fails"], EXIT_FAILED, "it did not work", id="command-error"),
        pytest.param(["refused"], EXIT_REFUSED, "may not read", id="refused"),
        pytest.param(
            ["unknown-run"], EXIT_FAILED, "There is no run 'run_x' here.", id="quark-error"
        ),
        pytest.param(["bad-key"], EXIT_REFUSED, "key is not valid", id="bad-key"),
        pytest.param(["forbidden"], EXIT_REFUSED, "needs the scope", id="forbidden"),
        pytest.param(["interrupted"], EXIT_FAILED, "Aborted", id="ctrl-c"),
        pytest.param(["picky", "three"], EXIT_FAILED, "three", id="wrong-argument"),
        pytest.param(["picky"], EXIT_FAILED, "NUMBER", id="missing-argument"),
        pytest.param(["no-such-command"], EXIT_FAILED, "no-such-command", id="wrong-command"),
        pytest.param(["good", "--no-such-flag"], EXIT_FAILED, "--no-such-flag", id="wrong-flag"),
    ],
)
def test_each_outcome_has_its_exit_code(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(faulty, arguments) == code

    assert said in capsys.readouterr().err


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(faulty, ["buggy"])


def test_without_a_command_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli, []) == EXIT_OK

    assert "Usage: quark" in capsys.readouterr().out


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(cli, ["--version"]) == EXIT_OK

    assert capsys.readouterr().out == f"quark {metadata.version('quark-observe')}\n"


def test_the_console_entry_leads_here() -> None:
    (entry,) = metadata.distribution("quark-observe").entry_points.select(
        group="console_scripts", name="quark"
    )

    assert entry.value == "quark.cli.main:main"


def test_as_a_process_wrong_usage_exits_with_1(python: str) -> None:
    script = "from quark.cli.main import main; main()"

    result = subprocess.run(
        [python, "-c", script, "no-such-command"], capture_output=True, text=True, check=False
    )

    assert result.returncode == EXIT_FAILED
    assert "No such command" in result.stderr
