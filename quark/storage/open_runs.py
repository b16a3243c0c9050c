"""Which runs' files are open: the ones used last, and no more than a bounded number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quark.errors import RunNotFoundError, SessionStoreError
from quark.storage import layout, sqlite_fork
from quark.storage.admission import is_run_id
from quark.storage.run_db import RunDb

MAX_OPEN_RUNS = 32


@dataclass(slots=True)
class _Entry:
    run_db: RunDb
    user_count: int = 0


class OpenRuns:
    """Opens run files when they are needed and closes those not used for longest. Owns them."""

    def __init__(self, root: Path, max_open: int = MAX_OPEN_RUNS, *, synced: bool = False) -> None:
        self.root = root
        self._synced = synced
        self._max_open = max_open
        self._is_closed = False
        self._reset()
        sqlite_fork.track(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def check_open(self) -> None:
        """Raise :class:`SessionStoreError` once the store is closed."""
        if self._is_closed:
            raise SessionStoreError(f"The store in {self.root} is closed; open a new one.")

    @contextmanager
    def use(self, run_id: str) -> Iterator[RunDb]:
        """Give the run's file, which need not exist, and keep it open meanwhile.

        Raises:
            RunNotFoundError: No run can have this id.
        """
        self.check_open()
        if not is_run_id(run_id):
            raise RunNotFoundError(f"There is no run {run_id!r}: no run can have this id.")
        with self._lock:
            entry = self._entries.get(run_id)
            if entry is None:
                path = layout.run_db_path(self.root, run_id)
                entry = self._entries[run_id] = _Entry(RunDb(path, run_id, synced=self._synced))
            entry.user_count += 1
            self._entries.move_to_end(run_id)
            surplus = self._take_surplus()
        for run_db in surplus:
            run_db.close()
        try:
            yield entry.run_db
        finally:
            with self._lock:
                entry.user_count -= 1
            if self._is_closed:
                entry.run_db.close()

    @contextmanager
    def alone(self, run_id: str) -> Iterator[None]:
        """Have nobody in this process use the run's file until the block ends, which removes it."""
        with self.use(run_id) as run_db, run_db.file.alone():
            yield

    def close(self) -> None:
        """Close all files; those in use are closed by their last user."""
        self._is_closed = True
        with self._lock:
            entries = list(self._entries.values())
            self._entries.clear()
        for entry in entries:
            entry.run_db.close()

    def prepare_fork(self, timeout_seconds: float) -> bool:
        return self._lock.acquire(timeout=timeout_seconds)

    def after_fork(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        self._reset()

    def _take_surplus(self) -> list[RunDb]:
        idle = [run_id for run_id, entry in self._entries.items() if entry.user_count == 0]
        surplus_count = max(0, len(self._entries) - self._max_open)
        return [self._entries.pop(run_id).run_db for run_id in idle[:surplus_count]]
