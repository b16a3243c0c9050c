"""Which points of a run a reader has not been given yet, and the next of them.

The proof that none is left out or given twice. A writer's frames are stored in their order, so
what it has written is known by one number, its position. An answer gives points whose frame is
above ``given`` and not above ``target``, the positions that were read before; whatever arrives
while the answer is made is above ``target`` and comes with a later one. So none is given twice.

None is left out, if all that were not given are among the last ``count - skipped`` of each key.
They are at first, with ``skipped`` 0. When a key was read, the points that it kept back (above
``target``, or of a writer that was not known) begin somewhere; what is before the first of them is
``skipped`` from then on. Between counting and reading more points may have arrived; those were
all kept back, so reading enough is recognised by their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from quark.storage.model import Series, StepRange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quark.storage.protocols import PointStore

_SLACK = 16
#: Points that are read at once, at least.
_READ_AT_ONCE = 50_000
_MAX_KEYS_AT_ONCE = 500


@dataclass(slots=True)
class PointsRead:
    """What one answer gives of a run's points, and where the next one goes on.

    ``key_index`` is the number of keys if all were looked at. ``new_writers`` wrote points and
    were not among ``given``.
    """

    key_index: int
    key_offset: int
    series: list[Series] = field(default_factory=list)
    new_writers: set[str] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class PointsReader:
    """Reads on from where a reader has come.

    ``skipped`` is changed as keys are read. With ``whole_keys`` no key is cut into two answers,
    though one may then be longer than its limit; needed where ``skipped`` leaves out points on
    purpose, since a key's new ones then depend on how far back is read.
    """

    points: PointStore
    run_id: str
    given: Mapping[str, int]
    target: Mapping[str, int]
    counts: Mapping[str, int]  # of all keys, by first arrival; counted after ``target`` was read
    skipped: dict[str, int]
    whole_keys: bool = False

    def read(self, key_index: int, key_offset: int, limit: int) -> PointsRead:
        """Return the next points, at most ``limit``."""
        keys = list(self.counts)
        read = PointsRead(key_index, key_offset)
        left = limit
        while read.key_index < len(keys) and left > 0:
            group = self._group(keys, read.key_index, left)
            found = self._tails(group) if group else {}
            for key in keys[read.key_index : self._end_of(keys, read.key_index, group)]:
                if key in found:
                    if left <= 0:
                        return read
                    left = self._take(found[key], read, left)
                if read.key_offset:
                    return read  # not all of this key was given
                read.key_index += 1
        return read

    def _group(self, keys: Sequence[str], start: int, left: int) -> list[str]:
        """Return the next keys with something new that are worth reading in one go."""
        group: list[str] = []
        largest = 0
        for key in keys[start:]:
            need = self._need(key)
            if need == 0:
                continue
            largest = max(largest, need)
            if group and largest * (len(group) + 1) > max(_READ_AT_ONCE, left):
                break
            group.append(key)
            if len(group) == _MAX_KEYS_AT_ONCE:
                break
        return group

    def _end_of(self, keys: Sequence[str], start: int, group: Sequence[str]) -> int:
        """Return the place behind the last key of a group; all keys between have nothing new."""
        return keys.index(group[-1], start) + 1 if group else len(keys)

    def _need(self, key: str) -> int:
        return max(0, self.counts[key] - self.skipped.get(key, 0))

    def _tails(self, group: Sequence[str]) -> dict[str, Series]:
        """Read the end of some keys, far enough back."""
        limit = max(map(self._need, group)) + _SLACK
        found = self.points.many_series(self.run_id, group, StepRange(limit=limit))
        for key in group:
            key_limit = limit
            while True:
                kept_back = int(self._kept_back(found[key]).sum())
                wanted = self._need(key) + kept_back
                if len(found[key]) < key_limit or key_limit >= wanted:
                    break
                key_limit = 2 * wanted + _SLACK
                found[key] = self.points.series(self.run_id, key, StepRange(limit=key_limit))
        return found

    def _take(self, series: Series, read: PointsRead, left: int) -> int:
        """Put a key's new points into the answer; return how many more it can hold."""
        key = series.key
        kept_back = self._kept_back(series)
        wanted = ~kept_back & (series.seq > self._frames(series, self.given))
        (places,) = np.nonzero(wanted)
        places = places[read.key_offset :]
        read.new_writers.update(writer for writer in series.writers if writer not in self.given)
        taken = places if self.whole_keys else places[:left]
        if len(taken):
            read.series.append(picked(series, taken))
        if len(taken) < len(places):
            read.key_offset += len(taken)
            return 0
        read.key_offset = 0
        behind = len(series) - int(kept_back.argmax()) if kept_back.any() else 0
        self.skipped[key] = max(self.skipped.get(key, 0), self.counts[key] - behind)
        return left - len(taken)

    def _kept_back(self, series: Series) -> NDArray[np.bool_]:
        return series.seq > self._frames(series, self.target)

    def _frames(self, series: Series, positions: Mapping[str, int]) -> NDArray[np.int64]:
        by_number = [positions.get(writer, 0) for writer in series.writers]
        return np.array([*by_number, 0], dtype=np.int64)[series.writer]


def picked(series: Series, places: NDArray[np.intp]) -> Series:
    """Return some points of a series."""
    return replace(
        series,
        writer=series.writer[places],
        seq=series.seq[places],
        step=series.step[places],
        epoch=series.epoch[places],
        time_us=series.time_us[places],
        value=series.value[places],
    )
