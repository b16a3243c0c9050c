"""What has changed in a run since a reader last asked: its row, its records and its points.

All answers together give everything once, whichever process of the service gives them and whoever
writes meanwhile.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from quark import ids, jsonio
from quark.clock import format_timestamp
from quark.errors import SchemaValidationError
from quark.records import RECORD_KINDS, RunRecord
from quark.service.live_cursor import RunCursor, counted, crc_of
from quark.storage.run_state import RUN_KINDS

if TYPE_CHECKING:
    from quark.service.live_points import PointsRead
    from quark.storage.model import Series, StoredRecord
    from quark.storage.protocols import Store

#: Bytes of records in one answer, about.
_MAX_RECORD_BYTES = 4 << 20
_MAX_RECORDS = 2_000
_MAX_REMEMBERED = 512
#: Keys of all cursors together that are remembered, some 150 bytes each.
_MAX_REMEMBERED_KEYS = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesWanted:
    """What a reader wants to hear of. ``kinds``: of these records only.

    ``tail``: of what is there at the beginning only the newest points of each key, and about as
    many records.
    """

    kinds: frozenset[str] | None = None
    points: bool = True
    limit: int = 10_000
    tail: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChanges:
    """What one answer says. ``run``: its row, if that may have changed. ``more``: ask again at
    once."""

    cursor: str
    more: bool
    run: RunRecord | None
    records: tuple[StoredRecord, ...]
    series: tuple[Series, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.more or self.run or self.records or self.series)

    def to_plain(self) -> dict[str, Any]:
        """Return everything as plain values."""
        from quark.persistence.wire_series import plain_series

        return {
            "cursor": self.cursor,
            "more": self.more,
            "run": None if self.run is None else self.run.to_dict(),
            "records": [plain_stored(record) for record in self.records],
            "series": [plain_series(series) for series in self.series],
        }


class KeyCounts:
    """How many points of each key are behind a cursor, for cursors that have no room to say so.

    Only saves work: who does not find theirs here gets the same answer. Threads may share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_cursor: OrderedDict[str, Mapping[str, int]] = OrderedDict()
        self._key_count = 0

    def put(self, cursor: str, skipped: Mapping[str, int]) -> None:
        """Remember the counts of a cursor."""
        with self._lock:
            self._key_count += len(skipped) - len(self._by_cursor.pop(cursor, ()))
            self._by_cursor[cursor] = skipped
            while len(self._by_cursor) > 1 and (
                len(self._by_cursor) > _MAX_REMEMBERED or self._key_count > _MAX_REMEMBERED_KEYS
            ):
                _, forgotten = self._by_cursor.popitem(last=False)
                self._key_count -= len(forgotten)

    def get(self, cursor: str) -> Mapping[str, int] | None:
        """Return them, if they are known."""
        with self._lock:
            return self._by_cursor.get(cursor)


def read_changes(
    store: Store, run_id: str, after: str | None, wanted: ChangesWanted, known: KeyCounts
) -> RunChanges:
    """Return what comes after a cursor, None for the beginning.

    Raises:
        RunNotFoundError: There is no such run.
        SchemaValidationError: ``after`` is no cursor, or one of another run of this id.
    """
    run = store.records.get_run(run_id)
    cursor = _start(store, run, wanted) if after is None else RunCursor.decode(after)
    if cursor.run_stamp != run.timestamp:
        raise SchemaValidationError(
            f"The cursor is of another run {run_id!r}, which is gone. Leave 'after' out to begin."
        )
    records, position, has_more_records = _next_records(store, run_id, cursor.position)
    writers = {record.writer_id: 0 for record in records}
    cursor = replace(cursor, position=position, given={**writers, **cursor.given})
    skipped: dict[str, int] | None = None
    read: PointsRead | None = None
    has_more_points = False
    if wanted.points:
        cursor, read, skipped, count = _next_points(store, run_id, cursor, after, wanted, known)
        has_more_points = cursor.target is not None or count > cursor.skipped_sum
    text = cursor.encode()
    if skipped is not None and cursor.skipped is None:
        known.put(text, skipped)
    chosen = tuple(one for one in records if wanted.kinds is None or one.kind in wanted.kinds)
    changed = after is None or any(record.kind in RUN_KINDS for record in records)
    return RunChanges(
        cursor=text,
        more=has_more_records or has_more_points,
        run=store.records.get_run(run_id) if changed else None,
        records=chosen,
        series=tuple(read.series) if read else (),
    )


