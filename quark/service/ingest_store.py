"""What is done with one batch once it has been read: decoded, checked, stored."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from quark.errors import RecordRejectedError, SessionStoreError
from quark.ids import random_id
from quark.persistence.wire_batch import decode_batch
from quark.service.bodies import unpacked
from quark.service.ingest import PutOffError, RunPlace
from quark.service.ingest_keys import KeyLimit
from quark.service.json_shape import json_fault

if TYPE_CHECKING:
    from quark.service.config import ServiceConfig
    from quark.service.merging import Merging
    from quark.service.metrics import Metrics
    from quark.storage.batch import Batch, EncodedRecord
    from quark.storage.protocols import Store

_MAX_POSITIONS = 10_000


class BatchIntake:
    """Stores batches as they came over the wire. Threads may share it."""

    def __init__(self, config: ServiceConfig, merging: Merging, metrics: Metrics) -> None:
        #: The writer, in every run, of what is stored here for clients that have none of their own.
        self.writer_id = f"service-{random_id(12)}"
        self._config = config
        self._merging = merging
        self._metrics = metrics
        self._keys = KeyLimit(config.max_keys_per_run)
        self._lock = threading.Lock()
        self._positions: OrderedDict[tuple[RunPlace, str], int] = OrderedDict()

    def store(self, place: RunPlace, store: Store, body: bytes, *, is_gzip: bool) -> int:
        """Store a batch and return how many of its frames were new.

        Raises:
            RecordRejectedError: It is no batch, of another run, or beyond a limit.
            SessionStoreError: It has to come again later.
        """
        sent_bytes = len(body)
        if is_gzip:
            body = unpacked(body, self._config.max_unpacked_bytes)
        batch, follows = decode_batch(body)
        if batch.run_id != place.run_id:
            raise RecordRejectedError(
                f"The batch is of run {batch.run_id!r} and was sent to run {place.run_id!r}."
            )
        for record in batch.records:
            self._check_shape(record)
        if batch.blocks:
            self._check_backlog(place)
            self._keys.check(place, store, batch)
        if follows:
            self._check_follows(place, store, batch, follows)
        try:
            new_frame_count = store.append(batch)
        except SessionStoreError:
            self._forget_position(place, batch.writer_id)
            raise
        self._note_position(place, batch)
        self._metrics.ingest_batches.inc()
        self._metrics.ingest_points.inc(batch.point_count)
        self._metrics.ingest_bytes.inc(sent_bytes)
        if batch.blocks and new_frame_count:
            self._merging.add(place, store, points=batch.point_count)
        return new_frame_count

    def _check_shape(self, record: EncodedRecord) -> None:
        fault = json_fault(
            record.body,
            max_depth=self._config.max_json_depth,
            max_key_bytes=self._config.guards.max_json_key_bytes,
        )
        if fault is not None:
            raise RecordRejectedError(
                f"The {record.kind} record {record.ordinal} of frame {record.seq} {fault}, which "
                "is all that this service takes."
            )

    def _check_backlog(self, place: RunPlace) -> None:
        backlog = self._merging.backlog_points(place)
        if backlog > self._config.max_backlog_points:
            raise PutOffError(
                "backlog",
                f"Run {place.run_id!r} has {backlog} points that wait to be packed, and this "
                f"service lets {self._config.max_backlog_points} wait.",
                seconds=5.0,
            )

    def _check_follows(self, place: RunPlace, store: Store, batch: Batch, follows: int) -> None:
        writer = (place, batch.writer_id)
        if self._positions.get(writer, 0) >= follows:
            return  # what was stored stays stored, so there is no need to ask
        if store.position(place.run_id, batch.writer_id) < follows:
            raise PutOffError(
                "out_of_order",
                f"Frames {batch.first_seq} to {batch.last_seq} of writer {batch.writer_id!r} came "
                f"before frame {follows} was stored; send what is between them first.",
            )

    def _note_position(self, place: RunPlace, batch: Batch) -> None:
        writer = (place, batch.writer_id)
        with self._lock:
            self._positions[writer] = max(batch.last_seq, self._positions.get(writer, 0))
            self._positions.move_to_end(writer)
            if len(self._positions) > _MAX_POSITIONS:
                self._positions.popitem(last=False)

    def _forget_position(self, place: RunPlace, writer_id: str) -> None:
        """The run may have been deleted, or the store set back to an older state."""
        with self._lock:
            self._positions.pop((place, writer_id), None)
