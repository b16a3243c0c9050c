"""What the routes of identity take and give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from quark.service.identity.audit import AuditEntry, AuditPage
from quark.service.identity.model import (
    MAX_LABEL_CHARACTERS,
    Caller,
    Member,
    Role,
    Scope,
    User,
    UserKey,
    Workspace,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = "2026-01-31T12:00:00Z"

WorkspaceNameIn = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern="^[a-z0-9][a-z0-9_-]*$",
        description="Lower-case letters, digits, `_` and `-`, a letter or digit first.",
        examples=["vision-team"],
    ),
]
UserNameIn = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern="^[a-z0-9][a-z0-9._@+-]*$",
        description="Lower-case letters, digits and any of `._@+-`, a letter or digit first.",
        examples=["ann@example.com"],
    ),
]
Moment = Annotated[AwareDatetime, Field(examples=[_MOMENT])]


class Given(BaseModel):
    """A body. A field that is not known is refused: it may have been meant to limit something."""

    model_config = ConfigDict(extra="forbid")


class WorkspaceIn(Given):
    """A workspace to be made."""

    name: WorkspaceNameIn


class WorkspaceOut(BaseModel):
    """A workspace."""

    name: str = Field(examples=["vision-team"])
    created_at: Moment

    @classmethod
    def of(cls, workspace: Workspace) -> WorkspaceOut:
        return cls(name=workspace.name, created_at=moment(workspace.created_us))


class WorkspacesOut(BaseModel):
    """Workspaces by name."""

    workspaces: list[WorkspaceOut]


class UserIn(Given):
    """A user to be made."""

    name: UserNameIn
    service_admin: bool = Field(False, description="Whether they decide about all workspaces.")


class UserChangeIn(Given):
    """What shall become of a user; what is left out, stays."""

    disabled: bool | None = Field(None, description="A disabled user's keys are refused.")
    service_admin: bool | None = None


class UserOut(BaseModel):
    """A user."""

    name: str = Field(examples=["ann@example.com"])
    created_at: Moment
    service_admin: bool
    disabled: bool

    @classmethod
    def of(cls, user: User) -> UserOut:
        return cls(
            name=user.name,
            created_at=moment(user.created_us),
            service_admin=user.service_admin,
            disabled=user.disabled,
        )


class UsersOut(BaseModel):
    """Users by name."""

    users: list[UserOut]


class MemberIn(Given):
    """What a user shall be in a workspace."""

    role: Role = Field(description="A viewer reads, a member also writes, an admin decides.")


class MemberOut(BaseModel):
    """What a user is in a workspace."""

    user: str = Field(examples=["ann@example.com"])
    role: Role

    @classmethod
    def of(cls, member: Member) -> MemberOut:
        return cls(user=member.user, role=member.role)


class MembersOut(BaseModel):
    """A workspace's members by name."""

    members: list[MemberOut]


class KeyIn(Given):
    """A key to be issued."""

    user: UserNameIn | None = Field(
        None, description="Whose it shall be; the caller's if left out. Others: for admins only."
    )
    scope: Scope = Field(Scope.WRITE, description="No more than the caller's own.")
    label: str = Field("", max_length=MAX_LABEL_CHARACTERS, examples=["cluster, nightly runs"])
    expires_at: AwareDatetime | None = Field(
        None,
        description="From when on it is refused; never if left out. A key that was issued with "
        "one that expires, expires no later.",
        examples=["2027-01-31T12:00:00Z"],
    )


class KeyOut(BaseModel):
    """What is known of a key: all but its secret."""

    key_id: str = Field(examples=["5w3k8x0v9qt2"])
    user: str = Field(examples=["ann@example.com"])
    workspace: str = Field(examples=["vision-team"])
    scope: Scope
    label: str
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None = Field(description="To the minute.")

    @classmethod
    def of(cls, key: UserKey) -> KeyOut:
        return cls(**_key_fields(key))


class IssuedKeyOut(KeyOut):
    """A key with its text, which is shown this one time."""

    user_key: str = Field(
        description="What goes into QUARK_USER_KEY.", examples=["qk_5w3k8x0v9qt2_…"]
    )

    @classmethod
    def issued(cls, key: UserKey, text: str) -> IssuedKeyOut:
        return cls(**_key_fields(key), user_key=text)


class KeysOut(BaseModel):
    """Keys, the oldest first."""

    keys: list[KeyOut]


class MeOut(BaseModel):
    """Whose key it is, and what it may do now."""

    user: str = Field(examples=["ann@example.com"])
    workspace: str = Field(examples=["vision-team"])
    key_id: str = Field(examples=["5w3k8x0v9qt2"])
    role: Role
    scope: Scope = Field(description="The smaller of the key's scope and what the role allows.")
    service_admin: bool
    expires_at: Moment | None

    @classmethod
    def of(cls, caller: Caller) -> MeOut:
        return cls(
            user=caller.user,
            workspace=caller.workspace,
            key_id=caller.key_id,
            role=caller.role,
            scope=caller.scope,
            service_admin=caller.service_admin,
            expires_at=_moment(caller.expires_us),
        )


class AuditEntryOut(BaseModel):
    """One thing that was done or refused."""

    id: str = Field(examples=["1767225600000000-4k2j9x0a"])
    at: Moment
    action: str = Field(examples=["key.issue"])
    user: str = Field(description="Who; `unknown` without a good key.")
    key_id: str | None
    address: str | None = Field(description="From where.", examples=["192.0.2.1"])
    request_id: str | None
    detail: dict[str, Any] = Field(description="What it was done to.")

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditEntryOut:
        return cls(
            id=entry.entry_id,
            at=moment(entry.time_us),
            action=entry.action,
            user=entry.by.user,
            key_id=entry.by.key_id,
            address=entry.by.address,
            request_id=entry.by.request_id,
            detail=dict(entry.detail),
        )


class AuditPageOut(BaseModel):
    """Entries, the oldest first."""

    entries: list[AuditEntryOut]
    next_after: str | None = Field(description="What `after` is for the next page; null: no more.")

    @classmethod
    def of(cls, page: AuditPage) -> AuditPageOut:
        entries = [AuditEntryOut.of(entry) for entry in page.entries]
        return cls(entries=entries, next_after=page.next_after)


class ErrorDetail(BaseModel):
    """What went wrong."""

    type: str = Field(description="A class of `quark.errors`.", examples=["RunNotFoundError"])
    message: str = Field(examples=["There is no run 'run_x'."])


class ErrorOut(BaseModel):
    """The body of every answer of 400 or more."""

    error: ErrorDetail


def moment(time_us: int) -> datetime:
    """Return microseconds since the epoch as a date and time in UTC."""
    return _EPOCH + timedelta(microseconds=time_us)


def microseconds(at: datetime) -> int:
    """Return a date and time as microseconds since the epoch."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _moment(time_us: int | None) -> datetime | None:
    return None if time_us is None else moment(time_us)


def _key_fields(key: UserKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "user": key.user,
        "workspace": key.workspace,
        "scope": key.scope,
        "label": key.label,
        "created_at": moment(key.created_us),
        "expires_at": _moment(key.expires_us),
        "revoked_at": _moment(key.revoked_us),
        "last_used_at": _moment(key.last_used_us),
    }
