"""Appends: one statement where everything about the run is known, one transaction otherwise."""

from __future__ import annotations

from typing import Any, NamedTuple

from quark.errors import RecordRejectedError, RunNotFoundError, SessionStoreError
from quark.records import RunRecord
from quark.storage.admission import new_blocks, new_records
from quark.storage.batch import Batch, EncodedRecord, PointBlock
from quark.storage.postgres.connection import DeadlineConnection, Row
from quark.storage.postgres.engine import PostgresEngine
from quark.storage.postgres.errors import WriterMovedError
from quark.storage.postgres.known_runs import KnownRun, Place
from quark.storage.postgres.run_rows import RunRows
from quark.storage.postgres.stored_text import storable, stored
from quark.storage.postgres.tables import PostgresTables
from quark.storage.run_state import RUN_KINDS, apply_records, decode_run
from quark.storage.run_tables import Pending

_APPEND = """
SELECT o_segments, o_points FROM quark.append(
    %s::bigint, %s::bigint, %s::bigint, %s::bigint, %s::bigint, %s::bytea, %s::text[],
    %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
"""
_OPEN = "SELECT * FROM quark.open_run(%s::bigint, %s::text, %s::text)"
_WAIT_SECONDS = 60.0


class _Opened(NamedTuple):
    """A run whose lock is held, and a writer's place in it, if it has one."""

    number: int
    version: int
    run: RunRecord
    writer_number: int | None
    position: int
    writer_count: int


class _Applied(NamedTuple):
    """What a transaction has done, to be remembered once it is committed."""

    number: int
    place: Place
    pending: Pending


class PostgresAppends:
    """Applies batches to the runs of one namespace."""

    def __init__(self, engine: PostgresEngine, namespace: str, runs: RunRows) -> None:
        self._engine = engine
        self._namespace = namespace
        self._runs = runs

    def append(self, batch: Batch) -> int:
        """Apply a checked batch and return how many of its frames were new."""
        if "\0" in batch.writer_id or not storable(batch.writer_id):
            raise RecordRejectedError(
                f"The writer id {batch.writer_id!r} cannot be kept: it must be UTF-8 without a "
                "zero byte."
            )
        known = self._engine.known_runs.get(self._namespace, batch.run_id)
        if not known.lock.acquire(timeout=_WAIT_SECONDS):
            raise SessionStoreError(
                f"Run {batch.run_id!r} has been appended to for {_WAIT_SECONDS:.0f} s; try again."
            )
        try:
            new_frame_count = self._append_known(known, batch)
            if new_frame_count is None:
                new_frame_count = self._append_any(known, batch)
        except BaseException as error:
            known.forget()  # it may know keys of what is now rolled back
            if isinstance(error, RunNotFoundError):
                self._engine.known_runs.drop(self._namespace, batch.run_id)
            raise
        finally:
            known.lock.release()
        return new_frame_count

    def _append_known(self, known: KnownRun, batch: Batch) -> int | None:
        """Append in one statement; None if that cannot be done, and nothing has happened."""
        place = known.writers.get(batch.writer_id)
        if known.number is None or place is None or batch.last_seq <= place.position:
            return None
        if any(record.kind in RUN_KINDS for record in batch.records):
            return None
        blocks = new_blocks(batch, place.position)
        if not known.keys.learn(blocks, None):
            return None
        records = new_records(batch, place.position)
        values = _values(known, known.number, place, batch.last_seq, blocks, records)
        try:
            (row,) = self._engine.ask(_APPEND, values)
        except WriterMovedError:
            known.writers = {}
            return None
        if row[0] is None:  # deleted, and perhaps made again, by another process
            known.forget()
            return None
        new_frame_count = _new_frame_count(batch, place.position)
        place.position = batch.last_seq
        known.pending = Pending(row[0], row[1], known.keys.count)
        self._count_keys(batch, known)
        return new_frame_count

    def _append_any(self, known: KnownRun, batch: Batch) -> int:
        creates = any(record.kind == RunRecord.KIND for record in batch.records)
        namespace_id = self._engine.namespace_id(self._namespace, create=creates)
        if namespace_id is None:
            raise self._runs.not_found(batch.run_id)
        with self._engine.writing() as connection:
            opened, applied = self._apply(connection, namespace_id, known, batch)
        known.number = applied.number
        known.writers[batch.writer_id] = applied.place
        known.pending = applied.pending
        self._count_keys(batch, known)
        return _new_frame_count(batch, opened.position if opened else 0)

    def _count_keys(self, batch: Batch, known: KnownRun) -> None:
        if known.keys.size != known.counted_keys:
            self._engine.known_runs.count_keys(self._namespace, batch.run_id, known)

    def _apply(
        self, connection: DeadlineConnection, namespace_id: int, known: KnownRun, batch: Batch
    ) -> tuple[_Opened | None, _Applied]:
        opened = self._open(connection, namespace_id, batch)
        position = opened.position if opened else 0
        records = new_records(batch, position)
        after = apply_records(opened.run if opened else None, batch.run_id, records)
        if after is None:
            raise self._runs.not_found(batch.run_id)
        if opened is None:
            number = self._runs.insert(connection, namespace_id, after)
            if number is None:  # another process has created it since; now it can be opened
                return self._apply(connection, namespace_id, known, batch)
        else:
            number = opened.number
            if after is not opened.run:
                self._runs.update(connection, number, after, opened.version + 1)
        place = self._place(connection, number, opened, batch.writer_id)
        if known.number != number:
            known.forget()
        blocks = new_blocks(batch, position)
        known.keys.learn(blocks, PostgresTables(connection, number))
        values = _values(known, number, place, batch.last_seq, blocks, records)
        (row,) = connection.ask(_APPEND, values).fetchall()
        reached = Place(place.number, max(position, batch.last_seq))
        return opened, _Applied(number, reached, Pending(row[0], row[1], known.keys.count))

    def _open(
        self, connection: DeadlineConnection, namespace_id: int, batch: Batch
    ) -> _Opened | None:
        values = (namespace_id, stored(batch.run_id), batch.writer_id)
        row = connection.ask(_OPEN, values).fetchone()
        if row is None:
            return None
        number, version, timestamp, body, writer_number, position, writer_count = row
        run = decode_run(batch.run_id, body, timestamp)
        return _Opened(number, version, run, writer_number, position or 0, writer_count)

    def _place(
        self,
        connection: DeadlineConnection,
        number: int,
        opened: _Opened | None,
        writer_id: str,
    ) -> Place:
        if opened is not None and opened.writer_number is not None:
            return Place(opened.writer_number, opened.position)
        writer_number = opened.writer_count if opened else 0
        connection.ask(
            "INSERT INTO quark.writer (run, id, name, position) VALUES (%s, %s, %s, 0)",
            (number, writer_number, writer_id),
        )
        return Place(writer_number, 0)


def _values(
    known: KnownRun,
    number: int,
    place: Place,
    last_seq: int,
    blocks: list[PointBlock],
    records: list[EncodedRecord],
) -> Row:
    point_count = sum(block.values.size for block in blocks)
    body = known.keys.pack(place.number, blocks) if blocks else None
    columns: tuple[list[Any], ...] = tuple(map(list, zip(*records, strict=True))) or ([],) * 7
    seqs, ordinals, kinds, steps, epochs, times, bodies = columns
    return (
        *(number, place.number, place.position, last_seq, point_count, body),
        *(kinds, seqs, ordinals, steps, epochs, times, [body.decode() for body in bodies]),
    )


def _new_frame_count(batch: Batch, position: int) -> int:
    return max(0, batch.last_seq - max(position, batch.first_seq - 1))
