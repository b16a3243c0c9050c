"""The real ``quark`` command in a process of its own, and its JSON held against its schema."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import jsonschema  # type: ignore[import-untyped]

from quark.cli.main import cli
from quark.cli.output import SCHEMA

#: What starts the command in a process, with the interpreter that runs the tests.
COMMAND = (sys.executable, "-c", "from quark.cli.main import main; main()")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    def ok(self) -> Done:
        """Return itself; fail if the command did."""
        assert self.code == 0, f"quark {' '.join(self.words)} ended with {self.code}: {self.err}"
        return self


def run_cli(
    *words: object,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    stdin: str = "",
    timeout_seconds: float = 120.0,
) -> Done:
    """Run ``quark`` with these words and return how it ended.

    Args:
        words: The words after ``quark``.
        cwd: Where it runs; here, if None.
        env: Variables that it sees beside those of this process; None takes one away.
        stdin: What it reads.
        timeout_seconds: When it is killed.
    """
    changed = {**os.environ, **(env or {})}
    texts = tuple(map(str, words))
    done = subprocess.run(
        [*COMMAND, *texts],
        cwd=cwd,
        env={name: value for name, value in changed.items() if value is not None},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
    )
    return Done(texts, done.returncode, done.stdout, done.stderr)


def on_terminal(
    *words: object,
    until: str = "",
    typed: str = "",
    interrupt: bool = False,
    env: Mapping[str, str | None] | None = None,
) -> tuple[str, int]:
    """Run ``quark`` on a terminal of its own; return what that showed, and the exit code.

    Args:
        words: The words after ``quark``.
        until: What is waited for before anything is typed.
        typed: What is typed then.
        interrupt: Whether Ctrl-C is pressed then.
        env: As for :func:`run_cli`.
    """
    ours, theirs = pty.openpty()
    changed = {**os.environ, **(env or {})}
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={name: value for name, value in changed.items() if value is not None},
        # Who runs tests in the background lets them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    shown = b""
    try:
        while until and until.encode() not in shown:
            shown += _more(ours)
        os.write(ours, typed.encode())
        while process.poll() is None or select.select([ours], [], [], 0)[0]:
            # Between the prompt and waiting for a line, one may be noticed too late: press again.
            if interrupt and process.poll() is None:
                process.send_signal(signal.SIGINT)
            while not interrupt or select.select([ours], [], [], 1)[0]:
                shown += _more(ours)
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(ours)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return shown.decode(), process.returncode


def _more(descriptor: int) -> bytes:
    assert select.select([descriptor], [], [], 60)[0], "nothing came"
    return os.read(descriptor, 4096)


def json_of(done: Done, *, code: int | None = 0) -> Any:
    """Return what a command printed as JSON, once its own schema has taken it.

    A list with each line's value where the command prints lines.

    Args:
        done: A command that was called with ``--json``.
        code: The exit code that it must have; None: any.
    """
    assert code is None or done.code == code, f"{done.words} ended with {done.code}: {done.err}"
    schema = schema_of(*done.words)
    if schema.get("$comment") == "lines":
        values = [json.loads(line) for line in done.out.splitlines()]
        for value in values:
            jsonschema.validate(value, schema)
        return values
    value = json.loads(done.out)
    jsonschema.validate(value, schema)
    return value


def schema_of(*words: str) -> Mapping[str, Any]:
    """Return the JSON Schema that the command of these words states."""
    command: click.Command = cli
    context = click.Context(cli)
    for word in words:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(context, word)
        if found is None:
            break
        command = found
    schema = getattr(command.callback, SCHEMA, None)
    assert isinstance(schema, Mapping), f"{words} states no schema: @with_output(...) is missing"
    return schema


def logged_run(
    folder: Path,
    *,
    project: str = "digits",
    name: str | None = None,
    steps: int = 5,
    mode: str = "online",
    artifact: bytes | None = None,
    tags: tuple[str, ...] = ("short",),
    **settings: Any,
) -> str:
    """Log a short run with a real session, its losses 1, 1/2, 1/3 …; return its id.

    Args:
        folder: The storage directory.
        artifact: A payload that is logged with it.
        tags: The run's tags.
        settings: What else the session's settings say.
    """
    from quark import ArtifactStore, TrainingSession
    from quark.session import RunRequest
    from quark.settings import Settings

    chosen = Settings.load(
        storage_dir=folder, mode=mode, quiet=True, report=False, live_rules=False, **settings
    )
    request = RunRequest(project=project, name=name, tags=tags, config={"lr": 0.1}, settings=chosen)
    session = TrainingSession.open(request)
    for step in range(steps):
        session.log_row({"loss": 1 / (step + 1), "note": f"row {step}"}, step)
    if artifact is not None:
        with ArtifactStore(session) as artifacts:
            artifacts.store("checkpoint", "weights", artifact, payload_format="bytes")
    session.end_run()
    return session.run_id
