"""Workspaces, users, members and keys as they are known, and what may name them.

A workspace's name is a folder's name and a part of URLs, so it is lower-case: two workspaces must
not become one folder on a file system that does not tell cases apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from quark.errors import SchemaValidationError

MAX_NAME_CHARACTERS = 64
MAX_LABEL_CHARACTERS = 128

_WORKSPACE = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_NAME_CHARACTERS - 1}}}")
_USER = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{0,{MAX_NAME_CHARACTERS - 1}}}")


class Scope(StrEnum):
    """What a key may do. Each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def includes(self, other: Scope) -> bool:
        """Say whether who has this may do what ``other`` allows.

        >>> Scope.ADMIN.includes(Scope.WRITE), Scope.READ.includes(Scope.WRITE)
        (True, False)
        """
        return _RANK[self] >= _RANK[other]


class Role(StrEnum):
    """What a member of a workspace is: a viewer reads, a member also writes, an admin decides."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"

    @property
    def scope(self) -> Scope:
        """The most that a key of such a member can do."""
        return _SCOPE_OF_ROLE[self]


_RANK = {scope: rank for rank, scope in enumerate(Scope)}
_SCOPE_OF_ROLE = dict(zip(Role, Scope, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A tenant of the service: its runs are seen by its members alone."""

    name: str
    created_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person, or a machine that logs on its own."""

    name: str
    created_us: int
    service_admin: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user's role in one workspace."""

    workspace: str
    user: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKey:
    """What is known of a key: all but its secret. Times are microseconds since the epoch.

    ``may_rule_service``: False if an admin of the workspace alone has issued it, who must not come
    to rule the service by a key in the name of somebody who does, or will. ``session_of``: the key
    that was shown to begin the session whose key this is; it ends with that one.
    """

    key_id: str
    user: str
    workspace: str
    scope: Scope
    created_us: int
    label: str = ""
    expires_us: int | None = None
    revoked_us: int | None = None
    last_used_us: int | None = None
    may_rule_service: bool = True
    session_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A key as it is shown this one time: ``text`` is what goes into ``QUARK_USER_KEY``."""

    key: UserKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose key it was, and what it may do now: no more than the user's role, nor than the key."""

    user: str
    key_id: str
    workspace: str
    role: Role
    scope: Scope
    service_admin: bool = False
    may_rule_service: bool = True
    expires_us: int | None = None

    @property
    def rules_service(self) -> bool:
        """Whether the caller may decide about all workspaces."""
        return self.service_admin and self.scope is Scope.ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who changes something, for the audit log. ``address``: from where, such as an IP."""

    user: str
    key_id: str | None = None
    address: str | None = None
    request_id: str | None = None


def check_workspace_name(name: str) -> str:
    """Return ``name`` if it can name a workspace.

    Raises:
        SchemaValidationError: It cannot.

    >>> check_workspace_name("vision-team")
    'vision-team'
    """
    if _WORKSPACE.fullmatch(name) is None:
        raise SchemaValidationError(
            f"A workspace cannot be called {name[:80]!r}: a name is up to {MAX_NAME_CHARACTERS} "
            "lower-case letters, digits, '_' or '-', a letter or digit first."
        )
    return name


def check_user_name(name: str) -> str:
    """Return ``name`` if it can name a user; addresses such as ``ann@example.com`` can.

    Raises:
        SchemaValidationError: It cannot.
    """
    if _USER.fullmatch(name) is None:
        raise SchemaValidationError(
            f"A user cannot be called {name[:80]!r}: a name is up to {MAX_NAME_CHARACTERS} "
            "lower-case letters, digits or any of '._@+-', a letter or digit first."
        )
    return name


def check_label(label: str) -> str:
    """Return ``label`` if it can be shown beside a key.

    Raises:
        SchemaValidationError: It is too long, or holds control characters.
    """
    if len(label) > MAX_LABEL_CHARACTERS or not (label.isprintable() or label == ""):
        raise SchemaValidationError(
            f"The label {label[:80]!r} of a key is not valid: it is up to {MAX_LABEL_CHARACTERS} "
            "printable characters."
        )
    return label
