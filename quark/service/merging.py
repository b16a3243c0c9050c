"""Packs points in the background, so that no append waits for it."""

from __future__ import annotations

import threading

from quark.errors import DamagedFileError, RunNotFoundError
from quark.pipeline.faults import FaultLog
from quark.pipeline.worker import BackgroundWorker
from quark.storage.protocols import Store

_LOOK_SECONDS = 1.0


class Merging:
    """Asks the stores of runs that got points to pack them. Owns its worker."""

    def __init__(self) -> None:
        self.faults = FaultLog()
        self._lock = threading.Lock()
        self._due: dict[tuple[int, str], tuple[Store, bool]] = {}
        self._worker = BackgroundWorker(
            self._work, name="quark-merging", interval_seconds=_LOOK_SECONDS, faults=self.faults
        )

    def start(self) -> None:
        """Begin to work in the background."""
        self._worker.start()

    def add(self, store: Store, run_id: str, *, final: bool = False) -> None:
        """Have a run's points packed where that is due, or all of them if ``final``."""
        place = (id(store), run_id)
        with self._lock:
            known = self._due.get(place)
            self._due[place] = (store, final or (known is not None and known[1]))
        if final:
            self._worker.wake()

    def close(self, timeout_seconds: float) -> None:
        """Stop; what was not packed is packed when the run gets its next point."""
        self._worker.close(timeout_seconds)

    def _work(self) -> None:
        with self._lock:
            due, self._due = self._due, {}
        for (_, run_id), (store, final) in due.items():
            try:
                store.points.merge(run_id, final=final)
            except RunNotFoundError:
                continue  # deleted meanwhile
            except DamagedFileError as error:
                self.faults.record("points were damaged and set aside", error)
