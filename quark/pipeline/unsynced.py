"""Payloads that were stored and not yet brought through to the disk.

To have the disk take each file by itself is most of what keeping a small file costs, and hundreds
at once cost little more than one. So they are synced in batches: every few hundred, when nothing
else waits, and at the end. They survive the end of the process from the first moment; a loss of
power can take those of the last seconds, as it can the points.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import SessionStoreError
from quark.pipeline.faults import FaultLog

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: As many are synced at once, however much waits.
BATCH_COUNT = 256
#: Where few come, the disk is asked no more often than this.
BATCH_SECONDS = 2.0


class UnsyncedPayloads:
    """Syncs payloads in batches. Any thread may add. ``open_store`` gives the store they are in."""

    def __init__(
        self,
        open_store: Callable[[], AbstractContextManager[Store]],
        faults: FaultLog,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._open_store = open_store
        self._faults = faults
        self._clock = clock
        self._lock = threading.RLock()  # reentrant: a signal handler may end the run
        self._waiting: dict[str, None] = {}  # in the order in which they came
        self._synced_at = clock.monotonic()

    def add(self, digests: Iterable[str]) -> None:
        """Take payloads that are in the store; sync all that wait if those are many."""
        with self._lock:
            self._waiting.update(dict.fromkeys(digests))
            many = len(self._waiting) >= BATCH_COUNT
        if many:
            self.sync()

    def sync_if_due(self) -> None:
        """Sync what waits, if the last time is some seconds ago."""
        if self._waiting and self._clock.monotonic() - self._synced_at >= BATCH_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Sync what waits. A fault is counted, not raised: what was stored is there."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), {}
        if not waiting:
            return
        try:
            with self._open_store() as store:
                store.blobs.sync(_still_there(store, waiting))
        except (KeyError, SessionStoreError) as error:
            self._faults.record("payloads could not be synced", error, strict=False)
        self._synced_at = self._clock.monotonic()


def _still_there(store: Store, digests: Collection[str]) -> list[str]:
    """Return the payloads that nobody has removed since, with the run or artifact they were of."""
    here = store.blobs.claim_all(digests)
    return [sha256 for sha256 in digests if sha256 in here]
