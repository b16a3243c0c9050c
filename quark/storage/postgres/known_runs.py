"""What a process remembers of runs, so that most appends are one statement.

Everything here is either still true or found out by the server: a run's number is never given
twice, keys never change theirs, and an append says where it believes its writer to be. Only a
backup that is put back breaks that, and no connection outlives that; so when one is lost, all is
forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from quark.storage.run_tables import Pending
from quark.storage.segment_writer import KeyNumbers

_MAX_RUNS = 4_096
#: Over all runs; some 200 bytes each.
_MAX_KEYS = 1_000_000


@dataclass(slots=True)
class Place:
    """A writer's number in its run, and the last frame applied from it."""

    number: int
    position: int


@dataclass(slots=True)
class KnownRun:
    """One run; ``lock`` is held by whoever appends to it in this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    number: int | None = None
    writers: dict[str, Place] = field(default_factory=dict)
    keys: KeyNumbers = field(default_factory=KeyNumbers)
    pending: Pending | None = None
    counted_keys: int = 0

    def forget(self) -> None:
        """Know nothing again."""
        self.number = None
        self.writers = {}
        self.keys = KeyNumbers()
        self.pending = None


class KnownRuns:
    """The runs that were appended to last."""

    def __init__(self, *, max_runs: int = _MAX_RUNS, max_keys: int = _MAX_KEYS) -> None:
        self._max_runs = max_runs
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._runs: OrderedDict[tuple[str, str], KnownRun] = OrderedDict()
        self._key_count = 0

    def get(self, namespace: str, run_id: str) -> KnownRun:
        """Return what is known of a run, which need not exist."""
        with self._lock:
            known = self._runs.setdefault((namespace, run_id), KnownRun())
            self._runs.move_to_end((namespace, run_id))
            self._shrink()
        return known

    def peek(self, namespace: str, run_id: str) -> KnownRun | None:
        """Return what is known of a run, if it is remembered."""
        return self._runs.get((namespace, run_id))

    def drop(self, namespace: str, run_id: str) -> None:
        """Forget a run, which has been deleted or cannot be found."""
        with self._lock:
            known = self._runs.pop((namespace, run_id), None)
            if known is not None:
                self._key_count -= known.counted_keys

    def clear(self) -> None:
        """Forget all runs: the database may have been set back to an older state."""
        with self._lock:
            self._runs.clear()
            self._key_count = 0

    def count_keys(self, namespace: str, run_id: str, known: KnownRun) -> None:
        """Take note of how much is remembered of a run's keys now."""
        with self._lock:
            if self._runs.get((namespace, run_id)) is known:
                self._key_count += known.keys.size - known.counted_keys
                known.counted_keys = known.keys.size
                self._shrink()

    def _shrink(self) -> None:
        while len(self._runs) > 1 and (
            len(self._runs) > self._max_runs or self._key_count > self._max_keys
        ):
            _, known = self._runs.popitem(last=False)
            self._key_count -= known.counted_keys
