"""The command's doors: what it prints and which code it leaves with."""

from __future__ import annotations

import os
import subprocess
from importlib import metadata
from pathlib import Path

import click
import pytest

from quark.cli.main import (
    COMMANDS,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_REFUSED,
    SECTIONS,
    cli,
    run,
)
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
        pytest.param(["interrupted"], EXIT_INTERRUPTED, "Aborted", id="ctrl-c"),
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


#: A command that is interrupted, and whose answer to that is interrupted too; then its exit.
PRESSED_AGAIN = """
import atexit, os, signal, click
from quark.cli import main as entry
press = lambda: os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test may run with it ignored

@click.command()
def command():
    press()

echo, pressed = click.core.echo, []
def pressing(*arguments, **named):
    if not pressed:
        pressed.append(press())
    echo(*arguments, **named)
click.core.echo = pressing  # what click says first when Ctrl-C was pressed
entry.cli = command
atexit.register(press)
entry.main()
"""


def test_ctrl_c_pressed_again_ends_it_without_a_traceback(python: str) -> None:
    result = subprocess.run([python, "-c", PRESSED_AGAIN], capture_output=True, text=True)

    assert (result.returncode, result.stderr) == (EXIT_INTERRUPTED, "Aborted.\n")


#: A command of its own in the place of all, at the door that the process has.
PRINTS = """
import click
from quark.cli import main as entry
entry.cli = click.command({what})
entry.main()
"""
SNOWMAN = PRINTS.format(what="lambda: click.echo('\\u2603 ' * 9000)")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("what", ["lambda: click.echo('x')", "lambda: print('x')"])
@pytest.mark.parametrize("buffering", [(), ("-u",)], ids=["buffered", "unbuffered"])
def test_a_full_disk_behind_stdout_is_said_in_a_line(
    what: str, buffering: tuple[str, ...], python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [python, *buffering, "-c", PRINTS.format(what=what)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert (result.returncode, result.stderr) == (EXIT_FAILED, "Error: No space left on device.\n")


def test_a_file_that_cannot_be_written_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def writes() -> None:
        (tmp_path / "none" / "x").write_text("")

    assert run(writes, []) == EXIT_FAILED

    said = capsys.readouterr().err
    assert said == f"Error: {tmp_path}/none/x: No such file or directory.\n"


def test_who_closes_stdout_or_reads_a_little_of_it_sees_no_traceback(python: str) -> None:
    for shell, code in ((">&-", EXIT_OK), (">&- 2>&-", EXIT_OK), ("| head -c 1", EXIT_OK)):
        words = ["sh", "-c", f'"$1" -c "$2" {shell}', "sh", python, SNOWMAN]
        result = subprocess.run(words, capture_output=True)
        assert (result.returncode, result.stderr) == (code, b"")


def test_letters_that_a_locale_does_not_know_are_written_out(python: str) -> None:
    result = subprocess.run(
        [python, "-c", SNOWMAN],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
    )

    assert (result.returncode, result.stderr) == (EXIT_OK, b"")
    assert result.stdout.startswith(b"\\u2603 ")


def test_a_name_that_looks_like_an_option_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(faulty, ["picky", "-odd"]) == EXIT_FAILED
    assert "comes after --, as in: -- -name" in capsys.readouterr().err

    assert run(cli, ["doctor", "--jsn"]) == EXIT_FAILED  # a slip: that is said alone
    said = capsys.readouterr().err
    assert ("--json" in said, "comes after" in said) == (True, False)


def test_the_help_lists_every_command_once_below_a_title() -> None:
    named = [name for names in SECTIONS.values() for name in names]

    assert sorted(named) == sorted(entry.name for entry in COMMANDS)


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
