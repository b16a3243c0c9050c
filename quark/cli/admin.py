"""``quark admin``: workspaces, users and keys of a service, on its store itself.

Who can read and write the service's folder or database rules it anyway, so no key is asked for;
the audit log says which user of this machine it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from quark.cli import admin_output as shapes
from quark.cli.admin_gc import gc
from quark.cli.admin_output import at, show, show_key, show_table
from quark.cli.admin_store import no_service, on_a_service, was_served
from quark.cli.backup import backup, restore
from quark.cli.local_user import local_actor
from quark.cli.output import states
from quark.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from quark.service.config import ServiceConfig
    from quark.service.identity.engine import Identity
    from quark.service.identity.model import Actor

F = TypeVar("F", bound=Callable[..., Any])

_DAY_US = 86_400_000_000
_ROLES = click.Choice(["viewer", "member", "admin"])
_SCOPES = click.Choice(["read", "write", "admin"])
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")


def _on_a_store(command: F) -> F:
    """Add the options that say which store, and how to answer."""
    return on_a_service("db")(_JSON(command))


@click.group("admin")
def admin() -> None:
    """Set up a service, and look after it: users and keys, backup and restore, unused payloads.

    On the service's own machine, also while it does not run.
    """


admin.add_command(backup)
admin.add_command(restore)
admin.add_command(gc)


@admin.command("bootstrap")
@states(shapes.NEW_KEY)
@on_a_service("db", make=True)
@_JSON
@click.option("--workspace", default="team", show_default=True, help="The first workspace.")
@click.option("--user", default="admin", show_default=True, help="The first administrator.")
@click.option(
    "--force-new-key", is_flag=True, help="Give an administrator that is there another key."
)
def make_first_key(
    config: ServiceConfig, as_json: bool, workspace: str, user: str, force_new_key: bool
) -> None:
    """Make the first workspace, administrator and key, which is shown this one time.

    \b
    quark admin bootstrap --root /srv/quark
    export QUARK_USER_KEY=qk_...
    """
    from quark.service.identity.bootstrap import bootstrap

    with _identity(config, new=True) as (identity, by):
        issued = bootstrap(
            identity, workspace=workspace, user=user, by=by, force_new_key=force_new_key
        )
    show_key(issued, as_json)


# -- workspaces and users


@admin.group("workspace")
def workspaces() -> None:
    """The tenants of a service."""


@workspaces.command("add")
@states(shapes.WORKSPACE)
@click.argument("name")
@_on_a_store
def add_workspace(name: str, config: ServiceConfig, as_json: bool) -> None:
    """Make the workspace NAME.

    \b
    quark admin workspace add vision --root /srv/quark
    """
    with _identity(config) as (identity, by):
        identity.directory.create_workspace(name, by=by)
    show({"workspace": name}, f"Workspace {name} is there.", as_json)


@workspaces.command("ls")
@states(shapes.WORKSPACES)
@_on_a_store
def list_workspaces(config: ServiceConfig, as_json: bool) -> None:
    """List the workspaces.

    \b
    quark admin workspace ls --root /srv/quark
    """
    with _identity(config) as (identity, _):
        found = identity.directory.workspaces()
    show_table(
        [{"workspace": each.name, "created_at": at(each.created_us)} for each in found], as_json
    )


@admin.group("user")
def users() -> None:
    """Who has keys."""


@users.command("add")
@states(shapes.USER)
@click.argument("name")
@_on_a_store
@click.option("--workspace", help="Make them a member of it, too.")
@click.option("--role", type=_ROLES, default="member", show_default=True)
@click.option("--service-admin", is_flag=True, help="Let them rule all workspaces.")
def add_user(
    name: str,
    config: ServiceConfig,
    as_json: bool,
    workspace: str | None,
    role: str,
    service_admin: bool,
) -> None:
    """Make the user NAME.

    \b
    quark admin user add ann --workspace vision --role member --root /srv/quark
    """
    from quark.service.identity.model import Role

    with _identity(config) as (identity, by):
        if workspace is not None:
            identity.directory.workspace(workspace)  # before there is half a user
        identity.directory.create_user(name, by=by)
        if workspace is not None:
            identity.directory.set_member(workspace, name, Role(role), by=by)
        if service_admin:
            identity.directory.set_service_admin(name, True, by=by)
    show({"user": name}, f"User {name} is there.", as_json)


@users.command("ls")
@states(shapes.USERS)
@_on_a_store
def list_users(config: ServiceConfig, as_json: bool) -> None:
    """List the users.

    \b
    quark admin user ls --root /srv/quark
    """
    with _identity(config) as (identity, _):
        found = identity.directory.users()
    rows = [
        {
            "user": each.name,
            "service_admin": each.service_admin,
            "disabled": each.disabled,
            "created_at": at(each.created_us),
        }
        for each in found
    ]
    show_table(rows, as_json)


@users.command("disable")
@states(shapes.DISABLED_USER)
@click.argument("name")
@_on_a_store
@click.option("--undo", is_flag=True, help="Let them in again.")
def disable_user(name: str, config: ServiceConfig, as_json: bool, undo: bool) -> None:
    """Refuse all keys of the user NAME from now on.

    \b
    quark admin user disable ann --root /srv/quark
    quark admin user disable ann --undo --root /srv/quark
    """
    with _identity(config) as (identity, by):
        user = identity.directory.set_disabled(name, not undo, by=by)
    word = "disabled" if user.disabled else "enabled"
    show({"user": name, "disabled": user.disabled}, f"User {name} is {word}.", as_json)


@admin.group("member")
def members() -> None:
    """Which user is what in which workspace."""


@members.command("set")
@states(shapes.MEMBER)
@click.argument("workspace")
@click.argument("user")
@click.argument("role", type=_ROLES)
@_on_a_store
def set_member(workspace: str, user: str, role: str, config: ServiceConfig, as_json: bool) -> None:
    """Give USER a role in WORKSPACE: a viewer reads, a member also writes, an admin decides.

    \b
    quark admin member set vision ann admin --root /srv/quark
    """
    from quark.service.identity.model import Role

    with _identity(config) as (identity, by):
        identity.directory.set_member(workspace, user, Role(role), by=by)
    said = {"workspace": workspace, "user": user, "role": role}
    show(said, f"User {user} is {role} of workspace {workspace}.", as_json)


@members.command("rm")
@states(shapes.NO_MEMBER)
@click.argument("workspace")
@click.argument("user")
@_on_a_store
def remove_member(workspace: str, user: str, config: ServiceConfig, as_json: bool) -> None:
    """Take the role of USER in WORKSPACE away.

    \b
    quark admin member rm vision ann --root /srv/quark
    """
    with _identity(config) as (identity, by):
        identity.directory.remove_member(workspace, user, by=by)
    said = {"workspace": workspace, "user": user}
    show(said, f"User {user} is no member of workspace {workspace} any more.", as_json)


@members.command("ls")
@states(shapes.MEMBERS)
@click.argument("workspace")
@_on_a_store
def list_members(workspace: str, config: ServiceConfig, as_json: bool) -> None:
    """List the members of WORKSPACE.

    \b
    quark admin member ls vision --root /srv/quark
    """
    with _identity(config) as (identity, _):
        found = identity.directory.members(workspace)
    show_table([{"user": each.user, "role": each.role.value} for each in found], as_json)


# -- keys


@admin.group("key")
def keys() -> None:
    """User keys: what goes into QUARK_USER_KEY."""


@keys.command("issue")
@states(shapes.NEW_KEY)
@_on_a_store
@click.option("--user", required=True, help="Whose key it is.")
@click.option("--workspace", required=True, help="For which workspace.")
@click.option("--scope", type=_SCOPES, default="write", show_default=True)
@click.option("--label", default="", help="What it is for.")
@click.option("--expires-days", type=click.IntRange(min=1), help="After how many days it ends.")
def issue_key(
    config: ServiceConfig,
    as_json: bool,
    user: str,
    workspace: str,
    scope: str,
    label: str,
    expires_days: int | None,
) -> None:
    """Issue a key, which is shown this one time.

    \b
    quark admin key issue --user ann --workspace vision --root /srv/quark
    quark admin key issue --user ci --workspace vision --scope read --root /srv/quark
    """
    from quark.service.identity.model import Scope

    expires_us = expires_days and SYSTEM_CLOCK.time_us() + expires_days * _DAY_US
    with _identity(config) as (identity, by):
        issued = identity.keys.issue(
            user=user,
            workspace=workspace,
            scope=Scope(scope),
            label=label,
            expires_us=expires_us,
            by=by,
        )
    show_key(issued, as_json)


@keys.command("ls")
@states(shapes.KEYS)
@_on_a_store
@click.option("--user", help="Only this user's.")
@click.option("--workspace", help="Only this workspace's.")
def list_keys(
    config: ServiceConfig, as_json: bool, user: str | None, workspace: str | None
) -> None:
    """List keys, without their secrets.

    \b
    quark admin key ls --workspace vision --root /srv/quark
    """
    with _identity(config) as (identity, _):
        found = identity.keys.keys(workspace, user)
    rows = [
        {
            "key_id": key.key_id,
            "user": key.user,
            "workspace": key.workspace,
            "scope": key.scope.value,
            "label": key.label,
            "created_at": at(key.created_us),
            "expires_at": at(key.expires_us),
            "revoked_at": at(key.revoked_us),
            "last_used_at": at(key.last_used_us),
        }
        for key in found
    ]
    show_table(rows, as_json)


@keys.command("revoke")
@states(shapes.REVOKED_KEY)
@click.argument("key_id")
@_on_a_store
def revoke_key(key_id: str, config: ServiceConfig, as_json: bool) -> None:
    """Refuse the key KEY_ID, the part between qk_ and the secret, from now on.

    \b
    quark admin key revoke 5w3k8x0v9qt2 --root /srv/quark
    """
    from quark.service.identity.key_text import read_key_text

    whole = read_key_text(key_id)
    if whole is not None:  # all of the key; no message may repeat its secret
        key_id = whole.key_id
    with _identity(config) as (identity, by):
        key = identity.keys.revoke(key_id, by=by)
    said = {"key_id": key_id, "revoked_at": at(key.revoked_us)}
    show(said, f"Key {key_id} of {key.user} is revoked; services know within a second.", as_json)


# -- the store, and what is printed


@contextmanager
def _identity(config: ServiceConfig, *, new: bool = False) -> Iterator[tuple[Identity, Actor]]:
    from quark.service.identity.engine import Identity
    from quark.service.stores import Stores

    stores = Stores(config)
    try:
        identity = Identity(stores.control)
        if not new and not was_served(config) and not identity.directory.workspaces():
            raise no_service(config.root)
        yield identity, local_actor()
    finally:
        stores.close()
