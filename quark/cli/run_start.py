"""``quark run start``: a run that no process of Python begins, for scripts of a shell."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quark.cli.output import Output, object_of, with_output
from quark.cli.target import with_settings
from quark.errors import SchemaValidationError

if TYPE_CHECKING:
    from quark.settings import Settings

_SCHEMA = object_of(id="string", name="string|null", project="string", status="string")


@click.command(name="start")
@click.option("--project", "-p", default="default", show_default=True, help="What it belongs to.")
@click.option("--name", "-n", help="What it is called.")
@click.option("--id", "run_id", help="Its id; a fresh one by default.")
@click.option("--tag", "tags", multiple=True, help="A word to find it by; several times.")
@click.option("--group", help="What it is grouped by.")
@click.option("--notes", help="What is to be said of it.")
@click.option(
    "--config",
    "-c",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A value of its configuration, JSON or text; dots nest. Several times.",
)
@click.option(
    "--config-file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Its configuration: .json, .toml or .yaml; - reads JSON.",
)
@with_settings
@with_output(_SCHEMA)
def start(
    out: Output,
    settings: Settings,
    project: str,
    name: str | None,
    run_id: str | None,
    tags: tuple[str, ...],
    group: str | None,
    notes: str | None,
    words: tuple[str, ...],
    config_file: Path | None,
) -> None:
    """Make a run, and print its id.

    It is running until `quark run finish`, or until a script that goes on with it ends: one that
    calls wandb.init(id=..., resume="allow"), or is told the same by the variables below.

    \b
    RUN=$(quark run start --project digits --tag nightly --config lr=0.01)
    WANDB_RUN_ID=$RUN WANDB_RESUME=allow quark run train.py
    quark run finish "$RUN" --exit-code $?
    """
    from quark import ids
    from quark.persistence.open import open_store, with_own_workspace

    config = {} if config_file is None else _from_file(config_file)
    for word in words:
        _put(config, word)
    settings = with_own_workspace(settings)
    store = open_store(settings)
    try:
        run = _new_run(settings.workspace, project, run_id or ids.new_run_id(), config)
        run.update(name=name, tags=tuple(dict.fromkeys(tags)), group=group, notes=notes)
        made = _keep(store, run)
    finally:
        store.close()
    if out.as_json:
        out.answer(
            {"id": made.id, "name": made.name, "project": project, "status": str(made.status)}
        )
    else:
        out.text(made.id)


def _new_run(workspace: str, project: str, run_id: str, config: dict[str, Any]) -> dict[str, Any]:
    from quark import ids, jsonio
    from quark.clock import SYSTEM_CLOCK, format_timestamp
    from quark.naming import check_project_name, check_run_id
    from quark.records import RunStatus
    from quark.redact import redact_mapping
    from quark.storage.layout import relative_run_path

    now = format_timestamp(SYSTEM_CLOCK.time_us())
    return {
        "id": check_run_id(run_id),
        "run_id": run_id,
        "timestamp": now,
        "project_id": ids.project_id(workspace, check_project_name(project)),
        "project_name": project,
        "workspace": workspace,
        "status": RunStatus.RUNNING.value,
        "lineage_root_run_id": run_id,
        "run_path": relative_run_path(run_id),
        "created_at": now,
        "updated_at": now,
        "config": jsonio.to_plain(redact_mapping(config)),
    }


def _keep(store: Any, values: dict[str, Any]) -> Any:
    """Store the first records of a run."""
    from quark import ids
    from quark.clock import parse_timestamp
    from quark.errors import InvalidRunStateError, RunNotFoundError
    from quark.naming import check_tag
    from quark.records import ENVELOPE, EventRecord, RunRecord
    from quark.schema.validate import validate_record
    from quark.storage.frame_content import FrameContent

    for tag in values["tags"]:
        check_tag(tag)
    run = RunRecord(**values)
    validate_record(run)
    try:
        store.records.get_run(run.id)
    except RunNotFoundError:
        pass
    else:
        raise InvalidRunStateError(
            f"Run {run.id!r} exists already; choose another --id, or leave it out."
        )
    content = FrameContent()
    now_us = parse_timestamp(run.created_at)
    body = {item.name: getattr(run, item.name) for item in fields(run)}
    content.add(
        RunRecord, now_us, **{key: value for key, value in body.items() if key not in ENVELOPE}
    )
    content.add(
        EventRecord,
        now_us,
        event_type="run_started",
        severity="info",
        status=run.status,
        payload={"rank": 0},
    )
    store.append(content.batch(run.id, ids.new_writer_id(), 1))
    return store.records.get_run(run.id)


def _from_file(path: Path) -> dict[str, Any]:
    from quark import jsonio

    try:
        text = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
    found: Any
    suffix = path.suffix.lower()
    if suffix == ".toml":
        import tomllib

        try:
            found = tomllib.loads(text.decode())
        except ValueError as error:
            raise click.ClickException(f"{path} is not valid TOML: {error}.") from error
    elif suffix in (".yaml", ".yml"):
        from quark._optional import require

        yaml = require("yaml", purpose="A configuration in YAML")
        try:
            found = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            raise click.ClickException(f"{path} is not valid YAML: {error}.") from error
    else:
        found = jsonio.loads(text)
    if not isinstance(found, dict):
        raise SchemaValidationError(
            f"{path} holds a {type(found).__name__}, but a configuration must be a mapping of keys."
        )
    return found


def _put(config: dict[str, Any], word: str) -> None:
    """Put ``KEY=VALUE`` into a configuration; dots in the key nest."""
    key, equals, text = word.partition("=")
    parts = key.split(".")
    if not equals or not all(parts):
        raise click.BadParameter(
            f"{word!r} is no KEY=VALUE, such as lr=0.01 or optimizer.name=adam.",
            param_hint="--config",
        )
    place = config
    for part in parts[:-1]:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise click.BadParameter(
                f"{word!r} nests below {part!r}, which has the value {inner!r}.",
                param_hint="--config",
            )
        place = inner
    place[parts[-1]] = _value(text)


def _value(text: str) -> Any:
    """Return what a word of the shell means: JSON where it is that, else the text."""
    from quark import jsonio

    special: Iterable[str] = ("nan", "inf", "-inf")
    if text.lower() in special:
        return float(text)
    try:
        return jsonio.loads(text)
    except SchemaValidationError:
        return {"True": True, "False": False, "None": None}.get(text, text)
