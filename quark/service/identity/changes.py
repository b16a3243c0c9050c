"""How identity is changed: with its audit entry, all or nothing, and known to every process.

Each change also writes one document, the epoch. Whoever keeps in memory what was read of identity
looks at the epoch's revision alone to learn whether that still holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quark.errors import DocumentConflictError
from quark.service.identity.audit import SERVICE, AuditLog
from quark.service.identity.model import Actor
from quark.storage.documents import DocumentChange
from quark.storage.protocols import DocumentStore

IDENTITY_KIND = "identity"
EPOCH = "epoch"

_MAX_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What shall be changed, each at the revision at which it was read, and what that is."""

    changes: tuple[DocumentChange, ...]
    action: str
    workspace: str = SERVICE
    detail: Mapping[str, Any] = field(default_factory=dict)


class IdentityChanges:
    """The one way to change identity. ``on_change`` is called after each change, and before the
    caller learns of it."""

    def __init__(
        self, documents: DocumentStore, audit: AuditLog, on_change: Callable[[], None]
    ) -> None:
        self._documents = documents
        self._audit = audit
        self._on_change = on_change

    def carry_out(self, by: Actor, plan: Callable[[], Plan | None]) -> None:
        """Carry out a plan; it is made again as long as somebody else is faster. None: nothing is
        to be done.

        Raises:
            DocumentConflictError: Somebody else was faster a thousand times.
        """
        for _ in range(_MAX_ATTEMPTS):
            planned = plan()
            if planned is None:
                return
            entry = self._audit.changes(
                planned.action, by, workspace=planned.workspace, detail=planned.detail
            )
            epoch = DocumentChange(IDENTITY_KIND, EPOCH, {})
            try:
                self._documents.apply([*planned.changes, *entry, epoch])
            except DocumentConflictError:
                continue
            self._on_change()
            self._audit.remove_old(planned.workspace)
            return
        raise DocumentConflictError(
            f"Others changed users and keys {_MAX_ATTEMPTS} times meanwhile. Try again later."
        )

    def epoch(self) -> int:
        """Return a number that is another one after each change, in whatever process."""
        found = self._documents.get(IDENTITY_KIND, EPOCH)
        return 0 if found is None else found.revision
