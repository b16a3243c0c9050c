"""``mark_preempting``: a run whose machine is about to be taken away.

While the run goes on, its ``end_reason`` is :data:`PREEMPTING`. If it ends well, that is forgotten;
if not, it was preempted, and ``resume="auto"`` goes on with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark.records import EventRecord

if TYPE_CHECKING:
    from quark.compat.wandb.disabled import NullSession
    from quark.session import TrainingSession

PREEMPTING = "preempting"
PREEMPTED = "preempted"


def mark(session: TrainingSession | NullSession) -> None:
    """Keep it, and have it delivered at once, as far as that goes without waiting."""
    session.emit(EventRecord, event_type=PREEMPTING, severity="warning", payload={})
    session.update_run(end_reason=PREEMPTING)
    handle = getattr(session, "handle", None)
    if handle is not None:
        handle.request_flush()


def is_marked(session: TrainingSession | NullSession) -> bool:
    """Say whether the run was marked."""
    context = getattr(session, "context", None)
    return context is not None and context.run.end_reason == PREEMPTING
