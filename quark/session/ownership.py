"""Who ends a run that several processes write into.

On one machine locks tell which processes live. A service cannot tell whether a process of another
machine does: there it counts what the processes said when they came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark.records import RunRecord, RunStatus
from quark.session.branch_events import read_events
from quark.session.places import is_remote, local_root
from quark.session.request import RunRequest
from quark.storage.layout import journal_path

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: The event of a process that comes to a run which is open already.
JOINED = "process_joined"
#: The events of processes that come to a run; their payloads say whether they end it (``owner``).
_COMING = ("run_started", "run_resumed", JOINED)


def is_taken_over(existing: RunRecord, request: RunRequest) -> bool:
    """Say whether a run is resumed though a service has it as running."""
    asked = request.takes_over and request.owner is not False and is_remote(request.settings)
    return asked and existing.status == RunStatus.RUNNING and not _is_ended_here(request)


def is_owner(store: Store, request: RunRequest, *, joined: bool) -> bool:
    """Say whether this process ends the run: as it asked, else if nobody is there who does."""
    if request.owner is not None or not joined:
        return request.owner is not False
    if _is_ended_here(request):
        return False
    if not is_remote(request.settings) or request.settings.mode == "offline":
        return True
    assert request.run_id is not None
    events = read_events(store, request.run_id, *_COMING)
    return not any(event.payload.get("owner", event.event_type != JOINED) for event in events)


def _is_ended_here(request: RunRequest) -> bool:
    """Say whether another process of this machine is there that ends the run."""
    from quark.pipeline.recovery import has_living_owner  # only for what is shared

    assert request.run_id is not None
    return has_living_owner(journal_path(local_root(request.settings), request.run_id))
