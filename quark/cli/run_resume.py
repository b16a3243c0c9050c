"""``quark run resume``: how a run goes on, and starting the command again that it had."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from quark.cli.asked_run import with_run
from quark.cli.output import Output, object_of, shown, with_output

if TYPE_CHECKING:
    from quark.cli.asked_run import AskedRun
    from quark.records import RunRecord

_SCHEMA = object_of(
    id="string",
    status="string",
    step="integer|null",
    api="string",
    directory="string|null",
    command={"type": ["array", "null"], "items": {"type": "string"}},
    environment="object",
    problem="string|null",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """How a run was started. ``problem`` says why that cannot be done again from here."""

    api: str  # "wandb", "native" or "unknown"
    directory: str | None = None
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    problem: str | None = None


@click.command(name="resume")
@with_run
@click.option("--start", is_flag=True, help="Start the recorded command again, in its folder.")
@with_output(_SCHEMA)
def resume(out: Output, asked: AskedRun, start: bool) -> None:
    """Say how a run goes on, or let it go on.

    A script of wandb.init() goes on with the run if two variables say so; --start sets them and
    starts the recorded command again, as if it were called here. Another script has to call
    TrainingSession.resume_run() itself.

    \b
    quark run resume rpwnn
    quark run resume rpwnn --start
    """
    from quark.cli.run_show import last_step
    from quark.errors import InvalidRunStateError

    run = asked.read()
    recorded = _recorded(asked, run)
    _check_ended(run, recorded)
    step = last_step(asked.store.points.keys(run.id))
    if start:
        if out.as_json:
            raise click.UsageError("--start becomes the script, so there is no JSON to print.")
        if recorded.problem is not None:
            raise InvalidRunStateError(
                f"Run {run.id!r} cannot be started again from here: {recorded.problem}"
            )
        _start(asked, recorded)
    if out.as_json:
        out.answer(
            {
                "id": run.id,
                "status": str(run.status),
                "step": step,
                "api": recorded.api,
                "directory": recorded.directory,
                "command": list(recorded.command) or None,
                "environment": recorded.environment,
                "problem": recorded.problem,
            }
        )
        return
    place = "" if step is None else f" after step {step}"
    why = f": {shown(run.end_reason)}" if run.end_reason else ""
    out.text(f"Run {run.id} of {shown(run.project_name)} is {run.status}{place}{why}.")
    for line in _how(run, recorded):
        out.text(line)


def _check_ended(run: RunRecord, recorded: Recorded) -> None:
    from quark.errors import InvalidRunStateError

    if run.status == "running":
        raise InvalidRunStateError(
            f"Run {run.id!r} is running. `quark run watch {run.id}` shows it, `quark run stop "
            f"{run.id}` asks it to stop; if it is lost, `quark run finish {run.id} --status "
            "interrupted` ends it."
        )
    if run.status == "completed" and recorded.api != "wandb":
        raise InvalidRunStateError(
            f"Run {run.id!r} is completed, which is final. Start a new run with "
            f"parent_run_id={run.id!r} to continue its lineage."
        )


def _recorded(asked: AskedRun, run: RunRecord) -> Recorded:
    """Return what the run's folder says of its start."""
    folder = asked.folder
    launcher: dict[str, Any] = {}
    api = "unknown"
    if folder is not None:
        api = "wandb" if (folder / "files").is_dir() else "native"
        launcher = _json(folder / "run_metadata.json").get("launcher") or {}
    environment = _environment(asked, run) if api == "wandb" else {}
    command = tuple(map(str, launcher.get("command") or ()))
    directory = launcher.get("cwd")
    if command and not os.path.isabs(command[0]) and folder is not None:
        python = (_json(folder / "runtime_env.json").get("python") or {}).get("executable")
        command = (str(python or command[0]), *command[1:])
    return Recorded(
        api=api,
        directory=directory,
        command=command,
        environment=environment,
        problem=_problem(api, launcher, command, directory),
    )


