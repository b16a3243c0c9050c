"""How large a journal and its files may become."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalConfig:
    """Sizes of a journal; ``max_bytes`` is the disk budget for what is not delivered yet."""

    segment_bytes: int = 4 * 1024 * 1024
    max_bytes: int = 10 * 1024**3
    ring_bytes: int = 64 * 1024 * 1024

    @property
    def budget_bytes(self) -> int:
        """What may lie in files undelivered: one segment at least."""
        return max(self.max_bytes, self.segment_bytes)