def has_changes(store: Store, run_id: str, after: str, wanted: ChangesWanted) -> bool:
    """Say whether something may come after a cursor; much cheaper than to read it."""
    cursor = RunCursor.decode(after)
    if cursor.target is not None:
        return True
    if next(iter(store.records.scan(run_id, RECORD_KINDS, after=cursor.position)), ()):
        return True
    return wanted.points and _count_of(store, run_id) > cursor.skipped_sum


def plain_stored(record: StoredRecord) -> dict[str, Any]:
    """Return a stored record as JSON shows it: where it stands, and its own fields in ``body``."""
    return {
        "id": ids.record_id(record.writer_id, record.seq, record.ordinal),
        "kind": record.kind,
        "step": record.step,
        "epoch": record.epoch,
        "timestamp": format_timestamp(record.time_us),
        "body": jsonio.loads(record.body),
    }


def _start(store: Store, run: RunRecord, wanted: ChangesWanted) -> RunCursor:
    cursor = RunCursor(run_stamp=run.timestamp)
    if wanted.tail is None:
        return cursor
    stats = store.points.keys(run.id)
    skipped = [max(0, one.count - wanted.tail) for one in stats.values()]
    # Where positions have gaps, more records than these come.
    position = max(0, sum(store.records.count(run.id).values()) - wanted.tail)
    return replace(cursor, position=position, tailed=True, **counted(stats, skipped))


def _next_records(store: Store, run_id: str, after: int) -> tuple[list[StoredRecord], int, bool]:
    """Return the next records, the position of the last, and whether there may be more."""
    part = next(iter(store.records.scan(run_id, RECORD_KINDS, after=after)), ())
    records: list[StoredRecord] = []
    size_bytes = 0
    for record in part:
        if len(records) == _MAX_RECORDS or size_bytes > _MAX_RECORD_BYTES:
            break
        records.append(record)
        size_bytes += len(record.body)
    return records, records[-1].position if records else after, len(records) < len(part)


def _next_points(
    store: Store,
    run_id: str,
    cursor: RunCursor,
    after: str | None,
    wanted: ChangesWanted,
    known: KeyCounts,
) -> tuple[RunCursor, PointsRead | None, dict[str, int] | None, int]:
    """Return the cursor after the next points, them, what ``KeyCounts`` may remember, and how many
    points the run has."""
    from quark.service.live_points import PointsReader

    target = cursor.target
    if target is None:
        # Before points are counted: whatever arrives from now on is above it.
        if after is not None and _count_of(store, run_id) <= cursor.skipped_sum:
            return cursor, None, None, 0
        target = {writer: store.position(run_id, writer) for writer in cursor.given}
    stats = store.points.keys(run_id)
    counts = {key: one.count for key, one in stats.items()}
    skipped = _skipped(cursor, counts, None if after is None else known.get(after))
    reader = PointsReader(
        points=store.points,
        run_id=run_id,
        given=cursor.given,
        target=target,
        counts=counts,
        skipped=skipped,
        whole_keys=cursor.tailed and any(not cursor.given.get(one) for one in target),
    )
    read = reader.read(cursor.key_index, cursor.key_offset, wanted.limit)
    fields = counted(counts, [skipped.get(key, 0) for key in counts])
    if read.key_index < len(counts):
        cursor = replace(cursor, key_index=read.key_index, key_offset=read.key_offset)
        return replace(cursor, target=target, **fields), read, skipped, sum(counts.values())
    given = {**dict.fromkeys(read.new_writers, 0), **cursor.given, **target}
    done = replace(
        cursor,
        given=given,
        target=None,
        key_index=0,
        key_offset=0,
        **fields,
    )
    return done, read, skipped, sum(counts.values())


def _skipped(
    cursor: RunCursor, counts: Mapping[str, int], remembered: Mapping[str, int] | None
) -> dict[str, int]:
    """Return for each key how many points are behind the cursor, or fewer where that is not
    known."""
    if remembered is not None:
        return dict(remembered)
    keys = list(counts)
    if cursor.skipped is not None and crc_of(keys[: len(cursor.skipped)]) == cursor.keys_crc:
        return dict(zip(keys, cursor.skipped, strict=False))
    missing = sum(counts.values()) - cursor.skipped_sum
    return {key: max(0, count - missing) for key, count in counts.items()}


def _count_of(store: Store, run_id: str) -> int:
    return sum(one.count for one in store.points.keys(run_id).values())
