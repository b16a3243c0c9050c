"""What is done for a run when everything else of it is over: the last deliveries, and a word on
what could not be delivered."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from quark.clock import SYSTEM_CLOCK
from quark.errors import SessionStoreError
from quark.session.places import is_remote, local_root

if TYPE_CHECKING:
    from quark.session.handle import RunHandle
    from quark.settings import Settings
    from quark.storage.protocols import Store


def send_payloads(store: Store | None, settings: Settings, seconds: float = 3600.0) -> None:
    """Send payloads that a service could not take when they were kept; begin none after
    ``seconds``. They wait on where it does not take them now."""
    if store is None or settings.mode != "online" or not is_remote(settings):
        return
    from quark.persistence.http_store import HttpStore

    assert isinstance(store, HttpStore)
    with contextlib.suppress(SessionStoreError):
        store.deliver_payloads(SYSTEM_CLOCK.monotonic() + seconds)


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
    way_out = "are delivered by the next run that uses this store, or by 'quark sync'."
    if pending:
        return (
            f"{pending} records of run {handle.run_id} have not reached the store yet. They are "
            f"kept in {handle.journal.folder} and {way_out}"
        )
    if is_remote(handle.settings):
        from quark.storage.layout import outbox_path

        outbox = outbox_path(local_root(handle.settings))
        if outbox.is_dir():
            return (
                f"payloads have not reached the store yet. They are kept in {outbox} and {way_out}"
            )
    return None
