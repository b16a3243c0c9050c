"""Workspaces, users, members, keys and the audit log.

A user manages their own keys, an admin of a workspace its members and all its keys, a service
administrator (with a key whose scope is ``admin``) everything.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime

from quark.errors import IdentityNotFoundError, PermissionDeniedError
from quark.service.access import (
    Seat,
    belongs_to_workspace,
    rules_service,
    rules_workspace,
    signed_in,
)
from quark.service.identity.audit import MAX_PAGE_ENTRIES, SERVICE
from quark.service.identity.model import Scope, UserKey
from quark.service.routes.identity_models import (
    AuditPageOut,
    IssuedKeyOut,
    KeyIn,
    KeyOut,
    KeysOut,
    MemberIn,
    MemberOut,
    MembersOut,
    MeOut,
    UserChangeIn,
    UserIn,
    UserOut,
    UsersOut,
    WorkspaceIn,
    WorkspaceOut,
    WorkspacesOut,
    microseconds,
)

router = APIRouter(tags=["identity"])

SignedIn = Annotated[Seat, Depends(signed_in)]
RulesService = Annotated[Seat, Depends(rules_service)]
RuledWorkspace = Annotated[str, Depends(rules_workspace)]
OwnWorkspace = Annotated[str, Depends(belongs_to_workspace)]

UserName = Annotated[str, Path(max_length=64, examples=["ann@example.com"])]
KeyId = Annotated[str, Path(max_length=64, examples=["5w3k8x0v9qt2"])]
After = Annotated[
    str,
    Query(
        pattern="^([0-9]{16}-[0-9a-z]{8})?$",
        description="Only entries behind this one: `next_after` of a page.",
    ),
]
Since = Annotated[AwareDatetime | None, Query(description="Only entries from then on.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE_ENTRIES)]


@router.get("/me")
def me(seat: SignedIn) -> MeOut:
    """Say whose key this is, and what it may do now."""
    return MeOut.of(seat.caller)


# -- the service


@router.get("/workspaces")
def list_workspaces(seat: SignedIn) -> WorkspacesOut:
    """Return the workspaces that the caller sees: the key's own, or all to service admins."""
    directory = seat.identity.directory
    if seat.caller.rules_service:
        found = directory.workspaces()
    else:
        found = (directory.workspace(seat.caller.workspace),)
    return WorkspacesOut(workspaces=[WorkspaceOut.of(workspace) for workspace in found])


@router.post("/workspaces", status_code=201)
def create_workspace(given: WorkspaceIn, seat: RulesService) -> WorkspaceOut:
    """Make a workspace. For service administrators."""
    return WorkspaceOut.of(seat.identity.directory.create_workspace(given.name, by=seat.actor))


@router.get("/users")
def list_users(seat: RulesService) -> UsersOut:
    """Return all users by name. For service administrators."""
    return UsersOut(users=[UserOut.of(user) for user in seat.identity.directory.users()])


@router.post("/users", status_code=201)
def create_user(given: UserIn, seat: RulesService) -> UserOut:
    """Make a user, who is nothing anywhere yet. For service administrators."""
    directory = seat.identity.directory
    user = directory.create_user(given.name, by=seat.actor)
    if given.service_admin:
        user = directory.set_service_admin(given.name, True, by=seat.actor)
    return UserOut.of(user)


@router.patch("/users/{user}")
def change_user(user: UserName, given: UserChangeIn, seat: RulesService) -> UserOut:
    """Disable or enable a user, or let them rule the service. For service administrators."""
    directory = seat.identity.directory
    changed = directory.user(user)
    if given.disabled is not None:
        changed = directory.set_disabled(user, given.disabled, by=seat.actor)
    if given.service_admin is not None:
        changed = directory.set_service_admin(user, given.service_admin, by=seat.actor)
    return UserOut.of(changed)


@router.get("/audit")
def read_service_audit(
    seat: RulesService, after: After = "", since: Since = None, limit: Limit = 100
) -> AuditPageOut:
    """Return what concerns the whole service, oldest first. For service administrators."""
    return _audit_page(seat, SERVICE, after, since, limit)


# -- a workspace


