"""The first administrator and key of a service."""

from __future__ import annotations

from quark.errors import DocumentConflictError, PermissionDeniedError
from quark.service.identity.engine import Identity
from quark.service.identity.model import Actor, IssuedKey, Role, Scope


def bootstrap(
    identity: Identity,
    *,
    workspace: str,
    user: str,
    by: Actor,
    force_new_key: bool = False,
) -> IssuedKey:
    """Make the first workspace, its administrator, who also rules the service, and their key.

    What is there already stays, so that one that was broken off can be started again.

    Args:
        force_new_key: Give ``user``, who must be a service administrator, another key, for
            when all keys are lost.

    Raises:
        DocumentConflictError: There is an administrator already.
        PermissionDeniedError: ``force_new_key``, and ``user`` is no service administrator.
    """
    directory = identity.directory
    there = directory.service_admins()
    if there and not force_new_key:
        raise DocumentConflictError(
            f"This service has an administrator already: {', '.join(there)}. If all their keys "
            "are lost, --force-new-key issues another one."
        )
    if there and user not in there:
        raise PermissionDeniedError(
            f"User {user!r} is no administrator of this service; those are {', '.join(there)}. "
            "Name one of them with --user."
        )
    if not directory.has_workspace(workspace):
        directory.create_workspace(workspace, by=by)
    if not there:
        if user not in {known.name for known in directory.users()}:
            directory.create_user(user, by=by)
        directory.set_service_admin(user, True, by=by, only_as_first=True)
        directory.set_member(workspace, user, Role.ADMIN, by=by)
    return identity.keys.issue(
        user=user, workspace=workspace, scope=Scope.ADMIN, by=by, label="bootstrap"
    )
