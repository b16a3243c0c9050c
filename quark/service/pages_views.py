"""Views of the dashboard that work much out, in processes of their own.

To sort a logged table of a million rows, or to hold nine runs against each other, takes seconds in
which whoever sends points would share an interpreter with it. So a view that is declared to be
heavy is never answered in the service's own process: not even if the other one dies of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quark.errors import SessionStoreError
from quark.service.child_pool import AllBusyError, ChildPool
from quark.service.child_process import NoAnswerError
from quark.service.ingest import PutOffError

if TYPE_CHECKING:
    from quark.dashboard.asked import Asked
    from quark.service.config import ServiceConfig
    from quark.service.stores import StoreKey

#: For each worker. While one reads a large table, other views need not wait for it.
_PROCESSES = 2
#: A process that works for longer on one view is given up; so is waiting for one that is free.
_VIEW_SECONDS = 60.0
_WAIT_SECONDS = 15.0
#: They keep few files open: those of a deleted run take room until they let go of them.
_MAX_OPEN_RUNS = 32


class HeavyViews:
    """Answers heavy views. Owns the processes; there are none where series are read here, too.

    Args:
        view_seconds: A process that takes longer is given up.
    """

    def __init__(
        self,
        config: ServiceConfig,
        *,
        view_seconds: float = _VIEW_SECONDS,
        wait_seconds: float = _WAIT_SECONDS,
    ) -> None:
        self._view_seconds = view_seconds
        self._wait_seconds = wait_seconds
        self._pool = ChildPool(
            "quark.service.pages_child",
            config,
            _PROCESSES if config.read_processes else 0,
            told={"max_open_runs": min(config.max_open_runs, _MAX_OPEN_RUNS)},
        )

    def answer(self, key: StoreKey, path: str, asked: Asked) -> bytes | None:
        """Return the body of a view; None if it is answered here.

        Raises:
            PutOffError: All processes are busy; come again.
            SessionStoreError: It took too long, or too much memory.
            QuarkError: What the view raised.
        """
        if not len(self._pool):
            return None
        question: list[Any] = [key.workspace, key.storage_dir, path, asked.path, asked.query]
        try:
            return self._pool.ask(question, self._view_seconds, wait_seconds=self._wait_seconds)
        except AllBusyError as error:
            raise PutOffError(
                "views", "The dashboard is working out other large views; try again.", seconds=2.0
            ) from error
        except NoAnswerError as error:
            raise SessionStoreError(
                f"This view was given up: it took longer than {self._view_seconds:g} s, more "
                "memory than it may have, or has a fault that the service's log tells. Ask for "
                "less of it."
            ) from error

    def close(self, timeout_seconds: float) -> None:
        """End the processes."""
        self._pool.close(timeout_seconds)


class ViewsElsewhere:
    """The heavy views of one request; see :class:`quark.dashboard.place.Elsewhere`."""

    def __init__(self, views: HeavyViews, key: StoreKey) -> None:
        self._views = views
        self._key = key

    def answer(self, path: str, asked: Asked) -> bytes | None:
        """Return the body of a view; None if it is answered here."""
        return self._views.answer(self._key, path, asked)
