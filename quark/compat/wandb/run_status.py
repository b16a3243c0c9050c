"""``run.status()``: how much of what was logged has reached the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb.disabled import NullSession

if TYPE_CHECKING:
    from quark.session import TrainingSession


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Counts of journal frames: logged, and not in the store yet. ``sync_time`` is when everything
    was there, None if it is not."""

    sync_items_total: int | None = None
    sync_items_pending: int | None = None
    sync_time: datetime | None = None


def run_status(session: TrainingSession | NullSession) -> RunStatus:
    """Return the counts of this process as they are now."""
    if isinstance(session, NullSession):
        return RunStatus()
    found = session.diagnostics()
    now = datetime.fromtimestamp(SYSTEM_CLOCK.time_us() / 1e6, UTC)
    return RunStatus(found.accepted, found.pending, None if found.pending else now)
