"""What a journal says when it cannot keep what it is given: to counts, people and its owner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from quark import ui
from quark.pipeline.diagnostics import LossCounter
from quark.pipeline.frames import frame_name, record_count

_HELP = {
    "spool_full": "The journal has reached spool_max_bytes; make room, raise QUARK_SPOOL_MAX_BYTES "
    "or have the store answer again.",
    "memory_full": "Nothing can be written and the memory set aside is full; make room.",
}


class Troubles:
    """Counts losses in ``losses`` and tells ``on_trouble`` of each reason once."""

    def __init__(
        self,
        folder: Path,
        losses: LossCounter | None,
        on_trouble: Callable[[str, str], None] | None,
    ) -> None:
        self._folder = folder
        self._losses = losses or LossCounter()
        self._on_trouble = on_trouble

    def lose(self, kind: int, body: bytes, reason: str) -> None:
        """Count a frame that is not kept."""
        name, count = frame_name(kind, body), record_count(kind, body)
        if self._losses.add(name, reason, count) and reason in _HELP:
            self.tell(reason, f"records are being dropped: {reason} ({name}). {_HELP[reason]}")

    def tell(self, reason: str, message: str) -> None:
        """Say what is wrong, once for each reason."""
        ui.warn_once(f"{reason} {self._folder}", message)
        if self._on_trouble is not None:
            self._on_trouble(reason, message)
