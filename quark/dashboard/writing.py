"""Changing runs from a page: what a place needs for it, and how a store of this machine does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from quark.errors import SessionStoreError

if TYPE_CHECKING:
    from quark.storage.frame_content import FrameContent
    from quark.storage.protocols import Store

#: The writer, in every run, of what pages change. All processes share it, so that each sees what
#: the others have changed.
WRITER = "dashboard"
_MAX_ATTEMPTS = 50


class RunWriter(Protocol):
    """Changes the runs of one store. Its methods wait, and are called on a thread of a view."""

    def change(self, run_id: str, decide: Callable[[], FrameContent | None]) -> bool:
        """Store what ``decide`` makes of a run as it is; say whether that was anything.

        It is called again if somebody else was faster.

        Raises:
            RunNotFoundError: There is no such run.
            SessionStoreError: It cannot be stored now.
        """
        ...

    def delete(self, run_id: str) -> None:
        """Remove a run and everything that belongs to it alone.

        Raises:
            RunNotFoundError: There is no such run.
        """
        ...

    def note(self, action: str, **detail: Any) -> None:
        """Keep that something was done, where there is an audit log."""
        ...

    def is_being_written(self, run_id: str) -> bool | None:
        """Say whether a process is there that trains the run; None if that cannot be told."""
        ...


class StoreWriter:
    """Changes runs of a store that this process has opened itself."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def change(self, run_id: str, decide: Callable[[], FrameContent | None]) -> bool:
        """Append a frame; see :class:`RunWriter`."""
        for _ in range(_MAX_ATTEMPTS):
            seq = self._store.position(run_id, WRITER) + 1
            content = decide()
            if content is None:
                return False
            if self._store.append(content.batch(run_id, WRITER, seq)):
                return True
        raise SessionStoreError(f"Run {run_id!r} is changed by too many at once; try again.")

    def delete(self, run_id: str) -> None:
        """Remove a run."""
        self._store.records.delete_run(run_id)

    def note(self, action: str, **detail: Any) -> None:
        """Do nothing: who sits at this machine needs no audit log."""

    def is_being_written(self, run_id: str) -> bool | None:
        """Look who holds the locks of the run's journal."""
        folder = self._store.run_dir(run_id)
        if folder is None:
            return None
        from quark.pipeline.recovery import has_living_owner  # seldom needed

        return has_living_owner(folder / "journal")
