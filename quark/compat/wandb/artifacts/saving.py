"""An artifact on its way into the store, in the background.

Into an embedded store a version is committed at once. For a service its draft comes to rest on this
machine, and is sent from there, by this process or by a later one.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quark import ids
from quark.catalog.adding import note_known_files
from quark.catalog.commit import commit
from quark.catalog.model import CollectionKey, Draft, RunRef, Version
from quark.catalog.reading import find_committed
from quark.catalog.resting import Resting, RestingDrafts, WantedLink
from quark.catalog.telling import told
from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb.artifacts.rules import check_metadata, usable_aliases
from quark.errors import QuarkError, SessionStoreError
from quark.pipeline.deferred import Deferred
from quark.records import EventRecord
from quark.session.places import is_remote
from quark.session.registry import EXIT

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.artifact import Artifact
    from quark.compat.wandb.artifacts.place import Place
    from quark.session.handle import RunHandle
    from quark.storage.protocols import Store


#: How long a process that is told to end waits for what it is storing.
_SIGNAL_SECONDS = 5.0
#: How often it is looked whether a draft was sent.
_LOOK_SECONDS = 0.02
_ID_LENGTH = 20

_pending: weakref.WeakSet[Saving] = weakref.WeakSet()


class Saving(Deferred):
    """Makes a version of an artifact. What it needs of the artifact it has from the beginning on.

    ``version`` is what came of it, None before that, and where other processes add to it yet.
    """

    what = "artifact"

    def __init__(
        self,
        artifact: Artifact,
        handle: RunHandle,
        run: RunRef,
        *,
        aliases: Sequence[str],
        tags: Sequence[str],
        step: int,
        used: bool = False,
        distributed_id: str | None = None,
        finished: bool = True,
    ) -> None:
        super().__init__(1)
        self._handle = handle
        self._distributed_id = distributed_id
        self._finished = finished
        self._staging: Place | None = artifact._place
        self._staged, artifact._staged = artifact._staged, None
        self._done = threading.Event()
        self._failure: BaseException | None = None
        self._time_us = SYSTEM_CLOCK.time_us()
        self._file: Path | None = None  # where the draft rests, or rested, for a service
        self.version: Version | None = None
        self._is_sent = False
        self._pid = os.getpid()
        _pending.add(self)
        if _await_pending not in EXIT.before_signal:
            EXIT.before_signal.append(_await_pending)
        target = artifact._target
        self.draft = Draft(
            key=target or CollectionKey(run.workspace, run.project, artifact._given_name),
            type=artifact.type,
            manifest=artifact.manifest.kept(),
            aliases=usable_aliases(aliases),
            description=artifact.description,
            metadata=check_metadata(artifact.metadata),
            tags=tuple(tags),
            ttl_seconds=artifact._ttl_seconds,
            ttl_inherited=artifact._ttl_inherited,
            run=run,
            step=step,
            used=used,
            incremental=artifact.incremental,
            base_index=artifact._base_index,
            unsynced=frozenset(artifact._unsynced),
            id=ids.random_id(_ID_LENGTH) if is_remote(handle.settings) else None,
        )

    def wait(self, timeout_seconds: float | None) -> bool:
        """Wait until it is done; say whether it is.

        For a service that is away no longer than ``finish_timeout_seconds``, and not at all in the
        mode ``offline``.
        """
        begun = SYSTEM_CLOCK.monotonic()
        if timeout_seconds is None and not self._done.is_set():
            self._handle.settle()  # which does it here and now, after what waits before it
        if not self._done.wait(timeout_seconds):
            return False
        if self._file is None or self._failure is not None or self._is_sent:
            return True
        seconds = timeout_seconds
        if seconds is None:
            seconds = self._handle.settings.finish_timeout_seconds
        return self._await_sending(self._file, begun + seconds)

    def was_sent(self, *, at_once: bool = False) -> bool:
        """Say whether a service has it, if it is for one. It is tried once, which takes no longer
        than until that fails; with ``at_once`` it is not waited for."""
        self._handle.settle()
        if self._file is None:
            return True
        if at_once:
            return not self._file.exists()
        self._handle.sending.await_own(self._handle.settings.finish_timeout_seconds)
        return not self._file.exists()

    @property
    def why_not(self) -> str:
        """Say where the draft is, after :meth:`wait` has waited in vain."""
        if self._file is None:
            return "it still is in the background"
        if self._handle.settings.mode == "offline":
            return f"the mode is 'offline'; it rests in {self._file}, and 'quark sync' delivers it"
        error = self._handle.sending.last_error
        return (
            f"the store has not taken it yet{'' if error is None else f' ({error})'} It rests in "
            f"{self._file}, and is delivered as soon as the store answers, by this run, the next "
            "one, or 'quark sync'"
        )

    def _await_sending(self, file: Path, deadline: float) -> bool:
        if self._handle.settings.mode == "offline" and file.exists():
            return False
        pause = threading.Event()
        self._handle.sending.hurry()
        while True:
            if self._handle.closed:
                with self._handle.at_rest() as store:
                    self._handle.sending.work(store)
            if not file.exists() and self._learn(file):
                return True
            if SYSTEM_CLOCK.monotonic() >= deadline:
                return False
            pause.wait(_LOOK_SECONDS)

    def _learn(self, file: Path) -> bool:
        """Find out what came of the draft that is not at rest any more; False if the service does
        not say."""
        reason = RestingDrafts(file.parent).why_refused(file)
        if reason is not None:
            self._failure = QuarkError(reason)
            self._is_sent = True
            return True
        self.version = self._handle.sending.made.pop(str(self.draft.id), None)
        if self.version is None:  # another process made it
            try:
                with self._handle.at_rest() as store:
                    self.version = find_committed(store, str(self.draft.id))
            except SessionStoreError:
                return False
        self._is_sent = True
        return True

    def raise_failure(self) -> None:
        """Raise what it failed with, if it did.

        Raises:
            ValueError: It did.
        """
        if self._failure is not None:
            raise ValueError(
                f"The artifact {self.draft.key.name} could not be stored: {self._failure}"
            ) from self._failure

    def _journal(self) -> None:
        try:
            with self._handle.at_rest() as store:
                self._bring(store)
                if self.draft.id is not None and self._came_to_rest(store):
                    note_known_files(self._handle.root)
                    return
                self.version = commit(
                    store,
                    self.draft,
                    distributed_id=self._distributed_id,
                    finished=self._finished,
                )
            note_known_files(self._handle.root)
            if self.version is not None:
                tell(self._handle, self.version, "used" if self.draft.used else "logged")
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._staged = None
            self._done.set()
            _pending.discard(self)

    def _came_to_rest(self, store: Store) -> bool:
        """Keep the draft for the service; False if the disk does not take it, in which case only
        committing it at once is left."""
        from quark.persistence.outbox import OutboxBlobs

        if isinstance(store.blobs, OutboxBlobs):
            store.blobs.sync_here(sorted(self.draft.unsynced & self.draft.manifest.payloads))
        resting = Resting(
            wanted=self.draft,
            target=store.target,
            time_us=self._time_us,
            distributed_id=self._distributed_id,
            finished=self._finished,
        )
        try:
            self._file = self._handle.sending.rest(resting)
        except OSError as error:
            self._handle.faults.record("a draft of an artifact could not be kept", error)
            return False
        return True

    def _bring(self, store: Store) -> None:
        """Copy what was added into another store than the run's, before the run was opened."""
        staging = self._staging
        if staging is None or staging.root == self._handle.root:
            return
        with staging.opened() as other:
            for sha256 in sorted(self.draft.manifest.payloads):
                if not _has(store, sha256):
                    try:
                        with other.blobs.open(sha256) as stream:
                            store.blobs.put(stream)
                    except KeyError as error:
                        raise QuarkError(f"The payload {sha256} is gone.") from error


