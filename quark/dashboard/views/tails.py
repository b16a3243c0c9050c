"""Records that only ever grow in number, decoded once and kept while somebody looks.

A page that follows a run asks every two seconds. Of 100,000 lines only the new ones are read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from quark.dashboard.place import Place
    from quark.storage.model import StoredRecord

Row = TypeVar("Row")


@dataclass(slots=True)
class Tail(Generic[Row]):
    """What was read of one run. ``dropped``: the oldest rows, for which there was no room;
    ``size``: of those that are here."""

    created_at: str
    position: int = 0
    seen: int = 0
    dropped: int = 0
    size: int = 0
    rows: list[Row] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Tails(Generic[Row]):
    """The rows of the runs that were looked at last. Threads may share it.

    Args:
        kinds: The kinds of records.
        read: Makes a row of a record; None leaves it out.
        size: How long a row is, in characters; what a run writes decides that.
        max_runs: How many runs are kept.
        max_rows: How many rows of a run are kept, the newest.
        max_size: How long they may be together.
    """

    def __init__(
        self,
        kinds: tuple[str, ...],
        read: Callable[[StoredRecord], Row | None],
        *,
        size: Callable[[Row], int],
        max_runs: int = 4,
        max_rows: int = 500_000,
        max_size: int = 64 << 20,
    ) -> None:
        self._kinds = kinds
        self._read = read
        self._size = size
        self._max_runs = max_runs
        self._max_rows = max_rows
        self._max_size = max_size
        self._tails: OrderedDict[tuple[str, ...], Tail[Row]] = OrderedDict()
        self._lock = threading.Lock()

    def rows(self, place: Place, run_id: str) -> Tail[Row]:
        """Return all rows of a run, by arrival. They are not to be changed.

        Raises:
            RunNotFoundError: There is no such run.
        """
        created_at = place.store.records.get_run(run_id).created_at
        counts = place.store.records.count(run_id)
        known = (place.workspace, place.storage_dir, place.store.target, run_id)
        with self._lock:
            tail = self._tails.get(known)
            there = sum(counts.get(kind, 0) for kind in self._kinds)
            # A run may have been deleted or turned back, and begun again under its old name.
            if tail is None or tail.created_at != created_at or tail.seen > there:
                tail = self._tails[known] = Tail(created_at)
            self._tails.move_to_end(known)
            while len(self._tails) > self._max_runs:
                self._tails.popitem(last=False)
        with tail.lock:
            for part in place.store.records.scan(run_id, self._kinds, after=tail.position):
                tail.seen += len(part)
                rows = [row for row in map(self._read, part) if row is not None]
                tail.rows.extend(rows)
                tail.size += sum(map(self._size, rows))
                tail.position = max(tail.position, part[-1].position) if part else tail.position
                # Nearly all of a long run may be too old, and is not held until the end is read.
                self._make_room(tail, 2 * self._max_rows)
            self._make_room(tail, self._max_rows)
        return tail

    def _make_room(self, tail: Tail[Row], max_rows: int) -> None:
        """Drop the oldest rows of too many, or too long ones."""
        first, size = max(0, len(tail.rows) - max_rows), tail.size
        if not first and size <= self._max_size:
            return
        size -= sum(map(self._size, tail.rows[:first]))
        if size > self._max_size:
            # More than has to go, so that this is not done again for every line that comes.
            while size > self._max_size * 3 // 4:
                size -= self._size(tail.rows[first])
                first += 1
        tail.dropped += first
        tail.size = size
        # A new list: another request may be going through the old one.
        tail.rows = tail.rows[first:]