def _problem(
    api: str, launcher: dict[str, Any], command: tuple[str, ...], directory: str | None
) -> str | None:
    from quark.redact import REDACTED

    if not command:
        return "no command is recorded of it on this machine. Start it as it was started before."
    if any(REDACTED in word for word in command):
        return "its command held a secret, which is not kept. Start it by hand."
    if (launcher.get("world_size") or 1) > 1:
        return (
            f"it was one of {launcher['world_size']} processes. Start them with their launcher, "
            "as before, with the variables that `quark run resume` prints."
        )
    if directory is None or not os.path.isdir(directory):
        return f"its folder {directory!r} is not on this machine."
    if api != "wandb":
        return (
            "its script has to call TrainingSession.resume_run() itself; start_run() would begin "
            "another run."
        )
    return None


def _environment(asked: AskedRun, run: RunRecord) -> dict[str, str]:
    """Return the variables by which a script goes on with a run, none of them secret."""
    found = {"WANDB_RUN_ID": run.id, "WANDB_RESUME": "must", "WANDB_PROJECT": run.project_name}
    root = asked.store.run_dir(run.id)
    if root is not None:
        found["QUARK_STORAGE_DIR"] = str(root.parent.parent.parent)
    elif asked.settings.persistence_url is not None:
        found["QUARK_PERSISTENCE_URL"] = asked.settings.persistence_url
    return found


def _how(run: RunRecord, recorded: Recorded) -> list[str]:
    command = shlex.join(recorded.command)
    go = [] if recorded.directory is None else [f"  cd {shlex.quote(recorded.directory)}"]
    if recorded.api == "wandb":
        words = [f"{name}={shlex.quote(text)}" for name, text in recorded.environment.items()]
        script = _of_python(recorded.command)
        start = f"quark run {shlex.join(script)}" if script else "quark run SCRIPT"
        lines = ["Its script goes on with it like this:", "", *go]
        lines += [f"  {' '.join(words)} \\", f"    {start}", ""]
        if recorded.problem is None:
            lines.append(f"`quark run resume {run.id} --start` does so.")
        else:
            lines.append(f"--start cannot: {recorded.problem}")
        return list(map(shown, lines))
    lines = [
        "Its script goes on with it by calling",
        "",
        f"  session = TrainingSession.resume_run(run_id={run.id!r})",
        "",
    ]
    if command:
        lines += ["in the place of start_run(). It was started like this:", "", *go, f"  {command}"]
    else:
        lines += ["in the place of start_run(). How it was started is not known here."]
    return list(map(shown, lines))


def _of_python(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return what follows the interpreter, if there is one."""
    is_python = bool(command) and os.path.basename(command[0]).startswith("python")
    return command[1:] if is_python else command


def _start(asked: AskedRun, recorded: Recorded) -> NoReturn:
    """Become the recorded command."""
    from quark.compat.launching import FOLDER
    from quark.settings import lead_python_path, set_environment_variable

    assert recorded.directory is not None
    for name, text in recorded.environment.items():
        set_environment_variable(name, text)
    if asked.settings.user_key is not None and asked.store.run_dir(asked.run_id) is None:
        set_environment_variable("QUARK_USER_KEY", asked.settings.user_key)
    lead_python_path(FOLDER)
    try:
        os.chdir(recorded.directory)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execvp(recorded.command[0], list(recorded.command))
    except OSError as error:
        raise click.ClickException(
            f"{shlex.join(recorded.command)} cannot be started in {recorded.directory}: "
            f"{error.strerror}."
        ) from error


def _json(path: Path) -> dict[str, Any]:
    from quark import jsonio
    from quark.errors import SchemaValidationError

    try:
        found = jsonio.loads(path.read_bytes())
    except (OSError, SchemaValidationError):
        return {}
    return found if isinstance(found, dict) else {}