def _await_pending() -> None:
    """Give the background a moment to store what was logged; called when a signal ends the process.

    Only waiting is safe there: what was interrupted may hold any lock.
    """
    deadline = SYSTEM_CLOCK.monotonic() + _SIGNAL_SECONDS
    for saving in tuple(_pending):
        if saving._pid == os.getpid():
            saving._done.wait(max(0.0, deadline - SYSTEM_CLOCK.monotonic()))


def tell(handle: RunHandle, version: Version, what: str) -> None:
    """Note in the run's own records that it logged or used a version."""
    event_type, payload = told(version, what)
    handle.emit(EventRecord, event_type=event_type, payload=payload)


def rest_again(saving: Saving, run: RunRef, aliases: Sequence[str], tags: Sequence[str]) -> Path:
    """Have aliases and tags given to a version once the service has made it, and have it noted as
    an output of the run; return where that rests.

    Raises:
        OSError: It cannot be kept.
    """
    handle = saving._handle
    draft = replace(
        saving.draft,
        id=ids.random_id(_ID_LENGTH),
        aliases=usable_aliases(aliases),
        tags=tuple(tags),
        run=run,
        used=False,
        incremental=False,
    )
    resting = Resting(wanted=draft, target=handle.store_target, time_us=SYSTEM_CLOCK.time_us())
    return handle.sending.rest(resting)


def rest_link(saving: Saving, key: CollectionKey, aliases: Iterable[str]) -> Path:
    """Have a version linked once the service has made it; return where that rests.

    Raises:
        OSError: It cannot be kept.
    """
    handle, draft = saving._handle, saving.draft
    assert draft.id is not None
    assert draft.run is not None
    link = WantedLink(
        id=ids.random_id(_ID_LENGTH),
        source=draft.id,
        key=key,
        aliases=tuple(aliases),
        run=draft.run,
    )
    resting = Resting(wanted=link, target=handle.store_target, time_us=SYSTEM_CLOCK.time_us())
    return handle.sending.rest(resting)


def _has(store: Store, sha256: str) -> bool:
    try:
        return store.blobs.exists(sha256)
    except SessionStoreError:
        return False  # it is put once more, and dropped where it is not needed
