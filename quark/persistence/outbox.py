"""Payloads that a service does not have yet: kept on this machine until it does.

A payload goes to the service at once where that answers. Where it does not, or is not to be spoken
to, it is kept in a folder; who reads it here finds it there, and :meth:`OutboxBlobs.deliver` sends
it. Points and records wait in the journal in the same way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import RecordRejectedError, SessionStoreError
from quark.storage.folder_blobs import FolderBlobs

if TYPE_CHECKING:
    from quark.storage.file_copy import FileDigests
    from quark.storage.protocols import BlobStore

T = TypeVar("T")

#: After a failure the service is left alone for as long.
_PAUSE_SECONDS = 10.0


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
        self._offline = offline
        self._check_open = check_open
        self._clock = clock
        self._not_before_seconds = 0.0

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

    def sync(self, digests: Iterable[str]) -> None:
        self._check_open()
        wanted = list(digests)
        here = [sha256 for sha256 in wanted if self._here.exists(sha256)]
        self._here.sync(here)
        if len(here) < len(wanted):
            self._service.sync([sha256 for sha256 in wanted if sha256 not in here])

    def copy_to(self, sha256: str, path: Path) -> None:
        self._chosen(sha256).copy_to(sha256, path)

    def open(self, sha256: str) -> BinaryIO:
        return self._chosen(sha256).open(sha256)

    def exists(self, sha256: str) -> bool:
        return self._here.exists(sha256) or (not self._offline and self._service.exists(sha256))

    def delete(self, sha256: str) -> None:
        self._here.delete(sha256)
        if not self._offline:
            self._service.delete(sha256)

    def claim(self, sha256: str) -> bool:
        return self._here.claim(sha256) or (not self._offline and self._service.claim(sha256))

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

    def deliver(self, until_seconds: float = float("inf")) -> int:
        """Send what waits and keep it here no longer; return how many payloads were sent.

        With the monotonic clock past ``until_seconds`` no further one is begun. Several processes
        may do this at once.

        Raises:
            SessionStoreError: The service does not take them now.
        """
        count = 0
        for sha256 in self.waiting():
            if self._clock.monotonic() > until_seconds:
                break
            with contextlib.suppress(KeyError, FileNotFoundError):  # another process was faster
                if not self._service.claim(sha256):
                    with self._here.open(sha256) as payload:
                        self._service.put(payload)
                self._here.delete(sha256)
                count += 1
        self._tidy()
        return count

    def _tidy(self) -> None:
        """Remove the folder once nothing is in it; not what another process just puts there."""
        if not self._folder.is_dir() or self.waiting():
            return
        for place in sorted(self._folder.rglob("*"), reverse=True):
            with contextlib.suppress(OSError):
                place.rmdir()
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _sent(self, send: Callable[[], T]) -> T | None:
        """Return what ``send`` does; None if the service does not take it now."""
        if self._offline or self._clock.monotonic() < self._not_before_seconds:
            return None
        try:
            return send()
        except RecordRejectedError:
            raise
        except SessionStoreError:
            self._check_open()
            self._not_before_seconds = self._clock.monotonic() + _PAUSE_SECONDS
            return None

    def _chosen(self, sha256: str) -> BlobStore:
        return self._here if self._here.exists(sha256) or self._offline else self._service
