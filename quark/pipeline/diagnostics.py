"""What the pipeline has accepted, delivered and lost, as an immutable snapshot."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from quark import jsonio


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostics:
    """The state of one session's pipeline at a moment.

    ``accepted`` counts frames that ``append`` kept (a ``log`` call is one frame); ``shipped`` those
    that the store has; ``pending`` those on their way;
    ``rows_shipped`` those with points. ``dropped`` maps ``"kind: reason"`` to a
    count and is empty unless something was lost, each loss with its reason. ``faults`` maps the
    cause of an internal error to how often it happened.
    """

    writer_id: str
    accepted: int = 0
    shipped: int = 0
    pending: int = 0
    points_shipped: int = 0
    rows_shipped: int = 0
    records_shipped: int = 0
    quarantined: int = 0
    damaged: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    journal_bytes: int = 0
    degraded: str | None = None
    last_error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the snapshot as a plain dict."""
        return {item.name: jsonio.to_plain(getattr(self, item.name)) for item in fields(self)}


class LossCounter:
    """Counts what was not kept, by kind and reason."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: so a signal handler may call
        self._counts: dict[str, int] = {}

    def add(self, kind: str, reason: str, count: int = 1) -> bool:
        """Count a loss; say whether it is the first for this reason."""
        with self._lock:
            first = not any(name.endswith(f": {reason}") for name in self._counts)
            name = f"{kind}: {reason}"
            self._counts[name] = self._counts.get(name, 0) + count
            return first

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)
