"""``quark target``: places to keep runs in that have a name, in ``config.toml``."""

from __future__ import annotations

from typing import Any

import click

from quark.cli.consent import ask
from quark.cli.output import Column, Output, list_of, object_of, with_output

_ROW = object_of(
    name="string",
    chosen="boolean",
    kind="string",
    place="string",
    workspace="string|null",
    has_key="boolean",
)
_CHANGED = object_of(target="string|null", config_path="string")


@click.group("target")
def target() -> None:
    """Places to keep runs in that have a name.

    \b
    quark target ls
    quark target use team
    """


@target.command("ls")
@with_output(list_of(_ROW))
def list_targets(out: Output) -> None:
    """List the targets of config.toml.

    \b
    quark target ls
    quark target ls --json
    """
    from quark.cli import config_file

    chosen = config_file.chosen_target()
    rows = [_row(name, table, chosen) for name, table in config_file.targets().items()]
    if out.as_json:
        out.answer(rows)
        return
    columns = [
        Column("", lambda row: "*" if row["chosen"] else ""),
        Column("NAME", lambda row: row["name"]),
        Column("KIND", lambda row: row["kind"]),
        Column("PLACE", lambda row: row["place"]),
        Column("WORKSPACE", lambda row: row["workspace"]),
        Column("KEY", lambda row: "yes" if row["has_key"] else "-"),
    ]
    out.rows(rows, columns, empty="There are no targets yet; `quark init` writes the first.")
    _tell_what_is_stronger(out, chosen)


@target.command("use")
@click.argument("name")
@with_output(_CHANGED)
def use_target(name: str, out: Output) -> None:
    """Keep runs in the target NAME from now on.

    \b
    quark target use team
    """
    from quark.cli import config_file

    path = config_file.choose_target(name)
    row = _row(name, config_file.targets()[name], name)
    if out.as_json:
        out.answer({"target": name, "config_path": str(path)})
        return
    out.text(f"Runs are kept in {row['place']} from now on (target {name}, in {path}).")
    _tell_what_is_stronger(out, name)


@target.command("rm")
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@with_output(_CHANGED)
def remove_target(name: str, yes: bool, out: Output) -> None:
    """Remove the target NAME, and its user key, from config.toml.

    The runs in it stay where they are.

    \b
    quark target rm old-team --yes
    """
    from quark.cli import config_file

    row = _row(name, config_file.check_target(name), config_file.chosen_target())
    if not yes:
        rest = " and its user key" if row["has_key"] else ""
        ask(f"Remove the target {name} ({row['place']}){rest}?")
    path = config_file.remove_target(name)
    chosen = config_file.chosen_target()
    if out.as_json:
        out.answer({"target": chosen, "config_path": str(path)})
        return
    out.text(f"The target {name} is gone from {path}; its runs are where they were.")
    if row["chosen"]:
        out.note("No target is chosen now: runs are kept in .quark in the folder you train in.")


def _row(name: str, table: dict[str, str], chosen: str | None) -> dict[str, Any]:
    from quark.persistence.open import is_service_url

    url = table.get("persistence_url")
    return {
        "name": name,
        "chosen": name == chosen,
        "kind": "service" if is_service_url(url) else "folder",
        "place": url or table.get("storage_dir") or "the folder you train in",
        "workspace": table.get("workspace"),
        "has_key": "user_key" in table,
    }


def _tell_what_is_stronger(out: Output, chosen: str | None) -> None:
    from quark.settings import environment

    names = ("QUARK_PERSISTENCE_URL", "QUARK_STORAGE_DIR", "QUARK_TARGET")
    found = {name: value for name, value in environment(names).items() if name in names and value}
    if found.pop("QUARK_TARGET", chosen) != chosen:
        out.note("QUARK_TARGET in the environment names another one, and is stronger.")
    if found:
        out.note(f"{' and '.join(sorted(found))} in the environment is stronger than a target.")
