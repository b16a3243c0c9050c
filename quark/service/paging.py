"""Pages of runs that do not move while runs are added or removed.

A store skips a number of runs, and that number means other runs once some were added; so a page's
cursor is the last run that it showed, and where it stands now is looked up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from quark.service.live_cursor import not_a_cursor, pack_text, unpack_text
from quark.storage.run_state import creation_time_us

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.model import RunQuery
    from quark.storage.protocols import RecordStore


class RunsPage(NamedTuple):
    """Some runs, and the cursor of those after them; None if there are none."""

    runs: tuple[RunRecord, ...]
    next: str | None


def read_page(records: RecordStore, query: RunQuery, limit: int, after: str | None) -> RunsPage:
    """Return the runs that ``query`` asks for, those after a cursor if one is given.

    ``limit`` is the length of the page, in the place of the query's own.

    Raises:
        SchemaValidationError: ``after`` is no cursor of this list.
    """
    if after is not None:
        query = replace(query, offset=_place_after(records, query, _Last.decode(after)))
    found = records.list_runs(replace(query, limit=limit + 1))
    runs = found[:limit]
    if len(found) <= limit or not runs:
        return RunsPage(runs, None)
    last = _Last(creation_time_us(runs[-1]), runs[-1].id, query.offset + len(runs))
    return RunsPage(runs, last.encode())


class _Last(NamedTuple):
    """The run that was shown last, and how many stood up to it."""

    time_us: int
    run_id: str
    place: int

    def encode(self) -> str:
        return pack_text(list(self))

    @classmethod
    def decode(cls, text: str) -> _Last:
        plain = unpack_text(text)
        if len(plain) != 3 or [type(value) for value in plain] != [int, str, int]:
            raise not_a_cursor(text)
        if not 0 <= plain[2] < 2**62:
            raise not_a_cursor(text)
        return cls(*plain)


def _place_after(records: RecordStore, query: RunQuery, last: _Last) -> int:
    """Return how many runs stand before those that come after ``last``."""

    def is_behind(offset: int) -> bool:
        """Say whether the run at a place, if any, comes after the last one."""
        found = records.list_runs(replace(query, limit=1, offset=offset))
        if not found:
            return True
        place = (creation_time_us(found[0]), found[0].id)
        seen = (last.time_us, last.run_id)
        return place < seen if query.newest_first else place > seen

    # Most often nothing has moved, or little: look around the place where it stood.
    low, high, stride = -1, last.place, 1
    if is_behind(high):
        while high > 0 and low < 0:
            probe = max(0, high - stride)
            if is_behind(probe):
                high, stride = probe, stride * 2
            else:
                low = probe
    else:
        low = high
        while not is_behind(high := low + stride):
            low, stride = high, stride * 2
    while high - low > 1:
        middle = (low + high) // 2
        if is_behind(middle):
            high = middle
        else:
            low = middle
    return high
