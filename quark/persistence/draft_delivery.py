"""Having a service make the versions whose drafts rest on this machine.

A draft's payloads go first, then the version is made, then the run's own records say so: each of
them once, however often it is tried and whoever tries it. Drafts of one collection are delivered in
their order; one that waits for its run holds up no other collection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from quark.catalog.commit import commit, link
from quark.catalog.model import CollectionKey, Draft, RunRef, Version
from quark.catalog.reading import find_committed
from quark.catalog.resting import Resting, RestingDrafts, WantedLink
from quark.catalog.telling import told
from quark.clock import SYSTEM_CLOCK, Clock
from quark.errors import (
    ArtifactNotFoundError,
    DamagedFileError,
    IdentityNotFoundError,
    PermissionDeniedError,
    RecordRejectedError,
    RunNotFoundError,
    SchemaValidationError,
)
from quark.persistence.outbox import OutboxBlobs
from quark.persistence.refused_payloads import Refusal as Refusal
from quark.persistence.wire import OWN_WORKSPACE
from quark.records import EventRecord
from quark.records.codec import encode_body
from quark.storage.batch import Batch, EncodedRecord
from quark.storage.layout import drafts_path, journal_path, outbox_path

if TYPE_CHECKING:
    from quark.persistence.http_store import HttpStore

#: What an offline run calls the workspace that its user key will belong to.
_UNKNOWN = ("local", OWN_WORKSPACE)
#: Trying again would change nothing.
_FOR_GOOD = (
    ArtifactNotFoundError,
    DamagedFileError,
    IdentityNotFoundError,
    PermissionDeniedError,
    RecordRejectedError,
    SchemaValidationError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a delivery did. ``foreign`` says of drafts for other services why they stay;
    ``waiting`` of those whose run is not there yet. ``busy``: another process is at it."""

    count: int = 0
    refusals: tuple[Refusal, ...] = ()
    foreign: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    busy: bool = False


def deliver_drafts(
    store: HttpStore,
    root: Path,
    *,
    until_seconds: float = float("inf"),
    any_target: bool = False,
    on_made: Callable[[str, Version], None] = lambda id, version: None,
    clock: Clock = SYSTEM_CLOCK,
) -> Delivered:
    """Have the service make the versions whose drafts rest in the store's folder ``root``.

    With the monotonic clock past ``until_seconds`` no further one is begun. ``any_target``: also
    those that were logged for another service. ``on_made`` is told the id of each draft, before
    that is gone, and the version as it is then.

    Raises:
        SessionStoreError: The service does not take them now. What was delivered until then is.
    """
    resting = RestingDrafts(drafts_path(root))
    if not resting.folder.is_dir():
        return Delivered()
    with resting.delivering() as mine:
        if not mine:
            return Delivered(busy=True)
        delivery = _Delivery(store, root, resting, any_target=any_target, on_made=on_made)
        for path in resting.paths():
            if clock.monotonic() > until_seconds:
                break
            delivery.take(path)
        resting.tidy()
        return delivery.done


