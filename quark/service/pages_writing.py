"""Changing runs from the dashboard of a service: on the way that all changes go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anyio.from_thread import run

from quark.service.run_writing import RunWriting

if TYPE_CHECKING:
    from quark.service.access import Access
    from quark.service.state import ServiceState
    from quark.storage.frame_content import FrameContent


class ServiceWriter:
    """A :class:`~quark.dashboard.writing.RunWriter` for one request."""

    def __init__(self, state: ServiceState, access: Access) -> None:
        self._state = state
        self._access = access

    def change(self, run_id: str, decide: Callable[[], FrameContent | None]) -> bool:
        """Store as the service what ``decide`` makes of the run; readers that wait are told."""
        last: list[bool] = []

        def decided() -> FrameContent | None:
            content = decide()
            last[:] = [content is not None]
            return content

        run(RunWriting(self._state, self._access, run_id).change, decided)
        return last == [True]

    def delete(self, run_id: str) -> None:
        """Remove a run."""
        self._access.store.records.delete_run(run_id)

    def note(self, action: str, **detail: Any) -> None:
        """Put it into the workspace's audit log."""
        self._access.note(action, **detail)

    def is_being_written(self, run_id: str) -> bool | None:
        """Say that it cannot be told: the processes are on other machines."""
        return None
