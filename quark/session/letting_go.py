"""What is done for a run when everything else of it is over: the last deliveries, and a word on
what could not be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark.errors import SessionStoreError
from quark.session.places import is_remote, local_root
from quark.storage.layout import drafts_path, outbox_path

if TYPE_CHECKING:
    from quark.session.handle import RunHandle
    from quark.storage.protocols import Store


def take_in_and_pack(handle: RunHandle, store: Store) -> None:
    """Take in what forked children left, and have the run's points packed."""
    from quark.pipeline.recovery import deliver_leftovers  # at the end is early enough

    try:
        left = deliver_leftovers(store, handle.journal.folder)
        if left.frames or handle.diagnostics().points_shipped:
            store.points.merge(handle.run_id, final=True)
    except SessionStoreError as error:
        handle.faults.record("the run could not be packed", error)


def unsent(handle: RunHandle, pending: int) -> str | None:
    """Return what to tell of what the store has not got; None if there is nothing."""
    if pending and handle.journal.degraded:
        return f"{pending} records of {handle.run_id} were never written: {handle.journal.degraded}"
    way_out = "delivered by the next run that uses this store, or by 'quark sync'."
    places = []
    if pending:
        places.append((f"{pending} records of run {handle.run_id}", handle.journal.folder))
    if is_remote(handle.settings):
        root = local_root(handle.settings)
        drafts = len(list(drafts_path(root).glob("*.json")))
        if drafts:
            places.append((f"{drafts} artifact{'s' * (drafts > 1)}", drafts_path(root)))
        if outbox_path(root).is_dir():
            places.append(("payloads", outbox_path(root)))
    if not places:
        return None
    what = " and ".join(name for name, _ in places)
    where = " and ".join(str(folder) for _, folder in places)
    one = len(places) == 1 and places[0][0] == "1 artifact"
    have, they = ("has", "It is") if one else ("have", "They are")
    return f"{what} {have} not reached the store yet. {they} kept in {where} and {way_out}"
