"""Workspaces, users, and which user is what in which workspace.

A service administrator is an admin of every workspace without being its member. Who they are is
one document, so that two processes cannot remove the last two of them at once.
"""

from __future__ import annotations

from typing import Any

from quark.clock import Clock
from quark.errors import DocumentConflictError, IdentityNotFoundError, PermissionDeniedError
from quark.service.identity.changes import IDENTITY_KIND, IdentityChanges, Plan
from quark.service.identity.model import (
    Actor,
    Member,
    Role,
    User,
    Workspace,
    check_user_name,
    check_workspace_name,
)
from quark.storage.documents import NEW, Document, DocumentChange
from quark.storage.protocols import DocumentStore

WORKSPACE_KIND = "workspace"
USER_KIND = "service_user"
MEMBER_KIND = "workspace_member"
ADMINS = "service_admins"


class Directory:
    """Workspaces, users and members. Get it from :class:`~quark.service.identity.engine.Identity`.

    Its methods do what they are asked; whether the one who asks may, the routes decide.
    """

    def __init__(self, documents: DocumentStore, clock: Clock, changes: IdentityChanges) -> None:
        self._documents = documents
        self._clock = clock
        self._changes = changes

    # -- workspaces

    def create_workspace(self, name: str, *, by: Actor) -> Workspace:
        """Make a workspace.

        Raises:
            DocumentConflictError: There is one of this name.
            SchemaValidationError: The name is not valid.
        """
        made = Workspace(name=check_workspace_name(name), created_us=self._clock.time_us())

        def plan() -> Plan:
            if self.has_workspace(name):
                raise DocumentConflictError(
                    f"There is a workspace {name!r} already. Choose another name."
                )
            body = {"created_us": made.created_us}
            change = DocumentChange(WORKSPACE_KIND, name, body, NEW)
            return Plan(changes=(change,), action="workspace.create", detail={"workspace": name})

        self._changes.carry_out(by, plan)
        return made

    def has_workspace(self, name: str) -> bool:
        """Say whether there is such a workspace."""
        return self._documents.get(WORKSPACE_KIND, name) is not None if name else False

    def workspace(self, name: str) -> Workspace:
        """Return a workspace.

        Raises:
            IdentityNotFoundError: There is none of this name.
        """
        found = self._documents.get(WORKSPACE_KIND, name) if name else None
        if found is None:
            raise IdentityNotFoundError(
                f"There is no workspace {name[:80]!r}. A service administrator makes one with "
                "'quark admin workspace add'."
            )
        return _workspace(found)

    def workspaces(self) -> tuple[Workspace, ...]:
        """Return all workspaces by name."""
        return tuple(_workspace(found) for found in self._documents.list(WORKSPACE_KIND))

    # -- users

    def create_user(self, name: str, *, by: Actor) -> User:
        """Make a user, who is nothing anywhere yet.

        Raises:
            DocumentConflictError: There is one of this name.
            SchemaValidationError: The name is not valid.
        """
        made = User(name=check_user_name(name), created_us=self._clock.time_us())

        def plan() -> Plan:
            if self._documents.get(USER_KIND, name) is not None:
                raise DocumentConflictError(
                    f"There is a user {name!r} already. Choose another name."
                )
            body = {"created_us": made.created_us, "service_admin": False, "disabled": False}
            change = DocumentChange(USER_KIND, name, body, NEW)
            return Plan(changes=(change,), action="user.create", detail={"user": name})

        self._changes.carry_out(by, plan)
        return made

    def user(self, name: str) -> User:
        """Return a user.

        Raises:
            IdentityNotFoundError: There is none of this name.
        """
        return _user(self._user_document(name))

    def users(self) -> tuple[User, ...]:
        """Return all users by name."""
        return tuple(_user(found) for found in self._documents.list(USER_KIND))

    def set_disabled(self, name: str, disabled: bool, *, by: Actor) -> User:
        """Disable a user, whose keys are refused from then on, or enable one again.

        A service administrator who is disabled is none any more.

        Raises:
            IdentityNotFoundError: There is no such user.
            PermissionDeniedError: It is the last service administrator.
        """

        def plan() -> Plan | None:
            found = self._user_document(name)
            user = _user(found)
            if user.disabled == disabled:
                return None
            body = {**found.body, "disabled": disabled}
            changes: tuple[DocumentChange, ...] = ()
            if user.service_admin and disabled:
                body["service_admin"] = False
                changes = (self._admins_change(name, False),)
            return Plan(
                changes=(*changes, DocumentChange(USER_KIND, name, body, found.revision)),
                action="user.disable" if disabled else "user.enable",
                detail={"user": name},
            )

        self._changes.carry_out(by, plan)
        return self.user(name)

    def set_service_admin(
        self, name: str, service_admin: bool, *, by: Actor, only_as_first: bool = False
    ) -> User:
        """Make a user a service administrator, or none any more.

        Args:
            only_as_first: Refuse if there is one already, whoever is faster.

        Raises:
            DocumentConflictError: The user is disabled, or not the first.
            IdentityNotFoundError: There is no such user.
            PermissionDeniedError: It is the last service administrator.
        """

        def plan() -> Plan | None:
            found = self._user_document(name)
            user = _user(found)
            if only_as_first and (there := self.service_admins()):
                raise DocumentConflictError(
                    f"There is a service administrator already: {', '.join(there)}."
                )
            if user.service_admin == service_admin:
                return None
            if user.disabled:
                raise DocumentConflictError(
                    f"User {name!r} is disabled and so cannot rule the service. Enable them first."
                )
            body = {**found.body, "service_admin": service_admin}
            return Plan(
                changes=(
                    self._admins_change(name, service_admin),
                    DocumentChange(USER_KIND, name, body, found.revision),
                ),
                action="user.service_admin",
                detail={"user": name, "service_admin": service_admin},
            )

        self._changes.carry_out(by, plan)
        return self.user(name)

    def service_admins(self) -> tuple[str, ...]:
        """Return the names of the service administrators."""
        found = self._documents.get(IDENTITY_KIND, ADMINS)
        return () if found is None else tuple(found.body["users"])

    # -- members

    def set_member(self, workspace: str, user: str, role: Role, *, by: Actor) -> Member:
        """Give a user a role in a workspace, in the place of the one they had.

        Raises:
            IdentityNotFoundError: There is no such workspace or user.
        """

        def plan() -> Plan | None:
            self.workspace(workspace)
            self.user(user)
            name = f"{workspace}/{user}"
            found = self._documents.get(MEMBER_KIND, name)
            if found is not None and found.body["role"] == role:
                return None
            revision = NEW if found is None else found.revision
            change = DocumentChange(MEMBER_KIND, name, {"role": role.value}, revision)
            return Plan(
                changes=(change,),
                action="member.set",
                workspace=workspace,
                detail={"user": user, "role": role.value},
            )

        self._changes.carry_out(by, plan)
        return Member(workspace=workspace, user=user, role=role)

    def remove_member(self, workspace: str, user: str, *, by: Actor) -> None:
        """Take a user's role in a workspace away; their keys of it can do nothing from then on.

        Raises:
            IdentityNotFoundError: They have none.
        """

        def plan() -> Plan:
            name = f"{workspace}/{user}"
            found = self._documents.get(MEMBER_KIND, name)
            if found is None:
                raise IdentityNotFoundError(
                    f"User {user[:80]!r} is not a member of workspace {workspace[:80]!r}."
                )
            return Plan(
                changes=(DocumentChange(MEMBER_KIND, name, None, found.revision),),
                action="member.remove",
                workspace=workspace,
                detail={"user": user},
            )

        self._changes.carry_out(by, plan)

    def members(self, workspace: str) -> tuple[Member, ...]:
        """Return a workspace's members by name.

        Raises:
            IdentityNotFoundError: There is no such workspace.
        """
        self.workspace(workspace)
        prefix = f"{workspace}/"
        return tuple(
            Member(
                workspace=workspace,
                user=found.name.removeprefix(prefix),
                role=Role(found.body["role"]),
            )
            for found in self._documents.list(MEMBER_KIND, prefix)
        )

    def role(self, workspace: str, user: User) -> Role | None:
        """Return what a user is in a workspace, None if nothing."""
        if user.service_admin:
            return Role.ADMIN
        found = self._documents.get(MEMBER_KIND, f"{workspace}/{user.name}")
        return None if found is None else Role(found.body["role"])

    def _user_document(self, name: str) -> Document:
        found = self._documents.get(USER_KIND, name) if name else None
        if found is None:
            raise IdentityNotFoundError(
                f"There is no user {name[:80]!r}. A service administrator makes one with "
                "'quark admin user add'."
            )
        return found

    def _admins_change(self, name: str, service_admin: bool) -> DocumentChange:
        found = self._documents.get(IDENTITY_KIND, ADMINS)
        users: list[Any] = [] if found is None else found.body["users"]
        after = sorted({*users, name} if service_admin else {*users} - {name})
        if not after:
            raise PermissionDeniedError(
                f"User {name!r} is the last service administrator. Make another one first."
            )
        revision = NEW if found is None else found.revision
        return DocumentChange(IDENTITY_KIND, ADMINS, {"users": after}, revision)


def _workspace(found: Document) -> Workspace:
    return Workspace(name=found.name, created_us=found.body["created_us"])


def _user(found: Document) -> User:
    return User(name=found.name, **found.body)
