"""What ``quark admin`` prints, and the JSON Schemas of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from quark import jsonio
from quark.cli.output import list_of, object_of
from quark.clock import format_timestamp

if TYPE_CHECKING:
    from quark.service.identity.model import IssuedKey

NEW_KEY = object_of(
    user_key="string",
    key_id="string",
    user="string",
    workspace="string",
    scope="string",
    expires_at="string|null",
)
KEYS = list_of(
    object_of(
        key_id="string",
        user="string",
        workspace="string",
        scope="string",
        label="string",
        created_at="string",
        expires_at="string|null",
        revoked_at="string|null",
        last_used_at="string|null",
    )
)
REVOKED_KEY = object_of(key_id="string", revoked_at="string")
WORKSPACE = object_of(workspace="string")
WORKSPACES = list_of(object_of(workspace="string", created_at="string"))
USER = object_of(user="string")
USERS = list_of(
    object_of(user="string", service_admin="boolean", disabled="boolean", created_at="string")
)
DISABLED_USER = object_of(user="string", disabled="boolean")
MEMBER = object_of(workspace="string", user="string", role="string")
NO_MEMBER = object_of(workspace="string", user="string")
MEMBERS = list_of(object_of(user="string", role="string"))


def show(said: Mapping[str, Any], sentence: str, as_json: bool) -> None:
    """Say what was done."""
    click.echo(jsonio.dumps(said).decode() if as_json else sentence)


def show_key(issued: IssuedKey, as_json: bool) -> None:
    """Show a key this one time: on stdout its text alone."""
    key = issued.key
    if as_json:
        said = {
            "user_key": issued.text,
            "key_id": key.key_id,
            "user": key.user,
            "workspace": key.workspace,
            "scope": key.scope.value,
            "expires_at": at(key.expires_us),
        }
        click.echo(jsonio.dumps(said).decode())
        return
    click.echo(issued.text)
    click.echo(
        f"This is the key of {key.user} for workspace {key.workspace}, with the scope "
        f"{key.scope.value}. It is not shown again; set QUARK_USER_KEY to it.",
        err=True,
    )


def show_table(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Show rows, the names of columns from the first."""
    if as_json:
        click.echo(jsonio.dumps(list(rows)).decode())
        return
    cells = [[_cell(value) for value in row.values()] for row in rows]
    if not cells:
        click.echo("None.", err=True)
        return
    lines = [[*rows[0]], *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value else "-"


def at(time_us: int | None) -> str | None:
    """Return when that was, ISO 8601."""
    return None if time_us is None else format_timestamp(time_us)
