"""``run.db``: everything of one run, in one SQLite file. Its tables are in docs/formats.md.

One append is one transaction: the records, the points as one segment, the writer's position and
the run's row change together or not at all. This module does not import numpy; what packs points
is loaded when the first point comes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from quark.errors import RunNotFoundError
from quark.records import RunRecord
from quark.records.codec import encode_body
from quark.storage.admission import new_blocks, new_records
from quark.storage.judgements import JUDGING_KINDS, Judged, overall_health
from quark.storage.model import Batch, EncodedRecord, PointBlock
from quark.storage.run_state import RUN_KINDS, apply_records, decode_run
from quark.storage.sqlite_file import SqliteFile
from quark.storage.sqlite_open import Schema

if TYPE_CHECKING:
    from quark.storage.segment_writer import SegmentWriter

RUN_SCHEMA = Schema(
    "run",
    (
        (
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            "CREATE TABLE run (id INTEGER PRIMARY KEY CHECK (id = 1), run_id TEXT NOT NULL, "
            "version INTEGER NOT NULL, timestamp TEXT NOT NULL, body TEXT NOT NULL)",
            "CREATE TABLE writer (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
            "position INTEGER NOT NULL)",
            "CREATE TABLE record (position INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, "
            "writer_id INTEGER NOT NULL REFERENCES writer, seq INTEGER NOT NULL, "
            "ordinal INTEGER NOT NULL, step INTEGER, epoch INTEGER, time_us INTEGER NOT NULL, "
            "body TEXT NOT NULL)",
            "CREATE INDEX record_by_kind ON record (kind)",
            "CREATE INDEX record_by_step ON record (kind, step)",
            "CREATE TABLE key (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
            "CREATE TABLE segment (id INTEGER PRIMARY KEY AUTOINCREMENT, "
            "point_count INTEGER NOT NULL, body BLOB NOT NULL)",
            "CREATE TABLE axis (id INTEGER PRIMARY KEY, use_count INTEGER NOT NULL, "
            "step_min INTEGER, step_max INTEGER, epoch_min INTEGER, epoch_max INTEGER, "
            "time_min_us INTEGER NOT NULL, time_max_us INTEGER NOT NULL, last_step INTEGER, "
            "last_epoch INTEGER, last_time_us INTEGER NOT NULL, is_ordered INTEGER NOT NULL, "
            "body BLOB NOT NULL)",
            # minimum to last have no declared type: REAL would turn -0.0 into 0.0.
            "CREATE TABLE chunk (id INTEGER PRIMARY KEY, key_id INTEGER NOT NULL REFERENCES key, "
            "axis_id INTEGER NOT NULL REFERENCES axis, point_count INTEGER NOT NULL, "
            "nonfinite_count INTEGER NOT NULL, minimum, maximum, total, last, "
            "is_tail INTEGER NOT NULL, body BLOB NOT NULL)",
            "CREATE INDEX chunk_by_key ON chunk (key_id)",
            "CREATE INDEX chunk_tail ON chunk (key_id, point_count) WHERE is_tail = 1",
            "CREATE TABLE damaged (id INTEGER PRIMARY KEY, source TEXT NOT NULL, "
            "body BLOB NOT NULL)",
            # A merge that began on a run of the same id that was deleted must not count as one of
            # this run, so the numbers of no two runs are the same.
            "INSERT INTO meta (name, value) VALUES "
            "('merge_generation', CAST(abs(random() / 2) AS TEXT)), "
            "('merge_claimed_until_us', '0')",
        ),
    ),
    cache_kib=256,  # a service has hundreds of them open, each by several connections
)


class Applied(NamedTuple):
    """What an append did, and the run's row after it if the batch has records of the run itself;
    ``version`` counts the row's changes."""

    new_frame_count: int
    run: RunRecord | None
    version: int


