"""An artifact on its way into the store, in the background."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quark.catalog.adding import note_known_files
from quark.catalog.commit import commit
from quark.catalog.model import CollectionKey, Draft, RunRef, Version
from quark.clock import SYSTEM_CLOCK
from quark.compat.wandb.artifacts.rules import check_metadata, usable_aliases
from quark.errors import QuarkError
from quark.pipeline.deferred import Deferred
from quark.records import EventRecord
from quark.session.registry import EXIT

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.artifact import Artifact
    from quark.compat.wandb.artifacts.place import Place
    from quark.session.handle import RunHandle
    from quark.storage.protocols import Store


#: How long a process that is told to end waits for what it is storing.
_SIGNAL_SECONDS = 5.0

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
        self.version: Version | None = None
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
        )

    def wait(self, timeout_seconds: float | None) -> bool:
        """Wait until it is done; say whether it is."""
        if timeout_seconds is None and not self._done.is_set():
            self._handle.settle()  # which does it here and now, after what waits before it
        return self._done.wait(timeout_seconds)

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

    def _bring(self, store: Store) -> None:
        """Copy what was added into another store than the run's, before the run was opened."""
        staging = self._staging
        if staging is None or staging.root == self._handle.root:
            return
        with staging.opened() as other:
            for sha256 in sorted(self.draft.manifest.payloads):
                if not store.blobs.exists(sha256):
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
    handle.emit(
        EventRecord,
        event_type=f"artifact_{what}",
        payload={
            "artifact": f"{version.source}:v{version.source_index}",
            "artifact_type": version.type,
            "digest": version.digest,
            "id": version.id,
            "size_bytes": version.size_bytes,
        },
    )
