"""The journal of the mode ``disabled``: nothing reaches a disk, and nothing waits.

What makes up the run itself (its record, events, tags) passes through memory, so that a session
behaves as ever; metrics and rows are accepted and forgotten.
"""

from __future__ import annotations

from quark.pipeline.journal import Journal
from quark.pipeline.memory_ring import MemoryRing
from quark.storage.batch import NO_STEP

_RING_BYTES = 1024 * 1024


class DisabledJournal(Journal):
    """Takes everything and keeps only what is essential, in memory."""

    def append(
        self,
        kind: int,
        body: bytes,
        step: int = NO_STEP,
        time_us: int = 0,
        *,
        essential: bool = False,
    ) -> int:
        """Keep a frame if it is essential; return a seq as if it were kept in any case."""
        if not essential:
            return self._seq or 1
        return super().append(kind, body, step, time_us, essential=True)

    def maintain(self) -> None:
        """There is nothing to make ready."""

    def _open_writer(self) -> None:
        self._ring = MemoryRing(_RING_BYTES)
