"""A store in memory whose payloads are in an object store."""

from __future__ import annotations

from quark.storage.memory import MemoryStore
from quark.storage.object_blobs import ObjectBlobs
from quark.storage.object_bucket import ObjectBucket


class StoreWithObjects(MemoryStore):
    def __init__(self, bucket: ObjectBucket) -> None:
        super().__init__()
        self._objects = ObjectBlobs(bucket, self._runs.check_open)

    @property
    def blobs(self) -> ObjectBlobs:  # type: ignore[override]
        return self._objects