class RunDb:
    """The file of one run. Owns its connections."""

    def __init__(self, path: Path, run_id: str, *, synced: bool = False) -> None:
        self.run_id = run_id
        self.file = SqliteFile(path, RUN_SCHEMA, synced=synced)
        self._segments: SegmentWriter | None = None  # of whoever holds the writing transaction

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give one consistent state of the run.

        Raises:
            RunNotFoundError: There is no such run.
        """
        with self._found(), self.file.reading() as connection:
            if connection.execute("SELECT 1 FROM run").fetchone() is None:
                raise self._not_found()
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction on a run that exists.

        Raises:
            RunNotFoundError: There is no such run.
        """
        with self._found(), self.file.writing() as connection:
            if connection.execute("SELECT 1 FROM run").fetchone() is None:
                raise self._not_found()
            yield connection

    def get(self) -> tuple[RunRecord, int]:
        """Return the run's row and its version."""
        with self._found(), self.file.reading() as connection:
            found = _select_run(connection)
        if found is None:
            raise self._not_found()
        return found

    def judged(self) -> Judged:
        """Return how the run was judged, as far as its records say."""
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT position, kind, body FROM record WHERE kind IN (?, ?) ORDER BY position",
                sorted(JUDGING_KINDS),
            ).fetchall()
        return Judged(rows[-1][0] if rows else 0, overall_health(row[1:] for row in rows))

    def position(self, writer_id: str) -> int:
        """Return the last frame applied from the writer, 0 if none or if there is no run."""
        try:
            with self.file.reading() as connection:
                writer = _select_writer(connection, writer_id)
                return 0 if writer is None else writer[1]
        except FileNotFoundError:
            return 0

    def append(self, batch: Batch) -> Applied:
        """Apply a batch, in one transaction.

        Raises:
            RunNotFoundError: There is no such run and the batch does not create it.
            RecordRejectedError: The batch can never be applied.
        """
        creates = any(record.kind == RunRecord.KIND for record in batch.records)
        with self._found(), self.file.writing(create=creates) as connection:
            try:
                return self._apply(connection, batch)
            except BaseException:
                self._segments = None  # it may know keys of what is now rolled back
                raise

    def close(self) -> None:
        self.file.close()

    def _apply(self, connection: sqlite3.Connection, batch: Batch) -> Applied:
        writer = _select_writer(connection, batch.writer_id)
        position = 0 if writer is None else writer[1]
        records = new_records(batch, position)
        run, version = None, 0
        # Most batches are points of a writer that is known, and so is its run then.
        if writer is None or any(record.kind in RUN_KINDS for record in batch.records):
            run, version = self._apply_to_run(connection, records)
        writer_number = _move_writer(connection, batch, writer)
        if records:
            _insert_records(connection, writer_number, records)
        self._insert_points(connection, writer_number, new_blocks(batch, position))
        new_frame_count = max(0, batch.last_seq - max(position, batch.first_seq - 1))
        return Applied(new_frame_count, run, version)

    def _apply_to_run(
        self, connection: sqlite3.Connection, records: list[EncodedRecord]
    ) -> tuple[RunRecord, int]:
        before, version = _select_run(connection) or (None, 0)
        after = apply_records(before, self.run_id, records)
        if after is None:
            raise self._not_found()
        if after is not before:
            version += 1
            _replace_run(connection, after, version)
        return after, version

    def _insert_points(
        self, connection: sqlite3.Connection, writer_number: int, blocks: list[PointBlock]
    ) -> None:
        if not blocks:
            return
        if self._segments is None or self._segments.connection is not connection:
            from quark.storage.segment_writer import SegmentWriter  # numpy, at the first point

            self._segments = SegmentWriter(connection)
        self._segments.insert(writer_number, blocks)

    @contextmanager
    def _found(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise self._not_found() from error

    def _not_found(self) -> RunNotFoundError:
        folder = self.file.path.parent
        return RunNotFoundError(f"There is no run {self.run_id!r}: {folder} holds none.")


def _select_run(connection: sqlite3.Connection) -> tuple[RunRecord, int] | None:
    row = connection.execute("SELECT run_id, body, timestamp, version FROM run").fetchone()
    if row is None:
        return None
    run_id, body, timestamp, version = row
    return decode_run(run_id, body, timestamp), version


def _select_writer(connection: sqlite3.Connection, writer_id: str) -> tuple[int, int] | None:
    """Return the writer's number and position."""
    row: tuple[int, int] | None = connection.execute(
        "SELECT id, position FROM writer WHERE name = ?", (writer_id,)
    ).fetchone()
    return row


def _replace_run(connection: sqlite3.Connection, run: RunRecord, version: int) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO run (id, run_id, version, timestamp, body) "
        "VALUES (1, ?, ?, ?, CAST(? AS TEXT))",
        (run.id, version, run.timestamp, encode_body(run)),
    )


def _move_writer(
    connection: sqlite3.Connection, batch: Batch, writer: tuple[int, int] | None
) -> int:
    """Set the writer's position and return its number; the first writer is number 0."""
    if writer is None:
        added = connection.execute(
            "INSERT INTO writer (id, name, position) SELECT count(*), ?, ? FROM writer",
            (batch.writer_id, batch.last_seq),
        ).lastrowid
        assert added is not None
        return added
    number, position = writer
    if batch.last_seq > position:
        connection.execute("UPDATE writer SET position = ? WHERE id = ?", (batch.last_seq, number))
    return number


def _insert_records(
    connection: sqlite3.Connection, writer_number: int, records: list[EncodedRecord]
) -> None:
    connection.executemany(
        "INSERT INTO record (kind, writer_id, seq, ordinal, step, epoch, time_us, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT))",
        (
            (
                record.kind,
                writer_number,
                record.seq,
                record.ordinal,
                record.step,
                record.epoch,
                record.time_us,
                record.body,
            )
            for record in records
        ),
    )
