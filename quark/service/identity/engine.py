"""Identity: the parts of this package, joined."""

from __future__ import annotations

from quark.clock import SYSTEM_CLOCK, Clock
from quark.service.identity.audit import DEFAULT_RETENTION_DAYS, AuditLog
from quark.service.identity.authentication import Authentication
from quark.service.identity.changes import IdentityChanges
from quark.service.identity.directory import Directory
from quark.service.identity.keys import KeyRing
from quark.service.identity.model import Caller
from quark.storage.protocols import DocumentStore


class Identity:
    """Workspaces, users, keys and the audit log of one service, kept in its documents.

    Threads may share it; each process of a service has one of its own, over the same documents.

    Args:
        documents: The control store's documents.
        clock: What stamps and expires.
        audit_retention_days: For how long entries of the audit log stay.

    >>> from quark.service.identity.model import Actor, Role, Scope
    >>> from quark.storage.memory import MemoryStore
    >>> identity, root = Identity(MemoryStore().documents), Actor(user="root")
    >>> team = identity.directory.create_workspace("team", by=root)
    >>> ann = identity.directory.create_user("ann", by=root)
    >>> member = identity.directory.set_member("team", "ann", Role.MEMBER, by=root)
    >>> issued = identity.keys.issue(user="ann", workspace="team", scope=Scope.WRITE, by=root)
    >>> identity.authenticate(issued.text).user
    'ann'
    """

    def __init__(
        self,
        documents: DocumentStore,
        clock: Clock = SYSTEM_CLOCK,
        *,
        audit_retention_days: int = DEFAULT_RETENTION_DAYS,
    ) -> None:
        self.audit = AuditLog(documents, clock, retention_days=audit_retention_days)
        self._changes = IdentityChanges(documents, self.audit, self._forget)
        self.directory = Directory(documents, clock, self._changes)
        self.keys = KeyRing(documents, clock, self._changes, self.directory)
        self._authentication = Authentication(documents, clock, self.directory, self.keys)

    def authenticate(self, text: str) -> Caller:
        """Return whose key ``text`` is and what it may do now.

        Raises:
            AuthenticationError: It is no key, or none that is accepted (any more).
            PermissionDeniedError: Its user is no member of its workspace any more.
            SessionStoreError: The store cannot answer now.
        """
        return self._authentication.authenticate(text, self._changes)

    def remembered(self, text: str) -> Caller | None:
        """Return the caller if that is known without asking the store. Never waits, so that an
        event loop may ask."""
        return self._authentication.remembered(text)

    def was_good(self, text: str) -> bool:
        """Say whether the key was accepted by this process when it was last used."""
        return self._authentication.was_good(text)

    def _forget(self) -> None:
        self._authentication.forget()
