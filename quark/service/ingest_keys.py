"""How many metric keys the runs have that batches come for.

Counting a run's keys in its store is slow, so it is done only once a process has seen an eighth of
the limit new to it; until then a run that this process did not begin may exceed the limit by that
much.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from quark.errors import RecordRejectedError, RunNotFoundError
from quark.service.ingest import RunPlace
from quark.storage.model import Batch
from quark.storage.protocols import Store

#: Of the names of keys, over all runs; beyond it the run that was used longest ago is forgotten.
_MAX_NAMES = 2_000_000
_MAX_SETS = 256
_UNCOUNTED_SHARE = 8


@dataclass(slots=True)
class _Known:
    """What is known of one run: names of keys, and sets that hold nothing but these."""

    names: set[str] = field(default_factory=set)
    sets: set[tuple[str, ...]] = field(default_factory=set)
    is_counted: bool = False  # whether the names are all that the store has


class KeyLimit:
    """Refuses batches that would give a run too many keys. Threads may share it."""

    def __init__(self, max_keys_per_run: int) -> None:
        self._limit = max_keys_per_run
        self._lock = threading.Lock()
        self._runs: OrderedDict[RunPlace, _Known] = OrderedDict()
        self._name_count = 0

    def check(self, place: RunPlace, store: Store, batch: Batch) -> None:
        """Refuse a batch whose keys, with those that the run has, are more than the limit.

        Only one thread at a time may do so for one run.

        Raises:
            RecordRejectedError: They are.
        """
        with self._lock:
            known = self._runs.get(place)
            if known is None:
                known = self._runs[place] = _Known()
            self._runs.move_to_end(place)
        key_sets = [block.keys for block in batch.blocks if block.keys not in known.sets]
        if not key_sets:
            return
        before = len(known.names)
        new = set().union(*key_sets) - known.names
        if new and not known.is_counted and before + len(new) > self._limit // _UNCOUNTED_SHARE:
            known.names |= _stored_keys(store, place.run_id)
            known.is_counted = True
            new -= known.names
        if len(known.names) + len(new) <= self._limit:
            known.names |= new
            if len(known.sets) >= _MAX_SETS:
                known.sets.clear()
            known.sets.update(key_sets)
            new = set()
        self._forget_surplus(len(known.names) - before)
        if new:
            raise RecordRejectedError(
                f"Run {place.run_id!r} has {len(known.names)} metric keys and would get "
                f"{len(new)} more; this service keeps at most {self._limit} a run. Log fewer "
                "different keys, or start the service with a larger --max-keys-per-run."
            )

    def _forget_surplus(self, added: int) -> None:
        with self._lock:
            self._name_count += added
            while self._name_count > _MAX_NAMES and len(self._runs) > 1:
                _, forgotten = self._runs.popitem(last=False)
                self._name_count -= len(forgotten.names)


def _stored_keys(store: Store, run_id: str) -> set[str]:
    try:
        return set(store.points.keys(run_id))
    except RunNotFoundError:  # the batch creates it
        return set()
