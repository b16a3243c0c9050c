"""``quark admin``: workspaces, users and keys of a service, on its store itself.

Who can read and write the service's folder or database rules it anyway, so no key is asked for;
the audit log says which user of this machine it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from quark import jsonio
from quark.cli.backup import backup, restore
from quark.clock import SYSTEM_CLOCK, format_timestamp

if TYPE_CHECKING:
    from quark.service.identity.engine import Identity
    from quark.service.identity.model import Actor, IssuedKey

F = TypeVar("F", bound=Callable[..., Any])

_DAY_US = 86_400_000_000
_ROLES = click.Choice(["viewer", "member", "admin"])
_SCOPES = click.Choice(["read", "write", "admin"])


def _on_a_store(command: F) -> F:
    """Add the options that say which store."""
    folder = click.Path(path_type=Path, file_okay=False)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON."),
        click.option("--db", "db_url", help="postgresql://… if the service keeps records there."),
        click.option("--root", type=folder, required=True, help="The service's folder."),
    ):
        command = option(command)
    return command


@click.group("admin")
def admin() -> None:
    """Rule a service from its own machine: users and keys, backup and restore."""


admin.add_command(backup)
admin.add_command(restore)


@admin.command("bootstrap")
@_on_a_store
@click.option("--workspace", default="team", show_default=True, help="The first workspace.")
@click.option("--user", default="admin", show_default=True, help="The first administrator.")
@click.option(
    "--force-new-key", is_flag=True, help="Give an administrator that is there another key."
)
def make_first_key(
    root: Path, db_url: str | None, as_json: bool, workspace: str, user: str, force_new_key: bool
) -> None:
    """Make the first workspace, administrator and key, which is shown this one time.

    \b
    quark admin bootstrap --root /srv/quark
    export QUARK_USER_KEY=qk_...
    """
    from quark.service.identity.bootstrap import bootstrap

    with _identity(root, db_url) as (identity, by):
        issued = bootstrap(
            identity, workspace=workspace, user=user, by=by, force_new_key=force_new_key
        )
    _show_key(issued, as_json)


# -- workspaces and users


@admin.group("workspace")
def workspaces() -> None:
    """The tenants of a service."""


@workspaces.command("add")
@click.argument("name")
@_on_a_store
def add_workspace(name: str, root: Path, db_url: str | None, as_json: bool) -> None:
    """Make the workspace NAME."""
    with _identity(root, db_url) as (identity, by):
        identity.directory.create_workspace(name, by=by)
    _show({"workspace": name}, f"Workspace {name} is there.", as_json)


@workspaces.command("ls")
@_on_a_store
def list_workspaces(root: Path, db_url: str | None, as_json: bool) -> None:
    """List the workspaces."""
    with _identity(root, db_url) as (identity, _):
        found = identity.directory.workspaces()
    _show_table(
        [{"workspace": each.name, "created_at": _at(each.created_us)} for each in found], as_json
    )


@admin.group("user")
def users() -> None:
    """Who has keys."""


@users.command("add")
@click.argument("name")
@_on_a_store
@click.option("--workspace", help="Make them a member of it, too.")
@click.option("--role", type=_ROLES, default="member", show_default=True)
@click.option("--service-admin", is_flag=True, help="Let them rule all workspaces.")
def add_user(
    name: str,
    root: Path,
    db_url: str | None,
    as_json: bool,
    workspace: str | None,
    role: str,
    service_admin: bool,
) -> None:
    """Make the user NAME."""
    from quark.service.identity.model import Role

    with _identity(root, db_url) as (identity, by):
        if workspace is not None:
            identity.directory.workspace(workspace)  # before there is half a user
        identity.directory.create_user(name, by=by)
        if workspace is not None:
            identity.directory.set_member(workspace, name, Role(role), by=by)
        if service_admin:
            identity.directory.set_service_admin(name, True, by=by)
    _show({"user": name}, f"User {name} is there.", as_json)


@users.command("ls")
@_on_a_store
def list_users(root: Path, db_url: str | None, as_json: bool) -> None:
    """List the users."""
    with _identity(root, db_url) as (identity, _):
        found = identity.directory.users()
    rows = [
        {
            "user": each.name,
            "service_admin": each.service_admin,
            "disabled": each.disabled,
            "created_at": _at(each.created_us),
        }
        for each in found
    ]
    _show_table(rows, as_json)


@users.command("disable")
@click.argument("name")
@_on_a_store
@click.option("--undo", is_flag=True, help="Let them in again.")
def disable_user(name: str, root: Path, db_url: str | None, as_json: bool, undo: bool) -> None:
    """Refuse all keys of the user NAME from now on."""
    with _identity(root, db_url) as (identity, by):
        user = identity.directory.set_disabled(name, not undo, by=by)
    word = "disabled" if user.disabled else "enabled"
    _show({"user": name, "disabled": user.disabled}, f"User {name} is {word}.", as_json)


@admin.group("member")
def members() -> None:
    """Which user is what in which workspace."""


@members.command("set")
@click.argument("workspace")
@click.argument("user")
@click.argument("role", type=_ROLES)
@_on_a_store
def set_member(
    workspace: str, user: str, role: str, root: Path, db_url: str | None, as_json: bool
) -> None:
    """Give USER a role in WORKSPACE: a viewer reads, a member also writes, an admin decides."""
    from quark.service.identity.model import Role

    with _identity(root, db_url) as (identity, by):
        identity.directory.set_member(workspace, user, Role(role), by=by)
    said = {"workspace": workspace, "user": user, "role": role}
    _show(said, f"User {user} is {role} of workspace {workspace}.", as_json)


@members.command("rm")
@click.argument("workspace")
@click.argument("user")
@_on_a_store
def remove_member(workspace: str, user: str, root: Path, db_url: str | None, as_json: bool) -> None:
    """Take the role of USER in WORKSPACE away."""
    with _identity(root, db_url) as (identity, by):
        identity.directory.remove_member(workspace, user, by=by)
    said = {"workspace": workspace, "user": user}
    _show(said, f"User {user} is no member of workspace {workspace} any more.", as_json)


@members.command("ls")
@click.argument("workspace")
@_on_a_store
def list_members(workspace: str, root: Path, db_url: str | None, as_json: bool) -> None:
    """List the members of WORKSPACE."""
    with _identity(root, db_url) as (identity, _):
        found = identity.directory.members(workspace)
    _show_table([{"user": each.user, "role": each.role.value} for each in found], as_json)


# -- keys


@admin.group("key")
def keys() -> None:
    """User keys: what goes into QUARK_USER_KEY."""


@keys.command("issue")
@_on_a_store
@click.option("--user", required=True, help="Whose key it is.")
@click.option("--workspace", required=True, help="For which workspace.")
@click.option("--scope", type=_SCOPES, default="write", show_default=True)
@click.option("--label", default="", help="What it is for.")
@click.option("--expires-days", type=click.IntRange(min=1), help="After how many days it ends.")
def issue_key(
    root: Path,
    db_url: str | None,
    as_json: bool,
    user: str,
    workspace: str,
    scope: str,
    label: str,
    expires_days: int | None,
) -> None:
    """Issue a key, which is shown this one time."""
    from quark.service.identity.model import Scope

    expires_us = expires_days and SYSTEM_CLOCK.time_us() + expires_days * _DAY_US
    with _identity(root, db_url) as (identity, by):
        issued = identity.keys.issue(
            user=user,
            workspace=workspace,
            scope=Scope(scope),
            label=label,
            expires_us=expires_us,
            by=by,
        )
    _show_key(issued, as_json)


@keys.command("ls")
@_on_a_store
@click.option("--user", help="Only this user's.")
@click.option("--workspace", help="Only this workspace's.")
def list_keys(
    root: Path, db_url: str | None, as_json: bool, user: str | None, workspace: str | None
) -> None:
    """List keys, without their secrets."""
    with _identity(root, db_url) as (identity, _):
        found = identity.keys.keys(workspace, user)
    rows = [
        {
            "key_id": key.key_id,
            "user": key.user,
            "workspace": key.workspace,
            "scope": key.scope.value,
            "label": key.label,
            "created_at": _at(key.created_us),
            "expires_at": _at(key.expires_us),
            "revoked_at": _at(key.revoked_us),
            "last_used_at": _at(key.last_used_us),
        }
        for key in found
    ]
    _show_table(rows, as_json)


@keys.command("revoke")
@click.argument("key_id")
@_on_a_store
def revoke_key(key_id: str, root: Path, db_url: str | None, as_json: bool) -> None:
    """Refuse the key KEY_ID, the part between qk_ and the secret, from now on."""
    with _identity(root, db_url) as (identity, by):
        key = identity.keys.revoke(key_id, by=by)
    said = {"key_id": key_id, "revoked_at": _at(key.revoked_us)}
    _show(said, f"Key {key_id} of {key.user} is revoked; services know within a second.", as_json)


# -- the store, and what is printed


@contextmanager
def _identity(root: Path, db_url: str | None) -> Iterator[tuple[Identity, Actor]]:
    from quark.service.config import ServiceConfig
    from quark.service.identity.engine import Identity
    from quark.service.identity.model import Actor
    from quark.service.stores import Stores

    stores = Stores(ServiceConfig(root=root, db_url=db_url))
    try:
        yield Identity(stores.control), Actor(user=f"local:{_machine_user()}")
    finally:
        stores.close()


def _machine_user() -> str:
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _show(said: Mapping[str, Any], sentence: str, as_json: bool) -> None:
    click.echo(jsonio.dumps(said).decode() if as_json else sentence)


def _show_key(issued: IssuedKey, as_json: bool) -> None:
    key = issued.key
    if as_json:
        said = {
            "user_key": issued.text,
            "key_id": key.key_id,
            "user": key.user,
            "workspace": key.workspace,
            "scope": key.scope.value,
            "expires_at": _at(key.expires_us),
        }
        click.echo(jsonio.dumps(said).decode())
        return
    click.echo(issued.text)
    click.echo(
        f"This is the key of {key.user} for workspace {key.workspace}, with the scope "
        f"{key.scope.value}. It is not shown again; set QUARK_USER_KEY to it.",
        err=True,
    )


def _show_table(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
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


def _at(time_us: int | None) -> str | None:
    return None if time_us is None else format_timestamp(time_us)
