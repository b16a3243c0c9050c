"""Pages of records of one kind: those that a question selects, in order of arrival."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from quark import ids, jsonio
from quark.clock import format_timestamp
from quark.records import Record, RunRecord
from quark.records.codec import decode_record
from quark.storage.selection import Bounds, check_filters, selection

if TYPE_CHECKING:
    from quark.storage.model import RecordFilter, StoredRecord
    from quark.storage.protocols import RecordStore

#: Records in one answer, and those that are looked at for it.
MAX_RECORDS = 10_000
_MAX_LOOKED_AT = 50_000
_MAX_BYTES = 32 << 20


class RecordsPage(NamedTuple):
    """Some records, and the position that the next page comes after; None if there is none."""

    records: tuple[Record, ...]
    next: int | None


def read_records(
    records: RecordStore, kind: type[Record], run_id: str, where: RecordFilter, after: int | None
) -> RecordsPage:
    """Return the records that ``where`` selects, all of them or the first of many.

    ``after``: the position at which an earlier page ended.

    Raises:
        RunNotFoundError: There is no such run.
        SchemaValidationError: ``where`` asks for what the kind cannot be selected by.
    """
    if where.steps.limit is not None:
        return RecordsPage(records.read(kind, run_id, where), None)
    if after is None and where.equals:  # which the store looks for much faster
        found = records.read(kind, run_id, _limited(where, MAX_RECORDS + 1))
        if len(found) <= MAX_RECORDS:
            return RecordsPage(found, None)
    return _page(records, kind, run_id, where, after or 0)


def _limited(where: RecordFilter, limit: int) -> RecordFilter:
    return replace(where, steps=replace(where.steps, limit=limit))


def _page(
    records: RecordStore, kind: type[Record], run_id: str, where: RecordFilter, after: int
) -> RecordsPage:
    equals = check_filters(kind, where.equals)
    chosen = selection(where.steps)
    found: list[Record] = []
    looked_at = size_bytes = 0
    for part in records.scan(run_id, (kind.KIND,), after=after):
        for stored in part:
            if len(found) == MAX_RECORDS or size_bytes > _MAX_BYTES or looked_at > _MAX_LOOKED_AT:
                return RecordsPage(tuple(found), after)
            after = stored.position
            looked_at += 1
            if not (_lies_in(stored.step, chosen.step) and _lies_in(stored.epoch, chosen.epoch)):
                continue
            record = _decoded(kind, run_id, stored)
            if all(getattr(record, name) in wanted for name, wanted in equals.items()):
                found.append(record)
                size_bytes += len(stored.body)
    return RecordsPage(tuple(found), None)


def _lies_in(number: int | None, bounds: Bounds | None) -> bool:
    return bounds is None or (number is not None and bounds.low <= number <= bounds.high)


R = TypeVar("R", bound=Record)


def _decoded(kind: type[R], run_id: str, stored: StoredRecord) -> R:
    body: dict[str, Any] = jsonio.loads(stored.body)
    own_id = ids.record_id(stored.writer_id, stored.seq, stored.ordinal)
    return decode_record(
        kind,
        body,
        record_id=run_id if kind is RunRecord else own_id,
        run_id=run_id,
        timestamp=format_timestamp(stored.time_us),
    )