@router.get("/workspaces/{workspace}/members")
def list_members(workspace: OwnWorkspace, seat: SignedIn) -> MembersOut:
    """Return the workspace's members by name."""
    found = seat.identity.directory.members(workspace)
    return MembersOut(members=[MemberOut.of(member) for member in found])


@router.put("/workspaces/{workspace}/members/{user}")
def set_member(
    user: UserName, given: MemberIn, workspace: RuledWorkspace, seat: SignedIn
) -> MemberOut:
    """Give a user a role in the workspace, in the place of the one they had. For admins."""
    directory = seat.identity.directory
    return MemberOut.of(directory.set_member(workspace, user, given.role, by=seat.actor))


@router.delete("/workspaces/{workspace}/members/{user}", status_code=204)
def remove_member(user: UserName, workspace: RuledWorkspace, seat: SignedIn) -> None:
    """Take a user's role in the workspace away; their keys can do nothing then. For admins."""
    seat.identity.directory.remove_member(workspace, user, by=seat.actor)


@router.get("/workspaces/{workspace}/user_keys")
def list_keys(workspace: OwnWorkspace, seat: SignedIn) -> KeysOut:
    """Return keys of the workspace, without their secrets: the caller's own, to admins all."""
    user = None if _decides(seat) else seat.caller.user
    return KeysOut(keys=[KeyOut.of(key) for key in seat.identity.keys.keys(workspace, user)])


@router.post("/workspaces/{workspace}/user_keys", status_code=201)
def issue_key(given: KeyIn, workspace: OwnWorkspace, seat: SignedIn) -> IssuedKeyOut:
    """Issue a key: for oneself, or as an admin for anybody. Its text is shown this one time.

    A key that an admin of the workspace issues for a service administrator is worth an admin's of
    the workspace, and no more.
    """
    caller = seat.caller
    user = given.user or caller.user
    if user != caller.user and not _decides(seat):
        raise PermissionDeniedError("Only an admin of the workspace issues keys for others.")
    if not caller.scope.includes(given.scope):
        raise PermissionDeniedError(
            f"With a key of the scope {caller.scope.value!r} no key of the scope "
            f"{given.scope.value!r} can be issued."
        )
    expires_us = None if given.expires_at is None else microseconds(given.expires_at)
    if caller.expires_us is not None:
        expires_us = min(expires_us or caller.expires_us, caller.expires_us)
    issued = seat.identity.keys.issue(
        user=user,
        workspace=workspace,
        scope=given.scope,
        label=given.label,
        expires_us=expires_us,
        may_rule_service=caller.rules_service or (user == caller.user and caller.may_rule_service),
        by=seat.actor,
    )
    return IssuedKeyOut.issued(issued.key, issued.text)


@router.delete("/workspaces/{workspace}/user_keys/{key_id}")
def revoke_key(key_id: KeyId, workspace: OwnWorkspace, seat: SignedIn) -> KeyOut:
    """Revoke a key: at once here, within a second in other processes. One's own; admins any."""
    key = _key(seat, workspace, key_id)
    return KeyOut.of(seat.identity.keys.revoke(key.key_id, by=seat.actor))


@router.get("/workspaces/{workspace}/audit")
def read_audit(
    workspace: RuledWorkspace,
    seat: SignedIn,
    after: After = "",
    since: Since = None,
    limit: Limit = 100,
) -> AuditPageOut:
    """Return the workspace's audit log, oldest first. For admins."""
    return _audit_page(seat, workspace, after, since, limit)


def _decides(seat: Seat) -> bool:
    return seat.caller.scope is Scope.ADMIN


def _key(seat: Seat, workspace: str, key_id: str) -> UserKey:
    """Return a key that the caller may see; of others there is none."""
    unknown = IdentityNotFoundError(f"There is no user key with the id {key_id!r} here.")
    try:
        key = seat.identity.keys.get(key_id)
    except IdentityNotFoundError:
        raise unknown from None
    if key.workspace != workspace or not (_decides(seat) or key.user == seat.caller.user):
        raise unknown
    return key


def _audit_page(
    seat: Seat, workspace: str, after: str, since: AwareDatetime | None, limit: int
) -> AuditPageOut:
    since_us = 0 if since is None else max(0, microseconds(since))
    return AuditPageOut.of(
        seat.identity.audit.page(workspace, after=after, since_us=since_us, limit=limit)
    )
