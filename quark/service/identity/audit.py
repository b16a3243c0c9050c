"""The audit log: who did what, when and from where. Entries are only ever added, until they are
older than the retention.

Entries of a workspace rest in documents named ``<workspace>/<day>/<time>-<random>``, those of the
service itself below ``-``, so that a page reads a day and not the whole log. Entries are ordered
by the clock of the process that wrote them: one that several processes write may get an entry
a little before the end of what was read.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from quark.clock import Clock, format_timestamp
from quark.errors import SchemaValidationError, SessionStoreError
from quark.ids import random_id
from quark.service.identity.model import Actor
from quark.service.rates import TokenBuckets
from quark.storage.documents import DocumentChange
from quark.storage.protocols import DocumentStore

ENTRY_KIND = "audit"
DAY_KIND = "audit_day"
#: In the place of a workspace: what concerns the whole service.
SERVICE = "-"

DEFAULT_RETENTION_DAYS = 365
MAX_PAGE_ENTRIES = 1000

_DAY_US = 86_400_000_000
_REMOVED_AT_ONCE = 500
_ENTRY_ID = re.compile(r"\d{16}-[0-9a-z]{8}")
_DENIALS_PER_NAME = 60.0  # seconds between two entries of one denial
_DENIALS_IN_ALL_PER_SECOND = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that was done or refused. ``entry_id`` orders entries and pages through them."""

    entry_id: str
    time_us: int
    action: str
    workspace: str
    by: Actor
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Entries by time, and after which one the next page begins; None after the last page."""

    entries: tuple[AuditEntry, ...]
    next_after: str | None


class AuditLog:
    """The audit log of a service. Threads and processes may share it.

    Args:
        documents: Where it rests.
        clock: What stamps entries.
        retention_days: For how long an entry stays. At least 1.
    """

    def __init__(
        self,
        documents: DocumentStore,
        clock: Clock,
        *,
        retention_days: int = DEFAULT_RETENTION_DAYS,
    ) -> None:
        if retention_days < 1:
            raise SchemaValidationError(
                f"An audit log cannot be kept for {retention_days} days: it is at least 1."
            )
        self._documents = documents
        self._clock = clock
        self._retention_us = retention_days * _DAY_US
        self._lock = threading.Lock()
        self._last_us = 0
        self._tidied: dict[str, str] = {}  # workspace -> the day on which old entries were removed
        self._denials = TokenBuckets(clock, burst=1, per_second=1 / _DENIALS_PER_NAME)
        self._all_denials = TokenBuckets(clock, burst=60, per_second=_DENIALS_IN_ALL_PER_SECOND)

    def record(
        self,
        action: str,
        by: Actor,
        *,
        workspace: str = SERVICE,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry. ``detail`` says what it was done to; never put a secret there."""
        self._documents.apply(self.changes(action, by, workspace=workspace, detail=detail))
        self.remove_old(workspace)

    def record_denial(
        self, by: Actor, *, reason: str, workspace: str = SERVICE, detail: Mapping[str, Any]
    ) -> bool:
        """Add an entry about what was refused, unless the same was written a minute ago or there
        are very many; say whether it was. A store that is down is no reason to fail here."""
        name = f"{by.key_id or by.address}\0{workspace}\0{reason}"
        if not self._denials.take(name) or not self._all_denials.take(""):
            return False
        try:
            self.record("denied", by, workspace=workspace, detail={"reason": reason, **detail})
        except SessionStoreError:
            return False
        return True

    def changes(
        self,
        action: str,
        by: Actor,
        *,
        workspace: str = SERVICE,
        detail: Mapping[str, Any] | None = None,
    ) -> tuple[DocumentChange, DocumentChange]:
        """Return what adds an entry, to be applied together with what it is about."""
        time_us = self._next_us()
        body = {
            "time_us": time_us,
            "action": action,
            "user": by.user,
            "key_id": by.key_id,
            "address": by.address,
            "request_id": by.request_id,
            "detail": dict(detail or {}),
        }
        day = f"{workspace}/{_day(time_us)}"
        entry_id = f"{time_us:016d}-{random_id(8)}"
        return (
            DocumentChange(ENTRY_KIND, f"{day}/{entry_id}", body),
            DocumentChange(DAY_KIND, day, {}),
        )

    def page(
        self, workspace: str = SERVICE, *, after: str = "", since_us: int = 0, limit: int = 100
    ) -> AuditPage:
        """Return entries of a workspace, or of the service, oldest first.

        Args:
            after: The ``entry_id`` (or ``next_after``) behind which to begin.
            since_us: Leave out what is older, in microseconds since the epoch.
            limit: How many at most, 1 to 1,000.

        Raises:
            SchemaValidationError: ``after`` is no entry's id, or ``limit`` is out of range.
        """
        if after and _ENTRY_ID.fullmatch(after) is None:
            raise SchemaValidationError(
                f"{after[:80]!r} is not the id of an audit entry: give 'next_after' of a page."
            )
        if not 1 <= limit <= MAX_PAGE_ENTRIES:
            raise SchemaValidationError(
                f"A page of the audit log cannot have {limit} entries: 1 to {MAX_PAGE_ENTRIES}."
            )
        start_us = max(since_us, int(after[:16]) if after else 0, self._oldest_us())
        found: list[AuditEntry] = []
        for entry in self._from(workspace, start_us):
            if entry.time_us >= start_us and entry.entry_id > after:
                if len(found) == limit:
                    return AuditPage(entries=tuple(found), next_after=found[-1].entry_id)
                found.append(entry)
        return AuditPage(entries=tuple(found), next_after=None)

    def remove_old(self, workspace: str = SERVICE) -> None:
        """Remove what is older than the retention, once a day and process.

        What the store does not let go now, it does tomorrow.
        """
        today = _day(self._clock.time_us())
        if self._tidied.get(workspace) == today:
            return
        self._tidied[workspace] = today
        oldest_day = _day(self._oldest_us())
        try:
            for day in self._days(workspace):
                if day < oldest_day:
                    self._remove_day(workspace, day)
        except SessionStoreError:
            self._tidied.pop(workspace, None)

    def _remove_day(self, workspace: str, day: str) -> None:
        names = [found.name for found in self._documents.list(ENTRY_KIND, f"{workspace}/{day}/")]
        for first in range(0, len(names), _REMOVED_AT_ONCE):
            some = names[first : first + _REMOVED_AT_ONCE]
            self._documents.apply([DocumentChange(ENTRY_KIND, name, None) for name in some])
        self._documents.apply([DocumentChange(DAY_KIND, f"{workspace}/{day}", None)])

    def _from(self, workspace: str, start_us: int) -> Iterator[AuditEntry]:
        first_day = _day(start_us)
        for day in self._days(workspace):
            if day >= first_day:
                prefix = f"{workspace}/{day}/"
                for found in self._documents.list(ENTRY_KIND, prefix):
                    yield _entry(workspace, found.name.removeprefix(prefix), found.body)

    def _days(self, workspace: str) -> list[str]:
        prefix = f"{workspace}/"
        return [found.name[len(prefix) :] for found in self._documents.list(DAY_KIND, prefix)]

    def _oldest_us(self) -> int:
        return max(0, self._clock.time_us() - self._retention_us)

    def _next_us(self) -> int:
        """Later than all that this process wrote before, also when the clock was set back."""
        with self._lock:
            self._last_us = max(self._clock.time_us(), self._last_us + 1)
            return self._last_us


def _day(time_us: int) -> str:
    return format_timestamp(time_us)[:10]


def _entry(workspace: str, entry_id: str, body: Mapping[str, Any]) -> AuditEntry:
    by = Actor(
        user=body["user"],
        key_id=body["key_id"],
        address=body["address"],
        request_id=body["request_id"],
    )
    return AuditEntry(
        entry_id=entry_id,
        time_us=body["time_us"],
        action=body["action"],
        workspace=workspace,
        by=by,
        detail=body["detail"],
    )
