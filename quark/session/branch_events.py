"""What a run's events say of the branches that it is: what was begun, and whether it was finished.

A fork, a rewinding and the copy that is kept before one are many writes. An event says what is
begun, together with the first of them; another one follows the last. A run that has only the first
was left by a process that died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark.records import EventRecord
from quark.storage.model import RecordFilter

if TYPE_CHECKING:
    from quark.storage.protocols import Store

FORKED = "run_forked"
REWOUND = "run_rewound"
ARCHIVED = "run_archived"
#: Follows each of these three once everything is there.
BRANCHED = "run_branched"


def read_events(store: Store, run_id: str, *event_types: str) -> tuple[EventRecord, ...]:
    """Return the events of some types.

    Raises:
        RunNotFoundError: There is no such run.
    """
    chosen = RecordFilter(equals={"event_type": event_types})
    return store.records.read(EventRecord, run_id, chosen)


def unfinished_branch(store: Store, run_id: str) -> EventRecord | None:
    """Return what was begun and not finished; None if all is there.

    Raises:
        RunNotFoundError: There is no such run.
    """
    events = read_events(store, run_id, FORKED, REWOUND, ARCHIVED, BRANCHED)
    begun = [event for event in events if event.event_type != BRANCHED]
    if 2 * len(begun) == len(events):
        return None
    return max(begun, key=lambda event: event.timestamp)
