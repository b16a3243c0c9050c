"""The training loop's records of a run, apart by watched model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from quark.analyzers.evidence import BoolArray, Float64Array, Int64Array, RunEvidence, Table

#: Of more probes than this, evenly spaced ones are read where a column is no number.
_MAX_READ = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WatchedLoop:
    """The records of one model and one rank, in order of arrival.

    ``name`` is the model's, ``subject`` likewise where several models were watched, else empty.
    """

    name: str
    subject: str
    table: Table
    rows: Int64Array

    @property
    def step(self) -> Int64Array:
        """The step of each record."""
        return self.table.step[self.rows]

    def number(self, name: str) -> Float64Array:
        """Return a column; NaN where something was not measured."""
        return self.table.number(name)[self.rows]

    def total(self, name: str) -> float:
        """Return the sum of a column of counts."""
        return float(np.nansum(self.number(name)))

    def last(self, name: str) -> float | None:
        """Return the latest value that was measured."""
        column = self.number(name)
        known = np.flatnonzero(~np.isnan(column))
        return float(column[known[-1]]) if len(known) else None

    def steps_where(self, keep: BoolArray) -> tuple[int, int]:
        """Return the first and the last step of the records that ``keep`` marks."""
        steps = self.step[keep]
        return int(steps.min()), int(steps.max())

    def more(self, places: Int64Array) -> list[Mapping[str, Any]]:
        """Return the metadata of the records at ``places``."""
        column = self.table.object("metadata")
        return [column[place] or {} for place in self.rows[places].tolist()]

    def loss_kinds(self) -> tuple[Int64Array, list[str]]:
        """Return where the loss was recognised, and as what; of many, some."""
        places = some_of(np.flatnonzero(~np.isnan(self.number("loss_direction"))))
        return places, [str(one.get("loss", "")) for one in self.more(places)]

    def optimizers(self) -> list[Mapping[str, Any]]:
        """Return class and groups of the optimizers, as the latest record that has any says."""
        for place in range(len(self.rows) - 1, max(-1, len(self.rows) - 1 - _MAX_READ), -1):
            found = self.more(np.array([place]))[0].get("optimizers")
            if found:
                return list(found)
        return []

    def class_counts(self) -> Counter[str]:
        """Return how often each class was a target, over the probes that were read."""
        counts: Counter[str] = Counter()
        for one in self.more(some_of(np.flatnonzero(self.classified()))):
            counts.update(one.get("target_counts") or {})
        return counts

    def classified(self) -> BoolArray:
        """Return which records are of a batch with one class for each sample, not for each token
        or pixel of it."""
        fits: BoolArray = (
            (self.number("target_row_count") > 0)
            & (self.number("output_dimensions") == 2)
            & (self.number("output_row_count") == self.number("input_row_count"))
        )
        return fits


def some_of(places: Int64Array) -> Int64Array:
    """Return at most :data:`_MAX_READ` of ``places``, evenly spaced."""
    return places[:: -(-len(places) // _MAX_READ)] if len(places) > _MAX_READ else places


def watched_loops(evidence: RunEvidence) -> Iterator[WatchedLoop]:
    """Yield the loop of each watched model, of the lowest rank that watched it."""
    table = evidence.loop
    if not len(table):
        return
    names = table.object("model_name")
    different = list(dict.fromkeys(names))
    rank = table.rank
    for name in different:
        alone = len(different) == 1
        places = None if alone else [place for place, one in enumerate(names) if one == name]
        rows = np.arange(len(table)) if places is None else np.array(places)
        rows = rows[rank[rows] == rank[rows].min()]
        known = str(name or "the model")
        yield WatchedLoop(name=known, subject="" if alone else known, table=table, rows=rows)
