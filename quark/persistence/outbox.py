"""Payloads that a service does not have yet: kept on this machine until it does.

A payload goes to the service at once where that answers. Where it does not, or is not to be spoken
to, it is kept in a folder; who reads it here finds it there, and :meth:`OutboxBlobs.deliver` sends
it. What the service refuses for good is set aside, and the others go on. Points and records wait in
the journal in the same way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import (
    PermissionDeniedError,
    RecordRejectedError,
    SchemaValidationError,
    SessionStoreError,
)
from quark.persistence.refused_payloads import Refusal, RefusedPayloads, remove_empty
from quark.storage.folder_blobs import FolderBlobs
from quark.storage.layout import REFUSED
from quark.storage.many_payloads import copy_payloads

if TYPE_CHECKING:
    from quark.storage.file_copy import FileDigests
    from quark.storage.protocols import BlobStore

T = TypeVar("T")

#: After a failure the service is left alone for as long, by all that have the same folder.
_PAUSE_SECONDS = 10.0
_not_before_seconds: dict[Path, float] = {}


#: Trying again would change nothing.
_FOR_GOOD = (PermissionDeniedError, RecordRejectedError, SchemaValidationError)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPayloads:
    """What a delivery did."""

    count: int = 0
    refusals: tuple[Refusal, ...] = ()


class OutboxBlobs:
    """A :class:`~quark.storage.protocols.BlobStore`: ``service``, and ``folder`` for what that has
    not got. With ``offline`` nothing is sent before :meth:`deliver`."""

    def __init__(
        self,
        service: BlobStore,
        folder: Path,
        *,
        offline: bool = False,
        check_open: Callable[[], None] = lambda: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._service = service
        self._folder = folder
        self._here = FolderBlobs(folder, check_open)
        self._refused = RefusedPayloads(folder.with_name(REFUSED))
        self._offline = offline
        self._check_open = check_open
        self._clock = clock

    def put(self, source: BinaryIO | bytes, *, synced: bool = True) -> tuple[str, int]:
        self._check_open()
        if isinstance(source, (bytes, bytearray)):
            stored = self._sent(lambda: self._service.put(bytes(source), synced=synced))
        elif source.seekable():
            start = source.tell()
            stored = self._sent(lambda: self._service.put(source, synced=synced))
            if stored is None:
                source.seek(start)
        else:  # it can be read once: it is kept first, and sent with the next that waits
            stored = None
        return stored or self._here.put(source, synced=synced)

    def put_file(self, path: Path) -> FileDigests:
        self._check_open()
        return self._sent(lambda: self._service.put_file(path)) or self._here.put_file(path)

    def put_all(self, sources: Sequence[bytes | Path]) -> list[FileDigests]:
        self._check_open()
        return self._sent(lambda: self._service.put_all(sources)) or self._here.put_all(sources)

    def sync(self, digests: Iterable[str]) -> None:
        self._check_open()
        wanted = list(digests)
        here = [sha256 for sha256 in wanted if self._here.exists(sha256)]
        self._here.sync(here)
        if len(here) < len(wanted):  # a service that took a payload has it safe
            rest = [sha256 for sha256 in wanted if sha256 not in here]
            self._sent(lambda: self._service.sync(rest))

    def sync_here(self, digests: Iterable[str]) -> None:
        """Bring those of the payloads that are kept here through to the disk."""
        for sha256 in digests:
            with contextlib.suppress(KeyError):  # the service has it
                self._here.sync([sha256])

    def copy_to(self, sha256: str, path: Path) -> None:
        self._chosen(sha256).copy_to(sha256, path)

    def open(self, sha256: str) -> BinaryIO:
        return self._chosen(sha256).open(sha256)

    def exists(self, sha256: str) -> bool:
        if self._here.exists(sha256) or self._refused.blobs.exists(sha256):
            return True
        return not self._offline and self._service.exists(sha256)

    def delete(self, sha256: str) -> None:
        self._here.delete(sha256)
        self._refused.blobs.delete(sha256)
        if not self._offline:
            self._service.delete(sha256)

    def claim(self, sha256: str) -> bool:
        return self._here.claim(sha256) or bool(self._sent(lambda: self._service.claim(sha256)))

    def claim_all(self, digests: Collection[str]) -> set[str]:
        here = self._here.claim_all(digests)
        rest = set(digests) - here
        return here | (
            (self._sent(lambda: self._service.claim_all(rest)) if rest else None) or set()
        )

    def unclaimed(self, before_us: int) -> dict[str, int]:
        return self._service.unclaimed(before_us)

    def remove_unclaimed(self, sha256: str, before_us: int) -> int | None:
        return self._service.remove_unclaimed(sha256, before_us)

    def digests(self) -> Iterable[str]:
        return self._service.digests()

    def close(self) -> None:
        """Nothing of its own is open; the service's payloads are closed by who made them."""

    def waiting(self) -> list[str]:
        """Return the payloads that the service does not have yet."""
        return sorted(self._here.digests()) if self._folder.is_dir() else []

    def deliver(self, until_seconds: float = float("inf")) -> SentPayloads:
        """Send what waits and keep it here no longer. What is refused for good is set aside.

        With the monotonic clock past ``until_seconds`` no further one is begun. Several processes
        may do this at once.

        Raises:
            SessionStoreError: The service does not take them now, or none with this key.
            OSError: What was refused cannot be set aside.
        """
        refusals: list[Refusal] = []
        count = self._deliver_some(self.waiting(), until_seconds, refusals)
        self._tidy()
        return SentPayloads(count=count, refusals=tuple(refusals))

    def put_back(self) -> int:
        """Let what was set aside wait again; return how many payloads those were."""
        return self._refused.put_back(self._folder)

    def deliver_these(self, digests: Collection[str], until_seconds: float = float("inf")) -> int:
        """Send those of the payloads that wait, and keep them here no longer; return how many.

        Raises:
            SessionStoreError: The service does not take them now.
        """
        count, copying = 0, copy_payloads(self._here, self._service, digests)
        while self._clock.monotonic() <= until_seconds:
            copied = next(copying, None)
            if copied is None:
                break
            for sha256 in copied.digests:
                self._here.delete(sha256)
            count += len(copied.digests)
        return count

    def _deliver_some(
        self, digests: list[str], until_seconds: float, refusals: list[Refusal]
    ) -> int:
        """Deliver them, those that are refused being looked for by halves."""
        before = len(digests)
        try:
            return self.deliver_these(digests, until_seconds)
        except _FOR_GOOD as error:
            left = [sha256 for sha256 in digests if self._here.exists(sha256)]
            # Raises where the key may do nothing, or nothing is understood: no payload's fault.
            self._service.claim_all(left[:1])
            if len(left) == 1:
                refusal = self._refused.set_aside(self._here.path_of(left[0]), str(error))
                refusals += [] if refusal is None else [refusal]
                return before - 1
        middle = (len(left) + 1) // 2
        return (
            before
            - len(left)
            + sum(
                self._deliver_some(part, until_seconds, refusals)
                for part in (left[:middle], left[middle:])
                if part
            )
        )

    def _tidy(self) -> None:
        """Remove the folder once nothing is in it; not what another process just puts there."""
        if self._folder.is_dir() and not self.waiting():
            remove_empty(self._folder)

    def _sent(self, send: Callable[[], T]) -> T | None:
        """Return what ``send`` does; None if the service does not take it now."""
        if self._offline or self._clock.monotonic() < _not_before_seconds.get(self._folder, 0.0):
            return None
        try:
            return send()
        except RecordRejectedError:
            raise
        except SessionStoreError:
            self._check_open()
            _not_before_seconds[self._folder] = self._clock.monotonic() + _PAUSE_SECONDS
            return None

    def _chosen(self, sha256: str) -> BlobStore:
        if self._here.exists(sha256):
            return self._here
        if self._refused.blobs.exists(sha256):
            return self._refused.blobs
        return self._here if self._offline else self._service