class _Delivery:
    def __init__(
        self,
        store: HttpStore,
        root: Path,
        resting: RestingDrafts,
        *,
        any_target: bool,
        on_made: Callable[[str, Version], None],
    ) -> None:
        self._on_made = on_made
        self._store = store
        self._service = store.service
        self._root = root
        self._resting = resting
        self._any_target = any_target
        self._held_up: set[CollectionKey] = set()
        self._staying: set[str] = set()  # ids of what was not delivered
        self._own_workspace: str | None = None
        self.done = Delivered()

    def take(self, path: Path) -> None:
        """Deliver one draft, set it aside, or leave it."""
        try:
            wanted = self._resting.read(path)
        except FileNotFoundError:
            return
        except DamagedFileError as error:
            self._refuse(path, path.name, str(error))
            return
        if self._stays(wanted):
            self._staying.add(wanted.id)
            return
        try:
            self._deliver(wanted)
        except RunNotFoundError as error:
            if self._is_on_its_way(wanted.run):
                self._held_up.add(wanted.wanted.key)
                self._staying.add(wanted.id)
                self.done = replace(self.done, waiting=(*self.done.waiting, str(error)))
            elif not self._is_there(wanted.run):
                self._refuse(path, wanted.wanted.key.name, f"{error} Nor is it on this machine.")
        except _FOR_GOOD as error:
            self._refuse(path, wanted.wanted.key.name, str(error))
        else:
            self._resting.remove(path)
            self.done = replace(self.done, count=self.done.count + 1)

    def _stays(self, wanted: Resting) -> bool:
        if not (self._any_target or self._is_meant(wanted)):
            reason = (
                f"The artifact {wanted.wanted.key} was logged for {wanted.target}, not for "
                f"{self._store.target} and its workspace {self._store.workspace!r}. It is kept in "
                f"{self._resting.folder}; quark.sync delivers it with that URL and a key for it."
            )
            self.done = replace(self.done, foreign=(*self.done.foreign, reason))
            return True
        source = wanted.wanted.source if isinstance(wanted.wanted, WantedLink) else None
        return wanted.wanted.key in self._held_up or source in self._staying

    def _is_meant(self, wanted: Resting) -> bool:
        workspace, here = wanted.wanted.key.workspace, self._store.workspace
        same = workspace == here or workspace in _UNKNOWN or here in _UNKNOWN
        return wanted.target == self._store.target and same

    def _is_on_its_way(self, run: RunRef) -> bool:
        return any(journal_path(self._root, run.run_id).glob("*.qj"))

    def _is_there(self, run: RunRef) -> bool:
        """Look once more: what was on its way a moment ago may have arrived."""
        try:
            self._service.records.get_run(run.run_id)
        except RunNotFoundError:
            return False
        return True

    def _deliver(self, wanted: Resting) -> None:
        record = self._service.records.get_run(wanted.run.run_id)
        run = RunRef(record.id, record.project_name, record.workspace)
        key = self._named(wanted.wanted.key)
        if isinstance(wanted.wanted, WantedLink):
            self._link(wanted.wanted, key)
            return
        self._send_payloads(wanted.wanted)
        version = commit(
            self._service,
            replace(wanted.wanted, key=key, run=run),
            distributed_id=wanted.distributed_id,
            finished=wanted.finished,
        )
        if version is not None:
            self._on_made(str(wanted.wanted.id), version)
            self._tell(wanted, version)

    def _link(self, wanted: WantedLink, key: CollectionKey) -> None:
        if self._resting.is_refused(wanted.source):
            raise SchemaValidationError("What it is to lead to was refused, and set aside, too.")
        version = find_committed(self._service, wanted.source)
        if version is None:
            raise ArtifactNotFoundError("What it is to lead to was deleted.")
        link(self._service, version, key, wanted.aliases, id=wanted.id)

    def _send_payloads(self, draft: Draft) -> None:
        outbox = outbox_path(self._root)
        if outbox.is_dir():
            blobs = OutboxBlobs(self._store.payloads, outbox)
            blobs.deliver_these(sorted(draft.manifest.payloads))

    def _named(self, key: CollectionKey) -> CollectionKey:
        """Return a collection's key with the workspace that an offline run could not know."""
        if key.workspace not in _UNKNOWN:
            return key
        if self._own_workspace is None:
            self._own_workspace = self._store.named_workspace()
        return key._replace(workspace=self._own_workspace)

    def _tell(self, wanted: Resting, version: Version) -> None:
        """Let the run's records say it, in the name of a writer of the draft's own: a second time
        is known by that."""
        assert isinstance(wanted.wanted, Draft)
        used = wanted.wanted.used
        event_type, payload = told(version, "used" if used else "logged")
        record = EventRecord(
            id="", run_id=wanted.run.run_id, timestamp="", event_type=event_type, payload=payload
        )
        encoded = EncodedRecord(1, 0, record.KIND, None, None, wanted.time_us, encode_body(record))
        self._service.append(
            Batch(
                run_id=wanted.run.run_id,
                writer_id=f"artifact-{wanted.id}",
                first_seq=1,
                last_seq=1,
                records=(encoded,),
            )
        )

    def _refuse(self, path: Path, name: str, reason: str) -> None:
        place = self._resting.set_aside(path, reason)
        refusal = Refusal(name=name, reason=reason, path=place)
        self.done = replace(self.done, refusals=(*self.done.refusals, refusal))
