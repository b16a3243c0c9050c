"""A store whose payloads are in an object store, and everything else where it was."""

from __future__ import annotations

from pathlib import Path

from quark.errors import SessionStoreError
from quark.storage.model import Batch
from quark.storage.object_blobs import ObjectBlobs
from quark.storage.object_bucket import ObjectBucket
from quark.storage.protocols import DocumentStore, PointStore, RecordStore, Store


class BlobsElsewhere:
    """A :class:`~quark.storage.protocols.Store` of two: payloads in ``bucket``, the rest in
    ``store``, which it owns."""

    def __init__(self, store: Store, bucket: ObjectBucket) -> None:
        self._store = store
        self._closed = False
        self._blobs = ObjectBlobs(bucket, self._check_open)

    @property
    def records(self) -> RecordStore:
        return self._store.records

    @property
    def points(self) -> PointStore:
        return self._store.points

    @property
    def blobs(self) -> ObjectBlobs:
        return self._blobs

    @property
    def documents(self) -> DocumentStore:
        return self._store.documents

    @property
    def target(self) -> str:
        return self._store.target

    def append(self, batch: Batch) -> int:
        return self._store.append(batch)

    def position(self, run_id: str, writer_id: str) -> int:
        return self._store.position(run_id, writer_id)

    def run_dir(self, run_id: str) -> Path | None:
        return self._store.run_dir(run_id)

    def close(self) -> None:
        self._closed = True
        self._store.close()

    def _check_open(self) -> None:
        if self._closed:
            raise SessionStoreError("This store is closed; open a new one.")
