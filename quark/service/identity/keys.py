"""User keys: issued, listed, revoked. What proves one is in ``key_text.py``, who checks one in
``authentication.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quark.clock import Clock, format_timestamp
from quark.errors import (
    DocumentConflictError,
    IdentityNotFoundError,
    PermissionDeniedError,
    SchemaValidationError,
)
from quark.service.identity.changes import IdentityChanges, Plan
from quark.service.identity.directory import Directory
from quark.service.identity.key_text import hashed, new_key_text
from quark.service.identity.model import Actor, IssuedKey, Scope, UserKey, check_label
from quark.storage.documents import NEW, Document, DocumentChange
from quark.storage.protocols import DocumentStore

KEY_KIND = "user_key"


class KeyRing:
    """All user keys. Get it from :class:`~quark.service.identity.engine.Identity`.

    Its methods do what they are asked; whether the one who asks may, the routes decide.
    """

    def __init__(
        self,
        documents: DocumentStore,
        clock: Clock,
        changes: IdentityChanges,
        directory: Directory,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._changes = changes
        self._directory = directory

    def issue(
        self,
        *,
        user: str,
        workspace: str,
        scope: Scope,
        by: Actor,
        label: str = "",
        expires_us: int | None = None,
        may_rule_service: bool = True,
        session_of: str | None = None,
    ) -> IssuedKey:
        """Make a key. Its text is in the answer, and nowhere else.

        Args:
            expires_us: From when on it is refused, in microseconds since the epoch; None: never.
            may_rule_service: Whether it is worth all that its user is, where that is a service
                administrator; else it is one of an admin of the workspace.
            session_of: The key whose session it is for: it is refused as soon as that one is.

        Raises:
            DocumentConflictError: The user is disabled.
            IdentityNotFoundError: There is no such user or workspace.
            PermissionDeniedError: The user's role in the workspace does not allow the scope.
            SchemaValidationError: The label is not valid, or the key would have expired already.
        """
        check_label(label)
        now_us = self._clock.time_us()
        if expires_us is not None and expires_us <= now_us:
            raise SchemaValidationError(
                f"The key would expire at {format_timestamp(expires_us)}, which is over; give a "
                "time to come, or none."
            )
        text = new_key_text()
        key = UserKey(
            key_id=text.key_id,
            user=user,
            workspace=workspace,
            scope=scope,
            created_us=now_us,
            label=label,
            expires_us=expires_us,
            may_rule_service=may_rule_service,
            session_of=session_of,
        )

        def plan() -> Plan:
            self._check_may_hold(user, workspace, scope)
            body = {
                "user": user,
                "workspace": workspace,
                "scope": scope.value,
                "created_us": now_us,
                "label": label,
                "expires_us": expires_us,
                "revoked_us": None,
                "last_used_us": None,
                "may_rule_service": may_rule_service,
                "secret": hashed(text.secret),
                **({"session_of": session_of} if session_of else {}),
            }
            return Plan(
                changes=(DocumentChange(KEY_KIND, text.key_id, body, NEW),),
                action="key.issue",
                workspace=workspace,
                detail={
                    "key_id": text.key_id,
                    "user": user,
                    "scope": scope.value,
                    "expires_us": expires_us,
                    **({"label": label} if label else {}),
                },
            )

        self._changes.carry_out(by, plan)
        return IssuedKey(key=key, text=str(text))

    def get(self, key_id: str) -> UserKey:
        """Return what is known of a key.

        Raises:
            IdentityNotFoundError: There is no such key.
        """
        return user_key(self._document(key_id))

    def keys(self, workspace: str | None = None, user: str | None = None) -> tuple[UserKey, ...]:
        """Return the keys of a workspace, of a user, or all, the oldest first."""
        found = (user_key(document) for document in self._documents.list(KEY_KIND))
        chosen = (
            key for key in found if workspace in (None, key.workspace) and user in (None, key.user)
        )
        return tuple(sorted(chosen, key=lambda key: (key.created_us, key.key_id)))

    def revoke(self, key_id: str, *, by: Actor) -> UserKey:
        """Let a key be refused from now on: at once in this process, within a second in others.

        A second time changes nothing.

        Raises:
            IdentityNotFoundError: There is no such key.
        """

        def plan() -> Plan | None:
            found = self._document(key_id)
            if found.body["revoked_us"] is not None:
                return None
            body = {**found.body, "revoked_us": self._clock.time_us()}
            return Plan(
                changes=(DocumentChange(KEY_KIND, key_id, body, found.revision),),
                action="key.revoke",
                workspace=found.body["workspace"],
                detail={"key_id": key_id, "user": found.body["user"]},
            )

        self._changes.carry_out(by, plan)
        return self.get(key_id)

    def remove(self, key_ids: Sequence[str], *, workspace: str, by: Actor) -> None:
        """Forget keys that are of no use any more; nothing happens to those that are gone."""

        def plan() -> Plan | None:
            found = [self._documents.get(KEY_KIND, key_id) for key_id in key_ids]
            gone = [document for document in found if document is not None]
            if not gone:
                return None
            return Plan(
                changes=tuple(
                    DocumentChange(KEY_KIND, each.name, None, each.revision) for each in gone
                ),
                action="key.remove",
                workspace=workspace,
                detail={"key_ids": [each.name for each in gone]},
            )

        self._changes.carry_out(by, plan)

    def note_use(self, key_id: str, at_us: int) -> None:
        """Note when a key was last used. Nothing follows if somebody else changes it just now."""
        found = self._documents.get(KEY_KIND, key_id)
        if found is None:
            return
        body = {**found.body, "last_used_us": max(at_us, found.body["last_used_us"] or 0)}
        try:
            self._documents.apply([DocumentChange(KEY_KIND, key_id, body, found.revision)])
        except DocumentConflictError:
            return

    def _check_may_hold(self, user_name: str, workspace: str, scope: Scope) -> None:
        self._directory.workspace(workspace)
        user = self._directory.user(user_name)
        if user.disabled:
            raise DocumentConflictError(
                f"User {user_name!r} is disabled, so a key would be refused. Enable them first."
            )
        role = self._directory.role(workspace, user)
        if role is None or not role.scope.includes(scope):
            what = "no member" if role is None else f"a {role.value}"
            raise PermissionDeniedError(
                f"User {user_name!r} is {what} of workspace {workspace!r}, so a key of theirs "
                f"cannot have the scope {scope.value!r}. Change their role first."
            )

    def _document(self, key_id: str) -> Document:
        found = self._documents.get(KEY_KIND, key_id) if key_id else None
        if found is None:
            raise IdentityNotFoundError(f"There is no user key with the id {key_id[:80]!r}.")
        return found


def user_key(found: Document) -> UserKey:
    """Return what a key's document says, without its secret's hash."""
    known: dict[str, Any] = {name: item for name, item in found.body.items() if name != "secret"}
    known["scope"] = Scope(known["scope"])
    return UserKey(key_id=found.name, **known)
