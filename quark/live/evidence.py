"""Evidence of a run that goes on, from the batches that are shipped, in bounded memory.

Points of metrics that play no role are passed over unless they are not finite. Decoding summaries
of layers and parameters is what costs most, so probes are taken or skipped as a whole, as the
budget has it; one that tells of a value that is not finite is always taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from quark.analyzers.evidence_builder import KINDS, LIVE_LIMITS, EvidenceBuilder
from quark.analyzers.gather import run_facts
from quark.analyzers.roles import NO_ROLES, choose_roles
from quark.clock import SYSTEM_CLOCK
from quark.live.trouble import is_bad
from quark.storage.batch import PointBlock

if TYPE_CHECKING:
    from quark.analyzers.evidence import Int64Array, RunEvidence
    from quark.records import RunRecord
    from quark.storage.batch import Batch, EncodedRecord

#: Metrics that roles are chosen among; who logs more is not helped by more roles.
MAX_KEYS = 20_000
#: Metrics that are kept, at most.
MAX_SERIES = 500
#: Points of one metric that are not finite, and summaries that tell of such values: more say no
#: more, and the builder never drops them.
MAX_BAD_POINTS = 2_000
MAX_BAD_BODIES = 2_000
_MAX_SHAPES = 256
#: With every new metric roles are chosen anew up to so many, and then when so many times as many
#: have come.
_FEW_KEYS = 200
_GROWTH = 1.1

_PROBED = frozenset({"layer_summary", "parameter_summary", "batch_diagnostic"})


class LiveEvidence:
    """Collects what rules look at. For one thread at a time."""

    def __init__(self, overrides: Mapping[str, Sequence[str]] | None, rank: int) -> None:
        self._overrides = overrides
        self._rank = rank
        self._builder = EvidenceBuilder(LIVE_LIMITS)
        self._keys: dict[str, None] = {}
        self._chosen_among = 0
        self._playing: frozenset[str] = frozenset()
        self._roles = NO_ROLES
        self._kept: set[str] = set()
        self._places: dict[tuple[str, ...], Int64Array] = {}
        self._bad_points: dict[str, int] = {}
        self._bad_body_count = 0
        self._probe_step: int | None = None
        self._probe_taken = False
        self._resume_times: list[int] = []
        self.skipped_probe_count = 0

    def add(self, batch: Batch, may_take: Callable[[], bool] = lambda: True) -> None:
        """Take one batch; ``may_take`` is asked before each probe."""
        for block in batch.blocks:
            self._add_block(block)
        taken = [one for one in batch.records if self._is_taken(one, may_take)]
        if taken:
            self._builder.add_bodies(taken, self._rank)

    def build(self, run: RunRecord, *, resumed_us: int | None = None) -> RunEvidence:
        """Return what has come so far."""
        facts = run_facts(
            run,
            self._builder,
            now_us=SYSTEM_CLOCK.time_us(),
            resume_times=() if resumed_us is None else (resumed_us,),
        )
        return self._builder.build(facts, self._roles)

    # -- points --------------------------------------------------------------------------------

    def _add_block(self, block: PointBlock) -> None:
        places = self._places.get(block.keys)
        if places is None:
            places = self._learn(block.keys)
        finite = np.isfinite(block.values)
        if not finite.all():
            places = self._with_bad(block.keys, finite.sum(axis=0), places, len(block.seq))
        self._kept.update(block.keys[place] for place in places.tolist())
        narrow = PointBlock(
            keys=tuple(block.keys[place] for place in places.tolist()),
            seq=block.seq,
            step=block.step,
            epoch=block.epoch,
            time_us=block.time_us,
            values=block.values[:, places],  # a copy: a view would keep all columns
        )
        self._builder.add_block(narrow, self._rank)

    def _learn(self, keys: tuple[str, ...]) -> Int64Array:
        """Return the columns of rows of ``keys`` that are kept; choose roles anew if some are."""
        if len(self._keys) < MAX_KEYS:
            self._keys.update(dict.fromkeys(keys))
        if len(self._keys) > self._chosen_among * _GROWTH or (
            self._chosen_among < len(self._keys) <= _FEW_KEYS
        ):
            self._chosen_among = len(self._keys)
            self._roles = choose_roles(list(self._keys), self._overrides)
            self._playing = frozenset(key for named in self._roles.keys.values() for key in named)
            self._places.clear()
        places = [
            place
            for place, key in enumerate(keys)
            if key in self._playing and (key in self._kept or len(self._kept) < MAX_SERIES)
        ]
        if len(self._places) >= _MAX_SHAPES:
            self._places.clear()
        found = self._places[keys] = np.array(places, np.int64)
        return found

    def _with_bad(
        self, keys: tuple[str, ...], finite_counts: Int64Array, places: Int64Array, row_count: int
    ) -> Int64Array:
        """Return ``places`` with the columns that are not finite, and without those of which
        enough is known."""
        chosen = set(places.tolist())
        for place in np.flatnonzero(finite_counts < row_count).tolist():
            key = keys[place]
            before = self._bad_points.get(key, 0)
            if before > MAX_BAD_POINTS and finite_counts[place] == 0:
                chosen.discard(place)
            elif key in self._kept or len(self._kept) < MAX_SERIES:
                self._bad_points[key] = before + row_count - int(finite_counts[place])
                chosen.add(place)
        return np.array(sorted(chosen), np.int64)

    # -- records -------------------------------------------------------------------------------

    def _is_taken(self, one: EncodedRecord, may_take: Callable[[], bool]) -> bool:
        if one.kind not in _PROBED:
            return one.kind in KINDS
        if is_bad(one.kind, one.body) and self._bad_body_count < MAX_BAD_BODIES:
            self._bad_body_count += 1
            return True
        if one.step != self._probe_step or one.step is None:
            self._probe_taken = self._probe_step is None or may_take()
            self._probe_step = one.step
            self.skipped_probe_count += not self._probe_taken
        return self._probe_taken
